"""GitHub is away for a while: a server waits and goes on where it was; nobody would ask it again."""

from __future__ import annotations

from bot.engine.model import JobState
from bot.sandbox.github.faults import Fault


def test_a_review_is_posted_once_github_is_back(room, caplog) -> None:
    pull = room.open()
    for match in (f"POST /repos/{room.name}/pulls/*/reviews", f"GET /repos/{room.name}/pulls/*/reviews"):
        room.github.faults.add(Fault(match=match, status=503, skip=int(match.startswith("GET")), times=5))
    ended, _ = room.review(pull)
    assert (ended.state, ended.verdict) == (JobState.DONE, "pass")
    assert len(room.sent("POST", "/reviews")) > 2
    assert len([review for review in room.repo.reviews.values() if review.pull is pull]) == 1
    assert [record.fields["delivery"] for record in caplog.records if record.message == "github.away"]


def test_a_pull_is_read_once_github_is_back(room) -> None:
    room.github.faults.add(Fault(match=f"GET /repos/{room.name}/pulls/*", status=503, times=6))
    ended, _ = room.review(room.open())
    assert ended.state is JobState.DONE


def test_a_github_that_stays_away_fails_the_job_after_a_minute_of_tries(room) -> None:
    room.github.faults.add(Fault(match=f"POST /repos/{room.name}/pulls/*/reviews", status=503, times=None))
    ended, _ = room.review(room.open())
    assert ended.state is JobState.FAILED
    assert "could not be posted" in ended.why
    assert room.check().conclusion == "neutral"
