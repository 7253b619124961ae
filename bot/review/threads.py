"""Threads that go on from one piece of work to the next, kept for as long as the process: starting one takes longer than a call.

`threading` waits for each new thread until it runs; sixty of them that way are thirty milliseconds of a review, in which the
first of them has to give way to the next. It limits nothing and knows of no review: whoever hands work in does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

REST: Final = 30.0
"""Seconds that an idle thread is kept."""

Work = Callable[[], None]


class Threads:
    """Any number of them. Safe to use from several threads. They end by themselves, and none outlives the process."""

    def __init__(self, name: str = "spark", *, rest: float = REST) -> None:
        self._name = name
        self._rest = rest
        self._lock = threading.Lock()
        self._idle = 0
        """Threads that wait and have nothing coming to them."""
        self._work: SimpleQueue[Work] = SimpleQueue()

    def run(self, work: Work) -> None:
        """Have `work` done at once, in a thread that is free or in a new one. It must not raise."""
        with self._lock:
            is_free = self._idle > 0
            if is_free:
                self._idle -= 1
        if is_free:
            self._work.put(work)
        else:
            threading.Thread(target=self._live, args=(work,), name=self._name, daemon=True).start()

    def _live(self, work: Work) -> None:
        while True:
            work()
            # What it holds must not live on with the thread.
            del work
            with self._lock:
                self._idle += 1
            try:
                work = self._work.get(timeout=self._rest)
            except Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                # Somebody counts on one more thread than there would be.
                work = self._work.get()
