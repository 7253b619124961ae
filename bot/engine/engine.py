"""The job engine: orders are taken durably, each job is done once, newest first in its pull, whatever dies meanwhile.

This is the room's front; `intake` and `claims` hold the rules as statements, `dispatcher` runs, `janitor` watches, `flow` is
DBOS. One engine a process. It refuses to know GitHub: what a job does is the runner's.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from bot import log
from bot.engine import claims, intake
from bot.engine.claims import TakenOver
from bot.engine.database import Database, DatabaseAwayError
from bot.engine.dismissals import Dismissals, RepoMemory
from bot.engine.dispatcher import Dispatcher
from bot.engine.drafts import Drafts
from bot.engine.eventlog import EventLog
from bot.engine.flow import Flow
from bot.engine.history import History
from bot.engine.intake import Told
from bot.engine.janitor import Janitor, Rounds
from bot.engine.model import (
    Acceptance,
    AlreadyKnown,
    Delivery,
    ExecutorId,
    JobState,
    QueueFull,
    StopCause,
    Taken,
)
from bot.engine.ports import Observer, Runner
from bot.engine.schema import FileLock, tables_made
from bot.engine.spending import Spending
from bot.errors import ConfigError
from bot.hooks.events import InstallationId
from bot.hooks.orders import Work
from bot.review.model import RepoName

_ANSWER_SECONDS: Final = 8.0
"""GitHub waits 10 s for an answer to a delivery."""
_PARK_SECONDS: Final = 5.0
"""That runs have to return in once they were parked."""
_HOUR: Final = 3_600.0
_DAY: Final = 86_400.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How much, how long, where."""

    database_url: str
    reviews: int = 8
    """Runs at once in this process, without the answers to comments."""
    per_installation: int = 4
    """Runs at once of one installation, in all processes."""
    answers: int = 8
    """Comments that are answered at once in this process, beside the runs: a full house does not keep people waiting."""
    answers_per_installation: int = claims.TALK_PER_INSTALLATION
    """Of one installation, in all processes."""
    queue: int = 1000
    """Jobs that may wait, in all processes; a few more when several processes take some at the same moment."""
    keep_days: int = 30
    beat: float = 1.5
    """Seconds between heartbeats (PostgreSQL)."""
    lease: float = 6.0
    """Seconds that a heart may stand still before its process counts as dead (PostgreSQL)."""
    version: str = "1"
    """Of what DBOS has stored: a new one does not resume what an old one began, and nothing here needs that."""
    max_usd_per_day: float | None = None


