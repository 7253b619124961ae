"""The live events of jobs as rows: what is written in one transaction, and what is read. No threads, no memory."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, insert, or_, select

from bot import log
from bot.engine.channel import is_final
from bot.engine.codec import StoredDataError, dump_object, load_object
from bot.engine.model import JobState
from bot.engine.tables import events, jobs
from bot.live.events import LiveEvent, LiveKind, Numbered

_LARGE: Final = 65_536
"""Characters of JSON above which an event is stored compressed: the diff of a large change."""
_PACKED: Final = "z:"
"""Before what is compressed. JSON objects begin with a brace."""
_LARGEST: Final = 64 * 1024 * 1024
_ASKED_AT_ONCE: Final = 100
"""Jobs in one statement."""
_POLLED: Final = 2_000


@dataclass(slots=True, kw_only=True)
class Batch:
    """What is to be written of one job. `expected`: the newest number that we know to be there."""

    job: str
    expected: int
    anew: bool
    """Delete everything up to `expected`."""
    events: Sequence[Numbered]
    last: int
    """The number of the last event, also where that is not among `events`."""
    passed: int | None
    """The number of a PROGRESS that `progress` makes void."""
    progress: int | None
    over: bool
    """The end is among them: no PROGRESS is worth keeping."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The events as rows, once they are packed."""

    def pack(self) -> None:
        """Make the rows. An event that is no JSON is left out and logged."""
        for numbered in self.events:
            try:
                data = pack(numbered.event.data)
            except (TypeError, ValueError) as error:
                log.error("events.no-json", job=self.job, kind=numbered.event.kind.value, why=str(error))
                continue
            self.rows.append({"job": self.job, "seq": numbered.seq, "kind": numbered.event.kind.value, "data": data})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the database says of a job. `final`: the number of the event that told its end."""

    state: JobState | None
    newest: int
    final: int | None


def write(connection: Connection, batches: Sequence[Batch]) -> dict[str, int]:
    """Store them all. Gives the jobs of which another process has stored more, with its newest number; of these nothing
    was stored.
    """
    newest = newest_numbers(connection, [batch.job for batch in batches])
    others = {batch.job: newest[batch.job] for batch in batches if newest.get(batch.job, 0) > batch.expected}
    rows: list[Mapping[str, Any]] = []
    for batch in batches:
        if batch.job in others:
            continue
        ours = events.c.job == batch.job
        if batch.anew:
            connection.execute(delete(events).where(ours, events.c.seq <= batch.expected))
        elif batch.over:
            connection.execute(delete(events).where(ours, events.c.kind == LiveKind.PROGRESS.value))
        elif batch.passed is not None:
            connection.execute(delete(events).where(ours, events.c.seq == batch.passed))
        rows += batch.rows
    if rows:
        connection.execute(insert(events), rows)
    return others


def pack(data: Mapping[str, Any]) -> str:
    """JSON text; compressed, and in base64 because the column is text, where it is large. Raises TypeError or ValueError
    for what is no JSON.
    """
    text = dump_object(data)
    if len(text) <= _LARGE:
        return text
    return _PACKED + base64.b64encode(zlib.compress(text.encode("ascii"), 1)).decode("ascii")


def unpack(text: str) -> dict[str, Any]:
    """What `pack` wrote. Raises StoredDataError."""
    if not text.startswith(_PACKED):
        return load_object(text)
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(text[len(_PACKED) :], validate=True), _LARGEST)
    except (ValueError, zlib.error) as error:
        raise StoredDataError(f"The database holds a live event that cannot be read ({error})") from error
    return load_object(data)


def newest_numbers(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The newest number of each job that has events."""
    found: dict[str, int] = {}
    for some in _portions(ids):
        asked = select(events.c.job, func.max(events.c.seq)).where(events.c.job.in_(some)).group_by(events.c.job)
        found.update((job, newest) for job, newest in connection.execute(asked))
    return found


def look(connection: Connection, job: str) -> Found:
    """How a job and its events stand."""
    state = connection.execute(select(jobs.c.state).where(jobs.c.id == job)).scalar()
    newest = connection.execute(select(func.max(events.c.seq)).where(events.c.job == job)).scalar()
    told = connection.execute(
        select(events.c.seq, events.c.kind, events.c.data)
        .where(events.c.job == job, events.c.kind == LiveKind.STATE.value)
        .order_by(events.c.seq.desc())
        .limit(1)
    ).all()
    final = next((numbered.seq for numbered in _read(job, told) if is_final(numbered.event)), None)
    return Found(state=None if state is None else JobState(state), newest=newest or 0, final=final)


def states(connection: Connection, ids: Sequence[str]) -> dict[str, JobState]:
    """The state of each job that there is."""
    found: dict[str, JobState] = {}
    for some in _portions(ids):
        rows = connection.execute(select(jobs.c.id, jobs.c.state).where(jobs.c.id.in_(some)))
        found |= {job: JobState(state) for job, state in rows}
    return found


def after(connection: Connection, job: str, seq: int, *, limit: int | None = None) -> list[Numbered]:
    """Events of a job after `seq`, in order. One that cannot be read is left out and logged."""
    asked = (
        select(events.c.seq, events.c.kind, events.c.data)
        .where(events.c.job == job, events.c.seq > seq)
        .order_by(events.c.seq)
        .limit(limit)
    )
    return list(_read(job, connection.execute(asked).all()))


def after_each(connection: Connection, last: Mapping[str, int]) -> dict[str, list[Numbered]]:
    """For each job its events after a number; for a job with very many the first of them."""
    found: dict[str, list[Numbered]] = {}
    for some in _portions(list(last)):
        asked = (
            select(events.c.job, events.c.seq, events.c.kind, events.c.data)
            .where(or_(*(and_(events.c.job == job, events.c.seq > last[job]) for job in some)))
            .order_by(events.c.job, events.c.seq)
            .limit(_POLLED)
        )
        for job, *row in connection.execute(asked):
            found.setdefault(job, []).extend(_read(job, [row]))
    return found


def _read(job: str, rows: Iterable[Any]) -> Iterator[Numbered]:
    for seq, kind, data in rows:
        try:
            event = LiveEvent(kind=LiveKind(kind), data=unpack(data))
        except (StoredDataError, ValueError) as error:
            log.error("events.unreadable", job=job, seq=seq, why=str(error))
            continue
        yield Numbered(seq=seq, event=event)


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        yield ids[start : start + _ASKED_AT_ONCE]
