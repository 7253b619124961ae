"""How fast the model writes, from the progress of a review: the mean from the first token seen to the last progress."""

from __future__ import annotations

from bot.review.events import Progress

_LEAST_SECONDS = 0.05
"""Less than this between two looks says nothing."""


class Meter:
    """One for a review; one thread counts."""

    def __init__(self) -> None:
        self._first: Progress | None = None
        self._last: Progress | None = None

    def count(self, progress: Progress) -> None:
        """Take in how far the streams are. What comes after the last token does not make them slower."""
        if not progress.output_tokens:
            return
        if self._first is None:
            self._first = progress
        if self._last is None or progress.output_tokens > self._last.output_tokens:
            self._last = progress

    @property
    def tokens_per_second(self) -> float | None:
        """All streams together; None while it cannot be told."""
        if self._first is None or self._last is None:
            return None
        seconds = self._last.at - self._first.at
        if seconds < _LEAST_SECONDS:
            return None
        return (self._last.output_tokens - self._first.output_tokens) / seconds
