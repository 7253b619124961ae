"""For jobs that have time: while GitHub is away, what was asked of it is tried again instead of given up.

A few seconds of outage must not cost a review that is already written, or one that nobody would ask for again. Only for what
may be repeated; refusals are not outages and are passed on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from bot import log
from bot.errors import OutsideError
from bot.github.faults import RateLimitedError
from bot.github.reviews import PullPublisher, untaken
from bot.review.memory import Recall
from bot.review.ports import Published, ReviewDraft, Stop

PAUSES: Final = (2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between tries: a minute in all."""

T = TypeVar("T")
Pause = Callable[[Stop, float], bool]
"""Waits; True when cancelled meanwhile."""


def patiently(do: Callable[[], T], *, stop: Stop, pause: Pause, doing: str, fields: Mapping[str, log.Field]) -> T:
    """What `do` gives. While it raises OutsideError it is tried again, as long as `stop` and the pauses last; then that error
    is raised. `doing` and `fields` are for the log.
    """
    for seconds in PAUSES:
        try:
            return do()
        except OutsideError as error:
            wait = max(seconds, error.wait) if isinstance(error, RateLimitedError) else seconds
            if wait >= stop.left():
                raise
            log.warning("github.away", doing=doing, why=str(error), again_in=wait, **fields)
            if pause(stop, wait):
                raise
    return do()


class PatientPublisher:
    """A `Publisher` that reads and posts as soon as GitHub takes it. What landed before an answer was lost is found, not posted
    twice, and the steps go on where they were.
    """

    def __init__(self, inner: PullPublisher, *, stop: Stop, pause: Pause, fields: Mapping[str, log.Field]) -> None:
        self._inner = inner
        self._stop = stop
        self._pause = pause
        self._fields = fields

    def begin(self) -> None:
        """As the port says."""
        self._inner.begin()

    def recall(self) -> Recall:
        """As the port says, with patience."""
        return self._patiently(self._inner.recall, "reading what is on the pull")

    def publish(self, draft: ReviewDraft) -> Published:
        """As the port says, with patience."""
        published = self._patiently(lambda: self._inner.post(draft), "posting")
        try:
            return self._patiently(lambda: self._inner.follow(draft, published), "following up in threads")
        except OutsideError as error:
            return untaken(draft, published, error.what)

    def _patiently(self, do: Callable[[], T], doing: str) -> T:
        return patiently(do, stop=self._stop, pause=self._pause, doing=doing, fields=self._fields)
