"""What a measurement is made of: endpoints, what is to be measured, and each stream as it came. Values only.

Times are `Clock.now()`, monotonic seconds; money is in US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.bench.prompts import BenchPrompt
from bot.review.model import Usage
from bot.review.ports import Model, StreamEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """US dollars per million tokens."""

    input: float
    output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One endpoint that is measured."""

    name: str
    """What people call it: the name of `--compare`, or the model's."""
    base_url: str
    model_name: str
    api: str
    model: Model
    price: Rate | None
    """None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured on each lane."""

    prompts: tuple[BenchPrompt, ...]
    levels: tuple[int, ...]
    """Streams at once, each number measured by itself."""
    runs: int
    """Times that each prompt is sent at each level; a run at level 4 has 4 streams."""
    max_tokens: int | None = None
    """The limit of each answer; None for what the prompt allows."""

    @property
    def streams(self) -> int:
        """Streams that are measured on each lane."""
        return len(self.prompts) * sum(self.levels) * self.runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Text that came in one piece, as the HTTP client hands it out: a chunk of the wire, or several."""

    at: float
    chars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream as it came."""

    asked: float
    """When the call began."""
    sent: float
    """When the network had its last request whole: later than `asked` where the endpoint made us wait (429)."""
    ended: float
    end: StreamEnd
    detail: str = ""
    arrivals: tuple[Arrival, ...] = ()
    usage: Usage = field(default_factory=Usage)
    counted: bool = False
    """Whether the endpoint counted the tokens; else they are an estimate."""
    reasoning_tokens: int | None = None
    first_thought: float | None = None
    thought_chars: int = 0
    endpoint_seconds: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether it has figures: text came, and its end did. An answer at its length limit is a whole measurement."""
        return self.end in {StreamEnd.WHOLE, StreamEnd.LENGTH} and bool(self.arrivals)

    @property
    def failed(self) -> bool:
        """Whether the endpoint failed at it. What was never asked, or was interrupted by us, is no failure."""
        return not self.measured and self.end not in {StreamEnd.BUDGET, StreamEnd.DAY_BUDGET, StreamEnd.CANCELLED}

    @property
    def reason(self) -> str:
        """Why it has no figures, in words; empty where it has."""
        if self.measured:
            return ""
        if self.end in {StreamEnd.WHOLE, StreamEnd.LENGTH}:
            return f"the answer had no text ({self.usage.output_tokens} tokens of output)"
        return f"{self.end.value}: {self.detail}" if self.detail else self.end.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Streams that were sent at once."""

    streams: tuple[Stream, ...]
    cpu_seconds: float
    """Processor time of this whole process from the first request to the last end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One endpoint, one prompt, one number of streams at once: a batch for each run so far."""

    lane: Lane
    prompt: BenchPrompt
    parallel: int
    batches: tuple[Batch, ...]

    @property
    def streams(self) -> tuple[Stream, ...]:
        """All of them."""
        return tuple(stream for batch in self.batches for stream in batch.streams)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A whole measurement, or the part of it that was made before it was stopped."""

    lanes: tuple[Lane, ...]
    plan: Plan
    series: tuple[Series, ...]
    """In the order of prompts, levels, lanes; those that were not begun are missing."""
    warm_ups: int
    """Streams that were sent and not measured."""
    warm_up_usage: Usage
    stopped: str = ""
    """Why it ended early; empty when it did not."""
    interrupted: bool = False
    notices: tuple[str, ...] = ()

    @property
    def usage(self) -> Usage:
        """Tokens and money of everything, warm-ups too."""
        total = self.warm_up_usage
        for series in self.series:
            for stream in series.streams:
                total += stream.usage
        return total