class Engine:
    """`start` it, give it orders, `drain` and `close` it. Everything but these may be called from any thread."""

    def __init__(
        self,
        options: EngineOptions,
        runner: Runner,
        observer: Observer,
        *,
        on_taken: Callable[[Delivery, Work], None] = lambda _delivery, _work: None,
    ) -> None:
        """Raises ConfigError for a database that cannot be one. Nothing is opened yet.

        `on_taken` is told of each order that was stored, before it has a slot; it must return at once and not raise.
        """
        self._on_taken = on_taken
        self._options = options
        self._observer = observer
        self._owner = ExecutorId(uuid.uuid4().hex)
        self.database = Database(options.database_url)
        if self.database.is_sqlite and self.database.file is None:
            raise ConfigError("SPARK_DATABASE_URL names no file", remedy="Use sqlite:///PATH.")
        self.history = History(self.database)
        self.events = EventLog(self.database)
        self.spending = Spending(self.database, options.max_usd_per_day)
        self._flow = Flow(self.database, self._owner, options.version)
        self._dispatcher = Dispatcher(
            database=self.database,
            events=self.events,
            flow=self._flow,
            runner=runner,
            observer=observer,
            owner=self._owner,
            slots=options.reviews,
            per_installation=options.per_installation,
            talk_slots=options.answers,
            talk_per_installation=options.answers_per_installation,
        )
        self._janitor = Janitor(
            database=self.database,
            runs=self._dispatcher.runs,
            owner=self._owner,
            name=f"{socket.gethostname()}:{os.getpid()}",
            beat=options.beat,
            lease=options.lease,
            taken_over=self._taken_over,
            wake=self._dispatcher.wake,
            report=self._report,
        )
        self._file_lock: FileLock | None = None
        self._ready = False
        self._drafts = Drafts(self.database)
        self._dismissals = Dismissals(self.database)
        self._pruning = Rounds("engine-prune", _HOUR, self.prune)

    def start(self) -> None:
        """Make the tables, take over what a dead process left, begin to work. Returns when all is warm.

        Raises ConfigError when the database is another process's file or a newer version's, DatabaseAwayError.
        """
        try:
            if self.database.file is not None:
                self._file_lock = FileLock(self.database.file)
            with tables_made(self.database):
                self._flow.start(self._dispatcher.work)
            if self.database.is_sqlite:
                # The file is ours alone, so whoever ran something in it is dead.
                with self.database.write() as connection:
                    taken = claims.take_over(connection, None, now=time.time())
                self._taken_over(taken)
            self._janitor.start()
            self._pruning.start()
            self._dispatcher.start()
            self._dispatcher.wake()
        except BaseException:
            self.close()
            raise
        self._ready = True
        log.info("engine.started", executor=self._owner, database="sqlite" if self.database.is_sqlite else "postgresql")

    @property
    def ready(self) -> bool:
        """Whether orders can be taken and are worked on: the engine runs, and the database answers."""
        if not self._ready:
            return False
        try:
            with self.database.read() as connection:
                connection.execute(select(1)).scalar()
        except DatabaseAwayError:
            return False
        return True

    def accept(self, delivery: Delivery, work: Work) -> Acceptance:
        """Store the delivery and its job; when this returns Taken, nothing loses it. Raises DatabaseAwayError."""
        try:
            answer, told = self._write(
                lambda connection: intake.accept(connection, delivery, work, queue=self._options.queue)
            )
        except intake.FullError:
            log.warning("delivery.queue_full", delivery=delivery.id)
            return QueueFull(retry_after=intake.RETRY_AFTER)
        if isinstance(answer, Taken):
            log.info("job.queued", delivery=delivery.id, job=answer.job, repo=work.place.repo)
            self._on_taken(delivery, work)
            self._dispatcher.wake()
        self._dispatcher.pass_on(told, StopCause.SUPERSEDED)
        return answer

    def note(self, delivery: Delivery, answer: str) -> AlreadyKnown | None:
        """Remember a delivery that needs no job; what is known of it, if it came before. Raises DatabaseAwayError."""
        return self._write(lambda connection: intake.note(connection, delivery, answer))

    def stop_pull(self, repo: RepoName, number: int, why: str) -> int:
        """End the reviews that wait and run for a pull. Gives the number of jobs. Raises DatabaseAwayError."""
        now = time.time()
        return self._stop(lambda connection: intake.stop_pull(connection, repo, number, why, now=now), why)

    def stop_installation(self, installation: InstallationId, repos: Sequence[RepoName], why: str) -> int:
        """End what waits and runs for an installation, or for these repositories of it. Raises DatabaseAwayError."""
        now = time.time()
        return self._stop(
            lambda connection: intake.stop_installation(connection, installation, repos, why, now=now), why
        )

    def reviews_drafts(self, repo: RepoName) -> bool:
        """Whether the repository wants its drafts reviewed, as far as is known. Raises DatabaseAwayError."""
        return self._drafts.wanted(repo)

    def learn(self, repo: RepoName, *, reviews_drafts: bool) -> None:
        """What a review read in the repository's configuration. Raises DatabaseAwayError."""
        self._drafts.learn(repo, wanted=reviews_drafts)

    def memory(self, repo: RepoName) -> RepoMemory:
        """What was dismissed in a repository, for good: the port `bot.commands.ports.Memory`."""
        return self._dismissals.of(repo)

    def prune(self) -> None:
        """Forget what is older than `keep_days`, in our tables and in DBOS's. Called each hour, and at the start."""
        before = time.time() - self._options.keep_days * _DAY
        number = self.history.prune(before)
        workflows = self._flow.prune(before)
        if number or workflows:
            log.info("engine.pruned", jobs=number, workflows=workflows)

    def drain(self, seconds: float) -> None:
        """Begin nothing more; wait for what runs; then park it. What does not return soon goes back all the same."""
        self._ready = False
        self._dispatcher.pause()
        runs = self._dispatcher.runs
        if runs.wait_for_none(seconds):
            return
        for running in runs.all():
            running.stop(StopCause.PARKED)
        if runs.wait_for_none(_PARK_SECONDS):
            return
        for running in runs.all():
            log.warning("job.left_running", job=running.run.job, delivery=running.job.delivery)
            try:
                with self.database.write() as connection:
                    claims.give_back(connection, running.run.holds)
            except DatabaseAwayError as error:
                # Whoever finds this process dead takes it over.
                log.warning("engine.database_away", why=str(error))
            running.stop(StopCause.LOST)

    def close(self) -> None:
        """Stop everything; what still runs is parked. Safe to call twice."""
        if self._flow.launched:
            self.drain(0.0)
        self._ready = False
        self._dispatcher.close()
        self._janitor.close()
        self._pruning.close()
        if self._flow.launched:
            self._flow.close()
        if not self.database.is_sqlite:
            self._leave()
        self.events.close()
        self.database.close()
        if self._file_lock is not None:
            self._file_lock.close()
            self._file_lock = None

    def _leave(self) -> None:
        try:
            with self.database.beat() as connection:
                claims.leave(connection, self._owner)
        except DatabaseAwayError as error:
            log.warning("engine.database_away", why=str(error))

    def _write(self, work: Callable[[Connection], T]) -> T:
        for again in (True, False):
            try:
                return self.database.batch(work).result(_ANSWER_SECONDS)
            except NotYetError as error:
                raise DatabaseAwayError(f"The database did not store for {_ANSWER_SECONDS:.0f} s") from error
            except IntegrityError:
                # Another process stored the same row at the same moment: now it can be seen.
                if not again:
                    raise
        raise AssertionError

    def _stop(self, work: Callable[[Connection], Told], why: str) -> int:
        told = self._write(work)
        self._dispatcher.pass_on(told, StopCause.WITHDRAWN)
        number = len(told.ended) + len(told.stopped)
        if number:
            log.info("job.withdrawn", jobs=number, why=why)
        return number

    def _taken_over(self, taken: TakenOver) -> None:
        orphans = (*taken.waiting, *taken.failed)
        for each in orphans:
            log.warning("job.taken_over", job=each.job, delivery=each.delivery, attempt=each.attempt)
        for each in taken.failed:
            self._dispatcher.tell_state(
                each.job, JobState.FAILED, "The server's process died too often while it worked on this"
            )
        for each in taken.waiting:
            self._dispatcher.tell_state(each.job, JobState.QUEUED, "")
        self._dispatcher.wake()
        self._flow.abandon((each.job, each.attempt) for each in orphans)

    def _report(self) -> None:
        standing = self.history.standing()
        running = len(self._dispatcher.runs.all())
        self._observer.queue(waiting=standing.waiting, oldest=standing.oldest, running=running)
