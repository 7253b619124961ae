"""What was done and what waits: jobs newest first, how the queue stands, figures of the last days; and what is forgotten.

Reads only, but for `prune`. A row that this version cannot read is left out and logged: it must not take the list away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, delete, func, select

from bot import log
from bot.engine.codec import StoredDataError, load_ended, load_work
from bot.engine.database import Database
from bot.engine.model import Ended, Job, JobId, JobState
from bot.engine.tables import deliveries, events, jobs, spending
from bot.hooks.events import DeliveryId
from bot.review.model import RepoName

LONGEST_LIST: Final = 500
"""Jobs that one call lists at most."""
_SAMPLE: Final = 300
"""Newest reviews of which medians are made."""
_JOBS_A_LOOK: Final = 500
_ROWS_A_SLICE: Final = 2_000
"""Rows that one transaction of `prune` takes away: others who write wait no longer than that."""

JOB_COLUMNS: Final = tuple(column for column in jobs.c if column.name != "checkpoint")
"""What `job_of` reads. The checkpoint is a whole review and stays where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the queue stands, in all processes. `oldest`: seconds that the oldest waiting job has waited."""

    waiting: int
    oldest: float
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of the last `days` days; answers to comments count in the money alone. Medians are seconds from the delivery, over the
    newest reviews; None where there is none.
    """

    days: int
    counts: Mapping[JobState, int]
    usd: float
    """Booked spending of these days (UTC)."""
    first_finding: float | None
    done: float | None


def job_of(row: Row[Any]) -> Job:
    """A row of `JOB_COLUMNS` as a value. Raises StoredDataError."""
    ended = load_ended(row.ended) if row.ended else None
    return Job(
        id=JobId(row.id),
        delivery=DeliveryId(row.delivery),
        work=load_work(row.work),
        state=JobState(row.state),
        attempt=row.attempt,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        why=ended.why if ended else "",
        verdict=ended.verdict if ended else "",
        error=ended.error if ended else "",
        findings=ended.findings if ended else 0,
        usd=ended.usd if ended else None,
        url=ended.url if ended else "",
        outcome=ended.outcome if ended else "",
    )


