"""Cuts the bytes of a diff into one section a file, and each section into header lines and hunks.

Hunks are cut by the counts in their headers, so no content can pass for a header. What does not fit its counts makes the
section bad, with a reason, and the cutting goes on at the next file. It refuses to interpret header lines (`headers.py`)
and to number the lines of a hunk (unidiff does).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.diff import preamble
from bot.diff.hunks import RawHunk, cut_hunks


class Kind(StrEnum):
    """What a section is."""

    GIT = "git"
    PLAIN = "plain"
    """`---` and `+++` without `diff --git`, as `diff -u` writes it."""
    COMBINED = "combined"
    SUBMODULE = "submodule"
    """`git diff --submodule=log`: one line, and the commits indented below it."""
    ONE_LINE = "one line"
    """What `diff -r` says of files that it does not compare line by line."""
    STRAY = "stray"
    """Text that belongs to no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSection:
    """One file's part of a diff. `trouble` says why it cannot be trusted; empty when it can."""

    kind: Kind
    header: tuple[bytes, ...]
    hunks: tuple[RawHunk, ...] = ()
    trouble: str = ""
    last: bool = False
    """Nothing follows, so that a cut may have taken a part of it."""


_EXTENDED = re.compile(
    rb"(?:old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to|similarity index"
    rb"|dissimilarity index|index|---|\+\+\+) "
)
_SUBMODULE = re.compile(rb"Submodule .+ (?:[0-9a-f]{7,64}\.\.\.?[0-9a-f]{7,64}.*|contains .* content)")
_ONE_LINE = re.compile(rb"(?:Only in .*: .+|Binary files .* and .* differ|Files .* and .* differ)")
_BETWEEN = re.compile(rb"\s*|Index: .*|={60,}|diff -.*|diff \S.*|Common subdirectories: .*|(?:Author|Date|Merge|Commit"
                      rb"|CommitDate|AuthorDate|tree|parent|author|committer|Notes)\b.*|    .*|-- ")  # fmt: skip
_VERSION = re.compile(rb"\d+\.\d+|$")
_BASE85 = re.compile(rb"(?:literal|delta) \d+|[A-Za-z][!-~]+|")
_NO_NEWLINE = b"\\ No newline at end of file"


def split_diff(data: bytes) -> list[RawSection]:
    """Every section of `data`, in order. DiffUnreadableError when there is text and no diff in it, or several commits."""
    if not data.strip(b"\0\t\n\v\f\r "):
        return []
    lines = preamble.read_bytes(data)
    start, mail = preamble.diff_start(lines)
    cutter = _Cutter(lines, start, mail=mail)
    sections = cutter.run()
    if all(section.kind is Kind.STRAY for section in sections):
        raise preamble.refuse(lines)
    return sections


def split_fragment(data: bytes) -> RawSection:
    """The hunks of one file without any header, as GitHub's files API gives them: no newline behind the last line."""
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    heads = [line for line in lines if line.startswith(b"@@ ")]
    if heads and all(line.endswith(b"\r") for line in heads):
        lines = [line.removesuffix(b"\r") for line in lines]
    cutter = _Cutter([*lines, b""], 0, mail=False)
    hunks, trouble = cutter.hunks()
    if not trouble and any(line.strip() for line in lines[cutter.at :]):
        trouble = "it does not begin with a hunk"
        if hunks:
            trouble = cutter.beyond() or "it has text behind its hunks"
    return RawSection(kind=Kind.PLAIN, header=(), hunks=tuple(hunks), trouble=trouble)


