"""GitHub's JSON as types, read once. Past this module nobody sees a dict.

Unknown keys are ignored, for GitHub adds some each month; a key that is needed and missing is GitHub's fault (OutsideError).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.errors import OutsideError
from bot.github.faults import Reply
from bot.review.model import CommitSha, Pull, RepoName, Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRecord:
    """A pull with GitHub's own count of its changes."""

    pull: Pull
    totals: Totals


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
    )


def read_merge_base(reply: Reply) -> CommitSha:
    """`GET /repos/{repo}/compare/{base}...{head}`: where the two histories part."""
    data = _mapping(reply.json(), "comparison")
    return CommitSha(_text(_mapping(data.get("merge_base_commit"), "merge_base_commit"), "sha"))


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
