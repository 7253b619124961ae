"""Any tool's SARIF file as the `Analyzer` port: its results on changed lines.

Refuses to guess which file is meant: a name must be that of a file of the patch, relative to the root or below it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from bot.analyzers.fixes import Edit, Placed, changed_lines, put
from bot.analyzers.rules import weigh
from bot.analyzers.sariflog import WHOLE_LINE, SarifResult, read_log
from bot.diff.model import FilePatch, FileStatus, is_utf8
from bot.review.model import Category, Change, Severity
from bot.review.ports import AnalyzerReport, AnalyzerResult, HeadFiles

_LEVELS: Final = {
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "note": Severity.LOW,
    "none": Severity.LOW,
}

_SCORES: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.0, Severity.LOW))
"""GitHub's own bounds for `security-severity`."""

_TAGS: Final = (
    ("security", Category.SECURITY),
    ("performance", Category.PERFORMANCE),
    ("reliability", Category.RELIABILITY),
    ("correctness", Category.BUG),
    ("maintainability", Category.MAINTAINABILITY),
    ("readability", Category.MAINTAINABILITY),
    ("style", Category.STYLE),
    ("test", Category.TESTS),
    ("documentation", Category.DOCS),
)


class SarifFile:
    """A SARIF file, read when made. The tool ran in `folder`, the current directory by default, or at the root above it."""

    def __init__(self, path: Path, *, folder: Path | None = None) -> None:
        """Read `path`. UserError naming the file, and the place of a mistake, when it is no SARIF 2.1.0 log."""
        self._log = read_log(path)
        here = (folder if folder is not None else Path.cwd()).absolute()
        root = next((place for place in (here, *here.parents) if (place / ".git").exists()), here)
        # The root as named and without its links: a tool may have written either.
        self._roots = (str(root), str(root.resolve()))
        self._inside = here.relative_to(root).as_posix()

    @property
    def name(self) -> str:
        """`sarif:<tool>`, with all tools where the file has several."""
        return f"sarif:{', '.join(self._log.tools) or 'no runs'}"

    @property
    def digest(self) -> str:
        """A hash of the results, whatever their order, and of nothing else in the file: a time in it is no other result."""
        results = sorted(repr(result) for result in self._log.results)
        return hashlib.sha256("\n".join(results).encode("utf-8", "backslashreplace")).hexdigest()

    def run(self, change: Change, files: HeadFiles) -> AnalyzerReport:
        """The results on added lines. `outside` also counts results without a place, and about other files."""
        by_path: dict[str, list[tuple[FilePatch, frozenset[int]]]] = {}
        for file in change.patch.files:
            if file.status is not FileStatus.REMOVED:
                by_path.setdefault(file.path, []).append((file, changed_lines(file)))
        results: list[AnalyzerResult] = []
        outside = self._log.unplaced
        for result in self._log.results:
            placed = self._place(result, by_path, files)
            if placed is None:
                outside += 1
            else:
                results.append(_result(result, placed))
        return AnalyzerReport(name=self.name, results=tuple(results), outside=outside)

    def _place(
        self, result: SarifResult, by_path: dict[str, list[tuple[FilePatch, frozenset[int]]]], files: HeadFiles
    ) -> Placed | None:
        path = next((name for uri in result.uris for name in self._names(uri) if name in by_path), None)
        for file, changed in by_path.get(path, []) if path is not None else []:
            head = files.text(file.path) if result.edits else None
            edits = _in_characters(result, head) if head is not None and is_utf8(head) else []
            placed = put(file, changed, result.start, result.end, head=head, edits=edits)
            if placed is not None:
                return placed
        return None

    def _names(self, uri: str) -> list[str]:
        """Paths below the root that a URI may mean, the most literal first."""
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", uri):
            parts = urlsplit(uri)
            if parts.scheme.lower() != "file":
                return []
            names = [unquote(parts.path), parts.path]
        else:
            names = [unquote(uri), uri, uri.replace("\\", "/")]
        found = [below for name in names for below in self._below(PurePosixPath(name))]
        return [name for name in dict.fromkeys(found) if name]

    def _below(self, path: PurePosixPath) -> list[str]:
        if not path.is_absolute():
            return [_normal(path), _normal(self._inside / path)]
        return [_normal(path.relative_to(root)) for root in self._roots if path.is_relative_to(root)]


def _normal(path: PurePosixPath) -> str:
    """Without `.` and `..`; empty when it leads out of the root."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _in_characters(result: SarifResult, head: str) -> list[Edit]:
    """The fix with columns in characters; empty when a column cannot be told as one."""
    lines = head.split("\n")
    edits = []
    for edit in result.edits:
        if not 1 <= edit.start_line <= edit.end_line <= len(lines):
            return []
        ends = lines[edit.start_line - 1], lines[edit.end_line - 1]
        if result.utf16 and any(char > "\uffff" for line in ends for char in line):
            return []
        if edit.end_column == WHOLE_LINE:
            edit = replace(edit, end_column=len(ends[1].removesuffix("\r")) + 1)  # noqa: PLW2901 - the same edit, told in full
        edits.append(edit)
    return edits


def _result(result: SarifResult, placed: Placed) -> AnalyzerResult:
    severity, category = _weigh(result)
    parts = [result.message] if result.message != result.title or not result.help else []
    if result.help not in {"", result.message}:
        parts.append(result.help)
    return AnalyzerResult(
        anchor=placed.anchor,
        severity=severity,
        category=category,
        title=result.title,
        body="\n\n".join(parts),
        suggestion=placed.suggestion,
        rule=result.rule,
        source=f"sarif:{result.tool}",
        parsed=placed.parsed,
    )


def _weigh(result: SarifResult) -> tuple[Severity, Category]:
    # Ruff calls everything an error, the order of imports, too.
    return weigh(result.rule) if result.tool.lower() == "ruff" else (_severity(result), _category(result))


def _severity(result: SarifResult) -> Severity:
    if result.score is not None:
        return next(severity for bound, severity in _SCORES if result.score >= bound)
    return _LEVELS[result.level]


def _category(result: SarifResult) -> Category:
    if result.score is not None:
        return Category.SECURITY
    for word, category in _TAGS:
        if any(word in tag for tag in result.tags):
            return category
    return Category.BUG if result.level in {"error", "warning"} else Category.MAINTAINABILITY
