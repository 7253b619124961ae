"""Runs that do not stand on the pull request: of a comment, of a merge group. And the verdict as a commit status."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.github.faults import Fault
from bot.sandbox.github.gestures import queue_merge
from bot.sandbox.github.talk import reply, say
from bot.sandbox.github.world import APP_PERMISSIONS

GATE = "gate:\n  fail_on: high\n"
NO_STATUS = {name: level for name, level in APP_PERMISSIONS.items() if name != "statuses"}


def comment(stage: Any, pull: Any, body: str, by: str = "mona") -> Any:
    """The step on a new comment."""
    made = say(stage.repo, pull.number, body, by=by)
    return stage.run("issue_comment", stage.payload("issue_comment", "created", by=by, pull=pull, comment=made))


def states(stage: Any) -> list[tuple[str, str, str]]:
    return [(status.sha, status.state, status.context) for status in stage.repo.statuses]


@pytest.mark.parametrize(("level", "state", "code"), [("high", "failure", 1), ("critical", "success", 0)])
def test_a_verdict_is_a_status_on_the_head_too(stage, level, state, code) -> None:
    pull = stage.open(f"gate:\n  fail_on: {level}\n")
    assert stage.on_pull(pull, event="pull_request_target").code == code
    assert states(stage) == [(pull.head_sha, state, "spark")]
    (status,) = stage.repo.statuses
    assert status.target_url == f"{stage.github.web_url}/{stage.name}/actions/runs/4711"
    assert status.description


def test_a_token_that_may_write_no_status_is_no_fault(stage) -> None:
    stage.permit(NO_STATUS)
    ran = stage.on_pull(stage.open())
    assert (ran.code, ran.said("warning"), states(stage)) == (0, [], [])


@pytest.mark.parametrize("draft", [False, True])
def test_post_false_writes_no_status(stage, draft) -> None:
    pull = stage.open("review:\n  drafts: false\n", draft=draft)
    stage.on_pull(pull, post="false")
    group = queue_merge(stage.repo, pull.number)
    stage.run("merge_group", stage.payload("merge_group", "checks_requested", group=group), post="false")
    assert states(stage) == []


PUSHES_AND_LABEL = "review:\n  on: [opened, synchronize, label]\n  label: look\n"


def test_a_label_does_not_turn_a_status_green_that_says_a_review_could_not_be_posted(stage) -> None:
    pull = stage.open(PUSHES_AND_LABEL)
    fault = Fault(match=f"POST /repos/{stage.name}/pulls/*/reviews", status=503, times=None)
    stage.github.faults.add(fault)
    assert stage.on_pull(pull).code == 3
    stage.github.faults.clear()
    stage.on_pull(pull, "labeled", subjects={"label": "other"})
    assert states(stage) == [(pull.head_sha, "error", "spark")]


def test_a_push_that_nobody_wants_reviewed_has_a_green_status(stage) -> None:
    pull = stage.open(PUSHES_AND_LABEL.replace("opened, synchronize", "opened"))
    stage.on_pull(pull, "synchronize")
    assert states(stage) == [(pull.head_sha, "success", "spark")]


def test_a_command_for_a_review_has_its_verdict_on_the_head_and_not_on_the_default_branch(stage) -> None:
    pull = stage.open(GATE)
    ran = comment(stage, pull, "/spark review")
    assert (ran.code, ran.outputs["verdict"], len(stage.reviews())) == (0, "fail", 1)
    assert len(ran.said("error")) == 1
    assert states(stage) == [(pull.head_sha, "failure", "spark")]


def test_without_a_status_a_commands_verdict_is_its_jobs(stage) -> None:
    stage.permit(NO_STATUS)
    ran = comment(stage, stage.open(GATE), "/spark review")
    assert (ran.code, ran.outputs["verdict"]) == (1, "fail")


def test_a_command_without_a_review_is_answered_and_green(stage) -> None:
    pull = stage.open(GATE)
    ran = comment(stage, pull, "/spark help")
    assert (ran.code, stage.reviews(), states(stage)) == (0, [], [])
    assert len(stage.repo.issue_comments) == 2


def test_what_is_no_command_asks_github_nothing(stage) -> None:
    pull = stage.open()
    stage.github.requests.clear()
    ran = comment(stage, pull, "Looks good to me.")
    assert (ran.code, ran.outputs["verdict"], len(ran.said("notice"))) == (0, "neutral", 1)
    assert list(stage.github.requests) == []


@pytest.mark.parametrize("body", ["Looks good to me.", "/spark explain"])
def test_a_comment_in_a_thread_does_not_turn_a_red_head_green(stage, body) -> None:
    pull = stage.open(GATE)
    assert stage.on_pull(pull).code == 1
    calls = len(stage.endpoint.requests)
    thread = next(iter(stage.repo.threads.values()))
    made = reply(stage.repo, thread, body, by="mona")
    event = "pull_request_review_comment"
    ran = stage.run(event, stage.payload(event, "created", comment=made))
    assert (ran.code, ran.outputs["verdict"]) == (1, "fail")
    assert len([review for review in stage.reviews() if review.body]) == 1
    kinds = len(stage.endpoint.requests) - calls
    assert kinds <= 1, "more than the reply or the command itself was asked about"


def test_a_merge_group_has_its_verdict_in_the_run_and_as_a_status_on_its_own_head(stage) -> None:
    pull = stage.open()
    assert stage.on_pull(pull).code == 0
    group, calls = queue_merge(stage.repo, pull.number), len(stage.endpoint.requests)
    ran = stage.run("merge_group", stage.payload("merge_group", "checks_requested", group=group))
    assert (ran.code, ran.outputs["verdict"], ran.outputs["review-url"]) == (0, "pass", ""), ran.log
    assert len(stage.endpoint.requests) == calls
    assert "brings nothing but what was reviewed there" in ran.page
    assert [(each.sha, each.state) for each in stage.repo.statuses if each.sha == group.head_sha] == [
        (group.head_sha, "success")
    ]
