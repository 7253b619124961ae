"""Taking orders, inside one transaction: a delivery and its job are stored together, known ones are found, the newest wins.

Everything here is statements on a connection that the caller has opened; nothing is told to anybody before the commit, so
each function returns what is to be told. It refuses to know threads and processes.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from bot.engine import tables
from bot.engine.codec import StoredDataError, dump_ended, dump_work, load_work
from bot.engine.model import (
    Acceptance,
    AlreadyKnown,
    Delivery,
    Ended,
    ExecutorId,
    Job,
    JobId,
    JobState,
    StopCause,
    Taken,
    is_talk,
)
from bot.hooks.events import DeliveryId, InstallationId
from bot.hooks.orders import AnswerComment, Cause, ReviewHead, ReviewPull, Work
from bot.review.model import RepoName

RETRY_AFTER: Final = 30
"""Seconds that a full queue asks for."""

AnyRow = Row[*tuple[Any, ...]]

_NEWER: Final = "A newer order for this pull came"

jobs = tables.jobs
deliveries = tables.deliveries


def _under_way() -> ColumnElement[bool]:
    return or_(jobs.c.state == JobState.QUEUED.value, jobs.c.state == JobState.RUNNING.value)


def _stopping(which: ColumnElement[bool]) -> ReturningUpdate[tuple[str, str, str | None]]:
    """End what waits and never began; ask the rest to stop. One statement, so that no claim can come between.

    A job that was begun and waits again (its process died, or parked it) has a check run open: it is run once more, told
    to stop from the start, so that the check run is closed.
    """
    fresh = and_(jobs.c.state == JobState.QUEUED.value, jobs.c.attempt == 0)
    return (
        update(jobs)
        .where(which, _under_way(), jobs.c.stop.is_(None), jobs.c.released == 0)
        .values(
            state=case((fresh, JobState.SUPERSEDED.value), else_=jobs.c.state),
            ended_at=case((fresh, bindparam("now", type_=Float)), else_=jobs.c.ended_at),
            ended=case((fresh, bindparam("end", type_=Text)), else_=jobs.c.ended),
            stop=bindparam("cause", type_=Text),
        )
        .returning(jobs.c.id, jobs.c.state, jobs.c.owner)
    )


def _same(counts: ColumnElement[bool]) -> Select[tuple[str, str, str]]:
    asked = select(jobs.c.id, jobs.c.state, jobs.c.work).where(jobs.c.sameness == bindparam("same", type_=Text), counts)
    return asked.order_by(jobs.c.created_at.desc()).limit(1)


# Statements of the way of a delivery are built once: building one costs more than SQLite takes to do it.
_TURN: Final = func.pg_advisory_xact_lock(func.hashtextextended(bindparam("in_lane", type_=Text), 41))
_IN_TURN: Final = select(_TURN)
_DELIVERY: Final = (
    select(deliveries.c.id, deliveries.c.job, jobs.c.state, jobs.c.lane, jobs.c.created_at)
    .select_from(deliveries.outerjoin(jobs, jobs.c.id == deliveries.c.job))
    .where(deliveries.c.id == bindparam("delivery_id", type_=Text))
)
_found = _DELIVERY.subquery()
_turn = select(_TURN.label("turn")).subquery()
_DELIVERY_IN_TURN: Final = select(_turn.c.turn, *_found.c).select_from(_turn.outerjoin(_found, true()))
_NEWER_IN_LANE: Final = (
    select(jobs.c.id, jobs.c.state)
    .where(
        jobs.c.lane == bindparam("in_lane", type_=Text),
        jobs.c.created_at > bindparam("since", type_=Float),
        jobs.c.state != JobState.FAILED.value,
    )
    .order_by(jobs.c.created_at.desc())
    .limit(1)
)
_SAME_UNDER_WAY: Final = _same(and_(_under_way(), jobs.c.stop.is_(None)))
_since = jobs.alias()
# Of a pull that went back to an older head, or to its old base, the last review was another one.
_OUTDATED: Final = (
    select(literal(1))
    .where(
        _since.c.lane == jobs.c.lane,
        _since.c.created_at > jobs.c.created_at,
        _since.c.sameness != jobs.c.sameness,
        _since.c.id != bindparam("but", type_=Text),
        _since.c.stop.is_(None),
        _since.c.state.in_([JobState.QUEUED.value, JobState.RUNNING.value, JobState.DONE.value]),
    )
    .exists()
)
_SAME: Final = _same(
    or_(and_(_under_way(), jobs.c.stop.is_(None)), and_(jobs.c.state == JobState.DONE.value, ~_OUTDATED))
)
# A comment is answered once for ever: also one that was not to be answered stays so.
_SAME_UNLESS_FAILED: Final = _same(jobs.c.state != JobState.FAILED.value)
_WAITING: Final = select(func.count()).select_from(
    select(literal(1)).where(jobs.c.state == JobState.QUEUED.value).limit(bindparam("most", type_=Integer)).subquery()
)
_LATELY: Final = select(func.count()).where(
    jobs.c.lane == bindparam("in_lane", type_=Text),
    jobs.c.created_at > bindparam("since", type_=Float),
    jobs.c.created_at <= bindparam("until", type_=Float),
)
_STOP_LANE: Final = _stopping(jobs.c.lane == bindparam("in_lane", type_=Text))
_NEW_JOB: Final = insert(jobs)
_NEW_DELIVERY: Final = insert(deliveries)


class FullError(Exception):
    """The queue is full: raised inside the transaction, so that it is taken back. Never leaves the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a transaction did to jobs that were there before."""

    ended: tuple[JobId, ...] = ()
    """They waited, had never begun, and are over now."""
    stopped: tuple[tuple[JobId, ExecutorId | None], ...] = ()
    """They run, or were begun once: they are to stop. With whose they are."""


def lane_of(work: Work) -> str:
    """What runs one after another: the reviews of a pull, the answers to its comments, or what is about a head."""
    repo = work.place.repo
    if isinstance(work, AnswerComment):
        return f"{repo}#{work.number} talk"
    return f"{repo}#{work.number}" if isinstance(work, ReviewPull) else f"{repo}@{work.head_sha}"


def sameness_of(work: Work) -> str:
    """A hash of what the work would do: equal ones would do the same."""
    facts: list[str | int]
    if isinstance(work, AnswerComment):
        # By the number of the repository, whose name may change.
        facts = [type(work).__name__, work.place.repo_id, work.comment.key]
    else:
        facts = [type(work).__name__, lane_of(work), work.head_sha]
    if isinstance(work, ReviewPull):
        facts.append(work.base_ref)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]


def accept(connection: Connection, delivery: Delivery, work: Work, *, queue: int) -> tuple[Acceptance, Told]:
    """Store the delivery and its job, unless it is known. Raises FullError when `queue` jobs wait already."""
    earlier = _delivery(connection, delivery.id, lane=lane_of(work))
    newest_wins = not is_talk(work)
    if earlier is not None and (known := _known_delivery(connection, earlier, newest_wins=newest_wins)) is not None:
        return known, Told()
    if (known := _known_work(connection, work)) is not None:
        _remember(connection, delivery, known.job, known.why, again=earlier is not None)
        return known, Told()
    job, told = _add(connection, delivery.id, work, created_at=delivery.received_at, queue=queue)
    _remember(connection, delivery, job, "taken", again=earlier is not None)
    return Taken(job=job), told


def submit(connection: Connection, parent: Job, work: Work, *, now: float) -> tuple[JobId | None, Told]:
    """A further job of `parent`; None when it made that one already, or the same is under way. The queue's bound is not
    asked: what was taken is done.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_IN_TURN, {"in_lane": lane_of(work)})
    made = select(jobs.c.id).where(jobs.c.sameness == sameness_of(work), jobs.c.delivery == parent.delivery)
    if connection.execute(made).first() is not None or _known_work(connection, work, but=parent.id) is not None:
        return None, Told()
    return _add(connection, parent.delivery, work, created_at=now, queue=None)


