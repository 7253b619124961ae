"""What can end the waits of one call: cancelling, the deadline, and silence that lasts too long.

Every wait of a call, for an address, a connection, a byte or nothing at all, goes through its guard, so that it can be
ended at once from another thread. It opens nothing and reads nothing itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx2

from bot.review.ports import Clock, Stop


class Guard:
    """The waits of one call. `end` is for any thread; everything else is for the thread that waits."""

    def __init__(self, stop: Stop, *, patience: float, clock: Clock | None = None) -> None:
        self._stop = stop
        self._clock = clock
        self.wrote: float | None = None
        """`Clock.now()` when the last bytes were handed to the network; None without a clock."""
        self.patience = patience
        """Seconds of silence that are borne."""
        self.flows_since: float | None = None
        """`time.monotonic()` when the text began to flow, so that one thread may read for many streams; None where it has not, or the end is near."""
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether somebody called `end`."""
        return self._ended

    def end(self) -> None:
        """Wake the call's thread, whatever it waits for, and let it wait no more. From any thread; does not block."""
        with self._lock:
            self._ended = True
            if self._wake is not None:
                self._wake()

    def written(self) -> None:
        """Bytes were handed to the network."""
        if self._clock is not None:
            self.wrote = self._clock.now()

    def seconds(self, longest: float | None = None) -> float:
        """How long the next wait may be. Raises ReadError when the call was ended, ReadTimeout when nothing is left."""
        if self._ended:
            raise httpx2.ReadError("ended")
        seconds = min(self.patience if longest is None else longest, self._stop.left())
        if seconds <= 0:
            raise httpx2.ReadTimeout("no time left")
        return seconds

    def waits(self, wake: Callable[[], None]) -> None:
        """From here the thread waits for something that `wake` ends. Raises ReadError when the call was ended."""
        with self._lock:
            if self._ended:
                raise httpx2.ReadError("ended")
            self._wake = wake

    def goes_on(self) -> None:
        """The wait is over; the socket may now belong to another call."""
        with self._lock:
            self._wake = None
