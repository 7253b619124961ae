"""What becomes of a verdict when the review is posted: a pass needs every kept finding on the pull request.

One rule for every way to post: a review just finished, and one that was kept and is posted by a later run. Only weakens.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from bot.errors import OutsideError, SparkError
from bot.review.model import Verdict
from bot.review.ports import Published
from bot.review.render import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict with its reason, and the error that kept the review from being made or posted whole."""

    verdict: Verdict
    reason: str
    failure: SparkError | None = None


def weaken(judged: Judgement, published: Published) -> Judgement:
    """The judgement of a review of which this came when it was posted."""
    reasons = []
    if published.moved_to is not None:
        what = "nothing was posted" if published.url is None else "the review stands on the commit that was reviewed"
        reasons.append(f"The head moved to {published.moved_to[:10]} meanwhile; {what}.")
    failure = judged.failure
    told = published.unposted if published.url is not None else ()
    if published.problem and published.moved_to is None:
        told = tuple(pair for pair in told if pair[1] != published.problem)
        missing = len(published.unposted) - len(told)
        what = "The review" if published.url is None else words.count(missing, "line comment")
        failure = OutsideError(f"{what} could not be posted: {published.problem.rstrip('.')}", remedy="Run it again.")
        reasons.append(f"{failure.what}.")
    if told:
        causes = Counter(reason for _, reason in told)
        listed = "; ".join(f"{count} x {cause}" for cause, count in causes.items())
        refused = words.count(len(told), "line comment")
        reasons.append(f"GitHub refused {refused}, told in the summary instead: {listed}.")
    if not reasons:
        return judged
    kept = [] if judged.verdict is Verdict.PASS else [f"{judged.reason}."]
    return Judgement(verdict=_not_green(judged.verdict), reason=" ".join([*kept, *reasons]), failure=failure)


def not_posted(judged: Judgement, error: SparkError) -> Judgement:
    """The judgement of a review that could not be posted at all."""
    reason = f"The review could not be posted: {error.what}."
    return replace(
        judged,
        verdict=_not_green(judged.verdict),
        reason=reason if judged.verdict is Verdict.PASS else f"{judged.reason}. {reason}",
        failure=error,
    )


def _not_green(verdict: Verdict) -> Verdict:
    return Verdict.FAIL if verdict is Verdict.FAIL else Verdict.NEUTRAL
