"""The check run while the review is written: it grows, at most once a second, and is never in the review's way."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest

from bot.engine.model import JobState
from bot.review.events import Progress
from bot.sandbox.endpoint import tokens
from bot.sandbox.github.faults import Fault
from bot.worker.meter import Meter

SCRIPT = tokens(600, findings=12)


@pytest.fixture(scope="module")
def written(build: Callable[..., Any]) -> tuple[Any, Any]:
    """A review that took about two and a half seconds."""
    room = build(endpoint={"script": SCRIPT, "ttft": 0.02, "tps": 240.0})
    ended, _ = room.review(room.open("review:\n  effort: instant", whole=True))
    return room, ended


def test_it_is_updated_about_once_a_second_with_the_newest_state(written: tuple[Any, Any]) -> None:
    room, ended = written
    assert (ended.state, ended.verdict) == (JobState.DONE, "pass")
    opened = room.sent("POST", "/check-runs")[0]
    *updates, closed = room.sent("PATCH", "/check-runs/")
    assert 1 <= len(updates) <= ended.timing["done"]
    starts = [opened.started, *(seen.started for seen in updates)]
    # A second apart where they are sent. On a busy machine one arrives late, and the next seems to be early.
    assert all(later - earlier > 0.5 for earlier, later in itertools.pairwise(starts))
    assert closed.json["status"] == "completed"

    first = updates[0].json["output"]
    assert re.fullmatch(r"Reviewing… \d+ findings? so far", first["title"])
    assert re.search(r"\d of 5 chunks reviewed · [\d,]+ tokens/s · [\d.]+ s", first["summary"])
    assert "[Watch it live](https://spark.test/reviews/0123456789abcdef)" in first["summary"]
    assert "#L" in first["summary"]


def test_annotations_come_as_they_are_found_and_each_once(written: tuple[Any, Any]) -> None:
    room, ended = written
    updates = room.sent("PATCH", "/check-runs/")
    batches = [seen.json["output"].get("annotations", []) for seen in updates]
    assert batches[0]
    sent = [(each["path"], each["start_line"], each["title"]) for batch in batches for each in batch]
    assert len(sent) == len(set(sent)) == ended.findings


def test_findings_that_fill_an_update_are_told_at_once_so_that_one_request_closes_the_check(
    make_room: Callable[..., Any],
) -> None:
    room = make_room(endpoint={"script": SCRIPT, "ttft": 0.02, "tps": 1_200.0})
    # As far away as GitHub is: beside a post that takes no time, a thread of a busy machine may well come after it.
    room.github.latency = 0.08
    ended, _ = room.review(room.open("review:\n  effort: instant", whole=True))
    assert (ended.state, ended.findings) == (JobState.DONE, 52)
    [posted] = room.sent("POST", "/reviews")
    *updates, closed = room.sent("PATCH", "/check-runs/")
    assert [seen for seen in updates if seen.started > posted.started + posted.seconds] == []
    assert closed.json["status"] == "completed"
    assert len(room.check().annotations) == 52


def test_the_speed_of_the_model_is_in_the_history(written: tuple[Any, Any]) -> None:
    _, ended = written
    # Five streams side by side at 240 tokens a second; tokens are estimated from characters.
    assert 200 < ended.tokens_per_second < 2_000


def test_an_update_that_fails_costs_neither_the_review_nor_an_annotation(make_room: Callable[..., Any]) -> None:
    room = make_room(endpoint={"script": SCRIPT, "ttft": 0.02, "tps": 450.0})
    fault = Fault(match=f"PATCH /repos/{room.name}/check-runs/*", status=502)
    room.github.faults.add(fault)
    ended, _ = room.review(room.open("review:\n  effort: instant", whole=True))
    assert fault in room.github.faults.struck
    assert (ended.state, ended.verdict) == (JobState.DONE, "pass")
    assert room.check().conclusion == "success"
    assert len(room.check().annotations) == ended.findings


def test_the_meter_needs_two_looks_at_tokens() -> None:
    meter = Meter()
    for at, count in [(0.1, 0), (0.5, 100)]:
        meter.count(Progress(at=at, chunks_done=0, chunks=1, output_tokens=count))
    assert meter.tokens_per_second is None
    meter.count(Progress(at=1.0, chunks_done=0, chunks=1, output_tokens=600))
    meter.count(Progress(at=9.0, chunks_done=1, chunks=1, output_tokens=600))
    assert meter.tokens_per_second == pytest.approx(1_000)
