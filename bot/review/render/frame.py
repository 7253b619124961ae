"""Code as it is shown beside a finding: a frame of the hunk around its lines, and its suggestion as a small diff.

Gives values, not text: each output draws them its own way. Secrets are masked and invisible characters spelled out here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from bot.diff.mend import replacement_lines
from bot.diff.model import Anchor, Hunk, LineKind, Patch, Side
from bot.review.render.safe import visible

CONTEXT = 2
LONGEST = 14
"""Marked lines shown of one finding; of a longer one the first and the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLine:
    """One line of a frame. `kind` is None for the place where lines were left out; `text` says how many."""

    kind: LineKind | None
    old: int | None
    new: int | None
    text: str
    marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """One line of a suggestion: `-` is replaced, `+` is new, a space stays."""

    sign: str
    text: str


def frame(
    patch: Patch, anchor: Anchor, *, redact: Callable[[str], str], context: int = CONTEXT
) -> tuple[FrameLine, ...]:
    """The anchored lines with `context` lines of their hunk on both sides. Never empty.

    Falls back to the anchor's own text when the patch does not have the hunk.
    """
    try:
        hunk = patch.hunk(anchor.hunk)
    except (KeyError, IndexError):
        hunk = None
    source = () if hunk is None else hunk.lines
    marked = set() if hunk is None else _marked(hunk, anchor)
    if not marked:
        return tuple(
            FrameLine(
                kind=LineKind.CONTEXT, old=None, new=anchor.start_line + at, text=redact(visible(text)), marked=True
            )
            for at, text in enumerate(anchor.text)
        )
    first, last = min(marked), max(marked)
    window = range(max(0, first - context), min(len(source), last + context + 1))
    out = [
        FrameLine(
            kind=source[at].kind,
            old=source[at].old,
            new=source[at].new,
            text=redact(visible(source[at].text)),
            marked=at in marked,
        )
        for at in window
    ]
    return _folded(out)


def _marked(hunk: Hunk, anchor: Anchor) -> set[int]:
    """Places of the anchored lines among the hunk's."""
    # Numbers of a side run on by one, so the line cannot be earlier: a hunk has up to 20,000 lines, and a finding on many of them.
    before = anchor.start_line - (hunk.old_start if anchor.side is Side.LEFT else hunk.new_start)
    out: set[int] = set()
    for at in range(max(0, before), len(hunk.lines)):
        line = hunk.lines[at]
        if line.side is not anchor.side:
            continue
        if line.number > anchor.line:
            break
        if line.number >= anchor.start_line:
            out.add(at)
    return out


def _folded(out: list[FrameLine]) -> tuple[FrameLine, ...]:
    if len(out) <= LONGEST + 2 * CONTEXT:
        return tuple(out)
    head, tail = LONGEST - 4, 4 + CONTEXT
    left_out = len(out) - head - tail
    gap = FrameLine(kind=None, old=None, new=None, text=f"{left_out} lines", marked=True)
    return (*out[:head], gap, *out[-tail:])


def suggestion_diff(anchor: Anchor, suggestion: str, *, redact: Callable[[str], str]) -> tuple[DiffLine, ...]:
    """The anchored lines against their replacement; an empty replacement deletes them."""
    old = [redact(visible(text)) for text in anchor.text]
    new = [redact(visible(text)) for text in replacement_lines(suggestion)]
    out: list[DiffLine] = []
    for tag, old_from, old_to, new_from, new_to in difflib.SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            out += [DiffLine(sign=" ", text=text) for text in old[old_from:old_to]]
            continue
        out += [DiffLine(sign="-", text=text) for text in old[old_from:old_to]]
        out += [DiffLine(sign="+", text=text) for text in new[new_from:new_to]]
    return tuple(out)
