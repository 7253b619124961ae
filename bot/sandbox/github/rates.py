"""Rate limits: the hourly one that is counted down in every answer, and the secondary ones when they are enforced."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.github.options import Rates

PRIMARY_TEXT = "API rate limit exceeded for {key}."
SECONDARY_TEXT = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
    "GitHub Support for help, please include the request ID."
)
SUBMITTED_TEXT = "was submitted too quickly"
_READS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the `X-RateLimit-*` headers say."""

    limit: int
    remaining: int
    reset: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A limit was passed. `retry_after` is None for the primary one: its reset is in the headers."""

    message: str
    retry_after: int | None


class RateBook:
    """Counts requests by principal. Safe to use from several threads."""

    def __init__(self, rates: Rates, clock: Callable[[], float]) -> None:
        self._rates = rates
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[tuple[str, str], tuple[int, int]] = {}
        self._points: dict[tuple[str, str], deque[tuple[float, int]]] = {}
        self._content: dict[str, deque[float]] = {}
        self._running: dict[str, int] = {}

    def limit_of(self, key: str) -> int:
        """Requests an hour for this principal."""
        if key == "anonymous":
            return self._rates.per_hour_anonymous
        return self._rates.per_hour_actions if key.startswith("actions:") else self._rates.per_hour

    def window(self, key: str, resource: str = "core") -> Window:
        """How much is left this hour."""
        with self._lock:
            return self._window(key, resource)

    def _window(self, key: str, resource: str) -> Window:
        now = int(self._clock())
        reset, used = self._used.get((key, resource), (0, 0))
        if reset <= now:
            reset, used = now + 3600, 0
            self._used[key, resource] = (reset, used)
        limit = self.limit_of(key)
        return Window(limit=limit, remaining=max(0, limit - used), reset=reset, used=min(used, limit))

    def begin(
        self, key: str, *, method: str, resource: str, creates: bool, points: int | None = None
    ) -> Refused | None:
        """Count a request that starts; Refused when a limit is passed. Every `begin` needs one `end`."""
        now = self._clock()
        with self._lock:
            self._running[key] = self._running.get(key, 0) + 1
            window = self._window(key, resource)
            if window.remaining <= 0:
                return Refused(message=PRIMARY_TEXT.format(key=key), retry_after=None)
            self._used[key, resource] = (window.reset, self._used[key, resource][1] + 1)
            if not self._rates.enforce:
                return None
            cost = points if points is not None else (1 if method in _READS else 5)
            return self._secondary(key, resource, now, cost, creates=creates)

    def _secondary(self, key: str, resource: str, now: float, cost: int, *, creates: bool) -> Refused | None:
        rates = self._rates
        refused = Refused(message=SECONDARY_TEXT, retry_after=rates.retry_after)
        if self._running[key] > rates.concurrent:
            return refused
        spent = self._points.setdefault((key, resource), deque())
        while spent and spent[0][0] <= now - 60:
            spent.popleft()
        most = rates.graphql_points_per_minute if resource == "graphql" else rates.points_per_minute
        if sum(each for _, each in spent) + cost > most:
            return refused
        spent.append((now, cost))
        if not creates:
            return None
        made = self._content.setdefault(key, deque())
        while made and made[0] <= now - 3600:
            made.popleft()
        last_minute = sum(when > now - 60 for when in made)
        if last_minute >= rates.content_per_minute or len(made) >= rates.content_per_hour:
            return refused
        made.append(now)
        return None

    def refund(self, key: str, resource: str) -> Window:
        """Take back what a request cost of the hour; gives what is left then."""
        with self._lock:
            reset, used = self._used[key, resource]
            self._used[key, resource] = (reset, max(0, used - 1))
            return self._window(key, resource)

    def end(self, key: str) -> None:
        """The request is over."""
        with self._lock:
            self._running[key] -= 1
