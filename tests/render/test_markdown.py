from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.diff.model import Anchor, HunkKey, Side
from bot.diff.parse import read_patch
from bot.review.model import Finding, FindingStatus, Review
from bot.review.render import words
from bot.review.render.frame import frame, suggestion_diff
from bot.review.render.markdown import review_markdown
from bot.review.render.safe import Redactor
from bot.review.scope import Coverage, Skip, SkipReason

MakeReview = Callable[..., Review]


def test_the_report_has_code_frames_with_the_lines_marked(a_review: MakeReview) -> None:
    text = review_markdown(a_review())
    assert "  14 +|         amount = sum(item.price * item.count for item in self.items)\n" in text
    assert "> 15 +|         return amount / (1 - discount)\n" in text
    assert "> 17 -|         assert item.count > 0\n" in text
    assert "```diff\n-        return amount / (1 - discount)\n+        return amount * (1 - discount)\n```" in text


def test_the_report_says_everything(a_review: MakeReview) -> None:
    text = review_markdown(a_review())
    assert text.startswith("# Spark: 6 new findings: 1 critical, 2 high, 2 medium, 1 low, 1 still open: 1 high\n")
    for part in (
        "**Fail: 1 critical and 2 high findings; the gate is at high**",
        "### 1. Critical · security: SQL is built from a name that users choose",
        "*proven: applied and parsed · votes 3/3*",
        "### Medium · tests: No test covers a discount of 1",
        "- not reviewed: `src/shop/cart.py, lines 42-46`: the stream was cut",
        "- skipped, too large: `huge.sql` (1,200,000 lines)",
        "1 refuted by the check",
        "$0.0041 · 3/4 hunks",
    ):
        assert part in text


def test_the_report_carries_no_live_text_of_others(a_review: MakeReview) -> None:
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(review_markdown(a_review()))
    assert not re.search(r"<(?:a|img|script)\b", rendered)
    assert "@octocat" not in re.sub(r"<code>.*?</code>", "", rendered, flags=re.DOTALL)


def test_no_findings_and_everything_skipped_read_well(empty_review: MakeReview) -> None:
    assert "# Spark: No findings\n" in review_markdown(empty_review())
    skipped = (Skip(path="a.lock", reason=SkipReason.LOCK),)
    text = review_markdown(empty_review(coverage=Coverage(hunks=0, reviewed=0, holes=(), skipped=skipped)))
    assert "Nothing was left to review; 1 file skipped." in text
    assert "- skipped, lock file: `a.lock`" in text


def test_a_frame_stays_in_its_hunk_and_folds_a_long_range(redactor: Redactor) -> None:
    body = "".join(f"+line {at}\n" for at in range(1, 101))
    patch = read_patch(
        f"diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1,100 @@\n{body}".encode()
    )
    anchor = Anchor(path="a", side=Side.RIGHT, start_line=5, line=95, hunk=HunkKey(0, 0), text=("x",) * 91)
    rows = frame(patch, anchor, redact=redactor.redact)
    assert len(rows) < 25
    gap = next(row for row in rows if row.kind is None)
    assert len(rows) - 1 + int(gap.text.split()[0]) == 91 + 4
    assert (rows[0].new, rows[-1].new) == (3, 97)
    first = Anchor(path="a", side=Side.RIGHT, start_line=1, line=1, hunk=HunkKey(0, 0), text=("line 1",))
    assert [row.new for row in frame(patch, first, redact=redactor.redact)] == [1, 2, 3]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.text("-+ ", min_size=1, max_size=12), min_size=1, max_size=3), st.data())
def test_a_frame_marks_the_lines_that_its_anchor_names_and_no_others(hunks: list[str], data: st.DataObject) -> None:
    """Whichever way removed, added and unchanged lines follow each other."""
    old = new = 3
    text = "diff --git a/a b/a\n--- a/a\n+++ b/a\n"
    for signs in hunks:
        was, now = (sum(sign != other for sign in signs) for other in "+-")
        text += f"@@ -{old if was else old - 1},{was} +{new if now else new - 1},{now} @@\n"
        text += "".join(f"{sign}x{at}\n" for at, sign in enumerate(signs))
        old, new = old + was + 9, new + now + 9
    patch = read_patch(text.encode())
    hunk = data.draw(st.sampled_from(patch.files[0].hunks))
    side = data.draw(st.sampled_from(sorted({line.side for line in hunk.lines})))
    numbers = [line.number for line in hunk.lines if line.side is side]
    first, last = sorted(data.draw(st.tuples(st.sampled_from(numbers), st.sampled_from(numbers))))
    named = [line for line in hunk.lines if line.side is side and first <= line.number <= last]
    anchor = Anchor(
        path="a", side=side, start_line=first, line=last, hunk=hunk.key, text=tuple(line.text for line in named)
    )
    rows = frame(patch, anchor, redact=str)
    assert [(row.old, row.new, row.text) for row in rows if row.marked] == [
        (line.old, line.new, line.text) for line in named
    ]


def test_a_frame_without_its_hunk_shows_the_anchors_own_text(an_anchor: Callable[..., Anchor]) -> None:
    rows = frame(read_patch(b""), an_anchor(start=19, end=20), redact=str.upper)
    assert [(row.new, row.text) for row in rows][1] == (20, "        SELF.DB.EXECUTE(QUERY)")


def test_hidden_characters_are_seen_in_a_frame(an_anchor: Callable[..., Anchor], redactor: Redactor) -> None:
    patch = read_patch("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+x\u202ey\r\n".encode())
    anchor = Anchor(path="a", side=Side.RIGHT, start_line=1, line=1, hunk=HunkKey(0, 0), text=("x\u202ey\r",))
    assert frame(patch, anchor, redact=redactor.redact)[-1].text == "x<U+202E>y"


def test_a_suggestion_diff_keeps_the_lines_that_stay(a_finding: Callable[..., Finding], redactor: Redactor) -> None:
    anchor = a_finding().anchor
    anchor = Anchor(path="a", side=Side.RIGHT, start_line=1, line=3, hunk=anchor.hunk, text=("a", "b", "c"))
    rows = suggestion_diff(anchor, "a\nB\nc", redact=redactor.redact)
    assert [row.sign + row.text for row in rows] == [" a", "-b", "+B", " c"]
    assert [row.sign for row in suggestion_diff(anchor, "", redact=redactor.redact)] == ["-", "-", "-"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.00 s"), (0.254, "0.25 s"), (3.14, "3.1 s"), (75.2, "75 s"), (3600, "3,600 s")]
)
def test_seconds_are_as_exact_as_is_useful(value: float, text: str) -> None:
    assert words.seconds(value) == text


def test_money_keeps_small_sums_visible() -> None:
    assert [words.money(usd) for usd in (0, 0.0041, 1.2, 1234.5)] == ["$0", "$0.0041", "$1.20", "$1,234.50"]


def test_known_findings_alone_are_no_new_findings_but_still_open(
    a_review: MakeReview, a_finding: Callable[..., Finding]
) -> None:
    review = a_review(findings=(a_finding(status=FindingStatus.KNOWN),), misplaced=())
    assert words.headline(review) == "No new findings, 1 still open: 1 high"
