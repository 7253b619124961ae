"""What one review is asked to do, as a value. The command line makes it, as every other door will; the wiring reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.review.model import Effort, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeAsk:
    """A range of the local repository; None for what the branch brings on top of the default branch."""

    range: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedAsk:
    """What is staged in the local repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffAsk:
    """A diff file, or `-` for standard input."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullAsk:
    """A pull request, as the user named it. `post`: put the review on it."""

    name: str
    post: bool = False


Ask = RangeAsk | StagedAsk | DiffAsk | PullAsk


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRequest:
    """What one review is asked to do. None leaves a choice to the settings, then to the repository's configuration."""

    ask: Ask = field(default_factory=RangeAsk)
    effort: Effort | None = None
    fail_on: Severity | None = None
    never_fail: bool = False
    """`--fail-on never`: no gate, whatever the configuration says."""
    model: str | None = None
    base_url: str | None = None
    no_model: bool = False
    """Analyzers alone, although there may be a key."""
    sarif: tuple[Path, ...] = ()
    max_usd: float | None = None
    deadline: float | None = None
    """Seconds."""
    config: Path | None = None
    """A file that stands for the base's `.github/spark.yml`."""

    @property
    def post(self) -> bool:
        """Whether the review goes onto a pull request."""
        return isinstance(self.ask, PullAsk) and self.ask.post
