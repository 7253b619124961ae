"""The diff between two commits as GitHub shows it: one entry a file, with status, counts, patch and commentable lines.

Paths and statuses come from `git diff --raw -z`, counts from `--numstat -z`, hunks from `hunks.py`, all of one process.
Refuses to read a path from a patch header.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.github.git import GitRepo
from bot.sandbox.github.hunks import Block, count_hunks, split_sections

_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}
_ARGS = ("-c", "core.quotePath=true", "diff", "--no-ext-diff", "--no-textconv", "--no-color", "-M", "-l0")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """One changed file."""

    path: str
    previous: str | None
    status: str
    additions: int
    deletions: int
    binary: bool
    old_sha: str
    new_sha: str
    patch: str | None
    """The hunks, without the final newline; None for binary files and where no line changed."""
    lines: int
    """Lines of the patch."""
    size: int
    """Bytes of the patch."""
    blocks: tuple[Block, ...]

    @property
    def sha(self) -> str:
        """The blob that GitHub names: the new one, or the old one of a removed file."""
        return self.old_sha if self.status == "removed" else self.new_sha


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeDiff:
    """All files between two commits, and git's own text of it."""

    files: tuple[FileDiff, ...]
    text: bytes

    def file(self, path: str) -> FileDiff | None:
        """The entry with this (new) path."""
        return next((each for each in self.files if each.path == path), None)

    @property
    def additions(self) -> int:
        """Added lines over all files."""
        return sum(each.additions for each in self.files)

    @property
    def deletions(self) -> int:
        """Removed lines over all files."""
        return sum(each.deletions for each in self.files)


def diff_trees(repo: GitRepo, old: str, new: str) -> TreeDiff:
    """The diff of two trees or commits, renames found as git finds them."""
    raw, counts, text = _parts(repo.run(*_ARGS, "--raw", "--no-abbrev", "--numstat", "--patch", "-z", old, new))
    sections = split_sections(text)
    files: list[FileDiff] = []
    at = 0
    for status, old_sha, new_sha, previous, path in raw:
        take = 2 if status == "T" else 1
        mine = sections[at : at + take]
        at += take
        blocks = tuple(block for section in mine for block in count_hunks(section))
        hunk_bytes = b"\n".join(filter(None, (_hunk_text(section) for section in mine)))
        added, removed = counts[path]
        files.append(
            FileDiff(
                path=path,
                previous=previous,
                status=_STATUS[status],
                additions=added or 0,
                deletions=removed or 0,
                binary=added is None,
                old_sha=old_sha,
                new_sha=new_sha,
                patch=hunk_bytes.decode("utf-8", "replace") if hunk_bytes else None,
                lines=hunk_bytes.count(b"\n") + 1 if hunk_bytes else 0,
                size=len(hunk_bytes),
                blocks=blocks,
            )
        )
    assert at == len(sections), "git printed another number of sections than files"
    return TreeDiff(files=tuple(files), text=text)


def _hunk_text(section: bytes) -> bytes:
    start = 0 if section.startswith(b"@@ ") else section.find(b"\n@@ ") + 1
    return section[start:].removesuffix(b"\n") if start or section.startswith(b"@@ ") else b""


_Raw = tuple[str, str, str, str | None, str]
_Counts = dict[str, tuple[int | None, int | None]]


def _parts(data: bytes) -> tuple[list[_Raw], _Counts, bytes]:
    """The raw entries, the counts, and after an empty field the text."""
    entries: list[_Raw] = []
    counts: _Counts = {}
    at = 0

    def field() -> str:
        nonlocal at
        start, at = at, data.index(b"\0", at) + 1
        return data[start : at - 1].decode("utf-8", "surrogateescape")

    while data.startswith(b":", at):
        _, _, old_sha, new_sha, status = field().split(" ")
        previous = field() if status[0] in "RC" else None
        entries.append((status[0], old_sha, new_sha, previous, field()))
    while at < len(data) and not data.startswith(b"\0", at):
        added, removed, path = field().split("\t", 2)
        if not path:
            _, path = field(), field()
        counts[path] = (None, None) if added == "-" else (int(added), int(removed))
    return entries, counts, data[at + 1 :]
