"""The test of the instrument: over real HTTP its figures are those that the endpoint was set to, within 3 %.

The stand-in makes up for a late beat, so its rate holds on a busy machine, and its log tells when it sent its first token: what
the machine adds to that is not the instrument's. Where the machine stands still for a moment, a figure gets another try, five
in all: a moment passes, and a wrong rule is wrong in each of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from bot.bench.compare import rows
from bot.bench.model import Bench, Lane, Plan
from bot.bench.prompts import PROMPTS
from bot.bench.run import Runner
from bot.bench.words import median
from bot.model.endpoint import Api
from bot.sandbox.endpoint import Answer, EndpointServer, Script, fixed

TPS, TTFT, TOKENS = 1000.0, 0.6, 1200
NEAR = 0.03
TRIES = 5
SCRIPT: Script = fixed(" word" * 2000)


class WallClock:
    def now(self) -> float:
        return time.monotonic()


def run(lanes: tuple[Lane, ...], *, levels: tuple[int, ...] = (1,), runs: int = 1, tokens: int = TOKENS) -> Bench:
    plan = Plan(prompts=(PROMPTS["review"],), levels=levels, runs=runs, max_tokens=tokens)
    return Runner(lanes, plan, clock=WallClock()).run()


class Judge:
    """Keeps for each figure the least distance from what it should be, as a share of that, over all tries."""

    def __init__(self) -> None:
        self.off: dict[str, float] = {}

    def hear(self, **figures: tuple[float | None, float]) -> bool:
        """Each figure with what it should be. Whether all were near, now or before."""
        for name, (found, real) in figures.items():
            assert found is not None, name
            self.off[name] = min(self.off.get(name, 1e9), abs(found - real) / real)
        return max(self.off.values()) <= NEAR


def check(server: EndpointServer, lane: Lane, parallel: int) -> None:
    judge = Judge()
    for _ in range(TRIES):
        (row,) = rows(run((lane,), levels=(parallel,)))
        found = row.entries[0].figures
        assert (found.measured, found.failed, found.estimated) == (parallel, 0, False)
        assert found.text_tokens is not None
        assert found.text_tokens.p50 == TOKENS
        sent = [entry for entry in server.requests if entry.tokens > 16][-parallel:]
        first = statistics.median(entry.first - entry.started for entry in sent if entry.first is not None)
        if judge.hear(
            first_token=(median(found.first_token), first),
            rate=(median(found.rate), TPS),
            together=(median(found.together), TPS * parallel),
            total=(median(found.total), first + (TOKENS - 1) / TPS),
        ):
            return
    pytest.fail(f"off by {judge.off}")


@pytest.mark.parametrize(("api", "parallel"), [(Api.CHAT, 1), (Api.CHAT, 4), (Api.CHAT, 16), (Api.RESPONSES, 4)])
def test_the_figures_are_what_the_endpoint_was_set_to(
    endpoint: Callable[..., EndpointServer], lane: Callable[..., Lane], api: Api, parallel: int
) -> None:
    server = endpoint(script=SCRIPT, tps=TPS, ttft=TTFT)
    check(server, lane("one", server, api=api), parallel)


def test_the_first_token_and_the_gaps_are_what_the_endpoint_was_set_to(
    endpoint: Callable[..., EndpointServer], lane: Callable[..., Lane]
) -> None:
    server = endpoint(script=SCRIPT, tps=50.0, ttft=TTFT)
    judge = Judge()
    one = lane("one", server)
    for _ in range(TRIES):
        (row,) = rows(run((one,), tokens=40))
        found = row.entries[0].figures
        if judge.hear(first_token=(median(found.first_token), TTFT), gap=(found.gap_p50, 1 / 50)):
            return
    pytest.fail(f"off by {judge.off}")


def test_1000_tokens_a_second_are_14_3_times_70(
    endpoint: Callable[..., EndpointServer], lane: Callable[..., Lane]
) -> None:
    fast = endpoint(script=SCRIPT, tps=1000.0, ttft=0.05)
    # The same tokens would take the slow one ten times as long, which proves no more.
    slow = endpoint(script=fixed(" word" * 70), tps=70.0, ttft=0.05)
    lanes = (lane("fast", fast), lane("slow", slow))
    judge = Judge()
    for _ in range(TRIES):
        (row,) = rows(run(lanes, tokens=600))
        if judge.hear(ratio=(row.entries[0].faster, 1000 / 70)):
            assert row.headline.startswith("fast writes 14.")
            return
    pytest.fail(f"off by {judge.off}")


@pytest.mark.parametrize("api", [Api.CHAT, Api.RESPONSES])
def test_reasoning_is_counted_apart_on_either_api(
    endpoint: Callable[..., EndpointServer], lane: Callable[..., Lane], api: Api
) -> None:
    def script(_request: Any) -> Answer:
        return Answer(text=" word" * 100, reasoning=" muse" * 200)

    server = endpoint(script=script, tps=1000.0, ttft=0.05)
    (row,) = rows(run((lane("one", server, api=api),)))
    found = row.entries[0].figures
    assert (found.reasoning_tokens, found.estimated) == (200, False)
    assert found.text_tokens is not None
    assert found.first_sign is not None
    assert found.first_token is not None
    assert found.text_tokens.p50 == 100
    # 200 tokens of reasoning come first, one each millisecond.
    assert found.first_token.p50 - found.first_sign.p50 > 0.15
