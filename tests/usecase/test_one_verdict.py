"""A gate is not thrown like dice: one head, base and configuration have one verdict, whatever the model would say the next time."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from bot.github.bodies import tell
from bot.review.finish import Aftermath, draft
from bot.review.memory import Deciding, PastReview, StoredVerdict
from bot.review.model import Category, CommitSha, Earlier, Effort, FindingStatus, Severity, Verdict
from bot.review.options import Options
from bot.review.ports import CallKind, StreamEnd
from bot.review.ready import Ready
from bot.review.render.markers import MOST_SEEN, RoundMarker, read_review_marker, read_round_marker
from bot.review.render.verdict_mark import read_verdict_markers, verdict_marker

CODE = "".join(f"value_{number} = call({number})\n" for number in range(12))
GATE = "gate:\n  fail_on: high\nreview:\n  max_comments: 2\n"
"""What is over the limit of comments is looked at again in each round, so another run may well find something else."""


def dice(world, seed: int):
    """A model that says something else each time it is asked."""
    random_ = random.Random(seed)

    def script(prompt, before):
        if prompt.kind is not CallKind.REVIEW:
            return json.dumps({"analysis": "Yes.", "verdict": random_.choice(["real", "wrong"])})
        out = ""
        for number in random_.sample(range(1, 13), random_.randrange(7)):
            severity = random_.choice([severity.value for severity in Severity])
            out += world.says("code.py", number, title=f"Something about line {number}", severity=severity)
        return (out or '{"none": true}\n') + '{"end": true}\n'

    return script


@pytest.fixture
def pull(world):
    world.texts = {}
    world.publisher = world.board()
    world.config = GATE
    world.push(code=CODE)
    return world


def says(world, severity: str, number: int = 1):
    def script(prompt, before):
        if prompt.kind is not CallKind.REVIEW:
            return json.dumps({"analysis": "Yes.", "verdict": "real"})
        return world.says("code.py", number, severity=severity) + '{"end": true}\n'

    return script


@pytest.mark.parametrize("seed", range(5))
def test_twenty_runs_on_one_head_give_one_verdict_and_ask_the_model_once(pull, seed: int) -> None:
    pull.script = dice(pull, seed)
    first = pull.review()
    if first.verdict is Verdict.NEUTRAL:
        pytest.fail("the dice must fall on a verdict that is kept")
    standing = sorted(
        finding.title for finding in first.findings if finding.status is not FindingStatus.BELOW_THRESHOLD
    )
    body, notes = pull.publisher.notes[0].body, len(pull.publisher.notes)
    for _ in range(19):
        again = pull.review()
        assert (again.verdict, again.reason) == (first.verdict, first.reason)
        assert pull.model.prompts == []
        assert again.usage.calls == 0
        # Those without a thread of their own stand in the review's text, and are counted with the others.
        assert sorted([*(one.title for one in again.findings), *(one.title for one in again.earlier)]) == standing
        assert again.review_url == pull.publisher.notes[-1].url
    assert len(pull.publisher.drafts) == 1
    assert (pull.publisher.notes[0].body, len(pull.publisher.notes)) == (body, notes)


def test_without_the_kept_verdict_the_dice_would_fall_differently(pull) -> None:
    """Holds the test above: it can fail."""
    pull.script = dice(pull, 0)
    given = set()
    for _ in range(20):
        review = pull.review()
        given.add((review.verdict, review.reason))
        note = pull.publisher.notes[-1]
        kept = "\n".join(line for line in note.body.splitlines() if "spark:verdict" not in line)
        pull.publisher.notes[-1] = replace(note, body=kept)
    assert len(given) > 1


def test_a_verdict_that_stands_says_so_and_names_the_review_that_gave_it(pull) -> None:
    pull.script = says(pull, "high")
    first = pull.review()
    assert (first.verdict, first.reason) == (Verdict.FAIL, "1 finding of high or above")
    again = pull.review()
    assert again.notices == (
        f"The verdict of [that review]({first.review_url}) stands: the head, the base and the configuration are the same. "
        "`/spark review` has it looked at anew.",
    )
    assert [finding.status for finding in again.findings] == [FindingStatus.KNOWN]
    assert again.coverage.whole


def test_a_dismissal_by_somebody_who_may_write_turns_a_failure_into_a_pass(pull) -> None:
    pull.script = says(pull, "high")
    assert pull.review().verdict is Verdict.FAIL
    pull.publisher.resolves(0, "mona")
    assert pull.review().verdict is Verdict.FAIL
    pull.publisher.resolves(0, "ada")
    assert pull.review().verdict is Verdict.PASS
    assert pull.model.prompts == []
    assert pull.review().verdict is Verdict.PASS


def test_a_thread_that_is_opened_again_turns_the_pass_back(pull) -> None:
    pull.script = says(pull, "high")
    pull.review()
    pull.publisher.resolves(0, "ada")
    assert pull.review().verdict is Verdict.PASS
    pull.publisher.threads[0] = replace(pull.publisher.threads[0], is_resolved=False, resolved_by="")
    assert pull.review().verdict is Verdict.FAIL


def test_who_asks_anew_is_given_a_new_look_and_its_verdict_is_the_one_that_is_kept(pull) -> None:
    pull.script = says(pull, "low")
    assert pull.review().verdict is Verdict.PASS
    pull.script = says(pull, "critical", 2)
    assert pull.review().verdict is Verdict.PASS
    pull.options = Options(run="run-1", full="ada asked for it")
    assert pull.review().verdict is Verdict.FAIL
    pull.options = Options(run="run-1")
    pull.script = says(pull, "low", 3)
    assert pull.review().verdict is Verdict.FAIL
    assert pull.model.prompts == []


def test_a_pass_does_not_hold_against_a_thread_that_stands_since(pull) -> None:
    pull.effort = Effort.STANDARD
    pull.script = says(pull, "low")
    assert pull.review().verdict is Verdict.PASS
    # A look with less than the usual effort keeps no verdict, but what it finds is on the pull.
    pull.options = Options(run="run-2", asked_effort=Effort.INSTANT, full="ada asked for it")
    pull.script = says(pull, "high", 3)
    assert pull.review().verdict is Verdict.FAIL
    pull.options = Options(run="run-3")
    for _ in range(2):
        assert pull.review().verdict is Verdict.FAIL
        assert pull.model.prompts == []
    pull.publisher.resolves(len(pull.publisher.threads) - 1, "ada")
    assert pull.review().verdict is Verdict.PASS


def is_judged_anew(world) -> bool:
    """Whether this run says something of its own instead of what was said before."""
    return not any("stands: the head" in notice for notice in world.review().notices)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda world: setattr(world, "config", GATE.replace("high", "low")), id="configuration"),
        pytest.param(lambda world: world.push(code=CODE + "more = 1\n"), id="head"),
        pytest.param(lambda world: setattr(world, "effort", Effort.STANDARD), id="effort"),
        pytest.param(lambda world: setattr(world, "options", Options(run="r", fail_on=Severity.LOW)), id="gate"),
        pytest.param(lambda world: setattr(world, "options", Options(run="r", never_fail=True)), id="no gate"),
        pytest.param(lambda world: setattr(world, "options", Options(run="r", require_coverage=True)), id="coverage"),
        pytest.param(lambda world: setattr(world, "options", Options(run="r", paths_ignore=("*.md",))), id="paths"),
        pytest.param(lambda world: setattr(world, "options", Options(run="r", evidence="x")), id="analyzers' files"),
        pytest.param(lambda world: setattr(world, "with_model", False), id="no model"),
    ],
)
def test_another_head_configuration_gate_or_effort_is_judged_anew(pull, change) -> None:
    pull.review()
    assert not is_judged_anew(pull)
    change(pull)
    assert is_judged_anew(pull)


def test_what_fell_short_is_tried_again(pull) -> None:
    pull.script = lambda prompt, before: ("", StreamEnd.SERVER_ERROR)
    assert pull.review().verdict is Verdict.NEUTRAL
    pull.script = says(pull, "low")
    assert pull.review().verdict is Verdict.PASS


def test_a_failure_for_want_of_coverage_is_tried_again(pull) -> None:
    pull.options = Options(run="run-1", require_coverage=True)
    pull.script = lambda prompt, before: ("", StreamEnd.SERVER_ERROR)
    assert pull.review().verdict is Verdict.FAIL
    pull.script = says(pull, "low")
    assert pull.review().verdict is Verdict.PASS


def test_a_head_that_comes_back_has_the_verdict_that_it_had(pull) -> None:
    pull.script = says(pull, "high")
    assert pull.review().verdict is Verdict.FAIL
    head, texts = pull.head, dict(pull.texts)
    pull.push(code="value = 1\n")
    pull.script = lambda prompt, before: (
        json.dumps({"analysis": "It is gone.", "fixed": "yes", "line": None})
        if prompt.kind is CallKind.FOLLOW_UP
        else '{"none": true}\n{"end": true}\n'
    )
    assert pull.review().verdict is Verdict.PASS
    pull.push(code=texts["code.py"])
    pull.head = head
    pull.script = says(pull, "low")
    pull.review()
    # Its thread was resolved as fixed meanwhile, so what decided it is no longer as it was.
    assert pull.model.prompts != []


def test_a_kept_verdict_of_another_head_survives_a_text_that_is_replaced(pull) -> None:
    pull.script = lambda prompt, before: '{"none": true}\n{"end": true}\n'
    assert pull.review().verdict is Verdict.PASS
    head, texts = pull.head, dict(pull.texts)
    pull.push(code=CODE + "more = 1\n")
    assert pull.review().verdict is Verdict.PASS
    assert len(pull.publisher.notes) == 1
    assert len(read_verdict_markers(pull.publisher.notes[0].body)) == 2
    pull.push(**{name.removesuffix(".py"): text for name, text in texts.items()})
    pull.head = head
    pull.script = says(pull, "critical")
    assert pull.review().verdict is Verdict.PASS
    assert pull.model.prompts == []
    # The text that stands there is of the head of now again, and once that is so it is left alone.
    drafts = len(pull.publisher.drafts)
    assert pull.review().verdict is Verdict.PASS
    assert len(pull.publisher.drafts) == drafts == 3


def refuse_the_comment(board) -> None:
    """What stands on the pull where GitHub took the last review without its line comment."""
    (comment,) = board.drafts[-1].comments
    board.threads.pop()
    board.notes[-1] = replace(
        board.notes[-1], body=tell(board.drafts[-1].body, [(comment, "line must be in the diff")])
    )


def test_a_failure_stands_although_github_refused_the_comment_and_the_model_says_no_more(pull) -> None:
    pull.script = says(pull, "high")
    assert pull.review().verdict is Verdict.FAIL
    refuse_the_comment(pull.publisher)
    pull.script = lambda prompt, before: '{"none": true}\n{"end": true}\n'
    for _ in range(2):
        again = pull.review()
        assert (again.verdict, again.reason) == (Verdict.FAIL, "1 finding of high or above")
        assert pull.model.prompts == []


def test_what_github_refused_is_looked_at_once_more_and_then_has_one_verdict(pull) -> None:
    pull.script = says(pull, "low")
    pull.review()
    refuse_the_comment(pull.publisher)
    anew = pull.review()
    assert anew.verdict is Verdict.PASS
    assert pull.model.prompts != [], "a review with a refused comment was no pass that others may go by"
    pull.script = says(pull, "critical", 2)
    for _ in range(2):
        again = pull.review()
        assert (again.verdict, again.reason) == (Verdict.PASS, anew.reason)
        assert pull.model.prompts == []
        assert [one.title for one in again.earlier] == [one.title for one in anew.findings]


def test_a_copied_mark_of_somebody_else_is_nothing(pull) -> None:
    pull.script = says(pull, "high")
    pull.review()
    stored = read_verdict_markers(pull.publisher.notes[0].body)[0]
    forged = replace(pull.publisher.notes[0], id=99, is_ours=False)
    forged = replace(
        forged, body=forged.body.replace(verdict_marker(stored), verdict_marker(replace(stored, passed=True)))
    )
    pull.publisher.notes.append(forged)
    assert pull.review().verdict is Verdict.FAIL


def test_a_mark_is_read_as_it_was_written_and_a_broken_one_is_none() -> None:
    stored = StoredVerdict(
        key="0123456789abcdef0123",
        passed=False,
        reason="1 finding of high or above",
        deciding=(Deciding(fingerprint="v1:abc", stood=True), Deciding(fingerprint="v1:def", stood=False)),
        over_limit=(
            Earlier(
                path="a.py",
                severity=Severity.LOW,
                category=Category.STYLE,
                title="A → b",
                url="https://example.test/review-1",
                is_certain=True,
            ),
        ),
        url="https://example.test/review-1",
    )
    mark = verdict_marker(stored)
    assert read_verdict_markers(f"Text.\n\n{mark}", stored.url) == [stored]
    assert read_verdict_markers(f"{mark}\nText after it.") == []
    assert read_verdict_markers(mark.replace(" v1 ", " v1 AAAA")) == []


def long_verdict(number: int) -> StoredVerdict:
    """As much as one can carry: letters that take the most room."""
    told = Earlier(
        path="ж" * 300, severity=Severity.CRITICAL, category=Category.BUG, title="ж" * 300, url="", is_certain=True
    )
    return StoredVerdict(
        key=f"{number:020x}",
        passed=True,
        reason="ж" * 600,
        deciding=tuple(Deciding(fingerprint=f"{at:016x}", stood=False) for at in range(60)),
        over_limit=(told,) * 60,
    )


def test_the_longest_verdicts_leave_the_memory_of_the_round_its_room(pull) -> None:
    review = pull.review()
    old = "\n".join(verdict_marker(long_verdict(number)) for number in range(1, 9))
    rounds = RoundMarker(round=2, rules="0", seen=frozenset(range(MOST_SEEN)))
    last = PastReview(
        id=1,
        url="",
        head=CommitSha("a" * 40),
        base=CommitSha("b" * 40),
        round=1,
        rules="0",
        seen=frozenset(),
        body=f"Text.\n\n{old}",
    )
    aftermath = Aftermath(ready=Ready(review.change.patch), marker=rounds, verdict=long_verdict(0), last=last)
    body = draft(replace(review, findings=()), run="run-2", aftermath=aftermath).body
    assert len(body) <= 60_000
    assert read_review_marker(body) is not None
    assert read_round_marker(body) == rounds
    kept = read_verdict_markers(body)
    assert kept[0].key == long_verdict(0).key
    assert len(kept) < 6
    assert all(len(one.deciding) == 60 for one in kept)
