"""Cuts the hunks of one file out of the lines of a diff, by the counts in their headers and by nothing else.

A line of content is never looked at beyond its first character. It refuses to number lines (unidiff does).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RawHunk:
    """One hunk as bytes. `body` has the lines with their first character; `bare` the indices of those without newline."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: bytes
    body: tuple[bytes, ...]
    bare: frozenset[int]


# Ten digits are more lines than any file has, and int() of thousands of digits is an error of its own.
_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(.*)", re.DOTALL)


def cut_hunks(lines: list[bytes], at: int) -> tuple[list[RawHunk], int, str]:
    """The hunks from line `at` on, the index of the first line behind them, and what is wrong with the first one that is
    not whole (empty when nothing is). Linear in the number of lines.
    """
    found: list[RawHunk] = []
    while at < len(lines):
        match = _HUNK.fullmatch(lines[at])
        if match is None:
            break
        old_start, old_count, new_start, new_count = (1 if part is None else int(part) for part in match.groups()[:4])
        where = match[0].split(b" @@")[0].decode("ascii") + " @@"
        body, bare, at, trouble = _body(lines, at + 1, old_count, new_count)
        if trouble:
            return found, at, f"the hunk {where} {trouble}"
        hunk = RawHunk(
            old_start=old_start,
            old_count=old_count,
            new_start=new_start,
            new_count=new_count,
            section=match[5].removeprefix(b" "),
            body=tuple(body),
            bare=frozenset(bare),
        )
        trouble = _misplaced(hunk, found[-1] if found else None)
        if trouble:
            return found, at, f"the hunk {where} {trouble}"
        found.append(hunk)
    return found, at, ""


def _body(lines: list[bytes], at: int, old: int, new: int) -> tuple[list[bytes], list[int], int, str]:
    total = f"{old} old and {new} new lines"
    body: list[bytes] = []
    bare: list[int] = []
    end = len(lines)
    while at < end:
        line = lines[at]
        first = line[:1]
        if first == b"\\" and body:
            bare.append(len(body) - 1)
            at += 1
            continue
        if old <= 0 and new <= 0:
            break
        if first == b"+":
            new -= 1
        elif first == b"-":
            old -= 1
        elif first == b" ":
            old -= 1
            new -= 1
        elif line in {b"", b"\r"}:
            # Editors strip the space of an empty context line.
            line = b" " + line
            old -= 1
            new -= 1
        else:
            break
        body.append(line)
        at += 1
        if old < 0 or new < 0:
            break
    if not body:
        return [], [], at, "has no lines"
    if old or new:
        return [], [], at, f"is shorter than its {total}" if old >= 0 and new >= 0 else f"does not fit its {total}"
    return body, bare, at, ""


def _misplaced(hunk: RawHunk, before: RawHunk | None) -> str:
    """Whether the hunk's numbers are impossible: line 0, or lines that an earlier hunk of the file has already."""
    if (hunk.old_count and not hunk.old_start) or (hunk.new_count and not hunk.new_start):
        return "starts at line 0"
    if before is None:
        return ""
    old_end = before.old_start + before.old_count + (before.old_count == 0)
    new_end = before.new_start + before.new_count + (before.new_count == 0)
    if hunk.old_start + (hunk.old_count == 0) < old_end or hunk.new_start + (hunk.new_count == 0) < new_end:
        return "overlaps the one before it"
    return ""