def lately(connection: Connection, job: Job, seconds: float) -> int:
    """How many jobs came in the lane of `job` in the seconds before it, itself among them; whatever became of them."""
    given = {"in_lane": lane_of(job.work), "since": job.created_at - seconds, "until": job.created_at}
    return connection.execute(_LATELY, given).scalar_one()


def note(connection: Connection, delivery: Delivery, answer: str) -> AlreadyKnown | None:
    """Remember a delivery that needs no job; what is known of it already, if it came before."""
    earlier = _delivery(connection, delivery.id)
    if earlier is None:
        _remember(connection, delivery, None, answer, again=False)
        return None
    state = None if earlier.state is None else JobState(earlier.state)
    return AlreadyKnown(job=earlier.job, state=state, why="This delivery is known")


def stop_pull(connection: Connection, repo: RepoName, number: int, why: str, *, now: float) -> Told:
    """The reviews that wait or run for a pull end. Its comments are answered all the same."""
    which = and_(jobs.c.repo == repo, jobs.c.number == number, jobs.c.talk == 0)
    return _stop(connection, _stopping(which), StopCause.WITHDRAWN, why, now)


def stop_installation(
    connection: Connection, installation: InstallationId, repos: Sequence[RepoName], why: str, *, now: float
) -> Told:
    """What waits or runs for an installation, or for some repositories of it, ends."""
    which = jobs.c.installation == installation
    stopping = _stopping(and_(which, jobs.c.repo.in_(repos)) if repos else which)
    return _stop(connection, stopping, StopCause.WITHDRAWN, why, now)


