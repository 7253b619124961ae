"""What reading a fast endpoint costs: 16 streams of 300 tokens at 1,000 tok/s, ours against iterating the SDK's stream.

The endpoint runs in a process of its own. CPU is that of this process, from the first request to the last byte; the
cost of 1,000 tokens is that CPU less the cost of the same calls with almost no tokens. The ideal is the time to the first
token and the stream itself.

    python bench/client.py [--streams 16] [--tokens 300] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import openai

from bot.model.budget import Budget
from bot.model.client import SparkModel
from bot.model.endpoint import Api, Endpoint
from bot.model.prices import PriceTable
from bot.model.sse import SseSplitter
from bot.review.ports import CallKind, Prompt, Stop, StreamEnd
from bot.sandbox.endpoint import endpoint_process

TTFT = 0.05
TPS = 1000.0
FEW = 16
"""Tokens of the calls that measure what a call costs by itself."""
MODEL = "codex-spark-preview"


class WallClock:
    """The system's monotonic clock."""

    def now(self) -> float:
        """Seconds."""
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Medians over the rounds."""

    wall: float
    cpu: float


def at_once(work: Callable[[], None], streams: int) -> Measured:
    """`work` in `streams` threads that start together."""
    gate = threading.Barrier(streams + 1)

    def one() -> None:
        gate.wait()
        work()

    threads = [threading.Thread(target=one) for _ in range(streams)]
    for thread in threads:
        thread.start()
    cpu, began = time.process_time(), time.perf_counter()
    gate.wait()
    for thread in threads:
        thread.join()
    return Measured(wall=time.perf_counter() - began, cpu=time.process_time() - cpu)


def rounds(work: Callable[[], None], streams: int, count: int) -> Measured:
    """Median of `count` rounds, after one to warm up."""
    at_once(work, streams)
    seen = [at_once(work, streams) for _ in range(count)]
    return Measured(
        wall=statistics.median(each.wall for each in seen), cpu=statistics.median(each.cpu for each in seen)
    )


def ours(url: str, api: Api) -> Callable[[], None]:
    """A call through our client."""
    clock = WallClock()
    model = SparkModel(Endpoint(base_url=url, model=MODEL, api=api), prices=PriceTable(), budget=Budget(), clock=clock)
    prompt = Prompt(
        kind=CallKind.REVIEW, system="Review.", user="Nothing.", max_output_tokens=4000, reason=False, tokens=10
    )
    model.warm()

    def work() -> None:
        report = model.stream(prompt, sink=lambda _text: None, stop=Stop(deadline=clock.now() + 60, clock=clock))
        assert report.end is StreamEnd.WHOLE, report

    return work


def sdks(url: str) -> Callable[[], None]:
    """A call through the SDK's own stream."""
    client = openai.OpenAI(api_key="none", base_url=url, max_retries=0)

    def work() -> None:
        parts = []
        for chunk in client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Nothing."}], stream=True, temperature=0.2
        ):
            parts += [choice.delta.content or "" for choice in chunk.choices]
        assert parts

    return work


def split_cost(chunks: int) -> tuple[float, float]:
    """Microseconds a chunk for splitter and decoder alone, chunk by chunk and in reads of ten."""
    from bot.model.chat import ChatDecoder  # noqa: PLC0415 - the other measurements should not pay for it

    event = (
        b'data: {"id":"chatcmpl-9f3b2c7a5e","object":"chat.completion.chunk","created":1790000000,"model":"codex-spark",'
        b'"system_fingerprint":"fp_44709d6fcb","service_tier":"default","choices":[{"index":0,"delta":{"content":" word"},'
        b'"logprobs":null,"finish_reason":null}]}\n\n'
    )
    costs = []
    for size in (1, 10):
        splitter, decoder = SseSplitter(), ChatDecoder()
        began = time.process_time()
        for _ in range(chunks // size):
            "".join([decoder.feed(payload) for payload in splitter.feed(event * size)])
        costs.append((time.process_time() - began) / chunks * 1e6)
    return costs[0], costs[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    speed = [f"--ttft={TTFT}", f"--tps={TPS}"]
    ideal = TTFT + (given.tokens - 1) / TPS
    print(f"{given.streams} streams x {given.tokens} tokens at {TPS:.0f} tok/s; ideal {ideal:.3f} s")
    with (
        endpoint_process([*speed, f"--script=tokens:{given.tokens}"]) as url,
        endpoint_process([*speed, f"--script=tokens:{FEW}"]) as short,
    ):
        makers: dict[str, Callable[[str], Callable[[], None]]] = {
            "ours, chat": lambda place: ours(place, Api.CHAT),
            "ours, responses": lambda place: ours(place, Api.RESPONSES),
            "SDK, chat": sdks,
        }
        print(f"{'client':<18}{'wall s':>8}{'x ideal':>9}{'CPU s':>8}{'CPU us a token':>16}{'CPU ms a call':>15}")
        for name, make in makers.items():
            long = rounds(make(url), given.streams, given.rounds)
            brief = rounds(make(short), given.streams, given.rounds)
            each = (long.cpu - brief.cpu) / (given.streams * (given.tokens - FEW))
            call = brief.cpu / given.streams
            print(
                f"{name:<18}{long.wall:>8.3f}{long.wall / ideal:>9.2f}{long.cpu:>8.3f}{each * 1e6:>16.1f}{call * 1e3:>15.1f}"
            )
    single, ten = split_cost(100_000)
    print(f"splitter and decoder alone: {single:.1f} us a chunk one by one, {ten:.1f} us in reads of ten")


if __name__ == "__main__":
    main()
