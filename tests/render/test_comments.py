from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.diff.edit import splice
from bot.diff.model import Anchor, HunkKey, Side
from bot.review.model import Category, Earlier, Finding, FindingStatus, Fingerprint, Review, Severity, Timing, Usage
from bot.review.render import words
from bot.review.render.comments import (
    comment_body,
    entry,
    read_finding_markers,
    read_review_marker,
    summary_body,
    with_refused,
)
from bot.review.render.markers import (
    MOST_SEEN,
    ReviewMarker,
    RoundMarker,
    finding_marker,
    read_round_marker,
    round_marker,
)
from bot.review.render.safe import Redactor
from bot.review.scope import Coverage, Hole, PassName, Since, Skip, SkipReason

LIMIT = 65_536
Make = Callable[..., Finding]
MakeReview = Callable[..., Review]


def test_a_comment_has_title_text_suggestion_small_print_and_marker(a_review: MakeReview, redactor: Redactor) -> None:
    body = comment_body(a_review().findings[1], redactor)
    assert body.startswith("**High · bug · A discount raises the total**\n\nDividing by `1 - discount`")
    assert "```suggestion\n        return amount * (1 - discount)\n```" in body
    assert "<sub>proven: applied and parsed · votes 2/3</sub>" in body
    assert body.endswith("<!-- spark:finding v1 a1b2c3d4e5f60718 -->")
    assert read_finding_markers(body) == ["a1b2c3d4e5f60718"]


def test_a_patch_that_no_grammar_looked_at_is_not_called_parsed(a_finding: Make, redactor: Redactor) -> None:
    body = comment_body(a_finding(suggestion="x", proven=True, parsed=False), redactor)
    assert "<sub>proven: applied (no grammar for this file)</sub>" in body


def test_the_fence_is_longer_than_any_run_of_backticks_inside(a_finding: Make, redactor: Redactor) -> None:
    body = comment_body(a_finding(suggestion="a\n````\nb\n~~~", proven=True), redactor)
    assert "`````suggestion\na\n````\nb\n~~~\n`````" in body


def test_an_empty_suggestion_deletes_the_lines(a_finding: Make, redactor: Redactor) -> None:
    assert "```suggestion\n```" in comment_body(a_finding(suggestion="", proven=True), redactor)


@pytest.mark.parametrize(
    ("suggestion", "block"),
    [("\n", "```suggestion\n\n```"), ("a\n\n", "```suggestion\na\n\n```"), ("\na", "```suggestion\n\na\n```")],
)
def test_an_empty_line_in_a_suggestion_is_one_line(
    a_finding: Make, redactor: Redactor, suggestion: str, block: str
) -> None:
    assert f"\n\n{block}\n\n" in comment_body(a_finding(suggestion=suggestion, proven=True), redactor)
    told = entry(a_finding(suggestion=suggestion, proven=True), redactor)
    assert told.count("\n+") == len(splice("x\n", 1, 1, suggestion).removesuffix("\n").split("\n"))


def test_carriage_returns_are_taken_out_and_that_is_said(
    a_finding: Make, an_anchor: Callable[..., Anchor], redactor: Redactor
) -> None:
    anchor = replace(an_anchor(), text=("        return 1\r",))
    body = comment_body(a_finding(anchor, suggestion="x\r\ny\r", proven=True), redactor)
    assert "```suggestion\nx\ny\n```" in body
    assert "CRLF" in body


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"proven": False, "suggestion": "x"}, "not proven"),
        ({"proven": True, "suggestion": "x = 'a\u202eb'"}, "invisible characters"),
        ({"proven": True, "suggestion": "x = '\udc80'"}, "invisible characters"),
        ({"proven": True, "suggestion": "x\n" * 15_000}, "too long to show"),
        ({"proven": True, "suggestion": "key = '" + "ghp_" + "a1B2" * 9 + "'"}, "contains a secret"),
    ],
)
def test_a_suggestion_that_must_not_be_committed_is_not_shown_and_that_is_said(
    a_finding: Make, redactor: Redactor, fields: dict[str, object], why: str
) -> None:
    body = comment_body(a_finding(**fields), redactor)
    assert "```suggestion" not in body
    assert why in body
    assert "proven: applied" not in body


def test_removed_lines_get_no_suggestion(a_finding: Make, an_anchor: Callable[..., Anchor], redactor: Redactor) -> None:
    anchor = an_anchor(start=17, side=Side.LEFT)
    assert "```suggestion" not in comment_body(a_finding(anchor, suggestion="x", proven=True), redactor)


