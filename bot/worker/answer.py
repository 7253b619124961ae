"""One `AnswerComment` from its delivery to its end: acknowledged, served, and told how it ended.

It reads and writes as the App, on this pull alone. The reaction comes first, before anything is read. A run that follows a
killed one finds the answer that is there and says nothing twice. The text of a comment is never logged.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bot import log
from bot.commands.model import Command, Outcome, Reaction, Verb
from bot.commands.ports import Memory
from bot.commands.serve import LOOP_ANSWERS, serve, tell_trouble
from bot.diff.model import Patch
from bot.engine.model import Ended, JobState
from bot.engine.ports import Control
from bot.errors import OutsideError, SparkError
from bot.github.app import App
from bot.github.people import Collaborators
from bot.hooks.orders import AnswerComment, Cause, ReviewPull
from bot.model.budget import Purse
from bot.review.model import Effort, RepoName
from bot.review.ports import Stop
from bot.review.render.safe import Redactor
from bot.wiring import PullPlace, Shared
from bot.wiring.desk import CommentDesk, CommentErrand
from bot.worker.endings import cut_short

_READS_CHANGE = frozenset({Verb.FIX, Verb.EXPLAIN, Verb.ASK})
FLOOD_MINUTES: Final = 10
FLOOD: Final = 60
"""So many comments that may be for us, on one pull in so many minutes, are a flood: those above cost one reaction, and one
question about who writes. Answers alone have a lower bound (`serve.LOOP_ANSWERS`); what is heard without a word has this one.
"""
FLOOD_OF_WRITERS: Final = 300
_STATES = {"nothing": JobState.SKIPPED, "failed": JobState.FAILED}
"""What an outcome is as the end of a job; DONE for all others, a refusal among them."""


class CommentAnswer:
    """One run of the job. `run` it once."""

    def __init__(
        self,
        shared: Shared,
        app: App,
        control: Control,
        work: AnswerComment,
        *,
        memory: Callable[[RepoName], Memory],
        purse: Callable[[str], Purse] | None,
        acknowledged: float | None = None,
    ) -> None:
        """`acknowledged`: when the comment got its eyes already, in seconds since 1970."""
        job = control.job
        self._acknowledged = acknowledged
        self._shared = shared
        self._control = control
        self._work = work
        self._created_at = job.created_at
        self._fields: dict[str, log.Field] = {"job": job.id, "delivery": job.delivery}
        self._stop = shared.stop()
        self._client = app.client(job.installation, job.repo)
        place = PullPlace(client=self._client, installation=job.installation, repo=job.repo, number=work.number)
        self._front = CommentDesk(
            shared,
            CommentErrand(
                place=place,
                stop=self._stop,
                memory=memory(job.repo),
                reviews=OrderedReviews(shared, control, place, work, stop=self._stop),
                delivery=job.delivery,
                purse=purse(job.id) if purse is not None else None,
            ),
        )
        self._people = Collaborators(self._client, job.repo, stop=self._stop)
        self._timing: dict[str, float] = {}

    def run(self) -> Ended:
        """Do it. Never raises for what the world or a command does."""
        forget = self._control.on_stop(self._stop.cancel)
        try:
            ended = self._done()
        finally:
            forget()
            self._front.close()
            self._client.close()
        usage = self._front.usage
        counted = {
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "calls": usage.calls,
        }
        timing = {**self._timing, "done": self._since()}
        return replace(ended, usd=usage.usd, usage=counted, timing=timing)

    def _done(self) -> Ended:
        # A request that is given no time may be on its way all the same.
        if (stopped := self._stopped()) is not None:
            return stopped
        try:
            count = self._control.lately(FLOOD_MINUTES * 60.0)
            if count > FLOOD and not self._is_heard_all_the_same(count):
                return self._flooded(count)
            if self._work.command is not None:
                self._acknowledge()
            reads = isinstance(self._work.command, Command) and self._work.command.verb in _READS_CHANGE
            # Ahead of the answer to who asks; not while strangers may be at play.
            if reads and count <= LOOP_ANSWERS:
                self._front.expect_change()
            # All of it may be repeated: what was said or changed before GitHub went away is found.
            outcome = self._shared.patiently(
                self._serve, stop=self._front.saying, doing="answering a comment", fields=self._fields
            )
        except SparkError as error:
            if self._control.cause is not None:
                return cut_short(self._control.cause)
            log.warning("job.failed", why=str(error), error=type(error).__name__, **self._named)
            self._say_so(error)
            return Ended(state=JobState.FAILED, why=str(error), error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - outermost of a command: whoever gave it must see that it ended
            if self._control.cause is not None:
                return cut_short(self._control.cause)
            log.error("job.crashed", exc=error, **self._named)
            kind = type(error).__name__
            self._say_so(OutsideError(f"a bug in Spark stopped it ({kind})", remedy="What it had done before stands"))
            return Ended(state=JobState.FAILED, why=f"A bug stopped it ({kind})", error=kind)
        return self._ended(outcome)

    def _stopped(self) -> Ended | None:
        """How it ends where it was told to stop; None where it was not."""
        cause = self._control.cause
        return None if cause is None else cut_short(cause)

    def _is_heard_all_the_same(self, count: int) -> bool:
        """Commands of those who may write, for longer: else strangers could have nobody heard."""
        if self._work.command is None or count > FLOOD_OF_WRITERS:
            return False
        return self._people.may_write(self._work.sender)

    def _flooded(self, count: int) -> Ended:
        if self._work.command is not None:
            with contextlib.suppress(SparkError):
                self._front.talk.react(self._work.comment, Reaction.NO)
        log.warning("comment.flood", comments=count, minutes=FLOOD_MINUTES, **self._fields)
        return self._ended(Outcome(what="refused", why=f"{count} comments in {FLOOD_MINUTES} minutes are too many"))

    def _acknowledge(self) -> None:
        """The first thing that is sent. Where GitHub does not take it, the command is carried out all the same."""
        if self._acknowledged is None:
            try:
                self._front.talk.react(self._work.comment, Reaction.SEEN)
            except SparkError as error:
                log.warning("comment.not_acknowledged", why=error.what, **self._fields)
                return
            self._timing["ack"] = self._since()
        else:
            self._timing["ack"] = max(0.0, self._acknowledged - self._created_at)
        log.info("comment.acknowledged", seconds=self._timing["ack"], **self._fields)

    def _serve(self) -> Outcome:
        work = self._work
        return serve(
            ref=work.comment,
            command=work.command,
            sender=work.sender,
            desk=self._front.desk(),
            text=work.text,
            fields=self._fields,
        )

    def _ended(self, outcome: Outcome) -> Ended:
        state = _STATES.get(outcome.what, JobState.DONE)
        log.info("comment.answered", what=outcome.what, command=self._verb, seconds=self._since(), **self._fields)
        error = OutsideError.__name__ if state is JobState.FAILED else ""
        return Ended(state=state, why=outcome.why, url=outcome.url, error=error, outcome=outcome.what)

    def _say_so(self, error: SparkError) -> None:
        """Tell whoever gave the command; a reaction and an answer are tried. Of a reply nobody knows yet whether it was for us."""
        work = self._work
        if work.command is not None:
            tell_trouble(self._front.talk, ref=work.comment, sender=work.sender, error=error, fields=self._fields)

    @property
    def _verb(self) -> str:
        command = self._work.command
        if command is None:
            return "reply"
        return command.verb.value if isinstance(command, Command) else "unknown"

    @property
    def _named(self) -> dict[str, log.Field]:
        return {**self._fields, "attempt": self._control.job.attempt}

    def _since(self) -> float:
        """Seconds from the delivery."""
        return round(max(0.0, time.time() - self._created_at), 4)


class OrderedReviews:
    """The `Reviews` port over the engine: what is started is a job, what is stopped are the pull's jobs."""

    def __init__(self, shared: Shared, control: Control, place: PullPlace, work: AnswerComment, *, stop: Stop) -> None:
        self._shared = shared
        self._control = control
        self._place = place
        self._work = work
        self._stop = stop

    def start(self, effort: Effort | None) -> None:
        """See `Reviews.start`. The head and the base are read anew. Raises NotPermittedError, OutsideError."""
        self._control.submit(replace(self._order(Cause.ASKED), effort=effort, force=True, asked_by=self._work.sender))

    def catch_up(self) -> None:
        """See `Reviews.catch_up`. A head that was reviewed already is not reviewed again."""
        self._control.submit(self._order(Cause.SYNCHRONIZE))

    def judge(self) -> None:
        """See `Reviews.judge`."""
        self._control.submit(replace(self._order(Cause.JUDGED), force=True))

    def _order(self, cause: Cause) -> ReviewPull:
        pull = self._shared.pull(self._place, self._stop)
        return ReviewPull(
            place=self._work.place,
            number=pull.number,
            head_sha=pull.head_sha,
            base_ref=pull.base_ref,
            cause=cause,
            title=Redactor(Patch(files=())).redact(pull.title),
            author=pull.author,
            draft=pull.draft,
        )

    def stop(self, why: str) -> bool:
        """See `Reviews.stop`."""
        self._control.withdraw(self._work.number, why)
        return True
