"""What a run says at its end, and where: outputs, the step's summary, annotations, the one headline, a SARIF file.

A review that stands on the pull request is not told a second time beside the code. One that does not is told here, whole. Keeps
count of findings that could be told nowhere, for such a run may not be green.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from bot.action import ending, report
from bot.action.commands import Level, write
from bot.action.ending import Ending
from bot.action.files import write_outputs, write_summary
from bot.action.inputs import Inputs
from bot.action.report import Headline
from bot.action.reviewing import NOT_WANTED, Reviewed
from bot.action.workspace import write_sarif
from bot.errors import ConfigError
from bot.review.render.safe import Redactor


class Teller:
    """Of one run."""

    def __init__(self, env: Mapping[str, str], out: TextIO, *, age: float = 0.0) -> None:
        """`age`: seconds since the process began."""
        self._env = env
        self._out = out
        self._began = time.monotonic() - age
        self.inputs = Inputs()
        """Of the run, once they were read."""
        self._outputs: Mapping[str, str] | None = None
        self._headline: Headline | None = None
        self._commands: Sequence[str] = ()
        self._more: list[Headline] = []

    def age(self) -> float:
        """Seconds since the process began."""
        return time.monotonic() - self._began

    def note(self, level: Level, text: str) -> None:
        """One more annotation of the run, printed at its end."""
        self._more.append(Headline(level=level, text=text))

    def reviewed(self, made: Reviewed, *, seconds_before: float) -> Ending:
        """Write all that is said of a review but what is printed; gives how the run ends.

        `seconds_before`: from the start of the process to that of the review.
        """
        review, redactor = made.review, Redactor(made.review.change.patch)
        problem, sarif = self._sarif(made, redactor)
        if made.remedy:
            self.note(Level.WARNING, f"The review was not posted: {made.untold}. {made.remedy}")
        expected = ending.of_review(review, require_coverage=self.inputs.require_coverage, untold=0)
        level = Level.ERROR if problem else expected.level
        untold = 0
        why = "" if made.untold == NOT_WANTED else made.untold
        if review.review_url is None:
            taken = [level, *(one.level for one in self._more)]
            beside = report.annotations(review, redactor, taken=taken)
            text = report.summary(review, redactor, untold=why, unannotated=beside.left_out, seconds_total=self.age())
            self._commands = beside.commands
            untold = len(beside.left_out) if self._page(text) else 0
        else:
            self._page(report.summary(review, redactor, untold=why, seconds_total=self.age()))
        end = ending.of_review(review, require_coverage=self.inputs.require_coverage, untold=untold)
        if problem is not None:
            end = ending.beside(end, problem)
        said = replace(review, verdict=end.verdict, reason=end.reason)
        self._outputs = report.outputs(
            said, sarif_file=sarif, seconds_total=self.age(), seconds_before=seconds_before, redactor=redactor
        )
        self._headline = report.headline(said, redactor, exit_code=end.exit_code)
        return end

    def say(self, end: Ending) -> int:
        """The last words. Returns the exit code."""
        if self._outputs is None or self._headline is None or end.exit_code == ending.INTERRUPTED:
            said = report.told(end.reason, seconds_total=self.age(), verdict=end.verdict, level=end.level)
            self._page(said.summary)
            self._outputs, self._headline, self._commands = said.outputs, said.headline, ()
        problem = write_outputs(self._env.get("GITHUB_OUTPUT"), self._outputs)
        if problem:
            self.note(Level.WARNING, f"{problem[:1].upper()}{problem[1:]}.")
        for line in (self._headline.command, *(one.command for one in self._more), *self._commands):
            write(self._out, f"{line}\n")
        return end.exit_code

    def _page(self, markdown: str) -> str:
        """Add to the step's summary; why that failed, or nothing."""
        problem = write_summary(self._env.get("GITHUB_STEP_SUMMARY"), markdown)
        if problem:
            self.note(Level.WARNING, f"{problem[:1].upper()}{problem[1:]}.")
        return problem

    def _sarif(self, made: Reviewed, redactor: Redactor) -> tuple[ConfigError | None, Path | None]:
        """Write the SARIF file that was asked for: what kept it from being written, and its name as the workflow knows it."""
        target = self.inputs.sarif_file
        if target is None:
            return None, None
        try:
            write_sarif(target, made.review, redactor)
        except ConfigError as error:
            return error, None
        root = Path(self._env.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
        return None, target.relative_to(root) if target.is_relative_to(root) else target