def _delivery(connection: Connection, delivery: DeliveryId, *, lane: str | None = None) -> AnyRow | None:
    """What is known of it. With a lane: once it is our turn to order something there; on SQLite it always is.

    What came while we waited for our turn is not seen here. A delivery that came twice at the same moment is found by the
    statements that follow, or by its key.
    """
    if lane is None or connection.dialect.name != "postgresql":
        return connection.execute(_DELIVERY, {"delivery_id": delivery}).first()
    row = connection.execute(_DELIVERY_IN_TURN, {"delivery_id": delivery, "in_lane": lane}).one()
    return None if row.id is None else row


def _known_delivery(connection: Connection, earlier: AnyRow, *, newest_wins: bool) -> AlreadyKnown | None:
    """None when the delivery's job has failed, and nothing newer took its place in the lane since."""
    if earlier.state is None:
        return AlreadyKnown(job=None, state=None, why="This delivery is known and needed no review")
    if earlier.state != JobState.FAILED.value:
        return AlreadyKnown(job=earlier.job, state=JobState(earlier.state), why="This delivery is known")
    if not newest_wins:
        return None
    row = connection.execute(_NEWER_IN_LANE, {"in_lane": earlier.lane, "since": earlier.created_at}).first()
    return None if row is None else AlreadyKnown(job=row.id, state=JobState(row.state), why=_NEWER)


def _known_work(connection: Connection, work: Work, *, but: str = "") -> AlreadyKnown | None:
    """A job that does the same, or has done it. One that was skipped, stopped or has failed does not count, and none that
    another one of its lane came after; `but` is a job that does not count as such.
    """
    again = isinstance(work, ReviewHead) or (isinstance(work, ReviewPull) and work.force)
    which = _SAME_UNLESS_FAILED if is_talk(work) else _SAME_UNDER_WAY if again else _SAME
    asked = {"same": sameness_of(work)}
    row = connection.execute(which, {**asked, "but": but} if which is _SAME else asked).first()
    if row is None or (isinstance(work, ReviewPull) and work.force and not _does_as_much(row.work, work)):
        return None
    state = JobState(row.state)
    if is_talk(work):
        why = "This comment was taken before" if state.is_over else "This comment is being answered"
    else:
        why = "This head was reviewed" if state.is_over else "This head is under way"
    return AlreadyKnown(job=row.id, state=state, why=why)


def _does_as_much(stored: str, asked: ReviewPull) -> bool:
    """Whether a review that is under way gives what somebody asks for: that of a push leaves out what was reviewed in an
    earlier round, that of a pull that was just opened has none to leave out.
    """
    try:
        other = load_work(stored)
    except StoredDataError:
        return False
    if not isinstance(other, ReviewPull) or other.effort != asked.effort:
        return False
    is_full = other.force and other.cause is not Cause.JUDGED
    if asked.cause is Cause.JUDGED:
        # What is under way may have read what it goes by before the dismissal; but for a full review a person waits.
        return is_full
    return is_full or other.cause is Cause.OPENED


def _add(
    connection: Connection, delivery: DeliveryId, work: Work, *, created_at: float, queue: int | None
) -> tuple[JobId, Told]:
    lane = lane_of(work)
    told = Told()
    if isinstance(work, ReviewPull):
        told = _stop(connection, _STOP_LANE, StopCause.SUPERSEDED, _NEWER, created_at, in_lane=lane)
    # After that: a newer head takes the place of the one that waited.
    if queue is not None and _is_full(connection, queue):
        raise FullError
    job = JobId(secrets.token_hex(8))
    connection.execute(
        _NEW_JOB,
        {
            "id": job,
            "delivery": delivery,
            "repo": work.place.repo,
            "number": getattr(work, "number", None),
            "installation": work.place.installation,
            "lane": lane,
            "sameness": sameness_of(work),
            "work": dump_work(work),
            "state": JobState.QUEUED.value,
            "attempt": 0,
            "talk": int(is_talk(work)),
            "created_at": created_at,
        },
    )
    return job, told


def _is_full(connection: Connection, queue: int) -> bool:
    count: int = connection.execute(_WAITING, {"most": queue}).scalar_one()
    return count >= queue


def _stop(
    connection: Connection,
    stopping: ReturningUpdate[tuple[str, str, str | None]],
    cause: StopCause,
    why: str,
    now: float,
    **which: str,
) -> Told:
    ended = dump_ended(Ended(state=JobState.SUPERSEDED, why=why))
    rows = connection.execute(stopping, {"now": now, "end": ended, "cause": cause.value, **which}).all()
    return Told(
        ended=tuple(JobId(row.id) for row in rows if row.state == JobState.SUPERSEDED.value),
        stopped=tuple((JobId(row.id), row.owner) for row in rows if row.state != JobState.SUPERSEDED.value),
    )


def _remember(connection: Connection, delivery: Delivery, job: JobId | None, answer: str, *, again: bool) -> None:
    values: dict[str, Any] = {"received_at": delivery.received_at, "job": job, "answer": answer}
    if again:
        connection.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(**values))
    else:
        connection.execute(_NEW_DELIVERY, {"id": delivery.id, "event": delivery.event, **values})
