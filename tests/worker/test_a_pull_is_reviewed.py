"""The whole way of a job that ends well, and what the pull request, the check run and the live page show of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bot.engine.model import Ended, JobState
from bot.hooks.orders import Cause
from bot.live.events import LiveKind
from bot.review.model import Effort
from bot.sandbox.github.faults import Fault


@dataclass
class Done:
    room: Any
    pull: Any
    ended: Ended
    line: Any
    posted_when_kept: list[int]
    requests: list[Any]


@pytest.fixture(scope="module")
def done(build: Callable[..., Any]) -> Done:
    """One review, looked at from all sides."""
    room = build()
    pull = room.open(whole=True)
    line = room.line(room.order(pull))
    counted: list[int] = []
    line.on_keep = lambda: counted.append(len(room.reviews()))
    before = len(list(room.github.requests))
    ended = room.run(line)
    return Done(room, pull, ended, line, counted, list(room.github.requests)[before:])


def test_a_pull_is_reviewed_posted_and_its_check_is_green(done: Done) -> None:
    room, ended, line = done.room, done.ended, done.line
    assert (ended.state, ended.verdict, ended.error) == (JobState.DONE, "pass", "")
    (review,) = room.reviews()
    assert review.author.login == "spark[bot]"
    assert f'"run": "{line.job.id}"' in review.body
    assert ended.url.endswith(f"#pullrequestreview-{review.id}")
    assert ended.findings == len(room.repo.comments) > 3
    check = room.check()
    assert (check.name, check.status, check.conclusion) == ("spark", "completed", "success")
    assert check.suite.head_sha == done.pull.head_sha
    assert check.external_id == line.job.id
    assert check.details_url == f"https://spark.test/reviews/{line.job.id}"
    assert check.title == f"Pass: {ended.findings} findings"
    assert [action["identifier"] for action in check.actions] == ["deep"]


def test_the_closed_check_has_the_findings_with_links_the_way_to_the_review_and_the_measures_last(done: Done) -> None:
    text = done.room.check().summary
    assert f"[The review on the pull request]({done.ended.url})" in text
    assert f"[How it was written](https://spark.test/reviews/{done.line.job.id})" in text
    assert f"{done.room.github.web_url}/{done.room.name}/blob/{done.pull.head_sha}/" in text
    assert "#L" in text
    last = text.rstrip().split("\n")[-1]
    assert re.search(r"first post [\d.]+ s · done [\d.]+ s · .*\$0\.\d+ · (\d+)/\1 hunks", last), last


def test_each_finding_on_a_line_of_the_head_is_one_annotation(done: Done) -> None:
    annotations = done.room.check().annotations
    marks = {(each["path"], each["start_line"], each["title"]) for each in annotations}
    assert len(marks) == len(annotations) == done.ended.findings
    assert {each["annotation_level"] for each in annotations} == {"failure", "warning", "notice"}
    assert all(each["message"] for each in annotations)


def test_the_end_tells_when_what_happened_from_the_delivery_on_and_what_it_cost(done: Done) -> None:
    ended = done.ended
    moments = [ended.timing[name] for name in ("started", "diff", "first_token", "first_post", "done")]
    assert moments == sorted(moments)
    assert ended.timing["diff"] <= ended.timing["first_finding"] <= ended.timing["first_post"]
    assert 0 <= ended.timing["check"] <= ended.timing["done"]
    assert ended.usage["calls"] >= 3
    assert ended.usage["output_tokens"] > 0
    assert ended.usd is not None
    assert ended.usd > 0


def test_the_live_page_is_told_the_change_the_findings_and_the_end(done: Done) -> None:
    kinds = [event.kind for event in done.line.told]
    assert kinds[0] is LiveKind.STARTED
    assert kinds[-1] is LiveKind.FINISHED
    assert len(done.line.of(LiveKind.FOUND)) >= done.ended.findings
    assert done.line.told[-1].data["review"]["review_url"] == done.ended.url


def test_three_writes_are_all_that_github_sees_check_review_and_check_closed(done: Done) -> None:
    writes = [(seen.method, seen.route.rpartition("/")[2]) for seen in done.room.seen() if seen.method != "GET"]
    assert [writes[0], *writes[-2:]] == [("POST", "check-runs"), ("POST", "reviews"), ("PATCH", "{run}")]
    # More only where the machine is so slow that the check has to grow meanwhile.
    assert len(writes) <= 3 + int(done.ended.timing["done"])
    assert done.line.released


def test_what_is_posted_was_kept_before(done: Done) -> None:
    assert done.posted_when_kept == [0]
    assert done.line.kept is not None


def test_nobody_asks_github_who_we_are_and_one_token_serves_the_whole_job(done: Done) -> None:
    assert not [seen for seen in done.requests if seen.path == "/graphql" and b"viewer {" in seen.body]
    assert len([seen for seen in done.requests if seen.path.endswith("/access_tokens")]) == 1


def test_a_repository_that_has_drafts_reviewed_is_remembered_and_the_button_goes_before_the_configuration(room) -> None:
    pull = room.open("review:\n  on: []\n  drafts: true\n  min_severity: high", draft=True)
    ended, line = room.review(pull, cause=Cause.ASKED, effort=Effort.DEEP)
    assert ended.state is JobState.DONE
    assert line.told[-1].data["review"]["effort"] == "deep"
    assert room.check().actions == []
    assert room.learned == [(room.name, True)]
    # What is below the severity that is shown is no annotation.
    assert {each["annotation_level"] for each in room.check().annotations} == {"failure"}


def test_the_gate_alone_makes_a_check_red(room) -> None:
    room.page = None
    ended, _ = room.review(room.open("gate:\n  fail_on: high"))
    assert (ended.state, ended.verdict) == (JobState.DONE, "fail")
    check = room.check()
    assert check.conclusion == "failure"
    assert check.title.startswith("Fail: ")
    assert "How it was written" not in check.summary
    assert check.details_url is None


def test_a_comment_that_github_refuses_makes_the_check_neutral(room) -> None:
    room.github.faults.add(
        Fault(
            match=f"POST /repos/{room.name}/pulls/*/reviews",
            status=422,
            times=2,
            message="Unprocessable Entity",
            errors=("Pull request review thread line must be part of the diff",),
        )
    )
    ended, _ = room.review(room.open())
    assert (ended.state, ended.verdict) == (JobState.DONE, "neutral")
    assert room.check().conclusion == "neutral"
    assert "GitHub refused" in room.check().title
    assert len(room.reviews()) == 1
