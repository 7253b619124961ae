"""Why a pull is not reviewed, or not to its end: what the check run says then, and how the job ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.engine.model import JobState
from bot.errors import OutsideError
from bot.hooks.orders import Cause
from bot.live.events import LiveKind
from bot.sandbox.endpoint import faults
from bot.sandbox.github.faults import Fault, Kind


class EmptyPurse:
    """The day's money is spent."""

    limited = True

    def __init__(self) -> None:
        self.closed: list[float] = []

    def take(self, usd: float, *, spent: float) -> float:
        return 0.0

    def close(self, spent: float) -> None:
        self.closed.append(spent)


@pytest.mark.parametrize(
    ("config", "draft", "order", "reason"),
    [
        ("", True, {}, "Skipped: it is a draft, and drafts are not reviewed here"),
        (
            "review:\n  on: [label]\n  label: look",
            False,
            {"cause": Cause.LABEL, "label": "docs"},
            "Skipped: the label that starts a review here is look",
        ),
        ("review:\n  authors: ['!mona']", False, {}, "Skipped: review.authors leaves out mona"),
        ("review:\n  on: [opened]", False, {"cause": Cause.RETARGETED}, "does not have synchronize"),
    ],
)
def test_what_the_configuration_does_not_want_is_skipped_with_its_reason(
    room: Any, config: str, draft: bool, order: dict[str, Any], reason: str
) -> None:
    ended, line = room.review(room.open(config, draft=draft), **order)
    assert ended.state is JobState.SKIPPED
    check = room.check()
    assert check.conclusion == "skipped"
    assert reason in check.title
    assert "press Re-run" in check.summary
    assert room.reviews() == []
    assert not line.told
    assert room.learned == [(room.name, False)]


def test_a_label_that_is_wanted_starts_a_review(room) -> None:
    pull = room.open("review:\n  on: [label]\n  label: look")
    ended, _ = room.review(pull, cause=Cause.LABEL, label="look")
    assert ended.state is JobState.DONE


def test_a_closed_pull_is_skipped(room) -> None:
    pull = room.open()
    room.repo.close_pull(pull.number)
    ended, _ = room.review(pull)
    assert (ended.state, ended.why) == (JobState.SKIPPED, "the pull request is closed")


def test_mistakes_of_the_configuration_are_all_told_with_line_and_key_and_the_job_can_be_run_again(room) -> None:
    ended, line = room.review(room.open("review:\n  efort: deep\n  max_comments: many\n"))
    # FAILED: a redelivery, a reopened pull or the button tries again when it was mended.
    assert (ended.state, ended.error) == (JobState.FAILED, "ConfigError")
    assert ended.why == ".github/spark.yml:2: review.efort: unknown key, did you mean effort? (and 1 more)"
    check = room.check()
    assert (check.conclusion, check.title) == ("action_required", ".github/spark.yml has 2 mistakes")
    assert "`.github/spark.yml:2: review.efort: unknown key, did you mean effort?`" in check.summary
    assert ".github/spark.yml:3: review.max_comments" in check.summary
    assert "base branch" in check.summary
    assert room.reviews() == []
    assert not line.told


def test_a_day_whose_money_is_spent_is_told_and_the_check_is_neutral(room) -> None:
    purse = EmptyPurse()
    room.purse = lambda job: purse
    ended, _ = room.review(room.open())
    assert (ended.state, ended.verdict) == (JobState.DONE, "neutral")
    assert "the day's budget is used up" in room.check().title
    assert room.check().conclusion == "neutral"
    assert purse.closed == [0.0]


def test_the_budget_of_a_review_is_the_smaller_of_the_servers_and_the_repositorys(
    make_room: Callable[..., Any],
) -> None:
    room = make_room(env={"SPARK_MAX_USD_PER_REVIEW": "1"})
    ended, _ = room.review(room.open("budget:\n  max_usd: 0.000001"))
    assert (ended.state, ended.verdict) == (JobState.DONE, "neutral")
    assert "the budget is used up" in room.check().title


@pytest.mark.parametrize(("config", "conclusion"), [("", "neutral"), ("gate:\n  require_coverage: true", "failure")])
def test_a_refused_key_fails_the_job_and_is_red_only_where_the_gate_asks_for_coverage(
    make_room: Callable[..., Any], config: str, conclusion: str
) -> None:
    room = make_room(env={"SPARK_API_KEY": "sk-wrong-and-secret-key"})
    ended, _ = room.review(room.open(config))
    assert (ended.state, ended.error) == (JobState.FAILED, "CredentialsError")
    assert "SPARK_API_KEY" in ended.why
    check = room.check()
    assert check.conclusion == conclusion
    # Who reads the pull request need not know the server's settings.
    assert "CredentialsError" in check.title
    assert "SPARK_API_KEY" not in check.title + check.summary
    assert room.endpoint.url not in check.title + check.summary
    assert "`0123456789abcdef`" in check.summary


