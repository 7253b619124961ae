from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.model import Anchor, HunkKey, Side
from bot.github import limits
from bot.github.bodies import comment_json, fit, parts_of, review_json
from bot.review.model import CommitSha, Fingerprint
from bot.review.ports import DraftComment, ReviewDraft
from bot.review.render.markers import (
    ReviewMarker,
    finding_marker,
    read_finding_markers,
    read_review_marker,
    review_marker,
)

HEAD = CommitSha("a" * 40)
MARK = review_marker(ReviewMarker(head=HEAD, base=CommitSha("b" * 40), run="run-1"))


def comment(number: int, *, start: int = 5, line: int = 5, side: Side = Side.RIGHT, body: str = "text") -> DraftComment:
    anchor = Anchor(path="a.py", side=side, start_line=start, line=line, hunk=HunkKey(0, 0), text=("x",))
    return DraftComment(anchor=anchor, body=body, entry=f"entry {number}", fingerprint=Fingerprint(f"f{number}"))


def draft(count: int, body: str = f"Summary\n\n{MARK}") -> ReviewDraft:
    return ReviewDraft(commit=HEAD, body=body, comments=tuple(comment(n) for n in range(count)), run="run-1")


def test_one_line_is_sent_without_a_start_and_several_with_both_sides() -> None:
    assert comment_json(comment(1)) == {"path": "a.py", "body": "text", "line": 5, "side": "RIGHT"}
    assert comment_json(comment(1, start=3, side=Side.LEFT)) == {
        "path": "a.py",
        "body": "text",
        "line": 5,
        "side": "LEFT",
        "start_line": 3,
        "start_side": "LEFT",
    }


def test_a_draft_is_cut_into_parts_of_thirty_with_a_marker_each() -> None:
    parts = parts_of(draft(65))
    assert [len(part.comments) for part in parts] == [30, 30, 5]
    marks = [read_review_marker(part.body) for part in parts]
    assert [mark and mark.run for mark in marks] == ["run-1", "run-1.2", "run-1.3"]
    assert [part.run for part in parts] == ["run-1", "run-1.2", "run-1.3"]
    assert {mark and (mark.head, mark.base) for mark in marks} == {(HEAD, "b" * 40)}
    assert parts[0].body == draft(65).body
    assert [c.fingerprint for part in parts for c in part.comments] == [f"f{n}" for n in range(65)]


def test_a_draft_without_comments_is_one_part_and_one_without_marker_gets_one() -> None:
    (part,) = parts_of(draft(0, body="Nothing found."))
    mark = read_review_marker(part.body)
    assert part.comments == ()
    assert mark is not None
    assert mark.run == "run-1"


def test_a_review_without_event_is_pending_and_an_empty_list_is_left_out() -> None:
    assert review_json(commit=HEAD, body="b", comments=(), event=None) == {"body": "b", "commit_id": HEAD}
    sent = review_json(commit=HEAD, body="b", comments=[comment(1)], event="COMMENT")
    assert sent["event"] == "COMMENT"
    assert len(sent["comments"]) == 1


def test_a_long_body_is_cut_between_lines_and_keeps_its_marks() -> None:
    body = "\n".join(["line of text"] * 10_000) + f"\n\n{MARK}"
    cut = fit(body)
    assert len(cut) <= limits.SAFE_BODY
    assert read_review_marker(cut) == read_review_marker(body)
    assert "cut here" in cut


def test_a_suggestion_is_never_cut_in_half() -> None:
    body = "Text\n\n````suggestion\n" + "x = 1\n" * 20_000 + f"````\n\n{finding_marker(Fingerprint('abc'))}"
    cut = fit(body)
    assert "suggestion" not in cut
    assert cut.startswith("Text\n")
    assert read_finding_markers(cut) == ["abc"]


def test_a_folded_part_that_is_cut_is_closed() -> None:
    cut = fit("<details><summary>s</summary>\n\n" + "row\n" * 30_000 + "\n</details>\n" + MARK)
    assert cut.count("<details") == cut.count("</details>") == 1


@settings(derandomize=True, max_examples=200)
@given(st.text(alphabet=st.sampled_from("ab \n`~\ud800\U0001f600<>"), max_size=400), st.integers(150, 300))
def test_whatever_the_body_it_fits_and_is_valid_unicode(text: str, limit: int) -> None:
    cut = fit(f"{text}\n\n{finding_marker(Fingerprint('abc'))}", limit)
    assert len(cut) <= limit
    cut.encode()
    assert read_finding_markers(cut) == ["abc"]
