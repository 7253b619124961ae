"""What a repository remembers for good."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import insert

from bot.commands.ports import Memory
from bot.diff.model import Side
from bot.engine import dismissals, tables
from bot.engine.database import Database
from bot.engine.dismissals import Dismissals
from bot.engine.history import History
from bot.engine.schema import tables_made
from bot.review.memory import FindingNote, Remembered
from bot.review.model import Category, Fingerprint, RepoName, Severity

REPO, ELSEWHERE = RepoName("acme/rocket"), RepoName("acme/boat")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with tables_made(database):
        pass
    yield database
    database.close()


@pytest.fixture
def clock() -> Callable[[], float]:
    numbers = itertools.count(1)
    return lambda: float(next(numbers))


def what(name: str = "f1", **more: object) -> Remembered:
    known = Remembered(
        fingerprint=Fingerprint(name),
        path="a.py",
        category=Category.BUG,
        source="model",
        rule="",
        title="A title \u2028 with é",
        lines=("abc123", "def456"),
        severity=Severity.HIGH,
        by="ada",
        reason="it is meant so",
        url="https://github.example/t/1",
    )
    return replace(known, **more)  # type: ignore[arg-type]


def note(name: str = "f1", **more: object) -> FindingNote:
    known = FindingNote(
        fingerprint=Fingerprint(name),
        path="a.py",
        side=Side.RIGHT,
        severity=Severity.HIGH,
        category=Category.BUG,
        title="Another wording",
        source="model",
        lines=("abc123", "def456"),
    )
    return replace(known, **more)  # type: ignore[arg-type]


def test_what_is_remembered_comes_back_newest_first_for_its_repository_alone(
    database: Database, clock: Callable[[], float]
) -> None:
    memory: Memory = Dismissals(database, now=clock).of(REPO)
    other: Memory = Dismissals(database, now=clock).of(ELSEWHERE)
    memory.remember(what("f1"))
    memory.remember(what("f2", lines=()))
    other.remember(what("f1", by="bob"))
    assert list(memory.remembered()) == [what("f2", lines=()), what("f1")]
    assert list(other.remembered()) == [what("f1", by="bob")]


def test_the_same_twice_is_kept_once_with_the_last_word_also_at_the_same_moment(
    database: Database, clock: Callable[[], float]
) -> None:
    memory = Dismissals(database, now=clock).of(REPO)
    memory.remember(what("f1", reason="because"))
    memory.remember(what("f1"))
    assert list(memory.remembered()) == [what("f1")]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: memory.remember(what("f9")), range(16)))
    assert list(memory.remembered()) == [what("f9"), what("f1")]


def test_what_is_forgotten_goes_with_its_like_and_nothing_else(database: Database, clock: Callable[[], float]) -> None:
    memory = Dismissals(database, now=clock).of(REPO)
    same_lines = what("seen-under-another-name")
    kept = [what("f3", path="b.py"), what("f4", lines=("zzz",)), what("f5", category=Category.SECURITY)]
    for each in (what("f1", lines=()), same_lines, *kept):
        memory.remember(each)
    Dismissals(database).of(ELSEWHERE).forget(note())
    assert len(memory.remembered()) == 5
    memory.forget(note())
    assert list(memory.remembered()) == kept[::-1]
    memory.forget(note())
    # A note without lines is about nothing but its own fingerprint.
    memory.remember(what("f6", lines=()))
    memory.forget(note("f7", lines=()))
    assert list(memory.remembered()) == [what("f6", lines=()), *kept[::-1]]


def test_the_newest_are_read_and_none_is_pruned(
    database: Database, clock: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dismissals, "MOST_READ", 3)
    memory = Dismissals(database, now=clock).of(REPO)
    for number in range(5):
        memory.remember(what(f"f{number}"))
    assert History(database).prune(1e11) == 0
    assert [each.fingerprint for each in memory.remembered()] == ["f4", "f3", "f2"]
    monkeypatch.setattr(dismissals, "MOST_READ", 500)
    assert len(memory.remembered()) == 5


def test_a_row_that_cannot_be_read_is_left_out_and_told(
    database: Database, clock: Callable[[], float], caplog: pytest.LogCaptureFixture
) -> None:
    memory = Dismissals(database, now=clock).of(REPO)
    memory.remember(what())
    with database.write() as connection:
        connection.execute(insert(tables.dismissals).values(repo=REPO, fingerprint="odd", data='{"by": "ada"}', at=9.0))
    assert list(memory.remembered()) == [what()]
    assert [record.getMessage() for record in caplog.records] == ["dismissals.unreadable"]
