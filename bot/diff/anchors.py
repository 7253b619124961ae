"""Tags: how a line of a diff is shown to a model, and how the model's answer finds its line again.

`R42#k3f` is line 42 on the RIGHT side (added or context), `L17#9ad` line 17 on the LEFT (removed); behind `#` stand three
characters of a hash of the line. A wrong hash is forgiven only where exactly one line of the hunk has it. Nothing here
resolves to a line outside the diff, and no anchor reaches over the edge of a hunk: GitHub refuses both.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2s

from bot.diff.model import Anchor, FilePatch, Hunk, HunkKey, Line, LineKind, Patch, Side, printable

LONG_LINE = 2000
"""Characters from which on a line is shown shortened (`show`); no suggestion is proven on such a line (`edit.prove`)."""

_SHOWN_HEAD, _SHOWN_TAIL = 1500, 200
# Crockford's base 32: no letter is mistaken for a digit, so that a sloppy copy still reads.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SLOPPY = str.maketrans("oil", "011")
_TAG = re.compile(r"\s*[+\- ]?\s*([RrLl])\s*(\d{1,9})\s*#\s*([0-9A-Za-z]{3})(?![0-9A-Za-z])\s*(?:\|.*)?", re.DOTALL)
_UNSEEN = {code: chr(0x2400 + code) for code in range(0x20) if code != 0x09}
_UNSEEN |= {0x7F: "\u2421", 0x85: "\u2424", 0x2028: "\u2424", 0x2029: "\u2424"}
# Characters that turn the direction of text, so that code reads otherwise than it runs, are named.
_UNSEEN |= {code: f"<U+{code:04X}>" for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """What a tag says. Whether there is such a line is another question."""

    side: Side
    number: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A claimed place that is no legal place for a comment, and why, in words for people."""

    claimed: str
    reason: str


def tag(line: Line) -> str:
    """The tag of `line`, such as `R42#k3f`."""
    if line.kind is LineKind.REMOVED:
        return f"L{line.old}#{line_hash(line.text)}"
    return f"R{line.new}#{line_hash(line.text)}"


def line_hash(text: str) -> str:
    """Three characters of a hash of `text`; white space at its end, and so a carriage return, does not count."""
    high, low = blake2s(text.rstrip().encode("utf-8", "surrogatepass"), digest_size=2).digest()
    return _PAIRS[(high & 127) << 3 | low >> 5] + _ALPHABET[low & 31]


def show(hunk: Hunk) -> tuple[str, ...]:
    """The lines of `hunk` for a prompt, such as `+R42#k3f|    return x`, one string a line and none with a newline in it.

    What was not UTF-8 and control characters show as a visible stand-in. A line over `LONG_LINE` characters is shortened
    in the middle, and says so.
    """
    return tuple(f"{line.kind}{tag(line)}|{_shown(line.text)}" for line in hunk.lines)


def _shown(text: str) -> str:
    if len(text) <= LONG_LINE and text.isascii() and text.isprintable():
        # Most lines: they hide nothing.
        return text
    text = text.removesuffix("\r")
    if len(text) > LONG_LINE:
        left_out = len(text) - _SHOWN_HEAD - _SHOWN_TAIL
        text = f"{text[:_SHOWN_HEAD]} …[{left_out} characters not shown]… {text[-_SHOWN_TAIL:]}"
    return printable(text).translate(_UNSEEN)


def parse_tag(text: str) -> Tag | None:
    """The tag in `text`: with or without the diff character, the code, spaces, and in either case. None for anything else."""
    match = _TAG.fullmatch(text)
    if match is None:
        return None
    side = Side.RIGHT if match[1] in "Rr" else Side.LEFT
    return Tag(side=side, number=int(match[2]), hash=match[3].lower().translate(_SLOPPY))


