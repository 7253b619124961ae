"""A merge queue waits for the check on a group's head: what merging made of the pulls is held against what was reviewed in them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from bot.engine.model import JobState, StopCause
from bot.hooks.orders import AnswerGroup
from bot.review.model import CommitSha
from bot.sandbox.endpoint import faults
from bot.sandbox.github import gestures
from bot.sandbox.github.faults import Fault

GATE = "gate:\n  fail_on: high\nreview:\n  effort: instant\n"
BASE = {"one.py": b"import os\n\n\ndef f(a):\n    return a\n\n\n" + b"".join(b"x%d = %d\n" % (n, n) for n in range(20))}
GOOD = {"one.py": BASE["one.py"].replace(b"    return a\n", b"    b = a + 1\n    return b\n")}
BAD = {"two.py": b"import os\n\n\ndef g(b):\n    os.system(f'ls {b}')\n"}


def opened(room: Any, files: dict[str, bytes], *, config: str = GATE, is_reviewed: bool = True) -> Any:
    """A pull request, and what it is based on."""
    room.repo.commit("main", {**BASE, ".github/spark.yml": config.encode()}, "Books", "mona")
    room.repo.branch("topic", "main")
    room.repo.commit("topic", files, "Search", "mona")
    pull = room.repo.open_pull("Search", "", head="topic", base="main", author="mona")
    if is_reviewed:
        room.review(pull)
    return pull


@pytest.fixture
def queue(room):
    """Opens a pull request that waits to be queued."""
    return partial(opened, room)


def order(room: Any, group: Any) -> AnswerGroup:
    return AnswerGroup(
        place=room.place(),
        head_sha=CommitSha(group.head_sha),
        head_ref=group.head_ref,
        base_sha=CommitSha(group.base_sha),
        base_ref=group.base_ref,
    )


def merge(room: Any, pull: Any, **more: Any) -> tuple[Any, Any, int]:
    """What became of the group: how its job ended, its check, and how often the model was asked."""
    group = gestures.queue_merge(room.repo, pull.number)
    asked = len(room.endpoint.requests)
    ended = room.run(room.line(replace(order(room, group), **more), job="00000000000000aa"))
    check = next((check for check in room.checks() if check.suite.head_sha == group.head_sha), None)
    return ended, check, len(room.endpoint.requests) - asked


def test_a_group_that_brings_nothing_but_what_was_reviewed_is_green_without_asking_the_model(room, queue) -> None:
    pull = queue(GOOD)
    room.repo.commit("main", {"other.py": b"y = 1\n"}, "Beside it", "mona")
    ended, check, calls = merge(room, pull)
    assert (ended.state, ended.verdict, calls) == (JobState.DONE, "pass", 0)
    assert (check.name, check.conclusion) == ("spark", "success")
    assert f"Merging [#{pull.number}]" in check.summary
    (review,) = room.reviews()
    assert (
        f"brings nothing but what was [reviewed there]({room.github.web_url}/{room.name}/pull/{pull.number}"
        in check.summary
    )
    assert f"#pullrequestreview-{review.id})." in check.summary
    assert len(room.reviews()) == 1


def test_a_hunk_that_merging_changes_is_reviewed_and_no_other(room, queue) -> None:
    files = {"one.py": GOOD["one.py"].replace(b"x19 = 19\n", b"x19 = 19\nlast = 1\n")}
    pull = queue(files)
    # Right above one of the pull's two hunks: what that hunk does may be another thing now.
    main = {"one.py": BASE["one.py"].replace(b"import os\n", b"import os\nimport sys\n")}
    room.repo.commit("main", main, "Meanwhile", "mona")
    ended, check, calls = merge(room, pull)
    assert (ended.verdict, calls, check.conclusion) == ("pass", 1, "success")
    assert "changes 1 of 2 hunks; it was reviewed as merging makes it." in check.summary


def test_new_lines_that_nobody_saw_are_reviewed_and_a_severe_finding_makes_the_check_red(room, queue) -> None:
    pull = queue(GOOD)
    # A commit that was pushed after the review, as where the queue was faster.
    room.repo.commit("topic", BAD, "One more", "mona")
    ended, check, calls = merge(room, pull)
    assert (ended.verdict, check.conclusion) == ("fail", "failure")
    assert calls == 1
    assert "changes 1 of 2 hunks; it was reviewed as merging makes it." in check.summary
    assert [each["path"] for each in check.annotations] == ["two.py"]
    assert len(room.reviews()) == 1
    assert not check.actions


def test_an_open_severe_finding_of_the_pull_counts_in_its_group(room, queue) -> None:
    ended, check, calls = merge(room, queue(BAD))
    assert (ended.verdict, check.conclusion, calls) == ("fail", "failure", 0)


def test_a_pull_that_was_never_reviewed_is_reviewed_whole(room, queue) -> None:
    ended, check, calls = merge(room, queue(BAD, is_reviewed=False))
    assert (ended.verdict, check.conclusion) == ("fail", "failure")
    assert calls >= 1
    assert "was reviewed whole, as merging makes it: Spark has not reviewed it before." in check.summary


def test_a_pull_that_the_configuration_leaves_out_does_not_hold_up_the_queue(room, queue) -> None:
    pull = queue(BAD, config="review:\n  on: [label]\n", is_reviewed=False)
    ended, check, calls = merge(room, pull)
    assert (ended.state, check.conclusion, calls) == (JobState.SKIPPED, "skipped", 0)


@pytest.mark.parametrize(("files", "verdict", "calls"), [(GOOD, "pass", 0), (BAD, "fail", 1)])
def test_what_was_seen_in_another_pull_of_the_group_is_looked_at_again_only_where_that_pull_fails(
    room, queue, files, verdict, calls
) -> None:
    first = queue(files)
    room.repo.branch("second", "main")
    room.repo.commit("second", {"three.py": b"z = 3\n"}, "Three", "mona")
    second = room.repo.open_pull("Three", "", head="second", base="main", author="mona")
    room.review(second)
    group = gestures.queue_merge(room.repo, first.number)
    # The queue builds the second group on the first one, and its event may name the base branch.
    tree = room.repo.git.merge(group.head_sha, second.head_sha)
    sha = room.repo.git.write_commit(
        tree=tree,
        parents=[group.head_sha, second.head_sha],
        message=f"Merge pull request #{second.number} from second",
        author=room.repo.world.person(room.repo.owner),
    )
    ref = f"refs/heads/gh-readonly-queue/main/pr-{second.number}-{group.base_sha}"
    room.repo.git.set_branch(ref.removeprefix("refs/heads/"), sha)
    asked = len(room.endpoint.requests)
    both = AnswerGroup(
        place=room.place(),
        head_sha=CommitSha(sha),
        head_ref=ref,
        base_sha=CommitSha(group.base_sha),
        base_ref="refs/heads/main",
    )
    ended = room.run(room.line(both, job="00000000000000ab"))
    assert (ended.verdict, len(room.endpoint.requests) - asked) == (verdict, calls)


def test_a_branch_that_no_queue_made_is_reviewed_as_nobody_s(room, queue) -> None:
    ended, check, calls = merge(room, queue(GOOD), head_ref="refs/heads/gh-readonly-queue/mine")
    assert (ended.verdict, check.conclusion) == ("pass", "success")
    assert calls >= 1
    assert "This merge group was reviewed whole" in check.summary


def test_an_order_of_an_earlier_version_names_its_base_by_its_branch(room, queue) -> None:
    ended, check, _ = merge(room, queue(GOOD), base_sha=None, base_ref="")
    assert (ended.verdict, check.conclusion) == ("pass", "success")


@pytest.mark.parametrize(
    ("config", "conclusion"), [(GATE, "neutral"), ("gate:\n  require_coverage: true\n", "failure")]
)
def test_an_endpoint_that_is_down_lets_the_queue_go_on_unless_coverage_is_required(
    make_room, config: str, conclusion: str
) -> None:
    room = make_room(endpoint={"faults": [faults.status(500)] * 50})
    ended, check, calls = merge(room, opened(room, GOOD, config=config, is_reviewed=False))
    assert (check.conclusion, calls > 0) == (conclusion, True)
    assert "not reviewed" in check.title
    assert ended.state is JobState.FAILED


def test_a_github_that_does_not_compare_is_neutral_and_lets_the_queue_go_on(room, queue) -> None:
    pull = queue(BAD, is_reviewed=False)
    room.github.faults.add(Fault(match=f"GET /repos/{room.name}/compare/*", status=404, times=None))
    ended, check, _ = merge(room, pull)
    assert ended.state is JobState.FAILED
    assert check.conclusion == "neutral"


def test_a_configuration_that_is_broken_is_neutral_and_says_why(room, queue) -> None:
    pull = queue(GOOD, config="gate: [", is_reviewed=False)
    ended, check, _ = merge(room, pull)
    assert (ended.state, check.conclusion) == (JobState.SKIPPED, "neutral")
    assert ".github/spark.yml" in check.title


def test_the_same_group_twice_leaves_one_check(room, queue) -> None:
    pull = queue(GOOD)
    group = gestures.queue_merge(room.repo, pull.number)
    for attempt in (1, 2):
        room.run(room.line(order(room, group), attempt=attempt, job="00000000000000ac"))
    assert [check.conclusion for check in room.checks() if check.suite.head_sha == group.head_sha] == ["success"]


def test_a_group_that_is_parked_leaves_its_check_to_the_next_run(room, queue) -> None:
    group = gestures.queue_merge(room.repo, queue(GOOD).number)
    line = room.line(order(room, group), job="00000000000000ad")
    line.stop(StopCause.PARKED)
    assert room.run(line).state is JobState.QUEUED
