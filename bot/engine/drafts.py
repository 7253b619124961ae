"""Which repositories want their drafts reviewed: asked for each delivery, so kept in memory for a minute."""

from __future__ import annotations

import threading
import time
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from bot.engine.database import Database
from bot.engine.tables import repos
from bot.review.model import RepoName

_BELIEVED: Final = 60.0
"""Seconds that an answer is not asked for again: another process may have learned more."""
_MOST: Final = 10_000


class Drafts:
    """Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[RepoName, tuple[bool, float]] = {}

    def wanted(self, repo: RepoName) -> bool:
        """As far as is known; False for a repository that was never reviewed. Raises DatabaseAwayError."""
        with self._lock:
            known = self._known.get(repo)
        if known is not None and time.monotonic() - known[1] < _BELIEVED:
            return known[0]
        with self._database.read() as connection:
            value = connection.execute(select(repos.c.reviews_drafts).where(repos.c.repo == repo)).scalar()
        self._believe(repo, wanted=bool(value))
        return bool(value)

    def learn(self, repo: RepoName, *, wanted: bool) -> None:
        """What a review read in the repository's configuration. Raises DatabaseAwayError."""
        if self.wanted(repo) == wanted:
            return

        def store(connection: Connection) -> None:
            connection.execute(delete(repos).where(repos.c.repo == repo))
            connection.execute(insert(repos).values(repo=repo, reviews_drafts=int(wanted)))

        self._database.batch(store).result()
        self._believe(repo, wanted=wanted)

    def _believe(self, repo: RepoName, *, wanted: bool) -> None:
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[repo] = (wanted, time.monotonic())
