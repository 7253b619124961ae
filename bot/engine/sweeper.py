"""Asks GitHub for the deliveries that did not arrive and has them sent again, because GitHub does not do so by itself.

One process at a time: what is known is kept in one row, and whoever sweeps holds it on lease. The lease compares the clocks
of machines; where they differ so much that two sweep at once, a delivery is asked for twice, and the second is known by its
id at the door. It refuses to judge deliveries: one that arrived and was refused three times is left.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, repeat
from typing import Any, Final, Protocol

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot import log
from bot.engine.database import Database
from bot.engine.tables import about, deliveries
from bot.errors import SparkError

KEPT_SECONDS: Final = 3 * 86_400.0
"""GitHub sends again what is at most three days old (docs: redelivering webhooks)."""
IN_FLIGHT_SECONDS: Final = 60.0
"""A delivery that is younger may still be under way, or be answered just now."""
OVERLAP_SECONDS: Final = 600.0
"""So far back each sweep looks again at least: the log may show an attempt late."""
MOST_TRIES: Final = 3
"""For one delivery."""
MOST_AT_ONCE: Final = 100
"""Of one sweep: what failed because too much came is not to come back all at once."""
LEASE_SECONDS: Final = 120.0
_ROW: Final = "sweeper"
_ASKED_AT_ONCE: Final = 500


class HookDelivery(Protocol):
    """One attempt as GitHub's log has it."""

    @property
    def id(self) -> int:
        """Of this attempt."""
        ...

    @property
    def guid(self) -> str:
        """Of the delivery: all its attempts share it."""
        ...

    @property
    def event(self) -> str:
        """`pull_request`."""
        ...

    @property
    def delivered_at(self) -> float:
        """Seconds since 1970."""
        ...

    @property
    def ok(self) -> bool:
        """Whether we answered with 2xx."""
        ...


class HookLog(Protocol):
    """GitHub's log of the App's deliveries."""

    def recent(self, since: float) -> Sequence[HookDelivery]:
        """Every attempt since then (seconds since 1970), in any order. Raises OutsideError, CredentialsError."""
        ...

    def redeliver(self, id: int) -> None:  # noqa: A002 - GitHub's word
        """Have it sent again; comes some time later, as a further attempt of the same GUID. Raises as `recent`."""
        ...


