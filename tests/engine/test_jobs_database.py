"""The database: batches in one commit, errors that stay with whom they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.exc import IntegrityError

from bot.engine import tables
from bot.engine.database import Database, DatabaseAwayError
from bot.errors import ConfigError


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.write() as connection:
        tables.metadata.create_all(connection)
    yield database
    database.close()


def test_what_a_batch_wrote_is_there_when_its_future_is_done(database: Database) -> None:
    database.batch(lambda c: c.execute(insert(tables.about).values(name="a", value="1"))).result(10)
    with database.read() as connection:
        assert connection.execute(select(tables.about.c.value)).scalars().all() == ["1"]


def test_an_error_in_a_batch_undoes_its_own_write_alone(database: Database) -> None:
    def write(name: str) -> None:
        def work(connection: object) -> None:
            connection.execute(insert(tables.about).values(name=name, value="first"))  # type: ignore[attr-defined]
            connection.execute(insert(tables.about).values(name="taken", value=name))  # type: ignore[attr-defined]

        database.batch(work).result(10)

    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(write, f"n{number}") for number in range(20)]
        wait(tries)
    failed = [one for one in tries if one.exception() is not None]
    assert len(failed) == 19
    assert all(isinstance(one.exception(), IntegrityError) for one in failed)
    with database.read() as connection:
        assert len(connection.execute(select(tables.about)).all()) == 2


def test_what_many_ask_for_at_once_is_one_commit_on_sqlite(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        tables.metadata.create_all(connection)
    commits = []
    event.listen(database.writer, "commit", commits.append)
    with database.write() as connection:
        # While this transaction is open, the others gather.
        asked = [
            database.batch(lambda c, n=n: c.execute(insert(tables.about).values(name=str(n), value="")))  # type: ignore[misc]
            for n in range(50)
        ]
        # A SAVEPOINT that were a transaction of its own would be stored although this one is taken back.
        connection.begin_nested().commit()
        assert not any(one.done() for one in asked)
    wait(asked, 10)
    assert len(commits) <= 3
    database.close()


def test_a_savepoint_is_taken_back_with_its_transaction(database: Database) -> None:
    def write() -> None:
        with database.write() as connection:
            with connection.begin_nested():
                connection.execute(insert(tables.about).values(name="a", value=""))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    with database.read() as connection:
        assert connection.execute(select(tables.about)).all() == []


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "spark.db"
    file.write_bytes(b"no database at all" * 500)
    database = Database(f"sqlite:///{file}")
    with (
        pytest.raises(ConfigError, match="SPARK_DATABASE_URL names a file that is no SQLite database"),
        database.write(),
    ):
        pass
    database.close()


@pytest.mark.parametrize("url", ["mysql://x", "nothing", "postgresql://u:secret@h:port/x", "sqlite:/nonsense:secret"])
def test_an_address_that_is_none_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="SPARK_DATABASE_URL") as raised:
        Database(url)
    assert "secret" not in str(raised.value)


def test_a_database_that_is_not_there_is_told_in_one_line() -> None:
    database = Database("postgresql://user:secret@127.0.0.1:1/name")
    with pytest.raises(DatabaseAwayError, match="The database does not answer") as raised, database.read():
        pass
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)
    database.close()
