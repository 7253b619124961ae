"""Marks under the name of an account that every workflow of a repository writes with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.diff.model import Side
from bot.review.memory import CommentId, Dismissal, FindingNote
from bot.review.model import Category, CommitSha, Fingerprint, Severity
from bot.review.recall import PastNote, assemble
from bot.review.render.markers import (
    ReviewMarker,
    RoundMarker,
    answer_marker,
    dismissal_marker,
    finding_marker,
    note_marker,
    review_marker,
    round_marker,
    state_marker,
    step_marker,
)
from bot.review.vouched import is_shared

SHARED, OWN = "github-actions", "spark"
NAME = Fingerprint("f" * 16)
NOTE = FindingNote(
    fingerprint=NAME,
    path="a.py",
    side=Side.RIGHT,
    severity=Severity.HIGH,
    category=Category.BUG,
    title="total() divides by zero",
    source="model",
)
FIRST = f"**High · bug · total() divides by zero**\n\nText.\n\n{note_marker(NOTE)}\n{finding_marker(NAME)}"
IGNORED = dismissal_marker(Dismissal(by="Ada", reason="", how="ignored", excuses=True))
BY_GRACE = dismissal_marker(Dismissal(by="grace", reason="", how="ignored", excuses=True))
MILDER = note_marker(replace(NOTE, severity=Severity.LOW))
WRITERS = {"ada", "Ada"}


@pytest.fixture
def recalled(thread_of, said):
    """What is recalled of a thread with an answer of ours, and of notes of ours."""

    def make(*answers: str, by: str = SHARED, first: str = FIRST, resolved_by: str | None = None, notes=()):
        ours = [
            said(body, login=f"{by}[bot]", is_ours=True, is_bot=True, id=CommentId(at))
            for at, body in enumerate((first, *answers), 1)
        ]
        people = [said("/spark ignore", login=login, id=CommentId(at)) for at, login in ((50, "ada"), (51, "grace"))]
        people.append(said("x", login="renovate[bot]", id=CommentId(52)))
        us = resolved_by == "us"
        thread = thread_of(ours[0], *people, *ours[1:], resolved_by=resolved_by)
        thread = replace(thread, resolved_by_us=us, resolved_by=f"{by}[bot]" if us else thread.resolved_by)
        past = [
            PastNote(
                id=at,
                url="",
                body=body,
                is_ours=login == by,
                in_conversation=True,
                state="",
                login=f"{login}[bot]" if login == by else login,
            )
            for at, (body, login) in enumerate(notes, 60)
        ]
        return assemble([thread], past, may_write=WRITERS.__contains__, author="ann")

    return make


@pytest.mark.parametrize(
    ("login", "shared"), [("github-actions[bot]", True), ("github-actions", True), ("spark[bot]", False), ("", False)]
)
def test_one_account_is_shared_by_all_workflows(login, shared) -> None:
    assert is_shared(login) is shared


@pytest.mark.parametrize(
    ("answer", "believed"),
    [
        (f"Dismissed.\n\n{IGNORED}\n{answer_marker('thread-50')}", True),
        (f"Dismissed.\n\n{IGNORED}", False),
        (f"Dismissed.\n\n{IGNORED}\n{answer_marker('thread-51')}", False),
        (f"Dismissed.\n\n{IGNORED}\n{answer_marker('thread-999')}", False),
        (f"Dismissed.\n\n{IGNORED}\n{answer_marker('thread-x')}", False),
        (f"Dismissed.\n\n{BY_GRACE}\n{answer_marker('thread-51')}", False),
    ],
)
def test_a_dismissal_must_answer_the_very_person_who_may_still_write(recalled, answer, believed) -> None:
    (found,) = recalled(answer, resolved_by="us").findings
    assert (found.dismissal is not None) is believed
    (own,) = recalled(answer, by=OWN, resolved_by="us").findings
    assert own.dismissal is not None


@pytest.mark.parametrize(
    ("answer", "resolved_by", "closed"),
    [
        (f"Fixed in abc1234.\n\n{step_marker('fixed-abc123456789')}", "us", True),
        (f"Fixed in abc1234.\n\n{step_marker('fixed-abc123456789')}", "ann", False),
        (f"The plan:\n\n{step_marker('fixed-abc123456789')}", "ann", False),
        (f"Resolved.\n\n{state_marker({'closed_by': 'grace'})}\n{answer_marker('thread-51')}", "us", True),
        (f"Resolved.\n\n{state_marker({'closed_by': 'ada'})}\n{answer_marker('thread-51')}", "us", False),
    ],
)
def test_what_closes_a_finding_is_our_own_doing_or_a_persons_word(recalled, answer, resolved_by, closed) -> None:
    (found,) = recalled(answer, resolved_by=resolved_by).findings
    assert found.closed is closed
    assert found.dismissal is None or not found.dismissal.excuses
    (own,) = recalled(answer, by=OWN, resolved_by=resolved_by).findings
    assert own.closed


def test_a_finding_is_not_made_milder_and_does_not_begin_below_other_words(recalled) -> None:
    (found,) = recalled(f"The plan:\n\n{MILDER}").findings
    assert found.note.severity is Severity.HIGH
    assert recalled(first=f"The linter says:\n\n{FIRST.partition('Text.')[2]}").findings == ()
    (own,) = recalled(f"The plan:\n\n{MILDER}", by=OWN).findings
    assert own.note.severity is Severity.LOW


@pytest.mark.parametrize(
    ("begins", "believed"),
    [
        ("**3 findings: 1 high, 2 low** by `x`", True),
        ("**1 new finding: 1 high**", True),
        ("**No new findings, 1 still open: 1 high**", True),
        ("**No findings from the analyzers**", True),
        ("Part 2 of 3 of this review: 30 comments.", True),
        ("Thanks for **3 findings: 1 high**", False),
        ("**Plan: 3 findings**", False),
    ],
)
def test_what_passes_for_a_review_begins_as_one(recalled, begins, believed) -> None:
    head = CommitSha("a" * 40)
    marks = [
        review_marker(ReviewMarker(head=head, base=head, run="r1")),
        round_marker(RoundMarker(round=1, rules="ab", seen=frozenset({1}))),
        finding_marker(Fingerprint("e" * 16)),
    ]
    body = f"{begins}\n\n{chr(10).join(marks)}"
    found = recalled(notes=[(body, SHARED)])
    assert (found.last is not None) is believed
    assert (Fingerprint("e" * 16) in found.known) is believed
    assert recalled(by=OWN, notes=[(body, OWN)]).last is not None


@pytest.mark.parametrize(
    ("by", "key", "paused"),
    [
        ("ada", "conversation-60", "ada"),
        ("ada", "conversation-50", "ada"),
        ("ada", "conversation-61", ""),
        ("grace", "conversation-61", ""),
        ("ada", "", ""),
    ],
)
def test_a_pause_must_answer_somebody_who_may_write(recalled, by, key, paused) -> None:
    mark = state_marker({"paused_by": by})
    body = f"Paused.\n\n{mark}" + (f"\n{answer_marker(key)}" if key else "")
    people = [("/spark pause", "ada"), ("/spark pause", "grace")]
    assert recalled(notes=[*people, (body, SHARED)]).paused_by == paused
    assert recalled(by=OWN, notes=[*people, (body, OWN)]).paused_by == by
