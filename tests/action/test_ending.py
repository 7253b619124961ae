from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.action import ending
from bot.action.commands import Level
from bot.action.reviewing import Skipped
from bot.errors import ConfigError, CredentialsError, ModelDownError, NotPermittedError, OutsideError, SparkError
from bot.review.model import Verdict

Make = Callable[..., Any]
PASS, FAIL, NEUTRAL = Verdict.PASS, Verdict.FAIL, Verdict.NEUTRAL
DOWN = OutsideError("GitHub answered 503")
MUTE = ModelDownError("The model reviewed nothing: the endpoint failed")


@pytest.mark.parametrize(
    ("verdict", "failure", "strict", "untold", "code", "ends_as"),
    [
        (PASS, None, False, 0, 0, PASS),
        (PASS, None, True, 0, 0, PASS),
        (PASS, None, False, 1, 3, NEUTRAL),
        (FAIL, None, False, 0, 1, FAIL),
        (FAIL, None, False, 2, 1, FAIL),
        (FAIL, DOWN, False, 0, 1, FAIL),
        (FAIL, MUTE, True, 0, 1, FAIL),
        (NEUTRAL, None, False, 0, 0, NEUTRAL),
        (NEUTRAL, None, True, 0, 1, NEUTRAL),
        (NEUTRAL, None, False, 1, 3, NEUTRAL),
        (NEUTRAL, MUTE, False, 0, 0, NEUTRAL),
        (NEUTRAL, MUTE, True, 0, 1, NEUTRAL),
        (NEUTRAL, MUTE, False, 1, 3, NEUTRAL),
        (NEUTRAL, DOWN, False, 0, 3, NEUTRAL),
        (NEUTRAL, DOWN, True, 0, 3, NEUTRAL),
        (NEUTRAL, CredentialsError("401"), False, 0, 2, NEUTRAL),
        (NEUTRAL, NotPermittedError("403"), True, 0, 2, NEUTRAL),
    ],
)
def test_every_end_of_a_review(
    a_review: Make,
    verdict: Verdict,
    failure: SparkError | None,
    strict: bool,
    untold: int,
    code: int,
    ends_as: Verdict,
) -> None:
    review = a_review(verdict=verdict, reason="because", failure=failure)
    end = ending.of_review(review, require_coverage=strict, untold=untold)
    assert (end.exit_code, end.verdict) == (code, ends_as)
    assert "because" in end.reason
    green = {PASS: Level.NOTICE, NEUTRAL: Level.WARNING}
    assert end.level is (Level.ERROR if code else green[ends_as])


@pytest.mark.parametrize(
    ("short", "strict", "code", "level"),
    [
        (False, False, 0, Level.NOTICE),
        (False, True, 0, Level.NOTICE),
        (True, False, 0, Level.WARNING),
        (True, True, 1, Level.ERROR),
    ],
)
def test_a_run_that_did_not_look(short: bool, strict: bool, code: int, level: Level) -> None:
    end = ending.of_skip(Skipped(reason="it is a draft", is_short=short), require_coverage=strict)
    assert (end.exit_code, end.verdict, end.level) == (code, NEUTRAL, level)
    assert end.reason == "Not reviewed: it is a draft"


@pytest.mark.parametrize(
    ("end", "code", "level"),
    [
        (ending.of_error(ConfigError("x is 3", remedy="Set it.")), 2, Level.ERROR),
        (ending.of_error(DOWN), 3, Level.ERROR),
        (ending.of_bug(ValueError("x")), 3, Level.ERROR),
        (ending.cancelled(), 130, Level.ERROR),
        (ending.of_nothing("Nothing to do"), 0, Level.NOTICE),
        (ending.beside(ending.of_nothing("Nothing to do"), ConfigError("disk full")), 2, Level.ERROR),
        (ending.beside(ending.of_error(DOWN), ConfigError("disk full")), 3, Level.ERROR),
    ],
)
def test_every_other_end(end: ending.Ending, code: int, level: Level) -> None:
    assert (end.exit_code, end.verdict, end.level) == (code, NEUTRAL, level)


def test_what_went_wrong_beside_a_red_gate_is_told_and_changes_nothing(a_review: Make) -> None:
    red = ending.of_review(a_review(), require_coverage=False, untold=0)
    end = ending.beside(red, ConfigError("disk full"))
    assert (end.exit_code, end.verdict) == (1, FAIL)
    assert "disk full" in end.reason
