"""The physical limit: sums that can be done by hand."""

from __future__ import annotations

import pytest
from race.limit import VERDICT_TOKENS, limit, reads, told
from race.model import ANSWER_TOKENS, FINDING_TOKENS, LATENCY, SHAPES, SPEEDS

from bot.sandbox.endpoint.tokens import count

FAST, NEAR, CHAT = SPEEDS
SMALL, *_, LARGE = SHAPES


def test_at_instant_the_limit_is_a_read_a_first_token_an_answer_and_a_post() -> None:
    assert limit(FAST, SMALL, "instant").done == pytest.approx(0.080 + 0.150 + 0.600 + 0.080)
    assert limit(NEAR, SMALL, "instant").done == pytest.approx(0.080 + 0.010 + 0.600 + 0.080)
    assert limit(CHAT, SMALL, "instant").done == pytest.approx(0.080 + 0.500 + 600 / 70 + 0.080)


def test_a_first_finding_waits_for_the_read_the_first_token_and_its_own_tokens() -> None:
    assert limit(FAST, SMALL, "instant").first_finding == pytest.approx(0.080 + 0.150 + 0.060)


@pytest.mark.parametrize("speed", SPEEDS, ids=lambda speed: speed.name)
def test_at_standard_a_check_comes_behind_the_finding_that_ends_last(speed: object) -> None:
    instant, standard = limit(speed, SMALL, "instant"), limit(speed, SMALL, "standard")
    check = speed.ttft + VERDICT_TOKENS / speed.tps
    assert standard.done - instant.done == pytest.approx(check)
    assert standard.first_finding - instant.first_finding == pytest.approx(check)


def test_the_number_of_files_changes_nothing_for_all_are_asked_about_at_once() -> None:
    assert {limit(FAST, shape, "instant").done for shape in SHAPES if reads(shape) == 1} == {
        limit(FAST, SMALL, "instant").done
    }


def test_a_change_that_github_gives_in_no_single_diff_takes_two_reads() -> None:
    assert [shape.name for shape in SHAPES if reads(shape) == 2] == ["20,000 lines"]
    assert limit(FAST, LARGE, "instant").done - limit(FAST, SMALL, "instant").done == pytest.approx(LATENCY)


def test_the_verdicts_tokens_are_those_that_the_stand_in_says_of_the_races_own_findings() -> None:
    from bot.sandbox.endpoint import Api, EndpointRequest, tokens

    asked = EndpointRequest(
        number=0, api=Api.CHAT, body={}, headers={}, model="m", stream=True, system='"verdict"', max_tokens=None,
        user="report:\nA measured line\n",
    )  # fmt: skip
    assert count(tokens(ANSWER_TOKENS)(asked).text) == VERDICT_TOKENS > 0


def test_the_sum_is_told_with_its_parts() -> None:
    assert told(FAST, SMALL, "instant") == (
        "0.91 s = 0.08 read + 0.15 first token + 0.60 longest answer + 0.08 post"
    )  # fmt: skip
    assert "two reads" in told(FAST, LARGE, "standard")
    assert "check" in told(FAST, LARGE, "standard")


def test_no_limit_is_made_up_for_another_effort() -> None:
    with pytest.raises(ValueError, match="deep"):
        limit(FAST, SMALL, "deep")


def test_a_first_finding_is_a_part_of_an_answer() -> None:
    assert 0 < FINDING_TOKENS < ANSWER_TOKENS
