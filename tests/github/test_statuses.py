"""A commit status: put, refused, sent again."""

from __future__ import annotations

import pytest

from bot.github.statuses import LONGEST, State, one_line, post_status
from bot.review.model import CommitSha, RepoName
from bot.sandbox.github import Fault


def put(desk, token="job", **more):
    known = {"state": State.FAILURE, "description": "2 findings of high or above", "target_url": "https://ci.example/7"}
    client = desk.client(token)
    sha = CommitSha(desk.repo.git.resolve("main"))
    return post_status(client, RepoName(desk.repo.full_name), sha, stop=desk.clock.stop(), **{**known, **more})


@pytest.fixture
def desk(quiet):
    quiet.world.actions_token(quiet.repo.full_name, "job", {"statuses": "write", "contents": "read"})
    quiet.repo.statuses.clear()
    return quiet


def test_a_status_stands_on_its_commit_with_a_link(desk) -> None:
    assert put(desk)
    (status,) = desk.repo.statuses
    assert (status.state, status.context, status.target_url) == ("failure", "spark", "https://ci.example/7")
    assert (status.sha, status.description) == (desk.repo.git.resolve("main"), "2 findings of high or above")


def test_a_status_without_a_page_has_no_link(desk) -> None:
    assert put(desk, target_url="")
    assert desk.repo.statuses[0].target_url is None


@pytest.mark.parametrize("permissions", [{"statuses": "read", "contents": "read"}, {"contents": "read"}])
def test_a_token_that_may_not_is_told_by_the_result(desk, permissions) -> None:
    desk.world.actions_token(desk.repo.full_name, "reader", permissions)
    assert not put(desk, "reader")
    assert desk.repo.statuses == []


@pytest.mark.parametrize(("status", "times", "taken"), [(404, None, False), (502, 1, True), (502, None, False)])
def test_what_was_lost_is_sent_again_and_nothing_is_raised(desk, status, times, taken) -> None:
    desk.server.faults.add(Fault(match="POST /repos/*/statuses/*", status=status, times=times))
    assert put(desk) is taken
    assert len(desk.repo.statuses) == taken


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines\x1b[0m", "two lines [0m"),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), "x" * (LONGEST - 1) + "…"),
        ("fire 🔥 works", "fire works"),
    ],
)
def test_a_description_is_one_line_that_github_takes(desk, text, line) -> None:
    assert one_line(text) == line
