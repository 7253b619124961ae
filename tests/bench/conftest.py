"""Streams as values, endpoints on loopback, and the command in process with nothing of this machine's settings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.bench.model import Arrival, Batch, Bench, Lane, Plan, Series, Stream
from bot.bench.prompts import PROMPTS
from bot.model.budget import Budget
from bot.model.client import SparkModel
from bot.model.endpoint import Api, Endpoint, HttpOptions
from bot.model.prices import PriceTable
from bot.review.model import Usage
from bot.review.ports import StreamEnd
from bot.sandbox.endpoint import EndpointOptions, EndpointServer

MODEL = "codex-spark-preview"


class WallClock:
    def now(self) -> float:
        return time.monotonic()


def make_stream(*pieces: tuple[float, int], tokens: int = 100, **changes: Any) -> Stream:
    """A whole stream sent at 0 whose pieces are seconds and characters."""
    values = {
        "asked": 0.0,
        "sent": 0.0,
        "ended": pieces[-1][0] if pieces else 1.0,
        "end": StreamEnd.WHOLE,
        "arrivals": tuple(Arrival(at=at, chars=chars) for at, chars in pieces),
        "usage": Usage(output_tokens=tokens, usd=0.001, calls=1),
        "counted": True,
    }
    return Stream(**{**values, **changes})


def steady(rate: float, *, tokens: int = 101, first: float = 0.2, chars: int = 4, **changes: Any) -> Stream:
    """A stream that comes token by token."""
    return make_stream(*((first + number / rate, chars) for number in range(tokens)), tokens=tokens, **changes)


def make_lane(name: str, model: Any = None, **changes: Any) -> Lane:
    values = {"base_url": "http://127.0.0.1:9/v1", "model_name": MODEL, "api": "chat", "model": model, "price": None}
    return Lane(name=name, **{**values, **changes})


def make_bench(*lanes: tuple[str, list[list[Stream]]], parallel: int = 1, **changes: Any) -> Bench:
    """A measurement of one prompt: for each lane its runs, each with its streams."""
    made = [(make_lane(name), runs) for name, runs in lanes]
    prompt = PROMPTS["boilerplate"]
    values: dict[str, Any] = {
        "lanes": tuple(lane for lane, _ in made),
        "plan": Plan(prompts=(prompt,), levels=(parallel,), runs=max(len(runs) for _, runs in made)),
        "series": tuple(
            Series(lane=lane, prompt=prompt, parallel=parallel,
                   batches=tuple(Batch(streams=tuple(run), cpu_seconds=0.01) for run in runs))
            for lane, runs in made
        ),
        "warm_ups": len(made),
        "warm_up_usage": Usage(calls=len(made)),
    }  # fmt: skip
    return Bench(**{**values, **changes})


@pytest.fixture
def endpoint() -> Iterator[Callable[..., EndpointServer]]:
    """`endpoint(**options)`: a stand-in of its own."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(EndpointServer(EndpointOptions(**options)))


@pytest.fixture
def lane() -> Iterator[Callable[..., Lane]]:
    """`lane(name, server)`: the real client of reviews on a stand-in."""
    with ExitStack() as stack:

        def make(name: str, server: EndpointServer, *, api: Api = Api.CHAT, budget: Budget | None = None) -> Lane:
            model = SparkModel(
                Endpoint(base_url=server.url, model=MODEL, api=api),
                prices=PriceTable.read(f"{MODEL}=1/2"),
                budget=budget or Budget(),
                clock=WallClock(),
                http=HttpOptions(gather_seconds=0.0),
            )
            stack.callback(model.close)
            return make_lane(name, model, base_url=server.url, api=api.value)

        yield make


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of this machine."""
    for name in list(os.environ):
        if name.startswith(("SPARK_", "OPENAI_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def made() -> dict[str, Callable[..., Any]]:
    """The makers of values."""
    return {"stream": make_stream, "steady": steady, "bench": make_bench, "lane": make_lane}
