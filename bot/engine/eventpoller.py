"""Looks for live events that other processes have stored: one thread, one question a quarter of a second for all watchers.

It also ends the watching of a job that is over without its end having been told, because its process was killed before.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from bot import log
from bot.engine import eventrows
from bot.engine.channel import Channel, Memory
from bot.engine.database import Database
from bot.engine.model import JobState
from bot.live.events import LiveEvent, LiveKind, Numbered

POLL_SECONDS: Final = 0.25
_QUIET_SECONDS: Final = 1.0
"""A job of which nothing was told here so long may be told of by another process."""
_LOOK_EVERY: Final = 4
"""Polls between two looks at the jobs themselves."""
_GRACE_SECONDS: Final = 2.0
"""A job that is over without its end having been told gets its end from us after so long."""


class EventPoller:
    """Of one `EventLog`."""

    def __init__(self, database: Database, memory: Memory, closing: threading.Event) -> None:
        self._database = database
        self._memory = memory
        self._closing = closing
        self._watched = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def expect(self) -> None:
        """Somebody watches."""
        with self._starting:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="events-poller", daemon=True)
                self._thread.start()
        if not self._watched.is_set():
            self._watched.set()

    def close(self) -> None:
        """End. `closing` is set."""
        with self._starting:
            thread = self._thread
        self._watched.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        turn = 0
        trouble = ""
        while not self._closing.is_set():
            self._watched.wait()
            self._closing.wait(POLL_SECONDS)
            turn += 1
            try:
                self._look(also_jobs=turn % _LOOK_EVERY == 0)
            except Exception as error:  # noqa: BLE001 - the outermost loop: all live pages hang on it
                if trouble != type(error).__name__:
                    log.error("events.not-read", exc=error)
                trouble = type(error).__name__
            else:
                trouble = ""

    def _look(self, *, also_jobs: bool) -> None:
        now = time.monotonic()
        with self._memory.lock:
            watched = {job: channel for job, channel in self._memory.channels.items() if channel.watchers}
            polled = {
                job: channel.last
                for job, channel in watched.items()
                if channel.final is None and not channel.waiting and now - channel.touched > _QUIET_SECONDS
            }
            if not watched and not self._closing.is_set():
                self._watched.clear()
        if not polled:
            return
        with self._database.read() as connection:
            states = eventrows.states(connection, list(polled)) if also_jobs else None
            found = eventrows.after_each(connection, polled)
        with self._memory.lock:
            for job in polled:
                watched[job].add(found.get(job, []))
                if states is not None and watched[job].final is None:
                    _end_if_over(watched[job], states.get(job), now)


def _end_if_over(channel: Channel, state: JobState | None, now: float) -> None:
    if state is not None and not state.is_over:
        channel.over_since = None
    elif channel.over_since is None:
        channel.over_since = now
    elif now - channel.over_since >= _GRACE_SECONDS:
        if state is not None:
            event = LiveEvent(kind=LiveKind.STATE, data={"state": state.value, "why": ""})
            channel.add([Numbered(seq=channel.last + 1, event=event)])
        else:
            channel.final = channel.last
            channel.wake()