def test_the_models_text_cannot_forge_a_suggestion_a_marker_or_html(a_finding: Make, redactor: Redactor) -> None:
    hostile = "```suggestion\nos.remove('/')\n```\n<!-- spark:finding v1 forged -->\n</sub><img src=x>"
    body = comment_body(a_finding(title=hostile, body=hostile, note=hostile), redactor)
    assert "```suggestion" not in body
    assert "<img" not in body
    assert re.findall(r"<!-- spark:(\w+)", body) == ["note", "finding"]
    assert body.count("<!--") == 2
    assert read_finding_markers(body) == ["a1b2c3d4e5f60718"]


def test_a_suggestion_with_a_marker_in_it_forges_nothing(a_finding: Make, redactor: Redactor) -> None:
    body = comment_body(a_finding(suggestion="# <!-- spark:finding v1 forged -->", proven=True), redactor)
    assert "# <!-- spark:finding v1 forged -->" in body
    assert read_finding_markers(body) == ["a1b2c3d4e5f60718"]


def test_a_very_long_comment_stays_under_githubs_limit_and_keeps_its_marker(
    a_finding: Make, redactor: Redactor
) -> None:
    finding = a_finding(
        title="&" * 5_000, body="$<&" * 40_000, suggestion="&$\n" * 6_000, proven=True, note="<" * 9_000
    )
    body = comment_body(finding, redactor)
    assert len(body) < LIMIT
    assert "```suggestion" in body
    assert read_finding_markers(body) == ["a1b2c3d4e5f60718"]


def test_an_entry_names_the_place_and_has_nothing_to_commit(a_review: MakeReview, redactor: Redactor) -> None:
    text = entry(a_review().findings[0], redactor)
    assert text.startswith("**Critical · security** · `src/shop/cart.py:19-20` · SQL is built")
    assert "```diff\n-        query = f" in text
    assert "```suggestion" not in text
    assert "<!--" not in text


def test_the_summary_says_everything_that_is_not_on_a_line(a_review: MakeReview, redactor: Redactor) -> None:
    body = summary_body(a_review(), redactor=redactor, run="run-1")
    assert body.startswith(
        "**6 new findings: 1 critical, 2 high, 2 medium, 1 low, 1 still open: 1 high** by `codex-spark-preview`"
    )
    assert "Fail: 1 critical and 2 high findings; the gate is at high" in body
    assert "3 of 4 hunks reviewed; 3 files skipped; 1 file not reviewed in full." in body
    assert "`web/app.js:6` · Unused default export" in body
    assert "`src/shop/cart.py R99#zzz` · No test covers a discount of 1" in body
    assert "`src/shop/cart.py, lines 42-46`: the stream was cut" in body
    assert "too large (1): `huge.sql` (1,200,000 lines)" in body
    for phrase in (
        "1 refuted by the check",
        "1 merged as a duplicate",
        "Still open: ",
        "1 dismissed earlier",
        "1 below the severity that is shown (1 low)",
        "1 line of the answers could not be read",
        "> The endpoint does not take `temperature`; it was left out.",
    ):
        assert phrase in body


def test_the_last_line_has_measured_seconds_cost_and_coverage(a_review: MakeReview, redactor: Redactor) -> None:
    body = summary_body(a_review(), redactor=redactor, run="run-1")
    footer, marker = body.rstrip().split("\n\n")[-2:]
    assert footer == (
        "<sub>diff 0.20 s · first token 0.41 s · first finding 0.60 s · done 1.1 s · 3 calls · "
        "12,345 tokens in (8,000 cached) · 1,234 out · $0.0041 · 3/4 hunks</sub>"
    )
    assert marker.startswith("<!-- spark:review v1 {")


def test_what_is_not_known_before_posting_is_left_out(a_review: MakeReview, redactor: Redactor) -> None:
    review = a_review(timing=Timing(diff=0.2), usage=Usage(calls=1, usd=None))
    body = summary_body(review, redactor=redactor, run="r")
    assert "<sub>diff 0.20 s · 1 call · 0 tokens in · 0 out · cost unknown · 3/4 hunks</sub>" in body


def test_no_findings_says_what_that_rests_on(empty_review: MakeReview, redactor: Redactor) -> None:
    body = summary_body(empty_review(), redactor=redactor, run="r")
    assert body.startswith("**No findings** by `codex-spark-preview`")
    assert "4 of 4 hunks reviewed." in body
    assert "Not shown" not in body


