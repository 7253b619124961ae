"""Live events of jobs: told from any thread without waiting, stored soon after, watched by many.

Who watches in the process that runs the job is woken at once, from memory. Who watches elsewhere sees what is stored: one
poller a process looks for all of them. It promises nothing about an event that was told less than a quarter of a second
before a power cut: these are to be looked at; what counts is kept with the job.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from bot.engine import eventrows
from bot.engine.channel import Channel, Memory, Watcher, is_final
from bot.engine.database import Database
from bot.engine.eventpoller import EventPoller
from bot.engine.eventwriter import EventWriter
from bot.engine.model import JobState
from bot.live.events import LiveEvent, LiveKind, Numbered

_PAGE = 500
"""Events that one read for a watcher takes at most."""


class EventLog:
    """Of one database. Thread-safe. Close it at the end: it stores what waits, and everybody's `watch` ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._memory = Memory()
        self._closing = threading.Event()
        self._hung_up = threading.Event()
        self._writer = EventWriter(database, self._memory, self._closing)
        self._poller = EventPoller(database, self._memory, self._closing)

    def tell(self, job_id: str, event: LiveEvent) -> None:
        """Show an event to who watches, and store it soon. Never waits, never raises; ignored once this is closed."""
        with self._memory.lock:
            if not self._closing.is_set():
                channel = self._memory.channel(job_id)
                channel.tell(event, time.monotonic())
                self._writer.expect(job_id, channel)

    def restart(self, job_id: str) -> None:
        """A run begins anew: what was told before is deleted, and who watches gets the STATE `running`. Never waits.

        Numbers go on growing, so that whoever resumes from an old one sees all of the new run.
        """
        event = LiveEvent(kind=LiveKind.STATE, data={"state": JobState.RUNNING.value, "why": ""})
        with self._memory.lock:
            if not self._closing.is_set():
                channel = self._memory.channel(job_id)
                channel.restart(event, time.monotonic())
                self._writer.expect(job_id, channel)

    def resume(self, job_id: str) -> None:
        """A further run goes on from what was told before, which stays: who watches gets the STATE `running`, `resumed`.

        Never waits. Numbers go on growing, as with `restart`.
        """
        data = {"state": JobState.RUNNING.value, "why": "", "resumed": True}
        with self._memory.lock:
            if not self._closing.is_set():
                channel = self._memory.channel(job_id)
                channel.resume(LiveEvent(kind=LiveKind.STATE, data=data), time.monotonic())
                self._writer.expect(job_id, channel)

    def flush(self, job_id: str) -> None:
        """Wait until what was told of the job is stored; at most ten seconds, if the database is away."""
        self._writer.flush(job_id)

    def read(self, job_id: str, after: int = 0) -> list[Numbered]:
        """What is stored of a job, from the first number after `after`. Raises DatabaseAwayError."""
        with self._database.read() as connection:
            return eventrows.after(connection, job_id, after)

    def watch(self, job_id: str, after: int = 0, *, beat: float = 15.0) -> Iterator[Numbered | None]:
        """What comes after the number `after`, as it comes; None each time nothing happened for `beat` seconds.

        Ends after the end of the job was given, at once for a job that there is not, and when this is closed. Raises
        DatabaseAwayError.
        """
        watcher = Watcher()
        with self._memory.lock:
            channel = self._memory.channel(job_id)
            channel.watchers.add(watcher)
            known = channel.last > 0 or channel.waiting > 0
            self._writer.hurry(channel)
        try:
            if known or self._introduce(job_id, channel):
                self._poller.expect()
                yield from self._follow(job_id, channel, watcher, after, beat)
        finally:
            with self._memory.lock:
                channel.watchers.discard(watcher)
                self._memory.let_go(job_id)

    def hang_up(self) -> None:
        """End everybody's `watch`, and each one from now on after what there is. Telling and storing go on."""
        with self._memory.lock:
            self._hung_up.set()
            self._wake_all()

    def close(self) -> None:
        """Store what waits, end all `watch`, stop the threads. The database is closed by who made it."""
        with self._memory.lock:
            self._closing.set()
            self._wake_all()
        self._poller.close()
        self._writer.close()

    def _wake_all(self) -> None:
        for channel in self._memory.channels.values():
            channel.wake()

    def _introduce(self, job_id: str, channel: Channel) -> bool:
        """Learn from the database where a job stands that is not told of here. False when there is no such job."""
        with self._database.read() as connection:
            found = eventrows.look(connection, job_id)
        with self._memory.lock:
            if channel.waiting:
                return True
            channel.begin_at(found.newest)
            if channel.final is None:
                channel.final = found.final
        return found.state is not None

    def _follow(
        self, job_id: str, channel: Channel, watcher: Watcher, after: int, beat: float
    ) -> Iterator[Numbered | None]:
        while True:
            with self._memory.lock:
                watcher.wake.clear()
                found = channel.after(after)
                floor, final = channel.floor, channel.final
            whole = True
            if found is None:
                with self._database.read() as connection:
                    found = eventrows.after(connection, job_id, after, limit=_PAGE)
                whole = len(found) < _PAGE
            for numbered in found:
                after = numbered.seq
                yield numbered
                if is_final(numbered.event):
                    return
            if whole:
                # All up to the floor was in the database, or is there no more.
                after = max(after, floor)
            if self._closing.is_set() or self._hung_up.is_set() or (final is not None and after >= final):
                return
            if not found and not watcher.wake.wait(beat):
                yield None
