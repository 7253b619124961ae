"""Suggestions on other lines than the thread they were asked for in: whose they are, and what is said in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.commands.edits import source_lines
from bot.commands.model import Reaction
from bot.diff.anchors import line_hash
from bot.review.children import over_with
from bot.review.memory import Thread
from bot.review.ports import CallKind, Prompt, Then, ThreadStep
from bot.review.recall import line_digest
from bot.review.render.markers import read_dismissal_marker

if TYPE_CHECKING:
    from conftest import MakeWorld, World

HEAD = "import json\n\n\ndef load(path, cache={}):\n    return json.load(open(path))\n"
NEW = "import json\nimport os"
WITH_NEW = HEAD.replace("import json\n", f"{NEW}\n", 1)


def model(prompt: Prompt, _before: int) -> str:
    if prompt.kind is not CallKind.FIX:
        return "It is shared."
    at = f"R1#{line_hash(source_lines(HEAD)[0].text)}"
    return f'{{"why": "An import."}}\n{json.dumps({"from": at, "to": at, "text": NEW})}\n{{"end": true}}'


Both = tuple["World", Thread, Thread]


@pytest.fixture
def both(make_world: MakeWorld) -> Callable[[], Both]:
    """A finding's thread, and the one that `/spark fix` began for it on another line."""

    def make(*, title: str = "A [default] *that* is shared") -> Both:
        world = make_world(base={}, head={"app.py": HEAD}, script=model)
        parent = world.finding(title, line=4, lines=[line_digest("def load(path, cache={}):")])
        world.says("/spark fix", thread=parent)
        [posted] = world.talk.suggestions
        assert posted.anchor is not None
        start = posted.anchor.start_line if posted.anchor.start_line != posted.anchor.line else None
        child = world.thread(posted.body, by="spark[bot]", line=posted.anchor.line, start=start)
        return world, parent, child

    return make


def test_the_suggestion_links_its_finding_by_the_title(both: Callable[[], Both]) -> None:
    world, parent, _ = both()

    [posted] = world.talk.suggestions
    assert posted.text.splitlines()[-1] == rf"<sub>For [A \(default\) \*that\* is shared]({parent.url})</sub>"


def test_a_dismissal_said_beside_is_the_findings_and_resolves_both(both: Callable[[], Both]) -> None:
    world, parent, child = both()
    ref = world.comment("/spark ignore it is never written to", thread=child)

    outcome = world.says("/spark ignore it is never written to", ref=ref)

    assert outcome.what == "ignored"
    assert read_dismissal_marker(world.now(parent).comments[-1].body) is not None
    assert world.now(parent).is_resolved
    assert world.now(child).is_resolved
    assert Reaction.DONE in world.talk.reactions_to(ref)
    [known] = world.talk.recall().findings
    assert known.dismissal is not None
    assert known.dismissal.reason == "it is never written to"


@pytest.mark.parametrize("said", ["/spark ignore on purpose", "/spark resolve"])
def test_a_finding_that_is_let_go_takes_its_suggestion_with_it(both: Callable[[], Both], said: str) -> None:
    world, parent, child = both()
    world.says(said, thread=parent)

    assert world.now(parent).is_resolved
    assert world.now(child).is_resolved


def test_a_suggestion_under_which_somebody_waits_for_an_answer_stays_open(both: Callable[[], Both]) -> None:
    world, parent, child = both()
    world.comment("Is that import used anywhere?", by="grace", thread=child)

    world.says("/spark ignore on purpose", thread=parent)

    assert world.now(parent).is_resolved
    assert not world.now(child).is_resolved


def test_a_suggestion_can_be_resolved_without_its_finding(both: Callable[[], Both]) -> None:
    world, parent, child = both()
    world.says("/spark resolve", thread=child)

    assert world.now(child).is_resolved
    assert not world.now(parent).is_resolved


def test_explain_beside_explains_the_finding_where_it_was_asked(both: Callable[[], Both]) -> None:
    world, _, child = both()
    world.says("/spark explain", thread=child)

    assert "made once and shared by all calls" in world.model.prompts[-1].user
    assert "It is shared." in world.now(child).comments[-1].body


def test_fix_beside_says_that_the_suggestion_holds_and_commit_takes_just_that_one(both: Callable[[], Both]) -> None:
    world, _, child = both()
    asked = len(world.model.prompts)

    world.says("/spark fix", thread=child)
    assert world.last == "The suggestion above still holds; `/spark fix --commit` makes it a commit."
    assert len(world.talk.suggestions) == 1

    assert world.says("/spark fix --commit", thread=child).what == "committed"
    assert world.branch.made[0].files == {"app.py": WITH_NEW.encode()}
    assert "that is shared" in world.branch.made[0].body
    assert len(world.model.prompts) == asked


def test_where_the_lines_of_the_suggestion_changed_the_model_is_asked_about_the_finding(
    both: Callable[[], Both],
) -> None:
    world, _, child = both()
    asked = len(world.model.prompts)
    # The blank line that it puts something before is no longer blank.
    world.branch.push({"app.py": HEAD.replace("json\n\n\n", "json\n# Settings.\n\n").encode()}, message="A comment")

    world.says("/spark fix", thread=child)

    prompt = world.model.prompts[asked].user
    assert "A [default] *that* is shared" in prompt
    assert "made once and shared by all calls" in prompt


def test_a_copied_mark_in_a_persons_thread_names_no_parent(both: Callable[[], Both]) -> None:
    world, parent, child = both()
    copy = world.thread(world.now(child).comments[0].body, by="mallory", line=2)

    world.says("/spark ignore it", thread=copy)

    assert not world.now(parent).is_resolved
    assert "not about a finding of mine" in world.last


# -- in a review


def step(thread: Thread, then: Then) -> ThreadStep:
    return ThreadStep(thread=thread.id, root=thread.comments[0].id, body="Fixed.", then=then)


@pytest.mark.parametrize(
    ("resolved", "then", "over"),
    [
        (False, None, False),
        (False, Then.NOTHING, False),
        (False, Then.RESOLVE, True),
        (True, None, True),
        (True, Then.REOPEN, False),
    ],
)
def test_a_review_resolves_a_suggestion_with_its_finding_and_says_nothing(
    both: Callable[[], Both], resolved: bool, then: Then | None, over: bool
) -> None:
    world, parent, child = both()
    world.talk.threads[parent.id] = replace(parent, is_resolved=resolved)
    steps = [] if then is None else [step(parent, then)]

    told = over_with(world.talk.recall(), steps)

    quiet = ThreadStep(thread=child.id, root=child.comments[0].id, body="", then=Then.RESOLVE, follows=parent.id)
    assert told == ((quiet,) if over else ())


def test_a_review_leaves_a_suggestion_alone_that_is_over_or_that_somebody_asks_about(both: Callable[[], Both]) -> None:
    world, parent, child = both()
    ends = [step(parent, Then.RESOLVE)]
    world.talk.threads[child.id] = replace(child, is_resolved=True)
    assert over_with(world.talk.recall(), ends) == ()

    world.talk.threads[child.id] = child
    world.comment("Why?", by="grace", thread=child)
    assert over_with(world.talk.recall(), ends) == ()