def test_analyzers_alone_are_named_as_such(empty_review: MakeReview, redactor: Redactor) -> None:
    review = empty_review(
        model=None,
        usage=Usage(),
        notices=("No model: SPARK_API_KEY is not set; analyzers reviewed alone.",),
        coverage=Coverage(
            hunks=0, reviewed=0, holes=(), skipped=(Skip(path="src/shop/cart.py", reason=SkipReason.BINARY),)
        ),
    )
    body = summary_body(review, redactor=redactor, run="r")
    assert body.startswith("**No findings from the analyzers**\n")
    assert "No model: SPARK_API_KEY is not set" in body
    assert "no model calls" in body


def test_everything_skipped_is_not_called_reviewed(empty_review: MakeReview, redactor: Redactor) -> None:
    skipped = (Skip(path="package-lock.json", reason=SkipReason.LOCK),)
    review = empty_review(coverage=Coverage(hunks=0, reviewed=0, holes=(), skipped=skipped))
    assert "Nothing was left to review; 1 file skipped." in summary_body(review, redactor=redactor, run="r")


def test_what_could_not_be_read_is_not_called_skipped(empty_review: MakeReview, redactor: Redactor) -> None:
    gap = Skip(path="a.py", reason=SkipReason.UNREADABLE)
    review = empty_review(coverage=Coverage(hunks=0, reviewed=0, holes=(), skipped=(gap,)))
    assert "Nothing could be reviewed; 1 file not reviewed in full." in summary_body(review, redactor=redactor, run="r")


def test_a_difference_in_the_count_is_told(a_review: MakeReview, redactor: Redactor) -> None:
    coverage = Coverage(hunks=4, reviewed=4, holes=(), skipped=(), difference="GitHub counts 12 files, we read 11")
    body = summary_body(a_review(coverage=coverage), redactor=redactor, run="r")
    assert "Partly reviewed: GitHub counts 12 files, we read 11." in body


@pytest.mark.parametrize("number", [50, 400, 3_000])
def test_a_huge_summary_stays_under_the_limit_and_says_what_it_left_out(
    a_review: MakeReview, a_finding: Make, redactor: Redactor, number: int
) -> None:
    over = tuple(
        a_finding(
            title=f"number {at}: " + "t" * 100,
            body="word " * 1_000,
            status=FindingStatus.OVER_LIMIT,
            fingerprint=Fingerprint(f"f{at}"),
        )
        for at in range(number)
    )
    holes = tuple(
        Hole(hunk=HunkKey(0, at % 2), pass_name=PassName(f"p{at}"), reason=f"reason {at} " + "r" * 100)
        for at in range(number)
    )
    skipped = tuple(Skip(path=f"dir/{'p' * 100}/{at}", reason=SkipReason.GENERATED) for at in range(number))
    review = a_review(findings=over, coverage=Coverage(hunks=4, reviewed=0, holes=holes, skipped=skipped))
    body = summary_body(review, redactor=redactor, run="r")
    assert len(body) <= 60_000
    assert f"**{number + 1:,} findings" in body
    listed = len(re.findall(r"· number \d+: ", body))
    left_out = re.search(r"… and ([\d,]+) more that did not fit here \(\d+ high\)", body)
    assert listed + (int(left_out.group(1)) if left_out else 0) == number
    assert "are shortened to fit." in body
    assert read_review_marker(body) == ReviewMarker(head=review.change.head, base=review.change.base, run="r")


def test_a_long_list_is_folded_and_every_title_is_told_while_there_is_room(
    a_review: MakeReview, a_finding: Make, redactor: Redactor
) -> None:
    over = tuple(
        a_finding(title=f"number {at}: it breaks", body="word " * 700, status=FindingStatus.OVER_LIMIT)
        for at in range(200)
    )
    body = summary_body(a_review(findings=over), redactor=redactor, run="r")
    assert "<details><summary><b>Over the limit of line comments (200)</b></summary>\n\n" in body
    assert len(re.findall(r"number \d+: it breaks", body)) == 200
    assert body.count("<details>") == body.count("</details>")


def test_a_patch_in_the_summary_shows_what_would_be_invisible(a_finding: Make, redactor: Redactor) -> None:
    told = entry(a_finding(suggestion="x = '\u202e'\r\n", proven=True), redactor)
    assert "\u202e" not in told
    assert "\r" not in told
    assert "+x = '<U+202E>'" in told


