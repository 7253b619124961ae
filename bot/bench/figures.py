"""From streams as they came to figures. Pure.

The rules, which docs/reference.md tells to users as well:

- *First token*: from the moment when the network has the whole request to the first text. Reasoning is no text; where it is streamed, its first sign
  is told beside it.
- *Tokens* are the endpoint's own count (`usage`), less its reasoning tokens. Where reasoning was streamed and not counted
  apart, and where there is no usage at all (4 characters a token), they are an estimate and marked as one.
- A *read* is what came in one moment: pieces less than half a millisecond behind the first of them lay in the same buffer, and
  the time between two of those is our own decoding. A read has the share of the tokens that it has of the characters.
- *Tokens/s of a stream*: the tokens behind the first read, divided by the seconds from the first read to the last. So for a
  stream that comes token by token this is (n - 1) tokens / (last - first), and one that comes in bundles is not flattered by
  its first bundle.
- *Gap*: the time between two reads, divided by the tokens of the second. Percentiles are over tokens: each counts once.
- *Together*: the same as tokens/s over all streams of a run: their tokens behind their first reads, from the earliest
  first read to the latest last one, each counted from its own request: we cannot send them all in one moment, and that is
  not the endpoint's. A run in which a stream failed has none: it was another load.
- *Total*: from the same moment to the last text.

Streams that failed are in no figure. They are counted, with their reasons.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bot.bench.model import Arrival, Batch, Series, Stream

MOMENT: Final = 0.0005
"""Seconds from the first piece of a read within which others belong to it."""
BUSY: Final = 0.8
"""Of a core: where this process used more while a run went on, the measuring itself may have slowed it down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure over several streams or runs. Percentiles between two values are interpolated."""

    count: int
    least: float
    p10: float
    p50: float
    p90: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFigures:
    """One stream that was measured. Seconds, tokens, tokens per second."""

    first_token: float
    first_sign: float
    """The first reasoning or text; the same as `first_token` where no reasoning was streamed."""
    total: float
    text_tokens: float
    estimated: bool
    rate: float | None
    """None for an answer that came in one read: it has no length in time."""
    gaps: tuple[tuple[float, float], ...]
    """Seconds a token, and how many tokens came so: what the text is long, but one a read at least."""
    longest_pause: float
    """Seconds between two reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One series in figures. None where no stream has the figure."""

    streams: int
    """Streams that were asked for and not taken back by ourselves."""
    measured: int
    failures: tuple[tuple[str, int], ...]
    """Reasons with their number, the most frequent first."""
    unasked: int
    """Interrupted by us, or kept back by the budget."""
    cut_by_limit: int
    """Measured streams that ended at their length limit."""
    estimated: bool
    """Some of the tokens are no count of the endpoint's."""
    first_token: Spread | None
    first_sign: Spread | None
    """None where no reasoning was streamed."""
    rate: Spread | None
    together: Spread | None
    total: Spread | None
    gap_p50: float | None
    gap_p99: float | None
    longest_pause: float | None
    text_tokens: Spread | None
    reasoning_tokens: int
    waited: float
    """Seconds that rate limits made us wait before requests; in no other figure."""
    usd: float | None
    """Of all streams, failed ones too; None where the price is not known."""
    cpu_ms_per_1000_tokens: float | None
    """Processor time of the measuring process."""
    busiest: float
    """The most of a core that this process used in a run."""

    @property
    def failed(self) -> int:
        """Streams that the endpoint failed at."""
        return sum(number for _, number in self.failures)

    @property
    def sound(self) -> bool:
        """Whether more than half of the streams were measured: else the figures are those of the lucky ones."""
        return self.measured * 2 > self.streams


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sorted `values` lie, interpolated. At least one value."""
    at = share * (len(values) - 1)
    low = math.floor(at)
    high = min(low + 1, len(values) - 1)
    # Not a weighted sum of both: rounding may lift that above the larger one.
    return values[low] + (values[high] - values[low]) * (at - low)


def weighted_percentile(pairs: Iterable[tuple[float, float]], share: float) -> float | None:
    """The least value at which `share` of the weight is reached; pairs are value and weight. None without weight."""
    ordered = sorted((value, weight) for value, weight in pairs if weight > 0)
    wanted = share * math.fsum(weight for _, weight in ordered)
    reached = 0.0
    for value, weight in ordered:
        reached += weight
        if reached >= wanted:
            return value
    return ordered[-1][0] if ordered else None


def spread(values: Iterable[float]) -> Spread | None:
    """The spread of some values; None when there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    p10, p50, p90, p99 = (percentile(ordered, share) for share in (0.1, 0.5, 0.9, 0.99))
    return Spread(count=len(ordered), least=ordered[0], p10=p10, p50=p50, p90=p90, p99=p99, most=ordered[-1])


