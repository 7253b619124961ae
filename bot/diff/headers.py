"""What the header lines of a section say: paths, status, modes, blob ids. It never looks at the hunks to guess."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bot.diff import gitpaths
from bot.diff.model import FileStatus
from bot.diff.sections import Kind, RawSection

_INDEX = re.compile(rb"index ([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: ([0-7]{6}))?")
_MODE = re.compile(rb"(old mode|new mode|deleted file mode|new file mode) ([0-7]{6})")
_SIMILARITY = re.compile(rb"(dis)?similarity index (\d{1,3})%")
_NAME = re.compile(rb"(rename|copy) (from|to) (.+)", re.DOTALL)
_SUBMODULE = re.compile(rb"Submodule (.+) (?:([0-9a-f]{7,64})\.\.\.?([0-9a-f]{7,64})(.*)|contains .* content)")
_BINARY = re.compile(rb"(?:Binary files|Files) (.*) differ", re.DOTALL)
_EMPTY_BLOBS = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
"""Ids of a file without content, in repositories with SHA-1 and with SHA-256."""
GITLINK = "160000"
"""The mode of a submodule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The meaning of a section's header lines. Paths are raw bytes without quotes and prefixes."""

    path: bytes
    old_path: bytes | None
    status: FileStatus
    old_mode: str | None = None
    new_mode: str | None = None
    binary: bool = False
    old_sha: str | None = None
    new_sha: str | None = None
    submodule: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A header that cannot be used, and why; with the path where it could still be read."""

    path: bytes | None
    reason: str


def read_header(section: RawSection) -> Header | Broken:
    """What the header of `section` says."""
    if section.kind is Kind.GIT:
        return _git(section)
    if section.kind is Kind.PLAIN:
        return _plain(section)
    if section.kind is Kind.SUBMODULE:
        return _submodule(section.header[0])
    if section.kind is Kind.ONE_LINE:
        return _one_line(section.header[0])
    path = None
    if section.kind is Kind.COMBINED:
        path = gitpaths.read_name(section.header[0].split(b" ", 2)[2])
    return Broken(path=path, reason=section.trouble)


class _Lines:
    """The extended header lines of one git section, each read once."""

    def __init__(self, section: RawSection) -> None:
        self.modes: dict[bytes, str] = {}
        self.names: dict[tuple[bytes, bytes], bytes | None] = {}
        self.labels: dict[bytes, bytes | None] = {}
        self.similarity: int | None = None
        self.index: tuple[str, str] | None = None
        self.binary = False
        self.unread = ""
        for line in section.header[1:]:
            self._read(line)
        self.halves = gitpaths.halves(section.header[0].removeprefix(b"diff --git "))

    def _read(self, line: bytes) -> None:
        if line.startswith((b"--- ", b"+++ ")):
            self.labels[line[:3]] = gitpaths.read_label(line[4:])
        elif match := _MODE.fullmatch(line):
            self.modes[match[1]] = match[2].decode()
        elif match := _NAME.fullmatch(line):
            self.names[match[1], match[2]] = gitpaths.read_name(match[3])
        elif match := _SIMILARITY.fullmatch(line):
            self.similarity = 0 if match[1] else int(match[2])
        elif match := _INDEX.fullmatch(line):
            self.index = (match[1].decode(), match[2].decode())
            if match[3]:
                self.modes[b"index"] = match[3].decode()
        elif line.startswith((b"Binary files ", b"GIT binary patch")):
            self.binary = True
        else:
            self.unread = line[:60].decode("utf-8", "replace")


def _git(section: RawSection) -> Header | Broken:
    lines = _Lines(section)
    paths = _paths(lines)
    if isinstance(paths, str):
        return Broken(path=None, reason=paths)
    path, old_path = paths
    modes = lines.modes
    if b"deleted file mode" in modes:
        status = FileStatus.REMOVED
    elif b"new file mode" in modes:
        status = FileStatus.ADDED
    elif (b"rename", b"to") in lines.names:
        status = FileStatus.RENAMED
    elif (b"copy", b"to") in lines.names:
        status = FileStatus.COPIED
    else:
        status = _changed(lines, section)
    old_mode = modes.get(b"old mode") or modes.get(b"deleted file mode")
    new_mode = modes.get(b"new mode") or modes.get(b"new file mode")
    if b"index" in modes:
        old_mode = old_mode or modes[b"index"]
        new_mode = new_mode or modes[b"index"]
    header = Header(
        path=path,
        old_path=old_path,
        status=status,
        old_mode=old_mode,
        new_mode=new_mode,
        binary=lines.binary,
        old_sha=lines.index[0] if lines.index else None,
        new_sha=lines.index[1] if lines.index else None,
        submodule=GITLINK in {old_mode, new_mode},
    )
    reason = _missing(lines, section, status)
    return Broken(path=path, reason=reason) if reason else header


def _changed(lines: _Lines, section: RawSection) -> FileStatus:
    old, new = lines.modes.get(b"old mode"), lines.modes.get(b"new mode")
    if old and new and old[:3] != new[:3]:
        return FileStatus.TYPE_CHANGED
    content = section.hunks or lines.binary or lines.index
    return FileStatus.MODIFIED if content or old is None else FileStatus.MODE_CHANGED


def _paths(lines: _Lines) -> tuple[bytes, bytes | None] | str:
    """The path and the old path, from the most explicit lines there are; else what is wrong."""
    for verb in (b"rename", b"copy"):
        if (verb, b"from") in lines.names or (verb, b"to") in lines.names:
            old, new = lines.names.get((verb, b"from")), lines.names.get((verb, b"to"))
            if old is None or new is None:
                return f"its {verb.decode()} lines are broken"
            return new, old
    doubled = gitpaths.common_path(*lines.halves) if lines.halves else None
    if not lines.labels:
        return (doubled, None) if doubled else "its name cannot be read from its header"
    old, new = lines.labels.get(b"---"), lines.labels.get(b"+++")
    if old is None or new is None:
        return "the names in its header are broken"
    paths = _labelled(old, new)
    if paths is None:
        return "both names in its header are /dev/null"
    if gitpaths.NULL in {old, new}:
        # Only the doubled line tells whether there is a prefix.
        label = new if old == gitpaths.NULL else old
        if doubled is None or not lines.halves or label not in lines.halves:
            return "the names in its header contradict each other" if doubled else paths
        return doubled, None
    if doubled is not None and doubled != paths[0]:
        return "the names in its header contradict each other"
    return paths


def _labelled(old: bytes, new: bytes) -> tuple[bytes, bytes | None] | None:
    """Path and old path from the names behind `---` and `+++`; None when both are /dev/null."""
    if gitpaths.NULL in {old, new}:
        return None if old == new else (gitpaths.without_prefix(new if old == gitpaths.NULL else old), None)
    path = gitpaths.common_path(old, new)
    if path is not None:
        return path, None
    return gitpaths.without_prefix(new), gitpaths.without_prefix(old)


def _missing(lines: _Lines, section: RawSection, status: FileStatus) -> str:
    """What a cut took away, as far as the header can tell; empty when nothing is missed."""
    if lines.unread:
        return f"its header has a line that cannot be read: {lines.unread}"
    if section.hunks or lines.binary:
        return ""
    if lines.labels:
        return "its hunks are missing"
    if (b"old mode" in lines.modes) != (b"new mode" in lines.modes):
        return "its header is cut off"
    if lines.index:
        old, new = lines.index
        return "" if old == new or (_contentless(old) and _contentless(new)) else "its hunks are missing"
    if status in {FileStatus.RENAMED, FileStatus.COPIED}:
        return "" if lines.similarity in {None, 100} else "its hunks are missing"
    if lines.similarity is not None:
        return "its header is cut off"
    if status in {FileStatus.ADDED, FileStatus.REMOVED}:
        # Git always writes the blob ids; other tools leave them out for an empty file.
        return "its header is cut off" if section.last else ""
    return "" if lines.modes else "its header says nothing about a change"


def _contentless(sha: str) -> bool:
    return not sha.strip("0") or any(empty.startswith(sha) for empty in _EMPTY_BLOBS)


def _plain(section: RawSection) -> Header | Broken:
    old, old_stamp = gitpaths.read_plain_label(section.header[0][4:])
    new, new_stamp = gitpaths.read_plain_label(section.header[1][4:])
    if old is None or new is None:
        return Broken(path=new or old, reason="the names in its header are broken")
    paths = _labelled(old, new)
    if paths is None:
        return Broken(path=None, reason="both names in its header are /dev/null")
    hunk = section.hunks[0] if section.hunks else None
    status = FileStatus.MODIFIED
    # `diff -N` gives a missing file the time 0 in the local zone instead of the name /dev/null.
    if old == gitpaths.NULL or (_is_epoch(old_stamp) and hunk is not None and not hunk.old_count):
        status = FileStatus.ADDED
    elif new == gitpaths.NULL or (_is_epoch(new_stamp) and hunk is not None and not hunk.new_count):
        status = FileStatus.REMOVED
    header = Header(path=paths[0], old_path=paths[1], status=status)
    return header if status is FileStatus.MODIFIED else replace(header, old_path=None)


def _is_epoch(stamp: bytes) -> bool:
    return stamp.startswith((b"1970-01-01 ", b"1969-12-31 "))


def _submodule(line: bytes) -> Header | Broken:
    match = _SUBMODULE.fullmatch(line)
    if match is None:
        return Broken(path=None, reason="its line about a submodule cannot be read")
    status = FileStatus.MODIFIED
    if match[4] and b"(new submodule)" in match[4]:
        status = FileStatus.ADDED
    elif match[4] and b"(submodule deleted)" in match[4]:
        status = FileStatus.REMOVED
    shas = [part.decode() if part else None for part in (match[2], match[3])]
    return Header(path=match[1], old_path=None, status=status, submodule=True, old_sha=shas[0], new_sha=shas[1])


def _one_line(line: bytes) -> Header | Broken:
    binary = _BINARY.fullmatch(line)
    if binary is None:
        return Broken(path=None, reason=f"only named, without its content: {line[:200].decode('utf-8', 'replace')}")
    places = [match.start() for match in re.finditer(rb" and ", binary[1])]
    paths = {gitpaths.common_path(binary[1][:at], binary[1][at + 5 :]) for at in places} - {None}
    if len(paths) == 1 and (path := paths.pop()):
        return Header(path=path, old_path=None, status=FileStatus.MODIFIED, binary=True)
    return Broken(path=None, reason=f"its name cannot be read: {line[:200].decode('utf-8', 'replace')}")
