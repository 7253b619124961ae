"""A whole measurement: what is sent when, and what ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from bot.bench.compare import rows
from bot.bench.figures import figures
from bot.bench.model import Bench, Lane, Plan
from bot.bench.prompts import PROMPTS, WARM_TOKENS
from bot.bench.run import Runner, Step
from bot.errors import ConfigError
from bot.model.budget import Budget
from bot.sandbox.endpoint import EndpointServer, fixed, parse_fault

SCRIPT = fixed(" word" * 40)
Endpoint = Callable[..., EndpointServer]
MakeLane = Callable[..., Lane]


class WallClock:
    def now(self) -> float:
        return time.monotonic()


def run(lanes: tuple[Lane, ...], *, tell: Callable[[Step], None] = lambda _: None, **changes: object) -> Bench:
    values = {"prompts": (PROMPTS["review"],), "levels": (1,), "runs": 2, "max_tokens": 40}
    return Runner(lanes, Plan(**{**values, **changes}), clock=WallClock(), tell=tell).run()


def limits(server: EndpointServer) -> list[int]:
    return [entry.body["max_tokens"] for entry in server.requests if isinstance(entry.body, dict)]


def test_each_connection_is_warmed_once_and_what_warms_is_not_counted(endpoint: Endpoint, lane: MakeLane) -> None:
    server = endpoint(script=SCRIPT, tps=5000.0, ttft=0.01)
    bench = run((lane("one", server),), levels=(1, 3, 2))
    assert limits(server) == [WARM_TOKENS, 40, 40, *[WARM_TOKENS] * 3, *[40] * 6, *[40] * 4]
    assert (bench.warm_ups, bench.warm_up_usage.calls, bench.usage.calls) == (4, 4, 16)
    assert [figures(series).measured for series in bench.series] == [2, 6, 4]
    assert bench.usage.usd is not None


def test_endpoints_take_turns_and_never_share_a_moment(endpoint: Endpoint, lane: MakeLane) -> None:
    servers = [endpoint(script=SCRIPT, tps=2000.0, ttft=0.01) for _ in range(2)]
    told: list[str] = []
    run(tuple(lane(f"n{at}", server) for at, server in enumerate(servers)),
        tell=lambda step: told.append(f"{step.lane.name} {step.what} {step.done}/{step.streams}"))  # fmt: skip
    spans = sorted(
        (entry.started, entry.ended or 0.0, at) for at, server in enumerate(servers) for entry in server.requests
    )
    assert [at for _, _, at in spans] == [0, 1] * 3
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert told == [
        "n0 warm-up 0/4",
        "n1 warm-up 0/4",
        "n0 review, 1 stream, run 1 of 2 0/4",
        "n1 review, 1 stream, run 1 of 2 1/4",
        "n0 review, 1 stream, run 2 of 2 2/4",
        "n1 review, 1 stream, run 2 of 2 3/4",
    ]


def test_an_endpoint_that_fails_at_half_is_told_with_its_reasons(endpoint: Endpoint, lane: MakeLane) -> None:
    good = endpoint(script=SCRIPT, tps=2000.0, ttft=0.01)
    faults = (None, None, parse_fault("status:500"), None, parse_fault("cut:5"))
    bad = endpoint(script=SCRIPT, tps=2000.0, ttft=0.01, faults=faults)
    (row,) = rows(run((lane("good", good), lane("bad", bad)), runs=4))
    found = row.entries[1].figures
    assert (found.measured, found.streams) == (2, 4)
    assert sorted(reason.partition(":")[0] for reason, _ in found.failures) == [
        "the endpoint failed",
        "the stream was cut",
    ]
    assert row.entries[0].faster is None


def test_an_endpoint_without_usage_has_an_estimate_that_is_marked(endpoint: Endpoint, lane: MakeLane) -> None:
    server = endpoint(script=SCRIPT, tps=2000.0, ttft=0.01, faults=[parse_fault("no-usage")] * 3)
    (row,) = rows(run((lane("one", server),)))
    found = row.entries[0].figures
    assert found.estimated
    assert found.text_tokens is not None
    assert found.text_tokens.p50 == 50  # 200 characters


def test_an_endpoint_that_is_not_there_is_asked_once_and_does_not_hold_up_the_rest(
    endpoint: Endpoint, lane: MakeLane
) -> None:
    server, gone = endpoint(script=SCRIPT, tps=2000.0, ttft=0.01), endpoint()
    gone.close()
    bench = run((lane("gone", gone), lane("here", server)), runs=5, levels=(1, 2))
    one, other, two, another = (figures(series) for series in bench.series)
    assert (one.measured, one.failed, two.failed) == (0, 1, 2)
    assert one.failures[0][0].startswith("the endpoint could not be reached")
    assert (other.measured, another.measured) == (5, 10)


def test_a_wrong_model_stops_it_before_anything_is_measured(endpoint: Endpoint, lane: MakeLane) -> None:
    server = endpoint(script=SCRIPT, models=("another",))
    with pytest.raises(ConfigError, match="has no model codex-spark-preview"):
        run((lane("one", server),))


def test_a_budget_ends_it_and_what_was_measured_stays(endpoint: Endpoint, lane: MakeLane) -> None:
    server = endpoint(script=SCRIPT, tps=5000.0, ttft=0.01)
    # $2 for a million tokens out: 40 of them 0.00008, and the prompt's 500 tokens 0.0005.
    bench = run((lane("one", server, budget=Budget(0.003)),), runs=50)
    (series,) = bench.series
    found = figures(series)
    assert bench.stopped.startswith("the budget is used up: $0.00")
    assert 1 <= found.measured < 20
    assert (found.failed, found.unasked) == (0, 1)
    assert bench.usage.usd is not None
    assert bench.usage.usd <= 0.003


def test_an_interrupt_ends_it_at_once_with_what_it_has(endpoint: Endpoint, lane: MakeLane) -> None:
    server = endpoint(script=SCRIPT, tps=2000.0, ttft=0.01)

    def tell(step: Step) -> None:
        if step.done == 2:
            raise KeyboardInterrupt

    bench = run((lane("one", server),), tell=tell, runs=9)
    assert (bench.interrupted, bench.stopped) == (True, "interrupted")
    assert figures(bench.series[0]).measured == 2
