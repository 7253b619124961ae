"""Pass, fail or neutral, and why."""

from __future__ import annotations

from collections.abc import Sequence

from bot.review.model import Coverage, Finding, Severity, Verdict


def decide(
    findings: Sequence[Finding],
    coverage: Coverage,
    *,
    fail_on: Severity | None,
    min_votes: int = 0,
    require_coverage: bool = False,
    model_used: bool = True,
    shortfalls: Sequence[str] = (),
) -> tuple[Verdict, str]:
    """The verdict and its reason. `shortfalls`: other things that fell short, in words ("3 comments were refused")."""
    raise NotImplementedError
