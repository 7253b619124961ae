"""What one review pays its model from. It exists before the repository's own limit is known, and is closed after the review."""

from __future__ import annotations

from bot.model.budget import Budget, Purse
from bot.model.client import SparkModel
from bot.review.ports import Model


class Till:
    """What one review pays its model from: the smaller of the caller's limit and the repository's, and the day's purse."""

    def __init__(self, model: SparkModel | None, limit: float | None, purse: Purse | None) -> None:
        self._model = model
        self._limit = limit
        self._purse = purse
        self._budget: Budget | None = None

    def model(self, configured: float | None) -> Model:
        """The model of a review that may cost `configured` dollars by the repository's configuration."""
        assert self._model is not None
        limits = [usd for usd in (self._limit, configured) if usd is not None]
        if not limits and self._purse is None:
            return self._model
        self._budget = Budget(min(limits, default=None), purse=self._purse)
        return self._model.with_budget(self._budget)

    def close(self) -> None:
        """The review is over: the day's books are settled."""
        if self._budget is not None:
            self._budget.close()
