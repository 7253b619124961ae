"""The list of jobs, how the queue stands, figures, and what is forgotten; on SQLite and on PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select, update

from bot.engine import codec, tables
from bot.engine.database import Database
from bot.engine.history import History
from bot.engine.model import Ended, JobState
from bot.hooks.events import InstallationId, Place
from bot.hooks.orders import Cause, ReviewPull
from bot.review.model import CommitSha, RepoName

DAY = 86_400.0
NOW = 1_795_000_000.0


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.write() as connection:
        tables.metadata.create_all(connection)
    yield database
    database.close()


def a_job(
    database: Database,
    number: int,
    state: JobState = JobState.DONE,
    *,
    repo: str = "o/r",
    age: float = 0.0,
    events: int = 0,
    **ended: object,
) -> str:
    job = f"{number:016x}"
    place = Place(repo=RepoName(repo), repo_id=1, installation=InstallationId(2))
    work = ReviewPull(
        place=place, number=number, head_sha=CommitSha("a" * 40), base_ref="main", cause=Cause.OPENED, title="t"
    )
    created = NOW - age
    end = codec.dump_ended(Ended(state=state, **ended)) if state.is_over else None
    with database.write() as connection:
        connection.execute(
            insert(tables.jobs).values(
                id=job, delivery=f"d{number}", repo=repo, number=number, installation=2, lane=f"{repo}#{number}",
                sameness=str(number), work=codec.dump_work(work), state=state.value, attempt=1, created_at=created,
                started_at=created + 1, ended_at=created + 5 if state.is_over else None, ended=end,
                checkpoint="{}",
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.deliveries).values(id=f"d{number}", event="e", received_at=created, job=job, answer="taken")
        )
        if events:
            rows = [{"job": job, "seq": seq, "kind": "note", "data": "{}"} for seq in range(1, events + 1)]
            connection.execute(insert(tables.events), rows)
    return job


def test_a_job_is_read_with_its_work_and_its_end(database: Database) -> None:
    history = History(database)
    job = a_job(
        database,
        7,
        why="all was reviewed",
        verdict="pass",
        findings=3,
        usd=0.25,
        url="https://h/r",
        timing={"done": 4.5},
    )
    found = history.job(job)
    assert found is not None
    assert (found.repo, found.number, found.installation, found.state) == ("o/r", 7, 2, JobState.DONE)
    assert (found.why, found.verdict, found.findings, found.usd) == ("all was reviewed", "pass", 3, 0.25)
    assert (found.url, found.delivery, found.ended_at) == ("https://h/r", "d7", NOW + 5)
    ended = history.ended(job)
    assert ended is not None
    assert ended.timing == {"done": 4.5}
    assert history.job("0" * 16) is None
    assert history.ended("0" * 16) is None
    assert history.ended(a_job(database, 8, JobState.QUEUED)) is None


def test_jobs_come_newest_first_and_by_page_state_and_repository(database: Database) -> None:
    history = History(database)
    for number in range(1, 7):
        state = JobState.FAILED if number % 2 else JobState.DONE
        a_job(database, number, state, repo="o/a" if number < 4 else "o/b", age=number * 10)
    assert [job.number for job in history.jobs()] == [1, 2, 3, 4, 5, 6]
    page = history.jobs(limit=2)
    assert [job.number for job in page] == [1, 2]
    assert [job.number for job in history.jobs(limit=2, before=page[-1].created_at)] == [3, 4]
    assert [job.number for job in history.jobs(state=JobState.FAILED, repo="o/a")] == [1, 3]


def test_whatever_is_asked_for_is_no_error(database: Database) -> None:
    history, _ = History(database), a_job(database, 1)
    for odd in ("", "\0", "o/r\0", "'; --", "%", "x" * 5000, "\ufeff"):
        assert history.jobs(repo=odd) == []
    for moment, number in ((float("inf"), 1), (-1e308, 0)):
        assert len(history.jobs(before=moment)) == number
    history.jobs(before=float("nan"))


def test_a_row_that_cannot_be_read_is_left_out_and_logged(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    bad, good = a_job(database, 1), a_job(database, 2)
    with database.write() as connection:
        connection.execute(update(tables.jobs).where(tables.jobs.c.id == bad).values(work="{}"))
    with caplog.at_level(logging.ERROR, logger="spark"):
        assert [job.id for job in History(database).jobs()] == [good]
    assert [(record.getMessage(), record.fields["job"]) for record in caplog.records] == [("history.unreadable", bad)]
    with pytest.raises(codec.StoredDataError):
        History(database).job(bad)


def test_the_queue_tells_how_many_wait_and_how_long(database: Database) -> None:
    history = History(database)
    assert (history.standing().waiting, history.standing().oldest, history.standing().running) == (0, 0.0, 0)
    a_job(database, 1, JobState.QUEUED, age=30)
    a_job(database, 2, JobState.QUEUED, age=90)
    a_job(database, 3, JobState.RUNNING, age=200)
    a_job(database, 4, JobState.DONE, age=300)
    standing = history.standing(now=NOW)
    assert (standing.waiting, standing.oldest, standing.running) == (2, 90.0, 1)


def test_figures_count_what_is_young_and_take_the_median(database: Database) -> None:
    for number, seconds in enumerate((1.0, 2.0, 9.0), start=1):
        a_job(database, number, age=number, timing={"first_finding": seconds, "done": seconds * 2})
    a_job(database, 4, JobState.FAILED)
    a_job(database, 5, age=20 * DAY, timing={"done": 99.0})
    with database.write() as connection:
        for name, day, usd in [
            ("a/2026-11-18", "2026-11-18", 0.5),
            ("a", "2026-11-18", 7.0),
            ("b/old", "2026-01-01", 9.0),
        ]:
            connection.execute(insert(tables.spending).values(id=name, day=day, usd=usd))
    figures = History(database).figures(7, now=NOW)
    assert figures.counts == {JobState.DONE: 3, JobState.FAILED: 1}
    assert (figures.first_finding, figures.done, figures.usd) == (2.0, 4.0, 0.5)
    assert History(database).figures(now=NOW + 99 * DAY).done is None


def _left(database: Database, column: object) -> list:
    with database.read() as connection:
        return sorted(connection.execute(select(column)).scalars().all())


def test_what_is_old_and_over_is_forgotten_with_its_events_and_deliveries(database: Database) -> None:
    old = [a_job(database, number, age=40 * DAY, events=1500) for number in (1, 2, 3)]
    waits = a_job(database, 4, JobState.QUEUED, age=40 * DAY, events=1)
    young = a_job(database, 5, age=DAY, events=2)
    with database.write() as connection:
        rows = [("n1", 40 * DAY, None), ("n2", DAY, None), ("again", DAY, old[0])]
        for name, age, job in rows:
            connection.execute(
                insert(tables.deliveries).values(id=name, event="ping", received_at=NOW - age, job=job, answer="")
            )
        connection.execute(insert(tables.spending).values(id="x", day="2020-01-01", usd=1))
    assert History(database).prune(NOW - 30 * DAY) == 3
    assert _left(database, tables.jobs.c.id) == [waits, young]
    assert _left(database, tables.events.c.job) == [waits, young, young]
    assert _left(database, tables.deliveries.c.id) == ["again", "d4", "d5", "n2"]
    assert _left(database, tables.spending.c.id) == []
    assert History(database).prune(NOW - 30 * DAY) == 0


def test_forgetting_lets_others_write_in_between(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 6):
        a_job(database, number, age=40 * DAY, events=900)
    slices: list[object] = []
    batch = database.batch
    monkeypatch.setattr(database, "batch", lambda work: slices.append(work) or batch(work))
    History(database).prune(NOW)
    # Five jobs of 901 rows in slices of at most 2,000, then deliveries until none is left, then spending.
    assert len(slices) == 3 + 2 + 1
