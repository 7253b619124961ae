"""Whose job it is: claimed in a fair order and within the limits, fenced, given back, taken over. Statements alone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from bot.engine import claims, intake, tables
from bot.engine.claims import MOST_LOST, Run
from bot.engine.database import Database
from bot.engine.model import AlreadyKnown, Checkpoint, Delivery, Ended, ExecutorId, JobId, JobState, Taken
from bot.engine.schema import tables_made
from bot.hooks.orders import Work

ME = ExecutorId("me")
OTHER = ExecutorId("other")
CHECKPOINT = Checkpoint(draft={"body": "x"}, review={})


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with tables_made(database):
        pass
    yield database
    database.close()


@pytest.fixture
def take(database: Database, delivery: Callable[..., Delivery]) -> Callable[..., JobId]:
    def take(work: Work, *, at: float | None = None) -> JobId:
        with database.write() as connection:
            answer, _ = intake.accept(connection, delivery(at=at), work, queue=10_000)
        assert isinstance(answer, Taken)
        return answer.job

    return take


def claim(
    database: Database,
    who: ExecutorId = ME,
    *,
    per_installation: int = 100,
    talk_per_installation: int = 100,
    **more: bool,
) -> Run | None:
    while True:
        try:
            with database.write() as connection:
                row, again = claims.claim(
                    connection,
                    who,
                    per_installation=per_installation,
                    talk_per_installation=talk_per_installation,
                    now=1.0,
                    **more,
                )
        except IntegrityError:
            continue
        if row is not None:
            return Run(job=JobId(row.id), owner=who, attempt=row.attempt)
        if not again:
            return None


def test_the_oldest_that_can_run_is_claimed_first(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    second = take(order(1), at=20.0)
    first = take(order(2), at=10.0)
    runs = [claim(database), claim(database)]
    assert [run.job for run in runs if run] == [first, second]
    assert claim(database) is None


def test_a_full_installation_is_passed_over(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    for number in range(5):
        take(order(number, installation=1), at=float(number))
    quiet = take(order(9, installation=2), at=100.0)
    runs = [claim(database, per_installation=2) for _ in range(3)]
    assert runs[2] is not None
    assert runs[2].job == quiet
    assert claim(database, per_installation=2) is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_limit_of_an_installation_holds_over_all_processes(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    for number in range(20):
        take(order(number))

    def try_it(who: int) -> int:
        return sum(claim(database, ExecutorId(f"p{who}"), per_installation=3) is not None for _ in range(4))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(8))) == 3


def test_comments_go_before_reviews_one_after_another_on_a_pull_and_have_bounds_of_their_own(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work], comment: Callable[..., Work]
) -> None:
    reviews = [take(order(number, "a"), at=float(number)) for number in range(1, 4)]
    talk = [
        take(comment(10 * number + each, number), at=10.0 * number + each) for number in (1, 2, 3) for each in (0, 1)
    ]
    bounds = {"per_installation": 2, "talk_per_installation": 2}
    runs = [claim(database, **bounds) for _ in range(5)]
    # Of pulls 1 and 2 the first comment each, then the oldest reviews.
    assert [run.job for run in runs if run] == [talk[0], talk[2], *reviews[:2]]
    with database.write() as connection:
        assert runs[0] is not None
        assert claims.end(connection, runs[0], Ended(state=JobState.DONE), now=2.0)
    following = claim(database, **bounds)
    assert following is not None
    assert following.job == talk[1]


def test_a_command_whose_process_was_killed_runs_again(
    database: Database, take: Callable[..., JobId], comment: Callable[..., Work]
) -> None:
    job = take(comment())
    assert claim(database) == Run(job=job, owner=ME, attempt=1)
    with database.write() as connection:
        claims.take_over(connection, ME, now=1.0)
    assert claim(database, OTHER) == Run(job=job, owner=OTHER, attempt=2)


@pytest.mark.parametrize(("reviews", "talk"), [(True, False), (False, True), (False, False)])
def test_only_what_there_is_a_slot_for_is_claimed(
    database: Database,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    comment: Callable[..., Work],
    *,
    reviews: bool,
    talk: bool,
) -> None:
    jobs = {True: take(comment(), at=1.0), False: take(order(), at=2.0)}
    run = claim(database, reviews=reviews, talk=talk)
    assert (run.job if run else None) == (jobs[talk] if reviews or talk else None)
    with database.read() as connection:
        assert claims.talk_waits(connection) is not talk


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_bound_of_answers_holds_over_all_processes(
    database: Database, take: Callable[..., JobId], comment: Callable[..., Work]
) -> None:
    for number in range(1, 13):
        take(comment(number, number))

    def try_it(who: int) -> int:
        return sum(claim(database, ExecutorId(f"p{who}"), talk_per_installation=3) is not None for _ in range(3))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(try_it, range(6))) == 3


def test_one_job_of_a_lane_runs_until_it_lets_the_lane_go(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    take(order(1, "a"))
    run = claim(database)
    assert run is not None
    newer = take(order(1, "b"))
    assert claim(database) is None
    with database.write() as connection:
        assert claims.release(connection, run)
    second = claim(database)
    assert second is not None
    assert second.job == newer
    with database.write() as connection:
        assert claims.end(connection, run, Ended(state=JobState.SUPERSEDED), now=2.0)


def test_the_database_itself_refuses_two_runs_of_one_lane(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    take(order(1, "a"))
    claim(database)
    newer = take(order(1, "b"))
    running = tables.jobs.update().where(tables.jobs.c.id == newer).values(state="running")
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(running)


def test_who_lost_a_job_can_write_nothing_in_its_name(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    take(order())
    old = claim(database)
    assert old is not None
    with database.write() as connection:
        assert claims.keep(connection, old, CHECKPOINT)
        claims.take_over(connection, ME, now=1.0)
    # The same process gets it again: still not the same run.
    new = claim(database, ME)
    assert new == Run(job=old.job, owner=ME, attempt=2)
    with database.write() as connection:
        assert not claims.keep(connection, old, Checkpoint(draft={}, review={}))
        assert not claims.release(connection, old)
        assert not claims.end(connection, old, Ended(state=JobState.DONE), now=1.0)
        assert not claims.end(connection, old, Ended(state=JobState.QUEUED), now=1.0)
        assert claims.kept(connection, old.job) == CHECKPOINT
        assert claims.end(connection, new, Ended(state=JobState.DONE), now=1.0)


def test_the_jobs_of_a_dead_process_are_taken_over_once(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    jobs = {take(order(number)) for number in range(3)}
    alive = claim(database, OTHER)
    dead = [claim(database), claim(database)]
    assert alive is not None

    def try_it(_: int) -> int:
        with database.write() as connection:
            return len(claims.take_over(connection, ME, now=1.0).waiting)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(try_it, range(4))) == 2
    again = [claim(database, OTHER), claim(database, OTHER)]
    assert {run.job for run in again if run} == {run.job for run in dead if run} == jobs - {alive.job}
    assert claim(database, OTHER) is None


def test_a_job_under_which_processes_keep_dying_fails(
    database: Database, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    job = take(order())
    for death in range(1, MOST_LOST + 1):
        run = claim(database)
        assert run is not None
        assert run.attempt == death
        with database.write() as connection:
            taken = claims.take_over(connection, ME, now=1.0)
    assert [(each.job, each.attempt) for each in taken.failed] == [(job, MOST_LOST)]
    assert taken.failed[0].delivery
    assert claim(database) is None


def test_a_parked_job_was_not_lost(database: Database, take: Callable[..., JobId], order: Callable[..., Work]) -> None:
    job = take(order())
    for _ in range(MOST_LOST + 3):
        run = claim(database)
        assert run is not None
        with database.write() as connection:
            assert claims.end(connection, run, Ended(state=JobState.QUEUED), now=1.0)
    with database.read() as connection:
        row = connection.execute(select(tables.jobs).where(tables.jobs.c.id == job)).one()
    assert (row.state, row.lost, row.owner, row.attempt) == ("queued", 0, None, MOST_LOST + 3)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_in_whatever_order_the_rules_hold(
    database: Database, delivery: Callable[..., Delivery], order: Callable[..., Work], seed: int
) -> None:
    """A random walk of two processes: one run a lane, limits kept, every job that was taken ends once or is there."""
    chance = random.Random(seed)
    taken: set[JobId] = set()
    ended: Counter[JobId] = Counter()
    running: list[Run] = []
    for _ in range(120):
        step = chance.random()
        with database.write() as connection:
            if step < 0.4:
                work = order(chance.randint(1, 3), chance.choice("abc"), installation=chance.randint(1, 2))
                answer, told = intake.accept(connection, delivery(), work, queue=10_000)
                assert isinstance(answer, Taken | AlreadyKnown)
                taken |= {answer.job} if isinstance(answer, Taken) else set()
                ended.update(told.ended)
            elif step < 0.7:
                who = chance.choice([ME, OTHER])
                row, _ = claims.claim(connection, who, per_installation=2, now=1.0)
                running += [Run(job=row.id, owner=who, attempt=row.attempt)] if row is not None else []
            elif step < 0.78 and running:
                claims.release(connection, chance.choice(running))
            elif step < 0.95 and running:
                run = running.pop(chance.randrange(len(running)))
                state = chance.choice([JobState.DONE, JobState.FAILED, JobState.QUEUED])
                if claims.end(connection, run, Ended(state=state), now=1.0) and state.is_over:
                    ended[run.job] += 1
            elif step >= 0.95:
                ended.update(
                    each.job for each in claims.take_over(connection, chance.choice([ME, OTHER]), now=1.0).failed
                )
        with database.read() as connection:
            rows = connection.execute(select(tables.jobs)).all()
        held = [row for row in rows if row.state == "running" and not row.released]
        assert max(Counter(row.lane for row in held).values(), default=0) <= 1
        assert max(Counter(row.installation for row in held).values(), default=0) <= 2
        fresh = [row.lane for row in rows if row.state == "queued" and row.attempt == 0 and row.stop is None]
        assert len(fresh) == len(set(fresh)), "of one pull only the newest order waits"
        assert {row.id for row in rows} == taken
        assert {row.id for row in rows if JobState(row.state).is_over} == set(ended)
    assert set(ended.values()) <= {1}
