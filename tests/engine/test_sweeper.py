"""Deliveries that did not arrive are asked for again: once at a time, three times at most, by one process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import insert, select, update

from bot.engine import tables
from bot.engine.database import Database
from bot.engine.sweeper import KEPT_SECONDS, MOST_AT_ONCE, OVERLAP_SECONDS, Sweeper
from bot.errors import OutsideError

NOW = 1_795_000_000.0
HOUR = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    id: int
    guid: str
    event: str
    delivered_at: float
    ok: bool


@dataclass
class GitHub:
    """The App's log of deliveries, and a door that takes or refuses what is sent again."""

    now: float = NOW
    takes: bool = True
    down: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)
    looking: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event | None = None

    def deliver(self, guid: str, *, age: float = HOUR, ok: bool = False) -> None:
        attempt = Attempt(
            id=len(self.attempts) + 1, guid=guid, event="pull_request", delivered_at=self.now - age, ok=ok
        )  # fmt: skip
        self.attempts.append(attempt)

    def recent(self, since: float) -> list[Attempt]:
        self.looked.append(since)
        self.looking.set()
        if self.go_on is not None:
            assert self.go_on.wait(10)
        if self.down:
            raise OutsideError("GitHub is down")
        return [attempt for attempt in reversed(self.attempts) if attempt.delivered_at >= since]

    def redeliver(self, number: int) -> None:
        if self.down:
            raise OutsideError("GitHub is down")
        [guid] = [attempt.guid for attempt in self.attempts if attempt.id == number]
        self.asked.append(guid)
        self.deliver(guid, age=0, ok=self.takes)


@pytest.fixture
def github() -> GitHub:
    return GitHub()


@pytest.fixture
def opened(database_url: str) -> Iterator[Callable[[], Database]]:
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
def sweeper(opened: Callable[[], Database], github: GitHub) -> Sweeper:
    return Sweeper(opened(), github, now=lambda: github.now)


def known(database: Database, guid: str) -> None:
    with database.write() as connection:
        connection.execute(insert(tables.deliveries).values(id=guid, event="e", received_at=NOW, job=None, answer=""))


def test_what_failed_while_nobody_was_up_is_asked_for_oldest_first(sweeper: Sweeper, github: GitHub) -> None:
    github.deliver("new", age=HOUR)
    github.deliver("old", age=40 * HOUR)
    github.deliver("arrived", age=2 * HOUR, ok=True)
    assert sweeper.sweep_once() == 2
    assert github.asked == ["old", "new"]
    assert github.looked == [NOW - KEPT_SECONDS]
    github.now += 300
    assert sweeper.sweep_once() == 0
    assert sweeper.sweep_once() == 0
    # What arrived at last is not looked at again.
    assert github.looked[2] == NOW + 300 - OVERLAP_SECONDS


def test_what_is_done_young_too_old_or_known_here_is_left(
    sweeper: Sweeper, github: GitHub, opened: Callable[[], Database]
) -> None:
    github.deliver("came later", age=3 * HOUR)
    github.deliver("came later", age=2 * HOUR, ok=True)
    github.deliver("known here", age=HOUR)
    github.deliver("too old", age=73 * HOUR)
    github.deliver("in flight", age=30)
    known(opened(), "known here")
    assert sweeper.sweep_once() == 0
    github.now += 61
    assert sweeper.sweep_once() == 1
    assert github.asked == ["in flight"]


def test_a_delivery_is_asked_for_three_times_at_most(sweeper: Sweeper, github: GitHub) -> None:
    github.takes = False
    github.deliver("refused")
    for _ in range(6):
        sweeper.sweep_once()
        # At once again nothing is asked for: it may be under way.
        assert sweeper.sweep_once() == 0
        github.now += 300
    assert github.asked == ["refused"] * 3
    assert github.looked[-1] > NOW
    github.deliver("another", age=400)
    github.takes = True
    assert sweeper.sweep_once() == 1


def test_what_could_not_be_asked_for_is_asked_for_the_next_time(
    sweeper: Sweeper, github: GitHub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.deliver("lost")

    def fails(number: int) -> None:
        raise OutsideError("GitHub is down")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, logger="spark"):
        patch.setattr(github, "redeliver", fails)
        for _ in range(5):
            assert sweeper.sweep_once() == 0
            github.now += 300
    assert {record.getMessage() for record in caplog.records} == {"sweeper.not-redelivered"}
    assert sweeper.sweep_once() == 1
    assert github.asked == ["lost"]


