"""The runs of this process: each one's line to the engine (the `Control` port), and all of them together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from bot import log
from bot.engine import claims
from bot.engine.claims import Run
from bot.engine.database import Database, DatabaseAwayError
from bot.engine.eventlog import EventLog
from bot.engine.model import Checkpoint, Job, JobId, StopCause
from bot.hooks.orders import Work
from bot.live.events import LiveEvent

PATIENCE: Final = 60.0
"""Seconds that a run waits for a database that is away before it fails."""
_AGAIN: Final = 0.3

T = TypeVar("T")


class Desk(Protocol):
    """What a run asks of the engine that began it."""

    @property
    def database(self) -> Database:
        """Where its job is."""
        ...

    @property
    def events(self) -> EventLog:
        """Where its live page is fed."""
        ...

    def released(self) -> None:
        """A lane and a slot are free."""
        ...

    def submit(self, parent: Job, work: Work) -> None:
        """A further job of this one."""
        ...

    def withdraw(self, by: Job, number: int, why: str) -> int:
        """End the reviews that run or wait for a pull."""
        ...

    def lately(self, job: Job, seconds: float) -> int:
        """How many jobs came in its lane in the seconds before it, itself among them."""
        ...


class Running:
    """One run of a job: the `Control` port."""

    def __init__(self, *, job: Job, run: Run, desk: Desk, cause: StopCause | None) -> None:
        self.run = run
        self._job = job
        self._desk = desk
        self._lock = threading.Lock()
        self._cause = cause
        self._released = False
        self._leave = threading.Event()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next = 0

    @property
    def job(self) -> Job:
        """The job as it was when this run began."""
        return self._job

    @property
    def cause(self) -> StopCause | None:
        """Why to stop; None while nobody asks for it. The first to ask counts, but what is lost is lost."""
        return self._cause

    @property
    def is_released(self) -> bool:
        """Whether it has let its lane and its slot go."""
        return self._released

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when told to stop, at once if that was so already. Returns a function that takes this back."""
        with self._lock:
            if self._cause is None:
                self._next += 1
                number = self._next
                self._callbacks[number] = callback
                return lambda: self._forget(number)
        callback()
        return lambda: None

    def stop(self, cause: StopCause) -> None:
        """Tell it to stop. Safe to repeat, from any thread."""
        with self._lock:
            if self._cause is None or cause is StopCause.LOST:
                self._cause = cause
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
        if cause in {StopCause.LOST, StopCause.PARKED}:
            self._leave.set()
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - a stranger's function; who stops the run must not fail for it
                log.error("job.stop_failed", exc=error, job=self._job.id, delivery=self._job.delivery)

    def tell(self, event: LiveEvent) -> None:
        """Show something on the live page. A run that is lost has nothing to show any more."""
        if self._cause is not StopCause.LOST:
            self._desk.events.tell(self._job.id, event)

    def checkpoint(self) -> Checkpoint | None:
        """What an earlier run of this job has kept."""

        def read() -> Checkpoint | None:
            with self._desk.database.read() as connection:
                return claims.kept(connection, self._job.id)

        return self._patiently(read)

    def keep(self, checkpoint: Checkpoint) -> bool:
        """Store it durably. False when another process owns the job now: then nothing may be posted."""
        is_ours = self._patiently(
            lambda: self._desk.database.batch(lambda c: claims.keep(c, self.run, checkpoint)).result()
        )
        if not is_ours:
            self.stop(StopCause.LOST)
        return is_ours

    def release(self) -> None:
        """Let the lane and the slot go. Safe to repeat."""
        if self._released:
            return
        if self._patiently(lambda: self._desk.database.batch(lambda c: claims.release(c, self.run)).result()):
            self._released = True
            self._desk.released()

    def submit(self, work: Work) -> None:
        """Make a further job of this one. Safe to repeat."""
        self._patiently(lambda: self._desk.submit(self._job, work))

    def withdraw(self, number: int, why: str) -> int:
        """End the reviews that run or wait for a pull of this job's repository. Safe to repeat."""
        return self._patiently(lambda: self._desk.withdraw(self._job, number, why))

    def lately(self, seconds: float) -> int:
        """See `Control.lately`."""
        return self._patiently(lambda: self._desk.lately(self._job, seconds))

    def _patiently(self, do: Callable[[], T]) -> T:
        """A database that restarts must not cost a review."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return do()
            except DatabaseAwayError:
                if time.monotonic() > end or self._leave.wait(_AGAIN):
                    raise

    def _forget(self, number: int) -> None:
        with self._lock:
            self._callbacks.pop(number, None)


class Runs:
    """All runs of this process. A job that was lost and won again can be here twice."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._runs: dict[tuple[JobId, int], Running] = {}
        self._hung_up = False

    def add(self, running: Running) -> None:
        """It is about to begin."""
        with self._changed:
            self._runs[running.run.job, running.run.attempt] = running
            self._changed.notify_all()

    def remove(self, running: Running) -> None:
        """It is over."""
        with self._changed:
            self._runs.pop((running.run.job, running.run.attempt), None)
            self._changed.notify_all()

    def get(self, job: JobId, attempt: int) -> Running | None:
        """One of them."""
        with self._changed:
            return self._runs.get((job, attempt))

    def all(self) -> list[Running]:
        """All of them now."""
        with self._changed:
            return list(self._runs.values())

    def of(self, job: JobId) -> list[Running]:
        """Those of a job."""
        return [running for running in self.all() if running.run.job == job]

    def slots(self, *, talk: bool) -> int:
        """Slots in use, of answers to comments or of everything else: a run that has let its lane go has let its slot go,
        and one that is lost holds none.
        """
        return sum(
            running.job.is_talk is talk and not running.is_released and running.cause is not StopCause.LOST
            for running in self.all()
        )

    def wait_for_some(self, seconds: float) -> bool:
        """Wait until something runs. False when nothing does."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._runs) or self._hung_up, seconds)
            return bool(self._runs)

    def hang_up(self) -> None:
        """From now on `wait_for_some` returns at once."""
        with self._changed:
            self._hung_up = True
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> bool:
        """Wait until nothing runs. False when something still does."""
        end = time.monotonic() + seconds
        with self._changed:
            return self._changed.wait_for(lambda: not self._runs, max(0.0, end - time.monotonic()))
