"""From streams to figures: the rules as tables, and what holds for every stream."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.bench.compare import rows
from bot.bench.figures import figures, percentile, reads, spread, stream_figures, together, weighted_percentile
from bot.bench.model import Arrival, Batch, Stream
from bot.review.model import Usage
from bot.review.ports import StreamEnd

Made = dict[str, Callable[..., Any]]


def test_a_stream_token_by_token_has_the_rate_behind_its_first_token(made: Made) -> None:
    found = stream_figures(made["steady"](1000, tokens=501, first=0.15))
    assert found.first_token == pytest.approx(0.15)
    assert found.rate == pytest.approx(1000)
    assert found.total == pytest.approx(0.65)
    assert {round(gap, 6) for gap, _ in found.gaps} == {0.001}


def test_a_stream_in_bundles_is_not_flattered_by_its_first_bundle(made: Made) -> None:
    # 10 tokens each 10 ms: 1,000 tokens/s. (n - 1) tokens over the time from first to last would be 1,110.
    found = stream_figures(made["stream"](*((0.1 + 0.01 * at, 40) for at in range(10)), tokens=100))
    assert found.rate == pytest.approx(1000)
    assert [gap for gap, _ in found.gaps] == pytest.approx([0.001] * 9)
    assert found.longest_pause == pytest.approx(0.01)


def test_tokens_are_the_endpoints_count_and_never_its_chunks(made: Made) -> None:
    one = made["stream"]((0.1, 40), (0.2, 40), (0.3, 40), tokens=300)
    assert stream_figures(one).rate == pytest.approx(1000)
    assert not stream_figures(one).estimated


def test_pieces_of_one_moment_are_one_read(made: Made) -> None:
    stream = made["stream"]((0.1, 4), (0.10001, 4), (0.10002, 4), (0.103, 4), (0.10301, 4), tokens=5)
    assert reads(stream) == [Arrival(at=0.1, chars=12), Arrival(at=0.103, chars=8)]
    assert stream_figures(stream).gaps == ((pytest.approx(0.0015), pytest.approx(2.0)),)


@pytest.mark.parametrize(
    ("tokens", "changes", "wanted", "estimated"),
    [
        (100, {}, 100, False),
        (100, {"reasoning_tokens": 0}, 100, False),
        (100, {"reasoning_tokens": 60}, 40, False),
        (100, {"reasoning_tokens": 60, "thought_chars": 240}, 40, False),
        # Streamed and not counted apart: split by characters (160 of text, 240 of reasoning).
        (100, {"thought_chars": 240}, 40, True),
        (100, {"thought_chars": 240, "reasoning_tokens": 0}, 40, True),
        (100, {"counted": False}, 100, True),
        # More reasoning than output: nothing can be taken from that.
        (100, {"reasoning_tokens": 100}, 0, True),
    ],
)
def test_reasoning_is_no_text(made: Made, tokens: int, changes: Any, wanted: float, estimated: bool) -> None:
    stream = made["stream"]((0.1, 80), (0.2, 80), tokens=tokens, **changes)
    found = stream_figures(stream)
    assert (found.text_tokens, found.estimated) == (pytest.approx(wanted), estimated)
    assert found.rate == pytest.approx(wanted / 2 / 0.1)


def test_the_first_sign_is_the_reasoning_that_was_streamed(made: Made) -> None:
    found = stream_figures(made["stream"]((1.5, 4), (1.6, 4), first_thought=0.2, thought_chars=10))
    assert (found.first_sign, found.first_token) == (pytest.approx(0.2), pytest.approx(1.5))


def test_an_answer_in_one_piece_has_no_rate(made: Made) -> None:
    found = stream_figures(made["stream"]((0.4, 400)))
    assert found.rate is None
    assert found.gaps == ()
    (row,) = rows(made["bench"](("one", [[made["stream"]((0.4, 400))]])))
    assert row.entries[0].figures.rate is None
    assert row.entries[0].figures.first_token.p50 == pytest.approx(0.4)


def test_the_wait_for_a_rate_limit_is_in_no_figure_and_told(made: Made) -> None:
    bench = made["bench"](("one", [[made["steady"](100, first=3.2, sent=3.0, asked=1.0)]]))
    found = figures(bench.series[0])
    assert found.first_token is not None
    assert found.first_token.p50 == pytest.approx(0.2)
    assert found.waited == pytest.approx(2.0)


def test_streams_that_failed_are_told_and_never_averaged(made: Made) -> None:
    failed = made["stream"](end=StreamEnd.SERVER_ERROR, detail="HTTP 500 sorry", counted=False, tokens=0)
    cut = made["stream"]((0.1, 4), (9.9, 4), end=StreamEnd.CUT)
    empty = made["stream"](tokens=64, end=StreamEnd.LENGTH)
    good = [made["steady"](100), made["steady"](100, end=StreamEnd.LENGTH)]
    found = figures(made["bench"](("one", [[failed], [failed], [cut], [empty], [good[0]], [good[1]]])).series[0])
    assert (found.streams, found.measured, found.failed, found.cut_by_limit) == (6, 2, 4, 1)
    assert found.failures == (
        ("the endpoint failed: HTTP 500 sorry", 2),
        ("the stream was cut", 1),
        ("the answer had no text (64 tokens of output)", 1),
    )
    assert found.rate is not None
    assert (found.rate.least, found.rate.most) == (pytest.approx(100), pytest.approx(100))
    assert not found.sound
    assert found.usd == pytest.approx(0.006)


def test_what_we_stopped_ourselves_is_no_failure(made: Made) -> None:
    ours = [made["stream"](end=end, tokens=0) for end in (StreamEnd.CANCELLED, StreamEnd.BUDGET, StreamEnd.DAY_BUDGET)]
    found = figures(made["bench"](("one", [[made["steady"](100)], *([each] for each in ours)])).series[0])
    assert (found.streams, found.measured, found.failed, found.unasked) == (1, 1, 0, 3)


def test_streams_at_once_are_added_up_over_their_common_time(made: Made) -> None:
    four = tuple(made["steady"](100, first=0.2 + late) for late in (0.0, 0.0, 0.0, 0.0))
    assert together(Batch(streams=four, cpu_seconds=0)) == pytest.approx(400)
    apart = (made["steady"](100, tokens=101, first=0.0), made["steady"](100, tokens=101, first=1.0))
    assert together(Batch(streams=apart, cpu_seconds=0)) == pytest.approx(100)
    # Where the second was sent a second later, the endpoint wrote both at their full rate.
    ours = (made["steady"](100, first=0.0), made["steady"](100, first=1.0, sent=1.0))
    assert together(Batch(streams=ours, cpu_seconds=0)) == pytest.approx(200)


def test_a_run_with_a_failed_or_missing_stream_has_no_figure_together(made: Made) -> None:
    good, bad = made["steady"](100), made["stream"](end=StreamEnd.CUT)
    assert together(Batch(streams=(good, bad), cpu_seconds=0)) is None
    found = figures(made["bench"](("one", [[good, good], [good, bad], [good]]), parallel=2).series[0])
    assert found.together is not None
    assert (found.together.count, found.together.p50) == (1, pytest.approx(200))


def test_a_cost_is_unknown_when_one_of_it_is(made: Made) -> None:
    unknown = made["steady"](100, usage=Usage(output_tokens=101, usd=None, calls=1))
    assert figures(made["bench"](("one", [[made["steady"](100)], [unknown]])).series[0]).usd is None


# -- side by side --------------------------------------------------------------------------------------------------


def test_the_ratio_is_to_the_slowest(made: Made) -> None:
    bench = made["bench"](
        ("slow", [[made["steady"](70, first=0.5)]]),
        ("fast", [[made["steady"](1000, first=0.1)]]),
        ("middle", [[made["steady"](140)]]),
    )
    (row,) = rows(bench)
    assert [entry.faster for entry in row.entries] == pytest.approx([1.0, 1000 / 70, 2.0])
    assert [entry.sooner for entry in row.entries] == pytest.approx([1.0, 5.0, 2.5])
    assert row.headline == (
        "fast writes 14.3 times as fast as slow: 1,000 against 70 tokens/s a stream (boilerplate, 1 stream)"
    )


def test_there_is_no_ratio_to_an_endpoint_that_failed_at_half_of_its_streams(made: Made) -> None:
    bad = made["stream"](end=StreamEnd.CUT)
    bench = made["bench"](
        ("fast", [[made["steady"](1000)], [made["steady"](1000)]]), ("slow", [[made["steady"](70)], [bad]])
    )
    (row,) = rows(bench)
    assert [entry.faster for entry in row.entries] == [None, None]
    assert row.headline == ""


def test_a_ratio_of_estimates_says_so(made: Made) -> None:
    bench = made["bench"](("a", [[made["steady"](1000, counted=False)]]), ("b", [[made["steady"](100)]]))
    assert rows(bench)[0].headline.startswith("a writes about 10.0 times")


# -- what always holds ---------------------------------------------------------------------------------------------

VALUES = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=30)


@settings(max_examples=60)
@given(VALUES)
def test_percentiles_are_ordered_and_inside(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    order = [found.least, found.p10, found.p50, found.p90, found.p99, found.most]
    assert order == sorted(order)
    assert (found.least, found.most) == (min(values), max(values))
    assert found.p50 == pytest.approx(statistics.median(values))


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30))
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    theirs = statistics.quantiles(values, n=10, method="inclusive")
    ours = [percentile(sorted(values), number / 10) for number in range(1, 10)]
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=20), st.sampled_from([50, 99]))
def test_a_weight_counts_like_so_many_values(pairs: list[tuple[int, int]], percent: int) -> None:
    spread_out = sorted(value for value, weight in pairs for _ in range(weight))
    rank = -(-percent * len(spread_out) // 100)
    assert weighted_percentile(pairs, percent / 100) == spread_out[rank - 1]


STREAMS = st.lists(
    st.tuples(st.floats(0.001, 2.0), st.integers(1, 50)), min_size=2, max_size=40
)  # seconds since the last piece, characters


def _stream(pieces: list[tuple[float, int]], *, start: float, slower: float, tokens: int) -> Stream:
    at, arrivals = start, []
    for waited, chars in pieces:
        at += waited * slower
        arrivals.append(Arrival(at=at, chars=chars))
    return Stream(asked=start, sent=start, ended=at, end=StreamEnd.WHOLE, arrivals=tuple(arrivals),
                  usage=Usage(output_tokens=tokens), counted=True)  # fmt: skip


@settings(max_examples=60)
@given(STREAMS, st.integers(1, 5000), st.floats(1, 1000), st.sampled_from([1.0, 2.0, 10.0]))
def test_twice_as_slow_is_half_the_rate_whenever_it_was(
    pieces: list[tuple[float, int]], tokens: int, start: float, slower: float
) -> None:
    one = stream_figures(_stream(pieces, start=0.0, slower=1.0, tokens=tokens))
    other = stream_figures(_stream(pieces, start=start, slower=slower, tokens=tokens))
    assert one.rate is not None
    assert other.rate is not None
    assert other.rate * slower == pytest.approx(one.rate, rel=1e-6)
    assert other.total == pytest.approx(one.total * slower, rel=1e-6)


@settings(max_examples=60)
@given(STREAMS, st.integers(1, 5000))
def test_gaps_add_up_to_the_stream(pieces: list[tuple[float, int]], tokens: int) -> None:
    found = stream_figures(_stream(pieces, start=0.0, slower=1.0, tokens=tokens))
    assert sum(gap * count for gap, count in found.gaps) == pytest.approx(found.total - found.first_token, rel=1e-6)
    assert found.rate is not None
    came = found.rate * (found.total - found.first_token)
    assert came * (1 - 1e-6) <= sum(count for _, count in found.gaps) <= came + len(found.gaps)
    assert max((gap for gap, _ in found.gaps), default=0.0) <= found.longest_pause
