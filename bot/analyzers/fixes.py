"""A tool's edits (columns and all) turned into what a review can carry: whole lines on an anchor, and proven.

Refuses an edit that reaches beyond one hunk, changes more lines than a person reads at a glance, or is not proven to
leave a file that still parses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.diff.anchors import Unresolved, anchor_lines
from bot.diff.edit import Proven, prove
from bot.diff.model import Anchor, FilePatch, LineKind, Side

MAX_LINES = 30
"""A suggestion over more lines is left out; the finding stays."""

WHOLE_RANGE_LINES = 10
"""A finding on more lines than these is shown at its first changed line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace from a place up to (not including) another one. Lines and columns count from 1, columns in characters."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a result goes, and its suggestion when there is one that was proven."""

    anchor: Anchor
    suggestion: str | None
    parsed: bool = False
    """A grammar looked at the file with the suggestion."""


def changed_lines(file: FilePatch) -> frozenset[int]:
    """The numbers, after the change, of the lines that the patch adds."""
    return frozenset(
        line.new for hunk in file.hunks for line in hunk.lines if line.kind is LineKind.ADDED and line.new is not None
    )


def put(
    file: FilePatch,
    changed: frozenset[int],
    start: int,
    end: int,
    *,
    head: str | None = None,
    edits: Sequence[Edit] = (),
) -> Placed | None:
    """Place a result on lines `start` to `end` of the new file; None when none of them was changed.

    With the head file and edits, the anchor becomes the lines that the edits change, and the suggestion their new text.
    """
    # A range may be absurdly long, or the change may be: the shorter one is walked.
    short = end - start < len(changed)
    touched = (
        [n for n in range(start, end + 1) if n in changed] if short else sorted(n for n in changed if start <= n <= end)
    )
    if not touched:
        return None
    if edits and head is not None:
        fixed = _fix(file, changed, touched[0], head, edits)
        if fixed is not None:
            return fixed
    if end - start < WHOLE_RANGE_LINES:
        whole = anchor_lines(file, Side.RIGHT, start, end)
        if not isinstance(whole, Unresolved):
            return Placed(anchor=whole, suggestion=None)
    first = anchor_lines(file, Side.RIGHT, touched[0], touched[0])
    return None if isinstance(first, Unresolved) else Placed(anchor=first, suggestion=None)


def _fix(file: FilePatch, changed: frozenset[int], line: int, head: str, edits: Sequence[Edit]) -> Placed | None:
    after = apply_edits(head, edits)
    replaced = replaced_lines(head, after, including=line) if after is not None else None
    if replaced is None:
        return None
    start, end, text = replaced
    if end - start >= MAX_LINES or not any(number in changed for number in range(start, end + 1)):
        return None
    anchor = anchor_lines(file, Side.RIGHT, start, end)
    if isinstance(anchor, Unresolved):
        return None
    proof = prove(head, anchor, text)
    # What a model writes is mended where that helps; a tool's edit means what it says.
    if not isinstance(proof, Proven) or proof.text != after:
        return None
    return Placed(anchor=anchor, suggestion=proof.suggestion, parsed=proof.parsed)


def replaced_lines(head: str, after: str, *, including: int) -> tuple[int, int, str] | None:
    """The lines (from 1, inclusive) in which two texts differ, widened to hold `including`, and their new text.

    The new text has no final newline; empty, it deletes the lines, and a newline alone is one empty line. None when the
    texts are equal, or differ only behind the last line.
    """
    old, new = head.split("\n"), after.split("\n")
    limit = min(len(old), len(new))
    top = 0
    while top < limit and old[top] == new[top]:
        top += 1
    bottom = 0
    while bottom < limit - top and old[-1 - bottom] == new[-1 - bottom]:
        bottom += 1
    # An insertion replaces no line; the line it is put before has to be carried along.
    start, end = min(top + 1, including), max(len(old) - bottom, including)
    if head == after or end > len(old) - head.endswith("\n"):
        return None
    made = [line.removesuffix("\r") for line in new[start - 1 : len(new) - (len(old) - end)]]
    return start, end, "\n" if made == [""] else "\n".join(made)


def apply_edits(head: str, edits: Sequence[Edit]) -> str | None:
    """`head` with all edits made; None when they overlap or lie outside of it."""
    starts = [0]
    for line in head.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    spans = []
    for edit in edits:
        begin = _offset(starts, edit.start_line, edit.start_column)
        finish = _offset(starts, edit.end_line, edit.end_column)
        if begin is None or finish is None or finish < begin:
            return None
        spans.append((begin, finish, edit.text))
    spans.sort(key=lambda span: span[:2])
    parts, done = [], 0
    for begin, finish, text in spans:
        if begin < done:
            return None
        parts += [head[done:begin], text]
        done = finish
    return "".join(parts) + head[done:]


def _offset(starts: Sequence[int], line: int, column: int) -> int | None:
    """`starts` has one entry more than there are lines: the place behind the final newline."""
    if line < 1 or column < 1 or line >= len(starts):
        return None
    offset = starts[line - 1] + column - 1
    # A column may name the place behind the line's last character, not one on the next line.
    return offset if offset < starts[line] else None
