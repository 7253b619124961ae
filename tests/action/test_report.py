from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.action.commands import Level, Quiet
from bot.action.files import outputs_text
from bot.action.report import LogListener, annotations, headline, outputs, summary, told
from bot.diff.model import Side
from bot.errors import NotPermittedError
from bot.review.events import Finished, Found, Lost, Note, Progress, Started
from bot.review.model import (
    Category,
    Dropped,
    Earlier,
    Finding,
    FindingStatus,
    Fingerprint,
    Review,
    Severity,
    Usage,
    Verdict,
)
from bot.review.scope import Chunk, Plan

Make = Callable[..., Any]
Reads = Callable[[str], Any]

ROOT = Path(__file__).parents[2]
QUICK = settings(max_examples=40, deadline=None, derandomize=True)
HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["::error::x", "\n::warning::y\n", "##[error]z", "\r", "@octocat", "#12", "</details>", "```", "\n```\n", "<script>",
             "![x](https://evil.example/p.png)", "<!-- spark:finding v1 f00d -->", "| a |", "# Heading", "%0A", "verdict=pass",
             "\nverdict<<E\n", "\udcff", "\ud800", "\u202e", "`", "**"]
        ),
    ),
    max_size=7,
).map("".join)  # fmt: skip


def token() -> str:
    return "ghp_" + "A1b2C3d4" * 5


def many(a_finding: Make, number: int, severity: Severity, **fields: Any) -> list[Finding]:
    return [
        a_finding(
            severity=severity, title=f"{severity.value} {at}", fingerprint=Fingerprint(f"{severity}{at}"), **fields
        )
        for at in range(number)
    ]


# -- outputs -------------------------------------------------------------------------------------------------------


def test_every_output_of_the_action_file_and_no_other_is_given(a_review: Make) -> None:
    names = list(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["outputs"])
    assert list(outputs(a_review(), sarif_file=None, seconds_total=1.0)) == names
    assert set(told("no", seconds_total=1.0).outputs) == set(names)


def test_the_outputs_say_what_the_review_does(a_review: Make) -> None:
    given_ = outputs(
        a_review(review_url="https://github.com/acme/shop/pull/7#pullrequestreview-1"),
        sarif_file=Path("out/spark.sarif"),
        seconds_total=1.2345,
        seconds_before=0.3,
    )
    assert given_ == {
        "verdict": "fail",
        "reason": "1 finding of high or above",
        "findings": "1",
        "highest-severity": "high",
        "review-url": "https://github.com/acme/shop/pull/7#pullrequestreview-1",
        "sarif-file": "out/spark.sarif",
        "seconds-to-first-finding": "0.71",
        "seconds-total": "1.23",
        "usd": "0.0041",
    }


@pytest.mark.parametrize(
    ("usd", "shown"), [(0.0, "0"), (None, ""), (0.0041, "0.0041"), (0.00001, "0.00001"), (12.5, "12.5"), (100.0, "100")]
)
def test_money_is_a_number_or_nothing(a_review: Make, usd: float | None, shown: str) -> None:
    assert outputs(a_review(usage=Usage(usd=usd)), sarif_file=None, seconds_total=1)["usd"] == shown


def test_what_stands_is_counted_as_the_gate_counts(a_review: Make, a_finding: Make, misplaced: Make) -> None:
    status = FindingStatus
    findings = tuple(
        a_finding(severity=severity, status=state, excused=excused)
        for severity, state, excused in (
            (Severity.MEDIUM, status.POSTED, False),
            (Severity.LOW, status.KNOWN, False),
            (Severity.LOW, status.OVER_LIMIT, False),
            (Severity.HIGH, status.DISMISSED, False),  # By somebody who may not write: it counts.
            (Severity.CRITICAL, status.DISMISSED, True),
            (Severity.CRITICAL, status.BELOW_THRESHOLD, False),
            (Severity.CRITICAL, status.HELD_BACK, False),
        )
    )
    earlier = Earlier(
        path="a.py", severity=Severity.LOW, category=Category.BUG, title="x", url="https://x/1", is_certain=True
    )
    review = a_review(findings=findings, misplaced=(misplaced(),), earlier=(earlier,))
    given_ = outputs(review, sarif_file=None, seconds_total=1)
    assert (given_["findings"], given_["highest-severity"]) == ("6", "high")
    none = outputs(a_review(findings=()), sarif_file=None, seconds_total=1)
    assert (none["findings"], none["highest-severity"]) == ("0", "none")


