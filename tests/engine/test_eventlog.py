"""Live events: told without waiting, stored soon, watched here and elsewhere; on SQLite and on PostgreSQL."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import delete, func, insert, select, update

from bot.engine import channel as channel_module
from bot.engine import tables
from bot.engine.database import Database, DatabaseAwayError
from bot.engine.eventlog import EventLog
from bot.engine.eventpoller import POLL_SECONDS
from bot.engine.model import JobState
from bot.live.events import LiveEvent, LiveKind, Numbered

JOB = "00000000000000aa"


def state(name: JobState) -> LiveEvent:
    return LiveEvent(kind=LiveKind.STATE, data={"state": name.value, "why": ""})


def note(text: str) -> LiveEvent:
    return LiveEvent(kind=LiveKind.NOTE, data={"at": 0.0, "text": text})


def progress(tokens: int) -> LiveEvent:
    return LiveEvent(kind=LiveKind.PROGRESS, data={"at": 0.0, "output_tokens": tokens})


RUNNING, DONE = state(JobState.RUNNING), state(JobState.DONE)


def a_job(database: Database, job: str = JOB, state: JobState = JobState.RUNNING) -> str:
    with database.write() as connection:
        connection.execute(
            insert(tables.jobs).values(
                id=job, delivery=job, repo="o/r", number=1, installation=1, lane=job, sameness="s", work="{}",
                state=state.value, attempt=1, created_at=1.0,
            )
        )  # fmt: skip
    return job


@pytest.fixture
def opened(database_url: str) -> Iterator[Callable[[], Database]]:
    """Connections to one database, each as another process would have it."""
    made: list[Database] = []

    def make() -> Database:
        made.append(Database(database_url))
        return made[-1]

    with make().write() as connection:
        tables.metadata.create_all(connection)
    yield make
    for database in made:
        database.close()


@pytest.fixture
def database(opened: Callable[[], Database]) -> Database:
    return opened()


@pytest.fixture
def events(database: Database) -> Iterator[EventLog]:
    with closing(EventLog(database)) as log:
        yield log


@pytest.fixture
def elsewhere(opened: Callable[[], Database]) -> Iterator[EventLog]:
    """The event log of another process."""
    with closing(EventLog(opened())) as log:
        yield log


def words(found: list[Numbered | None]) -> list[str]:
    """What was given, in short."""
    short = []
    for numbered in found:
        assert numbered is not None
        data = numbered.event.data
        short.append(str(data.get("text", data.get("state", data.get("output_tokens")))))
    return short


def until_over(log: EventLog, job: str = JOB, after: int = 0, *, within: float = 10.0) -> list[Numbered | None]:
    """All that `watch` gives, beats left out."""
    found: list[Numbered | None] = []
    deadline = time.monotonic() + within
    for numbered in log.watch(job, after, beat=0.1):
        assert time.monotonic() < deadline, f"the watch does not end: {words(found)}"
        if numbered is not None:
            found.append(numbered)
    return found


class Watching:
    """A watcher in a thread of its own."""

    def __init__(self, log: EventLog, job: str = JOB, after: int = 0) -> None:
        self.found: list[Numbered | None] = []
        self.at: list[float] = []
        self._log, self._job, self._after = log, job, after
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        for numbered in self._log.watch(self._job, self._after, beat=0.1):
            if numbered is not None:
                self.found.append(numbered)
                self.at.append(time.monotonic())

    def wait_for(self, number: int, *, within: float = 10.0) -> None:
        deadline = time.monotonic() + within
        while len(self.found) < number:
            assert time.monotonic() < deadline, words(self.found)
            time.sleep(0.002)

    def wait(self) -> list[str]:
        self._thread.join(10)
        assert not self._thread.is_alive(), words(self.found)
        return words(self.found)


def test_what_is_told_is_stored_in_order_with_growing_numbers(database: Database, events: EventLog) -> None:
    a_job(database)
    events.tell(JOB, RUNNING)
    for number in range(50):
        events.tell(JOB, note(str(number)))
    events.flush(JOB)
    stored = events.read(JOB)
    assert [numbered.seq for numbered in stored] == list(range(1, 52))
    assert words(stored) == ["running", *map(str, range(50))]
    assert words(events.read(JOB, 49)) == ["48", "49"]


def test_storing_comes_by_itself_without_a_flush(database: Database, events: EventLog) -> None:
    a_job(database)
    events.tell(JOB, RUNNING)
    began = time.monotonic()
    while not events.read(JOB):
        assert time.monotonic() < began + 5
        time.sleep(0.005)


def test_who_watches_in_the_same_process_sees_all_and_ends_with_the_job(database: Database, events: EventLog) -> None:
    a_job(database)
    watching = Watching(events)
    events.tell(JOB, RUNNING)
    events.tell(JOB, progress(1))
    events.tell(JOB, note("a"))
    watching.wait_for(3)
    events.tell(JOB, progress(2))
    events.tell(JOB, DONE)
    assert watching.wait() == ["running", "1", "a", "2", "done"]


def test_who_watches_in_another_process_sees_what_is_stored(
    database: Database, events: EventLog, elsewhere: EventLog
) -> None:
    a_job(database)
    watching = Watching(elsewhere)
    events.tell(JOB, RUNNING)
    watching.wait_for(1)
    events.tell(JOB, note("a"))
    watching.wait_for(2)
    events.tell(JOB, DONE)
    assert watching.wait() == ["running", "a", "done"]
    assert [numbered.seq for numbered in watching.found] == [1, 2, 3]


def test_of_progress_only_the_newest_is_stored_and_none_when_the_job_is_over(
    database: Database, events: EventLog
) -> None:
    a_job(database)
    for number in range(20):
        events.tell(JOB, progress(number))
    events.flush(JOB)
    assert words(events.read(JOB)) == ["19"]
    events.tell(JOB, progress(20))
    events.tell(JOB, note("a"))
    events.flush(JOB)
    assert words(events.read(JOB)) == ["20", "a"]
    events.tell(JOB, progress(21))
    events.tell(JOB, DONE)
    events.flush(JOB)
    assert words(events.read(JOB)) == ["a", "done"]


def test_a_watch_resumes_from_any_number(database: Database, events: EventLog, elsewhere: EventLog) -> None:
    a_job(database)
    events.tell(JOB, RUNNING)
    for number in range(5):
        events.tell(JOB, note(str(number)))
    events.tell(JOB, DONE)
    events.flush(JOB)
    for log in (events, elsewhere):
        assert words(until_over(log)) == ["running", "0", "1", "2", "3", "4", "done"]
        assert words(until_over(log, after=5)) == ["4", "done"]
        assert until_over(log, after=7) == []
        assert until_over(log, after=99) == []


def test_a_job_that_there_is_not_ends_at_once(events: EventLog) -> None:
    assert until_over(events, "ffffffffffffffff", within=1.0) == []
    assert events.read("ffffffffffffffff") == []


def test_silence_is_told_as_a_beat(database: Database, events: EventLog) -> None:
    a_job(database)
    watch = events.watch(JOB, beat=0.05)
    assert [next(watch), next(watch)] == [None, None]
    events.tell(JOB, RUNNING)
    assert words([next(watch)]) == ["running"]
    watch.close()


def test_silence_is_told_as_a_beat_also_where_the_database_is_asked_again_and_again(
    database: Database, elsewhere: EventLog
) -> None:
    a_job(database)
    began = time.monotonic()
    watch = elsewhere.watch(JOB, beat=3 * POLL_SECONDS)
    assert next(watch) is None
    # Without beats nobody notices a reader who is gone, and proxies cut the stream.
    assert time.monotonic() - began < 12 * POLL_SECONDS
    watch.close()


def test_numbers_go_on_growing_in_the_next_process(database: Database, events: EventLog, elsewhere: EventLog) -> None:
    a_job(database)
    events.tell(JOB, RUNNING)
    events.tell(JOB, note("a"))
    events.flush(JOB)
    elsewhere.tell(JOB, note("b"))
    elsewhere.flush(JOB)
    assert [numbered.seq for numbered in events.read(JOB)] == [1, 2, 3]


def test_a_run_that_begins_anew_is_seen_from_its_start_by_all(
    database: Database, events: EventLog, elsewhere: EventLog
) -> None:
    a_job(database)
    events.tell(JOB, RUNNING)
    events.tell(JOB, note("of the first run"))
    events.flush(JOB)
    here, there = Watching(events), Watching(elsewhere)
    here.wait_for(2)
    there.wait_for(2)
    seen = max(numbered.seq for numbered in here.found if numbered)
    # The first process is killed: what it told last was seen by somebody and never stored.
    lost = seen + 5
    elsewhere.restart(JOB)
    elsewhere.tell(JOB, note("of the second run"))
    elsewhere.flush(JOB)
    stored = elsewhere.read(JOB)
    assert words(stored) == ["running", "of the second run"]
    assert stored[0].seq > lost
    late = Watching(elsewhere, after=lost)
    elsewhere.tell(JOB, DONE)
    assert there.wait()[2:] == ["running", "of the second run", "done"]
    assert here.wait()[2:] == ["running", "of the second run", "done"]
    assert late.wait() == ["running", "of the second run", "done"]


def test_a_run_that_begins_anew_in_the_same_process_goes_on_counting(database: Database, events: EventLog) -> None:
    a_job(database)
    watching = Watching(events)
    events.tell(JOB, state(JobState.QUEUED))
    events.restart(JOB)
    events.tell(JOB, note("a"))
    events.flush(JOB)
    events.restart(JOB)
    events.tell(JOB, DONE)
    assert watching.wait()[-2:] == ["running", "done"]
    numbers = [numbered.seq for numbered in watching.found if numbered]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] < 10
    events.flush(JOB)
    assert words(events.read(JOB)) == ["running", "done"]


def test_a_run_that_goes_on_keeps_what_was_told_and_is_seen_by_all(
    database: Database, events: EventLog, elsewhere: EventLog
) -> None:
    a_job(database)
    events.tell(JOB, RUNNING)
    events.tell(JOB, note("of the first run"))
    events.flush(JOB)
    here, there = Watching(events), Watching(elsewhere)
    here.wait_for(2)
    there.wait_for(2)
    # The first process is killed: what it told last was seen by somebody and never stored.
    lost = max(numbered.seq for numbered in here.found if numbered) + 5
    elsewhere.resume(JOB)
    elsewhere.tell(JOB, note("of the second run"))
    elsewhere.tell(JOB, DONE)
    elsewhere.flush(JOB)
    stored = elsewhere.read(JOB)
    assert words(stored) == ["running", "of the first run", "running", "of the second run", "done"]
    assert [numbered.event.data.get("resumed", False) for numbered in stored] == [False, False, True, False, False]
    assert stored[2].seq > lost
    assert there.wait()[2:] == here.wait()[2:] == ["running", "of the second run", "done"]
    assert Watching(elsewhere, after=lost).wait() == ["running", "of the second run", "done"]


def test_what_two_processes_tell_of_one_job_is_all_stored_but_for_an_old_state(
    database: Database, events: EventLog, elsewhere: EventLog
) -> None:
    a_job(database)
    # One took the delivery, the other one runs the job before the first has stored that it waits.
    events.tell(JOB, note("numbered"))
    events.flush(JOB)
    elsewhere.restart(JOB)
    elsewhere.flush(JOB)
    with database.write() as connection:
        [(newest,)] = connection.execute(select(func.max(tables.events.c.seq)))
        connection.execute(delete(tables.events))
        row = {"job": JOB, "seq": newest + 1, "kind": "note", "data": '{"text":"of a third"}'}
        connection.execute(insert(tables.events), [row])
    elsewhere.tell(JOB, note("of the one that runs it"))
    elsewhere.flush(JOB)
    assert words(elsewhere.read(JOB)) == ["of a third", "of the one that runs it"]

    other = a_job(database, "00000000000000bb")
    events.tell(other, state(JobState.QUEUED))
    events.flush(other)
    elsewhere.tell(other, note("runs"))
    elsewhere.flush(other)
    events.tell(other, state(JobState.QUEUED))
    events.tell(other, state(JobState.SUPERSEDED))
    events.flush(other)
    assert words(events.read(other)) == ["queued", "runs", "superseded"]


def test_a_large_event_is_stored_small_and_comes_back_whole(database: Database, events: EventLog) -> None:
    a_job(database)
    large = {"files": [[" ", number, number, "x = compute(a, b)  # é"] for number in range(20_000)]}
    events.tell(JOB, LiveEvent(kind=LiveKind.STARTED, data=large))
    events.flush(JOB)
    assert events.read(JOB)[0].event.data == large
    with database.read() as connection:
        assert connection.execute(select(func.length(tables.events.c.data))).scalar_one() < 200_000


def test_five_thousand_findings_and_a_slow_watcher_do_not_fill_the_memory(database: Database, events: EventLog) -> None:
    a_job(database)
    slow = events.watch(JOB, beat=0.1)
    for number in range(5_000):
        events.tell(JOB, LiveEvent(kind=LiveKind.FOUND, data={"id": str(number), "text": str(number)}))
        if number == 0:
            assert words([next(slow)]) == ["0"]
    events.flush(JOB)
    assert len(events._memory.channels[JOB]._events) == channel_module.KEPT
    events.tell(JOB, DONE)
    rest = words([numbered for numbered in slow if numbered is not None])
    assert rest == [*map(str, range(1, 5_000)), "done"]
    events.flush(JOB)
    assert events._memory.channels == {}


def test_a_job_whose_end_nobody_told_ends_for_those_who_watch(
    database: Database, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.engine.eventpoller._GRACE_SECONDS", 0.1)
    monkeypatch.setattr("bot.engine.eventpoller.POLL_SECONDS", 0.02)
    a_job(database)
    watching = Watching(events)
    with database.write() as connection:
        connection.execute(update(tables.jobs).values(state=JobState.FAILED.value))
    assert watching.wait() == ["failed"]
    a_job(database, "00000000000000bb")
    watching = Watching(events, "00000000000000bb")
    with database.write() as connection:
        connection.execute(delete(tables.jobs))
    assert watching.wait() == []


def test_an_event_that_cannot_be_stored_costs_itself_alone(database: Database, events: EventLog) -> None:
    a_job(database)
    events.tell("00000000000000ff", note("of a job that there is not"))
    events.tell(JOB, LiveEvent(kind=LiveKind.NOTE, data={"text": object()}))
    events.tell(JOB, note("a"))
    events.flush(JOB)
    events.flush("00000000000000ff")
    assert words(events.read(JOB)) == ["a"]
    assert events.read("00000000000000ff") == []


def test_events_wait_while_the_database_is_away(
    database: Database, events: EventLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a_job(database)
    monkeypatch.setattr("bot.engine.eventwriter._AWAY_SECONDS", 0.02)
    batch, tries = database.batch, []

    def away(work: Callable) -> object:
        tries.append(1)
        if len(tries) < 4:
            raise DatabaseAwayError("The database does not answer")
        return batch(work)

    monkeypatch.setattr(database, "batch", away)
    events.restart(JOB)
    events.tell(JOB, note("a"))
    events.flush(JOB)
    assert len(tries) == 4
    assert words(events.read(JOB)) == ["running", "a"]
    # Three tries failed, for one reason.
    assert [record.message for record in caplog.records] == ["events.not-stored"]


def test_closing_stores_what_waits_and_ends_every_watch(database: Database) -> None:
    a_job(database)
    log = EventLog(database)
    watching = Watching(log)
    log.tell(JOB, RUNNING)
    log.tell(JOB, note("a"))
    log.close()
    watching.wait()
    assert words(log.read(JOB)) == ["running", "a"]
    log.tell(JOB, note("too late"))
    log.flush(JOB)
    assert len(log.read(JOB)) == 2


def test_hanging_up_ends_every_watch_and_goes_on_storing(database: Database) -> None:
    a_job(database)
    with closing(EventLog(database)) as log:
        log.tell(JOB, RUNNING)
        watching = Watching(log)
        watching.wait_for(1)
        log.hang_up()
        assert watching.wait() == ["running"]
        log.tell(JOB, note("later"))
        log.flush(JOB)
        assert words(log.read(JOB)) == ["running", "later"]
        assert words(list(log.watch(JOB, beat=60))) == ["running", "later"]


def test_live_pages_of_other_processes_share_one_question(
    database: Database, events: EventLog, elsewhere: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_job(database)
    events.tell(JOB, RUNNING)
    events.flush(JOB)
    watchers = [Watching(elsewhere) for _ in range(30)]
    for watcher in watchers:
        watcher.wait_for(1)
    asked: list[float] = []
    from bot.engine import eventrows

    after_each = eventrows.after_each
    monkeypatch.setattr(eventrows, "after_each", lambda *args: asked.append(time.monotonic()) or after_each(*args))
    events.tell(JOB, note("a"))
    watchers[0].wait_for(2)
    events.tell(JOB, DONE)
    assert all(watcher.wait() == ["running", "a", "done"] for watcher in watchers)
    # Each watcher by itself would ask thirty times as often.
    assert len(asked) <= 3 + (asked[-1] - asked[0]) / POLL_SECONDS


def test_a_hundred_and_twenty_live_pages_see_an_event_in_milliseconds(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        tables.metadata.create_all(connection)
    a_job(database)
    log = EventLog(database)
    watchers = [Watching(log) for _ in range(120)]
    told: list[float] = []
    costs: list[float] = []
    for number in range(1, 41):
        told.append(time.monotonic())
        log.tell(JOB, note(str(number)))
        costs.append(time.monotonic() - told[-1])
        watchers[-1].wait_for(number)
    log.tell(JOB, DONE)
    for watcher in watchers:
        watcher.wait()
    log.close()
    database.close()
    lags = sorted(at - told[number] for watcher in watchers for number, at in enumerate(watcher.at[:-1]))
    # Loose bounds: other work shares the processors of a test run. Quiet: 5 and 15 ms.
    assert len(lags) == 120 * 40
    assert statistics.median(lags) < 0.05
    assert statistics.median(costs) < 0.01
