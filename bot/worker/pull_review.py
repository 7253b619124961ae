"""One `ReviewPull` from its order to its end: check run, source gate, review, checkpoint, post, check run closed.

It reads and writes as the App, on this pull alone. What is posted is kept first, so that a run that was killed is followed by
one that posts the same review and asks the model nothing. Being told to stop is felt at once: streams close, the check run
is closed by its own thread, and nothing more is posted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from bot import log
from bot.diff.model import Patch
from bot.engine.model import Ended, JobId, JobState, StopCause
from bot.engine.ports import Control
from bot.errors import ConfigError, SparkError
from bot.github.app import App
from bot.github.checks import CheckRuns
from bot.hooks.orders import Cause, ReviewPull
from bot.live.events import LiveEvent, LiveKind
from bot.live.picture import Picture
from bot.model.budget import Purse
from bot.request import ReviewRequest
from bot.review.config import CONFIG_PATH, RepoConfig, Trigger, read_config
from bot.review.events import Finished, ReviewEvent
from bot.review.model import CommitSha, Pull, RepoName, Review
from bot.review.ports import Opened, Published, Publisher, ReviewDraft
from bot.review.render.safe import Redactor
from bot.review.wanted import unwanted
from bot.wiring import POSTING_SECONDS, Errand, PullPlace, Shared
from bot.worker import endings, kept
from bot.worker.endings import Ending
from bot.worker.live_check import Closing, LiveCheck, Opening
from bot.worker.live_page import LivePage

CLOSING_SECONDS: Final = 30.0
"""For closing the check run, whatever GitHub does."""
LOOKS: Final = (0.5, 1.0, 2.0)
"""Pauses before the pull is read again when it does not show the head of the delivery: GitHub's answers may be older than its
deliveries, and a review given up for that would never be made."""
_NEWER_SECONDS: Final = 0.2
"""For finding out what superseded us, only to name it."""

T = TypeVar("T")

_TRIGGERS: Final = {
    Cause.OPENED: Trigger.OPENED,
    Cause.SYNCHRONIZE: Trigger.SYNCHRONIZE,
    Cause.RETARGETED: Trigger.SYNCHRONIZE,
    Cause.READY_FOR_REVIEW: Trigger.READY_FOR_REVIEW,
    Cause.LABEL: Trigger.LABEL,
    Cause.ASKED: None,
}


class PullReview:
    """One run of the job. `run` it once; `failed` ends it after `run` raised."""

    def __init__(
        self,
        shared: Shared,
        app: App,
        control: Control,
        work: ReviewPull,
        *,
        page_url: Callable[[JobId], str | None],
        learn: Callable[[RepoName, bool], None],
        purse: Callable[[str], Purse] | None,
    ) -> None:
        self._shared = shared
        self._control = control
        self._work = work
        self._learn = learn
        self._purse = purse
        job = control.job
        self._job = job
        self._page = page_url(job.id)
        self._began = shared.clock.now()
        self._today = time.time()
        self._waited = max(0.0, self._today - job.created_at)
        self._config: RepoConfig | None = None
        self._result: kept.Result | None = None
        self._redactor: tuple[Patch, Redactor] | None = None
        self._making = threading.Lock()
        self._fields: dict[str, log.Field] = {"job": job.id, "delivery": job.delivery}
        self._stop = shared.stop()
        client = app.client(job.installation, job.repo)
        self._place = PullPlace(client=client, installation=job.installation, repo=job.repo, number=work.number)
        # The check run outlives the review: it is closed when that was stopped, or its time was over.
        checks = CheckRuns(client, job.repo, stop=shared.stop(self._stop.left() + POSTING_SECONDS + CLOSING_SECONDS))
        self._check = LiveCheck(
            checks,
            Opening(
                head=work.head_sha,
                external_id=job.id,
                page=self._page,
                again=job.attempt > 1,
                fields=self._fields,
            ),
            clock=shared.clock,
            redactor_of=self._redactor_of,
            closing_stop=lambda: shared.stop(CLOSING_SECONDS),
        )
        self._forget: Callable[[], None] = lambda: None

    def run(self) -> Ended:
        """Do it. Raises SparkError, or whatever a bug raises; `failed` then ends the job."""
        self._check.start()
        self._forget = self._control.on_stop(self._heed)
        return self._end(self._made())

    def failed(self, error: Exception) -> Ended:
        """End it after `error`. A review that was told to stop has not failed, whatever that broke."""
        require = self._config is not None and self._config.gate.require_coverage
        return self._end(endings.failed(error, self._job, require_coverage=require))

    # -- being stopped ----------------------------------------------------------------------------------------

    def _heed(self) -> None:
        """Called by whoever stops us, from any thread: quick, and waits for nobody."""
        self._stop.cancel()
        cause = self._control.cause
        if cause is StopCause.LOST:
            self._check.leave()
        elif cause in {StopCause.SUPERSEDED, StopCause.WITHDRAWN}:
            self._check.close(self._stopped)

    def _stopped(self) -> Closing:
        """In the check's own thread."""
        cause = self._control.cause or StopCause.SUPERSEDED
        return endings.stopped(cause, self._newer_head() if cause is StopCause.SUPERSEDED else None)

    def _newer_head(self) -> CommitSha | None:
        """What the pull's head is now, if GitHub says so in no time."""
        client = self._place.client
        look = client.submit(self._shared.pull, self._place, self._shared.stop(1.0))
        try:
            head = look.result(_NEWER_SECONDS).head_sha
        except (SparkError, TimeoutError):
            return None
        return head if head != self._work.head_sha else None

    # -- the way to an ending ---------------------------------------------------------------------------------

    def _made(self) -> Ending | None:
        """None when it was stopped on the way."""
        found = self._kept()
        if found is not None:
            return self._post(*found)
        opened = self._read()
        if not isinstance(opened, Opened):
            return opened
        pull = opened.change.pull
        assert pull is not None
        return self._refused(opened, pull) or self._review(opened)

    def _read(self) -> Opened | Ending | None:
        """The pull with the head and the base that were ordered, or why not."""
        work = self._work
        source = self._shared.pull_source(self._place, self._stop)
        looks = iter(LOOKS)
        while True:
            opened = self._patiently(source.open, "reading the pull")
            pull = opened.change.pull
            assert pull is not None
            if self._control.cause is not None:
                return None
            if not pull.is_open or (pull.head_sha == work.head_sha and pull.base_ref == work.base_ref):
                return opened
            log.info("job.head_differs", **self._fields, head=pull.head_sha)
            pause = next(looks, None)
            if pause is None or self._shared.pause(self._stop, pause):
                break
        self._order(pull.head_sha, pull.base_ref)
        if pull.head_sha != work.head_sha:
            return endings.moved("head", pull.head_sha[:7])
        return endings.moved("base branch", pull.base_ref)

    def _order(self, head: CommitSha, base_ref: str) -> None:
        """Have the pull reviewed as it is now. Deliveries come in any order: the one that told of this may have come before
        ours, whose order then stopped its review. Where that goes on, or was made, nothing more is done.
        """
        if self._control.cause is None:
            self._control.release()
            self._control.submit(replace(self._work, head_sha=head, base_ref=base_ref, force=False))

    def _patiently(self, do: Callable[[], T], doing: str) -> T:
        return self._shared.patiently(do, stop=self._stop, doing=doing, fields=self._fields)

    def _refused(self, opened: Opened, pull: Pull) -> Ending | None:
        """Why there is to be no review of this pull."""
        if not pull.is_open:
            return endings.skipped("the pull request is closed")
        try:
            config = self._config = read_config(opened.base_texts.get(CONFIG_PATH, ""), name=CONFIG_PATH)
        except ConfigError as error:
            return endings.misconfigured(error, pull)
        self._check.least = config.review.min_severity
        reason = unwanted(
            config.review,
            trigger=_TRIGGERS[self._work.cause],
            label=self._work.label,
            draft=pull.draft,
            base_ref=pull.base_ref,
            author=pull.author,
        )
        return endings.skipped(reason) if reason is not None else None

    def _review(self, opened: Opened) -> Ending | None:
        errand = Errand(
            place=self._place,
            opened=opened,
            began=self._began,
            run=self._job.id,
            stop=self._stop,
            keep=self._keep,
            purse=self._purse(self._job.id) if self._purse is not None else None,
            fields=self._fields,
        )
        page = LivePage(Picture(redactor_of=self._redactor_of), self._control.tell, fields=self._fields)
        try:
            request = ReviewRequest(effort=self._work.effort)
            review = self._shared.job(request, _Ears(self._check, page), errand=errand).run()
            if self._control.cause is not None and review.review_url is None:
                return None
            self._control.release()
            page.on(Finished(at=self._shared.clock.now() - self._began, review=review))
        finally:
            page.close()
        return self._ending(review)

    def _ending(self, review: Review) -> Ending:
        result = kept.result_of(
            review,
            self._redactor_of(review.change.patch),
            tokens_per_second=self._check.tokens_per_second,
            began=self._today,
            known=self._result,
        )
        return endings.reviewed(result, page=self._page, timing=self._moments(result))

    def _moments(self, result: kept.Result) -> dict[str, float | None]:
        """When what happened, in seconds from the delivery."""
        before = max(0.0, result.began - self._job.created_at)
        timing = result.review["timing"]
        known = {name: timing[name] for name in ("diff", "first_token", "first_finding", "first_post")}
        return {name: None if at is None else before + at for name, at in {"started": 0.0, **known}.items()}

    # -- kept, and posted by a later run ----------------------------------------------------------------------

    def _keep(self, review: Review, draft: ReviewDraft) -> bool:
        """Store what is about to be posted. False: it may not be."""
        if self._control.cause is not None:
            return False
        self._check.hush()
        redactor = self._redactor_of(review.change.patch)
        rate = self._check.tokens_per_second
        self._result = kept.result_of(review, redactor, tokens_per_second=rate, began=self._today)
        return self._control.keep(kept.dump(self._result, draft)) and self._control.cause is None

    def _kept(self) -> tuple[kept.Result, ReviewDraft] | None:
        """What an earlier run was about to post."""
        checkpoint = self._control.checkpoint() if self._job.attempt > 1 else None
        if checkpoint is None:
            return None
        try:
            return kept.load(checkpoint)
        except ValueError as error:
            log.warning("job.checkpoint_unreadable", **self._fields, why=str(error))
            return None

    def _post(self, result: kept.Result, draft: ReviewDraft) -> Ending | None:
        """Post what was kept, if its head is still the pull's; what landed before is found and not posted twice."""
        pull = self._patiently(lambda: self._shared.pull(self._place, self._stop), "reading the pull")
        stop = self._shared.posting(self._stop)
        publisher = self._shared.pull_publisher(self._place, pull, stop, fields=self._fields)
        published: Published | SparkError
        try:
            # Who was dead was not told that it was closed.
            if not pull.is_open and not self._stands(publisher, draft.commit):
                return endings.skipped("the pull request is closed")
            published = publisher.publish(draft)
        except SparkError as error:
            published = error
        result = kept.posted(result, published, now=time.time())
        if result.url is None and self._control.cause is not None:
            return None
        if isinstance(published, Published) and published.moved_to is not None and result.url is None:
            self._order(published.moved_to, self._work.base_ref)
            return endings.moved("head", published.moved_to[:7])
        self._control.release()
        at = result.review["timing"]["done"]
        self._control.tell(LiveEvent(kind=LiveKind.FINISHED, data={"at": at, "review": result.review}))
        return endings.reviewed(result, page=self._page, timing=self._moments(result))

    def _stands(self, publisher: Publisher, head: CommitSha) -> bool:
        """Whether a review of ours is on the pull: then what is missing of it is not left out."""
        self._patiently(publisher.known, "reading our reviews")
        return publisher.standing(head) is not None

    # -- the end ----------------------------------------------------------------------------------------------

    def _end(self, ending: Ending | None) -> Ended:
        self._forget()
        try:
            ended = self._concluded(ending)
            self._check.join(CLOSING_SECONDS + 5.0)
        finally:
            self._place.client.close()
        self._remember()
        check = None if self._check.opened_at is None else self._waited + self._check.opened_at - self._began
        return endings.timed(ended, check=check, done=self._waited + self._shared.clock.now() - self._began)

    def _remember(self) -> None:
        if self._config is None:
            return
        try:
            self._learn(self._job.repo, self._config.review.drafts)
        except SparkError as error:
            # The next job tells it again.
            log.warning("job.not_remembered", why=str(error), **self._fields)

    def _concluded(self, ending: Ending | None) -> Ended:
        """Close the check run, or leave it, and say how the run ends. Waits for nothing."""
        cause = self._control.cause
        if cause is StopCause.LOST or (cause is StopCause.PARKED and (ending is None or not ending.landed)):
            self._check.leave()
            return Ended(state=JobState.QUEUED, why="it goes on in another run")
        self._control.release()
        if cause in {StopCause.SUPERSEDED, StopCause.WITHDRAWN}:
            self._check.close(self._stopped)
            why = "a newer push came" if cause is StopCause.SUPERSEDED else "the pull request was withdrawn"
            known = ending.ended if ending is not None and ending.landed else Ended(state=JobState.SUPERSEDED)
            return replace(known, state=JobState.SUPERSEDED, why=why)
        assert ending is not None
        self._check.close(lambda: ending.closing)
        return ending.ended

    def _redactor_of(self, patch: Patch) -> Redactor:
        """One for the whole job: making it reads every line of the change."""
        with self._making:
            if self._redactor is None or self._redactor[0] is not patch:
                self._redactor = (patch, Redactor(patch))
            return self._redactor[1]


class _Ears:
    """The `Listener` of the review: the check run and the live page hear the same."""

    def __init__(self, check: LiveCheck, page: LivePage) -> None:
        self._check = check
        self._page = page

    def on(self, event: ReviewEvent) -> None:
        # A review that was stopped is not finished, although it ends: whether it is one is seen when it has come back.
        if not isinstance(event, Finished):
            self._check.on(event)
            self._page.on(event)