@QUICK
@given(HOSTILE)
def test_outputs_are_read_back_whatever_a_reason_says(outputs_file: Reads, a_review: Make, reason: str) -> None:
    given_ = outputs(a_review(reason=reason), sarif_file=None, seconds_total=1)
    assert outputs_file(outputs_text(given_)) == given_
    assert len(given_["reason"].splitlines()) <= 1


# -- headline ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "exit_code", "level", "text"),
    [
        (Verdict.PASS, 0, Level.NOTICE, "Pass: why"),
        (Verdict.NEUTRAL, 0, Level.WARNING, "Neutral: why"),
        (Verdict.NEUTRAL, 1, Level.ERROR, "Neutral: why"),
        (Verdict.FAIL, 1, Level.ERROR, "Fail: why"),
        (Verdict.FAIL, 0, Level.ERROR, "Fail: why"),
        (Verdict.PASS, 2, Level.ERROR, "Pass: why. it may not post. Give it pull-requests: write."),
    ],
)
def test_the_headline_is_as_loud_as_the_end_of_the_run(
    a_review: Make, verdict: Verdict, exit_code: int, level: Level, text: str
) -> None:
    failure = NotPermittedError("it may not post", remedy="Give it pull-requests: write.")
    said = headline(a_review(verdict=verdict, reason="why", failure=failure), exit_code=exit_code)
    assert (said.level, said.text) == (level, text)


def test_the_headline_is_one_annotation_of_the_run(a_review: Make, runner_reads: Reads) -> None:
    (one,) = runner_reads(headline(a_review(reason="a\n::error::b, c: 100 %")).command)
    assert (one.name, one.data) == ("error", "Fail: a ::error::b, c: 100 %")
    assert one.properties == {"title": "Spark"}


# -- annotations ---------------------------------------------------------------------------------------------------


def test_ten_of_each_level_are_shown_most_severe_first_and_the_rest_is_counted(
    a_review: Make, a_finding: Make, misplaced: Make, runner_reads: Reads
) -> None:
    findings = (
        *many(a_finding, 8, Severity.HIGH),
        *many(a_finding, 4, Severity.CRITICAL),
        *many(a_finding, 11, Severity.MEDIUM),
        *many(a_finding, 2, Severity.LOW),
        *many(a_finding, 3, Severity.LOW, status=FindingStatus.BELOW_THRESHOLD),
        *many(a_finding, 3, Severity.HIGH, status=FindingStatus.DISMISSED),
    )
    review = a_review(findings=findings, misplaced=(misplaced(severity=Severity.CRITICAL),))
    shown = annotations(review, taken=[Level.ERROR])
    read = runner_reads("\n".join(shown.commands))
    assert [one.name for one in read] == ["error"] * 9 + ["warning"] * 10 + ["notice"] * 2
    titles = [one.properties["title"] for one in read]
    assert titles[0] == "Critical · bug: critical 0"
    assert titles[4] == "Critical · tests: No test"
    assert titles[5:9] == [f"High · bug: high {at}" for at in range(4)]
    assert [one.title for one in shown.left_out] == ["high 4", "high 5", "high 6", "high 7", "medium 10"]
    assert len(annotations(review).commands) == 22


