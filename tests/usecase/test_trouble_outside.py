"""What a review says, and ends with, when the endpoint or GitHub lets it down."""

from __future__ import annotations

import pytest

from bot.review.model import CommitSha, Fingerprint, Verdict
from bot.review.ports import Published, StreamEnd

END = '{"end": true}\n'
NONE = '{"none": true}\n' + END


@pytest.mark.parametrize(
    "end",
    [
        StreamEnd.UNREACHABLE,
        StreamEnd.SERVER_ERROR,
        StreamEnd.NOT_A_STREAM,
        StreamEnd.RATE_LIMITED,
        StreamEnd.STALLED,
        StreamEnd.CUT,
        StreamEnd.GARBLED,
        StreamEnd.REJECTED,
    ],
)
def test_an_endpoint_that_fails_at_every_stream_is_an_error_of_the_outside_world(world, end) -> None:
    world.script = lambda prompt, before: ("", end)
    review = world.review()
    assert review.verdict is Verdict.NEUTRAL
    assert review.failure is not None
    assert review.failure.exit_code == 3
    assert end.value in str(review.failure)


def test_one_stream_that_came_through_makes_it_a_partial_review_and_no_error(world) -> None:
    world.script = lambda prompt, before: NONE if "other.py" in prompt.user else ("", StreamEnd.UNREACHABLE)
    review = world.review()
    assert review.failure is None
    assert review.verdict is Verdict.NEUTRAL
    assert 0 < review.coverage.reviewed < review.coverage.hunks


@pytest.mark.parametrize("end", [StreamEnd.BUDGET, StreamEnd.DEADLINE, StreamEnd.REFUSED, StreamEnd.LENGTH])
def test_the_users_limits_and_the_models_will_are_no_outage(world, end) -> None:
    world.script = lambda prompt, before: ("", end)
    review = world.review()
    assert review.failure is None
    assert review.verdict is Verdict.NEUTRAL


def test_an_outage_is_posted_with_what_there_is_and_stays_the_error(one_file) -> None:
    one_file.script = lambda prompt, before: (one_file.says("app.py", 2), StreamEnd.CUT)
    one_file.publisher = one_file.board()
    review = one_file.review()
    (draft,) = one_file.publisher.drafts
    assert len(draft.comments) == 1
    assert review.failure is not None
    assert review.failure.exit_code == 3


def test_a_review_that_found_no_time_to_be_posted_does_not_claim_a_summary(one_file) -> None:
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    missing = ((Fingerprint("f"), "no time left to post"),)
    one_file.publisher = one_file.board(
        published=Published(url=None, posted=(), unposted=missing, problem="no time left to post")
    )
    review = one_file.review()
    assert review.verdict is Verdict.NEUTRAL
    assert review.reason == "The review could not be posted: no time left to post."
    assert review.failure is not None
    assert review.failure.exit_code == 3


def test_a_part_that_could_not_be_posted_is_told_apart_from_refused_comments(one_file) -> None:
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    unposted = ((Fingerprint("a"), "GitHub answered 502"), (Fingerprint("b"), "line must be part of the diff"))
    one_file.publisher = one_file.board(
        published=Published(url="https://example.test/r", posted=(), unposted=unposted, problem="GitHub answered 502")
    )
    review = one_file.review()
    assert "1 line comment could not be posted: GitHub answered 502." in review.reason
    assert (
        "GitHub refused 1 line comment, told in the summary instead: 1 x line must be part of the diff."
        in review.reason
    )
    assert review.failure is not None


def test_a_head_that_moved_is_told_and_is_nobodys_error(one_file) -> None:
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    moved = Published(
        url=None, posted=(), unposted=((Fingerprint("f"), "moved"),), moved_to=CommitSha("c" * 40), problem="moved"
    )
    one_file.publisher = one_file.board(published=moved)
    review = one_file.review()
    assert review.verdict is Verdict.NEUTRAL
    assert review.failure is None
    assert review.reason == "The head moved to cccccccccc meanwhile; nothing was posted."


def test_a_reason_that_was_there_stays_beside_the_one_of_the_post(world) -> None:
    world.script = lambda prompt, before: NONE if "other.py" in prompt.user else ("", StreamEnd.REFUSED)
    moved = Published(url="https://example.test/r", posted=(), moved_to=CommitSha("c" * 40))
    world.publisher = world.board(published=moved)
    review = world.review()
    assert "the model refused" in review.reason
    assert "The head moved" in review.reason
