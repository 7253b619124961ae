"""One run inside GitHub Actions, from its environment to its exit code.

Reads the environment and the event, has the work done, and tells what came of it: outputs, the step's summary, annotations, one
headline. Whatever happens, it ends with an exit code and with its outputs written. All that is printed meanwhile is printed where
no command is obeyed. Reads no `.env` file: the workspace may be a pull request's.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, TextIO

from bot import log
from bot.action import ending
from bot.action.begin import Begun, Reading, fields_of, settings_of
from bot.action.commands import Level, Quiet
from bot.action.ending import Ending
from bot.action.event import CommentWork, GroupWork, NoWork, ReviewWork, Work, read_work
from bot.action.inputs import Inputs, read_inputs
from bot.action.report import LogListener
from bot.action.reviewing import Reviewed, Skipped, review_pull
from bot.action.status import tell_status
from bot.action.telling import Teller
from bot.action.workspace import settled
from bot.commands.model import CommentKind
from bot.errors import SparkError, UserError
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop
from bot.wiring import Shared, Waits

STATUS_SECONDS: Final = 15.0
"""For the commit status, whatever time the review took."""


def run(
    env: Mapping[str, str], out: TextIO, *, age: float = 0.0, waits: Waits | None = None, begun: Begun | None = None
) -> int:
    """Do the run and tell it. Returns the exit code: 0 passed or neutral, 1 the gate failed, 2 the workflow's mistake, 3 ours or
    the outside world's, 130 cancelled.

    `age`: seconds since the process began. `begun`: what was begun of it already. Raises UserError outside of Actions, where there is nobody to tell.
    """
    _refuse_elsewhere(env)
    teller = Teller(env, out, age=age)
    with Quiet(out) as quiet, _logged(quiet):
        end = _Run(env, teller, quiet, waits, begun).end()
    return teller.say(end)


def _refuse_elsewhere(env: Mapping[str, str]) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_EVENT_PATH"):
        if not env.get(name):
            raise UserError(
                f"{name} is not set, so this is no run of GitHub Actions",
                remedy="Use spark review --pr OWNER/REPO#N elsewhere.",
            )


@dataclass(slots=True)
class _Run:
    env: Mapping[str, str]
    teller: Teller
    quiet: Quiet
    waits: Waits | None
    begun: Begun | None = None
    is_status: bool = False
    """The verdict stands on the head as a commit status."""

    def end(self) -> Ending:
        """Everything but the last words."""
        try:
            return self._done()
        except SparkError as error:
            return ending.of_error(error)
        except KeyboardInterrupt:
            return ending.cancelled()
        except Exception as error:  # noqa: BLE001 - outermost of a run: outputs and summary are written whatever happened
            for line in traceback.format_exc().splitlines():
                self.quiet.line(line)
            return ending.of_bug(error)

    def _done(self) -> Ending:
        if self.begun is not None:
            begun = self.begun
            self.teller.inputs = begun.inputs
            with begun.shared:
                return self._worked(begun.shared, begun.inputs, begun.work, begun.stop, reading=begun.reading)
        inputs = settled(read_inputs(self.env), self.env)
        self.teller.inputs = inputs
        work = read_work(self.env, inputs)
        if isinstance(work, NoWork) and work.standing is None:
            return ending.of_nothing(work.reason)
        with Shared(settings_of(self.env, inputs), waits=self.waits) as shared:
            return self._worked(shared, inputs, work, shared.stop())

    def _worked(
        self, shared: Shared, inputs: Inputs, work: Work, stop: Stop, *, reading: Reading | None = None
    ) -> Ending:
        try:
            return self._done_with(shared, inputs, work, stop, reading)
        finally:
            # After a cancelled run nothing may be waited for.
            stop.cancel()

    def _done_with(self, shared: Shared, inputs: Inputs, work: Work, stop: Stop, reading: Reading | None) -> Ending:
        match work:
            case ReviewWork():
                made = self._looked(shared, inputs, work, stop, reading)
                return self._told(shared, inputs, work.repo, made, may_write=not work.is_certain)
            case CommentWork():
                return self._answered(shared, inputs, work, stop)
            case NoWork():
                return self._standing(shared, inputs, work.standing, ending.of_nothing(work.reason), stop)
            case GroupWork():
                from bot.action.group import judge_group  # noqa: PLC0415 - a review starts sooner without it

                listener = LogListener(self.quiet.line)
                found = judge_group(shared, inputs, work, listener=listener, stop=stop, fields=self._fields)
                return self._told(shared, inputs, work.repo, found, is_elsewhere=True)

    def _looked(
        self, shared: Shared, inputs: Inputs, work: ReviewWork, stop: Stop, reading: Reading | None = None
    ) -> Reviewed | Skipped:
        listener = LogListener(self.quiet.line)
        return review_pull(shared, inputs, work, listener=listener, stop=stop, reading=reading, fields=self._fields)

    def _answered(self, shared: Shared, inputs: Inputs, work: CommentWork, stop: Stop) -> Ending:
        from bot.action.comments import answer_comment, of_answer  # noqa: PLC0415 - all commands: 0.02 s of a review's start

        listener = LogListener(self.quiet.line)
        answered = answer_comment(shared, inputs, work, listener=listener, stop=stop, fields=self._fields)
        if answered.missing and (answered.review is not None or answered.failure is not None):
            self.teller.note(Level.WARNING, answered.missing)
        if answered.failure is not None:
            end = ending.of_error(answered.failure)
            if answered.outcome.commit is not None:
                # Nobody else looks at this head: without a word it would pass for one that nothing is wrong with.
                self._on_head(shared, work.order.place.repo, answered.outcome.commit, end)
            return end
        if answered.review is None:
            return self._standing(shared, inputs, work.standing, of_answer(answered), stop)
        end = self._told(shared, inputs, work.order.place.repo, answered.review)
        if isinstance(answered.review, Skipped):
            return self._standing(shared, inputs, work.standing, end, stop)
        if (
            work.order.comment.kind is CommentKind.CONVERSATION
            and end.exit_code == ending.GATE_FAILED
            and self.is_status
        ):
            # The run of such a comment is shown on the default branch, which must not turn red for a pull request.
            return replace(end, exit_code=ending.PASSED)
        return end

    def _standing(self, shared: Shared, inputs: Inputs, work: ReviewWork | None, end: Ending, stop: Stop) -> Ending:
        """The end of a run that reviewed nothing: `end`, or the verdict of the head that its check stands on."""
        made = None if work is None else self._looked(shared, inputs, work, stop)
        if work is None or not isinstance(made, Reviewed):
            return end
        # Why nobody was answered, or what was: the verdict that follows does not say it.
        self.teller.note(Level.NOTICE, end.reason)
        return self._told(shared, inputs, work.repo, made, may_write=not work.is_certain)

    def _told(
        self,
        shared: Shared,
        inputs: Inputs,
        repo: RepoName,
        made: Reviewed | Skipped,
        *,
        may_write: bool = True,
        is_elsewhere: bool = False,
    ) -> Ending:
        """What came of a review, written where it belongs, and as a status on the head that it is about.

        `is_elsewhere`: there is no pull request to write it on, which says nothing about what the token may.
        """
        if isinstance(made, Skipped):
            end, head = ending.of_skip(made, require_coverage=inputs.require_coverage), made.head
        else:
            before = self.teller.age() - (shared.clock.now() - made.began)
            end, head = self.teller.reviewed(made, seconds_before=before), CommitSha(made.review.change.head)
            # What may not write a review is not asked to write a status.
            may_write = may_write and (is_elsewhere or not made.untold)
        if head is not None and may_write:
            self._on_head(shared, repo, head, end)
        return end

    def _on_head(self, shared: Shared, repo: RepoName, head: CommitSha, end: Ending) -> None:
        if not self.teller.inputs.post:
            return
        client, stop = shared.own_place(repo, 0).client, shared.stop(STATUS_SECONDS)
        self.is_status = tell_status(client, self.env, repo, head, end, stop=stop, fields=self._fields)

    @property
    def _fields(self) -> dict[str, log.Field]:
        return fields_of(self.env)


@contextmanager
def _logged(quiet: Quiet) -> Iterator[None]:
    """Log events as lines of the job's log while the run lasts."""
    handler = _Handler(quiet)
    log.LOGGER.addHandler(handler)
    try:
        yield
    finally:
        log.LOGGER.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, quiet: Quiet) -> None:
        super().__init__(logging.WARNING)
        self._quiet = quiet

    def emit(self, record: logging.LogRecord) -> None:
        fields: Mapping[str, log.Field] = getattr(record, "fields", {})
        self._quiet.line(" ".join([record.getMessage(), *(f"{name}={value!r}" for name, value in fields.items())]))
