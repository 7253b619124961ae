"""Refused comments that stand in a body are marked there, and no others: what is marked is never said again."""

from __future__ import annotations

from bot.diff.model import Anchor, HunkKey, Side
from bot.github.bodies import tell
from bot.review.memory import StoredVerdict
from bot.review.model import CommitSha, Fingerprint
from bot.review.ports import DraftComment
from bot.review.render.markers import ReviewMarker, read_finding_markers, read_review_marker, review_marker
from bot.review.render.verdict_mark import read_verdict_markers, verdict_marker

MARK = review_marker(ReviewMarker(head=CommitSha("a" * 40), base=CommitSha("b" * 40), run="run-1"))
SUMMARY = f"**3 findings**\n\n{MARK}"


def refused(number: int, *, length: int = 10) -> tuple[DraftComment, str]:
    anchor = Anchor(path="a.py", side=Side.RIGHT, start_line=1, line=1, hunk=HunkKey(0, 0), text=("x",))
    return (
        DraftComment(
            anchor=anchor,
            body="",
            entry=f"**Finding {number}** · `a.py`\n\n{'word ' * length}",
            fingerprint=Fingerprint(f"finding-{number}"),
        ),
        "line must be part of the diff",
    )


def test_what_is_told_is_marked_beside_the_reviews_own_mark() -> None:
    body = tell(SUMMARY, [refused(1), refused(2)])
    assert read_finding_markers(body) == ["finding-1", "finding-2"]
    found = read_review_marker(body)
    assert found is not None
    assert found.run == "run-1"
    assert "**Finding 1**" in body


def test_with_nothing_refused_the_summary_is_as_it_was() -> None:
    assert tell(SUMMARY, []) == SUMMARY


def test_what_did_not_fit_is_not_marked_for_then_nobody_could_read_it() -> None:
    many = [refused(number, length=200) for number in range(200)]
    body = tell(SUMMARY, many, limit=5_000 + 200 * 50)
    marked = read_finding_markers(body)
    assert len(body) <= 5_000 + 200 * 50
    assert 0 < len(marked) < 200
    for number in range(200):
        assert (f"finding-{number}" in marked) == (f"**Finding {number}**" in body)
    assert read_review_marker(body) is not None


def test_a_review_with_refused_comments_keeps_no_pass_for_later_runs() -> None:
    passed, failed = (
        StoredVerdict(key=f"{number}" * 20, passed=number == 1, reason="Why.", deciding=()) for number in (1, 2)
    )
    summary = f"{SUMMARY}\n{verdict_marker(passed)}\n{verdict_marker(failed)}"
    assert read_verdict_markers(tell(summary, [])) == [passed, failed]
    body = tell(summary, [refused(1)])
    assert read_verdict_markers(body) == [failed]
    assert read_review_marker(body) == read_review_marker(summary)
    assert read_finding_markers(body) == ["finding-1"]
