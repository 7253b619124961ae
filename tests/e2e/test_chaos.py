"""Every row of the chaos table (docs/chaos.md): nothing lost, nothing posted twice, never green with something missing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from bot.review.model import Verdict

BENCH = Path(__file__).parents[2] / "bench"


def _script(name: str) -> ModuleType:
    """Imported while tests are collected, since the cases are parameters."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


CASES = _script("chaos_cases").CASES
RUN = _script("chaos_run")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.side}: {case.name}")
def test_nothing_is_lost_or_posted_twice_when(case) -> None:
    assert RUN.problems(RUN.measure(case)) == []


def test_each_row_has_its_own_name() -> None:
    assert len({(case.side, case.name) for case in CASES}) == len(CASES) > 90


@pytest.fixture(scope="module")
def calm_row():
    return RUN.measure(next(case for case in CASES if case.is_calm))


def _changed(row, **changes: object):
    return replace(row, faulty=replace(row.faulty, **changes))


def test_the_rows_are_judged_strictly(calm_row) -> None:
    """What must not be is seen when it is there."""
    kept = calm_row.faulty
    assert RUN.problems(calm_row) == []
    marks: Mapping[str, int] = kept.comments
    first = next(iter(marks))
    fewer = {mark: count for mark, count in marks.items() if mark != first}
    for changes, word in (
        ({"comments": {**marks, first: 2}}, "1 posted twice"),
        ({"comments": fewer}, "nowhere on the pull"),
        ({"pending": 1}, "left behind"),
        ({"review": replace(kept.review, findings=())}, "shown and then vanished"),
        ({"review": replace(kept.review, coverage=replace(kept.review.coverage, difference="a line"))}, "a pass with"),
        ({"review": replace(kept.review, verdict=Verdict.NEUTRAL)}, "should get over this"),
        ({"seconds": 60.0}, "with a deadline"),
    ):
        assert any(word in problem for problem in RUN.problems(_changed(calm_row, **changes))), word