def test_a_log_that_cannot_be_read_changes_nothing(sweeper: Sweeper, github: GitHub) -> None:
    github.deliver("lost")
    github.down = True
    with pytest.raises(OutsideError):
        sweeper.sweep_once()
    github.down = False
    github.now += 1
    assert sweeper.sweep_once() == 1


def test_a_flood_comes_back_in_portions(sweeper: Sweeper, github: GitHub) -> None:
    for number in range(MOST_AT_ONCE + 20):
        github.deliver(str(number), age=HOUR + number)
    assert sweeper.sweep_once() == MOST_AT_ONCE
    github.now += 300
    assert sweeper.sweep_once() == 20
    assert len(set(github.asked)) == MOST_AT_ONCE + 20


def test_what_was_tried_is_known_to_the_next_process(
    sweeper: Sweeper, github: GitHub, opened: Callable[[], Database]
) -> None:
    github.takes = False
    github.deliver("refused")
    assert sweeper.sweep_once() == 1
    github.now += 300
    for _ in range(4):
        Sweeper(opened(), github, now=lambda: github.now).sweep_once()
        github.now += 300
    assert github.asked == ["refused"] * 3


def test_one_process_sweeps_at_a_time(sweeper: Sweeper, github: GitHub, opened: Callable[[], Database]) -> None:
    github.deliver("lost")
    github.go_on = threading.Event()
    first = threading.Thread(target=sweeper.sweep_once)
    first.start()
    assert github.looking.wait(10)
    other = Sweeper(opened(), github, now=lambda: github.now)
    assert other.sweep_once() == 0
    assert len(github.looked) == 1
    github.go_on.set()
    first.join()
    assert github.asked == ["lost"]
    github.now += 1
    assert other.sweep_once() == 0
    assert len(github.looked) == 2


def test_the_lease_of_a_process_that_died_ends(
    sweeper: Sweeper, github: GitHub, opened: Callable[[], Database]
) -> None:
    sweeper._begin()
    other = Sweeper(opened(), github, now=lambda: github.now)
    github.deliver("lost")
    assert other.sweep_once() == 0
    github.now += 121
    assert other.sweep_once() == 1


def test_a_row_that_cannot_be_read_is_begun_anew(
    sweeper: Sweeper, github: GitHub, opened: Callable[[], Database]
) -> None:
    sweeper.sweep_once()
    github.deliver("lost", age=20 * HOUR)
    database = opened()
    with database.write() as connection:
        connection.execute(update(tables.about).values(value='{"through": "never"}'))
    assert sweeper.sweep_once() == 1
    with database.read() as connection:
        assert "lost" in connection.execute(select(tables.about.c.value)).scalar_one()


def test_started_it_sweeps_at_once_and_again_after_a_failure(sqlite_url: str, github: GitHub) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        tables.metadata.create_all(connection)
    github.now = time.time()
    github.deliver("lost")
    github.down = True
    sweeper = Sweeper(database, github, every=0.02, soon=0.02)
    sweeper.start()
    try:
        assert github.looking.wait(10)
        github.down = False
        deadline = time.monotonic() + 10
        while github.asked != ["lost"]:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        sweeper.close()
        database.close()


def test_what_was_lost_just_before_the_start_is_asked_for_soon_after_it(sqlite_url: str, github: GitHub) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        tables.metadata.create_all(connection)
    github.deliver("lost", age=30)
    deadline = time.monotonic() + 10

    def swept() -> bool:
        assert time.monotonic() < deadline
        time.sleep(0.005)
        with database.read() as connection:
            return f'"swept_at":{NOW}' in (connection.execute(select(tables.about.c.value)).scalar() or "")

    sweeper = Sweeper(database, github, every=300.0, soon=0.5, now=lambda: github.now)
    sweeper.start()
    try:
        while not swept():
            pass
        assert github.asked == []
        github.now += 61
        while not github.asked:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert github.asked == ["lost"]
    finally:
        sweeper.close()
        database.close()
