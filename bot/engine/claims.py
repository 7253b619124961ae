"""Whose job it is, inside one transaction: claimed, let go, kept, ended, given back, taken over.

A run of a job is (owner, attempt). Every write of a run asks for both, so a process that lost a job, and perhaps got it
again, can write nothing in the name of the run that it lost. It refuses to know threads; the clock is the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from bot.engine import tables
from bot.engine.codec import dump_checkpoint, dump_ended, load_checkpoint
from bot.engine.history import JOB_COLUMNS
from bot.engine.intake import AnyRow
from bot.engine.model import Checkpoint, Ended, ExecutorId, JobId, JobState, StopCause
from bot.hooks.events import DeliveryId

MOST_LOST: Final = 5
"""Processes that may die under a job before it is taken to be what kills them."""

TALK_PER_INSTALLATION: Final = 4
"""Answers to comments of one installation at once, in all processes."""

_MOST: Final = {0: "most", 1: "most_talk"}

jobs = tables.jobs
executors = tables.executors


def _oldest(*talks: int) -> Select[tuple[str, int, int]]:
    """Of reviews (0), of answers to comments (1), or of both, and then the answers first."""
    running = and_(jobs.c.state == JobState.RUNNING.value, jobs.c.released == 0)

    def with_room(talk: int) -> ColumnElement[bool]:
        most = bindparam(_MOST[talk], type_=Integer)
        taken = select(jobs.c.installation).where(running, jobs.c.talk == talk).group_by(jobs.c.installation)
        return and_(jobs.c.talk == talk, jobs.c.installation.not_in(taken.having(func.count() >= most)))

    return (
        select(jobs.c.id, jobs.c.installation, jobs.c.talk)
        .where(
            jobs.c.state == JobState.QUEUED.value,
            jobs.c.lane.not_in(select(jobs.c.lane).where(running)),
            or_(*map(with_room, talks)),
        )
        .order_by(jobs.c.talk.desc(), jobs.c.created_at, jobs.c.id)
        .limit(1)
    )


def _in_turn(oldest: Select[tuple[str, int, int]]) -> Select[Any]:
    """PostgreSQL: two processes may both see room for one more. Those of an installation take turns, and look again."""
    found = oldest.subquery()
    turn = func.pg_advisory_xact_lock(found.c.talk + 42, cast(found.c.installation % 2**31, Integer))
    return select(found.c.id, found.c.installation, found.c.talk, turn)


def _claiming(*room: ColumnElement[bool]) -> ReturningUpdate[Any]:
    return (
        update(jobs)
        .where(jobs.c.id == bindparam("job_id", type_=Text), jobs.c.state == JobState.QUEUED.value, *room)
        .values(
            state=JobState.RUNNING.value,
            owner=bindparam("who", type_=Text),
            attempt=jobs.c.attempt + 1,
            released=0,
            started_at=bindparam("began", type_=Float),
        )
        .returning(*JOB_COLUMNS)
    )


def _room() -> ColumnElement[bool]:
    others = jobs.alias()
    in_use = select(func.count()).where(
        others.c.state == JobState.RUNNING.value,
        others.c.released == 0,
        others.c.installation == bindparam("place", type_=BigInteger),
        others.c.talk == bindparam("kind", type_=Integer),
    )
    return in_use.scalar_subquery() < bindparam("most", type_=Integer)


# Built once: on the way from a delivery to its job's first step.
_OLDEST: Final = {(0,): _oldest(0), (1,): _oldest(1), (0, 1): _oldest(0, 1)}
_OLDEST_IN_TURN: Final = {talks: _in_turn(statement) for talks, statement in _OLDEST.items()}
_TALK_WAITS: Final = select(literal(1)).where(jobs.c.state == JobState.QUEUED.value, jobs.c.talk == 1).limit(1)
_CLAIM: Final = _claiming()
_CLAIM_WITH_ROOM: Final = _claiming(_room())


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job: the fence of everything it writes."""

    job: JobId
    owner: ExecutorId
    attempt: int

    @property
    def holds(self) -> ColumnElement[bool]:
        """True of the job's row while this run owns it."""
        return and_(
            jobs.c.id == self.job,
            jobs.c.state == JobState.RUNNING.value,
            jobs.c.owner == self.owner,
            jobs.c.attempt == self.attempt,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A job whose process died, and the number of the attempt that died with it."""

    job: JobId
    attempt: int
    delivery: DeliveryId


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """What became of the jobs of a dead process."""

    waiting: tuple[Orphan, ...]
    failed: tuple[Orphan, ...]


def talk_waits(connection: Connection) -> bool:
    """Whether a comment waits to be answered."""
    return connection.execute(_TALK_WAITS).first() is not None


def claim(
    connection: Connection,
    owner: ExecutorId,
    *,
    per_installation: int,
    now: float,
    talk_per_installation: int = TALK_PER_INSTALLATION,
    reviews: bool = True,
    talk: bool = True,
) -> tuple[AnyRow | None, bool]:
    """The oldest job that can run, made ours: answers to comments first, then everything else (`reviews`), as far as this
    process has slots for them. (None, True): somebody was faster, try again; (None, False): there is none.

    IntegrityError: another process began a job of the same lane at this moment; the index holds where looking cannot.
    """
    alone = connection.dialect.name != "postgresql"
    statements = _OLDEST if alone else _OLDEST_IN_TURN
    most = (per_installation, talk_per_installation)
    talks = (*([0] if reviews else []), *([1] if talk else []))
    if not talks:
        return None, False
    candidate = connection.execute(statements[talks], {_MOST[each]: most[each] for each in talks}).first()
    if candidate is None:
        return None, False
    facts = {"job_id": candidate.id, "who": owner, "began": now}
    if alone:
        row = connection.execute(_CLAIM, facts).first()
    else:
        facts |= {"place": candidate.installation, "kind": candidate.talk, "most": most[candidate.talk]}
        row = connection.execute(_CLAIM_WITH_ROOM, facts).first()
    return row, row is None


def release(connection: Connection, run: Run) -> bool:
    """Let the lane and the slot go. False when the run owns the job no more."""
    return connection.execute(update(jobs).where(run.holds).values(released=1)).rowcount == 1


def keep(connection: Connection, run: Run, checkpoint: Checkpoint) -> bool:
    """Store it. False when the run owns the job no more."""
    stored = update(jobs).where(run.holds).values(checkpoint=dump_checkpoint(checkpoint))
    return connection.execute(stored).rowcount == 1


def kept(connection: Connection, job: JobId) -> Checkpoint | None:
    """What a run has kept."""
    value = connection.execute(select(jobs.c.checkpoint).where(jobs.c.id == job)).scalar()
    return None if value is None else load_checkpoint(value)


def end(connection: Connection, run: Run, ended: Ended, *, now: float) -> bool:
    """Store the end of a run; one that was parked goes back into the queue. False when it owns the job no more."""
    if ended.state is JobState.QUEUED:
        return bool(give_back(connection, run.holds))
    over = update(jobs).where(run.holds).values(state=ended.state.value, ended_at=now, ended=dump_ended(ended))
    return connection.execute(over).rowcount == 1


def give_back(connection: Connection, which: ColumnElement[bool]) -> Sequence[JobId]:
    """Running jobs go back into the queue, each at its old place; a wish that they stop stays."""
    back = (
        update(jobs)
        .where(which, jobs.c.state == JobState.RUNNING.value)
        .values(state=JobState.QUEUED.value, owner=None, released=0)
        .returning(jobs.c.id)
    )
    return connection.execute(back).scalars().all()


def take_over(connection: Connection, dead: ExecutorId | None, *, now: float) -> TakenOver:
    """The jobs of a dead process go back into the queue, exactly once whoever asks; None means: of all processes.

    A job under which processes died too often fails.
    """
    theirs = jobs.c.state == JobState.RUNNING.value
    if dead is not None:
        theirs = and_(theirs, jobs.c.owner == dead)
    why = f"The server's process died {MOST_LOST} times while it worked on this"
    over = Ended(state=JobState.FAILED, why=why, error="ProcessDied")
    failed = connection.execute(
        update(jobs)
        .where(theirs, jobs.c.lost >= MOST_LOST - 1)
        .values(state=JobState.FAILED.value, lost=jobs.c.lost + 1, ended_at=now, ended=dump_ended(over))
        .returning(jobs.c.id, jobs.c.attempt, jobs.c.delivery)
    ).all()
    waiting = connection.execute(
        update(jobs)
        .where(theirs)
        .values(state=JobState.QUEUED.value, owner=None, released=0, lost=jobs.c.lost + 1)
        .returning(jobs.c.id, jobs.c.attempt, jobs.c.delivery)
    ).all()
    gone = delete(executors) if dead is None else delete(executors).where(executors.c.id == dead)
    connection.execute(gone)
    return TakenOver(waiting=tuple(map(_orphan, waiting)), failed=tuple(map(_orphan, failed)))


def _orphan(row: AnyRow) -> Orphan:
    return Orphan(job=row.id, attempt=row.attempt, delivery=row.delivery)


def mine(connection: Connection, owner: ExecutorId) -> dict[JobId, tuple[int, StopCause | None]]:
    """The jobs that the database says this process runs: the attempt, and whether it is to stop."""
    ours = select(jobs.c.id, jobs.c.attempt, jobs.c.stop).where(
        jobs.c.state == JobState.RUNNING.value, jobs.c.owner == owner
    )
    return {
        row.id: (row.attempt, None if row.stop is None else StopCause(row.stop)) for row in connection.execute(ours)
    }


def beat(connection: Connection, owner: ExecutorId, name: str) -> None:
    """Show that this process lives."""
    counted = update(executors).where(executors.c.id == owner).values(beats=executors.c.beats + 1)
    if connection.execute(counted).rowcount == 0:
        connection.execute(insert(executors).values(id=owner, name=name, beats=1))


def pulses(connection: Connection) -> dict[ExecutorId, int | None]:
    """How often each process has beaten; None for an owner of running jobs that has no row."""
    beats: dict[ExecutorId, int | None] = dict.fromkeys(
        connection.execute(
            select(jobs.c.owner).where(jobs.c.state == JobState.RUNNING.value, jobs.c.owner.is_not(None)).distinct()
        ).scalars()
    )
    beats.update((row.id, row.beats) for row in connection.execute(select(executors.c.id, executors.c.beats)))
    return beats


def leave(connection: Connection, owner: ExecutorId) -> None:
    """When this process ends: its row goes, and with it the wait for its lease."""
    connection.execute(delete(executors).where(executors.c.id == owner))
