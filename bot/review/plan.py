"""Chunks that cover every hunk, and what does not fit, named.

One file a chunk while there are streams enough: the longest stream sets the time, and a hostile text in one file then
reaches the answer about that file alone. With more files than streams the smallest share a chunk. A file over the budget
is cut between its hunks, a hunk over the budget between its lines, with a few lines in both parts; then every part
carries the hunk's key. Nothing is clipped, but for a single line that no call could take: that is a gap, and named.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from bot.diff.model import FilePatch, HunkKey, LineKind
from bot.review.model import Change
from bot.review.printed import LINE_CAP, HeadText, Later, head_of, hunk_parts, measured, top_of, whole
from bot.review.scope import Chunk, Plan, Skip, SkipReason
from bot.review.shown import tokens

SURELY = 0.9
"""A file that takes no more than this part of a chunk's tokens leaves room for what surrounds its hunks."""


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
    """Some hunks of some files, printed now or later. `order` is the place in the diff."""

    order: tuple[int, ...]
    paths: tuple[str, ...]
    hunks: tuple[HunkKey, ...]
    print: Callable[[], str]
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

    `head_text` is asked once for each kept file that the head has, when its text is printed: now for a file that has to be
    cut, else when the chunk's text is asked for. Without a text, a file has no scopes and imports.
    """
    by_file = [(file, _pieces(file, head_text=head_text, limit=budget.chunk_tokens)) for file in kept]
    left_out = _over_budget(by_file, budget.max_tokens)
    pieces = [piece for file, of_file in by_file if file.index not in left_out for piece in of_file]
    if len(by_file) - len(left_out) > budget.streams:
        pieces = _packed(pieces, count=budget.streams, limit=budget.chunk_tokens)
    pieces.sort(key=lambda piece: (-piece.tokens, piece.order))
    chunks = tuple(
        Chunk(id=number, hunks=piece.hunks, print=piece.print, tokens=piece.tokens, paths=piece.paths)
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
        print=lambda: f"{first.print()}\n\n{second.print()}",
        tokens=first.tokens + second.tokens,
    )


def _pieces(file: FilePatch, *, head_text: HeadText, limit: int) -> list[_Piece]:
    """A file as pieces within the limit: whole, or whole hunks as far as they fit together, parts of those that do not fit."""
    size = measured(file)
    if not file.hunks or size.most > SURELY * limit:
        return _cut_up(file, head_text=head_text, limit=limit)
    return [
        _Piece(
            order=(file.index, 0),
            paths=(file.path,),
            hunks=tuple(hunk.key for hunk in file.hunks),
            print=Later(partial(whole, file, head_text=head_text, limit=limit)),
            tokens=size.about,
        )
    ]


def _cut_up(file: FilePatch, *, head_text: HeadText, limit: int) -> list[_Piece]:
    text = head_of(file, head_text)
    top = top_of(file, text)
    room = max(1, limit - tokens(top))
    groups: list[list[tuple[HunkKey, str, int]]] = [[]]
    used = 0
    for hunk in file.hunks:
        for printed in hunk_parts(hunk, path=file.path, text=text, limit=room):
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
            print=partial("\n".join, (top.rstrip("\n"), *(printed for _, printed, _ in group))),
            tokens=top_tokens + sum(size for _, _, size in group),
        )
        for number, group in enumerate(groups)
        if group
    ]


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