def test_refused_comments_go_into_the_summary_with_githubs_reason(a_review: MakeReview, redactor: Redactor) -> None:
    summary = summary_body(a_review(), redactor=redactor, run="r")
    finding = a_review().findings[0]
    body = with_refused(summary, [(entry(finding, redactor), "line must be part of the diff, @octocat <b>")])
    assert "GitHub did not take 1 line comment" in body
    assert entry(finding, redactor) in body
    assert "not in line: line must be part of the diff, `@octocat` &lt;b&gt;" in body
    assert body.index("did not take") < body.index("<sub>diff 0.20 s")
    assert read_review_marker(body) == read_review_marker(summary)
    assert body.rstrip().split("\n\n")[-2].startswith("<sub>diff 0.20 s")


def test_nothing_refused_changes_nothing(a_review: MakeReview, redactor: Redactor) -> None:
    summary = summary_body(a_review(), redactor=redactor, run="r")
    assert with_refused(summary, []) == summary


@pytest.mark.parametrize("number", [10, 60, 1_000])
def test_many_refused_comments_are_shortened_or_counted_but_never_lost(
    a_review: MakeReview, a_finding: Make, redactor: Redactor, number: int
) -> None:
    one = entry(a_finding(body="word " * 700), redactor)
    body = with_refused(summary_body(a_review(), redactor=redactor, run="r"), [(one, "no")] * number)
    assert len(body) < LIMIT
    told = body.count("not in line: no")
    left = re.search(r"… and ([\d,]+) more that did not fit", body)
    assert told + (int(left.group(1)) if left else 0) == number
    assert read_review_marker(body) is not None


HEAD, BASE = "2" * 40, "1" * 40
GOOD = f'<!-- spark:review v1 {{"head": "{HEAD}", "base": "{BASE}", "run": "r-1"}} -->'


@pytest.mark.parametrize("body", [GOOD, f"text\n\n{GOOD}", f"text\r\n\r\n{GOOD}\r\n"])
def test_a_review_marker_is_read_from_the_end(body: str) -> None:
    assert read_review_marker(body) == ReviewMarker(head=HEAD, base=BASE, run="r-1")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "text",
        f"{GOOD}\n\nand then text",
        f"> {GOOD}",
        f"`{GOOD}`",
        f"{GOOD}\n{GOOD}",
        GOOD.replace("v1", "v2"),
        GOOD.replace(" -->", ""),
        GOOD.replace('"run": "r-1"', '"run": 1'),
        GOOD.replace('"run": "r-1"', '"run": "r-1", "more": "x"'),
        GOOD.replace(HEAD, HEAD[:20]),
        GOOD.replace(HEAD, "x" * 40),
        GOOD.replace("r-1", "r-->x"),
        GOOD.replace("{", "{" * 500),
        "<!-- spark:review v1 " + "[" * 100_000,
    ],
)
def test_a_forged_or_partial_review_marker_is_nobodys(body: str) -> None:
    assert read_review_marker(body) is None


def test_finding_markers_count_at_the_end_only() -> None:
    mark = finding_marker(Fingerprint("aa"))
    assert read_finding_markers(f"x\n\n{mark}\n{finding_marker(Fingerprint('bb'))}\n") == ["aa", "bb"]
    assert read_finding_markers(f"{mark}\nx") == []
    assert read_finding_markers(f"x {mark}") == []
    assert read_finding_markers(f"{mark}\n<!-- spark:finding v1 -->") == []


@pytest.mark.parametrize("fingerprint", ["", "a b", "a-->b", "a--b", "a\nb", "x" * 300])
def test_a_fingerprint_that_would_end_its_marker_is_refused(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="not a fingerprint"):
        finding_marker(Fingerprint(fingerprint))


def test_severities_are_counted_from_the_worst(a_review: MakeReview, a_finding: Make, redactor: Redactor) -> None:
    findings = tuple(a_finding(severity=severity) for severity in (Severity.LOW, Severity.CRITICAL, Severity.LOW))
    body = summary_body(a_review(findings=findings, misplaced=()), redactor=redactor, run="r")
    assert body.startswith("**3 findings: 1 critical, 2 low**")


