"""Which new findings have a thread already, or are the like of one that was dismissed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.diff.model import Anchor, HunkKey
from bot.review.fingerprint import fingerprint
from bot.review.follow import match, remembered_like
from bot.review.memory import Dismissal, Remembered
from bot.review.model import Category, Finding, Fingerprint, Severity
from bot.review.recall import line_digest

OLD = "".join(f"line {number}\n" for number in range(1, 41))
THEN = {"a.py": (OLD, OLD.replace("line 20", "divide(total, n)"))}
CHANGED = {"a.py": (OLD, OLD.replace("line 20", "divide(total, n or 0)"))}
IGNORED = Dismissal(by="ada", reason="meant so", how="ignored", excuses=True)
BY_HAND = replace(IGNORED, how="resolved by hand", reason="")
TITLE = "total() divides by zero"


@pytest.fixture
def found(patch_of, finding_of):
    """A finding of this round on a line of a change."""

    def make(files, text: str, **more) -> Finding:
        patch = patch_of(files)
        for hunk in patch.hunks():
            for line in hunk.lines:
                if line.text == text and line.new is not None:
                    file = patch.file(hunk.key.file)
                    anchor = Anchor(
                        path=file.path,
                        side=line.side,
                        start_line=line.number,
                        line=line.number,
                        hunk=hunk.key,
                        text=(text,),
                    )
                    category = more.get("category", Category.BUG)
                    identity = fingerprint(anchor, category, rule=more.get("rule", ""), file=file)
                    return replace(finding_of(**more), anchor=anchor, fingerprint=identity)
        raise AssertionError(text)

    return make


def test_the_same_text_is_the_same_finding_whatever_it_is_called_now(posted, place, found) -> None:
    known = posted(THEN, "a.py", 20)
    placed = place(known, THEN)
    assert match(found(THEN, "divide(total, n)", title="Nobody checks the argument"), placed) is placed[0]


def test_a_finding_is_known_by_a_name_that_it_got_later(posted, place, found) -> None:
    new = found(CHANGED, "divide(total, n or 0)", title="Something else entirely")
    known = replace(posted(THEN, "a.py", 20), aliases=(new.fingerprint,))
    assert match(new, place(known, CHANGED)) is not None


@pytest.mark.parametrize(
    ("more", "is_it"),
    [
        ({"title": "total() still divides by zero"}, True),
        ({"title": "Secret in a log line"}, False),
        ({"title": TITLE, "category": Category.RELIABILITY}, True),
        ({"title": TITLE, "category": Category.SECURITY}, False),
    ],
)
def test_what_took_the_place_of_changed_lines_is_it_when_kind_and_words_meet(posted, place, found, more, is_it) -> None:
    placed = place(posted(THEN, "a.py", 20), CHANGED)
    assert (match(found(CHANGED, "divide(total, n or 0)", **more), placed) is not None) is is_it


def test_the_same_words_far_from_the_place_are_another_finding(posted, place, found) -> None:
    far = {"a.py": (OLD, OLD.replace("line 20", "total").replace("line 38", "divide(total, n or 0)"))}
    placed = place(posted(THEN, "a.py", 20), far)
    assert match(found(far, "divide(total, n or 0)", title=TITLE), placed) is None


def test_a_tools_rule_on_changed_lines_is_the_same_however_it_is_worded(posted, place, found) -> None:
    tool = {"source": "ruff", "category": Category.BUG, "severity": Severity.MEDIUM, "votes": None, "passes": ()}
    placed = place(posted(THEN, "a.py", 20, rule="B904", title="Raise from None", **tool), CHANGED)
    again = found(CHANGED, "divide(total, n or 0)", rule="B904", title="A cause is lost here", **tool)
    assert match(again, placed) is placed[0]
    assert match(replace(again, rule="B905"), placed) is None


def test_other_lines_at_the_same_place_are_merged_as_within_one_review(posted, place, found, finding_of) -> None:
    """The model points at one line more than last time: another identity, the same place and words."""
    placed = place(posted(THEN, "a.py", 20), THEN)
    wider = Anchor(
        path="a.py",
        side=placed[0].known.note.side,
        start_line=19,
        line=20,
        hunk=HunkKey(0, 0),
        text=("line 19", "divide(total, n)"),
    )
    finding = replace(finding_of(title="Division by zero in total()", fingerprint="1" * 16), anchor=wider)
    assert match(finding, placed) is placed[0]
    other = replace(finding, title="Typo in a name", body="The name is misspelt.", category=Category.DOCS)
    assert match(other, placed) is None


def test_an_open_thread_speaks_before_a_settled_one(posted, place, found) -> None:
    closed = posted(THEN, "a.py", 20, closed=True)
    known = posted(THEN, "a.py", 20)
    finding = found(THEN, "divide(total, n)")
    placed = place([closed, known], THEN)
    assert match(finding, placed) is placed[1]


# -- likes of dismissed ones -----------------------------------------------------------------------------------------

TWO = {"a.py": THEN["a.py"], "b.py": ("b\n", "b\nother(total, m)\n")}


@pytest.mark.parametrize(
    ("more", "is_it"),
    [
        ({"title": "total() divides by zero"}, True),
        ({"title": "total() divides by zero", "severity": Severity.LOW}, True),
        ({"title": "total() divides by zero", "severity": Severity.CRITICAL}, False),
        ({"title": "total() divides by zero", "category": Category.SECURITY}, False),
        ({"title": "The file is never closed"}, False),
        ({"title": "ab", "body": ""}, False),
    ],
)
def test_the_likes_of_a_dismissed_finding_are_dismissed_in_the_whole_pull(posted, place, found, more, is_it) -> None:
    known = posted(THEN, "a.py", 20, dismissal=IGNORED)
    finding = found(TWO, "other(total, m)", **more)
    assert (match(finding, place(known, TWO)) is not None) is is_it
    assert match(finding, place(replace(known, dismissal=None), TWO)) is None


def test_a_tools_rule_that_was_dismissed_is_dismissed_and_no_other_rule_is(posted, place, found) -> None:
    tool = {"source": "ruff", "category": Category.STYLE, "severity": Severity.LOW, "votes": None, "passes": ()}
    known = posted(THEN, "a.py", 20, rule="E501", title="Line too long", dismissal=IGNORED, **tool)
    placed = place(known, TWO)
    assert match(found(TWO, "other(total, m)", rule="E501", title="Something", **tool), placed) is not None
    assert match(found(TWO, "other(total, m)", rule="F401", title="Line too long", **tool), placed) is None
    assert match(found(TWO, "other(total, m)", title="Line too long", category=Category.STYLE), placed) is None


def test_who_mends_a_finding_and_resolves_its_thread_has_not_dismissed_its_likes(posted, place, found) -> None:
    elsewhere = CHANGED | {"b.py": TWO["b.py"]}
    finding = found(elsewhere, "other(total, m)", title=TITLE)
    mended = posted(THEN, "a.py", 20, dismissal=BY_HAND)
    assert match(finding, place(mended, elsewhere)) is None
    assert match(found(TWO, "other(total, m)", title=TITLE), place(mended, TWO)) is not None
    ignored = posted(THEN, "a.py", 20, dismissal=IGNORED)
    assert match(finding, place(ignored, elsewhere)) is not None


# -- what the repository remembers ----------------------------------------------------------------------------------


def memory(**more) -> Remembered:
    given = {
        "fingerprint": Fingerprint("9" * 16),
        "path": "old.py",
        "category": Category.BUG,
        "source": "model",
        "rule": "",
        "title": TITLE,
        "lines": (line_digest("divide(total, n)"),),
        "severity": Severity.HIGH,
        "by": "ada",
        "reason": "n is never 0",
        "url": "https://gh.test/1",
    }
    return Remembered(**(given | more))


@pytest.mark.parametrize(
    ("before", "is_it"),
    [
        (memory(), True),
        (memory(title="It divides by zero in total()"), True),
        (memory(title="The file is never closed"), False),
        (memory(category=Category.SECURITY), False),
        (memory(lines=(line_digest("x"),)), False),
        (memory(lines=()), False),
        (memory(severity=Severity.MEDIUM), False),
        (memory(severity=Severity.CRITICAL), True),
    ],
)
def test_what_was_dismissed_in_another_pull_is_known_by_its_lines_and_words(found, before, is_it) -> None:
    finding = found(THEN, "divide(total, n)")
    assert (remembered_like(finding, [memory(lines=()), before]) is before) is is_it


def test_what_was_dismissed_in_another_pull_is_known_by_identity_but_never_when_it_is_worse(found) -> None:
    finding = found(THEN, "divide(total, n)", title="Other words")
    same = memory(fingerprint=finding.fingerprint, title="x", lines=())
    assert remembered_like(finding, [same]) is same
    assert remembered_like(replace(finding, severity=Severity.CRITICAL), [same]) is None


def test_short_lines_are_known_again_in_their_own_file_alone(found) -> None:
    """A dismissed `return x` of one file says nothing of the one in another."""
    short = found({"a.py": ("a\n", "a\nreturn x\n")}, "return x")
    before = memory(lines=(line_digest("return x"),))
    assert remembered_like(short, [before]) is None
    assert remembered_like(short, [replace(before, path="a.py")]) is not None


def test_an_identity_with_other_lines_is_another_finding(found) -> None:
    finding = found(THEN, "divide(total, n)")
    assert remembered_like(finding, [memory(fingerprint=finding.fingerprint, lines=(line_digest("x"),))]) is None


def test_a_rule_about_security_is_dismissed_for_its_place_alone(found) -> None:
    finding = found(THEN, "divide(total, n)", source="ruff", rule="S602", category=Category.SECURITY)
    before = memory(path="a.py", source="ruff", rule="S602", category=Category.SECURITY)
    assert remembered_like(finding, [replace(before, lines=(line_digest("run(other, shell=True)"),))]) is None
    assert remembered_like(finding, [before]) is before


def test_a_tools_rule_that_was_dismissed_in_a_file_stays_dismissed_there(found) -> None:
    finding = found(THEN, "divide(total, n)", source="ruff", rule="B904", title="Other words")
    before = memory(path="a.py", source="ruff", rule="B904", lines=())
    assert remembered_like(finding, [before]) is before
    assert remembered_like(finding, [replace(before, path="b.py")]) is None
    assert remembered_like(finding, [replace(before, rule="B905")]) is None
