"""The board on which the findings of one review are kept: one slot for each, its duplicates merged into it.

A slot is open while its finding is on trial. Duplicates that arrive meanwhile wait in the slot, so that the order in
which streams deliver does not change the result. A dropped slot stays, to catch the same finding coming again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bot.diff.model import Patch
from bot.review.fingerprint import fingerprint
from bot.review.merge import combine, likeness, same
from bot.review.model import Dropped, Finding
from bot.review.ports import AnalyzerResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Where a finding went."""

    slot: int
    is_new: bool
    merged: Dropped | None = None
    """Set when it went into a slot that was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A slot's finding after its trial; `merged` is set when it went into a slot that was told before."""

    finding: Finding
    merged: Dropped | None = None


@dataclass(slots=True)
class _Slot:
    finding: Finding
    number: int
    settled: bool = False
    dropped: bool = False
    into: _Slot | None = None
    """The tool's slot that this one went into."""
    others: list[Finding] = field(default_factory=list)


class Board:
    """All findings of a review. Belongs to one thread."""

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self._near: defaultdict[object, set[int]] = defaultdict(set)
        """Slots by what `same` asks for first, a fingerprint or a hunk: among thousands of findings few have either."""

    def add(self, finding: Finding) -> Added:
        """Put `finding` into the slot of the same one, or into a new slot.

        The model's word never goes straight into a tool's slot: it has to pass its trial first, in a slot of its own.
        """
        for number in self._candidates(finding):
            slot = self._slots[number]
            if not same(slot.finding, finding):
                continue
            if finding.source == "model" and slot.finding.source != "model":
                continue
            if slot.dropped and finding.source != "model":
                # The check refuted what the model said; a tool's result stands on its own.
                continue
            target = slot.into or slot
            if target.settled and not target.dropped:
                target.finding = combine(target.finding, _tried(finding))
                self._place(target)
            else:
                target.others.append(_tried(finding))
            return Added(slot=number, is_new=False, merged=_duplicate(finding, target))
        new = _Slot(finding, len(self._slots))
        self._slots.append(new)
        self._place(new)
        return Added(slot=len(self._slots) - 1, is_new=True)

    def settle(self, number: int, finding: Finding) -> Settled:
        """The slot's finding has passed its trial: gives it with its duplicates merged in.

        Where a tool said the same meanwhile, the slot goes into the tool's and is itself a duplicate.
        """
        slot = self._slots[number]
        for other in slot.others:
            finding = combine(finding, other)
        slot.finding, slot.settled = finding, True
        slot.others.clear()
        self._place(slot)
        near = [self._slots[other] for other in self._candidates(finding)]
        twins = [twin for twin in near if twin is not slot and _is_twin(twin, finding)]
        if not twins:
            return Settled(finding=finding)
        # Of several results of tools on one line, the one that is most alike in words.
        twin = max(twins, key=lambda other: likeness(other.finding, finding))
        twin.finding = combine(twin.finding, finding)
        self._place(twin)
        slot.dropped, slot.into = True, twin
        return Settled(finding=twin.finding, merged=_duplicate(finding, twin))

    def drop(self, number: int, dropped: Dropped) -> Settled | None:
        """The slot's finding was refuted. A tool's finding that waited in the slot takes its place and is given back."""
        slot = self._slots[number]
        tools = [other for other in slot.others if other.source != "model"]
        if tools:
            slot.finding, slot.others = tools[0], tools[1:]
            return self.settle(number, tools[0])
        slot.finding, slot.dropped, slot.settled = dropped.finding, True, True
        self._place(slot)
        return None

    def _place(self, slot: _Slot) -> None:
        """The slot has this finding now. Where it was found before it stays too: `same` decides."""
        for key in _keys(slot.finding):
            self._near[key].add(slot.number)

    def _candidates(self, finding: Finding) -> list[int]:
        """Slots that may have the same, in order."""
        return sorted(set().union(*(self._near.get(key, ()) for key in _keys(finding))))

    def findings(self) -> tuple[Finding, ...]:
        """Every kept finding: most severe first, then in the order of the diff."""
        kept = [slot.finding for slot in self._slots if slot.settled and not slot.dropped]
        return in_order(kept)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Most severe first, then in the order of the diff."""
    return tuple(sorted(findings, key=_order))


def _order(finding: Finding) -> tuple[int, int, int, int, str]:
    anchor = finding.anchor
    return (-finding.severity.rank, anchor.hunk.file, anchor.hunk.hunk, anchor.start_line, finding.fingerprint)


def _keys(finding: Finding) -> tuple[object, object]:
    anchor = finding.anchor
    return finding.fingerprint, (anchor.path, anchor.side, anchor.hunk)


def _is_twin(slot: _Slot, finding: Finding) -> bool:
    """Whether a tool said in this slot what the model says, or the other way round."""
    if not slot.settled or slot.dropped or (slot.finding.source == "model") == (finding.source == "model"):
        return False
    return same(slot.finding, finding)


def _tried(finding: Finding) -> Finding:
    """What may go into another finding: a suggestion that nobody tried may not."""
    return finding if finding.proven else replace(finding, suggestion=None)


def _duplicate(finding: Finding, slot: _Slot) -> Dropped:
    why = "the same finding was refuted" if slot.dropped else f"said once already: {slot.finding.title}"
    return Dropped(finding=finding, reason="duplicate", why=why)


def from_analyzer(result: AnalyzerResult, patch: Patch) -> Finding:
    """A tool's result as a finding. Its suggestion, where there is one, was proven by the analyzer room."""
    return Finding(
        anchor=result.anchor,
        severity=result.severity,
        category=result.category,
        title=result.title,
        body=result.body,
        suggestion=result.suggestion,
        proven=result.suggestion is not None,
        parsed=result.parsed,
        votes=None,
        fingerprint=fingerprint(
            result.anchor, result.category, rule=result.rule, file=patch.file(result.anchor.hunk.file)
        ),
        source=result.source,
        rule=result.rule,
    )