class _Cutter:
    """A cursor over the lines of one diff. The last item of `lines` is what stands behind the last newline."""

    def __init__(self, lines: list[bytes], start: int, *, mail: bool) -> None:
        self.cut = lines[-1] not in {b"", _NO_NEWLINE}
        """The last line has no newline: it may be only the beginning of what stood there."""
        self.lines = lines if lines[-1] else lines[:-1]
        self.at = start
        self.mail = mail
        self.git: bool | None = None
        """Whether the first file came with `diff --git`; None before it."""
        self.found: list[RawSection] = []

    def run(self) -> list[RawSection]:
        if self.at:
            self._message()
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if self.mail and line == b"-- ":
                self._signature()
            elif preamble.is_commit(line) and any(section.kind is not Kind.STRAY for section in self.found):
                raise preamble.refuse_series()
            elif not (preamble.is_commit(line) or _BETWEEN.fullmatch(line)) or self._starts() or self._partial():
                self._section()
            else:
                self.at += 1
        return self.found

    def _section(self) -> None:
        line = self.lines[self.at]
        begin = self.at
        if self.git is None and (preamble.looks_like_start(line) or self._plain_start()):
            self.git = preamble.looks_like_start(line)
        if line.startswith(b"diff --git "):
            header, hunks, trouble = self._git()
            kind = Kind.GIT
        elif line.startswith((b"diff --cc ", b"diff --combined ")):
            self._resync()
            header, hunks, kind = self.lines[begin : begin + 1], [], Kind.COMBINED
            trouble = "it is a combined diff of a merge, which has no two sides; compare with one parent instead"
        elif self._plain_start():
            self.at += 2
            hunks, trouble = self.hunks()
            header, kind = self.lines[begin : begin + 2], Kind.PLAIN
            trouble = trouble or self.beyond()
        elif _matches(_SUBMODULE, line):
            self.at += 1
            while self.at < len(self.lines) and self.lines[self.at].startswith((b"  > ", b"  < ")):
                self.at += 1
            header, hunks, kind, trouble = [line], [], Kind.SUBMODULE, ""
        elif _matches(_ONE_LINE, line):
            self.at += 1
            header, hunks, kind, trouble = [line], [], Kind.ONE_LINE, ""
        else:
            self._resync()
            count = self.at - begin
            header, hunks, kind = [], [], Kind.STRAY
            trouble = (
                f"{count} line{'s' * (count > 1)} of text that belong to no file, from line {begin + 1} of the diff on"
            )
        if trouble and kind in {Kind.GIT, Kind.PLAIN}:
            self._resync(begin)
        last = self.at >= len(self.lines)
        if last and self.cut and not trouble:
            trouble = "the diff ends in the middle of a line"
        self.found.append(RawSection(kind=kind, header=tuple(header), hunks=tuple(hunks), trouble=trouble, last=last))

    def _starts(self) -> bool:
        """Whether a file begins at the cursor."""
        line = self.lines[self.at]
        return (
            preamble.looks_like_start(line)
            or self._plain_start()
            or _matches(_SUBMODULE, line)
            or _matches(_ONE_LINE, line)
        )

    def _partial(self) -> bool:
        """Whether the cursor is at a last line that is only the beginning of one."""
        return self.cut and self.at == len(self.lines) - 1 and bool(self.lines[self.at].strip())

    def _plain_start(self) -> bool:
        # Among git's sections these three lines can only be what is left of a hunk with wrong counts.
        if self.git or not self.lines[self.at].startswith(b"--- "):
            return False
        after = self.lines[self.at + 1 : self.at + 3]
        return len(after) == 2 and after[0].startswith(b"+++ ") and after[1].startswith(b"@@ -")

    def _resync(self, begin: int | None = None) -> None:
        """Skip to the next line at which a file, a commit or the signature of the mail begins."""
        if begin is None or self.at == begin:
            self.at += 1
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if self._starts() or preamble.is_commit(line) or (self.mail and line == b"-- "):
                return
            self.at += 1

    def _message(self) -> None:
        if any(preamble.looks_like_start(line) for line in self.lines[: self.at]):
            trouble = "the message of the mail contains what looks like a diff; it is not part of the change"
            self.found.append(RawSection(kind=Kind.STRAY, header=(), trouble=trouble))

    def _signature(self) -> None:
        rest = self.lines[self.at :]
        self.at = len(self.lines)
        self.cut = False
        if any(preamble.looks_like_start(line) for line in rest):
            trouble = "what looks like a diff behind the signature of the mail was not read"
            self.found.append(RawSection(kind=Kind.STRAY, header=(), trouble=trouble, last=True))

    def _git(self) -> tuple[list[bytes], list[RawHunk], str]:
        begin = self.at
        self.at += 1
        while self.at < len(self.lines) and _EXTENDED.match(self.lines[self.at]):
            self.at += 1
        header = self.lines[begin : self.at]
        if self.at == len(self.lines):
            return header, [], ""
        line = self.lines[self.at]
        if line.startswith(b"Binary files "):
            self.at += 1
            trouble = "" if line.endswith(b" differ") else "its line about binary files is cut off"
            return [*header, line], [], trouble or self.beyond()
        if line == b"GIT binary patch":
            return [*header, line], [], self._binary_patch() or self.beyond()
        next_file = preamble.looks_like_start(line) or (b"diff --git ".startswith(line) and len(header) > 1)
        if self._partial() and not next_file:
            return header, [], "the diff ends in the middle of its header"
        hunks, trouble = self.hunks()
        return header, hunks, trouble or self.beyond()

    def _binary_patch(self) -> str:
        begin = self.at
        self.at += 1
        while self.at < len(self.lines) and _BASE85.fullmatch(self.lines[self.at]):
            self.at += 1
        whole = self.at - begin > 2 and self.lines[self.at - 1] == b""
        return "" if whole else "its binary patch is cut off"

    def hunks(self) -> tuple[list[RawHunk], str]:
        """The hunks from the cursor on, and what is wrong with the first one that is not whole."""
        found, self.at, trouble = cut_hunks(self.lines, self.at)
        if trouble:
            self._give_back()
        return found, trouble

    def _give_back(self) -> None:
        """A hunk that is too short takes the `---` and `+++` of the next file for its own lines, where nothing else
        stands between them: go back to them.
        """
        if self.at >= 2:
            self.at -= 2
            if not self._plain_start():
                self.at += 2

    def beyond(self) -> str:
        """What is wrong with the lines behind a section that seemed complete; empty when nothing is."""
        at = self.at
        while at < len(self.lines) and not self.lines[at].strip(b"\r"):
            at += 1
        if at == len(self.lines) or (self.mail and self.lines[at] == b"-- "):
            return ""
        line = self.lines[at]
        saved, self.at = self.at, at
        starts = self._starts()
        self.at = saved
        if starts or (line == b"-- " and _VERSION.match(b"".join(self.lines[at + 1 : at + 2]))):
            return ""
        if line.startswith(b"@@"):
            return "it has a hunk header that cannot be read"
        if line[:1] in {b" ", b"+", b"-", b"\\"}:
            return "it has lines beyond the count of its last hunk"
        return ""


def _matches(pattern: re.Pattern[bytes], line: bytes) -> bool:
    # No such line is longer than two paths; on a longer one these patterns would take quadratic time.
    return len(line) < 10_000 and pattern.fullmatch(line) is not None
