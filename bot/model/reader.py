"""One thread that reads for all streams whose text flows: the dearest part of a token is the waking of a thread for it.

A stream's own thread sends the request and reads until the text begins; then it waits here for the end, or for a reason to go
on by itself, while this thread takes what has come for all and gives it to each stream's sink. What a sink raises is
its own stream's; a sink that is slow once reads for itself from then on. A stream that is alone needs none of this, nor
does a system without epoll have it: there every stream reads for itself.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import Final

from bot.model.guard import Guard

_LATE: Final = 1 / 16
"""What a token may be late, as a part of the time that the youngest text has been flowing: first findings are not held up."""
_EACH: Final = 0.0005
"""Seconds that a token may be late for each other stream."""
_SLOW: Final = 0.05
"""Seconds of one step after which a stream has to read for itself."""
_LOOK: Final = 1.0
"""Seconds after which it looks whether any stream is left, when nothing comes."""

POSSIBLE: Final = hasattr(select, "epoll")


class Flow:
    """One stream in the hands of the reader."""

    def __init__(self, fileno: int, step: Callable[[], bool], since: float) -> None:
        self.fileno = fileno
        self.step = step
        """Take what has come; True when the stream's own thread is to go on."""
        self.since = since
        self.read_at = time.monotonic()
        self.lock = threading.Lock()
        """Held during a step, and by who takes the stream back."""
        self.over = False
        self.slow = False
        self.error: BaseException | None = None
        self.back = threading.Event()


class Reader:
    """The thread. `gather` is what a token may be late at most, in seconds, so that one turn takes several."""

    def __init__(self, gather: float) -> None:
        self._gather = gather
        self._epoll = select.epoll()
        self._lock = threading.Lock()
        self._flows: dict[int, Flow] = {}
        self._runs = False

    def read(self, flow: Flow, guard: Guard) -> None:
        """Wait while the reader reads. Raises what the sink or the connection raised, or what the guard says."""
        self._add(flow)
        try:
            while not flow.back.is_set():
                quiet = time.monotonic() - flow.read_at
                seconds = guard.seconds(guard.patience - quiet)
                guard.waits(flow.back.set)
                flow.back.wait(seconds)
                guard.goes_on()
                if guard.ended:
                    guard.seconds()
        finally:
            guard.goes_on()
            with flow.lock:
                self._forget(flow)
        if flow.error is not None:
            raise flow.error

    def _add(self, flow: Flow) -> None:
        with self._lock:
            self._flows[flow.fileno] = flow
            self._epoll.register(flow.fileno, select.EPOLLIN)
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="spark-read", daemon=True).start()

    def _forget(self, flow: Flow) -> None:
        if not flow.over:
            flow.over = True
            with self._lock:
                del self._flows[flow.fileno]
                self._epoll.unregister(flow.fileno)

    def _run(self) -> None:
        while True:
            for fileno, _ in self._epoll.poll(_LOOK):
                flow = self._flows.get(fileno)
                if flow is not None:
                    self._serve(flow)
            with self._lock:
                if not self._flows:
                    # A stream that comes later starts another.
                    self._runs = False
                    return
                pause = self._pause()
            if pause > 0:
                time.sleep(pause)

    def _serve(self, flow: Flow) -> None:
        with flow.lock:
            if flow.over:
                return
            began = time.monotonic()
            try:
                ready = flow.step()
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is its own stream's to raise
                flow.error = error
                ready = True
            flow.slow = time.monotonic() - began > _SLOW
            if ready or flow.slow:
                self._forget(flow)
                flow.back.set()

    def _pause(self) -> float:
        youngest = max(flow.since for flow in self._flows.values())
        age = time.monotonic() - youngest
        return min(self._gather, age * _LATE, (len(self._flows) - 1) * _EACH)
