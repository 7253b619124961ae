"""Money that may be spent: reserved before a call, settled after it, never passed.

One budget is shared by all calls of a review, from many threads. It keeps no books beyond the process.
"""

from __future__ import annotations

import threading


class Reservation:
    """A part of the budget set aside for one call. Settle it exactly once; the second time does nothing."""

    __slots__ = ("_budget", "_usd")

    def __init__(self, budget: Budget, usd: float) -> None:
        self._budget = budget
        self._usd: float | None = usd

    def settle(self, usd: float) -> None:
        """Give the reserved part back and book what the call did cost."""
        self._budget._settle(self, usd)  # noqa: SLF001 - the two classes are one thing in two halves


class Budget:
    """At most `max_usd` dollars; None for no limit. `spent` starts at what was spent before."""

    def __init__(self, max_usd: float | None = None, *, spent: float = 0.0) -> None:
        self.max_usd = max_usd
        self._spent = spent
        self._reserved = 0.0
        self._lock = threading.Lock()

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.max_usd is not None

    @property
    def spent(self) -> float:
        """Dollars of settled calls."""
        with self._lock:
            return self._spent

    def reserve(self, usd: float) -> Reservation | None:
        """Set `usd` aside; None when that would pass the limit together with what is spent and reserved."""
        with self._lock:
            if self.max_usd is not None and self._spent + self._reserved + usd > self.max_usd:
                return None
            self._reserved += usd
        return Reservation(self, usd)

    def _settle(self, reservation: Reservation, usd: float) -> None:
        with self._lock:
            held, reservation._usd = reservation._usd, None  # noqa: SLF001 - see Reservation
            if held is None:
                return
            self._reserved -= held
            self._spent += usd
