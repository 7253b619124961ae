"""The engine as a whole, on both databases, with a scripted runner."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from dbos import DBOS
from sqlalchemy import func, select, update

from bot.engine import tables
from bot.engine.database import DatabaseAwayError
from bot.engine.engine import Engine, EngineOptions
from bot.engine.flow import StrictJson
from bot.engine.model import AlreadyKnown, Checkpoint, Delivery, Ended, JobId, JobState, QueueFull, StopCause, Taken
from bot.engine.ports import Control
from bot.errors import ConfigError, SparkError
from bot.hooks.events import InstallationId
from bot.hooks.orders import Work
from bot.live.events import LiveEvent, LiveKind
from bot.review.model import RepoName

REPO = RepoName("acme/rocket")
POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def take(delivery: Callable[..., Delivery]) -> Callable[..., JobId]:
    def take(engine: Engine, work: Work) -> JobId:
        answer = engine.accept(delivery(), work)
        assert isinstance(answer, Taken)
        return answer.job

    return take


@pytest.fixture
def reaches(until: Callable[..., Any]) -> Callable[..., None]:
    def reaches(engine: Engine, job: JobId, state: JobState) -> None:
        def is_there() -> bool:
            found = engine.history.job(job)
            return found is not None and found.state is state

        until(is_there)

    return reaches


def test_a_job_runs_and_ends(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
    until: Callable[..., Any],
) -> None:
    engine = start_engine()
    assert engine.ready
    scripted.act = lambda control: Ended(state=JobState.DONE, verdict="fail", findings=3, why="2 high findings")
    job = take(engine, order())
    reaches(engine, job, JobState.DONE)
    found = engine.history.job(job)
    assert found is not None
    assert (found.verdict, found.findings, found.attempt) == ("fail", 3, 1)
    told = [event.event.data for event in engine.events.watch(job) if event is not None]
    assert [data["state"] for data in told] == ["running", "done"]
    until(lambda: scripted.ended)
    assert [ended.state for _, ended in scripted.ended] == [JobState.DONE]


def test_a_job_begins_milliseconds_after_it_was_taken(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine()
    waits = []
    for number in range(40):
        job = take(engine, order(number))
        taken = time.perf_counter()
        scripted.next()
        waits.append(scripted.at[job] - taken)
        reaches(engine, job, JobState.DONE)
    # Two to four milliseconds on a quiet machine. On a busy one many wait for a processor; of an engine that looks twice a
    # second a quarter would need an eighth of a second.
    assert sorted(waits)[len(waits) // 4] < 0.05, sorted(waits)


def test_a_newer_head_is_felt_by_the_running_review_at_once(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine()
    told = threading.Event()
    close_check = threading.Event()

    def act(control: Control) -> Ended:
        if control.job.work.head_sha.startswith("b"):
            return Ended(state=JobState.DONE)
        control.on_stop(told.set)
        assert told.wait(10)
        control.release()
        assert close_check.wait(10)
        return Ended(state=JobState.SUPERSEDED, why=str(control.cause))

    scripted.act = act
    old = take(engine, order(1, "a"))
    scripted.next()
    before = time.perf_counter()
    new = take(engine, order(1, "b"))
    assert told.wait(0.5)
    assert scripted.next().job.id == new
    assert scripted.at[new] - before < 0.5
    reaches(engine, new, JobState.DONE)
    assert engine.history.job(old).state is JobState.RUNNING  # type: ignore[union-attr]
    close_check.set()
    reaches(engine, old, JobState.SUPERSEDED)


def test_the_next_head_waits_until_the_old_run_lets_go(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine()
    running: list[str] = []
    most = 0
    end = threading.Event()

    def act(control: Control) -> Ended:
        nonlocal most
        running.append(control.job.id)
        most = max(most, len(running))
        if len(scripted.at) == 1:
            assert end.wait(10)
        running.remove(control.job.id)
        return Ended(state=JobState.SUPERSEDED if control.cause else JobState.DONE)

    scripted.act = act
    take(engine, order(1, "a"))
    scripted.next()
    waiting = take(engine, order(1, "b"))
    newest = take(engine, order(1, "c"))
    assert [event.event.data["state"] for event in engine.events.watch(waiting) if event] == ["superseded"]
    end.set()
    reaches(engine, newest, JobState.DONE)
    assert most == 1


def test_slots_are_kept_and_a_busy_installation_does_not_starve_another(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine(reviews=3, per_installation=2)
    let_go = scripted.hold()
    jobs = [take(engine, order(number, installation=1)) for number in range(5)]
    quiet = take(engine, order(8, installation=2))
    more = take(engine, order(9, installation=2))
    assert {scripted.next().job.id for _ in range(3)} == {jobs[0], jobs[1], quiet}
    assert scripted.began.empty()
    let_go.set()
    for job in (*jobs, more):
        reaches(engine, job, JobState.DONE)


def test_a_full_house_of_reviews_keeps_no_command_waiting_and_commands_have_bounds_too(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    comment: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine(reviews=2, per_installation=2, answers=3, answers_per_installation=2)
    let_go = scripted.hold()
    jobs = [take(engine, order(number)) for number in range(4)]
    assert {scripted.next().job.id for _ in range(2)} == {*jobs[:2]}
    before = time.perf_counter()
    commands = [take(engine, comment(number, number)) for number in (1, 2, 3)]
    assert {scripted.next().job.id for _ in range(2)} == {*commands[:2]}
    assert max(scripted.at.values()) - before < 5.0
    elsewhere = [take(engine, comment(number, number, installation=2)) for number in (4, 5)]
    assert scripted.next().job.id == elsewhere[0]
    assert scripted.began.empty(), "two of the first installation, three in all, beside two reviews"
    let_go.set()
    for job in (*jobs, *commands, *elsewhere):
        reaches(engine, job, JobState.DONE)


def test_a_command_stops_the_reviews_of_its_pull_and_nothing_else(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    comment: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine()
    let_go = scripted.hold()
    review, other = take(engine, order(1)), take(engine, order(2))
    for _ in range(2):
        scripted.next()
    until_stopped, stopped, came = scripted.act, [], []

    def act(control: Control) -> Ended:
        if control.job.is_talk and control.job.number == 1:
            stopped.extend(control.withdraw(1, "Paused by ada") for _ in range(2))
            control.submit(order(1, "b", force=True))
            came.append(control.lately(60.0))
            return Ended(state=JobState.DONE, outcome="answered", timing={"ack": 0.1})
        ended: Ended = until_stopped(control)
        return ended

    scripted.act = act
    talk = take(engine, comment(6, 2))
    scripted.next()
    command = take(engine, comment(5, 1))
    reaches(engine, review, JobState.SUPERSEDED)
    reaches(engine, command, JobState.DONE)
    assert stopped == [1, 0]
    assert came == [1], "of the comments on its own pull"
    found = engine.history.job(command)
    assert found is not None
    assert found.outcome == "answered"
    assert [engine.history.job(job).state for job in (talk, other)] == ["running", "running"]  # type: ignore[union-attr]
    let_go.set()
    for job in (other, talk, engine.history.jobs(limit=1)[0].id):
        reaches(engine, job, JobState.DONE)
    figures = engine.history.figures()
    assert figures.counts == {JobState.DONE: 2, JobState.SUPERSEDED: 1}, "commands are no reviews"


def test_a_runner_that_raises_fails_its_job_and_no_other(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine()

    def act(control: Control) -> Ended:
        if control.job.number == 1:
            raise ZeroDivisionError
        return Ended(state=JobState.RUNNING if control.job.number == 2 else JobState.DONE)

    scripted.act = act
    bad, odd, good = (take(engine, order(number)) for number in (1, 2, 3))
    reaches(engine, bad, JobState.FAILED)
    reaches(engine, odd, JobState.FAILED)
    reaches(engine, good, JobState.DONE)
    found = engine.history.job(bad)
    assert found is not None
    assert found.error == "ZeroDivisionError"


def test_a_closed_pull_and_a_removed_app_stop_what_runs(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine()
    scripted.hold()
    jobs = [take(engine, order(number)) for number in (1, 2)]
    runs = [scripted.next() for _ in jobs]
    assert engine.stop_pull(REPO, 1, "The pull was closed") == 1
    assert engine.stop_pull(REPO, 1, "The pull was closed") in {0, 1}
    assert engine.stop_installation(InstallationId(1), [], "The App was removed") >= 1
    for job in jobs:
        reaches(engine, job, JobState.SUPERSEDED)
    assert {run.cause for run in runs} == {StopCause.WITHDRAWN}


def test_a_full_queue_is_told_and_nothing_is_stored(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    delivery: Callable[..., Delivery],
) -> None:
    engine = start_engine(reviews=1, queue=2)
    let_go = scripted.hold()
    take(engine, order(0))
    scripted.next()
    for number in (1, 2):
        take(engine, order(number))
    answer = engine.accept(delivery("late"), order(3))
    assert isinstance(answer, QueueFull)
    assert answer.retry_after > 0
    assert engine.note(delivery("late"), "not stored before") is None
    let_go.set()


def test_what_a_job_keeps_is_there_for_its_next_run_and_further_jobs_are_made_once(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine()
    checkpoint = Checkpoint(draft={"body": "é"}, review={"findings": []})
    seen: list[Checkpoint | None] = []

    def act(control: Control) -> Ended:
        if control.job.number == 2:
            return Ended(state=JobState.DONE)
        seen.append(control.checkpoint())
        assert control.keep(checkpoint)
        seen.append(control.checkpoint())
        for _ in range(2):
            control.submit(order(2, force=True))
        return Ended(state=JobState.DONE)

    scripted.act = act
    reaches(engine, take(engine, order(1)), JobState.DONE)
    assert seen == [None, checkpoint]
    assert [job.number for job in engine.history.jobs()] == [2, 1]


def test_a_drained_engine_parks_what_runs_and_the_next_one_does_it(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    comment: Callable[..., Work],
    reaches: Callable[..., None],
) -> None:
    engine = start_engine()
    scripted.hold()
    job = take(engine, order(1))
    scripted.next()
    command = take(engine, comment(5))
    scripted.next()
    engine.drain(0.05)
    waiting = take(engine, order(2))
    assert not engine.ready
    for one in (job, command, waiting):
        assert engine.history.job(one).state is JobState.QUEUED  # type: ignore[union-attr]
    engine.close()
    scripted.act = lambda control: Ended(state=JobState.DONE)
    engine = start_engine()
    for one, attempt in ((job, 2), (command, 2), (waiting, 1)):
        reaches(engine, one, JobState.DONE)
        found = engine.history.job(one)
        assert found is not None
        assert found.attempt == attempt


@SQLITE
@pytest.mark.parametrize("kept", [True, False])
def test_the_page_of_a_run_that_only_posts_keeps_what_the_first_run_told(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
    until: Callable[..., Any],
    kept: bool,
) -> None:
    at_once, _ = scripted.act, scripted.hold()
    until_stopped = scripted.act

    def act(control: Control) -> Ended:
        control.tell(LiveEvent(kind=LiveKind.NOTE, data={"at": 0.0, "text": "of the first run"}))
        if kept:
            control.keep(Checkpoint(draft={}, review={}))
        ended: Ended = until_stopped(control)
        return ended

    scripted.act = act
    first = start_engine()
    job = take(first, order(1))
    scripted.next()
    first.drain(0.0)
    first.close()
    scripted.act = at_once
    second = start_engine()
    reaches(second, job, JobState.DONE)

    def states() -> list[str]:
        second.events.flush(job)
        return [numbered.event.data["state"] for numbered in second.events.read(job) if "state" in numbered.event.data]

    # The job has ended a moment before its page says so.
    until(lambda: states()[-2:] == ["running", "done"])
    told = [numbered.event.data for numbered in second.events.read(job)]
    assert [data["text"] for data in told if "text" in data] == ["of the first run"] * kept
    assert any(data.get("resumed") for data in told) is kept


def test_draining_waits_for_what_is_nearly_done(
    start_engine: Callable[..., Engine], scripted: Any, take: Callable[..., JobId], order: Callable[..., Work]
) -> None:
    engine = start_engine()
    let_go = scripted.hold()
    job = take(engine, order())
    scripted.next()
    timer = threading.Timer(0.1, let_go.set)
    timer.start()
    engine.drain(10)
    timer.join()
    assert engine.history.job(job).state is JobState.DONE  # type: ignore[union-attr]


def test_a_run_that_does_not_return_is_given_back_and_can_write_nothing_more(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    until: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.engine.engine._PARK_SECONDS", 0.05)
    engine = start_engine()
    end = threading.Event()

    def act(control: Control) -> Ended:
        assert end.wait(10)
        assert not control.keep(Checkpoint(draft={}, review={}))
        return Ended(state=JobState.DONE)

    scripted.act = act
    job = take(engine, order())
    control = scripted.next()
    engine.drain(0.0)
    assert control.cause is StopCause.LOST
    end.set()
    until(lambda: not engine._dispatcher.runs.all())
    assert engine.history.job(job).state is JobState.QUEUED  # type: ignore[union-attr]


def test_a_job_that_was_claimed_and_never_begun_is_found_and_run(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = start_engine(beat=0.1)
    start = engine._flow.run
    failed = threading.Event()

    def fail_once(run: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("DBOS says no")
        start(run)

    monkeypatch.setattr(engine._flow, "run", fail_once)
    job = take(engine, order())
    reaches(engine, job, JobState.DONE)
    found = engine.history.job(job)
    assert found is not None
    assert found.attempt == 2


def test_a_job_that_this_version_cannot_read_fails_and_the_next_one_runs(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
    until: Callable[..., Any],
) -> None:
    engine = start_engine()
    engine._dispatcher.pause()
    strange = take(engine, order(1))
    with engine.database.write() as connection:
        connection.execute(update(tables.jobs).where(tables.jobs.c.id == strange).values(work='{"kind":"tea"}'))
    fine = take(engine, order(2))
    engine._dispatcher._paused = False
    engine._dispatcher.wake()
    reaches(engine, fine, JobState.DONE)
    with engine.database.read() as connection:
        row = connection.execute(select(tables.jobs.c.state).where(tables.jobs.c.id == strange)).one()
    assert row.state == "failed"


def test_the_past_is_forgotten_with_what_dbos_kept_of_it(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
    until: Callable[..., Any],
) -> None:
    engine = start_engine(keep_days=30)
    old = take(engine, order(1))
    reaches(engine, old, JobState.DONE)
    until(lambda: [one.status for one in DBOS.list_workflows()] == ["SUCCESS"])
    engine.prune()
    assert engine.history.job(old) is not None
    engine._options = EngineOptions(database_url=engine._options.database_url, keep_days=-1)
    engine.prune()
    assert engine.history.job(old) is None
    assert DBOS.list_workflows() == []


def test_what_is_known_of_drafts_is_learned_and_kept(start_engine: Callable[..., Engine]) -> None:
    engine = start_engine()
    assert engine.reviews_drafts(REPO) is False
    engine.learn(REPO, reviews_drafts=True)
    assert engine.reviews_drafts(REPO) is True
    engine.close()
    assert start_engine().reviews_drafts(REPO) is True


def test_a_second_engine_in_one_process_is_refused_and_one_after_the_other_is_not(
    start_engine: Callable[..., Engine], scripted: Any, tmp_path: Path
) -> None:
    first = start_engine()
    second = Engine(EngineOptions(database_url=f"sqlite:///{tmp_path / 'other.db'}"), scripted, scripted)
    with pytest.raises(SparkError, match="An engine runs in this process already"):
        second.start()
    assert first.ready
    first.close()
    first.close()
    assert start_engine().ready


@SQLITE
def test_a_sqlite_file_is_used_by_one_process(
    start_engine: Callable[..., Engine], scripted: Any, database_url: str, tmp_path: Path
) -> None:
    start_engine()
    second = Engine(EngineOptions(database_url=database_url), scripted, scripted)
    with pytest.raises(ConfigError, match="set SPARK_DATABASE_URL to a PostgreSQL"):
        second.start()
    nowhere = Engine(EngineOptions(database_url=f"sqlite:///{tmp_path / 'no' / 'spark.db'}"), scripted, scripted)
    with pytest.raises(ConfigError, match="cannot be written"):
        nowhere.start()


def test_tables_of_a_newer_version_are_refused(
    start_engine: Callable[..., Engine], scripted: Any, database_url: str
) -> None:
    engine = start_engine()
    with engine.database.write() as connection:
        connection.execute(update(tables.about).where(tables.about.c.name == "schema").values(value="3"))
    engine.close()
    newer = Engine(EngineOptions(database_url=database_url), scripted, scripted)
    with pytest.raises(ConfigError, match="tables of a newer version"):
        newer.start()


def test_no_port_is_opened(start_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(socket.socket, "listen", lambda *arguments: opened.append(arguments))
    start_engine()
    assert opened == []


def test_a_burst_from_forty_threads_is_taken_and_done_to_the_last(
    start_engine: Callable[..., Engine], scripted: Any, order: Callable[..., Work], delivery: Callable[..., Delivery]
) -> None:
    engine = start_engine(queue=2000, reviews=4, per_installation=4)
    engine._dispatcher.pause()

    def some(thread: int) -> list[Any]:
        # Each delivery is sent twice: GitHub may.
        return [
            engine.accept(delivery(f"burst-{thread}-{number // 2}"), order(thread * 100 + number // 2))
            for number in range(50)
        ]

    with ThreadPoolExecutor(40) as pool:
        answers = [answer for answers in pool.map(some, range(40)) for answer in answers]
    assert sum(isinstance(answer, Taken) for answer in answers) == 1000
    assert sum(isinstance(answer, AlreadyKnown) for answer in answers) == 1000
    with engine.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.jobs)).scalar() == 1000
        assert connection.execute(select(func.count()).select_from(tables.deliveries)).scalar() == 1000
    standing = engine.history.standing()
    assert (standing.waiting, standing.running) == (1000, 0)


@POSTGRES
def test_the_engine_goes_on_after_the_database_was_away(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
    delivery: Callable[..., Delivery],
    restart_postgres: Callable[..., None],
    until: Callable[..., Any],
) -> None:
    engine = start_engine(beat=0.1, lease=0.5)
    let_go = scripted.hold()
    job = take(engine, order(1))
    control = scripted.next()
    refused = []

    def while_away() -> None:
        assert not engine.ready
        with pytest.raises(DatabaseAwayError):
            engine.accept(delivery("away"), order(2))
        refused.append("away")
        let_go.set()

    restart_postgres(while_away)
    assert refused
    # The run ended while the database was away: its end is stored as soon as it can be.
    reaches(engine, job, JobState.DONE)
    assert control.cause is None
    until(lambda: engine.ready)
    after = take(engine, order(3))
    reaches(engine, after, JobState.DONE)


@POSTGRES
def test_stops_and_thefts_by_other_processes_reach_the_run(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
    until: Callable[..., Any],
    database_url: str,
) -> None:
    engine = start_engine()
    scripted.hold()
    stopped, stolen = take(engine, order(1)), take(engine, order(2))
    runs = {run.job.id: run for run in (scripted.next(), scripted.next())}
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("UPDATE spark_jobs SET stop = 'superseded' WHERE id = %s", (stopped,))
        other.execute("UPDATE spark_jobs SET owner = 'other' WHERE id = %s", (stolen,))
    reaches(engine, stopped, JobState.SUPERSEDED)
    until(lambda: runs[stolen].cause is StopCause.LOST)
    until(lambda: not engine._dispatcher.runs.all())
    assert engine.history.job(stolen).state is JobState.RUNNING  # type: ignore[union-attr]
    # Nobody of the name `other` beats: its job is ours again after a while. LOST told the page nothing.
    assert [one.event.kind for one in engine.events.read(stolen)] in ([], [LiveKind.STATE])


@POSTGRES
def test_a_job_that_another_process_took_is_found_without_a_word(
    start_engine: Callable[..., Engine],
    scripted: Any,
    take: Callable[..., JobId],
    order: Callable[..., Work],
    reaches: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = start_engine()
    monkeypatch.setattr(engine._dispatcher, "wake", lambda: None)
    reaches(engine, take(engine, order()), JobState.DONE)


@pytest.mark.parametrize("value", [{1: 2}, (1, 2), {"a": (1,)}, float("nan"), {"a": object()}, b"x"])
def test_dbos_is_given_plain_json_alone(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        StrictJson().serialize(value)


def test_arguments_and_errors_of_workflows_come_back() -> None:
    json = StrictJson()
    assert json.deserialize(json.serialize({"args": ("job", 1), "kwargs": {}})) == {"args": ["job", 1], "kwargs": {}}
    assert str(json.deserialize(json.serialize(KeyError("x")))) == "KeyError: 'x'"
