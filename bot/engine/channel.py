"""The newest live events of one job in memory, for those who watch it in this process; and what is still to be stored.

Knows no tables and starts no threads: whoever uses a `Channel` holds the lock of its `Memory`. Bounded: events that are stored leave when
there are more than `KEPT`; a watcher that fell further behind reads from the database.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_right
from typing import Any, Final

from bot.engine.model import JobState
from bot.live.events import LiveEvent, LiveKind, Numbered

KEPT: Final = 256
"""Stored events of a job that stay in memory."""
GAP: Final = 10_000
"""Numbers left out where a further run of a job begins in another process: of the run before somebody may have seen events that were
never stored, and must not take the first ones of the new run for those."""
_IDLE_SECONDS: Final = 60.0
"""A job of which nothing was told so long leaves the memory."""


def state_of(event: LiveEvent) -> JobState | None:
    """The state that a STATE event tells."""
    state: Any = event.data.get("state") if event.kind is LiveKind.STATE else None
    return JobState(state) if isinstance(state, str) and state in {*JobState} else None


def is_final(event: LiveEvent) -> bool:
    """Whether the event tells that its job is over."""
    state = state_of(event)
    return state is not None and state.is_over


class Watcher:
    """One who watches. `wake` is set when there is something to look at."""

    __slots__ = ("wake",)

    def __init__(self) -> None:
        self.wake = threading.Event()


class Channel:
    """Of one job. What comes after `floor` is in memory, as far as it is known; all up to `floor` is in the database."""

    __slots__ = (
        "_elsewhere", "_events", "_numbered", "_numbers", "_runs", "_unnumbered", "anew", "final", "floor", "last",
        "over_since", "progress", "stored", "touched", "watchers",
    )  # fmt: skip

    def __init__(self) -> None:
        self._events: list[Numbered] = []
        self._numbers: list[int] = []
        """Of `_events`, to search in."""
        self._numbered = False
        """Whether the next number is known to be `last + 1`; else the database is asked where to go on."""
        self._unnumbered: list[LiveEvent] = []
        self._runs = False
        """Whether the job runs in this process: others tell at most its state."""
        self.anew = False
        """The job begins anew: what is stored of it is to be deleted."""
        self._elsewhere = False
        """The run before may have been in another process."""
        self.floor = 0
        self.last = 0
        """The newest number known."""
        self.stored = 0
        """All up to this number is in the database."""
        self.final: int | None = None
        """The number of the event that told the end."""
        self.progress: int | None = None
        """The number of the PROGRESS that is stored."""
        self.over_since: float | None = None
        """When the job was first seen to be over while nothing of its end was told."""
        self.touched = -math.inf
        """When something was last told here."""
        self.watchers: set[Watcher] = set()

    # -- telling -------------------------------------------------------------------------------------------------

    def tell(self, event: LiveEvent, now: float) -> None:
        """Take an event and give it its number, if that is known."""
        self.touched = now
        self._runs = self._runs or not (is_final(event) or state_of(event) is JobState.QUEUED)
        if self._numbered:
            self._append(Numbered(seq=self.last + 1, event=event))
            self.wake()
        else:
            self._unnumbered.append(event)

    def restart(self, event: LiveEvent, now: float) -> None:
        """Forget what was told; the job begins anew with `event`."""
        self.anew = self._runs = True
        self.final = self.over_since = self.progress = None
        self._unnumbered.clear()
        self._continue_after(self.last)
        self._elsewhere, self._numbered = not self._numbered, False
        self.tell(event, now)

    def resume(self, event: LiveEvent, now: float) -> None:
        """A further run goes on from what was told before; `event` says so."""
        self._runs = True
        self.final = self.over_since = None
        self._elsewhere = not self._numbered
        self.tell(event, now)

    @property
    def asks(self) -> bool:
        """Whether events wait for the newest number of the database."""
        return bool(self._unnumbered)

    def number(self, newest: int) -> None:
        """Give the waiting events their numbers. `newest`: in the database, 0 for none."""
        if newest > self.last:
            self._continue_after(newest)
        if self._elsewhere and self.last:
            self._continue_after(self.last + GAP)
        self._elsewhere, self._numbered = False, True
        waiting, self._unnumbered = self._unnumbered, []
        for event in waiting:
            self._append(Numbered(seq=self.last + 1, event=event))
        self.wake()

    def unstored(self) -> list[Numbered]:
        """What was told here and is not in the database yet, in order."""
        return self._events[bisect_right(self._numbers, self.stored) :]

    @property
    def waiting(self) -> int:
        """How many events wait to be stored."""
        return len(self._unnumbered) + len(self._numbers) - bisect_right(self._numbers, self.stored)

    def mark(self, stored: int) -> None:
        """Everything up to `stored` is in the database."""
        self.stored = max(self.stored, stored)
        spare = bisect_right(self._numbers, self.stored) - KEPT
        if spare > 0:
            self.floor = self._numbers[spare - 1]
            del self._events[:spare], self._numbers[:spare]

    def give_way(self, newest: int) -> None:
        """Another process has stored up to `newest` meanwhile: what was told here comes after that, with new numbers.

        Where the job does not run in this process only its end is still worth telling: what else was told is older than
        what the other one says.
        """
        events = [numbered.event for numbered in self.unstored()]
        self._unnumbered[:0] = [event for event in events if self._runs or is_final(event)]
        self._continue_after(max(newest, self.stored))
        self.final = None
        self.number(newest)

    def drop_unstored(self) -> None:
        """Give up what could not be stored."""
        self._unnumbered.clear()
        self.mark(self.last)

    # -- watching ------------------------------------------------------------------------------------------------

    def add(self, found: list[Numbered]) -> None:
        """Events that another process has stored."""
        if self.waiting:
            # `give_way` will sort this out.
            return
        known = self.last
        for numbered in found:
            if numbered.seq > self.last:
                self._append(numbered)
        self.mark(self.last)
        # Woken for nothing, who watches would never see `beat` seconds of silence.
        if self.last > known:
            self.wake()

    def begin_at(self, newest: int) -> None:
        """For a new channel: the database has everything up to `newest`."""
        if self.last == 0:
            self._continue_after(newest)

    def after(self, seq: int) -> list[Numbered] | None:
        """What comes after `seq`; None when that begins before the floor and the database has to be asked."""
        return None if seq < self.floor else self._events[bisect_right(self._numbers, seq) :]

    def wake(self) -> None:
        """Tell all who watch."""
        for watcher in self.watchers:
            if not watcher.wake.is_set():
                watcher.wake.set()

    def _append(self, numbered: Numbered) -> None:
        self.last = numbered.seq
        self._events.append(numbered)
        self._numbers.append(numbered.seq)
        if is_final(numbered.event):
            self.final = numbered.seq

    def _continue_after(self, newest: int) -> None:
        self._events.clear()
        self._numbers.clear()
        self.floor = self.last = self.stored = newest


class Memory:
    """The channels of one process, and the lock that goes around them all."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.channels: dict[str, Channel] = {}

    def channel(self, job: str) -> Channel:
        """The job's channel, made if there is none."""
        channel = self.channels.get(job)
        if channel is None:
            channel = self.channels[job] = Channel()
        return channel

    def let_go(self, job: str) -> None:
        """Forget a job that nobody watches and of which nothing is told any more."""
        channel = self.channels.get(job)
        if channel is None or channel.watchers or channel.waiting:
            return
        if channel.final is not None or time.monotonic() - channel.touched > _IDLE_SECONDS:
            del self.channels[job]
