"""Findings as annotations of a check run: GitHub shows them beside the lines, while the review is still being written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bot.diff.model import Side, printable
from bot.github.checks import Annotation, Level
from bot.review.model import Finding, FindingStatus, Fingerprint, Severity
from bot.review.render import words
from bot.review.render.check import plain
from bot.review.render.safe import Redactor

_LEVELS: Final = {
    Severity.CRITICAL: Level.FAILURE,
    Severity.HIGH: Level.FAILURE,
    Severity.MEDIUM: Level.WARNING,
    Severity.LOW: Level.NOTICE,
}
_MESSAGE: Final = 4_000
_TITLE: Final = 200
_TOLD: Final = frozenset({FindingStatus.POSTED, FindingStatus.KNOWN, FindingStatus.OVER_LIMIT})


def annotate(findings: Iterable[Finding], redactor: Redactor) -> Mapping[Fingerprint, Annotation]:
    """One for each finding that is told, on lines that the head has: removed lines have no place there."""
    return {
        finding.fingerprint: Annotation(
            path=printable(finding.path),
            start_line=finding.anchor.start_line,
            end_line=finding.anchor.line,
            level=_LEVELS[finding.severity],
            title=" ".join(plain(f"{words.label(finding)}: {finding.title}", redactor, limit=_TITLE).split()),
            message=plain(finding.body, redactor, limit=_MESSAGE),
        )
        for finding in findings
        if finding.side is Side.RIGHT and finding.status in _TOLD
    }
