"""The day's budget: what all reviews of all processes may spend between two midnights UTC, and what they did spend.

Two kinds of rows. `<id>` is what a review that is at work holds and has not spent yet; it is set, not added to, so when a
killed review is run again, what its dead run merely held is free again. `<id>/<day>` is what calls did cost; it is added to
by every run, because money that was spent by a run that was killed is spent. What a run has spent is booked each time it
takes more, and at its end: a kill loses the books of the calls since then, and never frees what is booked.

A review is paid on the day on which it began to take. Taking is one transaction that nobody else can be in at the same
time, so eight processes cannot take the same dollar.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, text, update

from bot import log
from bot.engine.database import Database, DatabaseAwayError
from bot.engine.history import day_of
from bot.engine.tables import spending

LEAST_BITE: Final = 0.05
"""US dollars that are set aside at once, if there are so many: a call costs a fraction of a cent."""
BITE_SHARE: Final = 0.02
"""Of the day's limit that one bite has at most, unless a call needs more: what one review holds, others cannot have."""
_REFUSED_SECONDS: Final = 0.5
"""So long a refusal holds for the same review: sixty calls that are refused are not sixty questions."""
_LONGEST_ID: Final = 28
_LOCK: Final = 0x5350_4152_4B01
"""Of PostgreSQL's advisory locks; the number is ours alone in our database."""
_ROUNDING: Final = 1e-9


class Spending:
    """The books of one database. `max_usd_per_day` None for no limit: then it only books. Thread-safe."""

    def __init__(
        self, database: Database, max_usd_per_day: float | None, *, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._limit = max_usd_per_day
        self._now = now

    def purse(self, id: str) -> DayPurse:  # noqa: A002 - the word of the table
        """For one run of a review. `id`: the same for every run of it, at most 28 characters, no slash."""
        if not 0 < len(id) <= _LONGEST_ID or "/" in id:
            raise ValueError(f"An id of 1 to {_LONGEST_ID} characters without a slash is wanted, not {id!r}")
        return DayPurse(self._database, self._limit, id, self._now)

    def spent_today(self) -> float:
        """US dollars booked on this day (UTC) for calls; what is merely held is not in it. Raises DatabaseAwayError."""
        with self._database.read() as connection:
            asked = select(func.coalesce(func.sum(spending.c.usd), 0.0)).where(
                spending.c.day == day_of(self._now()), spending.c.id.contains("/", autoescape=True)
            )
            return float(connection.execute(asked).scalar_one())


class DayPurse:
    """What one run of a review may take: the `Purse` that its budget is fed from. Thread-safe."""

    def __init__(self, database: Database, limit: float | None, name: str, now: Callable[[], float]) -> None:
        self._database = database
        self._limit = limit
        self._name = name
        self._now = now
        self._lock = threading.Lock()
        self._day: str | None = None
        self._taken = 0.0
        self._booked = 0.0
        """Of what this run has spent."""
        self._refused = (0.0, 0.0)
        """What was refused last, and until when."""

    @property
    def limited(self) -> bool:
        """Whether the day has a limit."""
        return self._limit is not None

    def take(self, usd: float, *, spent: float) -> float:
        """Set aside at least `usd` dollars more, or nothing (0.0). Books `spent`, what the run did spend so far.

        Raises DatabaseAwayError.
        """
        limit = self._limit
        if limit is None:
            return usd
        with self._lock:
            least, until = self._refused
            if usd >= least and time.monotonic() < until:
                return 0.0
            day = self._day or day_of(self._now())
            bite = max(usd, min(max(LEAST_BITE, self._taken), BITE_SHARE * limit))
            with self._database.write() as connection:
                _take_turn(connection)
                held = max(0.0, self._taken - spent)
                others = _sum(connection, day, besides=self._name) + (spent - self._booked)
                room = limit - others - held
                granted = max(usd, min(bite, room)) if room + _ROUNDING >= usd else 0.0
                _book(connection, self._name, day, spent - self._booked)
                _set(connection, self._name, day, held + granted)
            self._day, self._booked = day, spent
            self._taken += granted
            if granted == 0.0:
                self._refused = (usd, time.monotonic() + _REFUSED_SECONDS)
            return granted

    def close(self, spent: float) -> None:
        """The run is over and did spend `spent` dollars; the rest is free again. Never raises."""
        with self._lock:
            if spent == self._booked and not self._taken:
                return
            day = self._day or day_of(self._now())
            try:
                with self._database.write() as connection:
                    _take_turn(connection)
                    _book(connection, self._name, day, spent - self._booked)
                    connection.execute(delete(spending).where(spending.c.id == self._name))
            except DatabaseAwayError as error:
                # What is held stays held until midnight: the day's limit is kept, if not used up.
                log.error("spending.not-booked", id=self._name, usd=spent - self._booked, why=str(error))
                return
            self._day, self._booked, self._taken = day, spent, spent


def _take_turn(connection: Connection) -> None:
    """Wait until nobody else is at the books. On SQLite the transaction itself is that: it is the only writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _sum(connection: Connection, day: str, *, besides: str) -> float:
    asked = select(func.coalesce(func.sum(spending.c.usd), 0.0)).where(spending.c.day == day, spending.c.id != besides)
    return float(connection.execute(asked).scalar_one())


def _book(connection: Connection, name: str, day: str, usd: float) -> None:
    """Add to what the review has spent on that day."""
    if usd == 0.0:
        return
    row = f"{name}/{day}"
    added = update(spending).where(spending.c.id == row).values(usd=spending.c.usd + usd)
    if not connection.execute(added).rowcount:
        connection.execute(insert(spending).values(id=row, day=day, usd=usd))


def _set(connection: Connection, name: str, day: str, usd: float) -> None:
    """What the review holds, whatever a dead run of it has held."""
    if usd == 0.0:
        connection.execute(delete(spending).where(spending.c.id == name))
        return
    row = update(spending).where(spending.c.id == name).values(day=day, usd=usd)
    if not connection.execute(row).rowcount:
        connection.execute(insert(spending).values(id=name, day=day, usd=usd))
