"""GitHub's JSON as types, read once. Past this module nobody sees a dict.

Unknown keys are ignored, for GitHub adds some each month; a key that is needed and missing is GitHub's fault (OutsideError).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from bot.errors import OutsideError
from bot.github.faults import Reply
from bot.review.model import CommitSha, Pull, RepoName, Totals

HUNK: Final = 4_000
"""Characters kept of the diff that a comment was written on; GitHub sends all of it, which may be a whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRecord:
    """A pull with GitHub's own count of its changes."""

    pull: Pull
    totals: Totals
    maintainer_can_modify: bool = False
    """Of a fork: whether those who may write to the base may write to the pull's branch, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One entry of the files API."""

    path: str
    old_path: str | None
    status: str
    added: int
    removed: int
    changes: int
    sha: str | None
    """Blob id after the change (before it, for a removed file). None for some submodules."""
    patch: str | None
    head: str | None
    """The head commit this entry was made for, read from its contents URL; None where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRecord:
    """A review, a review comment or an issue comment: somebody's text on the pull."""

    id: int
    login: str
    """Empty when the account was deleted."""
    is_bot: bool
    body: str
    url: str
    state: str
    """`PENDING` for a review that is not submitted; empty for comments."""
    at: str = ""
    """When it was made (submitted, for a review): `2026-01-31T23:59:59Z`; empty where GitHub does not say."""
    root: int | None = None
    """Of a reply in a thread: the thread's first comment."""
    path: str = ""
    """Of a comment on lines."""
    commit: str = ""
    """Of a comment on lines, or of a review."""
    node: str = ""
    """GraphQL's id; empty where GitHub does not say."""
    pull: int = 0
    """Of a comment on lines: the number of its pull."""
    hunk: str = ""
    """Of a comment on lines: the diff it was written on, down to its line; of a long one the last `HUNK` characters."""


def read_pull(reply: Reply) -> PullRecord:
    """`GET /repos/{repo}/pulls/{number}`."""
    data = _mapping(reply.json(), "pull request")
    base, head = _mapping(data.get("base"), "base"), _mapping(data.get("head"), "head")
    head_repo = head.get("repo")
    return PullRecord(
        pull=Pull(
            repo=RepoName(_text(_mapping(base.get("repo"), "base.repo"), "full_name")),
            number=_number(data, "number"),
            title=_optional(data, "title"),
            body=_optional(data, "body"),
            author=_optional(data.get("user") or {}, "login"),
            base_sha=CommitSha(_text(base, "sha")),
            head_sha=CommitSha(_text(head, "sha")),
            base_ref=_text(base, "ref"),
            head_ref=_text(head, "ref"),
            head_repo=RepoName(_text(head_repo, "full_name")) if isinstance(head_repo, Mapping) else None,
            url=_text(data, "html_url"),
            draft=data.get("draft") is True,
            is_open=data.get("state") != "closed",
        ),
        totals=Totals(
            files=_number(data, "changed_files"), added=_number(data, "additions"), removed=_number(data, "deletions")
        ),
        maintainer_can_modify=data.get("maintainer_can_modify") is True,
    )


def read_files(reply: Reply) -> list[FileRecord]:
    """One page of `GET /repos/{repo}/pulls/{number}/files`."""
    return [_file(_mapping(entry, "file")) for entry in _list(reply.json(), "files")]


def _file(data: Mapping[str, Any]) -> FileRecord:
    ref = parse_qs(urlsplit(_optional(data, "contents_url")).query).get("ref")
    patch = data.get("patch")
    return FileRecord(
        path=_text(data, "filename"),
        old_path=_optional(data, "previous_filename") or None,
        status=_text(data, "status"),
        added=_number(data, "additions"),
        removed=_number(data, "deletions"),
        changes=_number(data, "changes"),
        sha=_optional(data, "sha") or None,
        patch=patch if isinstance(patch, str) else None,
        head=ref[0] if ref else None,
    )


def read_notes(reply: Reply) -> list[NoteRecord]:
    """One page of reviews, review comments or issue comments."""
    return [_note(_mapping(entry, "comment")) for entry in _list(reply.json(), "comments")]


def read_note(reply: Reply) -> NoteRecord:
    """A review or a comment just made."""
    return _note(_mapping(reply.json(), "comment"))


