"""Bytes of a diff to a `Patch`. unidiff numbers the lines of each hunk; the splitter beside it cuts, names and checks.

One bad section costs that section alone and comes back as a `BadSection`; only input that is no diff at all raises. It
does no I/O and never writes a diff.
"""

from __future__ import annotations

import re

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk as UnidiffHunk
from unidiff.patch import PatchSet

from bot.diff.headers import Broken, Header, read_header
from bot.diff.hunks import RawHunk
from bot.diff.model import BadSection, FilePatch, FileStatus, Hunk, HunkKey, Line, LineKind, Patch
from bot.diff.sections import RawSection, split_diff, split_fragment

_KINDS = {"+": LineKind.ADDED, "-": LineKind.REMOVED, " ": LineKind.CONTEXT}
_POINTER = re.compile(r"Subproject commit [0-9a-f]{40,64}(?:-dirty)?")
_LONE_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def read_patch(data: bytes) -> Patch:
    """The whole change in `data`, the output of `git diff` or `diff -u`. Empty input is an empty patch.

    Raises DiffUnreadableError when `data` is no diff: JSON, a web page, several commits in a row.
    """
    files: list[FilePatch] = []
    bad: list[BadSection] = []
    for index, section in enumerate(split_diff(data)):
        header = read_header(section)
        if isinstance(header, Broken):
            path = None if header.path is None else _text(header.path)
            bad.append(BadSection(index=index, path=path, reason=section.trouble or header.reason))
            continue
        if section.trouble:
            bad.append(BadSection(index=index, path=_text(header.path), reason=section.trouble))
            continue
        file = _file(index, header, section)
        if isinstance(file, BadSection):
            bad.append(file)
        else:
            files.append(file)
    return Patch(files=tuple(files), bad=tuple(bad))


def read_fragment(
    *,
    index: int,
    path: str,
    old_path: str | None,
    status: FileStatus,
    fragment: str,
    old_sha: str | None = None,
    new_sha: str | None = None,
) -> FilePatch | BadSection:
    """One file from its hunks alone, as the `patch` of GitHub's files API has them; an empty fragment has no hunks.

    Whether the fragment is the whole change of the file cannot be seen here: hold its counts against GitHub's.
    """
    section = split_fragment(_bytes(fragment))
    if section.trouble:
        return BadSection(index=index, path=path, reason=section.trouble)
    header = Header(
        path=_bytes(path),
        old_path=None if old_path is None else _bytes(old_path),
        status=status,
        old_sha=old_sha,
        new_sha=new_sha,
    )
    return _file(index, header, section)


def _file(index: int, header: Header, section: RawSection) -> FilePatch | BadSection:
    path = _text(header.path)
    hunks = _hunks(index, section.hunks)
    if isinstance(hunks, str):
        return BadSection(index=index, path=path, reason=hunks)
    if header.status is FileStatus.ADDED and any(raw.old_count for raw in section.hunks):
        return BadSection(index=index, path=path, reason="it is a new file with old lines")
    if header.status is FileStatus.REMOVED and any(raw.new_count for raw in section.hunks):
        return BadSection(index=index, path=path, reason="it is a deleted file with new lines")
    return FilePatch(
        index=index,
        path=path,
        old_path=None if header.old_path is None else _text(header.old_path),
        status=header.status,
        hunks=hunks,
        old_mode=header.old_mode,
        new_mode=header.new_mode,
        binary=header.binary,
        submodule=header.submodule or (header.old_mode is None and header.new_mode is None and _only_pointers(hunks)),
        old_sha=header.old_sha,
        new_sha=header.new_sha,
    )


def _hunks(index: int, raws: tuple[RawHunk, ...]) -> tuple[Hunk, ...] | str:
    """The hunks as unidiff reads them, each line held against the bytes; else what does not agree."""
    if not raws:
        return ()
    # A made-up name and headers written anew: unidiff's defects are all in how it reads names and odd headers.
    parts = [b"--- a/f\n+++ b/f\n"]
    for raw in raws:
        parts.append(b"@@ -%d,%d +%d,%d @@\n" % (raw.old_start, raw.old_count, raw.new_start, raw.new_count))
        parts.extend(line + b"\n" for line in raw.body)
    try:
        read = PatchSet(_text(b"".join(parts)))
    except UnidiffParseError as error:
        return f"its hunks cannot be read: {str(error)[:200]}"
    if len(read) != 1 or len(read[0]) != len(raws):
        return "its hunks do not agree with their count"
    hunks = []
    for number, (raw, unidiff_hunk) in enumerate(zip(raws, read[0], strict=True)):
        lines = _lines(raw, unidiff_hunk)
        if lines is None:
            return f"the lines of its hunk {number + 1} do not agree with their count"
        hunks.append(
            Hunk(
                key=HunkKey(index, number),
                old_start=raw.old_start,
                old_count=raw.old_count,
                new_start=raw.new_start,
                new_count=raw.new_count,
                section=_text(raw.section),
                lines=lines,
            )
        )
    return tuple(hunks)


def _lines(raw: RawHunk, read: UnidiffHunk) -> tuple[Line, ...] | None:
    if len(read) != len(raw.body):
        return None
    old, new = raw.old_start, raw.new_start
    lines = []
    for at, (line, body) in enumerate(zip(read, raw.body, strict=True)):
        kind = _KINDS[line.line_type]
        expected = (None if kind is LineKind.ADDED else old, None if kind is LineKind.REMOVED else new)
        if body[0] != ord(kind) or expected != (line.source_line_no, line.target_line_no):
            return None
        old += kind is not LineKind.ADDED
        new += kind is not LineKind.REMOVED
        lines.append(
            Line(kind=kind, old=expected[0], new=expected[1], text=line.value[:-1], newline=at not in raw.bare)
        )
    return tuple(lines)


def _only_pointers(hunks: tuple[Hunk, ...]) -> bool:
    """Whether the hunks say what git prints for a submodule; asked only where no mode could tell."""
    lines = [line for hunk in hunks for line in hunk.lines]
    return 0 < len(lines) <= 2 and all(_POINTER.fullmatch(line.text) for line in lines)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    # JSON can carry halves of surrogate pairs, which no byte sequence stands for.
    return _LONE_SURROGATE.sub("\ufffd", text).encode("utf-8", "surrogateescape")
