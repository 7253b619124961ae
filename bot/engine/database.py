"""The database: one SQLite file, or PostgreSQL for several machines. The same code above it.

SQLite: WAL and `synchronous=FULL`, so that what was committed survives a power cut; one connection writes (DBOS shares it:
several writers only wait for each other's locks), others read beside it. `batch` puts what many threads want written at the
same moment into one commit, so a burst of deliveries costs a few syncs and not one each.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import ConfigError

MOST_IN_A_BATCH: Final = 200
"""Writes of one commit: above that the first would wait too long for the last."""
_READERS: Final = 8
_BUSY_SECONDS: Final = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Write(Generic[T]):
    work: Callable[[Connection], T]
    done: Future[T]

    def run(self, connection: Connection) -> Callable[[], None]:
        """Do it inside the open transaction; what comes back tells the waiting thread, once the commit stands."""
        try:
            with connection.begin_nested():
                result = self.work(connection)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the thread that asked
            return lambda error=error: self.done.set_exception(error)  # type: ignore[misc]
        return lambda: self.done.set_result(result)


class Database:
    """Use it from any thread. `writer` is the SQLAlchemy engine that DBOS is given too."""

    def __init__(self, url: str) -> None:
        """`url`: `sqlite:///path` or `postgresql://...`. ConfigError for anything else. Connects when first used."""
        self.is_sqlite = url.startswith("sqlite:")
        if self.is_sqlite:
            arguments = {"check_same_thread": False, "timeout": _BUSY_SECONDS}
            self.writer = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=60, connect_args=arguments)
            self._reader = create_engine(url, pool_size=_READERS, max_overflow=0, connect_args=arguments)
            event.listen(self.writer, "connect", _set_up_writer)
            event.listen(self._reader, "connect", _set_up_reader)
        elif url.startswith(("postgresql:", "postgres:", "postgresql+psycopg:")):
            address = "postgresql+psycopg:" + url.partition(":")[2]
            self.writer = create_engine(address, pool_size=16, max_overflow=8, pool_pre_ping=True)
            self._reader = self.writer
        else:
            raise ConfigError(
                f"SPARK_DATABASE_URL begins with {urlsplit(url).scheme or 'nothing'!r}",
                remedy="Use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.",
            )
        self._queue: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the `with`, taken back when it raises."""
        with self.writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with; sees what was committed when its first statement began."""
        with self._reader.connect() as connection:
            yield connection

    def batch(self, work: Callable[[Connection], T]) -> Future[T]:
        """Do `work` in a transaction that it shares with what others ask for at the same moment.

        The future is done when the commit stands. An error of `work` undoes that work alone.
        """
        write = _Write(work, Future())
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
        self.writer.dispose()
        self._reader.dispose()

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
            with self.writer.begin() as connection:
                told = [write.run(connection) for write in writes]
        except SQLAlchemyError as error:
            for write in writes:
                write.done.set_exception(error)
            return
        for tell in told:
            tell()


def _set_up_writer(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=2000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_up_reader(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()
