"""A run that was killed, and the run that follows it: one review, no comment twice, and the model asked once."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import pytest

from bot.engine.model import Checkpoint, JobState
from bot.github.checks import Annotation, CheckRun, CheckRuns, Level
from bot.live.events import LiveKind
from bot.review.ports import Published
from bot.sandbox.github.faults import Fault
from bot.worker.kept import load, posted


def calls(room: Any) -> int:
    return len(room.endpoint.requests)


def kept(room: Any, pull: Any) -> Checkpoint:
    """What a run keeps that is killed before it posts: with nobody's leave to post it ends there."""
    line = room.line(room.order(pull))
    original = line.keep

    def keep(checkpoint: Checkpoint) -> bool:
        original(checkpoint)
        line.owned = False
        return original(checkpoint)

    line.keep = keep
    room.run(line)
    assert line.kept is not None
    # As the engine stores it.
    return Checkpoint(draft=json.loads(json.dumps(line.kept.draft)), review=json.loads(json.dumps(line.kept.review)))


def test_what_was_kept_before_the_kill_is_posted_and_the_model_is_not_asked_again(room) -> None:
    pull = room.open()
    checkpoint = kept(room, pull)
    assert room.reviews() == []
    assert room.check().status == "in_progress"
    before = calls(room)

    line = room.line(room.order(pull), attempt=2, kept=checkpoint)
    ended = room.run(line)
    assert calls(room) == before
    assert (ended.state, ended.verdict) == (JobState.DONE, "pass")
    (review,) = room.reviews()
    assert ended.url.endswith(str(review.id))
    assert ended.findings == len(room.repo.comments) == len(checkpoint.draft["post"]["comments"])
    assert (room.check().conclusion, room.check().title) == ("success", f"Pass: {ended.findings} findings")
    assert len(room.check().annotations) == ended.findings
    (finished,) = line.of(LiveKind.FINISHED)
    assert finished.data["review"]["review_url"] == ended.url
    timing = finished.data["review"]["timing"]
    assert checkpoint.review["timing"]["done"] <= timing["first_post"] <= timing["done"]
    result, _ = load(checkpoint)
    late = Published(url=ended.url, at=0.0, posted=())
    timing = posted(result, late, now=result.began + 30.0, stood=result.began + 2.0).review["timing"]
    assert (timing["first_post"], timing["done"]) == (2.0, 30.0), "the threads were followed up in between"
    assert ended.usage["calls"] == checkpoint.review["usage"]["calls"]
    assert ended.timing["first_token"] > 0


def test_what_was_posted_before_the_kill_is_found_and_posted_no_second_time(room) -> None:
    pull = room.open()
    first = room.line(room.order(pull))
    room.run(first)
    comments, annotations = len(room.repo.comments), len(room.check().annotations)
    before = calls(room)

    ended = room.run(room.line(room.order(pull), attempt=2, kept=first.kept))
    assert (ended.state, ended.verdict) == (JobState.DONE, "pass")
    assert calls(room) == before
    assert len(room.reviews()) == 1
    assert len(room.repo.comments) == comments
    # A slow review may have told a finding before a tool's became one with it, so they are counted and not compared.
    assert len(room.check().annotations) == annotations >= ended.findings


def test_a_run_killed_before_it_kept_anything_is_made_again_with_the_same_check_and_no_annotation_twice(room) -> None:
    pull = room.open()
    checkpoint = kept(room, pull)
    (check,) = room.checks()
    told = [
        Annotation(path=path, start_line=start, end_line=end, level=Level(level), title=title, message=message)
        for _, path, start, end, level, title, message in checkpoint.draft["annotations"]
    ]
    with room.app.client(room.installation, room.name) as client:
        checks = CheckRuns(client, room.name, stop=room.shared.stop(10))
        checks.update(CheckRun(id=check.id, url=""), title="t", summary="s", annotations=told[:3])

    ended, _ = room.review(pull, attempt=2)
    assert room.check().id == check.id
    assert room.check().conclusion == "success"
    assert len(room.check().annotations) == ended.findings == len(told)
    assert len(room.reviews()) == 1


