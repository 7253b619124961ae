"""Hunks counted by the stand-in itself, so that its line rules share no bug with the program it judges.

Works on the bytes of one section of git's own output and refuses to guess: a hunk is as long as its header says. Paths
are never read from here; they come from `git diff --raw -z`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.diff.model import Side

_HEADER = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a hunk. `position` counts the lines below the file's first `@@`, later `@@` lines included."""

    mark: str
    """Space, plus or minus."""
    left: int | None
    right: int | None
    position: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One hunk: its header line and its rows."""

    header: str
    left_start: int
    left_count: int
    right_start: int
    right_count: int
    rows: tuple[Row, ...]

    def find(self, side: Side, line: int) -> Row | None:
        """The row that has this line on this side: removed lines on LEFT, added and context lines on RIGHT."""
        for row in self.rows:
            if side is Side.LEFT and row.mark == "-" and row.left == line:
                return row
            if side is Side.RIGHT and row.mark != "-" and row.right == line:
                return row
        return None

    def excerpt(self, row: Row) -> str:
        """GitHub's `diff_hunk`: the header and the rows down to `row`."""
        return "\n".join([self.header, *(each.mark + each.text for each in self.down_to(row))])

    def down_to(self, row: Row) -> tuple[Row, ...]:
        """The rows from the first to `row`."""
        return self.rows[: self.rows.index(row) + 1]


class HunkCountError(Exception):
    """git's output is not what its own header promised."""


def count_hunks(section: bytes) -> tuple[Block, ...]:
    """The hunks of one file's section (anything above the first `@@` is passed over)."""
    lines = section.split(b"\n")
    blocks: list[Block] = []
    at = 0
    position = 0
    while at < len(lines):
        found = _HEADER.match(lines[at])
        if found is None:
            at += 1
            continue
        if blocks:
            position += 1
        header = lines[at]
        left, right = int(found[1]), int(found[3])
        left_todo = 1 if found[2] is None else int(found[2])
        right_todo = 1 if found[4] is None else int(found[4])
        start = (left, left_todo, right, right_todo)
        rows: list[Row] = []
        at += 1
        while left_todo > 0 or right_todo > 0:
            if at >= len(lines):
                raise HunkCountError("a hunk is shorter than its header says")
            line, at = lines[at], at + 1
            mark = line[:1]
            if mark == b"\\":
                position += 1
                continue
            if mark not in (b" ", b"+", b"-"):
                raise HunkCountError(f"a hunk has the line {line[:40]!r}")
            position += 1
            rows.append(
                Row(
                    mark=mark.decode(),
                    left=None if mark == b"+" else left,
                    right=None if mark == b"-" else right,
                    position=position,
                    text=line[1:].decode("utf-8", "replace"),
                )
            )
            if mark != b"+":
                left, left_todo = left + 1, left_todo - 1
            if mark != b"-":
                right, right_todo = right + 1, right_todo - 1
        if at < len(lines) and lines[at][:1] == b"\\":
            position += 1
            at += 1
        blocks.append(
            Block(
                header=header.decode("utf-8", "replace"),
                left_start=start[0],
                left_count=start[1],
                right_start=start[2],
                right_count=start[3],
                rows=tuple(rows),
            )
        )
    return tuple(blocks)


def split_sections(patch: bytes) -> list[bytes]:
    """`git diff` output cut at the `diff --git` line of each file; hunk contents cannot fake one."""
    lines = patch.split(b"\n")
    cuts: list[int] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith(b"diff --git "):
            cuts.append(at - 1)
            continue
        found = _HEADER.match(line)
        if found is None:
            continue
        left_todo = 1 if found[2] is None else int(found[2])
        right_todo = 1 if found[4] is None else int(found[4])
        while (left_todo > 0 or right_todo > 0) and at < len(lines):
            mark = lines[at][:1]
            left_todo -= mark in (b" ", b"-")
            right_todo -= mark in (b" ", b"+")
            at += 1
    ends = [*cuts[1:], len(lines)] if cuts else []
    return [b"\n".join(lines[begin:end]) for begin, end in zip(cuts, ends, strict=True)]


def shift_line(blocks: Sequence[Block], line: int) -> int | None:
    """Where line `line` of the old text is in the new one; None when it was changed or removed."""
    moved = 0
    for block in blocks:
        for row in block.rows:
            if row.left == line:
                return row.right if row.mark == " " else None
        last = block.left_start + block.left_count - 1 if block.left_count else block.left_start
        if last < line:
            moved += block.right_count - block.left_count
    return line + moved
