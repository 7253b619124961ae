"""A whole measurement: which streams are sent when. Lanes take turns run by run, and never share a moment.

Taking turns, a machine or a line that gets slower meets all lanes alike. Before a number of streams is measured for the first
time, as many short streams are sent and not measured: they open the connections and find out what the endpoint takes.
It stops with what it has when interrupted or out of money; it never waits for a stream that was cancelled for long.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bot.bench.measure import measure, measure_or_tell
from bot.bench.model import Batch, Bench, Lane, Plan, Series, Stream
from bot.bench.prompts import BenchPrompt, warm_up
from bot.errors import SparkError
from bot.review.model import Usage
from bot.review.ports import Clock, Prompt, Stop, StreamEnd

STREAM_SECONDS: Final = 300.0
"""A stream that takes longer is given up."""
_GOODBYE: Final = 2.0
"""Seconds that cancelled streams may take to end."""
_OUT_OF_MONEY: Final = frozenset({StreamEnd.BUDGET, StreamEnd.DAY_BUDGET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happens, for whoever shows it. `done` and `streams` count measured streams of all lanes."""

    lane: Lane
    what: str
    done: int
    streams: int


@dataclass(slots=True, kw_only=True)
class _Books:
    """What has been measured so far."""

    series: dict[tuple[str, int, str], list[Batch]] = field(default_factory=dict)
    warm: dict[str, int] = field(default_factory=dict)
    """Connections that each lane has opened."""
    given_up: set[str] = field(default_factory=set)
    """Lanes that cannot be reached."""
    warm_ups: int = 0
    warm_up_usage: Usage = field(default_factory=Usage)
    notices: dict[str, None] = field(default_factory=dict)
    done: int = 0
    stopped: str = ""


class Runner:
    """Runs one measurement. Use it once, from one thread."""

    def __init__(
        self, lanes: tuple[Lane, ...], plan: Plan, *, clock: Clock, tell: Callable[[Step], None] = lambda _: None
    ) -> None:
        self._lanes = lanes
        self._plan = plan
        self._clock = clock
        self._tell = tell
        self._books = _Books()
        self._running: list[Stop] = []

    def run(self) -> Bench:
        """Measure. After KeyboardInterrupt it gives what it has, with `interrupted`.

        Raises UserError for what an endpoint says the user must mend (its key, the model's name), before anything is
        measured.
        """
        interrupted = False
        try:
            self._all()
        except KeyboardInterrupt:
            interrupted = True
            self._books.stopped = "interrupted"
        finally:
            for stop in self._running:
                stop.cancel()
        books, prompts = self._books, {prompt.name: prompt for prompt in self._plan.prompts}
        lanes = {lane.name: lane for lane in self._lanes}
        return Bench(
            lanes=self._lanes,
            plan=self._plan,
            series=tuple(
                Series(lane=lanes[lane], prompt=prompts[prompt], parallel=parallel, batches=tuple(batches))
                for (prompt, parallel, lane), batches in books.series.items()
            ),
            warm_ups=books.warm_ups,
            warm_up_usage=books.warm_up_usage,
            stopped=books.stopped,
            interrupted=interrupted,
            notices=tuple(books.notices),
        )

    def _all(self) -> None:
        for lane in self._lanes:
            self._warm(lane, 1)
        for prompt in self._plan.prompts:
            for parallel in self._plan.levels:
                for lane in self._lanes:
                    self._warm(lane, parallel)
                for run in range(self._plan.runs):
                    for lane in self._lanes:
                        if self._books.stopped:
                            return
                        self._one_run(lane, prompt, parallel, run)

    def _one_run(self, lane: Lane, prompt: BenchPrompt, parallel: int, run: int) -> None:
        batches = self._books.series.setdefault((prompt.name, parallel, lane.name), [])
        if lane.name in self._books.given_up and batches:
            # Refused connections say the same each time: one run tells it.
            self._books.done += parallel
            return
        plan = self._plan
        at_once = f"{parallel} streams" if parallel > 1 else "1 stream"
        what = f"{prompt.name}, {at_once}, run {run + 1} of {plan.runs}"
        self._tell(Step(lane=lane, what=what, done=self._books.done, streams=plan.streams * len(self._lanes)))
        began = time.process_time()
        streams: list[Stream] = []
        try:
            self._at_once(lane, prompt.prompt(plan.max_tokens), parallel, streams, measured=True)
        finally:
            batches.append(Batch(streams=tuple(streams), cpu_seconds=time.process_time() - began))
            self._books.done += parallel
            self._keep_told(lane, streams)

    def _warm(self, lane: Lane, parallel: int) -> None:
        """Open as many connections as will be used at once."""
        books = self._books
        if books.warm.get(lane.name, 0) >= parallel or books.stopped or lane.name in books.given_up:
            return
        books.warm[lane.name] = parallel
        self._tell(
            Step(lane=lane, what="warm-up", done=books.done, streams=self._plan.streams * len(self._lanes)),
        )
        streams: list[Stream] = []
        try:
            self._at_once(lane, warm_up(), parallel, streams, measured=False)
        finally:
            books.warm_ups += len(streams)
            for stream in streams:
                books.warm_up_usage += stream.usage
            self._keep_told(lane, streams)
        if streams and all(stream.end is StreamEnd.UNREACHABLE for stream in streams):
            books.given_up.add(lane.name)

    def _keep_told(self, lane: Lane, streams: list[Stream]) -> None:
        for stream in streams:
            for notice in stream.notices:
                self._books.notices[f"{lane.name}: {notice}"] = None
            if stream.end in _OUT_OF_MONEY:
                self._books.stopped = f"{stream.end.value}: {stream.detail}"

    def _at_once(self, lane: Lane, prompt: Prompt, parallel: int, into: list[Stream], *, measured: bool) -> None:
        """Send `parallel` streams at one moment and put each into `into` when it has ended."""
        stops = [Stop(deadline=self._clock.now() + STREAM_SECONDS, clock=self._clock) for _ in range(parallel)]
        self._running = stops
        ended: queue.SimpleQueue[Stream | SparkError] = queue.SimpleQueue()
        gate = threading.Barrier(parallel)
        one = measure_or_tell if measured else measure

        def work(stop: Stop) -> None:
            gate.wait()
            try:
                ended.put(one(lane.model, prompt, clock=self._clock, stop=stop))
            except SparkError as error:
                ended.put(error)

        threads = [
            threading.Thread(target=work, args=(stop,), name=f"bench-{number}", daemon=True)
            for number, stop in enumerate(stops)
        ]
        for thread in threads:
            thread.start()
        waiting = parallel
        try:
            while waiting:
                came = ended.get()
                waiting -= 1
                into.append(_stream(came))
        except BaseException:
            # Whoever waits wants to go: the streams are closed, and what they measured is not thrown away.
            for stop in stops:
                stop.cancel()
            limit = time.monotonic() + _GOODBYE
            while waiting and (left := limit - time.monotonic()) > 0:
                try:
                    late = ended.get(timeout=left)
                except queue.Empty:
                    break
                waiting -= 1
                if isinstance(late, Stream):
                    into.append(late)
            raise
        finally:
            self._running = []


def _stream(came: Stream | SparkError) -> Stream:
    if isinstance(came, SparkError):
        raise came
    return came
