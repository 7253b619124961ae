"""One `AnswerGroup` from its order to its end: a check run on the group's head, and what merging made of its pulls reviewed.

The queue waits for the check, so it is always closed, and within the time of a review. What is our fault or the world's is
neutral, which lets the queue go on: each pull in it has passed the checks of its own head.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bot import log
from bot.diff.model import Patch
from bot.engine.model import Ended, JobId, JobState
from bot.engine.ports import Control
from bot.errors import ConfigError, SparkError
from bot.github.app import App
from bot.github.checks import CheckRuns, Conclusion
from bot.github.groups import Group, base_of_queue
from bot.hooks.orders import AnswerGroup
from bot.model.budget import Purse
from bot.request import ReviewRequest
from bot.review.model import CommitSha
from bot.review.ports import Remembrance
from bot.review.render.check import plain, told
from bot.review.render.safe import Redactor
from bot.wiring import POSTING_SECONDS, Shared
from bot.wiring.groups import GroupReviewed, GroupSkipped, review_group
from bot.worker import endings, kept
from bot.worker.endings import Ending
from bot.worker.live_check import Closing, LiveCheck, Opening

CLOSING_SECONDS: Final = 30.0
"""For closing the check run, whatever GitHub does."""


class GroupReview:
    """One run of the job. `run` it once."""

    def __init__(
        self,
        shared: Shared,
        app: App,
        control: Control,
        work: AnswerGroup,
        *,
        page_url: Callable[[JobId], str | None],
        purse: Callable[[str], Purse] | None,
        memory: Remembrance | None = None,
    ) -> None:
        job = control.job
        self._shared = shared
        self._control = control
        self._work = work
        self._purse = purse
        self._memory = memory
        self._page = page_url(job.id)
        self._fields: dict[str, log.Field] = {"job": job.id, "delivery": job.delivery}
        self._stop = shared.stop()
        self._client = app.client(job.installation, job.repo)
        checks = CheckRuns(
            self._client, job.repo, stop=shared.stop(self._stop.left() + POSTING_SECONDS + CLOSING_SECONDS)
        )
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
            redactor_of=Redactor,
            closing_stop=lambda: shared.stop(CLOSING_SECONDS),
        )

    def run(self) -> Ended:
        """Do it. Never raises for what the world does."""
        job = self._control.job
        self._check.start()
        forget = self._control.on_stop(self._stop.cancel)
        try:
            ending = self._made()
        except SparkError as error:
            log.warning("job.failed", why=str(error), error=type(error).__name__, **self._fields)
            ending = endings.failed(error, job)
        except Exception as error:  # noqa: BLE001 - outermost of a group: its check run must be closed whatever happened
            log.error("job.crashed", exc=error, **self._fields)
            ending = endings.failed(error, job)
        finally:
            forget()
        try:
            ended = self._ended(ending)
            self._check.join(CLOSING_SECONDS + 5.0)
        finally:
            self._client.close()
        return endings.timed(ended, done=max(0.0, time.time() - job.created_at))

    def _ended(self, ending: Ending) -> Ended:
        cause = self._control.cause
        if cause is None:
            self._check.close(lambda: ending.closing)
            return ending.ended
        ended = endings.cut_short(cause)
        if ended.state is JobState.QUEUED:
            self._check.leave()
        else:
            self._check.close(lambda: endings.stopped(cause, None))
        return ended

    def _made(self) -> Ending:
        work, job = self._work, self._control.job
        group = _group_of(work)
        if group is None:
            return _neutral("its branch is not one that a merge queue makes")
        began = time.time()
        try:
            done = review_group(
                self._shared,
                self._client,
                group,
                installation=job.installation,
                request=ReviewRequest(),
                listener=self._check,
                stop=self._stop,
                run=job.id,
                memory=self._memory,
                purse=self._purse(job.id) if self._purse is not None else None,
                fields=self._fields,
            )
        except ConfigError as error:
            # Each pull in the group says so on its own check; here it only must not stop the queue.
            return _neutral(error.what.partition("\n")[0])
        if isinstance(done, GroupSkipped):
            return endings.skipped(done.reason)
        return self._reviewed(done, began)

    def _reviewed(self, done: GroupReviewed, began: float) -> Ending:
        redactor = Redactor(done.review.change.patch)
        result = kept.result_of(done.review, redactor, tokens_per_second=self._check.tokens_per_second, began=began)
        timing = {name: result.review["timing"][name] for name in ("diff", "first_token", "first_finding")}
        ending = endings.reviewed(result, page=self._page, timing=timing)
        closing = ending.closing
        return replace(
            ending,
            # No buttons: a group lives for minutes.
            closing=replace(closing, summary=f"{done.told}\n\n{closing.summary}", actions=()),
            ended=replace(
                ending.ended, why=f"{ending.ended.why} ({done.told.rstrip('.')})" if ending.ended.why else done.told
            ),
        )


def _group_of(work: AnswerGroup) -> Group | None:
    base = work.base_sha or base_of_queue(work.head_ref)
    if not base:
        return None
    ref = work.base_ref
    if not ref:
        # An order of an earlier version: `gh-readonly-queue/<base branch>/pr-<number>-<sha>`.
        ref = work.head_ref.removeprefix("refs/heads/").removeprefix("gh-readonly-queue/").rpartition("/pr-")[0]
    return Group(
        repo=work.place.repo,
        base_sha=CommitSha(base),
        head_sha=work.head_sha,
        head_ref=work.head_ref,
        base_ref=ref,
    )


def _neutral(why: str) -> Ending:
    text = plain(why, Redactor(Patch(files=())), limit=300)
    return Ending(
        ended=Ended(state=JobState.SKIPPED, why=why),
        closing=Closing(
            conclusion=Conclusion.NEUTRAL, title=f"Not reviewed: {text}"[:200], summary=told(f"Not reviewed: {text}.")
        ),
    )
