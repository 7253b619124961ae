"""A finding on trial, before anybody sees it: does the check uphold it, and is its suggestion proven?

Runs in a thread of its own while the streams go on. The order is check, proof, repair: a refuted finding costs no repair.
A check that gives no answer is asked once more; then the finding is kept and says so. Silence never counts as agreement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.diff.edit import Proven, prove
from bot.review.decode import CheckAnswer, CheckVerdict, read_check, read_repair
from bot.review.model import Change, Dropped, Effort, Finding, Votes
from bot.review.ports import CallReport, HeadFiles, Model, Prompt, Stop, StreamEnd
from bot.review.prompt import check_prompt, repair_prompt
from bot.review.streams import TRIES, second_try


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of a trial."""

    outcome: Finding | Dropped
    reports: tuple[CallReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """What a trial needs; the same for every finding of a review."""

    change: Change
    files: HeadFiles
    model: Model
    effort: Effort
    stop: Stop

    def hear(self, finding: Finding) -> Tried:
        """Check, prove, repair. Raises only what the model's port raises."""
        reports: list[CallReport] = []
        text = self.files.text(finding.path)
        if self.effort is not Effort.INSTANT:
            judged = self._check(finding, text, reports)
            if isinstance(judged, Dropped):
                return Tried(outcome=judged, reports=tuple(reports))
            finding = judged
        if finding.suggestion is not None and not finding.proven:
            finding = self._prove(finding, text, reports)
        return Tried(outcome=finding, reports=tuple(reports))

    def _check(self, finding: Finding, text: str | None, reports: list[CallReport]) -> Finding | Dropped:
        found = finding.votes or Votes(in_favour=1, of=1)
        checked = self._checked(check_prompt(self.change, finding, file_text=text, effort=self.effort), reports)
        if checked is None:
            end = reports[-1].end
            why = "the check's answer could not be read" if end is StreamEnd.WHOLE else end.value
            return replace(finding, votes=found, note=f"Not checked: {why}.")
        if checked.verdict is CheckVerdict.REFUTED:
            return Dropped(finding=finding, reason="refuted", why=checked.why)
        upheld = checked.verdict is CheckVerdict.REAL
        return replace(finding, votes=Votes(in_favour=found.in_favour + upheld, of=found.of + 1))

    def _checked(self, prompt: Prompt, reports: list[CallReport]) -> CheckAnswer | None:
        """The check's answer, asked for once more where that may help; None when there is none."""
        asking: Prompt | None = prompt
        for _ in range(TRIES):
            if asking is None:
                break
            report, answer = self._ask(asking)
            reports.append(report)
            checked = read_check(answer) if report.end is StreamEnd.WHOLE else None
            if checked is not None:
                return checked
            asking = second_try(asking, report, self.stop)
        return None

    def _prove(self, finding: Finding, text: str | None, reports: list[CallReport]) -> Finding:
        assert finding.suggestion is not None
        if text is None:
            return without_suggestion(finding, "the file could not be read to try it")
        first = prove(text, finding.anchor, finding.suggestion)
        if isinstance(first, Proven):
            return replace(finding, suggestion=first.suggestion, proven=True, parsed=first.parsed)
        prompt = repair_prompt(
            self.change, finding, file_text=text, failed=finding.suggestion, reason=first.reason, effort=self.effort
        )
        report, answer = self._ask(prompt)
        reports.append(report)
        mended = read_repair(answer) if report.end is StreamEnd.WHOLE else None
        if mended is None:
            return without_suggestion(finding, first.reason)
        second = prove(text, finding.anchor, mended)
        if isinstance(second, Proven):
            return replace(finding, suggestion=second.suggestion, proven=True, parsed=second.parsed)
        return without_suggestion(finding, second.reason)

    def _ask(self, prompt: Prompt) -> tuple[CallReport, str]:
        pieces: list[str] = []
        report = self.model.stream(prompt, sink=pieces.append, stop=self.stop)
        return report, "".join(pieces)


def without_suggestion(finding: Finding, reason: str) -> Finding:
    """The finding as prose, with the reason why its patch is not offered."""
    note = f"A patch was suggested and is not shown: {reason}."
    return replace(finding, suggestion=None, proven=False, note=f"{finding.note} {note}".strip())