@dataclass(slots=True, kw_only=True)
class _Known:
    """What is kept between sweeps, and over all processes."""

    holder: str = ""
    until: float = 0.0
    """End of the holder's lease."""
    swept_at: float = 0.0
    through: float = 0.0
    """All that is older is settled."""
    tries: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By GUID: how often it was asked for, and when last."""


class Sweeper:
    """Of one installation. `start` sweeps at once, for what came while nobody was up, soon again, then each `every` seconds."""

    def __init__(
        self,
        database: Database,
        log: HookLog,
        *,
        every: float = 300.0,
        soon: float = 1.25 * IN_FLIGHT_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`soon`: seconds from the first sweep to the second."""
        self._database = database
        self._log = log
        self._every = every
        self._soon = soon
        self._now = now
        self._name = uuid.uuid4().hex
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Sweep in a thread of its own from now on."""
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; a sweep that is under way ends after its present question to GitHub."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def sweep_once(self) -> int:
        """Have sent again what did not arrive; gives how many. 0 while another process sweeps.

        Raises what the log raises when it cannot be read, and DatabaseAwayError.
        """
        known = self._begin()
        if known is None:
            return 0
        began = self._now()
        try:
            attempts = self._log.recent(max(known.through, began - KEPT_SECONDS))
            lost = self._lost(attempts, began)
            asked = self._ask(lost, known)
            open_since = [first for first, newest in lost if known.tries.get(newest.guid, (0, 0.0))[0] < MOST_TRIES]
            known.through = min([began - OVERLAP_SECONDS, *open_since])
            known.tries = {guid: tried for guid, tried in known.tries.items() if tried[1] > began - KEPT_SECONDS}
            known.swept_at = began
        finally:
            known.until = 0.0
            self._keep(known)
        if asked:
            log.info("sweeper.redelivered", deliveries=asked)
        return asked

    def _run(self) -> None:
        due = True
        # What was lost just before the start is too young for the first sweep.
        for pause in chain([self._soon], repeat(self._every)):
            try:
                if due:
                    self.sweep_once()
            except SparkError as error:
                log.warning("sweeper.failed", why=str(error))
            except Exception as error:  # noqa: BLE001 - the outermost loop: the next sweep may do better
                log.error("sweeper.broke", exc=error)
            if self._closing.wait(pause):
                return
            due = pause == self._soon or self._is_due()

    def _is_due(self) -> bool:
        """Whether no other process has swept a moment ago."""
        try:
            with self._database.read() as connection:
                swept_at = _read(
                    connection.execute(select(about.c.value).where(about.c.name == _ROW)).scalar()
                ).swept_at
        except SparkError:
            # The sweep itself will tell.
            return True
        return self._now() - swept_at > 0.5 * self._every

    def _lost(self, attempts: Iterable[HookDelivery], now: float) -> list[tuple[float, HookDelivery]]:
        """Deliveries that never arrived, oldest first: when each was first tried, and its newest attempt."""
        by_guid: dict[str, list[HookDelivery]] = {}
        for attempt in attempts:
            by_guid.setdefault(attempt.guid, []).append(attempt)
        failed = {guid: tried for guid, tried in by_guid.items() if not any(attempt.ok for attempt in tried)}
        taken = self._taken(list(failed))
        lost = [
            (min(attempt.delivered_at for attempt in tried), max(tried, key=lambda attempt: attempt.delivered_at))
            for guid, tried in failed.items()
            if guid not in taken
        ]
        # What GitHub does not keep any more cannot be sent again.
        return sorted((pair for pair in lost if pair[0] > now - KEPT_SECONDS), key=lambda pair: (pair[0], pair[1].id))

    def _taken(self, guids: Sequence[str]) -> set[str]:
        """Those that did arrive here, whatever GitHub was told: the answer may have been lost on its way."""
        taken: set[str] = set()
        with self._database.read() as connection:
            for start in range(0, len(guids), _ASKED_AT_ONCE):
                some = guids[start : start + _ASKED_AT_ONCE]
                taken.update(connection.execute(select(deliveries.c.id).where(deliveries.c.id.in_(some))).scalars())
        return taken

    def _ask(self, lost: Sequence[tuple[float, HookDelivery]], known: _Known) -> int:
        asked = 0
        for _, newest in lost:
            if asked == MOST_AT_ONCE or self._closing.is_set():
                break
            times, last = known.tries.get(newest.guid, (0, 0.0))
            if times >= MOST_TRIES or max(last, newest.delivered_at) > self._now() - IN_FLIGHT_SECONDS:
                continue
            try:
                self._log.redeliver(newest.id)
            except SparkError as error:
                # Not counted as a try: GitHub may be down for longer than three of them.
                log.warning("sweeper.not-redelivered", delivery=newest.guid, why=str(error))
                continue
            asked += 1
            known.tries[newest.guid] = (times + 1, self._now())
            known.until = self._now() + LEASE_SECONDS
            self._keep(known)
            log.info("sweeper.asked", delivery=newest.guid, event=newest.event, tries=times + 1)
        return asked

    # -- the row -------------------------------------------------------------------------------------------------

    def _begin(self) -> _Known | None:
        """Take the lease; None while another process has it."""
        # The error: another process made the row at the same moment.
        with contextlib.suppress(IntegrityError):
            self._database.batch(_make_row).result()
        return self._database.batch(self._take_lease).result()

    def _take_lease(self, connection: Connection) -> _Known | None:
        known = _read(connection.execute(select(about.c.value).where(about.c.name == _ROW).with_for_update()).scalar())
        if known.holder != self._name and known.until > self._now():
            return None
        known.holder, known.until = self._name, self._now() + LEASE_SECONDS
        _write(connection, known)
        return known

    def _keep(self, known: _Known) -> None:
        """Store it, unless another process has the lease now: then it knows better."""

        def keep(connection: Connection) -> None:
            asked = select(about.c.value).where(about.c.name == _ROW).with_for_update()
            if _read(connection.execute(asked).scalar()).holder == self._name:
                _write(connection, known)

        self._database.batch(keep).result()


def _make_row(connection: Connection) -> None:
    if connection.execute(select(about.c.name).where(about.c.name == _ROW)).first() is None:
        connection.execute(insert(about).values(name=_ROW, value="{}"))


def _read(value: str | None) -> _Known:
    """The row. What cannot be read counts as not there: then all three days are looked at again, which does no harm."""
    try:
        shape: Mapping[str, Any] = json.loads(value or "{}")
        tries = {str(guid): (int(times), float(last)) for guid, (times, last) in shape.get("tries", {}).items()}
        return _Known(
            holder=str(shape.get("holder", "")),
            until=float(shape.get("until", 0.0)),
            swept_at=float(shape.get("swept_at", 0.0)),
            through=float(shape.get("through", 0.0)),
            tries=tries,
        )
    except (ValueError, TypeError, AttributeError):
        log.warning("sweeper.forgot", why="its row in spark_about cannot be read")
        return _Known()


def _write(connection: Connection, known: _Known) -> None:
    value = json.dumps(asdict(known), separators=(",", ":"))
    connection.execute(update(about).where(about.c.name == _ROW).values(value=value))
