"""Jobs begun and ended: a thread that claims what can run the moment it can, and what is done around each run.

It waits to be woken, so nothing is polled before a job's first step. On PostgreSQL it looks twice a second all the same: a
job may have come to another process that is full.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import IntegrityError

from bot import log
from bot.engine import claims, intake
from bot.engine.claims import Run
from bot.engine.codec import StoredDataError
from bot.engine.database import Database, DatabaseAwayError
from bot.engine.eventlog import EventLog
from bot.engine.flow import Flow
from bot.engine.history import job_of
from bot.engine.intake import AnyRow, Told
from bot.engine.model import Ended, ExecutorId, Job, JobId, JobState, StopCause
from bot.engine.ports import Observer, Runner
from bot.engine.runs import Running, Runs
from bot.hooks.orders import Work
from bot.live.events import LiveEvent, LiveKind

_LOOK: Final = 0.5
"""Seconds between looks at the queue on PostgreSQL; also the pause after the database was away."""
_LOOK_ALONE: Final = 5.0
"""On SQLite, where every change is made by this process: for a commit of which the answer got lost."""


class Dispatcher:
    """Of one process. It is the `Desk` of its runs."""

    def __init__(
        self,
        *,
        database: Database,
        events: EventLog,
        flow: Flow,
        runner: Runner,
        observer: Observer,
        owner: ExecutorId,
        slots: int,
        per_installation: int,
        talk_slots: int,
        talk_per_installation: int,
    ) -> None:
        self.database = database
        self.events = events
        self.runs = Runs()
        self._flow = flow
        self._runner = runner
        self._observer = observer
        self._owner = owner
        self._slots = slots
        self._per_installation = per_installation
        self._talk_slots = talk_slots
        self._talk_per_installation = talk_per_installation
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._paused = False
        # Held from a claim to the moment its run can be told things: who stops a job that was just claimed waits for that.
        self._claiming = threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="engine-dispatcher", daemon=True)

    def start(self) -> None:
        """From now on jobs are begun."""
        self._thread.start()

    def wake(self) -> None:
        """Something may be able to run."""
        self._wake.set()

    released = wake

    def pause(self) -> None:
        """Begin no more jobs. When this returns, none is about to begin."""
        self._paused = True
        with self._claiming:
            pass

    def close(self) -> None:
        """Stop the thread. Runs go on."""
        self._paused = True
        self._closing.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join()

    def submit(self, parent: Job, work: Work) -> None:
        """A further job of a running one."""
        job, told = self.database.batch(lambda c: intake.submit(c, parent, work, now=time.time())).result()
        self.pass_on(told, StopCause.SUPERSEDED)
        if job is not None:
            log.info("job.submitted", job=job, parent=parent.id, delivery=parent.delivery)
            self.wake()

    def withdraw(self, by: Job, number: int, why: str) -> int:
        """End the reviews that run or wait for a pull, because a command of somebody's asks for it."""
        now = time.time()
        told = self.database.batch(lambda c: intake.stop_pull(c, by.repo, number, why, now=now)).result()
        self.pass_on(told, StopCause.WITHDRAWN)
        stopped = len(told.ended) + len(told.stopped)
        if stopped:
            log.info("job.withdrawn", jobs=stopped, why=why, job=by.id, delivery=by.delivery)
        return stopped

    def lately(self, job: Job, seconds: float) -> int:
        """How many jobs came in its lane in the seconds before it, itself among them."""
        with self.database.read() as connection:
            return intake.lately(connection, job, seconds)

    def pass_on(self, told: Told, cause: StopCause) -> None:
        """What a transaction did to other jobs, to their pages and runs."""
        for job in told.ended:
            self.tell_state(job, JobState.SUPERSEDED, "It was stopped before it began")
        if any(owner == self._owner for _, owner in told.stopped):
            with self._claiming:
                runs = [running for job, _ in told.stopped for running in self.runs.of(job)]
            for running in runs:
                running.stop(cause)

    def tell_state(self, job: JobId, state: JobState, why: str) -> None:
        """Show on the page where the job stands."""
        self.events.tell(job, LiveEvent(kind=LiveKind.STATE, data={"state": state.value, "why": why}))

    def _loop(self) -> None:
        pause = _LOOK_ALONE if self.database.is_sqlite else _LOOK
        while not self._closing.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            try:
                while self._begin_one():
                    pass
            except DatabaseAwayError as error:
                log.warning("engine.database_away", why=str(error))
                self._closing.wait(_LOOK)
                self.wake()
            except Exception as error:  # noqa: BLE001 - outermost loop: a job that cannot be begun must not end all others
                log.error("engine.dispatch_failed", exc=error)
                self._closing.wait(_LOOK)
                self.wake()

    def _begin_one(self) -> bool:
        """Whether it is worth trying once more at once."""
        with self._claiming:
            if self._paused:
                return False
            reviews, talk = self._room()
            if not reviews and not talk:
                return False
            now = time.time()
            try:
                with self.database.write() as connection:
                    row, again = claims.claim(
                        connection,
                        self._owner,
                        per_installation=self._per_installation,
                        talk_per_installation=self._talk_per_installation,
                        reviews=reviews,
                        talk=talk,
                        now=now,
                    )
            except IntegrityError:
                return True
            if row is None:
                return again
            run = Run(job=row.id, owner=self._owner, attempt=row.attempt)
            try:
                job = job_of(row)
            except StoredDataError as error:
                self._refuse(run, row, error)
                return True
            cause = None if row.stop is None else StopCause(row.stop)
            self.runs.add(running := Running(job=job, run=run, desk=self, cause=cause))
        try:
            self._flow.run(run)
        except BaseException:
            # Not begun: the janitor finds a job of ours that does not run, and gives it back.
            self.runs.remove(running)
            raise
        return True

    def _room(self) -> tuple[bool, bool]:
        """Whether there are slots for reviews, and for answers to comments."""
        reviews = self.runs.slots(talk=False) < self._slots
        talk = self.runs.slots(talk=True) < self._talk_slots
        if talk and not reviews:
            # Looked for beside those who write: in a burst that is asked for each delivery.
            with self.database.read() as connection:
                talk = claims.talk_waits(connection)
        return reviews, talk

    def _refuse(self, run: Run, row: AnyRow, error: StoredDataError) -> None:
        log.error("job.unreadable", job=run.job, delivery=row.delivery, why=str(error))
        ended = Ended(state=JobState.FAILED, why=str(error), error=type(error).__name__)
        self.database.batch(lambda c: claims.end(c, run, ended, now=time.time())).result()
        self.tell_state(run.job, ended.state, ended.why)

    def work(self, job_id: JobId, attempt: int) -> str:
        """Do an attempt of a job, in the thread of its workflow. Gives what DBOS keeps of it: how it ended."""
        running = self.runs.get(job_id, attempt)
        if running is None:
            # Nobody of this process claimed it.
            return StopCause.LOST.value
        try:
            return self._run(running)
        finally:
            self.runs.remove(running)
            self.wake()

    def _run(self, running: Running) -> str:
        job = running.job
        fields: dict[str, log.Field] = {"job": job.id, "delivery": job.delivery, "attempt": job.attempt}
        waited = max(0.0, (job.started_at or job.created_at) - job.created_at)
        self._show_begin(running)
        _quietly(lambda: self._observer.job_started(job, waited=waited))
        log.info("job.started", **fields, waited=round(waited, 4))
        try:
            ended = self._runner.run(running)
        except Exception as error:  # noqa: BLE001 - outermost of a job: what a runner raises is a bug, and one job's alone
            log.error("job.raised", exc=error, **fields)
            ended = Ended(
                state=JobState.FAILED, why=f"A bug stopped it ({type(error).__name__})", error=type(error).__name__
            )
        ended = _checked(ended, running.cause)
        if not self._store(running, ended):
            log.warning("job.lost", **fields)
            return StopCause.LOST.value
        self.tell_state(job.id, ended.state, ended.why)
        log.info("job.ended", **fields, state=ended.state.value, why=ended.why, error=ended.error)
        _quietly(lambda: self._observer.job_ended(job, ended))
        return ended.state.value

    def _show_begin(self, running: Running) -> None:
        job = running.job
        if job.attempt <= 1:
            self.tell_state(job.id, JobState.RUNNING, "")
            return
        try:
            # What an earlier run has kept is posted as it is: the review on the page is that one.
            resumes = running.checkpoint() is not None
        except (DatabaseAwayError, StoredDataError) as error:
            log.warning("job.checkpoint_unknown", job=job.id, delivery=job.delivery, why=str(error))
            resumes = False
        if resumes:
            self.events.resume(job.id)
        else:
            self.events.restart(job.id)

    def _store(self, running: Running, ended: Ended) -> bool:
        """However long the database is away, until this process ends: a job must not be done twice for that."""
        while True:
            try:
                return self.database.batch(lambda c: claims.end(c, running.run, ended, now=time.time())).result()
            except DatabaseAwayError as error:
                log.warning("engine.database_away", why=str(error), job=running.run.job)
                if self._closing.wait(_LOOK):
                    return False


def _checked(ended: Ended, cause: StopCause | None) -> Ended:
    """A run cannot end where it began; only what was parked goes back."""
    if ended.state is JobState.RUNNING or (ended.state is JobState.QUEUED and cause is not StopCause.PARKED):
        why = f"A bug: the run ended as {ended.state.value} although nobody parked it"
        return Ended(state=JobState.FAILED, why=why, error="NotAnEnd")
    return ended


def _quietly(tell: Callable[[], object]) -> None:
    try:
        tell()
    except Exception as error:  # noqa: BLE001 - who watches a job must not change what becomes of it
        log.error("engine.telling_failed", exc=error)
