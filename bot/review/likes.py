"""Is a finding one that has a thread already, or the like of one that somebody dismissed?

A model words the same thing anew each time and a push moves it, so identity alone does not tell. What is worse than what
was dismissed is never held to be its like.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.review.fingerprint import family, normal
from bot.review.memory import FindingNote, Remembered
from bot.review.merge import alike, same
from bot.review.model import Category, Finding, Severity
from bot.review.recall import line_digests
from bot.review.whereabouts import Fate, Placed

_SAME_WORDS: Final = 0.5
_LIKE_WORDS: Final = 0.6
_TELLING: Final = 12
"""So many characters must lines have to be known again in another file: `return None` stands everywhere."""
_REACH: Final = 10
"""Lines around the place of text that is gone in which what took its place is looked for."""
BY_HAND: Final = "resolved by hand"


def match(finding: Finding, placed: Sequence[Placed]) -> Placed | None:
    """The finding of an earlier round that this one is again, or whose dismissal is for this one as well.

    In this order: the same identity; the same place and words that meet; the place where changed lines stood; the like
    of a dismissed one anywhere in the pull.
    """
    for is_it in (_is_same, _is_at_its_place, _took_its_place, _is_its_like):
        found = [each for each in placed if is_it(finding, each)]
        if found:
            # One that is open speaks for it before one that is settled.
            return min(found, key=lambda each: each.known.thread.is_resolved)
    return None


def remembered_like(finding: Finding, remembered: Sequence[Remembered]) -> Remembered | None:
    """What was dismissed in another pull of the repository and is this again; the newest. Never what was less severe.

    A tool's rule is dismissed for its file, but not one about security: that one place is safe says nothing of the next.
    """
    lines = line_digests(finding.anchor.text)
    is_telling = sum(len(normal(line)) for line in finding.anchor.text) >= _TELLING
    for each in remembered:
        if finding.severity.rank > each.severity.rank:
            continue
        is_tools = (
            bool(finding.rule)
            and finding.category is not Category.SECURITY
            and (finding.path, finding.source, finding.rule) == (each.path, each.source, each.rule)
        )
        has_its_lines = (
            bool(lines)
            and lines == each.lines
            and (is_telling or finding.path == each.path)
            and _same_kind(finding, each.rule, each.category)
            and alike(finding.title, each.title) >= _SAME_WORDS
        )
        # The lines as well, where they are known: an identity alone is short enough to be sought for.
        is_same = finding.fingerprint == each.fingerprint and each.lines in {(), lines}
        if is_same or is_tools or has_its_lines:
            return each
    return None


def _is_same(finding: Finding, placed: Placed) -> bool:
    return finding.fingerprint in (placed.known.note.fingerprint, *placed.known.aliases)


def _is_at_its_place(finding: Finding, placed: Placed) -> bool:
    return placed.finding is not None and same(finding, placed.finding)


def _took_its_place(finding: Finding, placed: Placed) -> bool:
    note = placed.known.note
    reach = _REACH + len(note.lines)
    return (
        placed.fate is Fate.CHANGED
        and placed.near > 0
        and finding.path == placed.path
        and finding.side is note.side
        and _same_kind(finding, note.rule, note.category)
        and finding.anchor.start_line <= placed.near + reach
        and finding.anchor.line >= placed.near - reach
        and (_is_one_rule(finding, note) or alike(finding.title, note.title) >= _SAME_WORDS)
        and (placed.known.dismissal is None or _no_worse(finding.severity, note))
    )


def _is_its_like(finding: Finding, placed: Placed) -> bool:
    dismissal, note = placed.known.dismissal, placed.known.note
    if dismissal is None or not _no_worse(finding.severity, note):
        return False
    if dismissal.how == BY_HAND and (placed.known.closed or placed.fate is Fate.CHANGED):
        # Who mends something and resolves its thread has not said that it was no defect.
        return False
    if finding.category is Category.SECURITY and line_digests(finding.anchor.text) != note.lines:
        # An author who had one place waved through could bring in the next one under its name.
        return False
    if finding.rule or note.rule:
        return (finding.source, finding.rule) == (note.source, note.rule)
    return family(finding.category) == family(note.category) and alike(finding.title, note.title) >= _LIKE_WORDS


def _no_worse(severity: Severity, note: FindingNote) -> bool:
    return severity.rank <= note.severity.rank


def _same_kind(finding: Finding, rule: str, category: Category) -> bool:
    """One tool's rule, or one family where a model is one of both."""
    if finding.rule and rule:
        return finding.rule == rule
    return family(finding.category) == family(category)


def _is_one_rule(finding: Finding, note: FindingNote) -> bool:
    """What a tool's rule says of a line is worded by what stands there, and is the same thing all the same."""
    return bool(finding.rule) and (finding.source, finding.rule) == (note.source, note.rule)
