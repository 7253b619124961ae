"""A file's new lines as edits in the form that is asked for: JSON Lines that name tags. Overlap cannot come out of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import SequenceMatcher

from bot.sandbox.endpoint.shown import Shown

END = '{"end": true}\n'


def none(why: str) -> str:
    """The answer that there is nothing to do."""
    return json.dumps({"none": True, "why": why}, ensure_ascii=False) + "\n" + END


def edits(lines: Sequence[Shown], new: Sequence[str], why: str) -> str:
    """The answer that makes `new` of `lines`, which differ: one edit for each run of changed lines."""
    out = [json.dumps({"why": why}, ensure_ascii=False) + "\n"]
    old = [line.code for line in lines]
    out += [_edit(lines, start, end, new[first:last]) for start, end, first, last in _ranges(old, new)]
    return "".join(out) + END


def whole(lines: Sequence[Shown], new: Sequence[str], why: str) -> str:
    """The answer that says every line again, as one edit: a long one."""
    return json.dumps({"why": why}, ensure_ascii=False) + "\n" + _edit(lines, 0, len(lines), new) + END


def _edit(lines: Sequence[Shown], start: int, end: int, new: Sequence[str]) -> str:
    # A text of one empty line is a newline, for the empty text deletes.
    text = "\n".join(new) + ("\n" if new and not new[-1] else "")
    value = {"from": lines[start].tag, "to": lines[end - 1].tag, "text": text}
    return json.dumps(value, ensure_ascii=False) + "\n"


def _ranges(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Runs of changed lines, each of at least one old line: what is put between two lines repeats the one above."""
    out: list[tuple[int, int, int, int]] = []
    for kind, start, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        grown = (start, end, first, last)
        if start == end:
            grown = (start - 1, end, first - 1, last) if start else (start, end + 1, first, last + 1)
        if out and grown[0] < out[-1][1]:
            out[-1] = (out[-1][0], grown[1], out[-1][2], grown[3])
        else:
            out.append(grown)
    return out
