"""Fetching what the files API left out: `.diff` of the pull, then the blobs of single files at both ends.

Decides nothing about diffs; `patches.py` does. The way goes on as long as it costs a bounded number of requests.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors import SparkError
from bot.github import limits
from bot.github.blobs import Blob, Place, batches, fetch_blob, query_blobs
from bot.github.client import DIFF, GitHubClient, gather
from bot.github.patches import Compare, Draft, from_blobs, from_diff
from bot.github.records import PullRecord, read_merge_base
from bot.review.model import CommitSha
from bot.review.ports import Stop

GONE = frozenset({404, 406, 422})
"""406: larger than `.diff` may be. 404 and 422: GitHub cannot make it."""


def diff_is_allowed(record: PullRecord) -> bool:
    """Whether `.diff` of this pull can be within its documented limits; asking beyond them only costs time."""
    lines = record.totals.added + record.totals.removed
    return record.totals.files <= limits.MAX_DIFF_FILES and lines <= limits.MAX_DIFF_LINES


def fetch_diff(client: GitHubClient, record: PullRecord, *, stop: Stop) -> bytes | None:
    """`.diff` of the whole pull; None where GitHub refuses or cannot make it, for blobs can still be compared then."""
    pull = record.pull
    try:
        reply = client.get(
            f"/repos/{pull.repo}/pulls/{pull.number}",
            accept=DIFF,
            stop=stop,
            doing=f"reading the diff of {pull.repo}#{pull.number}",
            bear=GONE,
        )
    except SparkError:
        return None
    return reply.data if reply.ok else None


def fill(
    client: GitHubClient, record: PullRecord, draft: Draft, *, diff: bytes | None, compare: Compare, stop: Stop
) -> None:
    """Fill what `draft` misses from `diff`, then from blobs. What stays missing becomes a gap with its reason."""
    if draft.missing and diff is not None:
        from_diff(draft, diff)
    if not draft.missing:
        return
    try:
        base = _merge_base(client, record, stop=stop)
    except SparkError as error:
        for index in list(draft.missing):
            draft.give_up(index, f"{draft.missing[index]}, and its versions could not be read: {error.what}")
        return
    wanted = sorted(draft.missing)
    known = _known_blobs(client, record, draft, wanted, base=base, stop=stop)

    def one(index: int) -> None:
        _compare_one(client, record, draft, index, base=base, known=known, compare=compare, stop=stop)

    gather([client.submit(one, index) for index in wanted])


def _merge_base(client: GitHubClient, record: PullRecord, *, stop: Stop) -> CommitSha:
    pull = record.pull
    reply = client.get(
        f"/repos/{pull.repo}/compare/{pull.base_sha}...{pull.head_sha}",
        # The files of a comparison are all on its first page, and not wanted here.
        params={"per_page": 1, "page": 2},
        stop=stop,
        doing=f"looking for the merge base of {pull.repo}#{pull.number}",
    )
    return read_merge_base(reply)


def _ends(draft: Draft, index: int, *, base: CommitSha, head: CommitSha) -> tuple[Place | None, Place | None]:
    file = draft.records[index]
    old = None if file.status == "added" else Place(base, file.old_path or file.path)
    new = None if file.status == "removed" else Place(head, file.path)
    return old, new


def _known_blobs(
    client: GitHubClient, record: PullRecord, draft: Draft, wanted: Sequence[int], *, base: CommitSha, stop: Stop
) -> dict[Place, Blob]:
    """What GraphQL knows of all the blobs at once; empty where it is refused, for single reads follow anyway."""
    if not client.has_token:
        return {}
    ends = [_ends(draft, index, base=base, head=record.pull.head_sha) for index in wanted]
    places = [place for pair in ends for place in pair if place is not None]
    queries = [client.submit(query_blobs, client, record.pull.repo, batch, stop=stop) for batch in batches(places, {})]
    known: dict[Place, Blob] = {}
    for query in queries:
        try:
            answer = query.result()
        except SparkError:
            continue
        known.update((place, blob) for place, blob in answer.blobs.items() if blob is not None)
    return known


def _compare_one(
    client: GitHubClient,
    record: PullRecord,
    draft: Draft,
    index: int,
    *,
    base: CommitSha,
    known: dict[Place, Blob],
    compare: Compare,
    stop: Stop,
) -> None:
    old, new = _ends(draft, index, base=base, head=record.pull.head_sha)
    blobs = [known[place] for place in (old, new) if place in known]
    if any(blob.size > limits.MAX_COMPARED_BYTES for blob in blobs):
        draft.give_up(index, f"{draft.missing[index]}, and it is larger than 10 MB", too_large=True)
        return
    if len(blobs) == 2 and blobs[0].oid == blobs[1].oid:
        from_blobs(draft, index, b"", b"", compare=compare)
        return
    try:
        # The entry's own id is of the version that is left: the new one, but for a removed file the old one.
        sha = draft.records[index].sha
        before = _bytes(client, record, old, known, stop=stop, oid=None if new is not None else sha)
        after = _bytes(client, record, new, known, stop=stop, oid=sha)
        from_blobs(draft, index, before, after, compare=compare)
    except SparkError as error:
        draft.give_up(index, f"{draft.missing[index]}, and its versions could not be compared: {error.what}")


def _bytes(
    client: GitHubClient,
    record: PullRecord,
    place: Place | None,
    known: dict[Place, Blob],
    *,
    stop: Stop,
    oid: str | None,
) -> bytes | None:
    if place is None:
        return None
    blob = known.get(place)
    if blob is not None and blob.data is not None:
        return blob.data
    oid = blob.oid if blob is not None else oid
    data = fetch_blob(client, record.pull.repo, place, stop=stop, oid=oid)
    fork = record.pull.head_repo
    if data is None and place.commit == record.pull.head_sha and record.pull.is_fork and fork is not None:
        data = fetch_blob(client, fork, place, stop=stop, oid=oid)
    return data
