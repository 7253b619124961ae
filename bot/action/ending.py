"""How a run inside Actions ends: its exit code and its verdict. Pure, and a table: what happened in, an ending out.

Never 0 with findings that nobody is told of. What is the world's fault and hinders no reader (an endpoint that is down) is
neutral; what keeps findings from being told is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bot.action.commands import Level
from bot.action.reviewing import Skipped
from bot.errors import ModelDownError, SparkError
from bot.review.model import Review, Verdict
from bot.review.render import words

PASSED: Final = 0
GATE_FAILED: Final = 1
OURS: Final = 3
INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a run."""

    exit_code: int
    verdict: Verdict
    reason: str
    """Plain, in one sentence; may quote others."""
    is_usual: bool = False
    """Nothing that anybody must be warned of, although there is no verdict."""

    @property
    def level(self) -> Level:
        """Of the one line that says it: an error where the job fails."""
        if self.exit_code:
            return Level.ERROR
        return Level.NOTICE if self.is_usual or self.verdict is Verdict.PASS else Level.WARNING


def of_review(review: Review, *, require_coverage: bool, untold: int) -> Ending:
    """The end of a run with a review. `untold`: findings that stand neither on the pull request nor in the run."""
    failure = review.failure
    if review.verdict is Verdict.FAIL:
        return Ending(exit_code=GATE_FAILED, verdict=Verdict.FAIL, reason=review.reason)
    if failure is not None and not isinstance(failure, ModelDownError):
        return Ending(exit_code=failure.exit_code, verdict=Verdict.NEUTRAL, reason=review.reason)
    if untold:
        reason = f"{words.count(untold, 'finding')} could be told nowhere. {review.reason}"
        return Ending(exit_code=OURS, verdict=Verdict.NEUTRAL, reason=reason)
    if review.verdict is Verdict.NEUTRAL:
        code = GATE_FAILED if require_coverage else PASSED
        return Ending(exit_code=code, verdict=Verdict.NEUTRAL, reason=review.reason)
    return Ending(exit_code=PASSED, verdict=Verdict.PASS, reason=review.reason)


def of_skip(skipped: Skipped, *, require_coverage: bool) -> Ending:
    """The end of a run without a review. Nothing fell short where the configuration does not want one."""
    return Ending(
        exit_code=GATE_FAILED if skipped.is_short and require_coverage else PASSED,
        verdict=Verdict.NEUTRAL,
        reason=f"Not reviewed: {skipped.reason}",
        is_usual=not skipped.is_short,
    )


def of_nothing(reason: str) -> Ending:
    """The end of a run for which there was nothing to do. `reason`: a sentence."""
    return Ending(exit_code=PASSED, verdict=Verdict.NEUTRAL, reason=reason, is_usual=True)


def of_error(error: SparkError) -> Ending:
    """The end of a run that could not be made."""
    return Ending(exit_code=error.exit_code, verdict=Verdict.NEUTRAL, reason=str(error))


def of_bug(error: Exception) -> Ending:
    """The end of a run that met a mistake of ours."""
    reason = f"internal error: {type(error).__name__}: {error}. Please report what the log shows."
    return Ending(exit_code=OURS, verdict=Verdict.NEUTRAL, reason=reason)


def cancelled() -> Ending:
    """The end of a run that was told to stop."""
    return Ending(exit_code=INTERRUPTED, verdict=Verdict.NEUTRAL, reason="The run was cancelled")


def beside(end: Ending, error: SparkError) -> Ending:
    """The end of a run of which everything is told, and something beside it failed. A failed gate stays one."""
    if end.exit_code:
        return replace(end, reason=f"{end.reason.rstrip('.')}. {error}")
    return replace(end, exit_code=error.exit_code, verdict=Verdict.NEUTRAL, reason=str(error))
