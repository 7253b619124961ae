"""Money: prices are read strictly, and a budget is never passed."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import ConfigError
from bot.model.budget import Budget
from bot.model.prices import Price, PriceTable


def test_prices_are_found_by_name_before_pattern_and_in_order() -> None:
    table = PriceTable.read("gpt-*=1/2/0.5, gpt-5=3/4 ,org/m:7b=0/0,*=9/9", preset="cerebras")
    assert table.find("gpt-5") == Price(input=3, output=4, cached=3)
    assert table.find("gpt-4") == Price(input=1, output=2, cached=0.5)
    assert table.find("org/m:7b") == Price(input=0, output=0, cached=0)
    assert table.find("other") == Price(input=9, output=9, cached=9)


def test_a_price_from_the_settings_goes_before_a_known_one() -> None:
    assert PriceTable.read("", preset="cerebras").find("gpt-oss-120b") == Price(input=0.35, output=0.75, cached=0.35)
    assert PriceTable.read("gpt-oss-*=1/1", preset="groq").find("gpt-oss-120b") == Price(input=1, output=1, cached=1)


def test_an_unknown_price_stays_unknown() -> None:
    assert PriceTable.read("").find("gpt-oss-120b") is None
    assert PriceTable.read("a=1/2", preset="openai").find("b") is None


@pytest.mark.parametrize(
    "text", ["a", "a=", "a=1", "=1/2", "a=1/2/3/4", "a=x/2", "a=-1/2", "a=nan/1", "a=inf/1", "b=1/1,a"]
)
def test_an_entry_that_is_no_price_is_named_with_the_setting(text: str) -> None:
    with pytest.raises(ConfigError, match="SPARK_PRICES"):
        PriceTable.read(text)


def test_cached_tokens_are_part_of_the_input() -> None:
    price = Price(input=2, output=10, cached=0.5)
    assert price.usd(input_tokens=1_000_000, output_tokens=100_000, cached_tokens=400_000) == pytest.approx(2.4)
    assert price.usd(input_tokens=10, output_tokens=0, cached_tokens=99) == pytest.approx(5e-6)


def test_a_budget_refuses_what_would_pass_it_and_takes_back_what_was_not_used() -> None:
    budget = Budget(1.0)
    first = budget.reserve(0.6)
    assert first is not None
    assert budget.reserve(0.6) is None
    first.settle(0.1)
    first.settle(0.9)
    assert budget.spent == pytest.approx(0.1)
    assert budget.reserve(0.9) is not None


def test_a_budget_without_a_limit_only_counts() -> None:
    budget = Budget(None, spent=2.0)
    held = budget.reserve(1e9)
    assert held is not None
    held.settle(3.0)
    assert budget.spent == pytest.approx(5.0)
    assert not budget.limited


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40), st.floats(0, 5))
def test_spending_never_passes_the_limit_while_calls_cost_no_more_than_reserved(
    calls: list[tuple[float, float]], limit: float
) -> None:
    budget = Budget(limit)
    for most, share in calls:
        held = budget.reserve(most)
        if held is not None:
            held.settle(most * share)
    assert budget.spent <= limit + 1e-9


def test_many_threads_cannot_reserve_more_than_there_is() -> None:
    budget = Budget(10.0)
    gate = threading.Barrier(8)
    held = []

    def spend() -> None:
        gate.wait()
        for _ in range(50):
            reservation = budget.reserve(0.5)
            if reservation is not None:
                held.append(reservation)
                time.sleep(0)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 20
