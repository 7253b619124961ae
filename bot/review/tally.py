"""What adds up while a review runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.review.model import Dropped, Misplaced, Usage
from bot.review.ports import CallReport, StreamEnd


@dataclass(slots=True, kw_only=True)
class Tally:
    """What adds up over a review."""

    usage: Usage = field(default_factory=Usage)
    garbled: int = 0
    first_token: float | None = None
    first_finding: float | None = None
    endpoint_seconds: dict[str, float] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    misplaced: list[Misplaced] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    outside: dict[str, int] = field(default_factory=dict)
    """Results of each tool on lines that were not changed."""
    shortfalls: list[str] = field(default_factory=list)
    """What fell short beside the model's streams, in words for the verdict's reason."""
    ends: list[StreamEnd] = field(default_factory=list)
    """How each review stream ended at last."""

    def count(self, report: CallReport) -> None:
        """Add one call."""
        self.usage += report.usage
        if report.first_token is not None:
            earlier = self.first_token
            self.first_token = report.first_token if earlier is None else min(earlier, report.first_token)
        for name, seconds in report.endpoint_seconds.items():
            self.endpoint_seconds[name] = self.endpoint_seconds.get(name, 0.0) + seconds
        self.tell(report.notices)

    def tell(self, notices: Sequence[str]) -> None:
        """Add notices, each once."""
        self.notices.extend(notice for notice in notices if notice not in self.notices)