def reads(stream: Stream) -> list[Arrival]:
    """The pieces of a stream put together that came in one moment; each has the time of its first piece."""
    found: list[Arrival] = []
    for arrival in stream.arrivals:
        if found and arrival.at - found[-1].at < MOMENT:
            found[-1] = Arrival(at=found[-1].at, chars=found[-1].chars + arrival.chars)
        else:
            found.append(arrival)
    return found


def stream_figures(stream: Stream) -> StreamFigures:
    """The figures of a stream with text in it (`stream.measured`)."""
    arrivals = reads(stream)
    first, last = arrivals[0], arrivals[-1]
    chars = sum(arrival.chars for arrival in arrivals)
    tokens, estimated = _text_tokens(stream, chars)
    each = tokens / chars
    seconds = last.at - first.at
    gaps: list[tuple[float, float]] = []
    pause = 0.0
    for before, after in pairwise(arrivals):
        # What came is a token at least, however short: a lone space is no quarter of one.
        waited, came = after.at - before.at, max(1.0, after.chars * each)
        pause = max(pause, waited)
        gaps.append((waited / came, came))
    sign = first.at if stream.first_thought is None else min(stream.first_thought, first.at)
    return StreamFigures(
        first_token=first.at - stream.sent,
        first_sign=sign - stream.sent,
        total=last.at - stream.sent,
        text_tokens=tokens,
        estimated=estimated,
        rate=(tokens - first.chars * each) / seconds if seconds > 0 else None,
        gaps=tuple(gaps),
        longest_pause=pause,
    )


def together(batch: Batch) -> float | None:
    """Tokens per second of all streams of a run; None when one was not measured, or all came in one read each."""
    if not batch.streams or not all(stream.measured for stream in batch.streams):
        return None
    tokens = 0.0
    first, last = math.inf, -math.inf
    for stream in batch.streams:
        found = reads(stream)
        chars = sum(read.chars for read in found)
        tokens += _text_tokens(stream, chars)[0] * (1 - found[0].chars / chars)
        first, last = min(first, found[0].at - stream.sent), max(last, found[-1].at - stream.sent)
    return tokens / (last - first) if last > first and tokens > 0 else None


def figures(series: Series) -> Figures:
    """A series in figures."""
    streams = series.streams
    measured = [stream for stream in streams if stream.measured]
    found = [stream_figures(stream) for stream in measured]
    failures = Counter(stream.reason for stream in streams if stream.failed)
    gaps = [gap for each in found for gap in each.gaps]
    reasoned = any(stream.first_thought is not None for stream in measured)
    costs = [stream.usage.usd for stream in streams]
    output = sum(stream.usage.output_tokens for stream in streams)
    # A run that was interrupted may miss streams, and is another load then.
    whole = [batch for batch in series.batches if len(batch.streams) == series.parallel]
    cpu = math.fsum(batch.cpu_seconds for batch in series.batches)
    return Figures(
        streams=len(measured) + failures.total(),
        measured=len(measured),
        failures=tuple(failures.most_common()),
        unasked=len(streams) - len(measured) - failures.total(),
        cut_by_limit=sum(stream.end.name == "LENGTH" for stream in measured),
        estimated=any(each.estimated for each in found),
        first_token=spread(each.first_token for each in found),
        first_sign=spread(each.first_sign for each in found) if reasoned else None,
        rate=spread(each.rate for each in found if each.rate is not None),
        together=spread(rate for batch in whole if (rate := together(batch)) is not None),
        total=spread(each.total for each in found),
        gap_p50=weighted_percentile(gaps, 0.5),
        gap_p99=weighted_percentile(gaps, 0.99),
        longest_pause=max((each.longest_pause for each in found), default=None),
        text_tokens=spread(each.text_tokens for each in found),
        reasoning_tokens=sum(stream.reasoning_tokens or 0 for stream in measured),
        waited=math.fsum(stream.sent - stream.asked for stream in measured),
        usd=None if None in costs else math.fsum(cost for cost in costs if cost is not None),
        cpu_ms_per_1000_tokens=cpu * 1e6 / output if output else None,
        busiest=max((_share(batch) for batch in series.batches), default=0.0),
    )


def _text_tokens(stream: Stream, chars: int) -> tuple[float, bool]:
    """Tokens of the text, and whether that is an estimate."""
    output = stream.usage.output_tokens
    if stream.reasoning_tokens:
        # An endpoint that counts more reasoning than output contradicts itself; nothing can be taken from it.
        return (
            (output - stream.reasoning_tokens, not stream.counted) if output > stream.reasoning_tokens else (0.0, True)
        )
    if stream.thought_chars:
        return output * chars / (chars + stream.thought_chars), True
    return float(output), not stream.counted


def _share(batch: Batch) -> float:
    """How much of one core the process used while the batch ran."""
    if not batch.streams:
        return 0.0
    seconds = max(s.ended for s in batch.streams) - min(s.asked for s in batch.streams)
    return batch.cpu_seconds / seconds if seconds > 0 else 0.0
