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
from typing import Final

from bot import log
from bot.diff.model import Patch
from bot.engine.model import Ended, JobId, JobState, StopCause
from bot.engine.ports import Control
from bot.errors import SparkError
from bot.github.app import App
from bot.github.checks import CheckRuns
from bot.hooks.orders import Cause, ReviewPull
from bot.live.events import LiveEvent, LiveKind
from bot.live.picture import Picture
from bot.model.budget import Purse
from bot.request import ReviewRequest
from bot.review.events import Finished, ReviewEvent
from bot.review.model import CommitSha, RepoName, Review
from bot.review.ports import Opened, Publisher, Remembrance, ReviewDraft
from bot.review.render.safe import Redactor
from bot.wiring import HEAD_IS_FRESH, POSTING_SECONDS, Errand, PullPlace, Shared
from bot.worker import endings, kept
from bot.worker.endings import Ending
from bot.worker.live_check import Closing, LiveCheck, Opening
from bot.worker.live_page import LivePage
from bot.worker.pull_posting import PullPosting
from bot.worker.pull_reading import PullReading

CLOSING_SECONDS: Final = 30.0
"""For closing the check run, whatever GitHub does."""
_NEWER_SECONDS: Final = 0.2
"""For finding out what superseded us, only to name it."""


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
        memory: Remembrance | None = None,
    ) -> None:
        self._shared = shared
        self._control = control
        self._work = work
        self._learn = learn
        self._purse = purse
        self._memory = memory
        job = control.job
        self._job = job
        self._page = page_url(job.id)
        self._began = shared.clock.now()
        self._today = time.time()
        self._waited = max(0.0, self._today - job.created_at)
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
        self._reading = PullReading(shared, control, work, self._place, stop=self._stop, fields=self._fields)
        self._forget: Callable[[], None] = lambda: None

    def run(self) -> Ended:
        """Do it. Raises SparkError, or whatever a bug raises; `failed` then ends the job."""
        self._check.start()
        self._forget = self._control.on_stop(self._heed)
        return self._end(self._made())

    def failed(self, error: Exception) -> Ended:
        """End it after `error`. A review that was told to stop has not failed, whatever that broke."""
        config = self._reading.config
        require = config is not None and config.gate.require_coverage
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
        posting = PullPosting(
            self._shared,
            self._control,
            self._work,
            self._place,
            reading=self._reading,
            stop=self._stop,
            fields=self._fields,
        )
        found = posting.found()
        if found is not None:
            done = posting.post(*found)
            return self._posted(done) if isinstance(done, kept.Result) else done
        # What is on the pull is read beside its change: the review waits for the slower of the two.
        publisher = self._shared.pull_publisher(
            self._place, self._shared.posting(self._stop), fresh=HEAD_IS_FRESH, fields=self._fields
        )
        publisher.begin()
        opened = self._reading.read()
        if not isinstance(opened, Opened):
            return opened
        pull = opened.change.pull
        assert pull is not None
        refused = self._reading.refused(opened, pull, publisher)
        if self._reading.config is not None:
            self._check.least = self._reading.config.review.min_severity
        if self._control.cause is not None:
            return None
        return refused or self._review(opened, publisher)

    def _review(self, opened: Opened, publisher: Publisher) -> Ending | None:
        errand = Errand(
            place=self._place,
            opened=opened,
            began=self._began,
            run=self._job.id,
            stop=self._stop,
            publisher=publisher,
            keep=self._keep,
            memory=self._memory,
            purse=self._purse(self._job.id) if self._purse is not None else None,
            fields=self._fields,
        )
        page = LivePage(Picture(redactor_of=self._redactor_of), self._control.tell, fields=self._fields)
        try:
            request = ReviewRequest(effort=self._work.effort, full=self._why_full())
            review = self._shared.job(request, _Ears(self._check, page), errand=errand).run()
            if self._control.cause is not None and review.review_url is None:
                return None
            ending = self._ending(review)
            if ending.landed and self._control.cause is None:
                # It says what stands on the pull: nobody who waits for it waits for the database and the page as well.
                self._check.close(lambda: ending.closing)
            self._control.release()
            page.on(Finished(at=self._shared.clock.now() - self._began, review=review))
        finally:
            page.close()
        return ending

    def _why_full(self) -> str:
        """Why everything is looked at and not just what is new; empty where nobody asked for that."""
        if self._work.cause is not Cause.ASKED:
            return ""
        return f"{self._work.asked_by} asked for it" if self._work.asked_by else "it was asked for"

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

    def _posted(self, result: kept.Result) -> Ending:
        """The end of a run that posted what an earlier one had kept."""
        self._control.release()
        at = result.review["timing"]["done"]
        self._control.tell(LiveEvent(kind=LiveKind.FINISHED, data={"at": at, "review": result.review}))
        return endings.reviewed(result, page=self._page, timing=self._moments(result))

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
        config = self._reading.config
        if config is None:
            return
        try:
            self._learn(self._job.repo, config.review.drafts)
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
