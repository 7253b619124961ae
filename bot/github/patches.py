"""The files API's entries as a patch, with the ladder of fallbacks for what GitHub leaves out.

An entry without a `patch` is not therefore binary, and one with 0 changes is not therefore unchanged: past its limits GitHub
leaves out both. So what is missing, cut short or at odds with GitHub's own counts is looked for in `.diff` of the whole pull,
then made here from the two blobs, and only then told as a gap. Nothing is guessed and nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bot.diff.model import BadSection, FilePatch, FileStatus, HunkKey, Patch, is_binary
from bot.diff.parse import read_fragment, read_patch
from bot.errors import DiffUnreadableError
from bot.github.records import FileRecord
from bot.github.replay import blob_id
from bot.review.scope import Skip, SkipReason

Compare = Callable[[Sequence[tuple[bytes, bytes]]], Sequence[str]]
"""The hunks between each old and new version, as `bot.git.compare.compare_blobs` prints them: empty where they are equal or
binary."""

_STATUS = {
    "added": FileStatus.ADDED,
    "removed": FileStatus.REMOVED,
    "modified": FileStatus.MODIFIED,
    "renamed": FileStatus.RENAMED,
    "copied": FileStatus.COPIED,
    "changed": FileStatus.MODIFIED,
    "unchanged": FileStatus.MODE_CHANGED,
}

_EMPTY = frozenset({blob_id(b"", like="0" * 40), blob_id(b"", like="0" * 64)})
"""Git's names for an empty file: what has one of them has no lines, whatever GitHub leaves out."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """A patch in the making. `missing` maps the index of a file to why its diff is not there yet."""

    records: Sequence[FileRecord]
    files: dict[int, FilePatch] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)
    gaps: list[Skip] = field(default_factory=list)

    def give_up(self, index: int, reason: str, *, too_large: bool = False) -> None:
        """No way is left to get this file's diff; it becomes a gap that users read."""
        self.missing.pop(index, None)
        kind = SkipReason.TOO_LARGE if too_large else SkipReason.NO_PATCH
        self.gaps.append(Skip(path=self.records[index].path, reason=kind, detail=reason))

    def take(self, index: int, file: FilePatch) -> None:
        """The diff of the file is found."""
        self.missing.pop(index, None)
        self.files[index] = file

    def patch(self) -> Patch:
        """What was found, in GitHub's order."""
        return Patch(files=tuple(self.files[index] for index in sorted(self.files)))


def is_lacking(record: FileRecord) -> bool:
    """Whether GitHub gives no diff of it where there is one. An empty file that came or went has none, and needs none."""
    if record.patch is not None or record.status == "unchanged":
        return False
    return not (record.status in {"added", "removed"} and record.changes == 0 and record.sha in _EMPTY)


def from_records(records: Sequence[FileRecord]) -> Draft:
    """What the entries themselves give. Each file has the index of its entry."""
    draft = Draft(records=records)
    for index, record in enumerate(records):
        if record.status == "unchanged":
            draft.files[index] = bare(record, index, FileStatus.MODE_CHANGED)
        elif record.patch is None and not is_lacking(record):
            draft.files[index] = bare(record, index, status_of(record))
        elif record.patch is None:
            draft.missing[index] = "GitHub gives no diff of it"
        else:
            _read(draft, index, record.patch, source="GitHub's diff of it")
    return draft


def from_diff(draft: Draft, diff: bytes) -> None:
    """Fill what is missing from `.diff` of the whole pull.

    A section is taken only if it is of the blobs and has the counts that the entry names: a push may have come in between.
    """
    try:
        whole = read_patch(diff)
    except DiffUnreadableError:
        return
    sections: dict[str, list[FilePatch]] = {}
    for file in whole.files:
        sections.setdefault(file.path, []).append(file)
    spare = len(draft.records)
    for index in sorted(draft.missing):
        record = draft.records[index]
        found = sections.get(record.path, [])
        if not found or not _fits(record, found):
            continue
        draft.take(index, reindexed(found[0], index))
        # A type change has two sections under one path, a removal and an addition, but one entry.
        for other in found[1:]:
            draft.files[spare] = reindexed(other, spare)
            spare += 1


