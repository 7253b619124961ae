"""Chunks that cover every hunk, and what does not fit, named.

One file a chunk while there are streams enough: the longest stream sets the time, and a hostile text in one file then
reaches the answer about that file alone. With more files than streams the smallest share a chunk. A file over the budget
is cut between its hunks, a hunk over the budget between its lines, with a few lines in both parts; then every part
carries the hunk's key. Nothing is clipped, but for a single line that no call could take: that is a gap, and named.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.diff.anchors import LONG_LINE, show, tag
from bot.diff.model import FilePatch, FileStatus, Hunk, HunkKey, Line, LineKind
from bot.diff.syntax import language, surroundings
from bot.review.model import Change
from bot.review.scope import Chunk, Plan, Skip, SkipReason
from bot.review.shown import tokens, visible

OVERLAP = 6
"""Lines that a part of a cut hunk has in common with the part before, so that a mistake on the seam is seen."""
LINE_CAP = 16_000
"""A longer changed line is shown shortened, and its file named as reviewed in part. About half a chunk."""
_HEAD_TAIL = 6_000

HeadText = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBudget:
    """What a plan may use."""

    chunk_tokens: int = 10_000
    """At most this many estimated tokens of diff in one call; a single line may be more."""
    streams: int = 64
    """Calls that may run at once."""
    max_tokens: int | None = None
    """Estimated tokens of diff for the whole review; None for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Some hunks of some files, printed. `order` is the place in the diff."""

    order: tuple[int, ...]
    paths: tuple[str, ...]
    hunks: tuple[HunkKey, ...]
    text: str
    tokens: int


def make_plan(
    change: Change,
    kept: Sequence[FilePatch],
    skipped: Sequence[Skip],
    *,
    head_text: HeadText,
    budget: PlanBudget,
) -> Plan:
    """Cut `kept` into chunks, the largest first. `skipped` and the change's gaps go into the plan as they are.

    `head_text` is asked once for each kept file that the head has; without a text, a file has no scopes and imports.
    """
    by_file = [(file, _pieces(file, head_text=head_text, limit=budget.chunk_tokens)) for file in kept]
    left_out = _over_budget(by_file, budget.max_tokens)
    pieces = [piece for file, of_file in by_file if file.index not in left_out for piece in of_file]
    if len(by_file) - len(left_out) > budget.streams:
        pieces = _packed(pieces, count=budget.streams, limit=budget.chunk_tokens)
    pieces.sort(key=lambda piece: (-piece.tokens, piece.order))
    chunks = tuple(
        Chunk(id=number, hunks=piece.hunks, text=piece.text, tokens=piece.tokens, paths=piece.paths)
        for number, piece in enumerate(pieces)
    )
    shortened = [
        skip for file in kept if file.index not in left_out for skip in (_shortened(file),) if skip is not None
    ]
    return Plan(chunks=chunks, skipped=(*skipped, *change.gaps, *left_out.values(), *shortened))


def _over_budget(by_file: Iterable[tuple[FilePatch, list[_Piece]]], limit: int | None) -> dict[int, Skip]:
    """The files that do not fit, by index: the largest, so that as many as possible are reviewed."""
    if limit is None:
        return {}
    used = 0
    left_out = {}
    for size, file in sorted(
        ((sum(piece.tokens for piece in pieces), file) for file, pieces in by_file),
        key=lambda sized: (sized[0], sized[1].index),
    ):
        if used + size > limit:
            detail = f"about {size:,} tokens of diff, and a review may use {limit:,}"
            left_out[file.index] = Skip(path=file.path, reason=SkipReason.TOO_LARGE, detail=detail)
        else:
            used += size
    return dict(sorted(left_out.items()))


def _packed(pieces: list[_Piece], *, count: int, limit: int) -> list[_Piece]:
    """The two smallest become one, until there are `count` or nothing fits any more."""
    heap = [(piece.tokens, piece.order, piece) for piece in pieces]
    heapq.heapify(heap)
    while len(heap) > max(1, count):
        smallest = heapq.heappop(heap)
        if smallest[0] + heap[0][0] > limit:
            heapq.heappush(heap, smallest)
            break
        other = heapq.heappop(heap)
        joined = _joined(*sorted((smallest[2], other[2]), key=lambda piece: piece.order))
        heapq.heappush(heap, (joined.tokens, joined.order, joined))
    return [piece for _, _, piece in heap]


def _joined(first: _Piece, second: _Piece) -> _Piece:
    return _Piece(
        order=first.order,
        paths=tuple(dict.fromkeys((*first.paths, *second.paths))),
        hunks=tuple(dict.fromkeys((*first.hunks, *second.hunks))),
        text=f"{first.text}\n\n{second.text}",
        tokens=first.tokens + second.tokens,
    )


def _pieces(file: FilePatch, *, head_text: HeadText, limit: int) -> list[_Piece]:
    """A file as pieces within the limit: whole hunks as far as they fit together, parts of those that do not fit."""
    text = None if file.status is FileStatus.REMOVED else head_text(file.path)
    top = _file_header(file)
    if text is not None and file.hunks:
        imports = surroundings(text, file.path, file.hunks[0]).imports
        top += _numbered("imports", imports)
    room = max(1, limit - tokens(top))
    groups: list[list[tuple[HunkKey, str, int]]] = [[]]
    used = 0
    for hunk in file.hunks:
        for printed in _printed(hunk, path=file.path, text=text, limit=room):
            size = tokens(printed)
            if groups[-1] and used + size > room:
                groups.append([])
                used = 0
            groups[-1].append((hunk.key, printed, size))
            used += size
    top_tokens = tokens(top)
    return [
        _Piece(
            order=(file.index, number),
            paths=(file.path,),
            hunks=tuple(dict.fromkeys(key for key, _, _ in group)),
            text="\n".join((top.rstrip("\n"), *(printed for _, printed, _ in group))),
            tokens=top_tokens + sum(size for _, _, size in group),
        )
        for number, group in enumerate(groups)
        if group
    ]


def _file_header(file: FilePatch) -> str:
    facts = [file.status.value]
    if file.old_path is not None:
        facts.append(f"was {_quoted(file.old_path)}")
    spoken = language(file.path)
    if spoken is not None:
        facts.append(spoken)
    if file.old_mode and file.new_mode and file.old_mode != file.new_mode:
        facts.append(f"mode {file.old_mode} to {file.new_mode}")
    return f"FILE {_quoted(file.path)} ({', '.join(facts)})\n"


def _quoted(path: str) -> str:
    """A path as JSON: what a file is called cannot end its header line."""
    return json.dumps(visible(path), ensure_ascii=False)


def _numbered(title: str, lines: Iterable[tuple[int, str]]) -> str:
    """Lines of the head that are not part of the diff: they have no tag, so nothing can be anchored to them."""
    body = "".join(f"  {number}| {visible(text)}\n" for number, text in lines)
    return f"{title}:\n{body}" if body else ""


def _printed(hunk: Hunk, *, path: str, text: str | None, limit: int) -> list[str]:
    """A hunk in as many parts as the limit asks for, nearly always one."""
    shown = [_line(line, as_shown) for line, as_shown in zip(hunk.lines, show(hunk), strict=True)]
    sizes = [tokens(line) for line in shown]
    head = _hunk_header(hunk, path=path, text=text)
    if tokens(head) + sum(sizes) <= limit:
        return ["\n".join((head, *shown))]
    parts = _spans(sizes, room=max(1, limit - 2 * tokens(head)))
    printed = []
    for number, (start, end) in enumerate(parts, start=1):
        head = _hunk_header(_cut(hunk, start, end), path=path, text=text)
        printed.append("\n".join((f"{head}\n(part {number} of {len(parts)} of a hunk)", *shown[start:end])))
    return printed


def _line(line: Line, as_shown: str) -> str:
    """A line with its tag, whole: unlike `show`, up to `LINE_CAP`."""
    if LONG_LINE < len(line.text) <= LINE_CAP:
        as_shown = f"{line.kind}{tag(line)}|{line.text}"
    elif len(line.text) > LINE_CAP:
        missing = len(line.text) - 2 * _HEAD_TAIL
        middle = f" …[{missing:,} characters not shown]… "
        as_shown = f"{line.kind}{tag(line)}|{line.text[:_HEAD_TAIL]}{middle}{line.text[-_HEAD_TAIL:]}"
    return visible(as_shown.removesuffix("\r"))


def _spans(sizes: Sequence[int], *, room: int) -> list[tuple[int, int]]:
    """Ranges of lines, each within `room`, that together have every line; a single line may be over it."""
    spans = []
    start = end = 0
    while end < len(sizes):
        used = sum(sizes[start:end])
        if used + sizes[end] > room:
            # The lines in common must not crowd out the first new one.
            start, used = end, 0
        first_new = end
        while end < len(sizes) and (end == first_new or used + sizes[end] <= room):
            used += sizes[end]
            end += 1
        spans.append((start, end))
        start = max(first_new + 1, end - OVERLAP)
    return spans


def _cut(hunk: Hunk, start: int, end: int) -> Hunk:
    """A part of a hunk as a hunk, to find the scopes it lies in."""
    before, lines = hunk.lines[:start], hunk.lines[start:end]
    old, new = (_count(before, LineKind.ADDED), _count(before, LineKind.REMOVED))
    return replace(
        hunk,
        lines=lines,
        old_start=hunk.old_start + old,
        new_start=hunk.new_start + new,
        old_count=_count(lines, LineKind.ADDED),
        new_count=_count(lines, LineKind.REMOVED),
    )


def _count(lines: Iterable[Line], missing: LineKind) -> int:
    """Lines on the side on which lines of the kind `missing` are not."""
    return sum(line.kind is not missing for line in lines)


def _hunk_header(hunk: Hunk, *, path: str, text: str | None) -> str:
    scopes = () if text is None else surroundings(text, path, hunk).scopes
    old = f"{hunk.old_start}-{hunk.old_start + max(0, hunk.old_count - 1)}"
    new = f"{hunk.new_start}-{hunk.new_start + max(0, hunk.new_count - 1)}"
    head = f"@@ old lines {old}, new lines {new} @@"
    if scopes:
        return f"{head}\n{_numbered('inside', scopes)}".rstrip("\n")
    return f"{head} {visible(hunk.section)}".rstrip()


def _shortened(file: FilePatch) -> Skip | None:
    numbers = [
        line.number
        for hunk in file.hunks
        for line in hunk.lines
        if len(line.text) > LINE_CAP and line.kind is not LineKind.CONTEXT
    ]
    if not numbers:
        return None
    more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    detail = f"in part: the middle of line {numbers[0]}{more}, longer than {LINE_CAP:,} characters"
    return Skip(path=file.path, reason=SkipReason.TOO_LARGE, detail=detail)
