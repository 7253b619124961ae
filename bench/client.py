"""What reading a fast endpoint costs a client: 1, 16 and 60 streams at 1,000 tok/s, Spark against the openai SDK.

The endpoint runs in a process of its own. CPU is that of this process, from the first request to the last byte; the
cost of 1,000 tokens is that CPU less the cost of the same calls with almost no tokens. The ideal is the time to the first
token and the stream itself.

"SDK" iterates the SDK's own stream, as its documentation shows. "SDK's bytes" takes the bytes of the same answer through httpx2
and reads them as Spark does, and "SDK's bytes, asyncio" the same in one event loop: what could be had without connections
of one's own.

    python bench/client.py [--streams 1 16 60] [--tokens 300] [--rounds 3] [--only reading|tls|set-up]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import openai
from tls_front import make_certificate, tls_front

from bot.model.budget import Budget
from bot.model.chat import ChatDecoder
from bot.model.client import SparkModel
from bot.model.endpoint import Api, Endpoint, HttpOptions
from bot.model.prices import PriceTable
from bot.model.responses import ResponsesDecoder
from bot.model.sse import SseSplitter
from bot.review.ports import CallKind, Prompt, Stop, StreamEnd
from bot.sandbox.endpoint import endpoint_process

TTFT = 0.05
TPS = 1000.0
FEW = 16
"""Tokens of the calls that measure what a call costs by itself."""
ROUND_TRIP = 0.03
"""Seconds of the far network."""
MODEL = "codex-spark-preview"
SYSTEM = "You review changes of code, line by line. " * 150
USER = "+R42#k3f|    return compute(value)\n" * 150
"""Texts as long as those of a small review."""
APIS = {Api.CHAT: "Chat Completions", Api.RESPONSES: "Responses"}
Calls = Callable[[int], None]
"""So many calls at once, until all have ended."""


class WallClock:
    """The system's monotonic clock."""

    def now(self) -> float:
        """Seconds."""
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds, medians over the rounds, and the most threads that there were."""

    wall: float
    cpu: float
    threads: int


def in_threads(work: Callable[[], None]) -> Calls:
    """Each call in a thread of its own."""

    def calls(streams: int) -> None:
        ended: list[bool] = []

        def one() -> None:
            work()
            ended.append(True)

        threads = [threading.Thread(target=one) for _ in range(streams)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ended) == streams, "a call failed"

    return calls


def measured(make: Callable[[], Calls], streams: int, rounds: int) -> Measured:
    """Medians of `rounds`, after one to warm up."""
    watch = Watch()
    calls = make()
    calls(streams)
    seen = []
    for _ in range(rounds):
        cpu, began = time.process_time(), time.perf_counter()
        calls(streams)
        seen.append((time.perf_counter() - began, time.process_time() - cpu))
    threads = watch.end()
    return Measured(
        wall=statistics.median(wall for wall, _ in seen), cpu=statistics.median(cpu for _, cpu in seen), threads=threads
    )


class Watch:
    """Counts threads twenty times a second, itself and those that were there before not among them."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._most = 0
        self._before = threading.active_count() + 1
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self._most = max(self._most, threading.active_count() - self._before)

    def end(self) -> int:
        """The most there were."""
        self._over.set()
        self._thread.join()
        return self._most


def spark(url: str, api: Api, *, ahead: int = 0) -> SparkModel:
    """Our client."""
    return SparkModel(
        Endpoint(base_url=url, model=MODEL, api=api),
        prices=PriceTable(),
        budget=Budget(),
        clock=WallClock(),
        http=HttpOptions(ahead=ahead),
    )


PROMPT = Prompt(kind=CallKind.REVIEW, system=SYSTEM, user=USER, max_output_tokens=4000, reason=False, tokens=3000)


def ours(url: str, api: Api) -> Calls:
    """Calls through our client."""
    model = spark(url, api)
    model.warm()
    return in_threads(lambda: call(model))