def from_blobs(
    draft: Draft, index: int, old: bytes | None, new: bytes | None, *, compare: Compare, hunks: str | None = None
) -> None:
    """Fill one file from its two blobs; None for a side that has no file. `hunks`: of a comparison that was made."""
    record = draft.records[index]
    if old is None and new is None:
        draft.give_up(index, f"{draft.missing[index]}, and neither of its versions could be read")
    elif old == new:
        same = FileStatus.MODE_CHANGED if record.old_path is None else _STATUS.get(record.status, FileStatus.RENAMED)
        draft.take(index, bare(record, index, same))
    elif any(is_binary(data or b"") for data in (old, new)):
        draft.take(index, replace(bare(record, index, status_of(record)), binary=True))
    else:
        if old is None or new is None:
            hunks = whole(old, new)
        elif hunks is None:
            (hunks,) = compare([(old, new)])
        if hunks:
            _read(draft, index, hunks, source="the comparison of its two versions", trusted=True)
        elif old is None or new is None:
            draft.take(index, bare(record, index, status_of(record)))
        if index in draft.missing:
            draft.give_up(index, f"{draft.missing[index]}, and its two versions could not be compared")


def whole(old: bytes | None, new: bytes | None) -> str:
    """The hunks of a file that came (`old` is None) or went, as git prints them: there is nothing to compare."""
    data, sign = (new, "+") if old is None else (old, "-")
    if not data:
        return ""
    *lines, rest = data.decode("utf-8", "surrogateescape").split("\n")
    count = len(lines) + bool(rest)
    many = "1" if count == 1 else f"1,{count}"
    head = f"@@ -0,0 +{many} @@\n" if sign == "+" else f"@@ -{many} +0,0 @@\n"
    tail = f"{sign}{rest}\n\\ No newline at end of file\n" if rest else ""
    return head + "".join(f"{sign}{line}\n" for line in lines) + tail


def bare(record: FileRecord, index: int, status: FileStatus) -> FilePatch:
    """The file without any hunk."""
    removed = status is FileStatus.REMOVED
    return FilePatch(
        index=index,
        path=record.path,
        old_path=record.old_path,
        status=status,
        old_sha=record.sha if removed else None,
        new_sha=None if removed else record.sha,
    )


def status_of(record: FileRecord) -> FileStatus:
    """GitHub's word for what happened, as ours. A word we do not know counts as a modification."""
    return _STATUS.get(record.status, FileStatus.MODIFIED)


def reindexed(file: FilePatch, index: int) -> FilePatch:
    """The same file at another place of the patch."""
    hunks = tuple(replace(hunk, key=HunkKey(index, hunk.key.hunk)) for hunk in file.hunks)
    return replace(file, index=index, hunks=hunks)


def _read(draft: Draft, index: int, fragment: str, *, source: str, trusted: bool = False) -> None:
    record = draft.records[index]
    status = status_of(record)
    removed = status is FileStatus.REMOVED
    found = read_fragment(
        index=index,
        path=record.path,
        old_path=record.old_path,
        status=status,
        fragment=fragment,
        old_sha=record.sha if removed else None,
        new_sha=None if removed else record.sha,
    )
    if isinstance(found, BadSection):
        draft.missing[index] = f"{source} could not be read ({found.reason})"
    elif not trusted and not _counts_agree(record, found.added, found.removed):
        draft.missing[index] = f"{source} is cut short"
    else:
        draft.take(index, found)


def _counts_agree(record: FileRecord, added: int, removed: int) -> bool:
    # Past its limits GitHub says 0 for files that did change, so 0 is no evidence against a diff.
    return record.changes == 0 or (added, removed) == (record.added, record.removed)


def _fits(record: FileRecord, found: Sequence[FilePatch]) -> bool:
    if not _counts_agree(record, sum(file.added for file in found), sum(file.removed for file in found)):
        return False
    old = record.status == "removed"
    ids = [file.old_sha if old else file.new_sha for file in found]
    named = [sha for sha in ids if sha and sha.strip("0")]
    return not named or record.sha is None or any(record.sha.startswith(sha) for sha in named)
