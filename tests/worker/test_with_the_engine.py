"""The worker below the real engine: orders in, reviews on the pulls, all of it in the history and on the live pages."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.commands.grammar import parse
from bot.commands.model import CommentKind, CommentRef
from bot.engine.engine import Engine, EngineOptions
from bot.engine.model import Delivery, Ended, Job, JobId, JobState, Taken
from bot.hooks.events import DeliveryId
from bot.hooks.orders import AnswerComment, ReviewHead, Work
from bot.live.events import LiveKind
from bot.review.memory import CommentId
from bot.review.model import CommitSha
from bot.sandbox.endpoint import tokens
from bot.sandbox.github import talk
from bot.worker.runner import JobRunner


class Nobody:
    """Nobody counts."""

    def job_started(self, job: Job, *, waited: float) -> None:
        pass

    def job_ended(self, job: Job, ended: Ended) -> None:
        pass

    def queue(self, *, waiting: int, oldest: float, running: int) -> None:
        pass


class House:
    """An engine over a file, with the worker of a room in it."""

    def __init__(self, room: Any, folder: Path) -> None:
        self._guids = itertools.count()
        options = EngineOptions(database_url=f"sqlite:///{folder / 'spark.db'}", max_usd_per_day=5.0)
        runner = JobRunner(
            room.shared,
            room.app,
            page_url=lambda job: f"https://spark.test/reviews/{job}",
            learn=lambda repo, drafts: self.engine.learn(repo, reviews_drafts=drafts),
            purse=lambda job: self.engine.spending.purse(job),  # noqa: PLW0108 - the engine is made after the runner
            memory=lambda repo: self.engine.memory(repo),  # noqa: PLW0108 - likewise
        )
        self.engine = Engine(options, runner, Nobody(), on_taken=runner.taken)
        self.engine.start()

    def take(self, work: Work) -> JobId:
        guid = DeliveryId(f"guid-{next(self._guids)}")
        answer = self.engine.accept(Delivery(id=guid, event="pull_request.opened", received_at=time.time()), work)
        assert isinstance(answer, Taken)
        return answer.job

    def end(self, job: JobId) -> Job:
        """The job when its page says that it is over."""
        for _ in self.engine.events.watch(job):
            pass
        found = self.engine.history.job(job)
        assert found is not None
        return found

    def told(self, job: JobId) -> list[LiveKind]:
        self.engine.events.flush(job)
        return [event.event.kind for event in self.engine.events.read(job)]


@pytest.fixture(scope="module")
def room(build: Callable[..., Any]) -> Any:
    return build(endpoint={"script": tokens(300, findings=4), "ttft": 0.01, "tps": 600.0})


@pytest.fixture(scope="module")
def house(room: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(room, tmp_path_factory.mktemp("engine"))
    yield house
    house.engine.drain(5.0)
    house.engine.close()


def test_a_push_supersedes_the_running_review_and_one_review_is_posted_and_kept_in_the_history(
    room: Any, house: House, until: Callable[..., None]
) -> None:
    pull = room.open("review:\n  effort: instant\n  drafts: true")
    asked = len(room.endpoint.requests)
    first = house.take(room.order(pull))
    until(lambda: any(entry.tokens > 5 for entry in room.endpoint.requests[asked:]))
    room.repo.commit("topic", {"three.py": b"def h(c=[]):\n    return c\n"}, "More", "mona")
    second = house.take(room.order(pull))

    ended, done = house.end(first), house.end(second)
    assert ended.state is JobState.SUPERSEDED
    assert (done.state, done.verdict) == (JobState.DONE, "pass")
    assert done.usd is not None
    assert house.engine.spending.spent_today() >= done.usd > 0
    (review,) = [review for review in room.reviews() if review.pull is pull]
    assert review.commit_id == pull.head_sha
    assert done.url.endswith(str(review.id))
    by_job = {check.external_id: check.conclusion for check in room.checks() if check.external_id in {first, second}}
    assert by_job == {first: "cancelled", second: "success"}
    kinds = house.told(second)
    assert kinds[0] is LiveKind.STATE
    assert kinds[-2:] == [LiveKind.FINISHED, LiveKind.STATE]
    assert LiveKind.FINISHED not in house.told(first)
    assert house.engine.reviews_drafts(room.name) is True


def test_a_newer_delivery_that_came_first_loses_nothing(room: Any, house: House, until: Callable[..., None]) -> None:
    room.repo.commit("main", {"odd.py": b"x = 1\n"}, "A start", "mona")
    room.repo.branch("odd", "main")
    room.repo.commit("odd", {"five.py": b"def k(d=[]):\n    return d\n"}, "Odd", "mona")
    pull = room.repo.open_pull("Odd", "", head="odd", base="main", author="mona")
    older = room.order(pull)
    room.repo.commit("odd", {"six.py": b"def m(e=[]):\n    return e\n"}, "More", "mona")
    asked = len(room.endpoint.requests)
    newer = house.take(room.order(pull))
    until(lambda: any(entry.tokens > 5 for entry in room.endpoint.requests[asked:]))
    late = house.take(older)
    assert [house.end(job).state for job in (newer, late)] == [JobState.SUPERSEDED, JobState.SUPERSEDED]
    (made,) = [job for job in house.engine.history.jobs() if job.number == pull.number and job.id not in {newer, late}]
    assert house.end(made.id).state is JobState.DONE
    assert [review.commit_id for review in room.reviews() if review.pull is pull] == [pull.head_sha]


def test_a_head_asked_for_again_is_reviewed_by_a_job_of_its_own(room: Any, house: House) -> None:
    room.repo.commit("main", {"other.py": b"x = 1\n"}, "A start", "mona")
    room.repo.branch("other", "main")
    room.repo.commit("other", {"four.py": b"def k(d=[]):\n    return d\n"}, "Other", "mona")
    pull = room.repo.open_pull("Other", "", head="other", base="main", author="mona")
    before = len(room.reviews())
    parent = house.end(house.take(ReviewHead(place=room.place(), head_sha=CommitSha(pull.head_sha))))
    assert parent.state is JobState.DONE
    (made,) = [job for job in house.engine.history.jobs() if job.number == pull.number]
    assert house.end(made.id).state is JobState.DONE
    assert len(room.reviews()) == before + 1


def test_a_review_is_ordered_and_stopped_by_comments_that_wait_for_no_review(
    room: Any, house: House, until: Callable[..., None]
) -> None:
    room.repo.commit("main", {"said.py": b"x = 1\n"}, "A start", "mona")
    room.repo.branch("said", "main")
    room.repo.commit("said", {"seven.py": b"def n(f=[]):\n    return f\n"}, "Said", "mona")
    pull = room.repo.open_pull("Said", "", head="said", base="main", author="mona")

    def say(body: str) -> Job:
        said = talk.say(room.repo, pull.number, body, by="mona")
        ref = CommentRef(kind=CommentKind.CONVERSATION, id=CommentId(said.id), node_id=said.node_id)
        work = AnswerComment(place=room.place(), number=pull.number, comment=ref, sender="mona", command=parse(body))
        return house.end(house.take(work))

    asked = len(room.endpoint.requests)
    assert say("/spark review").state is JobState.DONE
    until(lambda: any(entry.tokens > 5 for entry in room.endpoint.requests[asked:]))
    paused = say("/spark pause")
    assert (paused.state, paused.outcome) == (JobState.DONE, "answered")
    (review,) = [job for job in house.engine.history.jobs() if job.number == pull.number and not job.outcome]
    assert house.end(review.id).state is JobState.SUPERSEDED
    assert [each for each in room.reviews() if each.pull is pull] == []


def test_a_command_that_waits_for_another_one_gets_its_eyes_at_once_and_once(
    room: Any, house: House, until: Callable[..., None]
) -> None:
    room.repo.commit("main", {"eyes.py": b"x = 1\n"}, "A start", "mona")
    room.repo.branch("eyes", "main")
    room.repo.commit("eyes", {"eight.py": b"def p(g=[]):\n    return g\n"}, "Eyes", "mona")
    pull = room.repo.open_pull("Eyes", "", head="eyes", base="main", author="mona")
    asked = len(room.endpoint.requests)

    def say(body: str) -> tuple[Any, JobId]:
        said = talk.say(room.repo, pull.number, body, by="mona")
        ref = CommentRef(kind=CommentKind.CONVERSATION, id=CommentId(said.id), node_id=said.node_id)
        work = AnswerComment(place=room.place(), number=pull.number, comment=ref, sender="mona", command=parse(body))
        return said, house.take(work)

    _, first = say("/spark ask What is this?")
    until(lambda: any(entry.tokens > 5 for entry in room.endpoint.requests[asked:]))
    waits, second = say("/spark help")
    until(lambda: waits.reactions)
    assert [job.state for job in house.engine.history.jobs() if job.id in {first, second}].count(JobState.QUEUED) == 1
    assert house.end(first).outcome == house.end(second).outcome == "answered"
    assert [reaction.content for reaction in waits.reactions].count("eyes") == 1