def test_what_is_left_of_earlier_rounds_is_told_with_links_and_cannot_make_any_of_its_own(
    empty_review: MakeReview, a_finding: Make, redactor: Redactor
) -> None:
    thread = "https://github.com/o/r/pull/7#discussion_r"
    earlier = Earlier(
        path="src/a.py",
        severity=Severity.HIGH,
        category=Category.BUG,
        title="Breaks](https://evil.example) <b>now</b>",
        url=f"{thread}1",
        is_certain=True,
    )
    review = empty_review(
        findings=(
            a_finding(status=FindingStatus.DISMISSED, excused=True, dismissed_by="bob", thread=f"{thread}2"),
            a_finding(status=FindingStatus.DISMISSED, excused=True, dismissed_by="eve", thread="javascript:alert(1)"),
            a_finding(status=FindingStatus.HELD_BACK, severity=Severity.LOW),
        ),
        earlier=(earlier, replace(earlier, is_certain=False, url=f"{thread}3")),
    )
    body = summary_body(review, redactor=redactor, run="r")
    assert "**Findings of earlier rounds without a line in this diff (2)**" in body
    assert f"]({thread}1): its code changed, and it is still there" in body
    assert f"]({thread}3): its code changed; it could not be judged" in body
    title = "A discount raises the total"
    assert f"Dismissed: [{title}]({thread}2) by bob; {title} by eve." in body
    assert "1 held back: low, and on code that was reviewed before (1 low)" in body
    assert "](https://evil" not in body
    assert "<b>" not in body


HERE = "https://github.com/acme/shop/pull/7#discussion_r"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dismissed_why": "the caller holds the lock.", "dismissed_how": "ignored"}, "by bob: the caller holds the lock."),
        ({"dismissed_how": "ignored"}, "by bob."),
        ({"dismissed_how": "resolved by hand"}, "by bob, who resolved the thread."),
        ({"dismissed_how": "thumbs down"}, "by bob with 👎."),
        ({"dismissed_why": "it cannot be 0", "dismissed_how": "talked over"}, "by bob in a reply: it cannot be 0."),
        ({"dismissed_how": "thumbs down", "excused": False}, "by bob (may not write here) with 👎."),
        ({"dismissed_why": "on purpose", "thread": HERE.replace("/7", "/12")}, "by bob in `#12`: on purpose."),
        ({"thread": HERE.replace("/7", "/12"), "dismissed_how": "thumbs down"}, "by bob in `#12` with 👎."),
        ({"dismissed_why": "see @carol\n</sub> [x](https://evil.example) #3"},
         "by bob: see `@carol` &lt;/sub&gt; x (`https://evil.example`) `#3`."),
        ({"dismissed_why": "x" * 500}, f"by bob: {'x' * 231}…"),
        ({"dismissed_why": "is it?"}, "by bob: is it?"),
        ({"dismissed_by": "<img>[bot]"}, r"by &lt;img&gt;\[bot\]."),
    ],
)  # fmt: skip
def test_the_summary_names_who_dismissed_a_finding_and_why(
    empty_review: MakeReview, a_finding: Make, redactor: Redactor, fields: dict[str, object], said: str
) -> None:
    known: dict[str, object] = {"status": FindingStatus.DISMISSED, "excused": True, "dismissed_by": "bob"}
    finding = a_finding(**(known | {"thread": f"{HERE}1"} | fields))
    body = summary_body(empty_review(findings=(finding,)), redactor=redactor, run="r")
    (line,) = [line for line in body.split("\n") if line.startswith("Dismissed: ")]
    assert line == f"Dismissed: [A discount raises the total]({finding.thread}) {said}"


def test_five_dismissed_findings_are_named_the_worst_first_and_likes_with_the_one_they_are_like(
    empty_review: MakeReview, a_finding: Make, redactor: Redactor
) -> None:
    ranks = [
        Severity.LOW,
        Severity.MEDIUM,
        Severity.LOW,
        Severity.CRITICAL,
        Severity.MEDIUM,
        Severity.LOW,
        Severity.LOW,
    ]
    findings = tuple(
        a_finding(
            status=FindingStatus.DISMISSED,
            excused=True,
            severity=severity,
            title=f"title {at}",
            thread=f"{HERE}{at}",
            dismissed_by="bob",
        )
        for at, severity in enumerate(ranks)
    )
    review = empty_review(findings=(*findings, replace(findings[1], title="again"), replace(findings[1], title="x")))
    body = summary_body(review, redactor=redactor, run="r")
    assert (
        f"Dismissed: [title 3]({HERE}3) by bob; [title 1]({HERE}1) and 2 like it, by bob; [title 4]({HERE}4) by bob; "
        f"[title 0]({HERE}0) by bob; [title 2]({HERE}2) by bob; and 2 more.\n"
    ) in body
    lines = words.dismissed_lines(review)
    assert (lines[0], lines[5:]) == (f"title 3 by bob ({HERE}3)", ["and 2 more"])
    assert "9 dismissed earlier" in body


