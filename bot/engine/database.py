"""The database: one SQLite file, or PostgreSQL for several machines. The same code above it.

SQLite: WAL and `synchronous=FULL`, so that what was committed survives a power cut; one connection writes (DBOS shares it:
several writers only wait for each other's locks), others read beside it. `batch` puts what many threads want written at the
same moment into one commit, so a burst of deliveries costs a few syncs and not one each. PostgreSQL groups commits itself,
and transactions shared by strangers would lock each other out there: each write has its own.

It refuses to let SQLAlchemy's errors out where the database is not to be reached: that is a `DatabaseAwayError`.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bot.errors import ConfigError, OutsideError

MOST_IN_A_BATCH: Final = 200
"""Writes of one commit: above that the first would wait too long for the last."""
_READERS: Final = 8
_BUSY_SECONDS: Final = 10
_CONNECT_SECONDS: Final = 5
_FRESH_SECONDS: Final = 2.0
"""A connection that was used so recently is believed to work; an older one is tried first."""
_IDLE_MILLISECONDS: Final = 20_000
"""PostgreSQL ends a transaction that was left open so long: a process that was suspended must not keep its locks."""

_REMEDY: Final = "Use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME."

T = TypeVar("T")


class DatabaseAwayError(OutsideError):
    """The database does not answer, or cannot store: nothing was written, or it is not known whether it was."""


@dataclass(frozen=True, slots=True)
class _Write(Generic[T]):
    work: Callable[[Connection], T]
    done: Future[T]

    def run(self, connection: Connection) -> Callable[[], None]:
        """Do it inside the open transaction; what comes back tells the waiting thread, once the commit stands."""
        try:
            with _mapped(), connection.begin_nested():
                result = self.work(connection)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the thread that asked
            return lambda error=error: self.done.set_exception(error)  # type: ignore[misc]
        return lambda: self.done.set_result(result)


class Database:
    """Use it from any thread. `writer` is the SQLAlchemy engine that DBOS is given too."""

    def __init__(self, url: str) -> None:
        """`url`: `sqlite:///path` or `postgresql://...`. ConfigError for anything else. Connects when first used."""
        try:
            self._make_engines(url)
        except (ArgumentError, ValueError) as error:
            # Not told what: it may have a password in it.
            raise ConfigError("SPARK_DATABASE_URL is malformed", remedy=_REMEDY) from error
        self._queue: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def _make_engines(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite:")
        self.pulse: Engine
        """A connection of its own for what must not wait behind others: the heartbeat."""
        if self.is_sqlite:
            arguments = {"check_same_thread": False, "timeout": _BUSY_SECONDS}
            self.writer = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=60, connect_args=arguments)
            self._reader = create_engine(url, pool_size=_READERS, max_overflow=0, connect_args=arguments)
            event.listen(self.writer, "connect", _set_up_writer)
            event.listen(self._reader, "connect", _set_up_reader)
            self.pulse = self.writer
        elif url.startswith(("postgresql:", "postgres:", "postgresql+psycopg:")):
            address = "postgresql+psycopg:" + url.partition(":")[2]
            arguments = {"connect_timeout": _CONNECT_SECONDS}
            self.writer = create_engine(address, pool_size=16, max_overflow=8, connect_args=arguments)
            # One statement needs no transaction around it: two trips less.
            self._reader = self.writer.execution_options(isolation_level="AUTOCOMMIT")
            self.pulse = create_engine(address, pool_size=1, max_overflow=0, connect_args=arguments)
            for engine in (self.writer, self.pulse):
                event.listen(engine, "connect", _set_up_postgres)
                event.listen(engine, "checkin", _note_time)
                event.listen(engine, "checkout", _try_it)
        else:
            raise ConfigError(
                f"SPARK_DATABASE_URL begins with {urlsplit(url).scheme or 'nothing'!r}",
                remedy=_REMEDY,
            )

    @property
    def file(self) -> Path | None:
        """Of SQLite; None for PostgreSQL and for a database in memory."""
        name = make_url(self.writer.url).database
        return Path(name) if self.is_sqlite and name and name != ":memory:" else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the `with`, taken back when it raises."""
        with _mapped(), self._begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with; each statement sees what was committed when it began."""
        with _mapped(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def beat(self) -> Iterator[Connection]:
        """As `write`, on the heartbeat's own connection."""
        with _mapped(), self.pulse.begin() as connection:
            yield connection

    def batch(self, work: Callable[[Connection], T]) -> Future[T]:
        """Do `work` in a transaction that it shares, on SQLite, with what others ask for at the same moment.

        The future is done when the commit stands; on PostgreSQL that is before this returns. An error of `work` undoes
        that work alone.
        """
        write = _Write(work, Future())
        if not self.is_sqlite:
            try:
                with self.write() as connection:
                    result = work(connection)
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to who waits for the future
                write.done.set_exception(error)
            else:
                write.done.set_result(result)
            return write.done
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_batches, name="database-writer", daemon=True)
                self._thread.start()
        self._queue.put(write)
        return write.done

    def close(self) -> None:
        """Finish the writes that wait, then close every connection."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()
        for engine in (self.writer, self._reader, self.pulse):
            engine.dispose()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self.writer.begin() as connection:
            if self.is_sqlite:
                # Python's sqlite3 begins a transaction before the first INSERT, UPDATE or DELETE only: a SAVEPOINT
                # before that would be the transaction itself, and its release a commit.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def _write_batches(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < MOST_IN_A_BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            writes = [write for write in batch if write is not None]
            if writes:
                self._commit(writes)
            if len(writes) < len(batch):
                return

    def _commit(self, writes: list[_Write[Any]]) -> None:
        try:
            with _mapped(), self._begin() as connection:
                told = [write.run(connection) for write in writes]
        except (SQLAlchemyError, DatabaseAwayError) as error:
            for write in writes:
                write.done.set_exception(error)
            return
        for tell in told:
            tell()


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise _away(error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _away(error) from error
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise ConfigError(
                "SPARK_DATABASE_URL names a file that is no SQLite database",
                remedy="Name another one, or move it away.",
            ) from error
        raise


def _away(error: SQLAlchemyError) -> DatabaseAwayError:
    cause = getattr(error, "orig", None) or error
    words = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return DatabaseAwayError(f"The database does not answer ({words[:200]})", remedy="Look at SPARK_DATABASE_URL.")


def _set_up_writer(connection: Any, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=2000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_up_reader(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _set_up_postgres(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_MILLISECONDS}")
    cursor.close()
    # Without a commit the pool's rollback would take the setting back.
    connection.commit()


def _note_time(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _try_it(connection: Any, record: Any, _proxy: Any) -> None:
    """The pool's own trial would cost a trip for each use, also between two deliveries of a burst."""
    if time.monotonic() - record.info.get("used", 0.0) < _FRESH_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        # The pool opens another one, and forgets all that are as old.
        raise DisconnectionError from error
