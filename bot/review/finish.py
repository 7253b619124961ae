"""The end of a review: what becomes of each finding, the verdict, and the one post.

A review that was finished is never lost: whatever keeps it from being posted is told in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from bot.diff.model import HunkKey
from bot.errors import ModelDownError, OutsideError, SparkError
from bot.review import follow
from bot.review.children import over_with
from bot.review.config import RepoConfig
from bot.review.coverage import CoverageBook
from bot.review.findings import in_order
from bot.review.follow import Placed
from bot.review.gate import decide
from bot.review.judgement import Judgement, not_posted, weaken
from bot.review.lasting import let_be
from bot.review.memory import KnownFinding, PastReview, StoredVerdict
from bot.review.model import (
    CommitSha,
    Dropped,
    Earlier,
    Effort,
    Finding,
    FindingStatus,
    Misplaced,
    Review,
    Severity,
    Timing,
)
from bot.review.options import Options
from bot.review.ports import Amend, Opened, Publisher, ReviewDraft, StreamEnd, ThreadStep
from bot.review.ready import Ready
from bot.review.render.comments import entry, summary_body, with_refused
from bot.review.render.markers import RoundMarker, finding_marker, round_marker
from bot.review.render.verdict_mark import read_verdict_markers, verdict_marker
from bot.review.rounds import CONVERGES_AT, SURE, Round, is_old, seen_after
from bot.review.scope import Coverage
from bot.review.settle import Past, of_thread, settle
from bot.review.tally import Tally
from bot.review.verdicts import CARRIED, CARRIED_ROOM, to_keep

_NO_THREAD = "GitHub refused it in an earlier round"
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
    findings: Sequence[Finding],
    past: Past,
    current: Round | None,
    book: CoverageBook,
    tally: Tally,
    timing: Timing,
    ready: Ready,
    key: str = "",
) -> tuple[Review, Aftermath]:
    """Everything a review found, with the gate's verdict, and what its post carries beside it.

    `findings`: of this round, most severe first. `current`: None where there is no pull, or what is on it is not known.
    `ready`: of the change. `key`: of what is judged (`verdicts.key_of`); empty where the verdict is not to be kept.
    """
    change = opened.change
    level = fail_level(config, options)

    def held_back(finding: Finding) -> bool:
        late = current is not None and current.since.round >= CONVERGES_AT
        return (
            late and finding.severity is Severity.LOW and level is not Severity.LOW and is_old(current, finding.anchor)
        )

    settled = settle(
        findings,
        past,
        least=config.review.min_severity,
        at_most=config.review.max_comments,
        held_back=held_back,
        lasting=config.dismiss,
    )
    redactor = ready.redactor
    followed = follow.steps(
        let_be(past.placed, settled.reported, config.dismiss),
        past.answers,
        settled.reported,
        head=CommitSha(change.head),
        patch=change.patch,
        redactor=redactor,
    )
    told = _with_those_still_there(settled.findings, followed.still)
    nowhere = [place.known for place in followed.still if place.finding is None]
    unjudged = [place.known for place in followed.unsure]
    coverage = book.close(change)
    verdict, reason = decide(
        told,
        coverage,
        fail_on=level,
        misplaced=tally.misplaced,
        still=[known.note for known in nowhere],
        unjudged=[known.note for known in unjudged],
        min_votes=config.gate.min_votes,
        require_coverage=config.gate.require_coverage or options.require_coverage,
        model_used=model is not None,
        shortfalls=tally.shortfalls,
    )
    review = Review(
        change=change,
        effort=effort,
        model=model,
        verdict=verdict,
        reason=reason,
        findings=told,
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
        earlier=(
            *(_earlier(known, is_certain=True) for known in nowhere),
            *(_earlier(known, is_certain=False) for known in unjudged),
        ),
        since=None if current is None else current.since,
    )
    usual = options.effort or config.review.effort
    # What was looked at with less than the usual effort is looked at again.
    whole = () if effort.rank < usual.rank else book.whole()
    marker = None if current is None else _marker(current, review, whole, settled.homeless, ready)
    verdict_of_all = None
    # A look with less than the usual effort says less; in a review of several posts some may never come to be.
    posted = sum(finding.status is FindingStatus.POSTED for finding in told)
    if key and review.failure is None and effort.rank >= usual.rank and posted <= SURE:
        verdict_of_all = to_keep(
            key,
            verdict,
            reason,
            findings=told,
            still=[known.note for known in nowhere],
            recall=past.recall,
            level=level,
            min_votes=config.gate.min_votes,
            homeless=settled.homeless,
        )
    aftermath = Aftermath(
        ready=ready,
        marker=marker,
        verdict=verdict_of_all,
        last=past.recall.last,
        homeless=settled.homeless,
        steps=(*followed.steps, *over_with(past.recall, followed.steps)),
    )
    return review, aftermath


def _with_those_still_there(findings: Sequence[Finding], still: Sequence[Placed]) -> tuple[Finding, ...]:
    """The findings with those earlier ones whose code changed and that the model sees in the change of now."""
    there = {finding.fingerprint for finding in findings}
    more = [
        of_thread(place.finding, place.known)
        for place in still
        if place.finding is not None and place.finding.fingerprint not in there
    ]
    return in_order((*findings, *more))


def _marker(
    current: Round, review: Review, whole: Collection[HunkKey], homeless: Collection[str], ready: Ready
) -> RoundMarker:
    seen = seen_after(
        current,
        review.change.patch,
        whole=whole,
        findings=review.findings,
        misplaced=review.misplaced,
        skipped=review.coverage.skipped,
        homeless=homeless,
        numbered=ready.numbered,
    )
    return RoundMarker(round=current.since.round, rules=current.rules, seen=seen)


def _earlier(known: KnownFinding, *, is_certain: bool) -> Earlier:
    note = known.note
    return Earlier(
        path=note.path,
        severity=note.severity,
        category=note.category,
        title=note.title,
        url=known.thread.url,
        is_certain=is_certain,
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
    return ModelDownError(f"The model reviewed nothing: {why}", remedy="Check SPARK_BASE_URL, or try again later.")


def fail_level(config: RepoConfig, options: Options) -> Severity | None:
    """The gate's level: the user's word over the configuration's; None for no gate."""
    if options.never_fail:
        return None
    if options.fail_on is not None:
        return options.fail_on
    return config.gate.fail_on.severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What a post carries beside the review: what the next round must know, and what becomes of earlier threads."""

    ready: Ready
    """Of the review's patch."""
    marker: RoundMarker | None = None
    verdict: StoredVerdict | None = None
    """As later runs on the same head are to have it."""
    last: PastReview | None = None
    """The review that is amended when there is nothing new to say."""
    homeless: frozenset[str] = frozenset()
    """Fingerprints of known findings that no thread carries: the summary does."""
    steps: tuple[ThreadStep, ...] = ()


