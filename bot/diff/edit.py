"""Edits of a file in memory, and the proof that a suggestion may be posted.

A suggestion is proven when it was applied to the file as it is at the head, changed the anchored lines and no others,
and the file parses no worse than before. GitHub's own rules come first: RIGHT side only, it must change something, and
it can neither add nor remove the newline at the end of a file. Nothing here judges whether the change is a good one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.diff.anchors import LONG_LINE
from bot.diff.mend import has_tags, join_lines, reindented, replacement_lines, trimmed, unwrapped
from bot.diff.model import Anchor, Side, is_utf8
from bot.diff.syntax import error_count

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A suggestion that holds."""

    suggestion: str
    """The mended replacement for exactly the anchored lines, with `\\n` between lines and none at the end; one empty
    line is a newline alone, and the empty string deletes the lines.
    """
    text: str
    """The whole file with the suggestion applied."""
    parsed: bool
    """Whether a grammar looked at the edited file. False says that it was only checked to apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """A suggestion that must not be posted, and why, in words that follow `it`."""

    reason: str


def splice(text: str, start: int, end: int, replacement: str) -> str:
    """`text` with the lines `start` to `end` (from 1, inclusive) replaced; an empty replacement deletes them.

    New lines get the newline style of the line they begin at. Whether the file ends with a newline does not change,
    unless nothing is left of it. ValueError when the file has no such lines.
    """
    ends = text.endswith("\n")
    lines = text.removesuffix("\n").split("\n") if text else []
    if not 1 <= start <= end <= len(lines):
        raise ValueError(f"lines {start} to {end} of a file with {len(lines)} lines")
    new = replacement_lines(replacement)
    if _crlf(lines, start - 1):
        new = [line.removesuffix("\r") + "\r" for line in new]
    whole = [*lines[: start - 1], *new, *lines[end:]]
    if not whole:
        return ""
    if not ends:
        whole[-1] = whole[-1].removesuffix("\r")
    return "\n".join(whole) + ("\n" if ends else "")


def _crlf(lines: list[str], at: int) -> bool:
    """Whether the line with index `at` ends with CRLF; the last one of a file without final newline goes by the others."""
    if lines[at].endswith("\r"):
        return True
    return at == len(lines) - 1 and at > 0 and lines[0].endswith("\r")


def prove(head: str, anchor: Anchor, replacement: str) -> Proven | Unproven:
    """Whether `replacement` may be suggested for `anchor` in the file whose text is `head`, and in what form.

    A replacement that a model wrapped, indented wrongly or continued into the next line is mended where that makes it
    hold. The same answer for the same arguments.
    """
    reason = _unfit(head, anchor, replacement)
    if reason:
        return Unproven(reason=reason)
    lines = [line.removesuffix("\r") for line in head.removesuffix("\n").split("\n")]
    first = ""
    for reading in _readings(lines, anchor, replacement_lines(replacement)):
        result = _try(head, lines, anchor, reading)
        if isinstance(result, Proven):
            return result
        first = first or result.reason
    return Unproven(reason=first or "it repeats the lines around its place")


def _unfit(head: str, anchor: Anchor, replacement: str) -> str:
    """What forbids any suggestion here, whatever it says; empty when nothing does."""
    if anchor.side is not Side.RIGHT:
        return "it is on a removed line, where GitHub applies no suggestion"
    if not head:
        return "the file is empty"
    lines = head.removesuffix("\n").split("\n")
    anchored = lines[anchor.start_line - 1 : anchor.line]
    # A diff that was translated to CRLF or back has other carriage returns than the file.
    if [line.removesuffix("\r") for line in anchored] != [line.removesuffix("\r") for line in anchor.text]:
        return "the lines of the file are not those of the diff"
    ends = lines if head.endswith("\n") else lines[:-1]
    if len({line.endswith("\r") for line in ends}) > 1:
        return "the file mixes both kinds of line endings"
    if not all(is_utf8(line) for line in anchored):
        return "its lines are not UTF-8"
    if any(_CONTROL.search(line.removesuffix("\r")) for line in anchored):
        return "its lines have control characters"
    if any(len(line) > LONG_LINE for line in anchored):
        return f"it is on a line of more than {LONG_LINE} characters, which was not shown whole"
    if not is_utf8(replacement) or _CONTROL.search(replacement.replace("\r\n", "\n")):
        return "it contains characters that cannot be committed from a comment"
    if any("\ud800" <= char <= "\udfff" for char in replacement):
        return "it contains characters that cannot be committed from a comment"
    return ""


def _readings(lines: list[str], anchor: Anchor, given: list[str]) -> Iterator[list[str]]:
    """What the replacement may have meant, the likeliest first, each reading once."""
    start = anchor.start_line - 1
    anchored = lines[start : anchor.line]
    before, after = lines[max(0, start - 20) : start], lines[anchor.line : anchor.line + 20]
    seen: set[tuple[str, ...]] = set()
    for plain in unwrapped(given, anchored):
        for indented in reindented(plain, anchored, lines, start):
            if tuple(indented) in seen:
                continue
            seen.add(tuple(indented))
            shorter = list(trimmed(indented, anchored, before, after))
            telling = [reading for reading, tells in shorter if tells]
            yield from telling
            if not telling:
                yield indented
                yield from (reading for reading, _ in shorter)


def _try(head: str, lines: list[str], anchor: Anchor, new: list[str]) -> Proven | Unproven:
    anchored = lines[anchor.start_line - 1 : anchor.line]
    if new == anchored:
        return Unproven(reason="it changes nothing")
    if has_tags(new) and not has_tags(anchored):
        return Unproven(reason="it contains tags of the prompt")
    if not new and anchor.line == len(lines) and not head.endswith("\n") and anchor.start_line > 1:
        return Unproven(reason="it would take away the newline of the line before")
    if new and not new[-1] and anchor.line == len(lines) and not head.endswith("\n"):
        return Unproven(reason="it would add a newline at the end of the file")
    suggestion = join_lines(new)
    text = splice(head, anchor.start_line, anchor.line, suggestion)
    before, after = error_count(head, anchor.path), error_count(text, anchor.path)
    if before is not None and after is None:
        return Unproven(reason="the file cannot be parsed with it")
    if before is not None and after is not None and after > before:
        return Unproven(reason="the file does not parse with it")
    return Proven(suggestion=suggestion, text=text, parsed=after is not None and before is not None)
