"""The second day of a pull request: what is looked at again, what is said again, and what counts although it is not said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.errors import OutsideError
from bot.review.events import Found
from bot.review.memory import Dismissal, Remembered
from bot.review.model import Category, Effort, FindingStatus, Severity, Verdict
from bot.review.ports import CallKind, StreamEnd, Then
from bot.review.render import words
from bot.review.render.markers import dismissal_marker, read_finding_markers, read_round_marker

NONE = '{"none": true}\n{"end": true}\n'
END = '{"end": true}\n'
LOAD = """import json


def load(path, cache={}):
    with open(path) as file:
        return json.load(file)
"""
RUN = """def run(command):
    return eval(command)
"""
MENDED = LOAD.replace("cache={}", "cache=None")


def says_of(world, mistakes: dict[tuple[str, str], dict], *, follow_up: str = "unsure") -> Callable:
    """A model that reports these texts wherever it sees them: `(path, line of code)` to what it says."""

    def script(prompt, before):
        if prompt.kind is CallKind.FOLLOW_UP:
            fixed = "yes" if "(the file is gone)" in prompt.user else follow_up
            return json.dumps({"analysis": "The default is None now.", "fixed": fixed, "line": None})
        if prompt.kind is not CallKind.REVIEW:
            return json.dumps({"analysis": "Yes.", "verdict": "real"})
        out = ""
        for (path, code), said in mistakes.items():
            if f'FILE "{path}"' not in prompt.user:
                continue
            for number, line in enumerate(world.texts.get(path, "").splitlines(), start=1):
                if line == code and any(
                    f"R{number}#" in row and row.endswith(f"|{code}") for row in prompt.user.splitlines()
                ):
                    out += world.says(path, number, **said)
        return (out or NONE.partition("\n")[0] + "\n") + END

    return script


DEFAULT = ("load.py", "def load(path, cache={}):")
EVAL = ("run.py", "    return eval(command)")
TWO = {
    DEFAULT: {"title": "Mutable default argument", "severity": "high", "category": "bug"},
    EVAL: {
        "title": "Evaluates what a user typed",
        "severity": "critical",
        "category": "security",
        "body": "Anybody can run code.",
    },
}


@pytest.fixture
def pull(world):
    """A pull with two files of which each has a mistake, reviewed once."""
    world.texts = {}
    world.publisher = world.board()
    world.script = says_of(world, TWO)
    world.push(load=LOAD, run=RUN)
    world.review()
    assert len(world.publisher.threads) == 2
    return world


def asked_about(world) -> list[str]:
    return [
        path for prompt in world.model.asked(CallKind.REVIEW) for path in world.texts if f'FILE "{path}"' in prompt.user
    ]


def test_a_push_that_touches_one_file_asks_the_model_about_that_file_alone(pull) -> None:
    pull.push(run=RUN + "\n\nprint(run('1'))\n")
    review = pull.review()
    assert asked_about(pull) == ["run.py"]
    assert (review.coverage.hunks, review.coverage.reviewed, review.coverage.earlier) == (2, 2, 1)
    assert review.since.round == 2
    assert words.coverage(review) == (
        "Reviewed what changed since 1111111 (round 2): 1 of 2 hunks; the other one was reviewed before."
    )
    assert [finding.status for finding in review.findings] == [FindingStatus.KNOWN, FindingStatus.KNOWN]
    assert len(pull.publisher.threads) == 2


def test_nothing_new_amends_the_last_review_instead_of_posting_another(pull) -> None:
    pull.push()
    review = pull.review()
    assert asked_about(pull) == []
    (note,) = pull.publisher.notes
    assert review.review_url == note.url
    assert words.coverage(review) == "Nothing is new since 1111111 (round 2): both hunks were reviewed before."
    assert "Nothing is new since" in note.body
    assert read_round_marker(note.body).round == 2
    assert pull.publisher.drafts[1].comments == ()


def test_a_new_finding_is_posted_as_a_review_of_its_own(pull) -> None:
    pull.script = says_of(pull, TWO | {("more.py", "x = 1 / 0"): {"title": "Divides by zero"}})
    pull.push(more="x = 1 / 0\n")
    pull.review()
    assert [len(draft.comments) for draft in pull.publisher.drafts] == [2, 1]
    assert len(pull.publisher.notes) == 2


def test_the_same_head_again_keeps_its_round(pull) -> None:
    assert pull.review().since.round == 1


def test_an_old_critical_finding_still_fails_the_gate_after_an_unrelated_push(pull) -> None:
    pull.config = "gate:\n  fail_on: critical\n"
    pull.push(more="x = 1\n")
    review = pull.review()
    assert asked_about(pull) == ["more.py"]
    assert review.verdict is Verdict.FAIL
    assert review.reason == "1 finding of critical"


def test_what_a_person_who_may_not_write_dismissed_still_fails_the_gate(pull) -> None:
    pull.config = "gate:\n  fail_on: critical\n"
    at = [thread.path for thread in pull.publisher.threads].index("run.py")
    pull.publisher.resolves(at, "mona")
    pull.push()
    review = pull.review()
    assert review.verdict is Verdict.FAIL
    assert "dismissed by somebody who may not write here" in review.reason
    pull.publisher.resolves(at, "ada")
    pull.push()
    assert pull.review().verdict is Verdict.PASS


def test_a_rebase_reviews_nothing_again(pull) -> None:
    top = "# one\n# two\n# three\n"
    pull.before = {"load.py": top}
    pull.push(load=top + LOAD)
    pull.review()
    assert asked_about(pull) == ["load.py"]  # Main's lines are right beside the pull's now.
    pull.before = {"load.py": "# Copyright\n" + top, "other.py": "import os\n"}
    pull.push(load="# Copyright\n" + top + LOAD, other="import os\n")
    pull.review()
    assert asked_about(pull) == []
    assert len(pull.publisher.threads) == 2


def test_rules_that_changed_bring_a_full_review_and_say_so(pull) -> None:
    pull.config = "review:\n  instructions: Look at names.\n"
    pull.push()
    review = pull.review()
    assert sorted(asked_about(pull)) == ["load.py", "run.py"]
    assert "everything again: the rules of the review changed" in pull.publisher.notes[0].body
    assert review.since.why_all == "the rules of the review changed"
    assert len(pull.publisher.threads) == 2
    pull.push()
    pull.review()
    assert asked_about(pull) == []


def test_a_guideline_that_changed_is_another_rule(pull) -> None:
    pull.config = "guidelines: [AGENTS.md]\n"
    pull.base = {"AGENTS.md": "Be brief."}
    pull.push()
    assert pull.review().since.why_all == "the rules of the review changed"
    pull.base = {"AGENTS.md": "Be very brief."}
    pull.push()
    assert pull.review().since.why_all == "the rules of the review changed"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda marker: "", "the last review carries no memory"),
        (lambda marker: marker[: marker.rindex(".")] + ".! -->", "too many lines to remember"),
    ],
)
def test_what_cannot_be_remembered_is_looked_at_again_and_the_reason_is_told(pull, spoil, why: str) -> None:
    (note,) = pull.publisher.notes
    marker = next(line for line in note.body.splitlines() if line.startswith("<!-- spark:round"))
    pull.publisher.notes[0] = replace(note, body=note.body.replace(marker, spoil(marker)))
    pull.push()
    review = pull.review()
    assert review.since.why_all == why
    assert sorted(asked_about(pull)) == ["load.py", "run.py"]
    assert len(pull.publisher.threads) == 2


def test_a_review_that_was_asked_for_looks_at_everything(pull) -> None:
    pull.options = replace(pull.options, full="asked for by ada")
    pull.push()
    review = pull.review()
    assert sorted(asked_about(pull)) == ["load.py", "run.py"]
    assert words.coverage(review) == "2 of 2 hunks reviewed (round 2, everything again: asked for by ada)."


def test_another_effort_looks_at_everything_once_and_changes_no_rule(pull) -> None:
    pull.options = replace(pull.options, asked_effort=Effort.STANDARD)
    pull.push()
    assert pull.review().since.why_all == "effort standard was asked for"
    pull.options = replace(pull.options, asked_effort=None)
    pull.push()
    assert pull.review().since.why_all == ""


def test_what_was_looked_at_with_less_effort_than_usual_is_looked_at_again(pull) -> None:
    pull.effort = Effort.STANDARD
    pull.push()
    pull.review()
    pull.options = replace(pull.options, asked_effort=Effort.INSTANT)
    pull.review()
    pull.options = replace(pull.options, asked_effort=None)
    pull.push()
    pull.review()
    assert sorted(asked_about(pull)) == ["load.py", "run.py"]
    pull.push()
    pull.review()
    assert asked_about(pull) == []


def test_a_hole_of_an_earlier_round_is_looked_at_again(pull) -> None:
    pull.script = lambda prompt, before: ("", StreamEnd.REFUSED)
    pull.push(run=RUN + "# more\n")
    assert pull.review().verdict is Verdict.NEUTRAL
    pull.script = says_of(pull, TWO)
    pull.push()
    review = pull.review()
    assert asked_about(pull) == ["run.py"]
    assert review.verdict is Verdict.PASS


def test_a_finding_over_the_limit_is_looked_at_until_there_is_room_for_it(pull) -> None:
    pull.config = "review:\n  max_comments: 2\n"
    pull.script = says_of(pull, TWO | {("more.py", "x = 1 / 0"): {"title": "Divides by zero"}})
    pull.push(more="x = 1 / 0\n")
    review = pull.review()
    assert [one.status for one in review.findings if one.path == "more.py"] == [FindingStatus.OVER_LIMIT]
    pull.publisher.resolves(0, "ada")
    pull.push()
    review = pull.review()
    assert asked_about(pull) == ["more.py"]
    assert [one.status for one in review.findings if one.path == "more.py"] == [FindingStatus.POSTED]


def test_a_finding_without_a_place_has_its_file_looked_at_again(pull) -> None:
    lost = pull.says("run.py", 1).replace(pull.tag("run.py", 1), "R99#zzz")
    pull.script = lambda prompt, before: lost + END
    pull.push(run=RUN + "# more\n")
    assert pull.review().misplaced
    pull.push()
    assert len(pull.review().misplaced) == 1
    assert asked_about(pull) == ["run.py"]


def test_what_github_refused_a_comment_for_is_not_forgotten(pull) -> None:
    (note,) = pull.publisher.notes
    thread = next(one for one in pull.publisher.threads if one.path == "run.py")
    pull.publisher.threads.remove(thread)
    marker = next(line for line in thread.comments[0].body.splitlines() if line.startswith("<!-- spark:finding"))
    pull.publisher.notes[0] = replace(note, body=f"{note.body}\n{marker}")
    pull.config = "gate:\n  fail_on: critical\n"
    for _ in range(3):
        pull.push()
        review = pull.review()
        assert review.verdict is Verdict.FAIL
        assert [one.status for one in review.findings] == [FindingStatus.KNOWN, FindingStatus.KNOWN]
        body = pull.publisher.notes[0].body
        assert "GitHub did not take 1 line comment" in body
        assert "Evaluates what a user typed" in body
        assert read_finding_markers(body) == [review.findings[0].fingerprint]
    assert len(pull.publisher.threads) == 1


def test_lines_with_comments_of_a_further_post_are_looked_at_again(pull) -> None:
    # Forty findings are more than come with the summary, and GitHub may fail before the second post.
    pull.config = "review:\n  max_comments: 60\n"
    lines = [f"x{at} = {at} / 0" for at in range(40)]
    said = {(f"m{at}.py", line): {"title": f"Divides by zero {at}", "severity": "low"} for at, line in enumerate(lines)}
    pull.script = says_of(pull, TWO | said)
    pull.push(**{f"m{at}": f"{line}\n" for at, line in enumerate(lines)})
    pull.review()
    pull.publisher.threads = pull.publisher.threads[:32]
    pull.push()
    review = pull.review()
    assert len(asked_about(pull)) == 10
    assert [one.status for one in review.findings].count(FindingStatus.POSTED) == 10
    pull.push()
    pull.review()
    assert asked_about(pull) == []


def test_from_the_third_round_new_low_findings_on_unchanged_code_are_held_back(pull) -> None:
    low = {"title": "Name says nothing", "severity": "low", "category": "style"}
    pull.push()
    pull.review()
    # The model finds something in lines that it has seen twice, because others in the hunk are new.
    pull.script = says_of(pull, TWO | {("run.py", "def run(command):"): low, ("run.py", "z = 1"): low | {"title": "Z"}})
    pull.push(run=RUN + "z = 1\n")
    review = pull.review()
    assert review.since.round == 3
    status = {finding.anchor.line: finding.status for finding in review.findings if finding.path == "run.py"}
    assert status == {1: FindingStatus.HELD_BACK, 2: FindingStatus.KNOWN, 3: FindingStatus.POSTED}
    assert "1 held back" in pull.publisher.notes[-1].body


def test_a_low_finding_is_told_in_the_second_round_and_where_the_gate_is_about_low_ones(pull) -> None:
    low = {"title": "Name says nothing", "severity": "low", "category": "style"}
    pull.script = says_of(pull, TWO | {("run.py", "def run(command):"): low})
    pull.push(run=RUN + "z = 1\n")
    assert FindingStatus.POSTED in {one.status for one in pull.review().findings}
    pull.publisher.threads.pop()
    pull.config = "gate:\n  fail_on: low\n"
    pull.push(run=RUN + "z = 2\n")
    review = pull.review()
    assert review.since.round == 3
    assert FindingStatus.HELD_BACK not in {one.status for one in review.findings}


def test_a_dismissed_finding_and_its_likes_stay_silent(pull) -> None:
    at = [thread.path for thread in pull.publisher.threads].index("load.py")
    pull.publisher.resolves(at, "ada")
    like = {**TWO[DEFAULT], "title": "Mutable default argument here"}
    pull.script = says_of(pull, TWO | {("more.py", "def more(cache={}):"): like})
    pull.push(more="def more(cache={}):\n    return cache\n")
    review = pull.review()
    dismissed = [one for one in review.findings if one.status is FindingStatus.DISMISSED]
    assert [(one.path, one.excused) for one in dismissed] == [("load.py", True), ("more.py", True)]
    assert len(pull.publisher.threads) == 2
    assert "2 dismissed earlier" in pull.publisher.notes[0].body
    told = f"]({pull.publisher.threads[at].url}) and 1 like it, by ada, who resolved the thread."
    assert told in pull.publisher.notes[0].body


def test_a_hole_in_other_code_is_no_like_of_one_that_was_dismissed(pull) -> None:
    """An author who had one place waved through could bring in the next one under its name."""
    pull.config = "gate:\n  fail_on: critical\n"
    at = [thread.path for thread in pull.publisher.threads].index("run.py")
    pull.publisher.resolves(at, "ada")
    pull.script = says_of(pull, TWO | {("more.py", "print(eval(input()))"): TWO[EVAL]})
    pull.push(more="print(eval(input()))\n")
    review = pull.review()
    assert (review.verdict, review.reason) == (Verdict.FAIL, "1 finding of critical")
    assert [one.path for one in review.findings if one.status is FindingStatus.POSTED] == ["more.py"]


def test_what_was_dismissed_in_another_pull_is_not_said_and_the_summary_names_where(world) -> None:
    world.texts = {}
    world.publisher = world.board()
    world.script = says_of(world, TWO)
    world.push(run=RUN)
    (finding,) = world.review().findings
    remembered = Remembered(
        fingerprint=finding.fingerprint,
        path="run.py",
        category=Category.SECURITY,
        source="model",
        rule="",
        title=finding.title,
        lines=(),
        severity=Severity.CRITICAL,
        by="ada",
        reason="only we can call it",
        url="https://example.test/o/r/pull/3#discussion_r1",
    )
    world.memory = world.shelf(remembered)
    world.publisher = world.board()
    world.config = "gate:\n  fail_on: high\n"
    review = world.review()
    assert [(one.status, one.excused) for one in review.findings] == [(FindingStatus.DISMISSED, True)]
    assert review.verdict is Verdict.PASS
    assert "only we can call it" in review.findings[0].note
    told = f"]({remembered.url}) by ada in `#3`: only we can call it."
    assert told in world.publisher.notes[0].body
    assert world.publisher.threads == []


def test_a_lasting_rule_dismisses_for_the_gate_as_well_and_brings_everything_back_when_it_goes(world) -> None:
    world.texts = {}
    world.publisher = world.board()
    world.script = says_of(world, TWO)
    rule = "dismiss:\n  - title: mutable default\n    reason: Caches on purpose.\n"
    world.config = "gate:\n  fail_on: high\n" + rule
    world.push(load=LOAD)
    review = world.review()
    assert (review.verdict, world.publisher.threads) == (Verdict.PASS, [])
    (finding,) = review.findings
    assert (finding.status, finding.excused) == (FindingStatus.DISMISSED, True)
    assert finding.note == "Dismissed by .github/spark.yml: Caches on purpose."
    body = world.publisher.notes[0].body
    assert "Not shown: 1 dismissed by .github/spark.yml: Caches on purpose (1 high)." in body
    assert "dismissed earlier" not in body
    assert [found.finding.status for found in world.ear.of(Found)] == [FindingStatus.DISMISSED]
    # Nothing is new, so nobody looks; but the rule is gone, and what it hid was never told.
    world.config = "gate:\n  fail_on: high\n"
    world.push()
    review = world.review()
    assert review.since.why_all == "the rules of the review changed"
    assert (review.verdict, [one.status for one in review.findings]) == (Verdict.FAIL, [FindingStatus.POSTED])
    # The rule comes back. What has a thread by now is left to people, and does not count either.
    world.config += rule
    world.push(load=MENDED)
    review = world.review()
    assert (review.verdict, review.findings, review.earlier) == (Verdict.PASS, (), ())
    assert world.publisher.drafts[-1].steps == ()
    world.push(load=LOAD)
    assert [(one.status, one.excused) for one in world.review().findings] == [(FindingStatus.DISMISSED, True)]
    assert len(world.publisher.threads) == 1
    assert "Dismissed: " not in world.publisher.notes[-1].body, "what a rule dismisses is counted with its reason"


def test_a_dismissal_that_was_taken_back_is_forgotten_by_the_repository_as_well(pull) -> None:
    known = pull.publisher.recall().findings[0]
    confirmed = Dismissal(by="ada", reason="on purpose", how="ignored", excuses=True)
    at = pull.publisher.threads.index(known.thread)
    note = replace(known.thread.comments[0], body=f"Dismissed.\n\n{dismissal_marker(confirmed)}")
    # With the dismissal in it, but not resolved: somebody opened it again.
    pull.publisher.threads[at] = replace(known.thread, comments=(*known.thread.comments, note))
    kept = ("fingerprint", "path", "category", "source", "rule", "title", "lines", "severity")
    about = {name: getattr(known.note, name) for name in kept}
    other = Remembered(
        **{**about, "fingerprint": "0" * 16, "lines": ("ffffff",)}, by="bob", reason="", url="https://example.test/2"
    )
    pull.memory = pull.shelf(Remembered(**about, by="ada", reason="on purpose", url=known.thread.url), other)
    pull.push()
    review = pull.review()
    assert pull.memory.dismissed == [other]
    assert (
        next(one for one in review.findings if one.fingerprint == known.note.fingerprint).status is FindingStatus.KNOWN
    )


def test_what_a_writer_resolved_by_hand_is_remembered_by_the_repository_while_it_stands(pull) -> None:
    pull.memory = pull.shelf()
    known = pull.publisher.recall().findings[0]
    pull.publisher.resolves(pull.publisher.threads.index(known.thread), "stranger")
    pull.push()
    pull.review()
    assert pull.memory.dismissed == []
    pull.publisher.resolves(0, "ada")
    pull.push()
    pull.review()
    (kept,) = pull.memory.dismissed
    assert (kept.fingerprint, kept.by, kept.reason) == (known.note.fingerprint, "ada", "resolved by hand")
    pull.push()
    pull.review()
    assert pull.memory.dismissed == [kept]
    # Somebody opens the thread again.
    pull.publisher.threads[0] = replace(pull.publisher.threads[0], is_resolved=False, resolved_by="")
    pull.push()
    pull.review()
    assert pull.memory.dismissed == []


def test_a_memory_of_the_repository_that_cannot_be_read_is_told_and_loses_nothing_else(pull) -> None:
    pull.memory = pull.shelf(error=OutsideError("the database is locked"))
    pull.push()
    review = pull.review()
    assert review.notices == ("What was dismissed in this repository could not be read: the database is locked.",)
    assert len(review.findings) == 2


def mend(world, follow_up: str) -> int:
    """A push that mends one finding; its number among the threads."""
    world.script = says_of(world, TWO, follow_up=follow_up)
    world.push(load=MENDED)
    return [thread.path for thread in world.publisher.threads].index("load.py")


def test_a_fixed_finding_is_answered_and_resolved_only_when_the_model_agrees(pull) -> None:
    at = mend(pull, "yes")
    review = pull.review()
    (step,) = pull.publisher.drafts[-1].steps
    assert step.then is Then.RESOLVE
    assert pull.publisher.threads[at].is_resolved
    assert pull.publisher.notes_in(at) == ["Fixed in 2222222. The default is None now."]
    assert [one.path for one in review.findings] == ["run.py"]
    assert len(pull.model.asked(CallKind.FOLLOW_UP)) == 1
    # And it stays so, without a word.
    pull.push()
    pull.review()
    assert pull.model.asked(CallKind.FOLLOW_UP) == []
    assert len(pull.publisher.notes_in(at)) == 1


def test_a_finding_whose_code_changed_and_that_is_still_there_counts_and_is_told_once(pull) -> None:
    pull.config = "gate:\n  fail_on: high\n"
    pull.push(run=None)
    at = mend(pull, "no")
    review = pull.review()
    assert not pull.publisher.threads[at].is_resolved
    assert review.verdict is Verdict.FAIL
    assert [one.is_certain for one in review.earlier] == [True]
    assert "Mutable default argument" in pull.publisher.notes[-1].body
    pull.push()
    assert pull.review().verdict is Verdict.FAIL
    assert len(pull.publisher.notes_in(at)) == 1


@pytest.mark.parametrize("answer", ["unsure", "perhaps", None])
def test_a_finding_that_could_not_be_judged_keeps_its_thread_and_the_gate_from_being_green(pull, answer) -> None:
    pull.config = "gate:\n  fail_on: high\n"
    pull.push(run=None)
    pull.review()
    at = mend(pull, answer or "")
    if answer is None:
        said = pull.script
        pull.script = lambda prompt, before: (
            ("", StreamEnd.BUDGET) if prompt.kind is CallKind.FOLLOW_UP else said(prompt, before)
        )
    review = pull.review()
    assert not pull.publisher.threads[at].is_resolved
    assert pull.publisher.notes_in(at) == []
    assert review.verdict is Verdict.NEUTRAL
    assert "1 earlier finding of high or above whose code changed could not be judged" in review.reason
    assert "it could not be judged" in pull.publisher.notes[-1].body


def test_a_reply_that_nobody_answered_keeps_its_thread_open(pull) -> None:
    at = mend(pull, "yes")
    pull.publisher.replies(at, "mona", "Is None really better?")
    pull.review()
    assert not pull.publisher.threads[at].is_resolved


def test_a_finding_that_comes_back_opens_its_thread_again(pull) -> None:
    at = mend(pull, "yes")
    pull.review()
    pull.push(load=LOAD)
    review = pull.review()
    assert not pull.publisher.threads[at].is_resolved
    assert pull.publisher.notes_in(at)[-1].startswith("It is back in 3333333")
    assert len(pull.publisher.threads) == 2
    assert {one.status for one in review.findings} == {FindingStatus.KNOWN}


def test_without_a_model_old_findings_stand_and_nothing_is_resolved_or_forgotten(pull) -> None:
    pull.with_model = False
    at = mend(pull, "yes")
    review = pull.review()
    assert not pull.publisher.threads[at].is_resolved
    assert review.verdict is Verdict.NEUTRAL
    assert [one.path for one in review.findings] == ["run.py"]
    pull.with_model = True
    pull.push()
    pull.review()
    assert asked_about(pull) == ["load.py"]
    assert pull.publisher.threads[at].is_resolved


def test_what_is_on_the_pull_is_asked_for_before_its_change_is_read(pull) -> None:
    opened = []
    pull.on_open = lambda: opened.append(list(pull.publisher.order))
    pull.publisher.order.clear()
    pull.review()
    assert opened == [["begin"]]
    assert pull.publisher.order == ["begin", "recall"]


def test_when_the_pull_cannot_be_recalled_everything_is_reviewed_and_nothing_posted(pull) -> None:
    pull.publisher.recall_error = OutsideError("GitHub is down")
    pull.push()
    review = pull.review()
    assert sorted(asked_about(pull)) == ["load.py", "run.py"]
    assert len(pull.publisher.drafts) == 1
    assert review.failure is not None


def test_a_dozen_pushes_on_unchanged_code_add_no_comment_and_no_review(pull) -> None:
    for _ in range(12):
        pull.push()
        pull.review()
        assert asked_about(pull) == []
    assert (len(pull.publisher.notes), len(pull.publisher.threads)) == (1, 2)
    assert read_round_marker(pull.publisher.notes[0].body).round == 13
