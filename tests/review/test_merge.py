"""Duplicates become one finding, and nothing that was said is lost."""

from __future__ import annotations

import pytest

from bot.diff.model import Side
from bot.review.merge import combine, same
from bot.review.model import Category, Severity, Votes

TEXT = {
    "title": "total() divides by zero for an empty cart",
    "body": "With no items `count` is zero, so the division raises ZeroDivisionError for an empty cart.",
}
REPHRASED = {
    "title": "Division by zero when the cart is empty",
    "body": "An empty cart has a count of zero and the division then raises ZeroDivisionError.",
}
UNRELATED = {
    "title": "The query is built from user input",
    "body": "An attacker can end the statement and append another, which reads every password.",
}


def test_one_fingerprint_is_one_finding_whatever_its_words(finding_of):
    assert same(finding_of(), finding_of(**UNRELATED))


def test_overlapping_lines_and_the_same_meaning_are_one_finding(finding_of):
    one = finding_of(start=10, line=14, fingerprint="1", **TEXT)
    assert same(one, finding_of(start=12, fingerprint="2", **REPHRASED))
    assert same(one, finding_of(start=12, fingerprint="2", category=Category.RELIABILITY, **REPHRASED))


@pytest.mark.parametrize(
    "other",
    [
        {"start": 15, **REPHRASED},
        {"start": 12, **UNRELATED},
        {"start": 12, "path": "b.py", **REPHRASED},
        {"start": 12, "side": Side.LEFT, **REPHRASED},
        {"start": 12, "hunk": (0, 1), **REPHRASED},
        {"start": 12, "category": Category.SECURITY, **UNRELATED},
    ],
)
def test_another_place_or_another_meaning_is_another_finding(other, finding_of):
    one = finding_of(start=10, line=14, fingerprint="1", **TEXT)
    assert not same(one, finding_of(fingerprint="2", **other))
    assert not same(finding_of(fingerprint="2", **other), one)


def test_an_analyzer_and_the_model_on_the_same_line_meet(finding_of):
    ruff = finding_of(
        source="ruff",
        fingerprint="1",
        category=Category.MAINTAINABILITY,
        title="Local variable `count` is assigned to but never used",
        body="F841",
        votes=None,
    )
    model = finding_of(
        fingerprint="2",
        category=Category.MAINTAINABILITY,
        title="Unused variable `count`",
        body="The variable `count` is assigned and never used afterwards.",
    )
    assert same(ruff, model)


def test_the_more_severe_words_stay_with_the_better_suggestion(finding_of):
    proven = finding_of(start=3, severity=Severity.LOW, suggestion="x = 2", proven=True, fingerprint="1", **TEXT)
    severe = finding_of(start=3, line=4, severity=Severity.CRITICAL, suggestion="y", fingerprint="2", **REPHRASED)
    for merged in (combine(proven, severe), combine(severe, proven)):
        assert merged.severity is Severity.CRITICAL
        assert merged.title == REPHRASED["title"]
        assert (merged.suggestion, merged.proven, merged.anchor.line, merged.fingerprint) == ("x = 2", True, 3, "1")


def test_an_analyzers_proven_fix_wins_over_the_models(finding_of):
    model = finding_of(suggestion="a", proven=True, **TEXT)
    ruff = finding_of(suggestion="b", proven=True, source="ruff", rule="F841", votes=None, passes=(), **REPHRASED)
    for merged in (combine(model, ruff), combine(ruff, model)):
        assert (merged.suggestion, merged.source, merged.rule) == ("b", "ruff", "F841")
        assert merged.votes == Votes(in_favour=1, of=1)


def test_what_a_tool_said_too_stays_the_tools_with_the_models_proven_patch(finding_of):
    model = finding_of(suggestion="a", proven=True, fingerprint="1", **TEXT)
    ruff = finding_of(source="ruff", rule="B006", fingerprint="2", votes=None, passes=(), **REPHRASED)
    for merged in (combine(model, ruff), combine(ruff, model)):
        assert (merged.suggestion, merged.proven) == ("a", True)
        assert (merged.source, merged.rule, merged.fingerprint) == ("ruff", "B006", "2")
        assert merged.votes == Votes(in_favour=1, of=1)


def test_without_suggestions_the_first_place_and_the_longer_words_stay(finding_of):
    first = finding_of(start=3, fingerprint="1", title="short", body="zero division of count")
    longer = finding_of(start=3, line=9, fingerprint="2", title="long", body="zero division of count " * 3)
    merged = combine(first, longer)
    assert (merged.anchor.line, merged.fingerprint) == (3, "1")
    assert merged.title == "long"


def test_votes_grow_by_passes_and_not_by_repeating_oneself(finding_of):
    one = finding_of(passes=["correctness"])
    twice = combine(one, finding_of(passes=["correctness"]))
    assert (twice.votes, twice.passes) == (Votes(in_favour=1, of=1), ("correctness",))
    both = combine(twice, finding_of(passes=["security"]))
    assert (both.votes, both.passes) == (Votes(in_favour=2, of=2), ("correctness", "security"))
    checked = combine(
        finding_of(passes=["correctness"], votes=Votes(in_favour=2, of=2)), finding_of(passes=["security"])
    )
    assert checked.votes == Votes(in_favour=3, of=3)


def test_two_things_said_of_the_same_lines_are_both_kept(finding_of):
    merged = combine(finding_of(**TEXT), finding_of(**UNRELATED))
    for said in (TEXT["body"], UNRELATED["title"], UNRELATED["body"]):
        assert said in merged.body or said in merged.title
    assert "Also: " not in combine(finding_of(**TEXT), finding_of(**REPHRASED)).body
    again = combine(merged, finding_of(**UNRELATED))
    assert again.body.count(UNRELATED["body"]) == 1


def test_the_models_words_go_before_a_tools_which_is_named_in_a_line(finding_of):
    model = finding_of(severity=Severity.MEDIUM, **TEXT)
    ruff = finding_of(source="ruff", rule="S608", severity=Severity.HIGH, votes=None, passes=(), **UNRELATED)
    for merged in (combine(model, ruff), combine(ruff, model)):
        assert (merged.severity, merged.title) == (Severity.HIGH, TEXT["title"])
        assert merged.body == f"{TEXT['body']}\n\nruff S608: {UNRELATED['title']}"
        assert combine(merged, ruff).body == merged.body
    third = combine(merged, finding_of(passes=["security"], title="Slow", body="It is slow for large carts."))
    assert third.body.count("ruff S608") == 1
    assert "Also: Slow" in third.body
    alike = combine(model, finding_of(source="ruff", rule="S608", votes=None, passes=(), **REPHRASED))
    assert alike.body == TEXT["body"]


def test_a_merged_body_stays_within_its_cap(finding_of):
    merged = combine(finding_of(title="a", body="alpha " * 600), finding_of(title="b", body="beta " * 600))
    assert len(merged.body) <= 4_000


def test_the_identity_of_two_of_the_models_findings_does_not_depend_on_their_order(finding_of) -> None:
    one, other = finding_of(title="A", fingerprint="b" * 16), finding_of(title="A", fingerprint="a" * 16)
    assert combine(one, other).fingerprint == combine(other, one).fingerprint == "a" * 16
