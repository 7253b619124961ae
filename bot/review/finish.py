"""The end of a review: what becomes of each finding, the verdict, and the one post.

A review that was finished is never lost: whatever keeps it from being posted is told in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from bot.errors import OutsideError, SparkError
from bot.review.config import RepoConfig
from bot.review.gate import decide
from bot.review.judgement import Judgement, not_posted, weaken
from bot.review.model import (
    Dropped,
    Effort,
    Finding,
    FindingStatus,
    Fingerprint,
    Misplaced,
    Review,
    Severity,
    Timing,
)
from bot.review.options import Options
from bot.review.ports import DraftComment, Opened, Publisher, ReviewDraft, StreamEnd
from bot.review.render.comments import comment_body, entry, summary_body
from bot.review.render.safe import Redactor
from bot.review.scope import Coverage
from bot.review.tally import Tally

_OUTAGES = frozenset(
    {
        StreamEnd.CUT,
        StreamEnd.STALLED,
        StreamEnd.GARBLED,
        StreamEnd.NOT_A_STREAM,
        StreamEnd.SERVER_ERROR,
        StreamEnd.RATE_LIMITED,
        StreamEnd.UNREACHABLE,
        StreamEnd.REJECTED,
    }
)
"""Ends that are the endpoint's doing; the model's own (a refusal) and the user's limits (money, time) are none."""


def assemble(
    *,
    opened: Opened,
    config: RepoConfig,
    options: Options,
    effort: Effort,
    model: str | None,
    findings: Iterable[Finding],
    known: Mapping[Fingerprint, str],
    coverage: Coverage,
    tally: Tally,
    timing: Timing,
) -> Review:
    """Everything a review found, with each finding's status and the gate's verdict."""
    kept = with_status(
        findings,
        known=known,
        least=config.review.min_severity,
        at_most=config.review.max_comments,
    )
    verdict, reason = decide(
        kept,
        coverage,
        fail_on=fail_level(config, options),
        misplaced=tally.misplaced,
        min_votes=config.gate.min_votes,
        require_coverage=config.gate.require_coverage,
        model_used=model is not None,
        shortfalls=tally.shortfalls,
    )
    return Review(
        change=opened.change,
        effort=effort,
        model=model,
        verdict=verdict,
        reason=reason,
        findings=kept,
        misplaced=tuple(sorted(tally.misplaced, key=_misplaced_order)),
        dropped=tuple(sorted(tally.dropped, key=_dropped_order)),
        coverage=coverage,
        usage=tally.usage,
        timing=timing,
        garbled=tally.garbled,
        outside=dict(tally.outside),
        endpoint_seconds=dict(tally.endpoint_seconds),
        notices=tuple(tally.notices),
        failure=_outage(tally.ends, coverage),
    )


def _misplaced_order(lost: Misplaced) -> tuple[int, str, str, str]:
    return (-lost.severity.rank, lost.path, lost.claimed, lost.title)


def _dropped_order(dropped: Dropped) -> tuple[int, int, int, str, str]:
    anchor = dropped.finding.anchor
    return (anchor.hunk.file, anchor.hunk.hunk, anchor.start_line, dropped.finding.title, dropped.why)


def _outage(ends: Sequence[StreamEnd], coverage: Coverage) -> OutsideError | None:
    """The error of a review in which the endpoint failed at every stream; None when any came through."""
    if not ends or not all(end in _OUTAGES for end in ends):
        return None
    reasons = Counter(hole.reason for hole in coverage.holes)
    why = reasons.most_common(1)[0][0] if reasons else ends[0].value
    return OutsideError(f"The model reviewed nothing: {why}", remedy="Check SPARK_BASE_URL, or try again later.")


def fail_level(config: RepoConfig, options: Options) -> Severity | None:
    """The gate's level: the user's word over the configuration's; None for no gate."""
    if options.never_fail:
        return None
    if options.fail_on is not None:
        return options.fail_on
    return config.gate.fail_on.severity


def with_status(
    findings: Iterable[Finding], *, known: Mapping[Fingerprint, str], least: Severity, at_most: int
) -> tuple[Finding, ...]:
    """Each finding with what becomes of it. `findings` come most severe first, so the limit cuts the least severe."""
    room = at_most
    result = []
    for finding in findings:
        if finding.fingerprint in known:
            status = FindingStatus.KNOWN
        elif finding.severity.rank < least.rank:
            status = FindingStatus.BELOW_THRESHOLD
        elif room <= 0:
            status = FindingStatus.OVER_LIMIT
        else:
            room -= 1
            status = FindingStatus.POSTED
        result.append(replace(finding, status=status))
    return tuple(result)


def draft(review: Review, *, run: str) -> ReviewDraft:
    """The one review to post: summary, and a comment for each finding that is to be posted."""
    redactor = Redactor(review.change.patch)
    assert review.change.pull is not None
    comments = tuple(
        DraftComment(
            anchor=finding.anchor,
            body=comment_body(finding, redactor),
            entry=entry(finding, redactor),
            fingerprint=finding.fingerprint,
        )
        for finding in review.findings
        if finding.status is FindingStatus.POSTED
    )
    return ReviewDraft(
        commit=review.change.pull.head_sha,
        body=summary_body(review, redactor=redactor, run=run),
        comments=comments,
        run=run,
    )


def publish(
    review: Review,
    publisher: Publisher,
    *,
    run: str,
    since: Callable[[], float],
    keep: Callable[[Review, ReviewDraft], bool] | None = None,
) -> Review:
    """Post the review and tell in it what came of that. `keep`: see `Services.keep`."""
    ready = draft(review, run=run)
    standing = publisher.standing(ready.commit) if _has_nothing_new(review) else None
    if standing is not None:
        return replace(
            review,
            review_url=standing,
            notices=(*review.notices, "Nothing new to post: the review of this commit stands."),
            timing=replace(review.timing, done=since()),
        )
    if keep is not None and not keep(review, ready):
        return unposted(review, OutsideError("it is no longer this program's to post"), since())
    try:
        published = publisher.publish(ready)
    except SparkError as error:
        return unposted(review, error, since())
    posted_at = since()
    review = replace(review, review_url=published.url, timing=replace(review.timing, done=posted_at))
    if published.url is not None:
        review = replace(review, timing=replace(review.timing, first_post=posted_at))
    return _judged(review, weaken(_judgement(review), published))


def _has_nothing_new(review: Review) -> bool:
    """Whether a review of the same head says all of this already: every finding has its place, nothing fell short."""
    settled = {FindingStatus.KNOWN, FindingStatus.DISMISSED, FindingStatus.BELOW_THRESHOLD}
    return (
        review.coverage.whole
        and not review.misplaced
        and all(finding.status in settled for finding in review.findings)
        and review.failure is None
    )


def unposted(review: Review, error: SparkError, at: float) -> Review:
    """The review with the error that kept it from being posted; never a pass."""
    told = _judged(review, not_posted(_judgement(review), error))
    return replace(told, timing=replace(told.timing, done=at))


def _judgement(review: Review) -> Judgement:
    return Judgement(verdict=review.verdict, reason=review.reason, failure=review.failure)


def _judged(review: Review, judged: Judgement) -> Review:
    return replace(review, verdict=judged.verdict, reason=judged.reason, failure=judged.failure)
