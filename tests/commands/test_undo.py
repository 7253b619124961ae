from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.commands.model import Reaction
from bot.review.config import Role
from bot.review.recall import line_digest

if TYPE_CHECKING:
    from conftest import MakeWorld, World

LINES = [f"line {number}" for number in range(20)]
TEXT = "\n".join(LINES) + "\n"
HEAD = TEXT.replace("line 4\n", "line four\n").replace("line 5\n", "line five\n")


@pytest.fixture
def fixed(make_world: MakeWorld) -> World:
    """A pull with one commit of ours on it."""
    world = make_world(base={"a.txt": TEXT}, head={"a.txt": HEAD})
    fix(world, "line four", "line IV", 5)
    return world


def fix(world: World, old: str, new: str, line: int) -> None:
    thread = world.finding(f"{old} is wrong", path="a.txt", line=line, lines=[line_digest(old)], suggestion=new)
    assert world.says("/spark fix --commit", thread=thread).what == "committed", world.last


def text(world: World) -> str:
    data = world.branch.file("a.txt", world.branch.head())
    assert data is not None
    return data.decode()


def test_the_last_commit_is_taken_back_by_one_commit_that_says_so(fixed: World) -> None:
    ours = fixed.branch.head()

    outcome = fixed.says("/spark undo")

    assert text(fixed) == HEAD
    assert outcome.what == "committed"
    assert outcome.commit == fixed.branch.head() != ours
    made = fixed.branch.made[-1]
    assert made.expected_head == ours
    assert made.headline == f"Undo {ours[:7]}"
    assert made.body.endswith(f"Spark-Undo: {ours}")
    assert ours[:7] in fixed.last
    assert "`a.txt`" in fixed.last
    ref = fixed.talk.answers[-1].ref
    assert ref is not None
    assert fixed.talk.reactions_to(ref)[-1] is Reaction.DONE


def test_what_came_after_it_on_other_lines_stays(fixed: World) -> None:
    fixed.branch.push({"a.txt": text(fixed).replace("line 15", "line fifteen").encode()}, message="More")

    fixed.says("/spark undo")

    assert text(fixed) == HEAD.replace("line 15", "line fifteen")


def test_what_came_after_it_on_the_same_lines_is_refused_and_the_files_are_named(fixed: World) -> None:
    fixed.branch.push({"a.txt": text(fixed).replace("line IV", "line iv").encode()}, message="More")
    before = len(fixed.branch.log)

    outcome = fixed.says("/spark undo")

    assert outcome.what == "refused"
    assert "were changed after it in `a.txt`" in fixed.last
    assert len(fixed.branch.log) == before


def test_a_file_that_was_deleted_since_is_not_brought_back(fixed: World) -> None:
    fixed.branch.push({"a.txt": None}, message="Away")

    assert fixed.says("/spark undo").what == "refused"
    assert "`a.txt`" in fixed.last


def test_the_next_undo_takes_the_commit_before_and_no_undo_is_undone(fixed: World) -> None:
    fix(fixed, "line five", "line V", 6)

    fixed.says("/spark undo")
    assert text(fixed) == HEAD.replace("line four", "line IV")
    fixed.says("/spark undo")
    assert text(fixed) == HEAD
    outcome = fixed.says("/spark undo")

    assert outcome.what == "refused"
    assert fixed.last.endswith("Nothing of mine is left to undo on this pull request.")
    assert text(fixed) == HEAD


def test_what_somebody_took_back_by_hand_counts_as_undone(fixed: World) -> None:
    fixed.branch.push({"a.txt": HEAD.encode()}, message="Revert")

    assert "nothing to undo" in (fixed.says("/spark undo").why)


def test_commits_of_people_are_never_undone(make_world: MakeWorld) -> None:
    world = make_world(base={"a.txt": TEXT}, head={"a.txt": HEAD})
    world.branch.push({"a.txt": b"theirs\n"}, message="Fix\n\nSpark-Command: thread-1")

    assert world.says("/spark undo").what == "refused"
    assert text(world) == "theirs\n"


def test_a_commit_that_somebody_pushed_in_our_name_is_not_undone(fixed: World) -> None:
    """git lets everybody write any author; GitHub signs only what it commits itself."""
    theirs = text(fixed).replace("line 19", "line of theirs")
    fixed.branch.push({"a.txt": theirs.encode()}, message="Fix\n\nSpark-Command: thread-1")
    fixed.branch.log[-1] = replace(fixed.branch.log[-1], is_ours=True)

    assert fixed.says("/spark undo").what == "committed"
    assert text(fixed) == HEAD.replace("line 19", "line of theirs")


@pytest.mark.parametrize(("trouble", "why"), [("block", "the fork is closed to us"), ("refuse", "a rule forbids it")])
def test_a_branch_that_cannot_be_written_to_says_why(fixed: World, trouble: str, why: str) -> None:
    setattr(fixed.branch, trouble, why)

    assert fixed.says("/spark undo").what == "refused"
    assert why in fixed.last


def test_a_branch_that_moves_meanwhile_is_not_forced(fixed: World) -> None:
    fixed.branch.race = {"other.txt": b"faster\n"}

    fixed.says("/spark undo")

    assert "the branch has moved" in fixed.last
    assert fixed.last.endswith("Say `/spark undo` again.")
    assert "line IV" in text(fixed)


def test_an_undo_that_runs_again_after_a_kill_finds_its_commit(fixed: World) -> None:
    first = fixed.says("/spark undo")
    ref = fixed.talk.answers[-1].ref
    assert ref is not None
    fixed.talk.answers.pop()

    again = fixed.says("/spark undo", ref=ref)

    assert again.commit == first.commit
    assert text(fixed) == HEAD


def test_a_triager_undoes_nothing(fixed: World) -> None:
    fixed.people.roles["tria"] = Role.TRIAGE
    fixed.says("/spark undo", by="tria")

    assert "line IV" in text(fixed)


def test_nothing_is_undone_on_a_closed_pull(make_world: MakeWorld) -> None:
    world = make_world(base={"a.txt": TEXT}, head={"a.txt": HEAD}, is_open=False)
    assert world.says("/spark undo").what == "refused"