def test_an_endpoint_that_fails_at_every_stream_fails_the_job_and_the_check_is_neutral(
    make_room: Callable[..., Any],
) -> None:
    room = make_room(endpoint={"faults": [faults.status(500)] * 50})
    ended, line = room.review(room.open())
    assert (ended.state, ended.verdict, ended.error) == (JobState.FAILED, "neutral", "ModelDownError")
    assert room.check().conclusion == "neutral"
    assert line.of(LiveKind.FINISHED)


def test_a_pull_that_github_does_not_give_fails_the_job_and_the_check_is_closed_with_the_reason(room) -> None:
    pull = room.open()
    room.github.faults.add(Fault(match=f"GET /repos/{room.name}/pulls/*", status=502, times=None))
    ended, _ = room.review(pull)
    assert (ended.state, ended.error) == (JobState.FAILED, "OutsideError")
    assert room.check().conclusion == "neutral"
    assert room.check().title.startswith("Not reviewed: ")


def test_an_app_that_was_removed_fails_the_job_in_one_line(room) -> None:
    pull = room.open()
    room.installation = 999_999
    ended, _ = room.review(pull)
    assert (ended.state, ended.error) == (JobState.FAILED, "NotPermittedError")
    assert "Install the App on acme" in ended.why
    assert "\n" not in ended.why


def test_a_bug_is_logged_and_closes_the_check_without_its_details(room, caplog: pytest.LogCaptureFixture) -> None:
    pull = room.open()
    line = room.line(room.order(pull))

    def broken() -> None:
        raise ZeroDivisionError("a secret detail")

    line.on_keep = broken
    ended = room.run(line)
    assert (ended.state, ended.error) == (JobState.FAILED, "ZeroDivisionError")
    assert "secret detail" not in ended.why
    assert room.check().conclusion == "neutral"
    assert "secret detail" not in room.check().summary
    (crash,) = [record for record in caplog.records if record.message == "job.crashed"]
    assert crash.exc_info is not None
    assert crash.fields["delivery"] == "d-1"


@pytest.mark.parametrize(("times", "closed"), [(1, ["success"]), (4, ["success"]), (None, [])])
def test_a_check_run_that_cannot_be_created_costs_no_review(room, times: int | None, closed: list[str]) -> None:
    # Four failures are all tries at opening it: then it is made when there is something to close.
    room.github.faults.add(Fault(match=f"POST /repos/{room.name}/check-runs", status=502, times=times))
    ended, _ = room.review(room.open())
    assert (ended.state, ended.verdict) == (JobState.DONE, "pass")
    assert len(room.reviews()) == 1
    assert [check.conclusion for check in room.checks()] == closed
    assert ("check" in ended.timing) is bool(closed)


def test_a_check_run_that_github_made_although_it_answered_502_is_not_made_twice(room) -> None:
    room.github.faults.add(Fault(match=f"POST /repos/{room.name}/check-runs", status=502, when="after"))
    room.review(room.open())
    assert [check.conclusion for check in room.checks()] == ["success"]


def test_an_app_without_the_permission_for_checks_reviews_all_the_same(room) -> None:
    room.github.faults.add(Fault(match=f"POST /repos/{room.name}/check-runs", status=403, times=None))
    ended, _ = room.review(room.open())
    assert ended.state is JobState.DONE
    assert len(room.reviews()) == 1
    # Asked once: no is no.
    assert len(room.sent("POST", "/check-runs")) == 1


def test_a_check_run_that_stalls_does_not_hold_the_review_up(room) -> None:
    room.github.faults.add(Fault(match=f"POST /repos/{room.name}/check-runs", kind=Kind.STALL, seconds=1.2))
    line = room.line(room.order(room.open()))
    ended = room.run(line)
    assert ended.timing["first_post"] < ended.timing["check"]
    assert room.check().conclusion == "success"


def test_a_repository_whose_wish_cannot_be_stored_is_reviewed_all_the_same(room) -> None:
    class Full(list):
        def append(self, item: object) -> None:
            raise OutsideError("the database is away")

    room.learned = Full()
    ended, _ = room.review(room.open())
    assert ended.state is JobState.DONE
