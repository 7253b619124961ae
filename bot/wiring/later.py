"""Reviews that a comment orders where there is no engine: kept until the comment is answered, for its own run to do then.

Starts and stops nothing. What runs elsewhere (another run of a workflow) is out of its reach: it sees the pause on the pull.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum

from bot.review.model import Effort


class Kind(StrEnum):
    """What was ordered. The later one here is more than the earlier one, and contains it."""

    JUDGE = "judge"
    """The verdict decided anew: see `Reviews.judge`."""
    CATCH_UP = "catch up"
    """What came since the last review, where pushes are reviewed by themselves: see `Reviews.catch_up`."""
    FULL = "full"
    """Everything again: see `Reviews.start`."""


_ORDER = tuple(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """One review to come."""

    kind: Kind
    effort: Effort | None = None
    """Of a full one, where somebody asked for one."""
    judges: bool = False
    """The verdict was asked for beside it, so it is due where a push would not be reviewed either."""


class LaterReviews:
    """The `Reviews` port. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: Ordered | None = None
        self._stopped = ""

    @property
    def stopped(self) -> str:
        """Why reviews that run elsewhere are to end; empty where nobody asked for it. For whoever can reach them."""
        with self._lock:
            return self._stopped

    @property
    def ordered(self) -> Ordered | None:
        """The one review that all orders together come to; None when there is none to do."""
        with self._lock:
            return self._ordered

    def start(self, effort: Effort | None) -> None:
        """See `Reviews.start`; the newest effort counts."""
        self._order(Ordered(kind=Kind.FULL, effort=effort))

    def catch_up(self) -> None:
        """See `Reviews.catch_up`. Whoever does it looks whether `review.on` has `synchronize`."""
        self._order(Ordered(kind=Kind.CATCH_UP))

    def judge(self) -> None:
        """See `Reviews.judge`."""
        self._order(Ordered(kind=Kind.JUDGE, judges=True))

    def stop(self, why: str) -> bool:
        """See `Reviews.stop`: what was ordered is dropped, and what runs elsewhere is out of reach."""
        with self._lock:
            self._ordered = None
            self._stopped = why
        return False

    def _order(self, new: Ordered) -> None:
        with self._lock:
            old = self._ordered
            if old is None:
                self._ordered = new
                return
            most = new if _ORDER.index(new.kind) >= _ORDER.index(old.kind) else old
            self._ordered = Ordered(kind=most.kind, effort=most.effort, judges=new.judges or old.judges)