def draft(review: Review, *, run: str, aftermath: Aftermath) -> ReviewDraft:
    """The one review to post: summary, and a comment for each finding that is to be posted.

    Without a comment it takes the place of the last review, where there is one: nobody is notified of nothing.
    """
    redactor = aftermath.ready.redactor
    assert review.change.pull is not None
    posted = [finding for finding in review.findings if finding.status is FindingStatus.POSTED]
    comments = tuple(map(aftermath.ready.comment, posted))
    homeless = [one for one in review.findings if one.fingerprint in aftermath.homeless]
    marks = [] if aftermath.marker is None else [round_marker(aftermath.marker)]
    marks += [finding_marker(one.fingerprint) for one in homeless]
    last = aftermath.last
    amend = None if comments or last is None else Amend(id=last.id, url=last.url, in_conversation=last.in_conversation)
    marks += _verdict_marks(aftermath.verdict, last.body if amend is not None and last is not None else "")
    body = summary_body(review, redactor=redactor, run=run, marks=marks)
    return ReviewDraft(
        commit=review.change.pull.head_sha,
        body=with_refused(body, [(entry(one, redactor), _NO_THREAD) for one in homeless]),
        comments=comments,
        run=run,
        amend=amend,
        steps=aftermath.steps,
    )


def _verdict_marks(verdict: StoredVerdict | None, replaced: str) -> list[str]:
    """The verdict, and those on other heads that the text has which is replaced, as many as there is room for."""
    old = [one for one in read_verdict_markers(replaced) if verdict is None or one.key != verdict.key]
    carried = [verdict_marker(one) for one in old[:CARRIED]]
    while sum(map(len, carried)) > CARRIED_ROOM:
        carried.pop()
    return [*([] if verdict is None else [verdict_marker(verdict)]), *carried]


def publish(
    review: Review,
    publisher: Publisher,
    *,
    run: str,
    since: Callable[[], float],
    began: float,
    aftermath: Aftermath,
    keep: Callable[[Review, ReviewDraft], bool] | None = None,
) -> Review:
    """Post the review and tell in it what came of that.

    `since`: seconds since `began`, which is told by the clock of `Published.at`. `keep`: see `Services.keep`.
    """
    ready = draft(review, run=run, aftermath=aftermath)
    if keep is not None and not keep(review, ready):
        return unposted(review, OutsideError("it is no longer this program's to post"), since())
    try:
        published = publisher.publish(ready)
    except SparkError as error:
        return unposted(review, error, since())
    first_post = None if published.at is None else published.at - began
    review = replace(
        review,
        review_url=published.url,
        notices=(*review.notices, *published.unfollowed),
        timing=replace(review.timing, first_post=first_post, done=since()),
    )
    return _judged(review, weaken(_judgement(review), published))


def unposted(review: Review, error: SparkError, at: float) -> Review:
    """The review with the error that kept it from being posted; never a pass."""
    told = _judged(review, not_posted(_judgement(review), error))
    return replace(told, timing=replace(told.timing, done=at))


def _judgement(review: Review) -> Judgement:
    return Judgement(verdict=review.verdict, reason=review.reason, failure=review.failure)


def _judged(review: Review, judged: Judgement) -> Review:
    return replace(review, verdict=judged.verdict, reason=judged.reason, failure=judged.failure)
