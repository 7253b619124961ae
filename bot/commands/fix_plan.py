"""Which patches go into one commit: those that stand, laid over each other, as long as the file parses. Pure.

A patch is a change of some lines of one file that a finding carries. Patches that change other lines go together; those
that say the same are one; of those that touch each other and could not be brought together, the more severe goes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands.edits import Span, apply, narrowed, source_lines
from bot.diff.mend import replacement_lines
from bot.diff.model import Anchor
from bot.diff.syntax import error_count
from bot.review.memory import KnownFinding


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingPatch:
    """A change of one file that cures one finding, or several."""

    path: str
    knowns: tuple[KnownFinding, ...]
    spans: tuple[Span, ...]
    """In the file of the head; from the top."""
    places: tuple[Anchor, ...]
    """Where the findings stand."""
    merged: bool = False
    """The model brought several patches together; the new text stands in no thread."""

    @property
    def rank(self) -> int:
        """Of its most severe finding."""
        return max(known.note.severity.rank for known in self.knowns)

    def touches(self, other: FindingPatch) -> bool:
        """Whether both change the same lines."""
        return self.path == other.path and any(one.touches(two) for one in self.spans for two in other.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A finding whose patch is not in the commit. `reason` is a sentence without its stop."""

    known: KnownFinding
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A file with patches applied."""

    text: str
    patches: tuple[FindingPatch, ...]
    where: tuple[tuple[tuple[int, int], ...], ...]
    """For each patch the lines of the new file (from 1, both included) that its spans became; `end < start` for deleted ones."""


def as_patch(known: KnownFinding, anchor: Anchor, text: str, suggestion: str) -> FindingPatch | None:
    """A proven suggestion as the lines that it changes; None when it changes none."""
    whole = Span(start=anchor.start_line - 1, end=anchor.line, lines=tuple(replacement_lines(suggestion)))
    spans = narrowed(source_lines(text), whole)
    return FindingPatch(path=anchor.path, knowns=(known,), spans=spans, places=(anchor,)) if spans else None


def unite(patches: Sequence[FindingPatch]) -> list[FindingPatch]:
    """Patches that say the same are one."""
    out: dict[tuple[str, tuple[Span, ...]], FindingPatch] = {}
    for patch in patches:
        key = (patch.path, patch.spans)
        same = out.get(key)
        out[key] = (
            patch
            if same is None
            else FindingPatch(
                path=patch.path,
                knowns=(*same.knowns, *patch.knowns),
                spans=patch.spans,
                places=(*same.places, *patch.places),
            )
        )
    return list(out.values())


def clusters(patches: Sequence[FindingPatch]) -> list[list[FindingPatch]]:
    """Groups of patches that touch each other, also by way of others; most have one."""
    out: list[list[FindingPatch]] = []
    for patch in patches:
        near = [group for group in out if any(patch.touches(other) for other in group)]
        joined = [other for group in near for other in group] + [patch]
        out = [group for group in out if group not in near] + [joined]
    return out


def by_severity(group: Sequence[FindingPatch]) -> list[FindingPatch]:
    """The more severe first, then from the top."""
    return sorted(group, key=lambda patch: (-patch.rank, patch.spans[0].start))


def choose(group: Sequence[FindingPatch], why_not_merged: str) -> tuple[list[FindingPatch], list[LeftOut]]:
    """The more severe of patches that touch each other; the others with the reason."""
    kept: list[FindingPatch] = []
    left: list[LeftOut] = []
    for patch in by_severity(group):
        other = next((other for other in kept if patch.touches(other)), None)
        if other is None:
            kept.append(patch)
            continue
        note = other.knowns[0].note
        reason = (
            f"its patch changes the same lines as the one for “{note.title}” ({note.severity}), which went in, and the two "
            f"could not be brought together: {why_not_merged}"
        )
        left += [LeftOut(known=known, reason=reason) for known in patch.knowns]
    return kept, left


def lay(text: str, patches: Sequence[FindingPatch]) -> Laid:
    """The file with patches of which no two touch."""
    spans = sorted(
        ((span, index) for index, patch in enumerate(patches) for span in patch.spans),
        key=lambda one: (one[0].start, one[0].end),
    )
    where: list[list[tuple[int, int]]] = [[] for _ in patches]
    moved = 0
    for span, index in spans:
        start = span.start + moved
        where[index].append((start + 1, start + len(span.lines)))
        moved += len(span.lines) - (span.end - span.start)
    new = apply(source_lines(text), [span for span, _ in spans])
    return Laid(text=new, patches=tuple(patches), where=tuple(tuple(ranges) for ranges in where))


def lay_what_parses(text: str, path: str, patches: Sequence[FindingPatch]) -> tuple[Laid, list[LeftOut]]:
    """The file with as many of these patches as leave it parsing no worse; the culprits are found by leaving out."""
    before = error_count(text, path)
    laid = lay(text, patches)
    if before is None or not _worse(before, error_count(laid.text, path)):
        return laid, []
    kept: list[FindingPatch] = []
    left: list[LeftOut] = []
    for patch in by_severity(patches):
        tried = lay(text, [*kept, patch])
        if _worse(before, error_count(tried.text, path)):
            reason = "together with the other patches of its file it leaves a file that does not parse"
            left += [LeftOut(known=known, reason=reason) for known in patch.knowns]
        else:
            kept.append(patch)
    return lay(text, kept), left


def struck(laid: Laid, start: int, end: int, *, near: int = 0) -> list[FindingPatch]:
    """The patches whose new lines the lines `start` to `end` of the new file touch; with `near`, those that close to them."""
    return [
        patch
        for patch, ranges in zip(laid.patches, laid.where, strict=True)
        if any(first - near <= max(end, start) and start <= max(last, first) + near for first, last in ranges)
    ]


def _worse(before: int, after: int | None) -> bool:
    return after is None or after > before
