"""What becomes of each thread of an earlier round, now that the pull has changed.

A thread is resolved only when it is ours, no person waits for an answer in it, its code has changed, and a call to the model says that
the defect is gone. A finding that a round did not report again proves nothing: models miss things. Nobody is contradicted: what a
person resolved stays resolved, and what a person opened again is not closed by us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.diff.anchors import anchor_lines
from bot.diff.model import Anchor, Patch, Side
from bot.review.likes import match, remembered_like
from bot.review.memory import FindingNote, ThreadId
from bot.review.model import CommitSha, Finding
from bot.review.ports import Then, ThreadStep
from bot.review.prompt_follow import Fixed, FollowAnswer
from bot.review.recall import STILL, Standing, note_of, standing
from bot.review.render.markers import read_keys
from bot.review.render.safe import Redactor
from bot.review.render.threads import back_note, fixed_note, moved_note, still_note
from bot.review.rewording import replaced
from bot.review.whereabouts import Fate, Placed, as_finding, place_known

__all__ = [
    "Fate",
    "Fixed",
    "FollowAnswer",
    "Followed",
    "Placed",
    "carried",
    "is_worth_asking",
    "match",
    "may_be_resolved",
    "place_known",
    "remembered_like",
    "steps",
]

_DISMISSED: Final = "it was dismissed"
_UNANSWERED: Final = "somebody's reply is not answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What came of looking at the threads of earlier rounds."""

    steps: tuple[ThreadStep, ...]
    fixed: tuple[Placed, ...]
    """Their code changed and the model says that they are gone, whether the thread may be resolved or not."""
    still: tuple[Placed, ...]
    """Their code changed and they are there. With a `finding` where its place is in the diff, else they count without one."""
    unsure: tuple[Placed, ...]
    """Their code changed and nobody can say."""


def may_be_resolved(placed: Placed) -> str:
    """Empty when only the model's word is missing; else why the thread is not to be resolved, to follow `because`."""
    known = placed.known
    if not known.thread.is_ours:
        return "it is not ours"
    if known.dismissal is not None:
        return _DISMISSED
    if known.closed or known.thread.is_resolved:
        return "it is resolved already"
    if placed.fate is not Fate.CHANGED:
        return "its code did not change"
    if placed.problem:
        return placed.problem
    if standing(known.thread) is not Standing.OPEN:
        return "it was opened again after it had been resolved"
    if known.thread.unanswered:
        return _UNANSWERED
    return ""


def is_worth_asking(placed: Placed) -> bool:
    """Whether the model is to be asked if it is mended: also where a reply keeps the thread open, for the gate."""
    known = placed.known
    return (
        placed.fate is Fate.CHANGED
        and not placed.problem
        and known.dismissal is None
        and not known.thread.is_resolved
        and standing(known.thread) is Standing.OPEN
    )


def carried(placed: Sequence[Placed]) -> tuple[Finding, ...]:
    """The findings of earlier rounds that stand as they were, as findings of this review; without those that are closed."""
    return tuple(each.finding for each in placed if each.finding is not None and not _is_settled(each))


def steps(
    placed: Sequence[Placed],
    answers: Mapping[ThreadId, FollowAnswer | None],
    found: Mapping[ThreadId, Finding],
    *,
    head: CommitSha,
    patch: Patch,
    redactor: Redactor,
) -> Followed:
    """What to say and do in each thread.

    `answers`: the model's to those that are worth asking. `found`: findings of this review that `match` says belong to a thread.
    """
    walk = _Walk(head=head, patch=patch, redactor=redactor)
    for each in placed:
        thread = each.known.thread.id
        walk.take(each, answers.get(thread), found.get(thread))
    return Followed(
        steps=tuple(walk.steps), fixed=tuple(walk.fixed), still=tuple(walk.still), unsure=tuple(walk.unsure)
    )


def _is_settled(placed: Placed) -> bool:
    """Closed, and by nobody's word that it shall not be spoken of."""
    return placed.known.closed and placed.known.dismissal is None


