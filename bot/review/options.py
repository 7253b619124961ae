"""What one review is asked to do, and the world it does it with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.review.events import ReviewEvent
from bot.review.model import Effort, Review, Severity
from bot.review.ports import Analyzer, Clock, Listener, Model, Publisher, Remembrance, ReviewDraft, Stop
from bot.review.threads import Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for, over what the repository's configuration says. None leaves it to that."""

    effort: Effort | None = None
    fail_on: Severity | None = None
    never_fail: bool = False
    """`--fail-on never`: no gate, whatever the configuration says."""
    require_coverage: bool = False
    """Whatever fell short fails the gate, also where the configuration does not say so."""
    paths_ignore: tuple[str, ...] = ()
    """Patterns as in `paths.ignore`, beside those of the configuration."""
    streams: int = 64
    """Review streams open at once."""
    run: str = ""
    """Id of this run, for the marker on GitHub."""
    notices: tuple[str, ...] = ()
    """What the caller wants told in the result, such as that there is no key."""
    began: float | None = None
    """`Clock.now()` when the review began, where the caller has read the change already; None: when it is run."""
    full: str = ""
    """Why everything is reviewed again, in words (`asked for by ada`); empty: only what no earlier round has seen."""
    asked_effort: Effort | None = None
    """Asked for this one review alone; goes before `effort`, which is for all of them."""
    evidence: str = ""
    """A hash of what analyzers that ran elsewhere hand in. With other results an earlier verdict on the same head does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The world, as ports. No model means analyzers alone; no publisher means nothing is posted."""

    model: Callable[[float | None], Model] | None
    """Makes the model for a review that may cost this many US dollars by the repository's configuration."""
    analyzers: Sequence[Analyzer]
    publisher: Publisher | None
    """Of the pull that the source reads."""
    listener: Listener
    clock: Clock
    stop: Stop
    keep: Callable[[Review, ReviewDraft], bool] | None = None
    """Called with the finished review right before it is posted, so that it can be stored. False: it may not be posted."""
    memory: Remembrance | None = None
    """What the repository remembers; None where nobody keeps that."""
    threads: Threads | None = None
    """Those of the process, where it makes more than one review."""


class Deaf:
    """A listener for nobody."""

    def on(self, event: ReviewEvent) -> None:
        """Nothing."""
