"""Stores live events soon after they were told: one thread, one short transaction for all jobs, four times a second.

Of PROGRESS only the newest is stored, and none of a job that is over. An event gets its number when it is told; where the
newest number of the database is not known yet, this thread asks for it first.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Final

from sqlalchemy.exc import IntegrityError

from bot import log
from bot.engine import eventrows
from bot.engine.channel import Channel, Memory, is_final
from bot.engine.database import Database
from bot.engine.eventrows import Batch
from bot.live.events import Numbered

STORE_SECONDS: Final = 0.25
"""Between two writes."""
_FLUSH_SECONDS: Final = 10.0
_AWAY_SECONDS: Final = 1.0
"""Between two tries while the database is away."""
_MOST_WAITING: Final = 10_000
"""Events of a job that wait for a database that is away. Above that they are given up."""


class EventWriter:
    """Of one `EventLog`. What begins with "call with the lock" wants the memory's lock held."""

    def __init__(self, database: Database, memory: Memory, closing: threading.Event) -> None:
        self._database = database
        self._memory = memory
        self._closing = closing
        self._dirty: set[str] = set()
        """Jobs of which something waits to be stored."""
        self._stored = threading.Condition(memory.lock)
        self._work = threading.Event()
        self._hurry = threading.Event()
        """Somebody watches an event that has no number yet, or waits in `flush`."""
        self._flushing = 0
        self._thread: threading.Thread | None = None

    def expect(self, job: str, channel: Channel) -> None:
        """Call with the lock: something of this job is to be stored."""
        self._dirty.add(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="events-writer", daemon=True)
            self._thread.start()
        if not self._work.is_set():
            self._work.set()
        self.hurry(channel)

    def hurry(self, channel: Channel) -> None:
        """Call with the lock: whoever watches is not to wait for the numbers of what was told."""
        if channel.asks and channel.watchers:
            self._hurry.set()

    def flush(self, job: str) -> None:
        """Wait until what was told of the job is stored, for a while."""
        with self._stored:
            self._flushing += 1
            self._hurry.set()
            self._stored.wait_for(lambda: job not in self._dirty, timeout=_FLUSH_SECONDS)
            self._flushing -= 1

    def close(self) -> None:
        """Store what waits and end. `closing` is set."""
        self._work.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def _now(self) -> bool:
        return self._flushing > 0 or self._closing.is_set()

    def _run(self) -> None:
        due = 0.0
        trouble = ""
        while True:
            self._work.wait()
            if not self._now:
                self._hurry.wait(max(0.0, due - time.monotonic()))
            self._hurry.clear()
            try:
                self._number()
                if self._now or due <= time.monotonic():
                    due = time.monotonic() + STORE_SECONDS
                    self._store()
            except Exception as error:  # noqa: BLE001 - the outermost loop: everybody's events go through it
                # Once for each kind of trouble: it is tried again each second, for as long as it takes.
                if trouble != type(error).__name__:
                    log.error("events.not-stored", exc=error)
                trouble = type(error).__name__
                self._give_up()
                self._closing.wait(_AWAY_SECONDS)
            else:
                trouble = ""
            with self._memory.lock:
                if not self._dirty:
                    self._work.clear()
                    if self._closing.is_set():
                        return

    def _number(self) -> None:
        channels = self._memory.channels
        with self._memory.lock:
            asking = [job for job in self._dirty if channels[job].asks]
        if asking:
            with self._database.read() as connection:
                newest = eventrows.newest_numbers(connection, asking)
            with self._memory.lock:
                for job in asking:
                    channels[job].number(newest.get(job, 0))

    def _store(self) -> None:
        with self._memory.lock:
            batches = [batch for job in self._dirty if (batch := self._batch(job)) is not None]
        others: dict[str, int] = {}
        stored = False
        try:
            for batch in batches:
                batch.pack()
            if batches:
                others = self._database.batch(partial(eventrows.write, batches=batches)).result()
            stored = True
        except IntegrityError:
            others = self._store_each(batches)
            stored = True
        finally:
            with self._stored:
                for batch in batches:
                    self._settle(batch, others.get(batch.job), stored=stored)
                self._dirty = {job for job in self._dirty if self._memory.channels[job].waiting}
                for job in list(self._memory.channels):
                    self._memory.let_go(job)
                self._stored.notify_all()

    def _batch(self, job: str) -> Batch | None:
        """What there is to store of a job."""
        channel = self._memory.channels[job]
        events = channel.unstored()
        if not events:
            return None
        anew, channel.anew = channel.anew, False
        over = any(is_final(numbered.event) for numbered in events)
        passing = [] if over else [numbered.seq for numbered in events if numbered.event.kind.passes]
        passed = channel.progress if passing else None
        return Batch(
            job=job,
            expected=events[0].seq - 1,
            anew=anew,
            events=[numbered for numbered in events if _is_kept(numbered, passing)],
            last=events[-1].seq,
            passed=passed,
            progress=passing[-1] if passing else None,
            over=over,
        )

    def _store_each(self, batches: list[Batch]) -> dict[str, int]:
        """One at a time, because one of them cannot be stored: its job is gone, or another process was faster."""
        others: dict[str, int] = {}
        for batch in batches:
            try:
                others |= self._database.batch(partial(eventrows.write, batches=[batch])).result()
            except IntegrityError:
                with self._database.read() as connection:
                    newest = eventrows.newest_numbers(connection, [batch.job]).get(batch.job, 0)
                if newest > batch.expected:
                    others[batch.job] = newest
                else:
                    log.warning("events.no-job", job=batch.job, events=len(batch.rows))
        return others

    def _settle(self, batch: Batch, newest: int | None, *, stored: bool) -> None:
        channel = self._memory.channels[batch.job]
        if not stored or newest is not None:
            channel.anew |= batch.anew
        if newest is not None:
            channel.give_way(newest)
        elif stored:
            channel.mark(batch.last)
            channel.progress = batch.progress or channel.progress

    def _give_up(self) -> None:
        """Forget what has waited too long for a database that is away."""
        with self._stored:
            for job in list(self._dirty):
                channel = self._memory.channels[job]
                if channel.waiting > _MOST_WAITING or self._closing.is_set():
                    log.error("events.dropped", job=job, events=channel.waiting)
                    channel.drop_unstored()
                    self._dirty.discard(job)
            self._stored.notify_all()


def _is_kept(numbered: Numbered, passing: list[int]) -> bool:
    return not numbered.event.kind.passes or numbered.seq in passing[-1:]