def test_an_annotation_names_lines_that_the_head_has(
    a_review: Make, a_finding: Make, an_anchor: Make, misplaced: Make, runner_reads: Reads
) -> None:
    findings = (
        a_finding(an_anchor(2, 3), body="both lines"),
        a_finding(an_anchor(2, side=Side.LEFT), body="no check any more"),
        a_finding(an_anchor(1, 2, side=Side.LEFT, path="src/old.py"), body="it was needed"),
    )
    lost = (misplaced(), misplaced(path="/etc/passwd"))
    read = runner_reads("\n".join(annotations(a_review(findings=findings, misplaced=lost)).commands))
    where = [{key: one.properties.get(key) for key in ("file", "line", "endLine")} for one in read]
    assert where == [
        {"file": "src/cart.py", "line": "2", "endLine": "3"},
        {"file": "src/cart.py", "line": "2", "endLine": None},
        {"file": "src/old.py", "line": None, "endLine": None},
        {"file": "src/cart.py", "line": None, "endLine": None},
        {"file": None, "line": None, "endLine": None},
    ]
    assert [one.data for one in read[:3]] == [
        "both lines",
        "no check any more\n\nAbout src/cart.py:2 (removed)",
        "it was needed\n\nAbout src/old.py:1-2 (removed)",
    ]
    assert read[4].data.endswith("No line of the diff: /etc/passwd R99#zzz: line 99 is not part of the diff")


def test_an_annotation_has_the_suggested_change_as_text_and_no_secret(
    a_review: Make, a_finding: Make, runner_reads: Reads
) -> None:
    short = a_finding(suggestion="    return amount / max(1, count)", proven=True, body=f"the key {token()} is here")
    long = a_finding(suggestion="x = 1\n" * 400, proven=True)
    unproven = a_finding(suggestion="pass")
    read = runner_reads("\n".join(annotations(a_review(findings=(short, long, unproven))).commands))
    assert read[0].data == (
        "the key ghp_••• is here\n\nSuggested change:\n-    return amount / count\n+    return amount / max(1, count)"
    )
    assert read[1].data.endswith("\n\nA suggested change is in the summary of the run.")
    assert read[2].data == "An empty list has a `count` of 0."


@QUICK
@given(title=HOSTILE, body=HOSTILE, claimed=HOSTILE, path=HOSTILE)
def test_whatever_a_model_says_the_runner_sees_our_annotations_and_no_other(
    runner_reads: Reads,
    a_review: Make,
    a_finding: Make,
    misplaced: Make,
    title: str,
    body: str,
    claimed: str,
    path: str,
) -> None:
    lost = misplaced(title=title, body=body, path=path, claimed=claimed)
    review = a_review(findings=(a_finding(title=title, body=body, suggestion=body, proven=True),), misplaced=(lost,))
    out = io.StringIO()
    with Quiet(out) as quiet:
        listener = LogListener(quiet.line)
        listener.on(Found(at=0.1, finding=review.findings[0]))
        listener.on(Lost(at=0.2, what=lost))
        listener.on(Finished(at=0.3, review=review))
    inside = out.getvalue().split("\n", 1)[1].rsplit("\n\n", 1)[0]
    assert runner_reads(inside) == []  # Also without the word before it.
    said = [*annotations(review).commands, headline(review).command, told(body, seconds_total=1).headline.command]
    out.write("\n".join(said).encode("utf-8", "replace").decode())
    read = runner_reads(out.getvalue())
    assert [one.name for one in read] == ["error", "warning", "error", "notice"]
    assert (read[0].properties["file"], read[0].properties["line"]) == ("src/cart.py", "5")
    assert "file" not in read[1].properties


# -- the page ------------------------------------------------------------------------------------------------------


def test_the_page_begins_with_the_verdict_and_ends_with_what_it_cost(a_review: Make, a_finding: Make) -> None:
    finding = a_finding(suggestion="    return amount / max(1, count)", proven=True, parsed=True)
    text = summary(a_review(findings=(finding,)), seconds_total=1.4)
    lines = text.splitlines()
    assert lines[0] == "## Spark · Fail: 1 finding of high or above"
    assert lines[2] == (
        "**1 finding: 1 high** by `codex-spark-preview` · [acme/shop#7](https://github.com/acme/shop/pull/7) Totals"
        " · `222222222222`"
    )
    place = f"[`src/cart.py:5`](https://github.com/acme/shop/blob/{'2' * 40}/src/cart.py#L5)"
    assert f"**1. High · bug** · {place} · Dividing by zero\n" in text
    assert "<details open><summary>Why, the code, and a proven change</summary>\n\nAn empty list" in text
    assert "```diff\n-    return amount / count\n+    return amount / max(1, count)\n```" in text
    assert "### What was reviewed\n\n2 of 2 hunks reviewed." in text
    assert lines[-1] == (
        "<sub>diff 0.20 s · first token 0.30 s · first finding 0.41 s · done 0.90 s · 2 calls · 1,200 tokens in · 90 out"
        " · $0.0041 · 2/2 hunks · whole run 1.4 s</sub>"
    )


