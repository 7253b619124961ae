"""What is kept of a race, and its tables: medians, failures told, aims judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from race.limit import limit
from race.model import SHAPES, SPEEDS
from race.record import Entry, Failure, Race, dump, join, load, sort_out
from race.report import aims, charts, line_of, markdown

LIMIT = limit(SPEEDS[0], SHAPES[0], "instant")
SERVER = Entry(name="Spark server", kind="server", version="1.0", rival=False)
RIVAL = Entry(name="PR-Agent, warm server", kind="server", version="0.2", rival=True)
Make = Callable[..., Any]


def race(*runs: Any, failures: tuple[Failure, ...] = (), entries: tuple[Entry, ...] = (SERVER, RIVAL)) -> Race:
    return Race(machine=("a machine",), entries=entries, runs=runs, failures=failures)


def rows(text: str, product: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|") and f"| {product} |" in line]


def test_a_row_has_the_medians_and_the_tenth_longest_of_done(a_run: Make) -> None:
    text = markdown(race(*(a_run(done=done) for done in (1.0, 1.2, 3.0)), entries=(SERVER,)))
    (row,) = rows(text, "Spark server")
    assert "| 1.20 s | 3.00 s |" in row
    assert f"| {1.2 / LIMIT.done:.2f} |" in row
    assert "| 3, 2 |" in row


def test_a_table_at_standard_has_the_ratio_to_both_limits(a_run: Make) -> None:
    text = markdown(race(a_run(effort="standard", done=1.3), entries=(SERVER,)))
    (row,) = rows(text, "Spark server")
    assert f"| {1.3 / limit(SPEEDS[0], SHAPES[0], 'standard').done:.2f} | {1.3 / LIMIT.done:.2f} |" in row


def test_every_row_has_as_many_cells_as_its_head(a_run: Make) -> None:
    failed = Failure(product="Spark server", speed="fast", shape="5 files", effort="standard", why="it | ended")
    text = markdown(race(a_run(), a_run(effort="standard"), failures=(failed,)))
    for block in text.split("\n\n"):
        assert len({line.count("|") for line in block.splitlines() if line.startswith("|")}) <= 1, block


def test_a_failed_run_is_told_beside_the_others_and_in_no_median(a_run: Make) -> None:
    failed = Failure(product="Spark server", speed="fast", shape="1 file", effort="instant", why="stopped after 300 s")
    (row,) = rows(markdown(race(a_run(done=1.0), failures=(failed,))), "Spark server")
    assert "| 1.00 s (**failed 1 of 2: stopped after 300 s**) |" in row


def test_a_product_whose_runs_all_failed_has_a_row_that_says_so() -> None:
    failed = Failure(product="Spark server", speed="fast", shape="1 file", effort="instant", why="it ended with 3")
    (row,) = rows(markdown(race(failures=(failed,))), "Spark server")
    assert "**failed 1 of 1: it ended with 3**" in row


def test_a_run_that_was_stopped_or_left_nothing_is_a_failure_however_fast(a_run: Make) -> None:
    stopped = sort_out(a_run(notes=("stopped after 300 s",)))
    empty = sort_out(a_run(posted=False))
    assert isinstance(stopped, Failure)
    assert isinstance(empty, Failure)
    assert empty.why == "nothing was posted"
    assert sort_out(a_run(notes=("12 of 60 files shown",))) == a_run(notes=("12 of 60 files shown",))


@pytest.mark.parametrize(("done", "verdict"), [(LIMIT.done * 1.15, "met"), (LIMIT.done * 1.16, "missed")])
def test_the_servers_aim_is_judged_by_its_worst_size_of_one_to_sixty_files(
    a_run: Make, done: float, verdict: str
) -> None:
    found = race(a_run(done=0.95), a_run(shape="60 files", done=done), a_run(shape="300 files", done=9.0))
    assert next(aim for aim in aims(found) if "done ÷ limit, `instant`" in aim.what).verdict() == verdict


@pytest.mark.parametrize(("theirs", "verdict"), [(8.0, "met"), (7.9, "missed")])
def test_a_rival_is_set_beside_what_runs_as_it_does_and_eight_times_is_asked_on_every_size(
    a_run: Make, theirs: float, verdict: str
) -> None:
    pair = (a_run(done=1.0), a_run(RIVAL.name, done=20.0))
    last = (a_run(shape="300 files", done=1.0), a_run(RIVAL.name, shape="300 files", done=theirs))
    other = Entry(name="Spark terminal", kind="process", version="1", rival=False)
    found = aims(race(*pair, *last, entries=(other, SERVER, RIVAL)))
    (aim,) = [aim for aim in found if aim.least]
    assert aim.figures["1 file"] == 20.0
    assert "Spark server" in aim.what
    assert aim.verdict() == verdict


def test_what_a_reader_must_know_stands_under_the_tables_once(a_run: Make) -> None:
    text = markdown(race(*(a_run(RIVAL.name, notes=("12 of 60 files shown",)) for _ in range(3))))
    assert text.count("12 of 60 files shown") == 1


def test_a_chart_has_a_line_for_each_product_and_the_limit_and_no_large_diff(a_run: Make) -> None:
    chart = charts(
        race(a_run(), a_run(shape="60 files", done=2.0), a_run(shape="20,000 lines", done=9.0), a_run(speed="chat"))
    )["fast"]
    assert [line.name for line in chart.lines] == ["Spark server", "what no client can beat"]
    assert chart.lines[0].points == [(1.0, 1.0), (60.0, 2.0)]
    assert chart.lines[-1].dashed
    assert "60 files 2.00 s" in chart.description


def test_a_race_is_the_same_after_it_was_kept_and_parts_are_joined(a_run: Make) -> None:
    failed = Failure(product="Spark server", speed="fast", shape="1 file", effort="instant", why="no")
    one, other = race(a_run(notes=("a note",)), failures=(failed,)), race(a_run(RIVAL.name, done=9.0))
    again = load(json.loads(json.dumps(dump(one))))
    assert dump(again) == dump(one)
    both = join([again, other])
    assert [run.product for run in both.runs] == ["Spark server", RIVAL.name]
    assert both.entries == (SERVER, RIVAL)
    assert both.machine == ("a machine",)


def test_what_another_version_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="measure again"):
        load({"format": 0})


def test_a_line_of_progress_names_the_run_and_its_ratio(a_run: Make) -> None:
    line = line_of(a_run(done=1.82), number=2, of=5)
    assert "Spark server" in line
    assert "2/5" in line
    assert "2.00 × limit" in line
