"""50,000 mutated deliveries: no 500, and the rules of `bench/door_fuzz.py` hold for every answer."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from bot import log
from bot.server import door

BENCH = Path(__file__).parents[3] / "bench"
ROUNDS = 4
EACH = 12_500


@pytest.fixture
def door_fuzz(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    # Thousands of refusals are logged; kept and formatted for nobody they would cost more than the door.
    monkeypatch.setattr(log.LOGGER, "disabled", True)
    return importlib.import_module("door_fuzz")


@pytest.mark.parametrize("seed", range(1, ROUNDS + 1))
def test_no_mutated_delivery_gets_an_answer_that_it_must_not_get(door_fuzz: ModuleType, seed: int) -> None:
    report = door_fuzz.Fuzz(seed).run(EACH)
    assert report.problems == []
    assert sum(report.statuses.values()) == EACH
    assert set(report.statuses) == door_fuzz.STATUSES
    assert report.statuses[503] == report.deliberate > 0
    assert len(report.mutations) == 16


def test_the_fuzz_notices_a_door_that_lets_everybody_in(door_fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "verify", lambda *_: True)
    problems = door_fuzz.Fuzz(1).run(300).problems
    assert any("without a right signature reached the engine" in each for each in problems)


def test_the_fuzz_notices_an_error_that_is_not_told(door_fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError

    monkeypatch.setattr(door, "decide", broken)
    assert any("503 without a reason" in each for each in door_fuzz.Fuzz(1).run(300).problems)
