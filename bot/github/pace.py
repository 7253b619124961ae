"""Every write to GitHub goes through here, one after the other, inside GitHub's secondary limits.

The first few writes of a minute go out at once, so that one review is never delayed; more are a second apart. A pause that
GitHub asks for holds for everybody who shares the account. Nothing is repeated here but an answer that says "rate limit",
which means that nothing was written.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from bot.github import limits
from bot.github.faults import Cut, Reply, rate_wait
from bot.review.ports import Clock, Stop

_RATE_TRIES = 3


class OutOfTimeError(Exception):
    """The write was not sent: the wait for its turn, or the one GitHub asks for, is longer than the job may take.

    Stays inside this room; `wait` is what it would have taken, in seconds.
    """

    def __init__(self, wait: float) -> None:
        super().__init__(f"{wait:.0f} seconds")
        self.wait = wait


class Pace:
    """One for each account, shared by all publishers of a process."""

    def __init__(self, *, clock: Clock, wait: Callable[[Stop, float], bool] = Stop.wait) -> None:
        self._clock = clock
        self._wait = wait
        self._turn = threading.Lock()
        self._sent: deque[float] = deque(maxlen=limits.MAX_CONTENT_WRITES_PER_HOUR)
        self._told_until = float("-inf")

    def write(self, send: Callable[[], Reply | Cut], *, stop: Stop) -> Reply | Cut:
        """Wait for the turn, send, and hand back what came; after a rate limit's answer, wait as told and send again.

        Raises OutOfTimeError when a wait does not fit into `stop`, also when cancelled; then nothing was written.
        """
        if not self._turn.acquire(timeout=max(stop.left(), 0.001)):
            raise OutOfTimeError(stop.left())
        try:
            for _ in range(_RATE_TRIES):
                self._bear(self._due(), stop)
                self._sent.append(self._clock.now())
                answer = send()
                wait = None if isinstance(answer, Cut) else rate_wait(answer)
                if wait is None:
                    return answer
                self._told_until = max(self._told_until, self._clock.now() + wait)
            raise OutOfTimeError(self._due())
        finally:
            self._turn.release()

    def pause(self, seconds: float, *, stop: Stop) -> bool:
        """Wait; False when that does not fit into `stop`, or it was cancelled meanwhile."""
        return seconds <= stop.left() and not self._wait(stop, seconds)

    def _bear(self, seconds: float, stop: Stop) -> None:
        if stop.left() <= 0 or seconds > stop.left() or (seconds > 0 and self._wait(stop, seconds)):
            raise OutOfTimeError(seconds)

    def _due(self) -> float:
        """Seconds until the next write may go out."""
        now = self._clock.now()
        due = self._told_until
        minute = [at for at in self._sent if at > now - 60.0]
        if len(minute) >= limits.FREE_WRITES:
            due = max(due, minute[-1] + limits.SECONDS_BETWEEN_WRITES)
        if len(minute) >= limits.MAX_CONTENT_WRITES_PER_MINUTE:
            due = max(due, minute[-limits.MAX_CONTENT_WRITES_PER_MINUTE] + 60.0)
        if len(self._sent) == limits.MAX_CONTENT_WRITES_PER_HOUR:
            due = max(due, self._sent[0] + 3600.0)
        return max(0.0, due - now)
