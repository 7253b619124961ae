"""Rules of the repository's configuration that dismiss findings for good: what they are about, and that it is no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.review.config import DismissRule, RepoConfig, read_config
from bot.review.follow import match
from bot.review.lasting import dismissed_for_good, lasting_rule, let_be
from bot.review.memory import Dismissal, FindingNote, Remembered
from bot.review.model import Category, Effort, FindingStatus, Fingerprint, Severity
from bot.review.recall import note_of
from bot.review.rounds import rules_of
from bot.review.settle import Past, settle

S311 = {"source": "ruff", "rule": "S311", "category": Category.SECURITY, "title": "Random numbers for a secret"}
OLD = "".join(f"line {number}\n" for number in range(1, 21))
FILES = {"a.py": (OLD, OLD.replace("line 10", "divide(total, n)"))}


@pytest.mark.parametrize(
    ("rule", "about", "is_about"),
    [
        ({"rule": "S311"}, S311, True),
        ({"rule": "s311"}, S311, True),
        ({"rule": "S3"}, S311, False),
        ({"rule": "S311"}, {"title": "S311 is broken here"}, False),
        ({"category": "bug"}, {}, True),
        ({"category": "style"}, {}, False),
        ({"title": "ZERO total"}, {}, True),
        ({"title": "divides by nothing"}, {}, False),
        ({"title": "divide"}, {}, False),
        ({"title": "Größe"}, {"title": "Die GRÖSSE fehlt"}, True),
        ({"category": "bug", "title": "zero", "paths": ["a.py"]}, {}, True),
        ({"category": "bug", "title": "two"}, {}, False),
        ({"category": "bug", "paths": ["tests/**"]}, {"path": "tests/deep/a.py"}, True),
        ({"category": "bug", "paths": ["tests/**", "!tests/deep/**"]}, {"path": "tests/deep/a.py"}, False),
        ({"category": "bug", "paths": ["tests/**"]}, {"path": "src/tests.py"}, False),
        ({"category": "bug"}, {"severity": Severity.CRITICAL}, False),
        ({"category": "bug", "severity": "critical"}, {"severity": Severity.CRITICAL}, True),
        ({"category": "bug", "severity": "low"}, {"severity": Severity.MEDIUM}, False),
    ],
)
def test_a_rule_is_about_what_is_all_that_it_names_and_not_more_severe(finding_of, rule, about, is_about):
    rules = [DismissRule(rule="F401"), DismissRule.model_validate_json(_json(rule))]
    finding = finding_of(**about)
    assert (lasting_rule(finding, rules) is rules[1]) is is_about
    assert (dismissed_for_good(finding, rules) is not None) is is_about


def _json(rule: dict) -> str:
    return str(rule).replace("'", '"')


@pytest.mark.parametrize(
    ("reason", "note"),
    [
        ("No secret there.", "Kept. Dismissed by .github/spark.yml: No secret there."),
        ("", "Kept. Dismissed by .github/spark.yml."),
    ],
)
def test_what_a_rule_dismisses_is_excused_and_says_why(finding_of, reason, note):
    told = dismissed_for_good(finding_of(note="Kept."), [DismissRule(category=Category.BUG, reason=reason)])
    assert (told.status, told.excused, told.note) == (FindingStatus.DISMISSED, True, note)
    assert (told.dismissed_by, told.dismissed_why) == (".github/spark.yml", reason.rstrip("."))


def test_of_two_rules_the_first_gives_the_reason(finding_of):
    rules = [DismissRule(title="zero", reason="one"), DismissRule(category=Category.BUG, reason="two")]
    assert dismissed_for_good(finding_of(), rules).lasting == "one"


def settled(findings, past, *rules: DismissRule):
    return settle(findings, past, least=Severity.LOW, at_most=30, held_back=lambda _: False, lasting=rules).findings


@pytest.fixture
def before(posted, place):
    """A finding of an earlier round, placed in the change of now: `before(dismissal=..., closed=...)`."""
    return lambda **more: place(posted(FILES, "a.py", 10, **more), FILES)


BUGS = DismissRule(category=Category.BUG, reason="known")
BY_PERSON = Dismissal(by="mona", reason="", how="thumbs down", excuses=False)


def test_a_finding_with_a_thread_is_excused_as_well_whether_it_was_found_again_or_not(before):
    placed = before()
    for findings in ((placed[0].finding,), ()):
        (one,) = settled(findings, Past(placed=placed), BUGS)
        assert (one.status, one.excused, one.lasting) == (FindingStatus.DISMISSED, True, "known")
        assert one.thread == placed[0].known.thread.url
        (one,) = settled(findings, Past(placed=placed))
        assert (one.status, one.excused) == (FindingStatus.KNOWN, False)


def test_a_rule_excuses_what_somebody_dismissed_who_may_not_and_leaves_a_writers_word(before):
    for dismissal, note in (
        (BY_PERSON, "Dismissed by mona (may not write here) with 👎. Dismissed by .github/spark.yml: known."),
        (replace(BY_PERSON, excuses=True), "Dismissed by mona with 👎."),
    ):
        (one,) = settled((), Past(placed=before(dismissal=dismissal)), BUGS)
        assert (one.excused, one.note) == (True, note)


@pytest.mark.parametrize(
    ("how", "reason"), [("ignored", "on purpose"), ("resolved by hand", ""), ("thumbs down", ""), ("ignored", "")]
)
def test_who_dismissed_it_and_why_is_known_from_the_thread_and_from_the_repositorys_memory(before, how, reason):
    (placed,) = before(dismissal=Dismissal(by="ada", reason=reason, how=how, excuses=True))
    (one,) = settled((), Past(placed=(placed,)))
    assert (one.dismissed_by, one.dismissed_why, one.dismissed_how) == ("ada", reason, how)
    kept = _as_kept(placed.known.note, by="ada", reason=reason or (how if how != "ignored" else ""))
    (one,) = settled((placed.finding,), Past(remembered=(kept,)))
    known = how if how != "ignored" else ""
    assert (one.dismissed_by, one.dismissed_why, one.dismissed_how) == ("ada", reason, known)
    assert one.note.startswith("Dismissed in https://gh.test/1 by ada")


def _as_kept(note: FindingNote, *, by: str, reason: str) -> Remembered:
    kept = ("fingerprint", "path", "category", "source", "rule", "title", "lines", "severity")
    return Remembered(**{name: getattr(note, name) for name in kept}, by=by, reason=reason, url="https://gh.test/1")


def test_nothing_is_said_or_done_in_the_thread_of_what_a_rule_dismisses(before):
    (open_one,), (closed,) = before(), before(closed=True)
    for each in let_be([open_one, closed], {}, [BUGS]):
        assert (each.known.dismissal.by, each.known.dismissal.excuses) == (".github/spark.yml", True)
    assert let_be([open_one], {}, [DismissRule(rule="S311")]) == (open_one,)
    worse = replace(open_one.finding, severity=Severity.CRITICAL)
    assert let_be([open_one], {open_one.known.thread.id: worse}, [BUGS]) == (open_one,), "it is something worse now"


def test_a_rule_has_no_likes(before, finding_of):
    """What people dismiss takes its likes with it; a rule has said itself how far it goes."""
    placed = before()
    like = finding_of(path="other.py", fingerprint="e" * 16)
    assert match(like, placed) is None
    told = settled((placed[0].finding, like), Past(placed=placed), DismissRule(category=Category.BUG, paths=("a.py",)))
    assert {each.path: each.status.value for each in told} == {"a.py": "dismissed", "other.py": "posted"}


def test_the_rule_goes_before_what_the_repository_remembers_and_takes_no_room(finding_of, patch_of):
    finding = replace(finding_of(), fingerprint=Fingerprint("d" * 16))
    remembered = _as_kept(note_of(finding, patch_of(FILES)), by="ada", reason="")
    (one,) = settled((finding,), Past(remembered=(remembered,)), BUGS)
    assert (one.lasting, one.thread) == ("known", "")
    (one,) = settled((finding,), Past(remembered=(remembered,)))
    assert (one.lasting, one.thread) == (None, "https://gh.test/1")
    new = [finding_of(fingerprint=letter * 16, title=f"{letter} is wrong") for letter in "abc"]
    done = settle(
        new,
        Past(),
        least=Severity.LOW,
        at_most=1,
        held_back=lambda _: False,
        lasting=[DismissRule(title="a"), DismissRule(title="b")],
    )
    assert [each.status.value for each in done.findings] == ["dismissed", "dismissed", "posted"]


def test_other_rules_are_another_review_and_another_reason_is_none():
    def hash_of(text: str) -> str:
        return rules_of(Effort.STANDARD, read_config(text, name="spark.yml"), {})

    one = hash_of("dismiss:\n  - rule: S311\n    reason: one\n")
    assert one == hash_of("dismiss:\n  - reason: two\n    rule: S311\n")
    assert len({one, hash_of("dismiss:\n  - rule: S312\n"), rules_of(Effort.STANDARD, RepoConfig(), {})}) == 3