def test_the_page_links_to_the_review_and_folds_what_was_posted_there(a_review: Make) -> None:
    url = "https://github.com/acme/shop/pull/7#pullrequestreview-1"
    text = summary(a_review(review_url=url))
    assert f"[the review on the pull request]({url})" in text
    assert "<details>" in text
    assert "<details open>" not in text


def test_the_page_says_why_nothing_was_posted_and_what_has_no_annotation(a_review: Make, a_finding: Make) -> None:
    findings = tuple(many(a_finding, 7, Severity.HIGH))
    text = summary(a_review(findings=findings), untold="The token may not write here", unannotated=findings[5:])
    assert "\n> The token may not write here\n" in text
    assert "GitHub shows ten annotations of a level beside the code: 2 findings (2 high) have none there." in text
    assert text.count("<details open>") == 5
    assert text.count("<details>") == 2


def test_notices_and_what_is_still_open_come_before_the_findings(a_review: Make, a_finding: Make) -> None:
    known = a_finding(title="Told before", status=FindingStatus.KNOWN, thread="https://github.com/acme/shop/pull/7#r1")
    text = summary(a_review(findings=(a_finding(), known), notices=("There is no key.", "ruff did not run.")))
    parts = (
        "Still open: [Told before](",
        "> There is no key.",
        "> ruff did not run.",
        "### Findings",
        "### What was reviewed",
    )
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_a_finding_over_the_limit_of_comments_is_on_the_page_once_and_whole(a_review: Make, a_finding: Make) -> None:
    over = a_finding(title="Over the limit", status=FindingStatus.OVER_LIMIT, body="All of its text.")
    text = summary(a_review(findings=(a_finding(), over)))
    assert text.count("Over the limit") == text.count("All of its text.") == 1
    assert "**2 findings: 2 high**" in text


def test_a_page_without_findings_reads_well(a_review: Make) -> None:
    review = a_review(findings=(), verdict=Verdict.PASS, reason="all 2 hunks were reviewed, no findings")
    text = summary(review)
    assert text.startswith("## Spark · Pass: all 2 hunks were reviewed, no findings\n\n**No findings** by")
    assert "### Findings" not in text


@pytest.mark.parametrize("limit", [1_000_000, 60_000, 9_000, 3_000])
def test_a_page_keeps_its_limit_and_leaves_out_the_least_severe_with_a_word(
    a_review: Make, a_finding: Make, limit: int
) -> None:
    findings = (*many(a_finding, 20, Severity.HIGH, body="日本" * 400), *many(a_finding, 20, Severity.LOW))
    text = summary(a_review(findings=findings), limit=limit)
    assert len(text.encode()) <= limit
    titles, folds = text.count("blob/"), text.count("</summary>")
    if limit == 1_000_000:
        assert (titles, folds) == (40, 40)
    elif limit >= 9_000:
        assert titles == 40
        assert f"Of {40 - folds} findings only the title fits: GitHub takes no larger summary of a step." in text
        assert "**40. Low" in text
        assert limit == 9_000 or folds > 10
    else:
        assert folds == 0
        assert f"… and {40 - titles} more that did not fit here ({20 - titles} high, 20 low)." in text
    assert text.startswith("## Spark · Fail:")
    assert text.endswith("2/2 hunks</sub>\n")


