"""What people of a repository said is not to be spoken of, kept for good: nothing here is pruned with the history.

A row that this version cannot read is left out and logged: one of them must not take the others along.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from bot import log
from bot.engine.codec import StoredDataError, dump_remembered, load_remembered
from bot.engine.database import Database
from bot.engine.tables import dismissals
from bot.review.memory import FindingNote, Remembered
from bot.review.model import RepoName

MOST_READ: Final = 500
"""The newest of a repository; older ones are kept and not asked any more."""


class Dismissals:
    """Of one database. Thread-safe."""

    def __init__(self, database: Database, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def of(self, repo: RepoName) -> RepoMemory:
        """Those of one repository."""
        return RepoMemory(self._database, repo, self._now)


class RepoMemory:
    """Of one repository: the ports `Memory` of commands and `Remembrance` of reviews. Thread-safe; raises DatabaseAwayError."""

    def __init__(self, database: Database, repo: RepoName, now: Callable[[], float]) -> None:
        self._database = database
        self._repo = repo
        self._now = now

    def remembered(self) -> Sequence[Remembered]:
        """The newest first, at most `MOST_READ`."""
        with self._database.read() as connection:
            return list(_readable(self._rows(connection)))

    def remember(self, what: Remembered) -> None:
        """Keep it; of one fingerprint the last word counts."""
        values = {"data": dump_remembered(what), "at": self._now()}
        key = {"repo": self._repo, "fingerprint": what.fingerprint}

        def store(connection: Connection) -> None:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            again = insert(dismissals).values(**key, **values)
            connection.execute(again.on_conflict_do_update(index_elements=list(key), set_=values))

        self._database.batch(store).result()

    def forget(self, note: FindingNote) -> None:
        """It is not dismissed any more: it, and what was remembered of the very same lines under another fingerprint."""

        def take_away(connection: Connection) -> None:
            same = {what.fingerprint for what in _readable(self._rows(connection)) if _is_about(what, note)}
            names = [note.fingerprint, *same]
            connection.execute(
                delete(dismissals).where(dismissals.c.repo == self._repo, dismissals.c.fingerprint.in_(names))
            )

        self._database.batch(take_away).result()

    def _rows(self, connection: Connection) -> Sequence[Row[Any]]:
        asked = select(dismissals).where(dismissals.c.repo == self._repo).order_by(dismissals.c.at.desc())
        return connection.execute(asked.limit(MOST_READ)).all()


def _is_about(what: Remembered, note: FindingNote) -> bool:
    return bool(note.lines) and (what.path, what.category, what.rule, what.lines) == (
        note.path,
        note.category,
        note.rule,
        note.lines,
    )


def _readable(rows: Sequence[Row[Any]]) -> Iterator[Remembered]:
    for row in rows:
        try:
            yield load_remembered(row.data)
        except StoredDataError as error:
            log.error("dismissals.unreadable", repo=row.repo, fingerprint=row.fingerprint, why=str(error))
