"""The day's budget: never passed, whoever takes at the same moment; booked right after a kill. On both databases."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from bot.engine import tables
from bot.engine.database import Database, DatabaseAwayError
from bot.engine.spending import LEAST_BITE, Spending
from bot.model.budget import Budget, Limit, Purse, Reservation

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0


@pytest.fixture
def opened(database_url: str) -> Iterator[Callable[[], Database]]:
    """Connections to one database, each as another process would have it."""
    made: list[Database] = []

    def make() -> Database:
        made.append(Database(database_url))
        return made[-1]

    with make().write() as connection:
        tables.metadata.create_all(connection)
    yield make
    for database in made:
        database.close()


@pytest.fixture
def database(opened: Callable[[], Database]) -> Database:
    return opened()


def rows(database: Database) -> dict[str, float]:
    with database.read() as connection:
        return {row.id: round(row.usd, 9) for row in connection.execute(select(tables.spending))}


def pay(budget: Budget, most: float, cost: float) -> bool:
    held = budget.reserve(most)
    if isinstance(held, Reservation):
        held.settle(cost)
        return True
    return False


def test_what_a_review_took_and_did_not_need_is_free_again(database: Database) -> None:
    spending = Spending(database, 10.0)
    budget = Budget(None, purse=spending.purse("job"))
    for _ in range(60):
        assert pay(budget, 0.01, 0.002)
    assert sum(rows(database).values()) <= 0.25
    budget.close()
    [(name, usd)] = rows(database).items()
    assert (name[:4], usd) == ("job/", 0.12)
    assert spending.spent_today() == pytest.approx(0.12)


def test_eight_processes_that_take_at_the_same_moment_never_pass_the_limit(opened: Callable[[], Database]) -> None:
    gate = threading.Barrier(8)
    budgets: list[Budget] = []
    refused: list[Limit] = []

    def review(number: int, database: Database) -> None:
        budget = Budget(None, purse=Spending(database, 1.0).purse(f"job{number}"))
        budgets.append(budget)
        gate.wait()
        for _ in range(40):
            held = budget.reserve(0.009)
            if isinstance(held, Limit):
                refused.append(held)
                return
            held.settle(0.009)

    databases = [opened() for _ in range(8)]
    threads = [threading.Thread(target=review, args=item) for item in enumerate(databases)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = sum(budget.spent for budget in budgets)
    assert refused
    assert set(refused) == {Limit.DAY}
    # All but what is less than a call for each of them.
    assert 1.0 - 8 * 0.009 <= spent <= 1.0 + 1e-9
    for budget in budgets:
        budget.close()
    assert Spending(databases[0], 1.0).spent_today() == pytest.approx(spent)


def test_a_bite_is_small_where_the_day_has_little(database: Database) -> None:
    purse = Spending(database, 1.0).purse("job")
    assert purse.take(0.001, spent=0.0) == pytest.approx(0.02)
    assert purse.take(0.3, spent=0.0) == pytest.approx(0.3)
    assert purse.take(0.7, spent=0.0) == 0.0
    assert Spending(database, 100.0).purse("other").take(0.001, spent=0.0) == pytest.approx(LEAST_BITE)


def test_the_last_dollars_are_given_where_they_suffice(database: Database) -> None:
    spending = Spending(database, 1.0)
    assert spending.purse("a").take(0.99, spent=0.0) == 0.99
    assert spending.purse("b").take(0.008, spent=0.0) == pytest.approx(0.01)
    assert spending.purse("c").take(0.001, spent=0.0) == 0.0


def test_a_run_that_was_killed_has_spent_what_it_had_booked_and_holds_nothing_any_more(database: Database) -> None:
    spending = Spending(database, 1.0)
    killed = spending.purse("job")
    assert killed.take(0.5, spent=0.0) == 0.5
    assert killed.take(0.3, spent=0.1) == pytest.approx(0.3)
    assert spending.purse("other").take(0.5, spent=0.0) == 0.0
    # The job is run again: of 0.8 taken 0.1 is known to be spent.
    again = Budget(None, purse=spending.purse("job"))
    held = again.reserve(0.85)
    assert isinstance(held, Reservation)
    held.settle(0.2)
    again.close()
    assert spending.spent_today() == pytest.approx(0.3)
    assert list(rows(database).values()) == [pytest.approx(0.3)]


def test_a_new_day_has_its_own_money_and_a_review_is_paid_on_the_day_it_began(database: Database) -> None:
    clock = [NOON]
    spending = Spending(database, 1.0, now=lambda: clock[0])
    evening = spending.purse("evening")
    assert evening.take(0.9, spent=0.0) == 0.9
    clock[0] += DAY
    morning = spending.purse("morning")
    assert morning.take(0.9, spent=0.0) == 0.9
    assert evening.take(0.1, spent=0.9) == pytest.approx(0.1)
    evening.close(0.95)
    morning.close(0.4)
    assert rows(database) == {"evening/2026-11-18": 0.95, "morning/2026-11-19": 0.4}
    assert spending.spent_today() == pytest.approx(0.4)


def test_without_a_limit_nothing_is_taken_and_all_is_booked(database: Database) -> None:
    spending = Spending(database, None)
    budget = Budget(None, purse=spending.purse("job"))
    assert not budget.limited
    assert pay(budget, 5.0, 1.25)
    assert rows(database) == {}
    budget.close()
    assert spending.spent_today() == 1.25


def test_a_limit_of_nothing_grants_nothing(database: Database) -> None:
    budget = Budget(None, purse=Spending(database, 0.0).purse("job"))
    assert budget.reserve(0.001) is Limit.DAY
    budget.close()
    assert Spending(database, 0.0).spent_today() == 0.0


def test_calls_that_are_refused_together_ask_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    spending = Spending(database, 0.01)
    budget = Budget(None, purse=spending.purse("job"))
    assert budget.reserve(0.02) is Limit.DAY
    monkeypatch.setattr(database, "write", lambda: pytest.fail("asked again"))
    for _ in range(60):
        assert budget.reserve(0.02) is Limit.DAY


def test_a_review_that_cannot_be_booked_goes_on_holding_its_money(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    purse: Purse = Spending(database, 1.0).purse("job")
    assert purse.take(0.6, spent=0.0) == 0.6

    def away() -> object:
        raise DatabaseAwayError("The database does not answer")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, logger="spark"):
        patch.setattr(database, "write", away)
        purse.close(0.1)
    assert [record.getMessage() for record in caplog.records] == ["spending.not-booked"]
    assert Spending(database, 1.0).purse("other").take(0.5, spent=0.0) == 0.0


@pytest.mark.parametrize("name", ["", "a/b", "x" * 29])
def test_an_id_that_would_not_fit_is_refused(sqlite_url: str, name: str) -> None:
    with pytest.raises(ValueError, match="id"):
        Spending(Database(sqlite_url), 1.0).purse(name)
