"""What keeps processes and jobs in step: the heartbeat, the taking over of dead processes' jobs, stops from elsewhere.

A watcher believes its own clock alone. It counts the time that another process's number of beats stands still, but only in
the steps in which it was itself awake and the database answered: who was suspended, or cut off, accuses nobody for that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from bot import log
from bot.engine import claims
from bot.engine.claims import Run, TakenOver
from bot.engine.database import Database, DatabaseAwayError
from bot.engine.model import ExecutorId, JobId, StopCause
from bot.engine.runs import Runs

_STOPS: Final = 0.2
"""Seconds between looks for stops that another process asks for."""


class Lease:
    """Which of the others are dead. Fed with what a look at the database showed."""

    def __init__(self, seconds: float, longest_step: float) -> None:
        self._seconds = seconds
        self._longest_step = longest_step
        self._last: float | None = None
        self._seen: dict[ExecutorId, tuple[int | None, float]] = {}

    def dead(self, pulses: Mapping[ExecutorId, int | None], now: float) -> list[ExecutorId]:
        """Those whose number has stood still for the length of the lease. `now`: monotonic seconds."""
        step = 0.0 if self._last is None else min(now - self._last, self._longest_step)
        self._last = now
        self._seen = {
            executor: (beats, self._seen[executor][1] + step)
            if executor in self._seen and self._seen[executor][0] == beats
            else (beats, 0.0)
            for executor, beats in pulses.items()
        }
        return [executor for executor, (_, still) in self._seen.items() if still >= self._seconds]


class Rounds:
    """A thread that does something again and again. A database that is away costs a round, not the thread."""

    def __init__(self, name: str, every: float, do: Callable[[], None]) -> None:
        self._name = name
        self._every = every
        self._do = do
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """The first round is at once."""
        self._thread.start()

    def stop(self) -> None:
        """The round that is under way is the last."""
        self._closing.set()

    def close(self) -> None:
        """Stop after the round that is under way."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._closing.is_set():
            try:
                self._do()
            except DatabaseAwayError as error:
                log.warning("engine.database_away", why=str(error), thread=self._name)
            except Exception as error:  # noqa: BLE001 - outermost loop: the next round may do better
                log.error("engine.round_failed", exc=error, thread=self._name)
            self._closing.wait(self._every)


class Janitor:
    """Of one process. On SQLite there are no others to watch; what is ours is looked after all the same."""

    def __init__(
        self,
        *,
        database: Database,
        runs: Runs,
        owner: ExecutorId,
        name: str,
        beat: float,
        lease: float,
        taken_over: Callable[[TakenOver], None],
        wake: Callable[[], None],
        report: Callable[[], None],
    ) -> None:
        """`taken_over` is told of the jobs of a dead process; `report` is called with each look."""
        self._database = database
        self._runs = runs
        self._owner = owner
        self._name = name
        self._taken_over = taken_over
        self._wake = wake
        self._report = report
        look = min(1.0, beat)
        self._lease = Lease(lease, 2 * look)
        self._strays: set[tuple[JobId, int]] = set()
        self._rounds = [Rounds("engine-janitor", look, self._look)]
        if not database.is_sqlite:
            self._rounds += [
                Rounds("engine-heart", beat, self._beat),
                Rounds("engine-stops", _STOPS, self._ask_for_stops),
            ]

    def start(self) -> None:
        """Show that this process lives, then watch."""
        if not self._database.is_sqlite:
            self._beat()
        for rounds in self._rounds:
            rounds.start()

    def close(self) -> None:
        """Stop all threads."""
        for rounds in self._rounds:
            rounds.stop()
        self._runs.hang_up()
        for rounds in self._rounds:
            rounds.close()

    def _beat(self) -> None:
        with self._database.beat() as connection:
            claims.beat(connection, self._owner, self._name)

    def _look(self) -> None:
        if not self._database.is_sqlite:
            self._watch()
        self._look_after_ours()
        self._report()

    def _watch(self) -> None:
        with self._database.read() as connection:
            pulses = claims.pulses(connection)
        pulses.pop(self._owner, None)
        for dead in self._lease.dead(pulses, time.monotonic()):
            with self._database.write() as connection:
                taken = claims.take_over(connection, dead, now=time.time())
            log.warning("engine.process_dead", executor=dead, jobs=len(taken.waiting) + len(taken.failed))
            self._taken_over(taken)

    def _look_after_ours(self) -> None:
        """A job that the database says we run, and that we do not run at two looks, goes back: its claim's answer was lost,
        or it could not be begun.
        """
        ours = self._compare()
        strays = {(job, attempt) for job, attempt in ours.items() if self._runs.get(job, attempt) is None}
        for job, attempt in strays & self._strays:
            run = Run(job=job, owner=self._owner, attempt=attempt)
            with self._database.write() as connection:
                claims.give_back(connection, run.holds)
            log.warning("engine.stray_job", job=job)
            self._wake()
        self._strays = strays

    def _ask_for_stops(self) -> None:
        if self._runs.wait_for_some(1.0):
            self._compare()

    def _compare(self) -> dict[JobId, int]:
        """Tell our runs what the database says of them. Gives the attempts of the jobs that it says are ours."""
        runs = self._runs.all()
        with self._database.read() as connection:
            ours = claims.mine(connection, self._owner)
        for running in runs:
            attempt, stop = ours.get(running.run.job, (0, None))
            if attempt != running.run.attempt:
                # It may have ended while we looked: then the word reaches nobody.
                running.stop(StopCause.LOST)
            elif stop is not None and running.cause is None:
                running.stop(stop)
        return {job: attempt for job, (attempt, _) in ours.items()}