def call(model: SparkModel, firsts: list[float] | None = None) -> None:
    """One call of ours; notes how long its first token took."""
    clock = WallClock()
    began = clock.now()
    report = model.stream(PROMPT, sink=lambda _text: None, stop=Stop(deadline=began + 60, clock=clock))
    assert report.end is StreamEnd.WHOLE, report
    if firsts is not None and report.first_token is not None:
        firsts.append(report.first_token - began)


def request(api: Api) -> dict[str, Any]:
    """The same request in the SDK's words."""
    if api is Api.RESPONSES:
        return {"model": MODEL, "instructions": SYSTEM, "input": USER, "stream": True, "store": False}
    texts = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    return {"model": MODEL, "messages": texts, "stream": True, "stream_options": {"include_usage": True}}


def sdks(url: str, api: Api) -> Calls:
    """Calls through the SDK's own stream."""
    client = openai.OpenAI(api_key="none", base_url=url, max_retries=0)
    wanted = request(api)

    def work() -> None:
        parts: list[str] = []
        if api is Api.RESPONSES:
            parts += [getattr(event, "delta", "") for event in client.responses.create(**wanted)]
        else:
            for chunk in client.chat.completions.create(**wanted):
                parts += [choice.delta.content or "" for choice in chunk.choices]
        assert parts

    return in_threads(work)


class Reading:
    """Bytes to text, as Spark does it."""

    def __init__(self, api: Api) -> None:
        self._splitter = SseSplitter()
        self.decoder = ChatDecoder() if api is Api.CHAT else ResponsesDecoder()

    def take(self, data: bytes) -> str:
        """The text in these bytes."""
        return "".join([self.decoder.feed(payload) for payload in self._splitter.feed(data)])


def sdks_bytes(url: str, api: Api) -> Calls:
    """Calls that take the bytes of the SDK's answer through httpx2."""
    client = openai.OpenAI(api_key="none", base_url=url, max_retries=0)
    wanted = request(api)

    def work() -> None:
        door: Any = client.chat.completions if api is Api.CHAT else client.responses
        reading = Reading(api)
        with door.with_streaming_response.create(**wanted) as answer:
            for data in answer.http_response.iter_raw():
                reading.take(data)
        assert reading.decoder.answer.end is StreamEnd.WHOLE

    return in_threads(work)


def in_a_loop(url: str, api: Api) -> Calls:
    """The same in one thread with asyncio."""
    wanted = request(api)
    runner = asyncio.Runner()
    limits = httpx2.Limits(max_connections=256, max_keepalive_connections=256)
    client = openai.AsyncOpenAI(
        api_key="none", base_url=url, max_retries=0, http_client=httpx2.AsyncClient(limits=limits)
    )

    async def one() -> None:
        door: Any = client.chat.completions if api is Api.CHAT else client.responses
        reading = Reading(api)
        async with door.with_streaming_response.create(**wanted) as answer:
            async for data in answer.http_response.aiter_raw():
                reading.take(data)
        assert reading.decoder.answer.end is StreamEnd.WHOLE

    async def every(streams: int) -> None:
        await asyncio.gather(*(one() for _ in range(streams)))

    return lambda streams: runner.run(every(streams))


CLIENTS: dict[str, Callable[[str, Api], Calls]] = {
    "SDK": sdks,
    "SDK's bytes": sdks_bytes,
    "SDK's bytes, asyncio": in_a_loop,
    "Spark": ours,
}


def reading_table(
    url: str, short: str, sizes: Sequence[int], tokens: int, rounds: int, apis: Sequence[Api], names: Sequence[str]
) -> None:
    """One row for each client, API and number of streams."""
    ideal = TTFT + (tokens - 1) / TPS
    print("| streams | API | client | wall | × ideal | CPU ms per 1,000 tokens | CPU ms a call | threads |")
    print("|---|---|---|---|---|---|---|---|")
    for streams in sizes:
        for api in apis:
            for name in names:
                long = measured(partial(CLIENTS[name], url, api), streams, rounds)
                brief = measured(partial(CLIENTS[name], short, api), streams, rounds)
                each = (long.cpu - brief.cpu) / (streams * (tokens - FEW)) * 1e6
                # What those few tokens cost is no part of the call.
                once = brief.cpu / streams * 1e3 - each * FEW / 1000
                print(
                    f"| {streams} | {APIS[api]} | {name} | {long.wall:.2f} s | {long.wall / ideal:.2f} "
                    f"| {each:.1f} | {once:.2f} | {long.threads} |",
                    flush=True,
                )