def test_eight_findings_that_are_still_open_are_named_the_worst_first(
    empty_review: MakeReview, a_finding: Make, redactor: Redactor
) -> None:
    severities = [Severity.LOW, *[Severity.HIGH] * 9, Severity.CRITICAL]
    findings = tuple(
        a_finding(status=FindingStatus.KNOWN, severity=severity, title=f"title {at}", thread=f"{HERE}{at}")
        for at, severity in enumerate(severities)
    )

    def line(*shown: Finding) -> str:
        body = summary_body(empty_review(findings=shown), redactor=redactor, run="r")
        return next((line for line in body.split("\n") if line.startswith("Still open: ")), "")

    told = [f"[title 10]({HERE}10) (critical)", *(f"[title {at}]({HERE}{at}) (high)" for at in range(1, 8))]
    assert line(*findings) == f"Still open: {', '.join(told)}, and 3 more"
    assert line(*findings[:8]).endswith(f"[title 7]({HERE}7) (high), [title 0]({HERE}0) (low)")
    assert line(replace(findings[0], lasting="a rule's")) == ""
    assert line(a_finding(status=FindingStatus.DISMISSED, dismissed_by="bob")) == ""


def test_the_title_of_what_is_still_open_makes_no_link_and_no_html(
    empty_review: MakeReview, a_finding: Make, redactor: Redactor
) -> None:
    title = "a](https://evil.example) <b>@carol</b>"
    findings = (
        a_finding(status=FindingStatus.KNOWN, title=title, thread=f"{HERE}1"),
        a_finding(status=FindingStatus.KNOWN, title="", thread=f"{HERE}2) [x](https://evil.example"),
        a_finding(status=FindingStatus.KNOWN, title="t" * 900, thread=""),
    )
    body = summary_body(empty_review(findings=findings), redactor=redactor, run="r")
    safe = r"a\](`https://evil.example`) &lt;b&gt;`@carol`&lt;/b&gt;"
    assert f"Still open: [{safe}]({HERE}1) (high), (no title) (high), {'t' * 199}… (high)" in body


@pytest.mark.parametrize(
    ("since", "counts", "sentence"),
    [
        (Since(round=1, head="", why_all="first review"), (4, 4, 0), "4 of 4 hunks reviewed."),
        (
            Since(round=2, head="", why_all="too many lines to remember"),
            (4, 3, 0),
            "3 of 4 hunks reviewed (round 2, everything again: too many lines to remember).",
        ),
        (
            Since(round=3, head="ab" * 20),
            (14, 14, 12),
            "Reviewed what changed since abababa (round 3): 2 of 14 hunks; the other 12 were reviewed before.",
        ),
        (
            Since(round=3, head="ab" * 20),
            (14, 13, 12),
            "Reviewed 1 of the 2 hunks that changed since abababa (round 3); the other 12 were reviewed before.",
        ),
        (
            Since(round=4, head="ab" * 20),
            (1, 1, 1),
            "Nothing is new since abababa (round 4): the one hunk was reviewed before.",
        ),
    ],
)
def test_which_part_of_the_change_was_looked_at_is_told(
    empty_review: MakeReview, since: Since, counts: tuple[int, int, int], sentence: str
) -> None:
    hunks, reviewed, earlier = counts
    coverage = Coverage(hunks=hunks, reviewed=reviewed, holes=(), skipped=(), earlier=earlier)
    assert words.coverage(empty_review(since=since, coverage=coverage)) == sentence


def test_the_marks_of_a_round_are_the_last_lines_whatever_does_not_fit(
    empty_review: MakeReview, a_finding: Make, redactor: Redactor
) -> None:
    over = tuple(a_finding(body="word " * 1_000, status=FindingStatus.OVER_LIMIT) for _ in range(100))
    marker = round_marker(RoundMarker(round=2, rules="abcd1234", seen=frozenset(range(MOST_SEEN))))
    body = summary_body(empty_review(findings=over), redactor=redactor, run="r", marks=[marker])
    assert len(body) <= 60_000
    found = read_round_marker(body)
    assert found is not None
    assert found.seen == frozenset(range(MOST_SEEN))
    assert read_review_marker(body) is not None
