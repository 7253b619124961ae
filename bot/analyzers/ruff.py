"""Ruff as the `Analyzer` port: one run over the changed Python files, as they are at the head.

Refuses to read anything but the text it is given: not the work tree, and no configuration of the reviewed project, which
could name rules, plug-ins or files. Names in the temporary directory are ours.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ruff.__main__ import find_ruff_bin  # type: ignore[import-untyped]

from bot.analyzers.fixes import Edit, changed_lines, put
from bot.analyzers.gist import gist
from bot.analyzers.rules import IGNORE, SELECT, for_tests, weigh
from bot.diff.model import FilePatch, FileStatus, is_utf8
from bot.review.model import Change
from bot.review.ports import AnalyzerReport, AnalyzerResult, HeadFiles

TIMEOUT = 60.0
"""Seconds for one run. Ruff reads a hundred thousand lines in well under one."""

_TARGET: Final = "py314"
"""The newest stable syntax: the project's own version is not known, and a false syntax error is worse than a missed one."""

_NAMES_THAT_MATTER: Final = frozenset({"__init__", "__main__", "conftest"})
"""Rules look at these module names; every other file gets one of ours."""

_LONE_CR: Final = re.compile(r"\r(?!\n)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    file: FilePatch
    text: str
    changed: frozenset[int]


class Ruff:
    """The bundled linter. `binary` is where it lies; found in the environment by default."""

    name = "ruff"

    def __init__(self, binary: str | None = None) -> None:
        self._binary = binary

    def run(self, change: Change, files: HeadFiles) -> AnalyzerReport:
        """Results on added lines, with safe fixes that were proven as suggestions. Never raises for what ruff does."""
        subjects = _subjects(change, files)
        if not subjects:
            return AnalyzerReport(name=self.name, results=())
        try:
            binary = self._binary or find_ruff_bin()
            with tempfile.TemporaryDirectory(prefix="spark-ruff-") as folder:
                names = _lay_out(Path(folder), subjects)
                answer = _call(binary, *_arguments(), cwd=folder)
                if answer.returncode != 0:
                    return self._failed(f"ruff failed: {_last_line(answer.stderr)}")
                return self._report(_entries(answer.stdout), names, Path(folder), binary)
        except FileNotFoundError:
            return self._failed("ruff is not installed")
        except subprocess.TimeoutExpired:
            return self._failed(f"ruff did not finish within {TIMEOUT:.0f} s")
        except (OSError, ValueError, LookupError, TypeError) as error:
            return self._failed(f"ruff could not be run or its output not be read: {error!r}")

    def _failed(self, problem: str) -> AnalyzerReport:
        return AnalyzerReport(name=self.name, results=(), problem=problem)

    def _report(
        self, entries: list[dict[str, Any]], names: Mapping[str, _Subject], folder: Path, binary: str
    ) -> AnalyzerReport:
        manual = _pages(binary) if entries else {}
        results: list[AnalyzerResult] = []
        outside = 0
        for entry in entries:
            subject = names[os.path.relpath(entry["filename"], folder.resolve())]
            rule = str(entry.get("code") or entry.get("name") or "ruff")
            if rule.startswith("S") and for_tests(subject.file.path):
                continue
            start, end = _rows(entry)
            placed = put(subject.file, subject.changed, start, end, head=subject.text, edits=_safe_edits(entry))
            if placed is None:
                outside += 1
                continue
            severity, category = weigh(rule)
            message = str(entry["message"]).strip()
            results.append(
                AnalyzerResult(
                    anchor=placed.anchor,
                    severity=severity,
                    category=category,
                    title=message.split("\n", 1)[0][:200],
                    # The title says what; the body says why, or what else there is to say.
                    body=gist(manual.get(rule, "")) or message,
                    suggestion=placed.suggestion,
                    rule=rule,
                    source=self.name,
                    parsed=placed.parsed,
                )
            )
        return AnalyzerReport(name=self.name, results=tuple(results), outside=outside)


def _subjects(change: Change, files: HeadFiles) -> list[_Subject]:
    candidates = [file for file in change.patch.files if _is_python(file)]
    files.prefetch([file.path for file in candidates])
    subjects = []
    for file in candidates:
        text = files.text(file.path)
        # A carriage return alone ends a line for Python and not for git: the numbers would not agree.
        if text is not None and is_utf8(text) and not _LONE_CR.search(text):
            subjects.append(_Subject(file=file, text=text, changed=changed_lines(file)))
    return subjects


def _is_python(file: FilePatch) -> bool:
    return (
        file.path.endswith((".py", ".pyi"))
        and file.status is not FileStatus.REMOVED
        and not file.binary
        and not file.submodule
        and file.new_mode != "120000"
        and file.added > 0
    )


def _lay_out(folder: Path, subjects: list[_Subject]) -> dict[str, _Subject]:
    names = {}
    for number, subject in enumerate(subjects):
        path = PurePosixPath(subject.file.path)
        # A folder for each file would take most of the time of a large change.
        named = path.stem in _NAMES_THAT_MATTER
        name = f"f{number}/{path.name}" if named else f"module{number}{path.suffix}"
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(subject.text.encode("utf-8"))
        names[name] = subject
    return names


def _arguments() -> tuple[str, ...]:
    return (
        "check",
        "--isolated",
        "--no-cache",
        "--no-fix",
        "--no-respect-gitignore",
        "--exit-zero",
        "--quiet",
        "--output-format=json",
        f"--target-version={_TARGET}",
        f"--select={','.join(SELECT)}",
        f"--ignore={','.join(IGNORE)}",
        ".",
    )


def _call(binary: str, *args: str, cwd: str | None = None) -> subprocess.CompletedProcess[bytes]:
    # RUFF_* variables would change the rules or write the output elsewhere.
    env = {name: value for name, value in os.environ.items() if not name.startswith("RUFF_")}
    return subprocess.run([binary, *args], cwd=cwd, env=env, capture_output=True, timeout=TIMEOUT, check=False)


def _entries(data: bytes) -> list[dict[str, Any]]:
    entries = json.loads(data or b"[]")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("its output is no list of results")
    return entries


def _rows(entry: Mapping[str, Any]) -> tuple[int, int]:
    start, end = entry["location"], entry["end_location"]
    first, last = int(start["row"]), int(end["row"])
    # A range that ends before the first character of a line does not touch that line.
    if last > first and int(end["column"]) == 1:
        last -= 1
    return first, last


def _safe_edits(entry: Mapping[str, Any]) -> list[Edit]:
    fix = entry.get("fix")
    if not isinstance(fix, dict) or fix.get("applicability") != "safe":
        return []
    return [
        Edit(
            start_line=int(edit["location"]["row"]),
            start_column=int(edit["location"]["column"]),
            end_line=int(edit["end_location"]["row"]),
            end_column=int(edit["end_location"]["column"]),
            text=str(edit["content"]),
        )
        for edit in fix["edits"]
    ]


def _pages(binary: str) -> Mapping[str, str]:
    """Ruff's own words on each rule. Empty when they cannot be had: the message says what is wrong."""
    try:
        return _manual(binary)
    except ValueError:
        return {}


@lru_cache(maxsize=1)
def _manual(binary: str) -> Mapping[str, str]:
    """By the rule's code. Read once: the pages of a thousand rules take 50 ms, and a server reviews all day.

    Errors: ValueError where they cannot be read, which is not remembered.
    """
    rules = _entries(_call(binary, "rule", "--all", "--output-format=json").stdout)
    if not rules:
        raise ValueError("its manual is empty")
    return {str(rule["code"]): str(rule.get("explanation", "")) for rule in rules if rule.get("code")}


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else "no message"
