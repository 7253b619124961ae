"""One chunk, one pass: the prompt goes out, the answer comes in, findings leave the moment their line ends.

Runs in a thread of its own for every stream and tells the use case what happens by calling `tell`; it decides nothing
about findings. A stream that ended badly is tried once more while there is time; what the first try gave is kept, and
the duplicates that the second try brings are merged by the use case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.review.decode import Decoder
from bot.review.model import RawFinding
from bot.review.ports import CallReport, Model, Prompt, Stop, StreamEnd
from bot.review.scope import Chunk, PassName

TRIES = 2
"""A stream is tried once more after a failure that may pass."""
MORE_ROOM = 4
"""So many times the output tokens has a second try whose first one hit its length limit."""
MOST_ROOM = 16_000
"""But no more than these: a model that repeats itself fills whatever it gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A finding left the stream."""

    raw: RawFinding


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """A stream ended badly and is tried again."""

    chunk: Chunk
    pass_name: PassName
    report: CallReport


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDone:
    """A stream is over. `hole` is empty when the chunk was seen whole, else the reason why not."""

    chunk: Chunk
    pass_name: PassName
    reports: tuple[CallReport, ...]
    hole: str
    garbled: int


@dataclass(slots=True)
class Gauge:
    """How much text has come, for the progress line. One writer; a reader may see a slightly old figure."""

    chars: int = 0


Tell = Callable[[Heard | Retried | StreamDone], None]


def run_stream(
    model: Model, prompt: Prompt, *, chunk: Chunk, pass_name: PassName, stop: Stop, gauge: Gauge, tell: Tell
) -> None:
    """Stream one chunk to its end, retry included. Raises only what the model's port raises."""
    reports: list[CallReport] = []
    garbled = 0
    hole = ""
    for attempt in range(1, TRIES + 1):
        hearing = _Hearing(Decoder(chunk, pass_name), gauge, tell)
        report = model.stream(prompt, sink=hearing.feed, stop=stop)
        hearing.finish()
        reports.append(report)
        garbled += hearing.decoder.garbled
        hole = _hole(report, understood=hearing.decoder.understood)
        again = second_try(prompt, report, stop)
        if not hole or attempt == TRIES or again is None:
            break
        prompt = again
        tell(Retried(chunk=chunk, pass_name=pass_name, report=report))
    tell(StreamDone(chunk=chunk, pass_name=pass_name, reports=tuple(reports), hole=hole, garbled=garbled))


class _Hearing:
    """One attempt's answer on its way through the decoder."""

    def __init__(self, decoder: Decoder, gauge: Gauge, tell: Tell) -> None:
        self.decoder = decoder
        self._gauge = gauge
        self._tell = tell

    def feed(self, text: str) -> None:
        self._gauge.chars += len(text)
        self._pass_on(self.decoder.feed(text))

    def finish(self) -> None:
        self._pass_on(self.decoder.finish())

    def _pass_on(self, raws: list[RawFinding]) -> None:
        for raw in raws:
            self._tell(Heard(raw=raw))


def _hole(report: CallReport, *, understood: bool) -> str:
    if report.end is not StreamEnd.WHOLE:
        return f"{report.end.value} ({report.detail})" if report.detail else report.end.value
    if not understood:
        return "the answer was not in the agreed form"
    return ""


def second_try(prompt: Prompt, report: CallReport, stop: Stop) -> Prompt | None:
    """What to ask after an answer that is of no use; None where asking again would end no better, or there is no time.

    A whole stream with an unreadable answer may be readable the next time.
    """
    if stop.left() <= 0 or not (report.end is StreamEnd.WHOLE or report.end.worth_retrying):
        return None
    if report.end is StreamEnd.LENGTH:
        return replace(prompt, max_output_tokens=min(MORE_ROOM * prompt.max_output_tokens, MOST_ROOM))
    return prompt