class _Walk:
    """Goes from thread to thread and collects."""

    def __init__(self, *, head: CommitSha, patch: Patch, redactor: Redactor) -> None:
        self._head = head
        self._patch = patch
        self._redactor = redactor
        self.steps: list[ThreadStep] = []
        self.fixed: list[Placed] = []
        self.still: list[Placed] = []
        self.unsure: list[Placed] = []

    def take(self, placed: Placed, answer: FollowAnswer | None, found: Finding | None) -> None:
        known = placed.known
        if known.dismissal is not None:
            return
        if known.closed:
            if found is not None:
                self._is_back(placed, found)
        elif placed.fate is Fate.STANDS:
            if placed.moved and placed.finding is not None:
                self._has_moved(placed, placed.finding)
        elif placed.fate is Fate.CHANGED:
            self._has_changed(placed, answer, found)

    def _has_changed(self, placed: Placed, answer: FollowAnswer | None, found: Finding | None) -> None:
        if found is not None:
            self.still.append(replace(placed, finding=found))
            note = note_of(found, self._patch)
            why = answer.why if answer is not None and answer.fixed is Fixed.NO else found.title
            self._is_still_there(placed, why, found.anchor, note)
        elif not placed.problem and standing(placed.known.thread) is Standing.FIXED:
            # We said so, and it is open: for a reply's sake, or GitHub refused to resolve it, or somebody thinks otherwise. It is theirs now.
            self.fixed.append(placed)
        elif answer is None or answer.fixed is Fixed.UNSURE:
            self.unsure.append(placed)
        elif answer.fixed is Fixed.YES:
            self.fixed.append(placed)
            self._is_fixed(placed, answer.why)
        else:
            at = self._named(placed, answer.line)
            finding = None if at is None else as_finding(placed.known, at)
            self.still.append(replace(placed, finding=finding))
            now = None if finding is None else note_of(finding, self._patch)
            self._is_still_there(placed, answer.why, at, now)

    def _is_fixed(self, placed: Placed, why: str) -> None:
        against = may_be_resolved(placed)
        if not against:
            self._say(placed, fixed_note(self._head, why, self._redactor), Then.RESOLVE)
        elif against == _UNANSWERED:
            # Said once: with this in the thread the model is not asked about it again.
            self._say(placed, fixed_note(self._head, why, self._redactor, stays_open=True), Then.NOTHING)

    def _is_still_there(self, placed: Placed, why: str, at: Anchor | None, note: FindingNote | None) -> None:
        if placed.known.thread.unanswered or not placed.known.thread.is_ours:
            return
        if note is None and any(key.startswith(STILL) for key in _said(placed)):
            return
        self._say(placed, still_note(self._head, why, self._redactor, near=placed.near, at=at, note=note), Then.NOTHING)

    def _is_back(self, placed: Placed, found: Finding) -> None:
        if placed.known.thread.is_ours and placed.known.thread.is_resolved:
            note = note_of(found, self._patch)
            body = back_note(self._head, found.title, self._redactor, at=found.anchor, note=note)
            self._say(placed, body, Then.REOPEN)

    def _has_moved(self, placed: Placed, finding: Finding) -> None:
        if not placed.known.thread.unanswered:
            note = note_of(finding, self._patch)
            self._say(placed, moved_note(self._head, self._redactor, at=finding.anchor, note=note), Then.NOTHING)

    def _named(self, placed: Placed, line: int | None) -> Anchor | None:
        """The line that the model named, when it has text and is in the diff."""
        if line is None:
            return None
        for file in self._patch.files:
            if file.path == placed.path:
                at = anchor_lines(file, Side.RIGHT, line, line)
                if isinstance(at, Anchor) and at.text[0].strip():
                    return at
        return None

    def _say(self, placed: Placed, body: str, then: Then) -> None:
        """One step, unless just this was said before, or is what our note says whose words it would replace."""
        thread = placed.known.thread
        note = replaced(thread, body)
        said = _said(placed) if note is None else read_keys(note.body, "step")
        if set(read_keys(body, "step")) & set(said):
            return
        self.steps.append(ThreadStep(thread=thread.id, root=thread.comments[0].id, body=body, then=then))


def _said(placed: Placed) -> list[str]:
    """The keys of our notes in the thread."""
    return [key for said in placed.known.thread.comments if said.is_ours for key in read_keys(said.body, "step")]
