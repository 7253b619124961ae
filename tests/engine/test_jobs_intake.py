"""What becomes of an order: taken, known or refused, and what it does to older ones. Statements alone, no engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from bot.commands.model import CommentKind
from bot.engine import claims, intake, tables
from bot.engine.claims import Run
from bot.engine.database import Database
from bot.engine.history import History
from bot.engine.intake import FullError, Told
from bot.engine.model import Acceptance, AlreadyKnown, Delivery, Ended, ExecutorId, JobId, JobState, StopCause, Taken
from bot.engine.schema import tables_made
from bot.hooks.events import InstallationId
from bot.hooks.orders import AnswerGroup, Cause, ReviewHead, Work
from bot.review.model import Effort, RepoName

ME = ExecutorId("me")
REPO = RepoName("acme/rocket")


class Desk:
    """The statements, each in a transaction of its own."""

    def __init__(self, database: Database, delivery: Callable[..., Delivery]) -> None:
        self.database = database
        self.history = History(database)
        self.delivery = delivery
        self.told = Told()

    def accept(self, work: Work, name: str | None = None, *, queue: int = 100) -> Acceptance:
        with self.database.write() as connection:
            answer, self.told = intake.accept(connection, self.delivery(name), work, queue=queue)
        return answer

    def take(self, work: Work, name: str | None = None) -> JobId:
        answer = self.accept(work, name)
        assert isinstance(answer, Taken)
        return answer.job

    def claim(self) -> Run:
        with self.database.write() as connection:
            row, _ = claims.claim(connection, ME, per_installation=100, now=1.0)
        assert row is not None
        return Run(job=JobId(row.id), owner=ME, attempt=row.attempt)

    def end(self, run: Run, state: JobState, **more: str) -> None:
        with self.database.write() as connection:
            assert claims.end(connection, run, Ended(state=state, **more), now=2.0)

    def state(self, job: JobId) -> JobState:
        found = self.history.job(job)
        assert found is not None
        return found.state

    def stop(self, job: JobId) -> str | None:
        with self.database.read() as connection:
            return connection.execute(select(tables.jobs.c.stop).where(tables.jobs.c.id == job)).scalar()


@pytest.fixture
def desk(database_url: str, delivery: Callable[..., Delivery]) -> Iterator[Desk]:
    database = Database(database_url)
    with tables_made(database):
        pass
    yield Desk(database, delivery)
    database.close()


def test_a_delivery_that_comes_again_is_known(desk: Desk, order: Callable[..., Work]) -> None:
    job = desk.take(order(), "d1")
    answer = desk.accept(order(), "d1")
    assert answer == AlreadyKnown(job=job, state=JobState.QUEUED, why="This delivery is known")
    desk.end(desk.claim(), JobState.SKIPPED)
    assert isinstance(desk.accept(order(), "d1"), AlreadyKnown)


def test_a_delivery_whose_job_failed_is_taken_again(desk: Desk, order: Callable[..., Work]) -> None:
    first = desk.take(order(), "d1")
    desk.end(desk.claim(), JobState.FAILED)
    second = desk.take(order(), "d1")
    assert second != first
    known = desk.accept(order(), "d1")
    assert isinstance(known, AlreadyKnown)
    assert known.job == second


def test_a_failed_delivery_that_comes_again_does_not_push_a_newer_head_aside(
    desk: Desk, order: Callable[..., Work]
) -> None:
    desk.take(order(1, "a"), "old")
    desk.end(desk.claim(), JobState.FAILED)
    newer = desk.take(order(1, "b"), "new")
    answer = desk.accept(order(1, "a"), "old")
    assert isinstance(answer, AlreadyKnown)
    assert answer.job == newer
    assert desk.state(newer) is JobState.QUEUED


@pytest.mark.parametrize(
    ("state", "is_known"),
    [(JobState.DONE, True), (JobState.FAILED, False), (JobState.SKIPPED, False), (JobState.SUPERSEDED, False)],
)
def test_a_head_that_was_reviewed_is_known_and_any_other_end_is_not(
    desk: Desk, order: Callable[..., Work], state: JobState, is_known: bool
) -> None:
    job = desk.take(order())
    desk.end(desk.claim(), state)
    answer = desk.accept(order(), "reopened")
    assert isinstance(answer, AlreadyKnown) is is_known
    if isinstance(answer, AlreadyKnown):
        assert answer.job == job
        assert desk.accept(order(), "reopened") == AlreadyKnown(job=job, state=state, why="This delivery is known")


def test_the_same_head_against_another_base_is_another_review(desk: Desk, order: Callable[..., Work]) -> None:
    first = desk.take(order(base_ref="main"))
    second = desk.take(order(base_ref="release" * 40))
    assert desk.state(first) is JobState.SUPERSEDED
    assert desk.state(second) is JobState.QUEUED


def test_a_verdict_that_is_due_anew_takes_the_place_of_all_but_a_full_review(
    desk: Desk, order: Callable[..., Work]
) -> None:
    judged = order(force=True, cause=Cause.JUDGED)
    desk.take(order())
    desk.end(desk.claim(), JobState.DONE)
    first = desk.take(judged)
    second = desk.take(judged)
    assert desk.state(first) is JobState.SUPERSEDED
    # Whoever asks for a full review gets it, and the verdict with it.
    assert isinstance(desk.accept(order(force=True, cause=Cause.ASKED)), Taken)
    assert desk.state(second) is JobState.SUPERSEDED
    assert isinstance(desk.accept(judged), AlreadyKnown)


def test_a_pull_that_goes_back_to_an_older_head_or_to_its_old_base_is_reviewed_again(
    desk: Desk, order: Callable[..., Work]
) -> None:
    ways = [order(1, "a"), order(1, "b"), order(1, "a"), order(1, "a", base_ref="release"), order(1, "a")]
    for number, work in enumerate(ways):
        desk.take(work, f"way-{number}")
        desk.end(desk.claim(), JobState.DONE)
    # The last one stands, whatever delivery brings it.
    assert isinstance(desk.accept(order(1, "a"), "label"), AlreadyKnown)
    # While another head is under way the old one is no end of it, and what was skipped changed nothing.
    desk.take(order(1, "c"), "forth")
    desk.take(order(1, "a"), "back")
    desk.end(desk.claim(), JobState.DONE)
    desk.take(order(1, "d"), "skipped")
    desk.end(desk.claim(), JobState.SKIPPED)
    assert isinstance(desk.accept(order(1, "a"), "label-2"), AlreadyKnown)


def test_a_late_delivery_of_an_old_head_does_not_have_the_newest_reviewed_again(
    desk: Desk, order: Callable[..., Work]
) -> None:
    desk.take(order(1, "new"), "d-new")
    desk.end(desk.claim(), JobState.DONE)
    late = desk.history.job(desk.take(order(1, "old"), "d-old"))
    assert late is not None
    desk.claim()
    # The worker sees that the pull has the other head.
    with desk.database.write() as connection:
        assert intake.submit(connection, late, order(1, "new"), now=5.0) == (None, intake.Told())


def test_a_review_that_is_asked_for_is_known_only_while_one_that_does_as_much_is_under_way(
    desk: Desk, order: Callable[..., Work]
) -> None:
    by_itself = desk.take(order())
    # That one may leave out what was reviewed before.
    assert isinstance(desk.accept(order(force=True)), Taken)
    assert desk.state(by_itself) is JobState.SUPERSEDED
    assert isinstance(desk.accept(order(force=True)), AlreadyKnown)
    run = desk.claim()
    assert isinstance(desk.accept(order(force=True)), AlreadyKnown)
    desk.end(run, JobState.DONE)
    assert isinstance(desk.accept(order(force=True)), Taken)
    assert isinstance(desk.accept(order(force=True, effort=Effort.DEEP)), Taken)
    assert isinstance(desk.accept(order(force=True, effort=Effort.DEEP)), AlreadyKnown)


def test_a_head_that_was_given_up_is_taken_again_while_its_old_run_still_closes(
    desk: Desk, order: Callable[..., Work]
) -> None:
    desk.take(order(1, "a"))
    desk.claim()
    desk.take(order(1, "b"))
    assert isinstance(desk.accept(order(1, "a")), Taken)


def test_a_newer_head_ends_what_waits_and_stops_what_runs(desk: Desk, order: Callable[..., Work]) -> None:
    running = desk.take(order(1, "a"))
    desk.claim()
    waiting = desk.take(order(1, "b"))
    assert desk.told == Told(stopped=((running, ME),))
    newest = desk.take(order(1, "c"))
    assert desk.told == Told(ended=(waiting,))
    assert desk.stop(running) == StopCause.SUPERSEDED
    assert [desk.state(job) for job in (running, waiting, newest)] == ["running", "superseded", "queued"]
    found = desk.history.job(waiting)
    assert found is not None
    assert found.why == "A newer order for this pull came"


def test_a_waiting_job_that_was_begun_once_is_run_again_to_close_what_it_opened(
    desk: Desk, order: Callable[..., Work]
) -> None:
    begun = desk.take(order(1, "a"))
    desk.claim()
    with desk.database.write() as connection:
        claims.take_over(connection, ME, now=1.0)
    desk.take(order(1, "b"))
    assert desk.told.stopped == ((begun, None),)
    assert desk.claim().job == begun
    assert desk.stop(begun) == StopCause.SUPERSEDED


def test_orders_of_other_pulls_are_left_alone(desk: Desk, order: Callable[..., Work]) -> None:
    other = desk.take(order(2, "a"))
    elsewhere = desk.take(order(1, "a", repo="acme/boat"))
    desk.take(order(1, "a"))
    desk.take(order(1, "b"))
    assert desk.state(other) is desk.state(elsewhere) is JobState.QUEUED


def test_a_full_queue_stores_nothing(desk: Desk, order: Callable[..., Work]) -> None:
    for number in range(3):
        assert isinstance(desk.accept(order(number), queue=3), Taken)
    with pytest.raises(FullError):
        desk.accept(order(9), "late", queue=3)
    assert len(desk.history.jobs()) == 3
    desk.end(desk.claim(), JobState.DONE)
    assert isinstance(desk.accept(order(9), "late", queue=3), Taken)


def test_in_a_full_queue_a_newer_head_takes_the_place_of_the_older_one(desk: Desk, order: Callable[..., Work]) -> None:
    old = desk.take(order(1, "a"))
    assert isinstance(desk.accept(order(1, "b"), queue=1), Taken)
    assert desk.state(old) is JobState.SUPERSEDED


def test_a_full_queue_takes_back_what_it_had_superseded(desk: Desk, order: Callable[..., Work]) -> None:
    running = desk.take(order(1, "a"))
    desk.claim()
    desk.take(order(2))
    with pytest.raises(FullError):
        desk.accept(order(1, "b"), queue=1)
    assert desk.stop(running) is None


def test_a_head_is_reviewed_again_as_often_as_it_is_asked_for(desk: Desk, order: Callable[..., Work]) -> None:
    pull = order()
    again = ReviewHead(place=pull.place, head_sha=pull.head_sha)
    group = AnswerGroup(place=pull.place, head_sha=pull.head_sha, head_ref="gh-readonly-queue/main")
    desk.take(again)
    assert isinstance(desk.accept(again), AlreadyKnown)
    desk.end(desk.claim(), JobState.DONE)
    desk.take(again)
    desk.take(group)
    assert isinstance(desk.accept(group), AlreadyKnown)


def test_further_jobs_are_made_once_however_often_their_job_runs(desk: Desk, order: Callable[..., Work]) -> None:
    pull = order(force=True)
    parent = desk.history.job(desk.take(ReviewHead(place=pull.place, head_sha=pull.head_sha)))
    assert parent is not None
    with desk.database.write() as connection:
        child, _ = intake.submit(connection, parent, pull, now=1.0)
    assert child is not None
    desk.end(desk.claim(), JobState.DONE)
    desk.end(desk.claim(), JobState.DONE)
    with desk.database.write() as connection:
        assert intake.submit(connection, parent, pull, now=2.0) == (None, Told())
    assert len(desk.history.jobs()) == 2


def test_a_closed_pull_takes_its_jobs_along(desk: Desk, order: Callable[..., Work]) -> None:
    running = desk.take(order(1, "a"))
    desk.claim()
    waiting = desk.take(order(2, "a"))
    with desk.database.write() as connection:
        assert intake.stop_pull(connection, REPO, 1, "The pull was closed", now=1.0).stopped == ((running, ME),)
        assert intake.stop_pull(connection, REPO, 2, "The pull was closed", now=1.0).ended == (waiting,)
        assert intake.stop_pull(connection, REPO, 2, "The pull was closed", now=1.0) == Told()
    found = desk.history.job(waiting)
    assert found is not None
    assert (found.state, found.why) == (JobState.SUPERSEDED, "The pull was closed")
    assert isinstance(desk.accept(order(2, "a"), "reopened"), Taken)


def test_a_removed_installation_takes_its_jobs_along_and_no_others(desk: Desk, order: Callable[..., Work]) -> None:
    mine = desk.take(order(1, installation=5))
    theirs = desk.take(order(2, installation=6))
    boat = desk.take(order(3, installation=5, repo="acme/boat"))
    five = InstallationId(5)
    with desk.database.write() as connection:
        assert intake.stop_installation(connection, five, [RepoName("acme/boat")], "gone", now=1.0).ended == (boat,)
        assert intake.stop_installation(connection, five, [], "gone", now=1.0).ended == (mine,)
    assert desk.state(theirs) is JobState.QUEUED


def test_a_delivery_without_a_job_is_remembered(desk: Desk, order: Callable[..., Work]) -> None:
    with desk.database.write() as connection:
        assert intake.note(connection, desk.delivery("d1"), "A draft") is None
        known = intake.note(connection, desk.delivery("d1"), "A draft")
    assert known == AlreadyKnown(job=None, state=None, why="This delivery is known")
    assert isinstance(desk.accept(order(), "d1"), AlreadyKnown)


def test_of_orders_that_come_at_the_same_moment_one_is_taken(desk: Desk, order: Callable[..., Work]) -> None:
    """Deliveries of two processes for one head, and one delivery twice."""

    def accept(name: str) -> Acceptance | None:
        try:
            return desk.database.batch(
                lambda connection: intake.accept(connection, desk.delivery(name), order(), queue=100)[0]
            ).result()
        except IntegrityError:
            # The same delivery: the engine asks once more then.
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(accept, ["same", "same", "a", "b", "c", "d", "e", "same"] * 2))
    assert sum(isinstance(answer, Taken) for answer in answers) == 1
    assert len(desk.history.jobs()) == 1


# -- comments


@pytest.mark.parametrize(
    "state", [JobState.QUEUED, JobState.RUNNING, JobState.DONE, JobState.SKIPPED, JobState.SUPERSEDED]
)
def test_a_comment_is_one_job_for_ever_whatever_delivery_brings_it(
    desk: Desk, comment: Callable[..., Work], state: JobState
) -> None:
    job = desk.take(comment(), "d1")
    if state is not JobState.QUEUED:
        run = desk.claim()
        if state.is_over:
            desk.end(run, state)
    for work, name in ((comment(), "d1"), (comment(), "d2"), (comment(repo="acme/renamed"), "d3")):
        answer = desk.accept(work, name)
        assert isinstance(answer, AlreadyKnown)
        assert (answer.job, answer.state) == (job, state)
    assert isinstance(desk.accept(comment(6)), Taken)
    assert isinstance(desk.accept(comment(kind=CommentKind.CONVERSATION)), Taken), "numbers are of a kind alone"


def test_a_comment_whose_answer_failed_is_answered_when_it_comes_again_even_if_others_came_after_it(
    desk: Desk, comment: Callable[..., Work]
) -> None:
    desk.take(comment(), "d1")
    desk.end(desk.claim(), JobState.FAILED)
    later = desk.take(comment(6))
    again = desk.take(comment(), "d1")
    assert [desk.state(job) for job in (later, again)] == ["queued", "queued"]
    assert isinstance(desk.accept(comment(), "d2"), AlreadyKnown)


def test_pushes_and_commands_leave_each_other_alone(
    desk: Desk, order: Callable[..., Work], comment: Callable[..., Work]
) -> None:
    jobs = [desk.take(comment(1)), desk.take(order(1, "a")), desk.take(comment(2))]
    newest = desk.take(order(1, "b"))
    assert desk.told == Told(ended=(jobs[1],))
    with desk.database.write() as connection:
        assert intake.stop_pull(connection, REPO, 1, "The pull was closed", now=1.0).ended == (newest,)
    assert [desk.state(job) for job in (jobs[0], jobs[2])] == ["queued", "queued"]
    with desk.database.write() as connection:
        told = intake.stop_installation(connection, InstallationId(1), [], "gone", now=1.0)
    assert {*told.ended} == {jobs[0], jobs[2]}


def test_comments_that_wait_count_in_the_queue(
    desk: Desk, order: Callable[..., Work], comment: Callable[..., Work]
) -> None:
    desk.take(comment(1))
    with pytest.raises(FullError):
        desk.accept(comment(2), queue=1)
    with pytest.raises(FullError):
        desk.accept(order(), queue=1)
