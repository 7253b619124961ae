"""What people and programs read of a measurement."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bot.bench import plot, words
from bot.bench.compare import rows
from bot.bench.model import Bench, Plan, Rate
from bot.bench.page import bench_html
from bot.bench.prompts import PROMPTS
from bot.bench.report import bench_json
from bot.bench.table import show_bench
from bot.review.ports import StreamEnd

Made = dict[str, Callable[..., Any]]
AT = "2026-11-23T00:00:00+00:00"


def told(bench: Bench, width: int = 160) -> str:
    file = io.StringIO()
    show_bench(Console(file=file, width=width), bench)
    return file.getvalue()


@pytest.fixture
def two(made: Made) -> Bench:
    return made["bench"](("fast", [[made["steady"](1000, first=0.152)]]), ("slow", [[made["steady"](70, first=0.5)]]))


def test_the_table_sets_side_by_side(two: Bench) -> None:
    lines = told(two).splitlines()
    fast = next(line.split() for line in lines if line.lstrip().startswith("fast "))
    assert fast[:6] == ["fast", "152", "ms", "1,000", "1,000", "to"]
    assert fast[-2:] == ["14.3", "×"]
    assert "  fast writes 14.3 times as fast as slow" in told(two)
    assert "2 short warm-up streams are not counted" in told(two)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_narrow_terminal_gets_fewer_columns_and_no_cut_ones(two: Bench, width: int) -> None:
    table = told(two, width)
    assert all(len(line.rstrip()) <= width for line in table.splitlines())
    for figure in ("152 ms", "1,000", "70.0", "14.3 ×"):
        assert figure in table


def test_the_words_of_an_endpoint_are_text_and_never_markup(made: Made) -> None:
    evil = made["stream"](end=StreamEnd.SERVER_ERROR, detail="[red]x[/red] <script>alert(1)</script>", tokens=0)
    bench = made["bench"](("<b>&one</b>", [[evil], [made["steady"](100)], [made["steady"](100)]]), ("b", [[evil]]))
    assert "[red]x[/red] <script>" in told(bench)
    page = bench_html(bench, measured_at=AT)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>&one" not in page
    json.loads(json.dumps(bench_json(bench, measured_at=AT)))


def test_failures_are_told_with_their_number_and_reason(made: Made) -> None:
    bad = made["stream"](end=StreamEnd.RATE_LIMITED, detail="HTTP 429", tokens=0)
    bench = made["bench"](("one", [[made["steady"](100)], [bad], [bad]]))
    for text in (told(bench), bench_html(bench, measured_at=AT)):
        assert "1 of 3" in text
        assert re.search(r"one: 2 of 3 streams failed: the endpoint(&#39;|')s rate limit: HTTP 429", text)


def test_the_page_asks_nobody_for_anything(two: Bench) -> None:
    page = bench_html(two, measured_at=AT)
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href|url)\s*[=(]", page)
    assert re.findall(r"https?://[^\s<]+", page) == ["http://127.0.0.1:9/v1"] * 2


def test_the_document_has_null_for_what_there_is_none_of(made: Made) -> None:
    bench = made["bench"](("one", [[made["stream"](end=StreamEnd.CUT, tokens=0)]]))
    document = json.loads(json.dumps(bench_json(bench, measured_at=AT), allow_nan=False))
    (series,) = document["series"]
    assert document["schema"] == 1
    assert (series["tokens_per_second"], series["first_token_seconds"], series["gap_seconds"]["p50"]) == (None,) * 3
    assert series["failures"] == [{"reason": "the stream was cut", "count": 1}]
    assert series["runs"][0][0]["end"] == "cut"


def test_what_it_costs_at_most_is_what_it_costs_at_most(made: Made) -> None:
    plan = Plan(prompts=(PROMPTS["review"], PROMPTS["hooks"]), levels=(1, 4, 2), runs=3, max_tokens=100)
    priced = made["lane"]("one", price=Rate(input=0, output=1_000_000))
    # 2 prompts x 7 streams x 3 runs of 100 tokens, and 1 + 4 warm-ups of 16.
    assert words.most_usd((priced,), plan) == pytest.approx(42 * 100 + 5 * 16)
    assert words.most_usd((priced, made["lane"]("two")), plan) is None


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0010, "1.00 ms"), (0.1524, "152 ms"), (0.9999, "1.00 s"), (12.345, "12.35 s")]
)
def test_seconds_are_told_in_the_unit_that_fits(value: float | None, text: str) -> None:
    assert words.seconds(value) == text


@settings(max_examples=80)
@given(st.floats(1e-6, 1e7))
def test_the_grid_has_few_round_lines_and_holds_the_most(most: float) -> None:
    found = plot.ticks(most)
    assert found[0] == 0
    assert found[-1] >= most * 0.999
    assert 2 <= len(found) <= 12


def test_a_curve_ends_where_its_stream_does_and_is_thinned_out(made: Made) -> None:
    bench = made["bench"](("one", [[made["steady"](1000, tokens=3000)]]), ("two", [[made["stream"]((0.1, 9))]]))
    (race,) = plot.races(rows(bench), bench)
    points = race.curves[0].points.split()
    assert len(points) < 200
    assert points[-1] == f"{race.curves[0].end_x:.1f},{race.curves[0].end_y:.1f}"
    assert [curve.colour for curve in race.curves] == [0, 1]
    assert all(plot.RACE_LEFT <= float(point.split(",")[0]) <= plot.WIDTH for point in points)
