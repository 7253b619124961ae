"""Edits of one file, as a model answers them: read, mended, applied, held against the file. Pure.

Whatever an edit does not name stays as it is, byte for byte: line ends of each kind, a missing newline at the end, a byte
order mark, lines that are not UTF-8. Nothing here asks a model, and nothing here judges whether an edit is a good one.
An answer of which one edit cannot be read counts as none: half a change is worse than no change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from bot.diff.anchors import line_hash, parse_tag, tag
from bot.diff.mend import has_tags, replacement_lines, unwrapped
from bot.diff.model import Line, LineKind, Side
from bot.diff.syntax import error_count, language
from bot.review.render.characters import hides
from bot.review.scan import Object, ObjectScanner
from bot.review.shown import visible

BOM = "\ufeff"
MOST_TEXT = 400_000
"""Characters of new text that an answer may have."""
NEAR = 20
"""A tag whose number is wrong may mean a line this far away, if exactly one there has its text."""

MOST_COMPARED = 1_000_000
"""Old lines times new lines up to which each change is found; above it, only what stayed above and below them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """A line of a file: its text, and what ends it (`\\n`, `\\r\\n`, or nothing at the end of a file)."""

    text: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Lines `start` to `end` (from 0, `end` not included) become `lines`; `start == end` puts them before that line."""

    start: int
    end: int
    lines: tuple[str, ...]

    def touches(self, other: Span) -> bool:
        """Whether both are about the same lines, or one puts something at an edge of the other."""
        if self.start == self.end or other.start == other.end:
            return self.start <= other.end and other.start <= self.end
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A file with edits that hold."""

    text: str
    """The whole file after them."""
    spans: tuple[Span, ...]
    """What was changed, without lines that stayed; from the top, none touching another."""
    why: str
    """The model's sentence; untrusted, may be empty."""
    parsed: bool
    """A grammar looked at the file after the edits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unedited:
    """No edit that holds. `reason` follows `because`; `declined` says that the model found nothing to do."""

    reason: str
    declined: bool = False


def source_lines(text: str) -> tuple[SourceLine, ...]:
    """`text` as lines; joined again they are `text`. An empty file is one empty line."""
    parts = text.split("\n")
    last = parts.pop()
    lines = [
        SourceLine(text=part[:-1], end="\r\n") if part.endswith("\r") else SourceLine(text=part, end="\n")
        for part in parts
    ]
    if last or not lines:
        lines.append(SourceLine(text=last, end=""))
    return tuple(lines)


def tagged(lines: Sequence[SourceLine], numbers: Iterable[int]) -> str:
    """The lines with these numbers (from 1) as a prompt shows them: ` R12#k3f|code`."""
    return "\n".join(f" {_tag(number, lines[number - 1])}|{_shown(lines, number)}" for number in numbers)


def apply(lines: Sequence[SourceLine], spans: Sequence[Span]) -> str:
    """The file with `spans`, which must not overlap. New lines end like the line they begin at.

    Whether the file ends with a newline does not change while its last line is edited, unless its new last line is empty; a
    file that was empty gets one.
    """
    out = list(lines)
    for span in sorted(spans, key=lambda one: (one.start, one.end), reverse=True):
        ends = _line_end(lines, span.start)
        new = [SourceLine(text=line, end=ends) for line in span.lines]
        if new and span.end == len(lines) and span.start < span.end and not lines[-1].end and not _is_empty(lines):
            new[-1] = SourceLine(text=new[-1].text, end="")
        out[span.start : span.end] = new
    return "".join(line.text + line.end for line in out)


def narrowed(lines: Sequence[SourceLine], span: Span) -> tuple[Span, ...]:
    """`span` as the changes that it makes, without the lines that it only repeats; none when it changes nothing."""
    old = [line.text for line in lines[span.start : span.end]]
    out = []
    for kind, start, end, new_start, new_end in _changes(old, span.lines):
        if kind == "equal":
            continue
        first, last, new = span.start + start, span.start + end, span.lines[new_start:new_end]
        if kind != "replace" and last == len(lines) and not lines[-1].end and first > span.start:
            # The last line of a file without a newline at its end is another one now, so the one before it is part of it.
            first, new = first - 1, (lines[first - 1].text, *new)
        out.append(Span(start=first, end=last, lines=tuple(new)))
    return tuple(out)


def hull(spans: Sequence[Span]) -> tuple[int, int]:
    """The lines (from 0, the end not included) from the first change to the last."""
    return min(span.start for span in spans), max(span.end for span in spans)


def replacement(lines: Sequence[SourceLine], spans: Sequence[Span], start: int, end: int) -> tuple[str, ...]:
    """The new text of the lines `start` to `end` (from 0, `end` not included), inside which all `spans` lie."""
    out: list[str] = []
    at = start
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        out += [line.text for line in lines[at : span.start]]
        out += span.lines
        at = span.end
    out += [line.text for line in lines[at:end]]
    return tuple(out)


def read_edit(answer: str, text: str, path: str, *, shown: Iterable[int]) -> Edited | Unedited:
    """A model's whole answer as an edit of the file `text`. Edits may lie on lines that were shown (numbers from 1) alone.

    The same answer for the same arguments; no answer makes this raise.
    """
    scanner = ObjectScanner(lambda value: "from" in value or "end" in value or "none" in value or "why" in value)
    objects = scanner.feed(answer) + scanner.finish()
    edits = [value for value in objects if "from" in value]
    why = next((said for value in objects if isinstance(said := value.get("why"), str) and said.strip()), "").strip()
    if scanner.garbled:
        return Unedited(reason="a part of the model's answer could not be read")
    if not edits:
        if any(value.get("none") is True for value in objects):
            return Unedited(reason=why or "the model sees nothing to change", declined=True)
        return Unedited(reason="the model's answer has no edit")
    lines = source_lines(text)
    named = _spans(edits, lines, frozenset(shown))
    if isinstance(named, Unedited):
        return named
    return _first_that_holds(text, path, lines, named, why)


def edited(text: str, path: str, spans: Sequence[Span], why: str = "") -> Edited | Unedited:
    """The file with these spans, when they change something and it parses no worse than before."""
    lines = source_lines(text)
    small = tuple(part for span in sorted(spans, key=lambda one: one.start) for part in narrowed(lines, span))
    if not small:
        return Unedited(reason="the edit changes nothing")
    new = apply(lines, small)
    before, after = error_count(text, path), error_count(new, path)
    if before is not None and (after is None or after > before):
        return Unedited(reason="the file does not parse with the edit")
    return Edited(text=new, spans=small, why=why, parsed=before is not None and after is not None)


def _tag(number: int, line: SourceLine) -> str:
    return tag(Line(kind=LineKind.CONTEXT, old=number, new=number, text=line.text))


def _shown(lines: Sequence[SourceLine], number: int) -> str:
    text = lines[number - 1].text
    return visible(text.removeprefix(BOM) if number == 1 else text)


def _is_empty(lines: Sequence[SourceLine]) -> bool:
    return len(lines) == 1 and not lines[0].text and not lines[0].end


def _line_end(lines: Sequence[SourceLine], start: int) -> str:
    """How new lines at `start` end: like the line there, else like the one before it, else like any."""
    near = (lines[at].end for at in (start, start - 1) if 0 <= at < len(lines) and lines[at].end)
    return next(near, None) or next((line.end for line in lines if line.end), "\n")


def _spans(edits: Sequence[Object], lines: Sequence[SourceLine], shown: frozenset[int]) -> list[Span] | Unedited:
    out: list[Span] = []
    size = 0
    for value in edits:
        new = _text(value.get("text"))
        if new is None:
            return Unedited(reason="an edit of the model's answer has no text")
        size += sum(len(line) + 1 for line in new)
        if size > MOST_TEXT:
            return Unedited(reason=f"the model's answer is longer than {MOST_TEXT:,} characters")
        first = _line(value.get("from"), lines, shown)
        last = _line(value.get("to") or value.get("from"), lines, shown)
        if isinstance(first, str) or isinstance(last, str):
            return Unedited(reason=first if isinstance(first, str) else str(last))
        start, end = min(first, last), max(first, last)
        missing = next((number for number in range(start, end + 1) if number not in shown), None)
        if missing is not None:
            return Unedited(reason=f"an edit reaches over line {missing}, which the model was not shown")
        out.append(Span(start=start - 1, end=end, lines=tuple(new)))
    out.sort(key=lambda span: span.start)
    if any(one.end > other.start for one, other in pairwise(out)):
        return Unedited(reason="two of the model's edits overlap")
    return out


def _text(value: object) -> list[str] | None:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return [line.removesuffix("\n") for line in value]
    return replacement_lines(value) if isinstance(value, str) else None


def _line(value: object, lines: Sequence[SourceLine], shown: frozenset[int]) -> int | str:
    """The number of the line that a tag means; else why there is none."""
    read = parse_tag(value) if isinstance(value, str) else None
    if read is None:
        return "an edit names its lines in another form than agreed"
    if read.side is not Side.RIGHT:
        return "an edit is on a removed line"
    if 1 <= read.number <= len(lines) and line_hash(lines[read.number - 1].text) == read.hash:
        return read.number
    around = range(max(1, read.number - NEAR), min(len(lines), read.number + NEAR) + 1)
    same = [number for number in around if number in shown and line_hash(lines[number - 1].text) == read.hash]
    return same[0] if len(same) == 1 else f"an edit names a line {read.number} that is not in the file"


def _first_that_holds(
    text: str, path: str, lines: Sequence[SourceLine], named: Sequence[Span], why: str
) -> Edited | Unedited:
    """As it is written; then without the fence, tags or diff characters that a model may have put around it."""
    mended = [_mended(lines, span) for span in named]
    # Without a grammar nothing would tell that a fence is not meant.
    order = (named, mended) if language(path) is not None else (mended, named)
    first: Unedited | None = None
    for reading in order:
        restored = [_restored(lines, span) for span in reading]
        problem = next((one for one in restored if isinstance(one, str)), None)
        result = (
            Unedited(reason=problem)
            if problem is not None
            else edited(text, path, [one for one in restored if isinstance(one, Span)], why)
        )
        if isinstance(result, Edited):
            return result
        first = first or result
    assert first is not None
    return first


def _mended(lines: Sequence[SourceLine], span: Span) -> Span:
    given = list(span.lines)
    anchored = [line.text for line in lines[span.start : span.end]]
    fenced = bool(given) and given[0].lstrip().startswith(("```", "~~~"))
    if not (fenced or has_tags(given)):
        return span
    return Span(start=span.start, end=span.end, lines=tuple(next(unwrapped(given, anchored), given)))


def _changes(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """What differs, as `SequenceMatcher` names it; what is equal above and below is set aside first."""
    most = min(len(old), len(new))
    above = next((at for at in range(most) if old[at] != new[at]), most)
    below = next((at for at in range(most - above) if old[-1 - at] != new[-1 - at]), most - above)
    old, new = old[above : len(old) - below], new[above : len(new) - below]
    if not old or not new or len(old) * len(new) > MOST_COMPARED:
        kind = "insert" if not old else "delete" if not new else "replace"
        codes = [(kind, 0, len(old), 0, len(new))] if old or new else []
    else:
        codes = list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
    return [
        (kind, start + above, end + above, new_start + above, new_end + above)
        for kind, start, end, new_start, new_end in codes
    ]


def _restored(lines: Sequence[SourceLine], span: Span) -> Span | str:
    """Lines that were shown otherwise than they are, put back where they were repeated; else what forbids the edit."""
    new = list(span.lines)
    if has_tags(new) and not has_tags([line.text for line in lines[span.start : span.end]]):
        return "the model's edit contains tags of the prompt"
    if span.start == 0 and lines[0].text.startswith(BOM) and new:
        new[0] = BOM + new[0].removeprefix(BOM)
    kept: set[int] = set()
    for number in range(span.start + 1, span.end + 1):
        is_first = number == 1 and lines[0].text.startswith(BOM)
        real, seen = lines[number - 1].text, (BOM if is_first else "") + _shown(lines, number)
        if real == seen or not new:
            continue
        found = next((at for at, line in enumerate(new) if line == seen and at not in kept), None)
        if found is None:
            return f"line {number} has characters that a model is not shown as they are"
        new[found] = real
        kept.add(found)
    old = {line.text for line in lines[span.start : span.end]}
    for at, line in enumerate(new):
        bare = line.removeprefix(BOM) if at == 0 and span.start == 0 else line
        if at not in kept and line not in old and _cannot_be_committed(bare):
            return "the model's edit contains invisible or broken characters"
    return Span(start=span.start, end=span.end, lines=tuple(new))


def _cannot_be_committed(line: str) -> bool:
    return hides(line) or "\r" in line or "\ufffd" in line or any("\ud800" <= char <= "\udfff" for char in line)