def _note(data: Mapping[str, Any]) -> NoteRecord:
    user = data.get("user") or {}
    return NoteRecord(
        id=_number(data, "id"),
        login=_optional(user, "login"),
        is_bot=user.get("type") == "Bot",
        body=_optional(data, "body"),
        url=_optional(data, "html_url"),
        state=_optional(data, "state"),
        at=_optional(data, "submitted_at") or _optional(data, "created_at"),
        root=root if isinstance(root := data.get("in_reply_to_id"), int) else None,
        path=_optional(data, "path"),
        commit=_optional(data, "commit_id"),
        pull=int(pull) if (pull := _optional(data, "pull_request_url").rpartition("/")[2]).isdecimal() else 0,
        node=_optional(data, "node_id"),
        hunk=_optional(data, "diff_hunk")[-HUNK:],
    )


def read_merge_base(reply: Reply) -> CommitSha:
    """`GET /repos/{repo}/compare/{base}...{head}`: where the two histories part."""
    data = _mapping(reply.json(), "comparison")
    return CommitSha(_text(_mapping(data.get("merge_base_commit"), "merge_base_commit"), "sha"))


def read_compared(reply: Reply) -> tuple[list[FileRecord], list[str]]:
    """The same: its files, and the first line of each commit's message, oldest first (250 commits at most)."""
    data = _mapping(reply.json(), "comparison")
    files = [_file(_mapping(entry, "file")) for entry in _list(data.get("files"), "files")]
    commits = [_mapping(entry, "commit") for entry in _list(data.get("commits"), "commits")]
    messages = [_optional(_mapping(commit.get("commit"), "commit"), "message") for commit in commits]
    return files, [message.partition("\n")[0] for message in messages]


def _lacks(what: str) -> OutsideError:
    return OutsideError(f"GitHub's answer has no {what}, or it has the wrong form", remedy="Check GITHUB_API_URL")


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _lacks(what)
    return value


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise _lacks(what)
    return value


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise _lacks(key)
    return value


def _optional(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _number(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _lacks(key)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRecord:
    """One commit of a listing."""

    sha: CommitSha
    parents: tuple[CommitSha, ...]
    message: str
    login: str
    """Of the account that GitHub takes for its author; empty for none."""
    is_bot: bool
    url: str
    is_signed: bool = False
    """GitHub made it for its author, or its author signed it: nobody else did in that name."""


def read_commits(reply: Reply) -> list[CommitRecord]:
    """One page of a list of commits."""
    return [_commit(_mapping(entry, "commit")) for entry in _list(reply.json(), "commits")]


def _commit(data: Mapping[str, Any]) -> CommitRecord:
    author, committer = data.get("author") or {}, data.get("committer") or {}
    commit = _mapping(data.get("commit"), "commit")
    return CommitRecord(
        sha=CommitSha(_text(data, "sha")),
        parents=tuple(
            CommitSha(_text(_mapping(parent, "parent"), "sha")) for parent in _list(data.get("parents"), "parents")
        ),
        message=_optional(commit, "message"),
        login=_optional(author, "login"),
        is_bot=author.get("type") == "Bot",
        url=_optional(data, "html_url"),
        # A signature is the committer's, whoever the commit names as its author.
        is_signed=_is_verified(commit)
        and _optional(committer, "login") in {_GITHUB, _optional(author, "login")} - {""},
    )


_GITHUB = "web-flow"
"""The account of the commits that GitHub itself makes and signs."""


def _is_verified(commit: Mapping[str, Any]) -> bool:
    verification = commit.get("verification")
    return isinstance(verification, Mapping) and verification.get("verified") is True


def read_commit_paths(reply: Reply) -> list[str]:
    """One page of the files of `GET /repos/{repo}/commits/{sha}`: new paths, and the old one of what was renamed."""
    found = []
    for entry in _list(_mapping(reply.json(), "commit").get("files"), "files"):
        file = _mapping(entry, "file")
        found += [_text(file, "filename")] + ([old] if (old := _optional(file, "previous_filename")) else [])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRecord:
    """What somebody may do in a repository."""

    permission: str
    """`admin`, `write`, `read` or `none`: what GitHub itself reduces every role to."""
    role_name: str
    """The role by its name, also `maintain`, `triage` and roles that an organisation made."""


def read_level(reply: Reply) -> LevelRecord:
    """`GET /repos/{repo}/collaborators/{login}/permission`."""
    data = _mapping(reply.json(), "permission")
    return LevelRecord(permission=_text(data, "permission"), role_name=_optional(data, "role_name"))
