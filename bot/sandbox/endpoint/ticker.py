"""One clock for all streams, and one queue for the work that would make it late."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Played(Protocol):
    """A stream that writes what is due."""

    def advance(self, now: float) -> float | None:
        """Write what is due at `now`; the time of the next look, infinity for never, None when all is written."""
        ...


class Ticker:
    """Wakes every stream that has something due; sleeps while none has."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: float) -> None:
        self._loop = loop
        self._tick = tick
        self._plays: dict[Played, float] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._at = math.inf

    def add(self, stream: Played) -> None:
        """Play a stream to its end."""
        wake = stream.advance(self._loop.time())
        if wake is not None:
            self._plays[stream] = wake
            self._plan(wake)

    def remove(self, stream: Played) -> None:
        """Forget a stream, if it is known."""
        self._plays.pop(stream, None)

    def _plan(self, wake: float) -> None:
        if wake >= self._at or math.isinf(wake):
            return
        if self._handle is not None:
            self._handle.cancel()
        self._at = wake
        self._handle = self._loop.call_at(wake, self._beat)

    def _beat(self) -> None:
        self._handle, self._at = None, math.inf
        now = self._loop.time()
        for stream, wake in list(self._plays.items()):
            if wake > now + self._tick:
                continue
            later = stream.advance(now)
            if later is None:
                self._plays.pop(stream, None)
            else:
                self._plays[stream] = later
        if self._plays:
            self._plan(min(self._plays.values()))


class Queue:
    """Works off jobs one a round of the loop, so that between two of them sockets are read and beats are kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: deque[Callable[[], None]] = deque()

    def put(self, job: Callable[[], None]) -> None:
        """Do this when what came before is done."""
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        try:
            self._jobs[0]()
        finally:
            self._jobs.popleft()
            if self._jobs:
                self._loop.call_soon(self._work)
