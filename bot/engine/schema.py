"""The tables made ready at the start, by one process at a time, and the SQLite file kept to one process.

Tables of an older version are brought up to this one. It refuses tables that a newer version has made.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Connection, insert, inspect, select, text, update

from bot import log
from bot.engine import tables
from bot.engine.database import Database, DatabaseAwayError
from bot.errors import ConfigError

_LOCK: Final = 0x5350_4152_4B
"""Of PostgreSQL's advisory locks: the one for making tables."""
_PATIENCE: Final = 60.0


class FileLock:
    """Held while an engine uses a SQLite file; the system lets it go when the process dies, however that happens."""

    def __init__(self, database: Path) -> None:
        """Takes it. Raises ConfigError when another process has it, or where there can be no file."""
        path = database.with_name(database.name + ".lock")
        try:
            self._file: IO[str] = path.open("a")
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be written ({error.strerror})",
                remedy="Make the folder, or set SPARK_DATABASE_URL to a place that can be written.",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ConfigError(
                f"Another process uses the database {database}",
                remedy="One process can use a SQLite file. For several, set SPARK_DATABASE_URL to a PostgreSQL.",
            ) from error

    def close(self) -> None:
        """Let it go. The file stays: taking it away would let two processes lock two files of one name."""
        self._file.close()


@contextmanager
def tables_made(database: Database) -> Iterator[None]:
    """Our tables are there. Inside the `with`, no other process makes tables either: DBOS makes its own then."""
    if database.is_sqlite:
        _make(database)
        yield
        return
    with database.read() as connection:
        # A database that is not there, or lets nobody in, is told in one line.
        connection.execute(text("SELECT 1"))
    # Tried again and again instead of waited for: a waiting statement would hold up the indexes that DBOS builds beside
    # running transactions, which wait for every statement older than themselves.
    with database.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        end = time.monotonic() + _PATIENCE
        while not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar():
            if time.monotonic() > end:
                raise DatabaseAwayError("Another process has been making tables for a minute", remedy="Look at it.")
            time.sleep(0.05)
        try:
            _make(database)
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})


def _make(database: Database) -> None:
    about = tables.about
    with database.write() as connection:
        stored = _version(connection)
        if stored is not None and stored > tables.SCHEMA_VERSION:
            raise ConfigError(
                f"The database has the tables of a newer version ({stored}; this one knows {tables.SCHEMA_VERSION})",
                remedy="Run that version, or use another database.",
            )
        if stored == 1:
            _to_version_2(connection)
        tables.metadata.create_all(connection)
        if stored is None:
            connection.execute(insert(about).values(name="schema", value=str(tables.SCHEMA_VERSION)))
        elif stored < tables.SCHEMA_VERSION:
            connection.execute(update(about).where(about.c.name == "schema").values(value=str(tables.SCHEMA_VERSION)))
            log.info("engine.tables_updated", version=tables.SCHEMA_VERSION, before=stored)


def _version(connection: Connection) -> int | None:
    """Of the tables that are there; None where there are none."""
    about = tables.about
    if not inspect(connection).has_table(about.name):
        return None
    stored = connection.execute(select(about.c.value).where(about.c.name == "schema")).scalar()
    return None if stored is None else int(stored)


def _to_version_2(connection: Connection) -> None:
    """Comments are answered: jobs know whether they are talk, and wait in that order. New tables are made beside this."""
    connection.execute(text("ALTER TABLE spark_jobs ADD COLUMN talk INTEGER NOT NULL DEFAULT 0"))
    connection.execute(text("DROP INDEX IF EXISTS spark_jobs_by_state"))
    connection.execute(text("CREATE INDEX spark_jobs_in_turn ON spark_jobs (state, talk DESC, created_at)"))
    connection.execute(text("CREATE INDEX spark_jobs_in_lane ON spark_jobs (lane, created_at)"))
