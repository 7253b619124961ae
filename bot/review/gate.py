"""Pass, fail or neutral, and why, in a sentence that users read.

Decides, and does nothing. Nothing that a model said has a say here but the findings themselves: an answer cannot ask for
a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.review.memory import FindingNote
from bot.review.model import Finding, FindingStatus, Misplaced, Severity, Verdict
from bot.review.scope import Coverage

_COUNTED = frozenset({FindingStatus.POSTED, FindingStatus.KNOWN, FindingStatus.OVER_LIMIT})
"""A finding over the limit of comments is told in the summary, so it stands; of dismissed ones see `stands`."""

_NAMED = 3
"""So many files are named in a reason; the others are counted."""


def decide(
    findings: Sequence[Finding],
    coverage: Coverage,
    *,
    fail_on: Severity | None,
    misplaced: Sequence[Misplaced] = (),
    still: Sequence[FindingNote] = (),
    unjudged: Sequence[FindingNote] = (),
    min_votes: int = 0,
    require_coverage: bool = False,
    model_used: bool = True,
    shortfalls: Sequence[str] = (),
) -> tuple[Verdict, str]:
    """The verdict and its reason. `shortfalls`: other things that fell short, in words ("ruff did not run").

    FAIL when a finding is as severe as `fail_on`; an analyzer's needs no votes, whatever the model says of it. Otherwise NEUTRAL
    when anything fell short (FAIL with `require_coverage`), else PASS. A misplaced finding was never tried, so it cannot
    fail the gate; one that is severe enough keeps it from being green. `still`: earlier findings whose code changed and which
    are said to be there all the same; they count like those in the diff. `unjudged`: earlier ones whose code changed and of
    which nobody knows; they count like misplaced ones.
    """
    if fail_on is not None:
        severe = [finding for finding in findings if stands(finding) and counts(finding, fail_on, min_votes)]
        of_before = [note for note in still if counts(note, fail_on, min_votes)]
        if severe or of_before:
            overruled = sum(finding.status is FindingStatus.DISMISSED for finding in severe)
            but = f", {overruled} of them dismissed by somebody who may not write here" if overruled else ""
            return Verdict.FAIL, f"{_count(len(severe) + len(of_before), 'finding')} of {_or_above(fail_on)}{but}"
        shortfalls = (*_unplaced(misplaced, fail_on), *_unjudged(unjudged, fail_on), *shortfalls)
    short = _shortfall(coverage, model_used=model_used, shortfalls=shortfalls)
    if short:
        return (Verdict.FAIL if require_coverage else Verdict.NEUTRAL), short
    standing = sum(finding.status in _COUNTED for finding in findings) + len(misplaced) + len(still) + len(unjudged)
    return Verdict.PASS, _passed(standing, coverage, fail_on=fail_on)


def stands(finding: Finding) -> bool:
    """Whether the gate counts it. A dismissal takes a finding out of the gate only where whoever dismissed it may write to the
    repository: else the author of a pull could wave it through.
    """
    return finding.status in _COUNTED or (finding.status is FindingStatus.DISMISSED and not finding.excused)


def counts(finding: Finding | FindingNote, fail_on: Severity, min_votes: int) -> bool:
    """Whether it is severe enough, and sure enough, to fail the gate where it stands."""
    if finding.severity.rank < fail_on.rank:
        return False
    return finding.source != "model" or finding.votes is None or finding.votes.in_favour >= min_votes


def _shortfall(coverage: Coverage, *, model_used: bool, shortfalls: Sequence[str]) -> str:
    """Everything that fell short, or the empty string."""
    seen = _holes(coverage) if model_used else "no model was used, only analyzers"
    parts = [part for part in (seen, _gaps(coverage), coverage.difference) if part]
    missed = coverage.hunks - coverage.reviewed
    if model_used and missed > 0 and not coverage.holes:
        parts.append(f"{missed} of {_count(coverage.hunks, 'hunk')} were not reviewed")
    return "; ".join((*parts, *shortfalls))


def _holes(coverage: Coverage) -> str:
    if not coverage.holes:
        return ""
    by_reason: dict[str, set[tuple[int, int]]] = {}
    for hole in coverage.holes:
        by_reason.setdefault(hole.reason, set()).add(hole.hunk)
    missed = len(set().union(*by_reason.values()))
    what = f"{missed} of {_count(coverage.hunks, 'hunk')} {'was' if missed == 1 else 'were'} not reviewed"
    if len(by_reason) == 1:
        return f"{what}: {next(iter(by_reason))}"
    most = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    return f"{what} ({', '.join(f'{len(hunks)}: {reason}' for reason, hunks in most)})"


def _gaps(coverage: Coverage) -> str:
    gaps = [skip for skip in coverage.skipped if skip.is_gap]
    if not gaps:
        return ""
    named = ", ".join(f"{gap.path} ({gap.reason.value})" for gap in gaps[:_NAMED])
    more = f" and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
    return f"{_count(len(gaps), 'file')} {'was' if len(gaps) == 1 else 'were'} not reviewed: {named}{more}"


def _unplaced(misplaced: Sequence[Misplaced], fail_on: Severity) -> list[str]:
    severe = sum(finding.severity.rank >= fail_on.rank for finding in misplaced)
    have = "has" if severe == 1 else "have"
    return [f"{_count(severe, 'finding')} of {_or_above(fail_on)} {have} no line in the diff"] if severe else []


def _unjudged(notes: Sequence[FindingNote], fail_on: Severity) -> list[str]:
    severe = sum(note.severity.rank >= fail_on.rank for note in notes)
    what = f"{_count(severe, 'earlier finding')} of {_or_above(fail_on)} whose code changed could not be judged"
    return [what] if severe else []


def _passed(standing: int, coverage: Coverage, *, fail_on: Severity | None) -> str:
    if not coverage.hunks:
        seen = "nothing to review"
    else:
        seen = "the one hunk was reviewed" if coverage.hunks == 1 else f"all {coverage.hunks} hunks were reviewed"
    if not standing:
        return f"{seen}, no findings"
    if fail_on is None:
        return f"{seen}, {_count(standing, 'finding')}, no gate is set"
    return f"{seen}, no finding of {_or_above(fail_on)}"


def _or_above(severity: Severity) -> str:
    return severity.value if severity is Severity.CRITICAL else f"{severity.value} or above"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