def resolve(file: FilePatch, start: str, end: str, *, hunks: Collection[HunkKey] | None = None) -> Anchor | Unresolved:
    """The anchor from the line tagged `start` to the one tagged `end`, which may come in either order.

    `hunks` limits the search to these hunks of the file: those that were shown.
    """
    claimed = start if start == end else f"{start} to {end}"
    claimed = printable(claimed.strip())[:80]
    first, last = parse_tag(start), parse_tag(end)
    if first is None or last is None:
        return Unresolved(claimed=claimed, reason="it is not a tag of the form R42#k3f")
    if first.side is not last.side:
        return Unresolved(claimed=claimed, reason="it begins on one side of the diff and ends on the other")
    found = []
    for one in {first, last}:
        place = _find(file, one, hunks)
        if isinstance(place, str):
            return Unresolved(claimed=claimed, reason=place)
        found.append(place)
    if len({hunk.key for hunk, _ in found}) > 1:
        return Unresolved(claimed=claimed, reason="it begins in one hunk and ends in another")
    numbers = [line.number for _, line in found]
    return _anchor(file, found[0][0], first.side, min(numbers), max(numbers), claimed)


def anchor_lines(file: FilePatch, side: Side, start: int, end: int) -> Anchor | Unresolved:
    """The anchor of the lines `start` to `end` (from 1, inclusive) of `side`; for tools that name lines by number."""
    start, end = min(start, end), max(start, end)
    claimed = f"{side[0]}{start}" if start == end else f"{side[0]}{start} to {side[0]}{end}"
    for hunk in file.hunks:
        if _covers(hunk, side, start):
            if not _covers(hunk, side, end):
                return Unresolved(claimed=claimed, reason="its lines do not lie in one hunk")
            return _anchor(file, hunk, side, start, end, claimed)
    return Unresolved(claimed=claimed, reason=f"{_named(side, start)} is not part of the diff")


def nearest_after(patch: Patch, anchor: Anchor) -> Line | None:
    """The line of the hunk, as the file is after the change, that comes next behind the anchored ones, else before them.

    For removed lines, where only lines of the head can be named. None when the hunk has none, or is not in the patch.
    """
    try:
        lines = patch.hunk(anchor.hunk).lines
    except (KeyError, IndexError):
        return None
    last = max((at for at, line in enumerate(lines) if line.old == anchor.line), default=0)
    return next((line for line in (*lines[last:], *reversed(lines[:last])) if line.new is not None), None)


def _covers(hunk: Hunk, side: Side, number: int) -> bool:
    begin, count = (hunk.old_start, hunk.old_count) if side is Side.LEFT else (hunk.new_start, hunk.new_count)
    return begin <= number < begin + count


def _find(file: FilePatch, wanted: Tag, hunks: Collection[HunkKey] | None) -> tuple[Hunk, Line] | str:
    """The line that a tag means and its hunk; else why there is none."""
    hunk = next((hunk for hunk in file.hunks if _covers(hunk, wanted.side, wanted.number)), None)
    if hunk is None:
        return f"{_named(wanted.side, wanted.number)} is not part of the diff"
    if hunks is not None and hunk.key not in hunks:
        return f"{_named(wanted.side, wanted.number)} was not part of what was shown"
    exact = next((line for line in hunk.on(wanted.side) if line.number == wanted.number), None)
    if exact is not None and line_hash(exact.text) == wanted.hash:
        return hunk, exact
    same_hash = [line for line in hunk.on(wanted.side) if line_hash(line.text) == wanted.hash]
    if len(same_hash) == 1:
        return hunk, same_hash[0]
    many = f"{len(same_hash)} lines of its hunk have" if same_hash else "no line of its hunk has"
    what = "has another text" if exact is not None else "was not removed"
    return f"{_named(wanted.side, wanted.number)} {what}, and {many} the text that #{wanted.hash} stands for"


def _named(side: Side, number: int) -> str:
    return f"line {number}" if side is Side.RIGHT else f"old line {number}"


def _number(line: Line) -> int:
    return line.number


def _anchor(file: FilePatch, hunk: Hunk, side: Side, start: int, end: int, claimed: str) -> Anchor | Unresolved:
    # Numbers grow along a side. A model or a tool may point at each line of a hunk of thousands.
    there = file.lines(hunk, side)
    at = bisect_left(there, start, key=_number)
    lines = there[at : at + end - start + 1]
    if len(lines) != end - start + 1 or (lines[0].number, lines[-1].number) != (start, end):
        # On LEFT only removed lines can be commented; those between them belong to RIGHT.
        return Unresolved(claimed=claimed, reason="not all of its lines were removed")
    return Anchor(
        path=file.path,
        side=side,
        start_line=start,
        line=end,
        hunk=hunk.key,
        text=tuple(line.text for line in lines),
    )
