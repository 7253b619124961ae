"""Money: prices are read strictly, and a budget is never passed."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import ConfigError
from bot.model.budget import Budget, Limit, Reservation
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
    assert isinstance(first, Reservation)
    assert budget.reserve(0.6) is Limit.REVIEW
    first.settle(0.1)
    first.settle(0.9)
    assert budget.spent == pytest.approx(0.1)
    assert isinstance(budget.reserve(0.9), Reservation)


def test_a_budget_without_a_limit_only_counts() -> None:
    budget = Budget(None, spent=2.0)
    held = budget.reserve(1e9)
    assert isinstance(held, Reservation)
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
        if isinstance(held, Reservation):
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
            if isinstance(reservation, Reservation):
                held.append(reservation)
                time.sleep(0)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 20


class ADay:
    """What all reviews of a day share, in memory: grants 0.05 dollars at a time, or what is asked for."""

    def __init__(self, usd: float, *, limited: bool = True) -> None:
        self.limited = limited
        self.left = usd
        self.taken = 0.0
        self.asked: list[float] = []
        self.told: list[float] = []
        self.closed: list[float] = []

    def take(self, usd: float, *, spent: float) -> float:
        self.asked.append(usd)
        self.told.append(spent)
        granted = min(max(usd, 0.05), self.left)
        if granted < usd:
            return 0.0
        self.left -= granted
        self.taken += granted
        return granted

    def close(self, spent: float) -> None:
        self.closed.append(spent)
        self.left += self.taken - spent


def test_a_purse_is_asked_in_bites_and_told_what_was_spent_so_far() -> None:
    day = ADay(1.0)
    budget = Budget(None, purse=day)
    assert budget.limited
    for _ in range(60):
        held = budget.reserve(0.01)
        assert isinstance(held, Reservation)
        held.settle(0.002)
    assert len(day.asked) == 3
    assert day.told == pytest.approx([0.0, 0.042, 0.092])
    budget.close()
    budget.close()
    assert day.closed == [pytest.approx(0.12)]
    assert day.left == pytest.approx(0.88)


def test_the_day_and_the_review_each_have_their_limit() -> None:
    day = ADay(0.3)
    budget = Budget(1.0, purse=day)
    assert budget.reserve(0.4) is Limit.DAY
    assert budget.reserve(1.1) is Limit.REVIEW
    first = budget.reserve(0.2)
    assert isinstance(first, Reservation)
    assert budget.reserve(0.2) is Limit.DAY
    first.settle(0.0)
    assert isinstance(budget.reserve(0.2), Reservation)


def test_a_purse_without_a_limit_is_not_asked_and_books_at_the_end() -> None:
    day = ADay(0.0, limited=False)
    budget = Budget(None, spent=5.0, purse=day)
    assert not budget.limited
    held = budget.reserve(2.0)
    assert isinstance(held, Reservation)
    held.settle(1.5)
    budget.close()
    assert (day.asked, day.closed) == ([], [1.5])


def test_threads_that_wait_for_one_bite_share_it() -> None:
    gate = threading.Event()

    class Slow(ADay):
        def take(self, usd: float, *, spent: float) -> float:
            gate.wait(5)
            return super().take(usd, spent=spent)

    day = Slow(10.0)
    budget = Budget(None, purse=day)
    held = []
    threads = [threading.Thread(target=lambda: held.append(budget.reserve(0.005))) for _ in range(10)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert all(isinstance(reservation, Reservation) for reservation in held)
    assert len(day.asked) == 1
