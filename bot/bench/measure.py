"""One stream measured: when its request went out, when each piece of its text came. Nothing is judged here.

It goes the way of a review's calls (raw bytes, our own splitter), so what is measured is what a review gets. Text is timed in
the thread that reads it, right after it is decoded.
"""

from __future__ import annotations

from bot.bench.model import Arrival, Stream
from bot.errors import SparkError
from bot.review.ports import Clock, Model, Prompt, Stop, StreamEnd


def measure(model: Model, prompt: Prompt, *, clock: Clock, stop: Stop) -> Stream:
    """Send one call and time what comes. Raises what the model raises for a mistake that the user must mend."""
    arrivals: list[Arrival] = []
    asked = clock.now()
    report = model.stream(
        prompt, sink=lambda text: arrivals.append(Arrival(at=clock.now(), chars=len(text))), stop=stop
    )
    return Stream(
        asked=asked,
        # Sixteen requests built at once take turns with one interpreter: that is ours, and not the endpoint's.
        sent=max(report.started, report.written or 0.0),
        ended=report.ended,
        end=report.end,
        detail=report.detail,
        arrivals=tuple(arrivals),
        usage=report.usage,
        counted=report.counted,
        reasoning_tokens=report.reasoning_tokens,
        first_thought=report.first_thought,
        thought_chars=report.thought_chars,
        endpoint_seconds=report.endpoint_seconds,
        notices=report.notices,
    )


def measure_or_tell(model: Model, prompt: Prompt, *, clock: Clock, stop: Stop) -> Stream:
    """As `measure`; a mistake that shows only now (a key that runs out) is a stream that failed, with the words."""
    asked = clock.now()
    try:
        return measure(model, prompt, clock=clock, stop=stop)
    except SparkError as error:
        return Stream(asked=asked, sent=asked, ended=clock.now(), end=StreamEnd.REJECTED, detail=str(error))
