"""A database that the version before has made is brought up to this one, with all that is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import inspect, select, text

from bot.engine import claims, intake, tables
from bot.engine.codec import dump_work
from bot.engine.database import Database
from bot.engine.dismissals import Dismissals
from bot.engine.history import History
from bot.engine.model import Delivery, ExecutorId, JobState, Taken
from bot.engine.schema import tables_made
from bot.errors import ConfigError
from bot.hooks.orders import Work
from bot.review.model import RepoName

VERSION_1 = (
    "CREATE TABLE spark_about (name VARCHAR(40) NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE spark_jobs (id VARCHAR(16) NOT NULL PRIMARY KEY, delivery TEXT NOT NULL, repo TEXT NOT NULL,"
    " number INTEGER, installation BIGINT NOT NULL, lane TEXT NOT NULL, sameness TEXT NOT NULL, work TEXT NOT NULL,"
    " state VARCHAR(12) NOT NULL, owner VARCHAR(40), attempt INTEGER NOT NULL, lost INTEGER NOT NULL,"
    " released INTEGER NOT NULL, created_at FLOAT NOT NULL, started_at FLOAT, ended_at FLOAT, stop VARCHAR(12),"
    " checkpoint TEXT, ended TEXT)",
    "CREATE UNIQUE INDEX spark_one_running ON spark_jobs (lane) WHERE state = 'running' AND released = 0",
    "CREATE INDEX spark_jobs_by_state ON spark_jobs (state, created_at)",
    "CREATE INDEX spark_jobs_by_sameness ON spark_jobs (sameness, created_at)",
    "CREATE INDEX spark_jobs_by_age ON spark_jobs (created_at)",
    "INSERT INTO spark_about (name, value) VALUES ('schema', '1')",
)
"""As version 1 made them, as far as this version changes or needs them."""


@pytest.fixture(params=["sqlite_url", "new_postgres_url"])
def old(request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database(str(request.getfixturevalue(request.param)))
    with database.write() as connection:
        for statement in VERSION_1:
            connection.execute(text(statement))
    yield database
    database.close()


def test_a_database_of_the_last_version_goes_on_with_its_jobs(
    old: Database,
    order: Callable[..., Work],
    comment: Callable[..., Work],
    delivery: Callable[..., Delivery],
) -> None:
    waiting = (
        "INSERT INTO spark_jobs (id, delivery, repo, number, installation, lane, sameness, work, state, attempt, lost,"
        " released, created_at) VALUES ('0123456789abcdef', 'd', 'acme/rocket', 1, 1, 'acme/rocket#1', 's', :work, 'queued',"
        " 0, 0, 0, 1.0)"
    )
    with old.write() as connection:
        connection.execute(text(waiting), {"work": dump_work(order())})
    for _ in range(2):
        with tables_made(old):
            pass
    job = History(old).job("0123456789abcdef")
    assert job is not None
    assert (job.state, job.is_talk) == (JobState.QUEUED, False)
    with old.write() as connection:
        assert connection.execute(select(tables.about.c.value).where(tables.about.c.name == "schema")).scalar() == "2"
        answer, _ = intake.accept(connection, delivery(), comment(), queue=10)
        assert isinstance(answer, Taken)
        claimed = [claims.claim(connection, ExecutorId("me"), per_installation=9, now=2.0)[0] for _ in range(2)]
    assert [row.id for row in claimed if row is not None] == [answer.job, "0123456789abcdef"]
    assert list(Dismissals(old).of(RepoName("acme/rocket")).remembered()) == []


def test_it_then_has_the_tables_and_indexes_of_a_new_one(
    old: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    new = Database(f"sqlite:///{tmp_path_factory.mktemp('new') / 'spark.db'}")
    shapes = []
    for database in (old, new):
        with tables_made(database):
            pass
        seen = inspect(database.writer)
        shapes.append(
            {
                name: (
                    {column["name"] for column in seen.get_columns(name)},
                    {index["name"] for index in seen.get_indexes(name)} - {f"{name}_pkey"},
                )
                for name in tables.metadata.tables
            }
        )
    new.close()
    assert shapes[0] == shapes[1]


def test_a_newer_versions_tables_are_refused_and_left_as_they_are(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        connection.execute(text(VERSION_1[0]))
        connection.execute(text("INSERT INTO spark_about (name, value) VALUES ('schema', '3')"))
    with pytest.raises(ConfigError, match="newer version"), tables_made(database):
        pass
    assert inspect(database.writer).get_table_names() == ["spark_about"]
    database.close()
