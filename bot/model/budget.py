"""Money that may be spent: reserved before a call, settled after it, never passed.

One budget is shared by all calls of a review, from many threads. It keeps no books beyond the process; what all reviews of
a day share is a `Purse`, which is asked in bites, so that sixty calls are not sixty transactions.
"""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import Protocol


class Purse(Protocol):
    """What a review may take of the money that all processes share. One for each run of a review; thread-safe."""

    @property
    def limited(self) -> bool:
        """Whether there is a limit. Without one nothing has to be taken; `close` books all the same."""
        ...

    def take(self, usd: float, *, spent: float) -> float:
        """Set aside at least `usd` dollars more, or nothing (0.0) where there are not so many left.

        `spent`: what the run's settled calls cost so far; booked, so that it stays booked when the process is killed.
        Raises OutsideError when the books cannot be read.
        """
        ...

    def close(self, spent: float) -> None:
        """The run is over and cost `spent` dollars in all; what else was taken is free again. Never raises."""
        ...


class Limit(StrEnum):
    """Which limit has no room for a call."""

    REVIEW = "review"
    DAY = "day"


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
    """At most `max_usd` dollars, None for no limit, and no more than `purse` grants. `spent` starts at what was spent before.

    Close it when the review is over: only then the day's books are right.
    """

    def __init__(self, max_usd: float | None = None, *, spent: float = 0.0, purse: Purse | None = None) -> None:
        self.max_usd = max_usd
        self._purse = purse
        self._before = spent
        self._spent = spent
        self._reserved = 0.0
        self._granted = 0.0
        """By the purse, in all."""
        self._closed = False
        self._lock = threading.Lock()
        self._taking = threading.Lock()
        """One thread at a time asks the purse; what it is given may be enough for those who wait."""

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.max_usd is not None or (self._purse is not None and self._purse.limited)

    @property
    def spent(self) -> float:
        """Dollars of settled calls."""
        with self._lock:
            return self._spent

    def reserve(self, usd: float) -> Reservation | Limit:
        """Set `usd` aside; else the limit that it would pass, together with what is spent and reserved.

        Waits for the purse where that has to be asked. Raises what the purse raises.
        """
        held = self._try(usd)
        if held is not None:
            return held
        purse = self._purse
        assert purse is not None
        with self._taking:
            # Another thread may have been granted enough for both meanwhile.
            while (held := self._try(usd)) is None:
                with self._lock:
                    spent = self._spent - self._before
                    short = spent + self._reserved + usd - self._granted
                if short <= _NOTHING:
                    continue
                granted = purse.take(short, spent=spent)
                if granted <= 0:
                    return Limit.DAY
                with self._lock:
                    self._granted += granted
        return held

    def close(self) -> None:
        """The review is over: books what it cost, and gives back what it did not need. Safe to call twice."""
        with self._lock:
            closed, self._closed = self._closed, True
            spent = self._spent - self._before
        if self._purse is not None and not closed:
            self._purse.close(spent)

    def _try(self, usd: float) -> Reservation | Limit | None:
        """The reservation, or that the review's own limit is passed; None where the purse has to be asked first."""
        with self._lock:
            if self.max_usd is not None and self._spent + self._reserved + usd > self.max_usd:
                return Limit.REVIEW
            if self._purse is not None and self._purse.limited:
                short = self._spent - self._before + self._reserved + usd - self._granted
                if short > _NOTHING:
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


_NOTHING = 1e-12
"""Dollars: less than this is an error of rounding."""