@QUICK
@given(text=HOSTILE, other=HOSTILE, number=st.integers(0, 12), limit=st.integers(2_500, 12_000))
def test_a_page_is_utf_8_within_its_limit_and_nothing_in_it_is_alive(
    a_review: Make, a_finding: Make, misplaced: Make, text: str, other: str, number: int, limit: int
) -> None:
    findings = tuple(many(a_finding, number, Severity.HIGH, body=text * 3, note=other))
    lost = (misplaced(title=text, body=other, path=other),)
    page = summary(a_review(findings=findings, misplaced=lost, reason=text), untold=other, limit=limit)
    assert len(page.encode()) <= limit  # And so it is UTF-8.
    html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(page)
    plain = re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)
    assert plain.count("<details") == plain.count("</details>")
    assert not re.search(r"<(?:img|script)\b|evil\.example/p\.png\"|@octocat|<!-- spark:", plain)
    assert all("github.com/acme/shop" in link for link in re.findall(r"<a href=\"([^\"]*)\"", plain))


# -- without a review ----------------------------------------------------------------------------------------------


def test_a_run_without_a_review_says_why_and_claims_no_findings_of_none(runner_reads: Reads) -> None:
    said = told(f"draft <b>pulls</b> of @octocat are not reviewed, {token()}", seconds_total=0.5)
    (one,) = runner_reads(said.headline.command)
    assert (one.name, one.data) == ("notice", "draft <b>pulls</b> of @octocat are not reviewed, ghp_•••")
    assert said.outputs["seconds-total"] == "0.50"
    assert {key for key, value in said.outputs.items() if value} == {"reason", "seconds-total"}
    assert said.summary == "## Spark · draft &lt;b&gt;pulls&lt;/b&gt; of `@octocat` are not reviewed, ghp\\_•••\n"
    failed = told("the endpoint is down", seconds_total=1, verdict=Verdict.NEUTRAL, level=Level.WARNING)
    assert failed.outputs["verdict"] == "neutral"
    assert failed.summary == "## Spark · Neutral: the endpoint is down\n"
    assert failed.headline.text == "Neutral: the endpoint is down"


# -- the log -------------------------------------------------------------------------------------------------------


def test_the_log_has_a_line_for_each_finding_the_moment_it_is_there(
    a_review: Make, a_finding: Make, misplaced: Make
) -> None:
    review: Review = a_review()
    chunk = Chunk(id=0, hunks=tuple(hunk.key for hunk in review.change.patch.hunks()), print=str, tokens=1, paths=())
    plan = Plan(chunks=(chunk,), skipped=())
    lines: list[str] = []
    listener = LogListener(lines.append)
    finding = a_finding(suggestion="x", proven=True, title=f"A key: {token()}")
    for event in (
        Started(at=0.2, change=review.change, plan=plan, model="codex"),
        Progress(at=0.3, chunks_done=0, chunks=1, output_tokens=5),
        Found(at=0.41, finding=finding),
        Found(at=0.42, finding=a_finding(status=FindingStatus.DISMISSED)),
        Lost(at=0.5, what=misplaced()),
        Lost(at=0.6, what=Dropped(finding=a_finding(), reason="refuted", why="the caller checks it")),
        Note(at=0.7, text="a stream was\ntried again"),
        Finished(at=61.0, review=review),
    ):
        listener.on(event)
    assert lines == [
        " 0.20 s  Totals: 2 files, +3 -4, 2 hunks, 1 call to codex",
        " 0.41 s  High · bug · src/cart.py:5 · A key: ghp_••• (with a proven change)",
        " 0.50 s  Medium · tests · src/cart.py R99#zzz · No test (no line of the diff)",
        " 0.60 s  dropped (refuted) · src/cart.py:5",
        " 0.70 s  a stream was tried again",
        "   61 s  Fail: 1 finding of high or above · 1 finding: 1 high",
        "   61 s  diff 0.20 s · first token 0.30 s · first finding 0.41 s · done 0.90 s · 2 calls · 1,200 tokens in"
        " · 90 out · $0.0041 · 2/2 hunks",
    ]
