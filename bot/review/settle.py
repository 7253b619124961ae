"""What becomes of each finding of a review, by what is on the pull already. Pure.

A finding has one thread for its life: what has one is not posted again, and what still stands counts for the gate whether
or not this round looked at it. Those whose code changed are not settled here: `follow` has the model's word on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.review import follow
from bot.review.config import DismissRule
from bot.review.findings import in_order
from bot.review.follow import Placed
from bot.review.lasting import dismissed_for_good
from bot.review.memory import KnownFinding, Recall, Remembered, ThreadId
from bot.review.merge import same
from bot.review.model import Finding, FindingStatus, Severity
from bot.review.prompt_follow import FollowAnswer
from bot.review.render import words
from bot.review.repository import BY_BUTTON


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known when the findings of a review are settled."""

    recall: Recall = field(default_factory=Recall)
    placed: Sequence[Placed] = ()
    """Every earlier finding, where it is in the change of now."""
    answers: Mapping[ThreadId, FollowAnswer] = field(default_factory=dict)
    """What the model said of those whose code changed; none where it was not asked, or gave no answer."""
    remembered: Sequence[Remembered] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The findings with what becomes of them."""

    findings: tuple[Finding, ...]
    """Found now, or carried from earlier rounds: most severe first, then in the order of the diff."""
    reported: Mapping[ThreadId, Finding] = field(default_factory=dict)
    """Findings of now that belong to a thread which is there."""
    homeless: frozenset[str] = frozenset()
    """Fingerprints of findings that stand on the pull in a summary alone."""


def settle(
    findings: Iterable[Finding],
    past: Past,
    *,
    least: Severity,
    at_most: int,
    held_back: Callable[[Finding], bool],
    lasting: Sequence[DismissRule] = (),
) -> Settled:
    """Decide for each. `findings` come most severe first, so the limit of comments cuts the least severe.

    `least`: from this severity on a finding gets a comment. `at_most`: line comments for the whole life of the pull.
    `held_back`: whether a new finding is counted only. `lasting`: what the repository's configuration dismisses.
    """
    room = at_most - sum(_is_open(known) for known in past.recall.findings)
    settled: list[Finding] = []
    reported: dict[ThreadId, Finding] = {}
    homeless: set[str] = set()
    for finding in findings:
        place = follow.match(finding, past.placed)
        if place is not None:
            one = _by_rule(of_thread(finding, place.known), lasting)
            if place.known.dismissal is None or _is_itself(finding, place):
                reported.setdefault(place.known.thread.id, one)
        elif (by_rule := dismissed_for_good(finding, lasting)) is not None:
            one = by_rule
        elif finding.fingerprint in past.recall.known:
            one = replace(finding, status=FindingStatus.KNOWN, thread=past.recall.known[finding.fingerprint])
            homeless.add(finding.fingerprint)
        elif (before := follow.remembered_like(finding, past.remembered)) is not None:
            one = _remembered(finding, before)
        else:
            one = replace(finding, status=_status(finding, least=least, room=room, held_back=held_back))
            room -= one.status is FindingStatus.POSTED
        settled.append(one)
    left = [place for place in past.placed if place.known.thread.id not in reported]
    there = {finding.fingerprint for finding in settled}
    settled += [_by_rule(one, lasting) for one in _carried(left) if one.fingerprint not in there]
    return Settled(findings=in_order(settled), reported=reported, homeless=frozenset(homeless))


def _by_rule(finding: Finding, lasting: Sequence[DismissRule]) -> Finding:
    """A finding with a thread, excused where a rule says so; whoever dismissed it there for good has said enough."""
    return finding if finding.excused else dismissed_for_good(finding, lasting) or finding


def _is_itself(finding: Finding, place: Placed) -> bool:
    """Whether a finding is the very one that was dismissed, and not its like somewhere else."""
    return place.finding is not None and same(finding, place.finding)


def _is_open(known: KnownFinding) -> bool:
    return not known.thread.is_resolved and known.dismissal is None


def _carried(placed: Sequence[Placed]) -> list[Finding]:
    """Earlier findings that this round did not find and that stand all the same: it may not have looked there."""
    return [of_thread(finding, place.known) for place in placed for finding in follow.carried([place])]


def of_thread(finding: Finding, known: KnownFinding) -> Finding:
    """A finding that has a thread. A person's word about it holds for as long as the thread says so."""
    said = known.dismissal
    if said is None:
        return replace(finding, status=FindingStatus.KNOWN, thread=known.thread.url)
    one = replace(
        finding,
        status=FindingStatus.DISMISSED,
        excused=said.excuses,
        thread=known.thread.url,
        dismissed_by=said.by,
        dismissed_why=said.reason,
        dismissed_how=said.how,
    )
    return replace(one, note=f"{finding.note} Dismissed {words.who_dismissed(one)}.".strip())


def _remembered(finding: Finding, before: Remembered) -> Finding:
    # Of a button the repository remembers which it was; nobody gave a reason then.
    by_button = before.reason in BY_BUTTON
    one = replace(
        finding,
        status=FindingStatus.DISMISSED,
        excused=True,
        thread=before.url,
        dismissed_by=before.by,
        dismissed_why="" if by_button else before.reason,
        dismissed_how=before.reason if by_button else "",
    )
    return replace(one, note=f"{finding.note} Dismissed in {before.url} {words.who_dismissed(one)}.".strip())


def _status(finding: Finding, *, least: Severity, room: int, held_back: Callable[[Finding], bool]) -> FindingStatus:
    if finding.severity.rank < least.rank:
        return FindingStatus.BELOW_THRESHOLD
    if held_back(finding):
        return FindingStatus.HELD_BACK
    return FindingStatus.OVER_LIMIT if room <= 0 else FindingStatus.POSTED
