"""What all GraphQL objects are made of: actors, git objects, connections with pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from bot.sandbox.github.call import Call
from bot.sandbox.github.graph_errors import RefusedError
from bot.sandbox.github.records import Json, User
from bot.sandbox.github.shapes import git_time

if TYPE_CHECKING:
    from bot.sandbox.github.diffs import FileDiff
    from bot.sandbox.github.repo import Repo

T = TypeVar("T")
_CHANGES = {
    "added": "ADDED",
    "removed": "DELETED",
    "modified": "MODIFIED",
    "renamed": "RENAMED",
    "copied": "COPIED",
    "changed": "CHANGED",
}
Node = dict[str, Json]
"""A GraphQL object: a mapping whose callables are resolved on demand."""
BLOB_BYTES = 512_000
"""Longer texts are cut, `isTruncated` (seen on GitHub)."""
_MOST_PER_PAGE = 100


def user(call: Call, account: User) -> Node:
    """An Actor."""
    slug = f"apps/{account.login.removesuffix('[bot]')}" if account.kind == "Bot" else account.login
    return {
        "__typename": account.kind,
        "id": account.node_id,
        "databaseId": account.id,
        # GraphQL gives a bot's login without the suffix, REST with it.
        "login": account.login.removesuffix("[bot]"),
        "name": account.name,
        "url": f"{call.urls.web}/{slug}",
        "avatarUrl": lambda _, **__: f"{call.urls.web}/avatars/u/{account.id}?v=4",
    }


def git_object(call: Call, repo: Repo, expression: str | None) -> Node | None:
    """A Blob, Tree or Commit named as git names it (`<commit>:<path>`)."""
    found = repo.git.read(expression) if expression and not expression.startswith("-") else None
    if found is None:
        return None
    sha, kind, content = found
    common: Node = {"id": f"OBJ_{sha}", "oid": sha, "abbreviatedOid": sha[:7]}
    if kind == "blob":
        binary = b"\0" in content[:8000]
        return common | {
            "__typename": "Blob",
            "byteSize": len(content),
            "isBinary": binary,
            "isTruncated": len(content) > BLOB_BYTES,
            "text": None if binary else content[:BLOB_BYTES].decode("utf-8", "replace"),
        }
    if kind == "tree":
        return common | {"__typename": "Tree", "entries": lambda _: _entries(call, repo, sha)}
    if kind == "commit" and content:
        info = repo.git.commit_info(sha)
        return common | {
            "__typename": "Commit",
            "message": info.message,
            "messageHeadline": info.message.split("\n", 1)[0],
            "url": f"{call.urls.web}/{repo.full_name}/commit/{sha}",
            "committedDate": git_time(info.committer),
            "tree": lambda _: git_object(call, repo, info.tree),
        }
    return None


def _entries(call: Call, repo: Repo, sha: str) -> list[Node]:
    return [
        {
            "name": each.path,
            "path": each.path,
            "type": each.kind,
            "mode": int(each.mode, 8),
            "oid": each.sha,
            "size": each.size or 0,
            "object": lambda _, oid=each.sha: git_object(call, repo, oid),
        }
        for each in repo.git.tree(sha)
    ]


def connection(name: str, items: Sequence[T], render: Callable[[T], Node], args: Mapping[str, Json]) -> Node:
    """One page of a connection; cursors are positions. RefusedError without `first` or `last`, or above 100."""
    first, last = args.get("first"), args.get("last")
    if first is None and last is None:
        raise RefusedError(
            "MISSING_PAGINATION_BOUNDARIES",
            f"You must provide a `first` or `last` value to properly paginate the `{name}` connection.",
        )
    which, asked = ("first", first) if first is not None else ("last", last)
    if asked is None or not 0 <= asked <= _MOST_PER_PAGE:
        raise RefusedError(
            "EXCESSIVE_PAGINATION",
            f"Requesting {asked} records on the `{name}` connection exceeds the `{which}` limit of 100 records.",
        )
    start = int(str(args.get("after") or "c0")[1:])
    end = int(str(args.get("before") or f"c{len(items) + 1}")[1:]) - 1
    if first is not None:
        end = min(end, start + first)
    elif last is not None:
        start = max(start, end - last)
    return {
        "nodes": [render(item) for item in items[start:end]],
        "totalCount": len(items),
        "pageInfo": {
            "startCursor": f"c{start + 1}" if end > start else None,
            "endCursor": f"c{end}" if end > start else None,
            "hasNextPage": end < len(items),
            "hasPreviousPage": start > 0,
        },
    }


def changed_file(file: FileDiff) -> Node:
    """A PullRequestChangedFile."""
    path = file.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return {
        "path": path,
        "additions": file.additions,
        "deletions": file.deletions,
        "changeType": _CHANGES[file.status],
    }
