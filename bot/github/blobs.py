"""Files at a commit, many at a time: one GraphQL query for fifty of them, and single files by REST where that fails.

A path goes into a query as a variable and into a URL percent-encoded, never as text of the query. What GraphQL gives is
believed only when it is as long as the blob: it cuts long texts and replaces what is not UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import quote

from bot.errors import OutsideError, SparkError
from bot.github import limits
from bot.github.client import RAW, GitHubClient
from bot.github.faults import RateLimitedError
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop


class Place(NamedTuple):
    """A file at a commit, or at the tip of a branch (`refs/heads/...`)."""

    commit: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What a query says of a file. `data` is None where it must be fetched singly: binary, cut, or not UTF-8."""

    oid: str
    size: int
    binary: bool
    data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobAnswer:
    """The answer to one query: a place maps to None where there is no file (or GraphQL does not see it)."""

    blobs: Mapping[Place, Blob | None]
    certain: bool = True
    """False where GraphQL told of errors: a missing file may then be there."""
    head: CommitSha | None = None
    """The pull's head at that moment, where it was asked for."""
    default: str | None = None
    """The name of the default branch, where that was asked for."""


def batches(places: Sequence[Place], weight: Mapping[str, int]) -> Iterator[tuple[Place, ...]]:
    """`places` in groups that one query bears: by number, and by the changed lines of their paths (`weight`)."""
    group: list[Place] = []
    heavy = 0
    for place in places:
        lines = weight.get(place.path, 0)
        if group and (len(group) >= limits.BLOBS_PER_QUERY or heavy + lines > limits.CHANGED_LINES_PER_QUERY):
            yield tuple(group)
            group, heavy = [], 0
        group.append(place)
        heavy += lines
    if group:
        yield tuple(group)


def query_blobs(
    client: GitHubClient,
    repo: RepoName,
    places: Sequence[Place],
    *,
    stop: Stop,
    number: int | None = None,
    default: bool = False,
    halvings: int = 2,
) -> BlobAnswer:
    """One query for `places`, for the head of pull `number` when given, and for the name of the `default` branch.

    A query that the server cannot finish (its time limit shows as a 502) is halved, twice at most. Raises the table's errors
    where GraphQL is refused or stays down.
    """
    owner, _, name = repo.partition("/")
    variables: dict[str, Any] = {"owner": owner, "name": name}
    declared = ["$owner: String!", "$name: String!"]
    wanted = []
    if number is not None:
        declared.append("$number: Int!")
        variables["number"] = number
        wanted.append("pullRequest(number: $number) { headRefOid }")
    if default:
        wanted.append("defaultBranchRef { name }")
    for index, place in enumerate(places):
        declared.append(f"$e{index}: String!")
        variables[f"e{index}"] = f"{place.commit}:{place.path}"
        wanted.append(
            f"f{index}: object(expression: $e{index}) {{ ... on Blob {{ oid byteSize isBinary isTruncated text }} }}"
        )
    query = (
        f"query ({', '.join(declared)}) {{ repository(owner: $owner, name: $name) {{\n  "
        + "\n  ".join(wanted)
        + "\n} }"
    )
    doing = f"reading files of {repo}"
    try:
        reply = client.graphql(query, variables, stop=stop, doing=doing)
    except RateLimitedError:
        raise
    except OutsideError:
        if not halvings or len(places) < 2 or stop.left() <= 0:
            raise
        middle = len(places) // 2
        less = halvings - 1
        left = query_blobs(client, repo, places[:middle], stop=stop, number=number, default=default, halvings=less)
        right = query_blobs(client, repo, places[middle:], stop=stop, halvings=less)
        certain = left.certain and right.certain
        return replace(left, blobs={**left.blobs, **right.blobs}, certain=certain)
    found = reply.data.get("repository")
    if not isinstance(found, Mapping):
        raise OutsideError(
            f"GitHub's GraphQL gave nothing while {doing}: {'; '.join(reply.errors) or 'no reason given'}"
        )
    head, branch = _of(found, "pullRequest", "headRefOid"), _of(found, "defaultBranchRef", "name")
    return BlobAnswer(
        blobs={place: _blob(found.get(f"f{index}")) for index, place in enumerate(places)},
        certain=not reply.errors,
        head=CommitSha(head) if head is not None else None,
        default=branch,
    )


def _of(found: Mapping[str, Any], name: str, key: str) -> str | None:
    value = inner.get(key) if isinstance(inner := found.get(name), Mapping) else None
    return value if isinstance(value, str) else None


def _blob(found: Any) -> Blob | None:
    if not isinstance(found, Mapping) or not isinstance(found.get("oid"), str):
        return None
    size = found.get("byteSize")
    size = size if isinstance(size, int) else -1
    binary, text = found.get("isBinary") is True, found.get("text")
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else None
    if binary or found.get("isTruncated") is True or (data is not None and len(data) != size):
        data = None
    return Blob(oid=found["oid"], size=size, binary=binary, data=data)


def fetch_blob(
    client: GitHubClient, repo: RepoName, place: Place, *, stop: Stop, oid: str | None = None
) -> bytes | None:
    """One file by REST, its bytes as they are; None where there is none. Raises the table's errors.

    By its blob id where that is known, for then no path is in the URL; else every character but `/` is percent-encoded.
    """
    where = f"git/blobs/{oid}" if oid else f"contents/{quote(place.path, safe='/')}"
    reply = client.get(
        f"/repos/{repo}/{where}",
        params={} if oid else {"ref": place.commit},
        accept=RAW,
        stop=stop,
        doing=f"reading a file of {repo}",
        bear=frozenset({404}),
    )
    if reply.status == 404:
        return None
    media = reply.headers.get("content-type", "")
    if "json" in media and "raw" not in media:
        # A folder or a submodule is answered as a listing, whatever was accepted.
        return None
    return reply.data


def try_fetch_blob(
    client: GitHubClient, repo: RepoName, place: Place, *, stop: Stop, oid: str | None = None
) -> bytes | None:
    """`fetch_blob`, with None also where GitHub refuses or is down: for callers that can go on without the file."""
    try:
        return fetch_blob(client, repo, place, stop=stop, oid=oid)
    except SparkError:
        return None