def test_a_check_that_github_made_for_a_dead_run_after_its_successor_had_looked_is_closed_too(room) -> None:
    pull = room.open()
    checkpoint = kept(room, pull)
    line = room.line(room.order(pull), attempt=2, kept=checkpoint)
    first = room.check()

    def late() -> None:
        run = copy(first)
        run.id, run.status, run.annotations = room.github.world.next_id(), "in_progress", []
        first.suite.runs.append(run)

    line.release = late
    room.run(line)
    assert len(room.checks()) > 1
    assert {(run.status, run.conclusion) for run in room.checks()} == {("completed", "success")}


@pytest.mark.parametrize("landed", [False, True])
def test_a_kept_review_of_a_pull_that_was_closed_meanwhile_is_not_posted_but_one_that_landed_is_told(
    room, landed: bool
) -> None:
    pull = room.open()
    line = room.line(room.order(pull))
    checkpoint = kept(room, pull) if not landed else (room.run(line), line.kept)[1]
    room.repo.close_pull(pull.number)
    ended = room.run(room.line(room.order(pull), attempt=2, kept=checkpoint))
    assert len(room.reviews()) == int(landed)
    assert ended.state is (JobState.DONE if landed else JobState.SKIPPED)
    assert room.check().conclusion == ("success" if landed else "skipped")


def test_a_kept_review_of_a_head_that_moved_is_not_posted(room) -> None:
    pull = room.open()
    checkpoint = kept(room, pull)
    order = room.order(pull)
    newer = room.repo.commit("topic", {"new.py": "x = 1\n"}, "More", "mona")
    line = room.line(order, attempt=2, kept=checkpoint)
    ended = room.run(line)
    assert (ended.state, ended.why) == (JobState.SUPERSEDED, f"the head moved to {newer[:7]}")
    assert [work.head_sha for work in line.submitted] == [newer]
    assert room.reviews() == []
    assert room.check().conclusion == "cancelled"


def test_a_kept_review_is_weakened_like_a_fresh_one_by_what_github_refuses(room) -> None:
    pull = room.open()
    checkpoint = kept(room, pull)
    room.github.faults.add(
        Fault(
            match=f"POST /repos/{room.name}/pulls/*/reviews",
            status=422,
            times=2,
            message="Unprocessable Entity",
            errors=("Pull request review thread line must be part of the diff",),
        )
    )
    ended = room.run(room.line(room.order(pull), attempt=2, kept=checkpoint))
    assert (ended.state, ended.verdict) == (JobState.DONE, "neutral")
    assert "GitHub refused" in ended.why
    assert room.check().conclusion == "neutral"


def test_a_kept_review_that_cannot_be_posted_fails_as_a_job_and_is_neutral(room) -> None:
    pull = room.open()
    checkpoint = kept(room, pull)
    room.github.faults.add(Fault(match=f"POST /repos/{room.name}/pulls/*/reviews", status=403, times=None))
    ended = room.run(room.line(room.order(pull), attempt=2, kept=checkpoint))
    assert (ended.state, ended.error) == (JobState.FAILED, "NotPermittedError")
    assert "could not be posted" in ended.why
    assert room.check().conclusion == "neutral"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: replace(kept, draft={**kept.draft, "format": 99}),
        lambda kept: replace(kept, draft={}),
        lambda kept: replace(kept, review={}),
    ],
)
def test_what_this_version_cannot_read_is_reviewed_anew(room, spoil: Callable[[Checkpoint], Checkpoint]) -> None:
    pull = room.open()
    checkpoint = spoil(kept(room, pull))
    before = calls(room)
    ended = room.run(room.line(room.order(pull), attempt=2, kept=checkpoint))
    assert ended.state is JobState.DONE
    assert calls(room) > before
    assert len(room.reviews()) == 1
