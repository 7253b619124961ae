"""A job without a review: a head whose pulls have to be found."""

from __future__ import annotations

import pytest

from bot.engine.model import JobState, StopCause
from bot.hooks.orders import Cause, ReviewHead
from bot.review.model import CommitSha, Effort
from bot.sandbox.github.faults import Fault


def test_a_head_becomes_a_job_for_each_open_pull_also_a_forks(room) -> None:
    room.open()
    world = room.github.world
    world.user("ann")
    fork = room.repo.fork(f"ann/{room.name.partition('/')[2]}")
    head = fork.commit("fix", {"two.py": "x = 1\n"}, "A fix", "ann")
    pull = room.repo.open_pull("A fix", "", head="fix", base="main", author="ann", head_repo=fork, draft=True)
    pull.title = f"A fix of ghp_{'a1' * 18}"
    line = room.line(ReviewHead(place=room.place(), head_sha=CommitSha(head), effort=Effort.DEEP))
    ended = room.run(line)
    assert (ended.state, ended.why) == (JobState.DONE, f"asked for a review of #{pull.number}")
    (order,) = line.submitted
    assert (order.number, order.head_sha, order.base_ref) == (pull.number, head, "main")
    assert (order.cause, order.effort, order.force) == (Cause.ASKED, Effort.DEEP, True)
    assert (order.author, order.title, order.draft) == ("ann", "A fix of ghp_•••", True)
    # And that order is one that can be done.
    review = room.run(room.line(order, job="fedcba9876543210"))
    assert review.state is JobState.DONE
    assert room.check().suite.head_sha == head


def test_a_head_without_an_open_pull_is_skipped(room) -> None:
    pull = room.open()
    room.repo.close_pull(pull.number)
    ended = room.run(room.line(ReviewHead(place=room.place(), head_sha=CommitSha(pull.head_sha))))
    assert (ended.state, ended.why) == (JobState.SKIPPED, "no open pull request has this head")


def test_github_being_down_fails_the_job_in_one_line(room) -> None:
    pull = room.open()
    room.github.faults.add(Fault(match=f"GET /repos/{room.name}/pulls*", status=502, times=None))
    ended = room.run(room.line(ReviewHead(place=room.place(), head_sha=CommitSha(pull.head_sha))))
    assert (ended.state, ended.error) == (JobState.FAILED, "OutsideError")
    assert "\n" not in ended.why


def test_why_a_job_failed_quotes_no_secret(room) -> None:
    pull = room.open()
    said = "See https://me:hunter2secret@host/ for more"
    room.github.faults.add(Fault(match=f"GET /repos/{room.name}/*pulls*", status=422, times=None, message=said))
    for work in (room.order(pull), ReviewHead(place=room.place(), head_sha=CommitSha(pull.head_sha))):
        ended = room.run(room.line(work))
        assert ended.state is JobState.FAILED
        assert "https://me:•••@host/" in ended.why


@pytest.mark.parametrize(
    ("cause", "state"), [(StopCause.PARKED, JobState.QUEUED), (StopCause.WITHDRAWN, JobState.SUPERSEDED)]
)
def test_a_short_job_that_is_stopped_while_github_is_down_ends_as_it_was_told(
    room, cause: StopCause, state: JobState
) -> None:
    pull = room.open()
    room.github.faults.add(Fault(match=f"GET /repos/{room.name}/pulls*", status=502, times=None))
    line = room.line(ReviewHead(place=room.place(), head_sha=CommitSha(pull.head_sha)))
    line.stop(cause)
    assert room.run(line).state is state
