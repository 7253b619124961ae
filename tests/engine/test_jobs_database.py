"""The database: batches in one commit, errors that stay with whom they belong to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select

from bot.engine import tables
from bot.engine.database import Database


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