class History:
    """Of one database. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def job(self, job_id: str) -> Job | None:
        """The job with this id. Raises StoredDataError."""
        row = self._row(select(*JOB_COLUMNS).where(jobs.c.id == job_id))
        return None if row is None else job_of(row)

    def ended(self, job_id: str) -> Ended | None:
        """How its last run ended, with timing and usage; None before that. Raises StoredDataError."""
        row = self._row(select(jobs.c.ended).where(jobs.c.id == job_id))
        return None if row is None or row.ended is None else load_ended(row.ended)

    def jobs(
        self,
        *,
        state: JobState | None = None,
        repo: RepoName | str | None = None,
        before: float | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """Newest first, at most `limit`. `before`: only those created earlier, which is how one turns the page."""
        if repo is not None and "\0" in repo:
            # No repository has such a name, and PostgreSQL takes no text with it.
            return []
        asked = select(*JOB_COLUMNS).order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        if state is not None:
            asked = asked.where(jobs.c.state == state.value)
        if repo is not None:
            asked = asked.where(jobs.c.repo == repo)
        if before is not None:
            asked = asked.where(jobs.c.created_at < before)
        with self._database.read() as connection:
            rows = connection.execute(asked.limit(max(1, min(limit, LONGEST_LIST)))).all()
        return list(_readable(rows))

    def standing(self, *, now: float | None = None) -> Standing:
        """How the queue stands now."""
        asked = (
            select(jobs.c.state, func.count(), func.min(jobs.c.created_at))
            .where(jobs.c.state.in_([JobState.QUEUED.value, JobState.RUNNING.value]))
            .group_by(jobs.c.state)
        )
        with self._database.read() as connection:
            found = {state: (number, oldest) for state, number, oldest in connection.execute(asked)}
        waiting, since = found.get(JobState.QUEUED.value, (0, None))
        running, _ = found.get(JobState.RUNNING.value, (0, None))
        now = time.time() if now is None else now
        return Standing(waiting=waiting, oldest=0.0 if since is None else max(0.0, now - since), running=running)

    def figures(self, days: int = 7, *, now: float | None = None) -> Figures:
        """For the head of a list. Three short reads, none of them of the whole history."""
        since = (time.time() if now is None else now) - days * 86_400
        reviews = and_(jobs.c.created_at >= since, jobs.c.talk == 0)
        counted = select(jobs.c.state, func.count()).where(reviews).group_by(jobs.c.state)
        spent = select(func.coalesce(func.sum(spending.c.usd), 0.0)).where(
            spending.c.day >= day_of(since), spending.c.id.contains("/", autoescape=True)
        )
        done = (
            select(jobs.c.ended)
            .where(jobs.c.state == JobState.DONE.value, reviews)
            .order_by(jobs.c.created_at.desc())
            .limit(_SAMPLE)
        )
        with self._database.read() as connection:
            counts = {JobState(state): number for state, number in connection.execute(counted)}
            usd = connection.execute(spent).scalar_one()
            ends = connection.execute(done).scalars().all()
        times = list(_timings(ends))
        return Figures(
            days=days,
            counts=counts,
            usd=float(usd),
            first_finding=_median(times, "first_finding"),
            done=_median(times, "done"),
        )

    def prune(self, before: float) -> int:
        """Forget jobs that ended before then, with their events, and deliveries and spending of that age.

        A delivery stays while its job does. Gives the number of jobs. Done in slices, each its own short transaction.
        """
        number = 0
        while sizes := self._prunable(before):
            for ids in _slices(sizes):
                self._database.batch(partial(_take_away, ids=ids)).result()
            number += len(sizes)
        while self._database.batch(partial(_forget_deliveries, before=before)).result():
            pass
        self._database.batch(
            lambda connection: connection.execute(delete(spending).where(spending.c.day < day_of(before)))
        ).result()
        return number

    def _prunable(self, before: float) -> list[tuple[str, int]]:
        """Jobs to be forgotten, each with the number of its events."""
        asked = (
            select(jobs.c.id, func.count(events.c.seq))
            .join_from(jobs, events, events.c.job == jobs.c.id, isouter=True)
            .where(jobs.c.ended_at < before, jobs.c.state.not_in([JobState.QUEUED.value, JobState.RUNNING.value]))
            .group_by(jobs.c.id)
            .limit(_JOBS_A_LOOK)
        )
        with self._database.read() as connection:
            return [(job, number) for job, number in connection.execute(asked)]

    def _row(self, asked: Select[Any]) -> Row[Any] | None:
        with self._database.read() as connection:
            return connection.execute(asked).first()


def day_of(moment: float) -> str:
    """The day in UTC, `2026-11-22`."""
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _readable(rows: Sequence[Row[Any]]) -> Iterator[Job]:
    for row in rows:
        try:
            yield job_of(row)
        except StoredDataError as error:
            log.error("history.unreadable", job=row.id, why=str(error))


def _timings(ends: Sequence[str | None]) -> Iterator[Mapping[str, float]]:
    for text in ends:
        try:
            yield load_ended(text or "").timing
        except StoredDataError:
            # `jobs` logs it; here it is one of many.
            continue


def _median(times: list[Mapping[str, float]], name: str) -> float | None:
    values = [timing[name] for timing in times if name in timing]
    return median(values) if values else None


def _slices(sizes: list[tuple[str, int]]) -> Iterator[list[str]]:
    """Jobs in groups that have not too many rows together; a job with more of them is alone."""
    ids: list[str] = []
    rows = 0
    for job, number in sizes:
        if ids and rows + number + 1 > _ROWS_A_SLICE:
            yield ids
            ids, rows = [], 0
        ids.append(job)
        rows += number + 1
    if ids:
        yield ids


def _take_away(connection: Connection, *, ids: list[str]) -> None:
    connection.execute(delete(events).where(events.c.job.in_(ids)))
    connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))


def _forget_deliveries(connection: Connection, *, before: float) -> int:
    there = select(jobs.c.id).where(jobs.c.id == deliveries.c.job).exists()
    old = select(deliveries.c.id).where(and_(deliveries.c.received_at < before, ~there)).limit(_ROWS_A_SLICE)
    return connection.execute(delete(deliveries).where(deliveries.c.id.in_(old))).rowcount
