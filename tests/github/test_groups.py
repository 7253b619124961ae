"""A merge group as a source: two commits compared, and the pull that the queue's branch names."""

from __future__ import annotations

from typing import Any

import pytest

from bot.github.groups import Group, base_of_queue
from bot.review.model import CommitSha, RepoName
from bot.review.recall import PastNote, assemble
from bot.review.render.markers import ReviewMarker, RoundMarker, review_marker, round_marker
from bot.review.together import together

SHA = "a1" * 20


def group(head_ref: str, **more: Any) -> Group:
    named: dict[str, Any] = {
        "repo": RepoName("o/r"),
        "base_sha": CommitSha("b" * 40),
        "head_sha": CommitSha("c" * 40),
        "head_ref": head_ref,
        "base_ref": "refs/heads/main",
    }
    return Group(**{**named, **more})


@pytest.mark.parametrize(
    ("ref", "number", "base"),
    [
        (f"refs/heads/gh-readonly-queue/main/pr-12-{SHA}", 12, SHA),
        (f"gh-readonly-queue/release/1.0/pr-7-{SHA}", 7, SHA),
        (f"refs/heads/gh-readonly-queue/pr-5-{SHA}/pr-6-{SHA}", 6, SHA),
        (f"refs/heads/mine/gh-readonly-queue/main/pr-12-{SHA}", None, None),
        ("refs/heads/gh-readonly-queue/main/pr-12", None, None),
        (f"refs/heads/gh-readonly-queue/main/pr-x-{SHA}", None, None),
        ("", None, None),
    ],
)
def test_a_group_s_pull_and_base_are_read_from_the_name_that_github_gives_its_branch(
    ref: str, number: int | None, base: str | None
) -> None:
    assert group(ref).number == number
    assert base_of_queue(ref) == base


def past(head: str, rules: str, *seen: int) -> Any:
    marks = [
        review_marker(ReviewMarker(head=CommitSha(head * 40), base=CommitSha("b" * 40), run="r")),
        round_marker(RoundMarker(round=1, rules=rules, seen=frozenset(seen))),
    ]
    note = PastNote(id=1, url="u", body="\n".join(marks), is_ours=True, in_conversation=False, state="COMMENTED")
    return assemble([], [note], may_write=lambda _login: True, author="mona")


def test_what_was_seen_by_the_same_rules_in_other_pulls_counts_and_nothing_else_of_them() -> None:
    first, same, other = past("1", "aa", 1, 2), past("2", "aa", 3), past("3", "bb", 4)
    both = together(first, [same, other, assemble([], [], may_write=lambda _login: True, author="")])
    assert both.last is not None
    assert (both.last.head, both.last.seen) == ("1" * 40, {1, 2, 3})
    assert both.verdicts == {}


def test_a_pull_that_nobody_reviewed_is_not_known_by_what_others_know() -> None:
    nothing = assemble([], [], may_write=lambda _login: True, author="")
    assert together(nothing, [past("2", "aa", 3)]).last is None
