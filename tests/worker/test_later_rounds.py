"""The second push to a pull, as the App on the stand-in GitHub: what is remembered is on the pull alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.engine.model import Checkpoint, JobState
from bot.hooks.orders import Cause
from bot.live.events import LiveKind
from bot.review.render.markers import read_round_marker, state_marker
from bot.sandbox.github import talk

FIXED = b"def f(a=None):\n    if a is None:\n        return 'a'\n    return a\n"


def push(room: Any, pull: Any, files: dict[str, bytes]) -> None:
    room.repo.commit("topic", files, "More", "mona")


def later(room: Any, pull: Any, *, keep_only: bool = False, **more: Any) -> tuple[Any, Any]:
    """A review of the pull's newest head. `keep_only`: killed right before it posts."""
    line = room.line(room.order(pull, **{"cause": Cause.SYNCHRONIZE, **more}), job=f"{len(room.checks()):016x}")
    if keep_only:
        keep = line.keep

        def and_die(checkpoint: Checkpoint) -> bool:
            keep(checkpoint)
            line.owned = False
            return keep(checkpoint)

        line.keep = and_die
    return room.run(line), line


def test_a_push_that_adds_nothing_amends_the_review_and_asks_the_model_nothing(room) -> None:
    pull = room.open()
    room.review(pull)
    comments, asked = len(room.repo.comments), len(room.endpoint.requests)
    push(room, pull, {})
    ended, line = later(room, pull)
    assert ended.state is JobState.DONE
    assert len(room.endpoint.requests) == asked
    (review,) = room.reviews()
    assert read_round_marker(review.body).round == 2
    assert len(room.repo.comments) == comments
    (finished,) = line.of(LiveKind.FINISHED)
    assert finished.data["review"]["round"]["number"] == 2
    assert ended.findings == comments


def test_a_fixed_finding_is_resolved_and_a_killed_run_does_the_same_once(room) -> None:
    pull = room.open()
    room.review(pull)
    push(room, pull, {"one.py": FIXED})
    _, line = later(room, pull, keep_only=True)
    kept = Checkpoint(draft=json.loads(json.dumps(line.kept.draft)), review=json.loads(json.dumps(line.kept.review)))
    steps = kept.draft["post"]["steps"]
    assert "resolve" in {step["then"] for step in steps}
    assert not [thread for thread in room.repo.threads.values() if thread.resolved_by]
    comments, asked = len(room.repo.comments), len(room.endpoint.requests)
    for attempt in (2, 3):
        again = room.line(line.job.work, attempt=attempt, job=line.job.id, kept=kept)
        assert room.run(again).state is JobState.DONE
    assert len(room.endpoint.requests) == asked
    assert len(room.repo.comments) == comments + len(steps) + len(kept.draft["post"]["comments"])
    resolved = [thread for thread in room.repo.threads.values() if thread.resolved_by]
    assert len(resolved) == sum(step["then"] == "resolve" for step in steps)
    assert {thread.path for thread in resolved} == {"one.py"}


@pytest.mark.parametrize("cause", [Cause.SYNCHRONIZE, Cause.ASKED])
def test_a_paused_pull_is_reviewed_only_when_somebody_asks_for_it(room, cause: Cause) -> None:
    pull = room.open()
    us = room.github.world.user("spark[bot]")
    talk.add_issue_comment(room.repo, pull, us, f"Paused.\n\n{state_marker({'paused_by': 'ada'})}")
    ended, _ = later(room, pull, cause=cause)
    if cause is Cause.ASKED:
        assert ended.state is JobState.DONE
        assert len(room.reviews()) == 1
        return
    assert (ended.state, ended.why) == (JobState.SKIPPED, "the reviews of this pull request are paused by ada")
    assert (room.check().conclusion, room.check().title) == ("neutral", "Paused by ada")
    assert "`/spark resume`" in room.check().summary
    assert room.reviews() == []


def test_a_review_that_was_asked_for_looks_at_everything_again(room) -> None:
    pull = room.open()
    room.review(pull)
    asked = len(room.endpoint.requests)
    _, line = later(room, pull, cause=Cause.ASKED)
    assert len(room.endpoint.requests) > asked
    (finished,) = line.of(LiveKind.FINISHED)
    assert finished.data["review"]["round"] == {"number": 1, "since": "", "why_all": "it was asked for"}
    assert len(room.reviews()) == 1


def test_a_later_review_asks_github_for_no_text_that_an_earlier_one_has_read(room) -> None:
    pull = room.open()
    room.review(pull)
    asked = len(texts_asked_for(room))
    assert asked == 1, "the first one has read the file that it changes, and not the one that it adds"
    push(room, pull, {"one.py": FIXED})
    ended, _ = later(room, pull)
    assert ended.state is JobState.DONE
    assert len(texts_asked_for(room)) == asked
    assert {thread.path for thread in room.repo.threads.values() if thread.resolved_by} == {"one.py"}


def texts_asked_for(room: Any) -> list[str]:
    """The files at the head that GitHub was asked for."""
    graphql = [seen.json["variables"] for seen in room.github.requests if seen.path.endswith("/graphql")]
    ours = [given for given in graphql if f"{given.get('owner')}/{given.get('name')}" == room.repo.full_name]
    named = [value for given in ours for key, value in given.items() if key[0] == "e" and key[1:].isdigit()]
    blobs = [seen.path for seen in room.sent("GET", "/git/blobs/")]
    return [value for value in named if not value.startswith("refs/")] + blobs
