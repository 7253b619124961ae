"""The findings of a review on their way: placed, merged with what says the same, tried, told. Belongs to the review's thread.

A finding of the model is told only after its trial; a tool's stands on its own. Nothing that was said is lost without a word:
what is dropped or has no place is told as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.diff.model import Patch
from bot.review.config import DismissRule
from bot.review.events import Found, Lost, ReviewEvent
from bot.review.findings import Board, from_analyzer
from bot.review.lasting import dismissed_for_good
from bot.review.model import Dropped, Finding, Misplaced, RawFinding
from bot.review.place import place
from bot.review.ports import AnalyzerReport
from bot.review.scope import Chunk
from bot.review.tally import Tally
from bot.review.trial import Court, Tried


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOver:
    """What came of the trial of a slot's finding."""

    slot: int
    tried: Tried


class Docket:
    """All findings of one review."""

    def __init__(
        self,
        *,
        patch: Patch,
        court: Court | None,
        tally: Tally,
        beside: Callable[[Callable[[], None]], None],
        tell: Callable[[TrialOver], None],
        emit: Callable[[ReviewEvent], None],
        since: Callable[[], float],
        lasting: Sequence[DismissRule] = (),
    ) -> None:
        """`court` None: there is no model, so nothing of the model's comes. `beside` runs work in another thread, which uses
        `tell`; `since`: seconds since the review began. `lasting`: what the repository dismisses for good; it is so marked when it is told.
        """
        self._patch = patch
        self._court = court
        self._tally = tally
        self._beside = beside
        self._tell = tell
        self._emit = emit
        self._since = since
        self._lasting = lasting
        self._board = Board()
        self.open = 0
        """Trials that are under way."""

    def findings(self) -> tuple[Finding, ...]:
        """Every kept finding: most severe first, then in the order of the diff."""
        return self._board.findings()

    def hear(self, raw: RawFinding, chunk: Chunk) -> None:
        """A finding left a stream."""
        placed = place(raw, chunk, self._patch)
        if isinstance(placed, Misplaced):
            self._tally.misplaced.append(placed)
            self._emit(Lost(at=self._since(), what=placed))
        else:
            self._consider(placed)

    def take(self, report: AnalyzerReport) -> None:
        """An analyzer is done."""
        if report.problem:
            self._tally.tell([f"{report.name} did not run: {report.problem}"])
            self._tally.shortfalls.append(f"{report.name} did not run")
        if report.outside:
            self._tally.outside[report.name] = self._tally.outside.get(report.name, 0) + report.outside
        for result in report.results:
            self._consider(from_analyzer(result, self._patch))

    def close(self, over: TrialOver) -> None:
        """A trial is over."""
        self.open -= 1
        for report in over.tried.reports:
            self._tally.count(report)
        self._settle(over.slot, over.tried.outcome)

    def _consider(self, finding: Finding) -> None:
        """Put a finding on the board, or into one that is there, and try it when it is new and the model's."""
        added = self._board.add(finding)
        if added.merged is not None:
            self._drop(added.merged)
        if added.is_new and finding.source == "model":
            self._try(added.slot, finding)
        elif added.is_new:
            self._settle(added.slot, finding)

    def _try(self, slot: int, finding: Finding) -> None:
        court = self._court
        assert court is not None
        self.open += 1
        self._beside(lambda: self._tell(TrialOver(slot=slot, tried=court.hear(finding))))

    def _settle(self, slot: int, outcome: Finding | Dropped) -> None:
        if isinstance(outcome, Dropped):
            self._drop(outcome)
            settled = self._board.drop(slot, outcome)
        else:
            settled = self._board.settle(slot, outcome)
        if settled is None:
            return
        if settled.merged is not None:
            self._drop(settled.merged)
            return
        if self._tally.first_finding is None:
            self._tally.first_finding = self._since()
        told = dismissed_for_good(settled.finding, self._lasting) or settled.finding
        self._emit(Found(at=self._since(), finding=told))

    def _drop(self, dropped: Dropped) -> None:
        self._tally.dropped.append(dropped)
        self._emit(Lost(at=self._since(), what=dropped))
