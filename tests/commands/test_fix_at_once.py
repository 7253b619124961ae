"""Two commands of the same second about the same finding: one mends it, the other one says where."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from bot.commands.commits import message
from bot.commands.model import CommentKind, CommentRef, Reaction
from bot.review.memory import CommentId, Thread
from bot.review.ports import CallKind, Prompt
from bot.review.recall import line_digest
from bot.review.render.markers import step_marker

if TYPE_CHECKING:
    from conftest import MakeWorld, World

HEAD = "import json\n\n\ndef load(path, cache={}):\n    if path == None:\n        return cache\n    return json.load(open(path))\n"
SHARED, NONE = "def load(path, cache={}):", "    if path == None:"
MENDED = HEAD.replace("cache={}", "cache=None")
OTHER = CommentRef(kind=CommentKind.CONVERSATION, id=CommentId(1), node_id="x")


def model(prompt: Prompt, _before: int) -> str:
    assert prompt.kind is not CallKind.FIX
    if prompt.kind is CallKind.CHECK:
        return json.dumps({"analysis": "As reported.", "verdict": "real"})
    return '{"none": true}\n{"end": true}'


@pytest.fixture
def pull(make_world: MakeWorld) -> Callable[[], tuple[World, Thread, Thread]]:
    """Two findings with patches."""

    def make() -> tuple[World, Thread, Thread]:
        world = make_world(base={}, head={"app.py": HEAD}, script=model)
        shared = world.finding(
            "A default that is shared", lines=[line_digest(SHARED)], suggestion="def load(path, cache=None):"
        )
        none = world.finding("Compared with ==", line=5, lines=[line_digest(NONE)], suggestion="    if path is None:")
        return world, shared, none

    return make


def mend(world: World, *, title: str = "A default that is shared", ours: bool = True) -> str:
    """A commit that mends the first finding, as another command makes it; its first digits."""
    headline, body = message("Apply 1 suggested fix", [f"- app.py: {title}"], OTHER)
    return world.branch.push({"app.py": MENDED.encode()}, message=f"{headline}\n\n{body}", is_ours=ours)[:7]


def test_a_fix_of_what_fix_all_has_mended_says_in_which_commit(
    pull: Callable[..., tuple[World, Thread, Thread]],
) -> None:
    world, shared, _ = pull()
    world.says("/spark fix all")
    sha = world.branch.head()

    outcome = world.says("/spark fix --commit", thread=shared)

    assert outcome.what == "answered"
    assert world.last.startswith(f"There is nothing left to do: it was mended in [`{sha[:7]}`](")
    assert f"/commits/{sha})" in world.last
    ref = world.talk.answers[-1].ref
    assert ref is not None
    assert world.talk.reactions_to(ref) == [Reaction.SEEN]
    assert len(world.branch.made) == 1


def test_fix_all_names_the_commit_of_a_fix_that_was_faster(pull: Callable[..., tuple[World, Thread, Thread]]) -> None:
    world, shared, none = pull()
    world.says("/spark fix --commit", thread=shared)
    sha = world.branch.head()[:7]

    assert world.says("/spark fix all").what == "committed"

    assert f"({shared.url})): it was mended in `{sha}`." in world.last
    assert none.url in world.last.partition("**Not in it")[0]


def test_a_commit_that_comes_between_reading_and_committing_is_named(
    pull: Callable[..., tuple[World, Thread, Thread]],
) -> None:
    world, shared, _ = pull()
    race = world.branch.commit

    def late(draft: object) -> object:
        world.branch.commit = race
        mend(world)
        return race(draft)

    world.branch.commit = late
    assert world.says("/spark fix --commit", thread=shared).what == "answered"
    assert "it was mended in" in world.last
    assert "moved" not in world.last


def test_fix_all_on_a_head_that_moved_does_not_offer_what_was_mended_meanwhile(
    pull: Callable[..., tuple[World, Thread, Thread]],
) -> None:
    world, shared, none = pull()
    race = world.branch.commit

    def late(draft: object) -> object:
        world.branch.commit = race
        mend(world)
        return race(draft)

    world.branch.commit = late
    assert world.says("/spark fix all").what == "refused"

    standing, _, left = world.last.partition("**Left out")
    assert none.url in standing
    assert shared.url not in standing
    assert "it was mended in" in left
    assert "Say `/spark fix all` again." in world.last


@pytest.mark.parametrize(
    ("title", "ours", "told"),
    [
        ("Something else", True, "its lines were changed in [`"),
        ("A default that is shared", False, "has changed since"),
    ],
)
def test_mended_is_said_of_a_commit_of_ours_that_was_made_for_it_alone(
    pull: Callable[..., tuple[World, Thread, Thread]], title: str, ours: bool, told: str
) -> None:
    world, shared, _ = pull()
    mend(world, title=title, ours=ours)

    world.says("/spark fix", thread=shared)

    assert told in world.last
    assert "mended" not in world.last


def test_a_mend_that_was_taken_back_is_none(pull: Callable[..., tuple[World, Thread, Thread]]) -> None:
    world, shared, _ = pull()
    world.says("/spark fix --commit", thread=shared)
    world.says("/spark undo")

    world.says("/spark fix", thread=shared)

    assert "mended" not in world.last
    assert "The suggestion above still holds" in world.last


@pytest.mark.parametrize("asked_first", [True, False])
def test_a_thread_that_the_command_alone_held_open_is_resolved_and_one_of_a_person_is_not(
    pull: Callable[..., tuple[World, Thread, Thread]], asked_first: bool
) -> None:
    """A review says “Fixed in …” and leaves a thread open in which somebody wrote meanwhile."""
    world, shared, _ = pull()
    sha = mend(world)
    said = "/spark fix --commit"
    note = f"Fixed in {sha}.\n\n{step_marker(f'fixed-{sha}')}"
    if asked_first:
        ref = world.comment(said, thread=shared)
        world.comment(note, by="spark[bot]", thread=shared)
    else:
        world.comment(note, by="spark[bot]", thread=shared)
        ref = world.comment(said, thread=shared)

    world.says(said, ref=ref)

    assert "it was mended in" in world.last
    assert world.now(shared).is_resolved is asked_first
