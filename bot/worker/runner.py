"""The `Runner` port: whatever the engine has as a job is done here, on GitHub, as the App.

Every fault ends as a value: FAILED with its kind and one line. Only a bug is logged with its trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from bot import log
from bot.commands.ports import Memory
from bot.diff.model import Patch
from bot.engine.model import Delivery, Ended, Job, JobId, JobState
from bot.engine.ports import Control
from bot.errors import SparkError
from bot.github.app import App
from bot.github.client import GitHubClient
from bot.github.heads import open_pulls
from bot.hooks.orders import AnswerComment, AnswerGroup, Cause, ReviewHead, ReviewPull, Work
from bot.model.budget import Purse
from bot.review.model import RepoName
from bot.review.ports import Stop
from bot.review.render.safe import Redactor
from bot.wiring import Shared
from bot.worker import endings
from bot.worker.acknowledge import Acknowledger
from bot.worker.answer import CommentAnswer
from bot.worker.group_review import GroupReview
from bot.worker.pull_review import PullReview

SECONDS: Final = 60.0
"""For jobs without a review."""


class JobRunner:
    """One for a process; runs many jobs at once, each in a thread of its caller's."""

    def __init__(
        self,
        shared: Shared,
        app: App,
        *,
        page_url: Callable[[JobId], str | None],
        learn: Callable[[RepoName, bool], None],
        purse: Callable[[str], Purse] | None,
        memory: Callable[[RepoName], Memory],
    ) -> None:
        """`page_url`: of a job's live page, None where nobody outside can reach it. `learn`: told whether a repository has
        drafts reviewed. `purse`: what a job may spend of the day's money; None for no books at all. `memory`: what was
        dismissed in a repository, for good.
        """
        self._shared = shared
        self._app = app
        self._page_url = page_url
        self._learn = learn
        self._purse = purse
        self._memory = memory
        self._acknowledger = Acknowledger(shared, app)

    def taken(self, delivery: Delivery, work: Work) -> None:
        """An order was stored and waits: a command gets its eyes now. Returns at once."""
        if isinstance(work, AnswerComment):
            self._acknowledger.taken(delivery, work)

    def close(self) -> None:
        """No more orders come."""
        self._acknowledger.close()

    def run(self, control: Control) -> Ended:
        """Do one job to its end; see the port."""
        ended = self._done(control)
        # It is stored, and shown on pages: an error may quote what somebody else has said.
        return replace(ended, why=Redactor(Patch(files=())).redact(ended.why))

    def _done(self, control: Control) -> Ended:
        job = control.job
        match job.work:
            case ReviewPull():
                return self._review(control, job.work)
            case ReviewHead():
                return self._short(control, partial(self._ask_for_pulls, control, job.work))
            case AnswerGroup():
                return GroupReview(
                    self._shared,
                    self._app,
                    control,
                    job.work,
                    page_url=self._page_url,
                    purse=self._purse,
                    memory=self._memory(job.repo),
                ).run()
            case AnswerComment():
                return CommentAnswer(
                    self._shared,
                    self._app,
                    control,
                    job.work,
                    memory=self._memory,
                    purse=self._purse,
                    acknowledged=self._acknowledger.claim(job.work),
                ).run()

    def _review(self, control: Control, work: ReviewPull) -> Ended:
        task = PullReview(
            self._shared,
            self._app,
            control,
            work,
            page_url=self._page_url,
            learn=self._learn,
            purse=self._purse,
            memory=self._memory(control.job.repo),
        )
        try:
            return task.run()
        except SparkError as error:
            log.warning("job.failed", why=str(error), error=type(error).__name__, **_named(control.job))
            return task.failed(error)
        except Exception as error:  # noqa: BLE001 - outermost of a review: its check run must be closed whatever happened
            log.error("job.crashed", exc=error, **_named(control.job))
            return task.failed(error)

    def _short(self, control: Control, work: Callable[[GitHubClient, Stop], Ended]) -> Ended:
        """A job that is over in a few requests, each of which may be repeated by another run."""
        job = control.job
        stop = self._shared.stop(SECONDS)
        forget = control.on_stop(stop.cancel)
        client = self._app.client(job.installation, job.repo)
        try:
            ended = self._shared.patiently(
                lambda: work(client, stop), stop=stop, doing="a short job", fields=_named(job)
            )
        except SparkError as error:
            if control.cause is not None:
                return endings.cut_short(control.cause)
            log.warning("job.failed", why=str(error), error=type(error).__name__, **_named(job))
            ended = endings.failed(error, job).ended
        finally:
            forget()
            client.close()
        return replace(ended, timing={"done": round(max(0.0, time.time() - job.created_at), 4)})

    def _ask_for_pulls(self, control: Control, work: ReviewHead, client: GitHubClient, stop: Stop) -> Ended:
        """A job for each open pull with this head, also where it is a fork's."""
        found = open_pulls(client, work.place.repo, work.head_sha, stop=stop)
        if not found:
            return Ended(state=JobState.SKIPPED, why="no open pull request has this head")
        redactor = Redactor(Patch(files=()))
        for pull in (record.pull for record in found):
            order = ReviewPull(
                place=work.place,
                number=pull.number,
                head_sha=pull.head_sha,
                base_ref=pull.base_ref,
                cause=Cause.ASKED,
                title=redactor.redact(pull.title),
                author=pull.author,
                draft=pull.draft,
                effort=work.effort,
                force=True,
                asked_by=work.asked_by,
            )
            control.submit(order)
        named = ", ".join(f"#{record.pull.number}" for record in found)
        return Ended(state=JobState.DONE, why=f"asked for a review of {named}")


def _named(job: Job) -> dict[str, log.Field]:
    return {"job": job.id, "delivery": job.delivery, "attempt": job.attempt}