def set_up_table(url: str, sizes: Sequence[int]) -> None:
    """The first token of calls that begin at once, by what connections there are."""
    print("| calls at once | connections | first token, median | latest |")
    print("|---|---|---|---|")
    for streams in sizes:
        for name, ahead, before in (("none", 0, False), ("8 opened ahead", 8, False), ("kept", 0, True)):
            model = spark(url, Api.CHAT, ahead=ahead)
            model.warm()
            # As long as the reading of a pull takes.
            time.sleep(4 * ROUND_TRIP if ahead else 0.0)
            firsts: list[float] = []
            if before:
                in_threads(partial(call, model))(streams)
            in_threads(partial(call, model, firsts))(streams)
            model.close()
            print(
                f"| {streams} | {name} | {statistics.median(firsts) * 1e3:.0f} ms | {max(firsts) * 1e3:.0f} ms |",
                flush=True,
            )


def split_cost(chunks: int) -> tuple[float, float]:
    """Microseconds a chunk for splitter and decoder alone, chunk by chunk and in reads of ten."""
    event = (
        b'data: {"id":"chatcmpl-9f3b2c7a5e","object":"chat.completion.chunk","created":1790000000,"model":"codex-spark",'
        b'"system_fingerprint":"fp_44709d6fcb","service_tier":"default","choices":[{"index":0,"delta":{"content":" word"},'
        b'"logprobs":null,"finish_reason":null}]}\n\n'
    )
    costs = []
    for size in (1, 10):
        reading = Reading(Api.CHAT)
        began = time.process_time()
        for _ in range(chunks // size):
            reading.take(event * size)
        costs.append((time.process_time() - began) / chunks * 1e6)
    return costs[0], costs[1]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16, 60])
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["reading", "tls", "set-up"])
    given = parser.parse_args()
    speed = [f"--ttft={TTFT}", f"--tps={TPS}"]
    with ExitStack() as stack:
        certificate = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "front.pem"
        make_certificate(certificate)
        os.environ["SSL_CERT_FILE"] = str(certificate)
        url = stack.enter_context(endpoint_process([*speed, f"--script=tokens:{given.tokens}"]))
        short = stack.enter_context(endpoint_process([*speed, f"--script=tokens:{FEW}"]))
        print(f"{given.tokens} tokens at {TPS:.0f} tok/s; ideal {TTFT + (given.tokens - 1) / TPS:.2f} s\n")
        if given.only in {None, "reading"}:
            reading_table(url, short, given.streams, given.tokens, given.rounds, list(Api), list(CLIENTS))
            single, ten = split_cost(100_000)
            print(
                f"\nSplitter and decoder alone: {single:.1f} µs a chunk that comes by itself, {ten:.1f} µs in reads of ten."
            )
        if given.only in {None, "tls"}:
            print("\nOver TLS:\n")
            front = stack.enter_context(tls_front(url, certificate))
            brief = stack.enter_context(tls_front(short, certificate))
            sizes = [streams for streams in given.streams if streams > 1]
            names = ["SDK's bytes", "Spark"]
            reading_table(front, brief, sizes, given.tokens, given.rounds, [Api.CHAT], names)
        if given.only in {None, "set-up"}:
            print(f"\nOver TLS on a network with a round trip of {ROUND_TRIP * 1e3:.0f} ms:\n")
            far = stack.enter_context(tls_front(short, certificate, delay=ROUND_TRIP / 2))
            set_up_table(far, [1, 8, 16, 60])


if __name__ == "__main__":
    main()
