"""Coverage that claims nothing it cannot show, and the gate over it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.diff.model import BadSection, FilePatch, FileStatus, HunkKey, Patch
from bot.review.coverage import CoverageBook, difference
from bot.review.gate import decide
from bot.review.model import Category, Change, FindingStatus, Misplaced, Severity, Totals, Verdict, Votes
from bot.review.scope import Chunk, Coverage, Hole, PassName, Plan, Skip, SkipReason

ONE, TWO, THREE = HunkKey(0, 0), HunkKey(0, 1), HunkKey(1, 0)
REVIEW, SECURITY = PassName("review"), PassName("security")
EMPTY = Change(patch=Patch(files=()), base="a", head="b")


def plan(*hunks, skipped=()):
    chunks = [Chunk(id=n, hunks=keys, print=str, tokens=1, paths=()) for n, keys in enumerate(hunks)]
    return Plan(chunks=tuple(chunks), skipped=skipped)


def test_a_hunk_is_reviewed_when_every_pass_saw_it():
    book = CoverageBook(plan((ONE, TWO), (THREE,)), [REVIEW, SECURITY])
    book.seen(0, REVIEW)
    book.seen(0, SECURITY)
    book.seen(1, REVIEW)
    book.hole(1, SECURITY, "the stream was cut")
    coverage = book.close(EMPTY)
    assert (coverage.hunks, coverage.reviewed) == (3, 2)
    assert coverage.holes == (Hole(hunk=THREE, pass_name=SECURITY, reason="the stream was cut"),)
    assert not coverage.whole


def test_a_hunk_in_several_chunks_needs_all_of_them():
    book = CoverageBook(plan((ONE,), (ONE,), (ONE, TWO)), [REVIEW])
    book.seen(0, REVIEW)
    book.seen(1, REVIEW)
    book.hole(2, REVIEW, "the deadline passed")
    coverage = book.close(EMPTY)
    assert (coverage.hunks, coverage.reviewed, len(coverage.holes)) == (2, 0, 2)
    book.seen(2, REVIEW)
    assert book.close(EMPTY).whole, "a second try mends the first"


def test_what_nobody_spoke_of_is_a_hole():
    coverage = CoverageBook(plan((ONE,)), [REVIEW]).close(EMPTY)
    assert coverage.reviewed == 0
    assert coverage.holes[0].reason == "it was never answered"


def test_without_passes_nothing_counts_as_reviewed():
    coverage = CoverageBook(plan((ONE,)), []).close(EMPTY)
    assert (coverage.hunks, coverage.reviewed) == (1, 0)


def test_the_book_knows_its_chunks_and_no_others():
    book = CoverageBook(plan((ONE,)), [REVIEW])
    assert book.chunk(0).hunks == (ONE,)
    with pytest.raises(KeyError):
        book.chunk(7)


def file(index, path):
    return FilePatch(index=index, path=path, old_path=None, status=FileStatus.MODIFIED)


@pytest.mark.parametrize(
    ("totals", "says"),
    [
        (None, ""),
        (Totals(files=3, added=0, removed=0), ""),
        (Totals(files=4, added=0, removed=0), "partly reviewed: git counts 4 files, the diff has 3"),
        (
            Totals(files=12, added=1_340, removed=1),
            "partly reviewed: git counts 12 files and 1,340 added lines and 1 removed line, the diff has 3 and 0 and 0",
        ),
    ],
)
def test_our_count_is_held_against_theirs(totals, says):
    patch = Patch(
        files=(file(0, "a"), file(1, "a"), file(2, "b")),
        bad=(BadSection(index=3, path="b", reason="?"),),
    )
    gaps = (Skip(path="c", reason=SkipReason.NO_PATCH), Skip(path="b", reason=SkipReason.NO_PATCH))
    assert difference(Change(patch=patch, base="a", head="b", totals=totals, gaps=gaps)) == says


def test_a_section_without_a_name_counts_as_a_file():
    patch = Patch(files=(file(0, "a"),), bad=(BadSection(index=1, path=None, reason="?"),))
    change = Change(patch=patch, base="a", head="b", totals=Totals(files=2, added=0, removed=0))
    assert difference(change) == ""


WHOLE = Coverage(hunks=40, reviewed=40, holes=(), skipped=())


def gate(*findings, coverage=WHOLE, fail_on=Severity.HIGH, **more):
    return decide(findings, coverage, fail_on=fail_on, **more)


def test_a_finding_that_is_severe_enough_fails(finding_of):
    high, low = finding_of(severity=Severity.HIGH), finding_of(severity=Severity.LOW)
    assert gate(high, finding_of(severity=Severity.CRITICAL), low) == (Verdict.FAIL, "2 findings of high or above")
    assert gate(high, fail_on=Severity.CRITICAL)[0] is Verdict.PASS
    assert gate(finding_of(severity=Severity.CRITICAL), fail_on=Severity.CRITICAL)[1] == "1 finding of critical"


def lost(severity):
    return Misplaced(
        path="a.py", claimed="R9#abc", reason="?", severity=severity, category=Category.BUG, title="t", body="b"
    )


def test_a_severe_finding_without_a_line_keeps_the_gate_from_being_green():
    critical, low = lost(Severity.CRITICAL), lost(Severity.LOW)
    assert gate(misplaced=[critical, low]) == (
        Verdict.NEUTRAL,
        "1 finding of high or above has no line in the diff",
    )
    assert gate(misplaced=[low]) == (Verdict.PASS, "all 40 hunks were reviewed, no finding of high or above")
    assert gate(misplaced=[critical], fail_on=None) == (
        Verdict.PASS,
        "all 40 hunks were reviewed, 1 finding, no gate is set",
    )


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (FindingStatus.POSTED, Verdict.FAIL),
        (FindingStatus.KNOWN, Verdict.FAIL),
        (FindingStatus.OVER_LIMIT, Verdict.FAIL),
        (FindingStatus.DISMISSED, Verdict.FAIL),
        (FindingStatus.BELOW_THRESHOLD, Verdict.PASS),
        (FindingStatus.HELD_BACK, Verdict.PASS),
    ],
)
def test_only_findings_that_stand_fail(status, verdict, finding_of):
    assert gate(replace(finding_of(), status=status))[0] is verdict


def test_a_dismissal_by_somebody_who_may_write_takes_a_finding_out_of_the_gate(finding_of):
    dismissed = replace(finding_of(), status=FindingStatus.DISMISSED)
    assert gate(replace(dismissed, excused=True))[0] is Verdict.PASS
    assert gate(dismissed)[1].endswith("1 of them dismissed by somebody who may not write here")


def test_hunks_of_an_earlier_round_count_as_reviewed_and_as_such():
    book = CoverageBook(plan((ONE,)), [REVIEW], earlier=3)
    book.seen(0, REVIEW)
    coverage = book.close(EMPTY)
    assert (coverage.hunks, coverage.reviewed, coverage.earlier) == (4, 4, 3)
    assert book.whole() == {ONE}


def test_votes_are_asked_of_those_who_have_them(finding_of):
    single = finding_of(votes=Votes(in_favour=1, of=2))
    assert gate(single, min_votes=2)[0] is Verdict.PASS
    assert gate(replace(single, votes=Votes(in_favour=2, of=2)), min_votes=2)[0] is Verdict.FAIL
    assert gate(finding_of(votes=None, source="ruff"), min_votes=2)[0] is Verdict.FAIL


def test_a_model_that_is_unsure_does_not_take_a_tools_finding_from_the_gate(finding_of):
    doubted = finding_of(votes=Votes(in_favour=1, of=2), source="ruff", rule="S307")
    assert gate(doubted, min_votes=2)[0] is Verdict.FAIL


def test_without_a_model_what_could_not_be_read_is_named_all_the_same():
    gap = Skip(path="a.py", reason=SkipReason.UNREADABLE)
    coverage = Coverage(hunks=0, reviewed=0, holes=(), skipped=(gap,), difference="partly reviewed: ...")
    assert gate(coverage=coverage, model_used=False) == (
        Verdict.NEUTRAL,
        "no model was used, only analyzers; 1 file was not reviewed: a.py (its diff could not be read); "
        "partly reviewed: ...",
    )


def test_a_green_verdict_says_what_it_rests_on(finding_of):
    assert gate() == (Verdict.PASS, "all 40 hunks were reviewed, no findings")
    assert gate(finding_of(severity=Severity.LOW))[1] == "all 40 hunks were reviewed, no finding of high or above"
    assert gate(finding_of(), fail_on=None) == (Verdict.PASS, "all 40 hunks were reviewed, 1 finding, no gate is set")
    nothing = Coverage(hunks=0, reviewed=0, holes=(), skipped=(Skip(path="yarn.lock", reason=SkipReason.LOCK),))
    assert gate(coverage=nothing) == (Verdict.PASS, "nothing to review, no findings")


def holes(*reasons):
    found = tuple(Hole(hunk=HunkKey(n, 0), pass_name=REVIEW, reason=reason) for n, reason in enumerate(reasons))
    return replace(WHOLE, reviewed=40 - len(found), holes=found)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"coverage": holes("the stream was cut", "the stream was cut", "the stream was cut")},
            "3 of 40 hunks were not reviewed: the stream was cut",
        ),
        (
            {"coverage": holes("the stream was cut", "the deadline passed", "the stream was cut")},
            "3 of 40 hunks were not reviewed (2: the stream was cut, 1: the deadline passed)",
        ),
        ({"coverage": holes("the model refused")}, "1 of 40 hunks was not reviewed: the model refused"),
        ({"coverage": replace(WHOLE, reviewed=38)}, "2 of 40 hunks were not reviewed"),
        (
            {"coverage": replace(WHOLE, skipped=(Skip(path="a.py", reason=SkipReason.NO_PATCH),))},
            "1 file was not reviewed: a.py (no diff available)",
        ),
        (
            {"coverage": replace(WHOLE, skipped=(Skip(path="a", reason=SkipReason.TOO_LARGE),) * 5)},
            "5 files were not reviewed: a (too large), a (too large), a (too large) and 2 more",
        ),
        ({"coverage": replace(WHOLE, difference="partly reviewed: x")}, "partly reviewed: x"),
        ({"model_used": False}, "no model was used, only analyzers"),
        ({"shortfalls": ["2 comments were refused by GitHub"]}, "2 comments were refused by GitHub"),
    ],
)
def test_whatever_falls_short_is_neutral_and_said(more, reason, finding_of):
    assert gate(**more) == (Verdict.NEUTRAL, reason)
    assert gate(fail_on=None, **more)[0] is Verdict.NEUTRAL
    assert gate(require_coverage=True, **more) == (Verdict.FAIL, reason)
    assert gate(finding_of(), **more) == (Verdict.FAIL, "1 finding of high or above")


def test_a_deliberate_skip_is_no_shortfall():
    assert gate(coverage=replace(WHOLE, skipped=(Skip(path="a", reason=SkipReason.LOCK),)))[0] is Verdict.PASS
