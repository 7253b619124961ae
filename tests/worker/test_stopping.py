"""A review that is told to stop: felt at once, nothing posted, and a check run that says what became of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.engine.model import Ended, JobState, StopCause
from bot.live.events import LiveKind
from bot.sandbox.endpoint import tokens

Until = Callable[[Callable[[], bool]], None]
SLOW = {"script": tokens(600, findings=8), "ttft": 0.01, "tps": 150.0}
"""Four seconds of writing, with a finding now and then."""


class Background:
    """A job that runs beside the test."""

    def __init__(self, room: Any, line: Any) -> None:
        self.ended: list[Ended] = []
        self._thread = threading.Thread(target=lambda: self.ended.append(room.run(line)))
        self._thread.start()

    def join(self) -> Ended:
        self._thread.join(10)
        return self.ended[0]


@pytest.fixture(scope="module")
def slow_room(build: Callable[..., Any]) -> Any:
    """Its endpoint takes four seconds for an answer."""
    return build(endpoint=SLOW)


@pytest.fixture
def slow(slow_room: Any, build: Callable[..., Any]) -> Any:
    """A repository of its own at the slow endpoint."""
    room = build()
    room.shared, room.endpoint = slow_room.shared, slow_room.endpoint
    return room


def in_mid_stream(room: Any, line: Any, until: Until) -> Background:
    """The job, at a moment when the model writes and something is on the page."""
    began = time.monotonic()
    job = Background(room, line)
    until(lambda: any(entry.started > began and entry.tokens > 10 for entry in room.endpoint.requests))
    until(lambda: bool(line.of(LiveKind.FOUND)))
    return job


def test_a_newer_push_closes_the_streams_and_the_check_within_half_a_second_and_posts_nothing(
    slow, until: Until
) -> None:
    pull = slow.open()
    line = slow.line(slow.order(pull))
    slow.github.latency = 0.08
    job = in_mid_stream(slow, line, until)
    newer = slow.repo.commit("topic", {"new.py": "x = 1\n"}, "More", "mona")
    told = time.monotonic()
    line.stop(StopCause.SUPERSEDED)
    until(lambda: slow.check().status == "completed")
    seconds = time.monotonic() - told
    slow.github.latency = 0.0
    ended = job.join()

    assert seconds < 0.5
    assert ended.state is JobState.SUPERSEDED
    check = slow.check()
    assert (check.conclusion, check.title) == ("cancelled", f"Superseded by {newer[:7]}")
    assert slow.reviews() == []
    assert line.kept is None
    assert line.released[0] - told < 0.5
    assert not line.of(LiveKind.FINISHED)
    asked = slow.endpoint.requests
    assert slow.endpoint.wait_until(lambda _: all(entry.ended is not None for entry in asked))
    cut = [entry.ended - told for entry in asked if entry.client_gone]
    assert cut
    assert max(cut) < 0.3


def test_a_pull_that_was_closed_meanwhile_ends_its_review_as_withdrawn(slow, until: Until) -> None:
    line = slow.line(slow.order(slow.open()))
    job = in_mid_stream(slow, line, until)
    line.stop(StopCause.WITHDRAWN)
    assert job.join().state is JobState.SUPERSEDED
    assert (slow.check().conclusion, slow.check().title) == ("cancelled", "Withdrawn")
    assert slow.reviews() == []


def test_a_parked_review_leaves_its_check_open_and_its_next_run_closes_that_very_one(slow, room, until: Until) -> None:
    pull = slow.open()
    line = slow.line(slow.order(pull))
    job = in_mid_stream(slow, line, until)
    line.stop(StopCause.PARKED)
    assert job.join().state is JobState.QUEUED
    assert slow.check().status == "in_progress"
    assert slow.reviews() == []

    slow.shared = room.shared
    ended, _ = slow.review(pull, attempt=2)
    assert ended.state is JobState.DONE
    assert (slow.check().status, slow.check().conclusion) == ("completed", "success")
    assert len(slow.reviews()) == 1


def test_a_review_that_another_process_has_taken_over_touches_nothing_more(slow, until: Until) -> None:
    line = slow.line(slow.order(slow.open()))
    job = in_mid_stream(slow, line, until)
    writes = len(slow.sent("P", ""))
    line.stop(StopCause.LOST)
    job.join()
    assert slow.check().status == "in_progress"
    assert len(slow.sent("P", "")) == writes
    assert slow.reviews() == []


def test_who_may_not_keep_what_is_to_be_posted_posts_nothing(room) -> None:
    line = room.line(room.order(room.open()), owned=False)
    room.run(line)
    assert line.cause is StopCause.LOST
    assert room.reviews() == []
    assert room.check().status == "in_progress"
    assert not line.of(LiveKind.FINISHED)


def test_a_stop_between_keeping_and_posting_still_posts_nothing(room) -> None:
    line = room.line(room.order(room.open()))
    line.on_keep = lambda: line.stop(StopCause.SUPERSEDED)
    assert room.run(line).state is JobState.SUPERSEDED
    assert room.reviews() == []
    assert room.check().conclusion == "cancelled"


def test_being_parked_when_the_review_is_on_the_pull_comes_too_late(room) -> None:
    line = room.line(room.order(room.open()))
    line.release = lambda: line.stop(StopCause.PARKED)
    assert room.run(line).state is JobState.DONE
    assert len(room.reviews()) == 1
    assert room.check().conclusion == "success"


def test_the_check_of_a_posted_review_is_closed_whatever_the_database_takes(room, until: Until) -> None:
    line = room.line(room.order(room.open()))
    closed: list[str] = []

    def slowly() -> None:
        until(lambda: room.check().status == "completed")
        closed.append(room.check().conclusion)

    line.release = slowly
    assert room.run(line).state is JobState.DONE
    assert closed[:1] == ["success"]
    assert len(room.reviews()) == 1


def test_a_job_that_was_told_to_stop_before_it_began_does_nothing_but_close_its_check(room) -> None:
    line = room.line(room.order(room.open()))
    line.stop(StopCause.SUPERSEDED)
    assert room.run(line).state is JobState.SUPERSEDED
    assert room.check().conclusion == "cancelled"
    assert not line.told


def test_a_head_that_has_moved_on_is_ordered_instead(room) -> None:
    pull = room.open()
    order = room.order(pull, force=True)
    newer = room.repo.commit("topic", {"new.py": "x = 1\n"}, "More", "mona")
    line = room.line(order)
    ended = room.run(line)
    assert ended.state is JobState.SUPERSEDED
    assert ended.why == f"the head moved to {newer[:7]}"
    assert (room.check().conclusion, room.check().title) == ("cancelled", f"Superseded by {newer[:7]}")
    assert room.reviews() == []
    # Its own delivery may have come before this one. Nobody has asked for that head by force.
    assert line.submitted == [replace(order, head_sha=newer, force=False)]
    assert line.released


def test_another_base_branch_is_ordered_instead(room) -> None:
    pull = room.open()
    order = room.order(pull)
    line = room.line(replace(order, base_ref="develop"))
    ended = room.run(line)
    assert (ended.state, ended.why) == (JobState.SUPERSEDED, "the base branch moved to main")
    assert line.submitted == [order]


def test_who_is_told_to_stop_while_it_looks_again_orders_nothing(make_room: Callable[..., Any]) -> None:
    lines: list[Any] = []

    def superseded(stop: Any, _seconds: float) -> bool:
        lines[0].stop(StopCause.SUPERSEDED)
        return bool(stop.cancelled)

    room = make_room(pause=superseded)
    order = room.order(room.open())
    room.repo.commit("topic", {"new.py": "x = 1\n"}, "More", "mona")
    lines.append(room.line(order))
    assert room.run(lines[0]).why == "a newer push came"
    assert lines[0].submitted == []


def test_a_pull_that_github_still_shows_as_it_was_is_read_again(make_room: Callable[..., Any]) -> None:
    heads: list[str] = []

    def shown_at_last(_stop: Any, _seconds: float) -> bool:
        room.repo.push("topic", heads[0])
        return False

    room = make_room(pause=shown_at_last)
    pull = room.open()
    git = room.repo.git
    tree = git.write_tree(pull.head_sha, {"later.py": b"y = 2\n"})
    author = room.github.world.person(pull.author)
    heads.append(git.write_commit(tree=tree, parents=[pull.head_sha], message="Later", author=author))
    # The delivery is ahead of what the API shows.
    ended = room.run(room.line(replace(room.order(pull), head_sha=heads[0])))
    assert ended.state is JobState.DONE
    assert [review.commit_id for review in room.reviews()] == heads
