from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.diff.model import Anchor, HunkKey, Side
from bot.review.model import CommitSha, Finding, FindingStatus, Pull, RepoName, Review, Verdict
from bot.review.render.check import (
    Growing,
    check_text,
    closing_summary,
    closing_title,
    growing_summary,
    growing_title,
    line_url,
    mistakes,
    told,
)
from bot.review.render.comments import LEVELS, levels
from bot.review.render.safe import Redactor

HEAD = "a" * 40
PULL = Pull(
    repo=RepoName("acme/shop"),
    number=7,
    title="A change",
    body="",
    author="mona",
    base_sha=CommitSha("b" * 40),
    head_sha=CommitSha(HEAD),
    base_ref="main",
    head_ref="topic",
    head_repo=RepoName("acme/shop"),
    url="https://github.test/acme/shop/pull/7",
)


def growing(*findings: Finding, **more: object) -> Growing:
    known = {"pull": PULL, "findings": findings, "chunks_done": 3, "chunks": 40, "at": 4.25, "tokens_per_second": 812.4}
    return Growing(**{**known, **more})


def test_while_it_is_written_it_counts_findings_chunks_and_tokens(
    a_finding: Callable[..., Finding], redactor: Redactor
) -> None:
    state = growing(a_finding(), a_finding())
    text = growing_summary(state, redactor, page="https://spark.test/reviews/1")
    assert growing_title(state) == "Reviewing… 2 findings so far"
    assert "**2 findings so far: 2 high**" in text
    assert "3 of 40 chunks reviewed · 812 tokens/s · 4.2 s" in text
    assert "[Watch it live](https://spark.test/reviews/1)" in text


def test_without_a_finding_it_tells_how_far_it_is(redactor: Redactor) -> None:
    text = growing_summary(growing(tokens_per_second=None), redactor, page=None)
    assert growing_title(growing()) == "Reviewing… 3 of 40 chunks"
    assert "No findings so far" in text
    assert "tokens/s" not in text
    assert "live" not in text


def test_each_finding_links_to_its_lines_at_the_head(a_finding: Callable[..., Finding], redactor: Redactor) -> None:
    text = growing_summary(growing(a_finding()), redactor, page=None)
    link = f"https://github.test/acme/shop/blob/{HEAD}/src/shop/cart.py#L15"
    assert f"- **High · bug** · [`src/shop/cart.py:15`]({link}) · A discount raises the total" in text


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("a b/ä(1).py", "a%20b/%C3%A4%281%29.py#L2-L4"),
        ("x#y?z.py", "x%23y%3Fz.py#L2-L4"),
    ],
)
def test_a_path_cannot_end_its_link(path: str, end: str) -> None:
    anchor = Anchor(path=path, side=Side.RIGHT, start_line=2, line=4, hunk=HunkKey(0, 0), text=("x",) * 3)
    assert line_url(PULL, anchor) == f"https://github.test/acme/shop/blob/{HEAD}/{end}"


def test_removed_lines_link_to_the_files_of_the_pull(an_anchor: Callable[..., Anchor]) -> None:
    anchor = replace(an_anchor(), side=Side.LEFT)
    assert line_url(PULL, anchor) == "https://github.test/acme/shop/pull/7/files"


def test_a_title_of_a_model_stays_text(a_finding: Callable[..., Finding], redactor: Redactor) -> None:
    text = growing_summary(growing(a_finding(title="<img src=x> @octocat\n# big")), redactor, page=None)
    assert "<img" not in text
    assert "`@octocat`" in text
    assert "\n# big" not in text


def test_a_hundred_findings_are_counted_where_they_are_not_named(
    a_finding: Callable[..., Finding], redactor: Redactor
) -> None:
    text = growing_summary(growing(*[a_finding() for _ in range(100)]), redactor, page=None)
    assert text.count("A discount raises the total") == 60
    assert "and 40 more (40 high)" in text


def test_a_closed_check_has_the_summary_the_links_and_the_measures_last(
    a_review: Callable[..., Review], redactor: Redactor
) -> None:
    review = a_review()
    review = replace(review, change=replace(review.change, pull=PULL))
    text = closing_summary(
        check_text(review, redactor),
        Verdict.NEUTRAL,
        "1 of 4 hunks was not reviewed",
        redactor,
        url="https://github.test/acme/shop/pull/7#r1",
        page="https://spark.test/reviews/1",
        measures="done 1.1 s · $0.0041 · 3/4 hunks",
    )
    lines = text.split("\n")
    assert "findings" in lines[0]
    assert lines[2] == "Neutral: 1 of 4 hunks was not reviewed"
    assert "[The review on the pull request](https://github.test/acme/shop/pull/7#r1)" in lines[4]
    assert lines[-1] == "<sub>done 1.1 s · $0.0041 · 3/4 hunks</sub>"
    assert "SQL is built from a name that users choose" in text
    assert "package-lock.json" in text
    assert "the stream was cut" in text


def test_a_huge_review_fits_into_a_check_run(
    a_review: Callable[..., Review], a_finding: Callable[..., Finding], redactor: Redactor
) -> None:
    review = a_review(findings=tuple(a_finding(title="t" * 180, body="b" * 3000) for _ in range(900)))
    review = replace(review, change=replace(review.change, pull=PULL))
    text = check_text(review, redactor)
    assert len(text.headline) + len(text.details) < 52_000
    assert "more" in text.details


@pytest.mark.parametrize(("length", "first"), [(100, 4_000), (3_000, 300), (900, 300)])
def test_only_what_may_fit_is_rendered(
    a_review: Callable[..., Review], a_finding: Callable[..., Finding], redactor: Redactor, length: int, first: int
) -> None:
    over = a_finding(body="b" * length, status=FindingStatus.OVER_LIMIT)
    review = a_review(findings=(over,) * 90)
    tried = list(levels(review, 50_000))
    assert tried[0][0] == first
    assert tried[-1] == LEVELS[-1]
    text = check_text(replace(review, change=replace(review.change, pull=PULL)), redactor)
    assert text.details.count("b" * min(length, first - 10)) == 90


def test_a_title_is_plain_short_and_without_secrets(redactor: Redactor) -> None:
    title = closing_title(Verdict.FAIL, "ghp_" + "a1" * 20 + " " + "x" * 400, redactor)
    assert title.startswith("Fail: ghp_•••")
    assert len(title) <= 200


def test_mistakes_of_a_configuration_are_a_list_of_lines() -> None:
    text = mistakes([f".github/spark.yml:{line}: review.x: unknown `key`" for line in range(1, 61)])
    assert text.split("\n")[0] == "- `` .github/spark.yml:1: review.x: unknown `key` ``"
    assert text.endswith("and 10 more")


def test_a_check_without_a_review_names_its_reference() -> None:
    assert told("GitHub is down.", reference="0123456789abcdef") == (
        "GitHub is down.\n\n<sub>Reference: `0123456789abcdef`</sub>"
    )
