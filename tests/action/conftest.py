"""The runner's side: a step's log and its files read as actions/runner reads them, the strict way. And a review to tell of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.diff.anchors import anchor_lines
from bot.diff.model import Anchor, Patch, Side
from bot.diff.parse import read_patch
from bot.review.model import (
    Category,
    Change,
    CommitSha,
    Effort,
    Finding,
    Fingerprint,
    Misplaced,
    Pull,
    RepoName,
    Review,
    Severity,
    Timing,
    Usage,
    Verdict,
)
from bot.review.scope import Coverage

REGISTERED = frozenset(
    [
        "add-mask",
        "add-matcher",
        "add-path",
        "debug",
        "echo",
        "endgroup",
        "error",
        "group",
        "internal-set-repo-path",
        "notice",
        "remove-matcher",
        "save-state",
        "set-env",
        "set-output",
        "stop-commands",
        "warning",
    ]
)


@dataclass(frozen=True)
class RunnerCommand:
    """A command that the runner obeyed."""

    name: str
    data: str
    properties: Mapping[str, str] = field(default_factory=dict)


class _Log:
    """Reads a log line by line: `::name k=v,k=v::data` at a line's start, `##[name k=v;k=v]data` anywhere in one.

    Where the runner's reading depends on the machine (its prefix test may skip characters that have no width) this one takes
    more for commands, never less.
    """

    def __init__(self) -> None:
        self.obeyed: list[RunnerCommand] = []
        self._stopped_by = ""

    def line(self, line: str) -> None:
        known = REGISTERED | {self._stopped_by} - {""}
        found = _second_form(line, known) or _first_form(line, known)
        if found is None:
            return
        if self._stopped_by:
            if found.name == self._stopped_by:
                self._stopped_by = ""
        elif found.name == "stop-commands":
            assert found.data, "no word to stop commands by"
            assert found.data.lower() not in {*REGISTERED, "pause-logging"}, (
                "a word that is a command cannot stop commands"
            )
            self._stopped_by = found.data.lower()
        else:
            self.obeyed.append(found)

    def end(self) -> None:
        assert not self._stopped_by, "commands were stopped and never resumed"


def _second_form(line: str, known: frozenset[str]) -> RunnerCommand | None:
    while line and (line[0].isspace() or unicodedata.category(line[0]).startswith("C")):
        line = line[1:]
    if not line.startswith("::") or (end := line.find("::", 2)) < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    if name.lower() not in known:
        return None
    properties = dict(pair.split("=", 1) for pair in rest.strip().split(",") if "=" in pair)
    return RunnerCommand(
        name.lower(),
        _unescaped(line[end + 2 :], "%0D\r", "%0A\n", "%25%"),
        {key: _unescaped(value, "%0D\r", "%0A\n", "%3A:", "%2C,", "%25%") for key, value in properties.items()},
    )


def _first_form(line: str, known: frozenset[str]) -> RunnerCommand | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, rest = line[start + 3 : end].partition(" ")
    if name.lower() not in known:
        return None
    properties = dict(pair.split("=", 1) for pair in rest.strip().split(";") if "=" in pair)
    escapes = ("%3B;", "%0D\r", "%0A\n", "%5D]", "%25%")
    return RunnerCommand(
        name.lower(),
        _unescaped(line[end + 1 :], *escapes),
        {key: _unescaped(value, *escapes) for key, value in properties.items()},
    )


def _unescaped(text: str, *pairs: str) -> str:
    for pair in pairs:
        text = text.replace(pair[:3], pair[3:])
    return text


def _runner_reads(log: str) -> list[RunnerCommand]:
    reader = _Log()
    for line in re.split(r"\r\n|\r|\n", log):
        reader.line(line)
    reader.end()
    return reader.obeyed


def _outputs_file(text: str) -> dict[str, str]:
    out: dict[str, str] = {}
    lines = text.split("\n")
    assert lines.pop() == "", "the last line has no end"
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, _, word = line.partition("<<")
            assert name, f"an output without a name: {line!r}"
            assert word, f"an output without a delimiter: {line!r}"
            end = lines.index(word, at)
            out[name], at = "\n".join(lines[at:end]), end + 1
        else:
            name, sign, value = line.partition("=")
            assert name, f"an output without a name: {line!r}"
            assert sign, f"no output: {line!r}"
            out[name] = value
    return out


@pytest.fixture(scope="session")
def runner_reads() -> Callable[[str], list[RunnerCommand]]:
    """The commands that a runner obeys in a step's log, in order. Fails where commands stay stopped."""
    return _runner_reads


@pytest.fixture(scope="session")
def outputs_file() -> Callable[[str], dict[str, str]]:
    """The values in a `GITHUB_OUTPUT` file. Fails where a runner would."""
    return _outputs_file


# -- a review ------------------------------------------------------------------------------------------------------

DIFF = """\
diff --git a/src/cart.py b/src/cart.py
--- a/src/cart.py
+++ b/src/cart.py
@@ -1,5 +1,6 @@
 def total(items):
-    assert items
+    amount = sum(item.price for item in items)
+    print(amount)
     count = len(items)
-    log(count)
+    return amount / count

diff --git a/src/old.py b/src/old.py
deleted file mode 100644
--- a/src/old.py
+++ /dev/null
@@ -1,2 +0,0 @@
-import os
-print(os.environ)
""".replace("\n\n", "\n \n")


@pytest.fixture(scope="session")
def patch() -> Patch:
    """Two files: one changed, one removed."""
    return read_patch(DIFF.encode())


@pytest.fixture(scope="session")
def an_anchor(patch: Patch) -> Callable[..., Anchor]:
    """An anchor in `src/cart.py`, or another file of the patch."""

    def make(line: int = 6, end: int | None = None, *, side: Side = Side.RIGHT, path: str = "src/cart.py") -> Anchor:
        file = next(file for file in patch.files if file.path == path)
        found = anchor_lines(file, side, line, line if end is None else end)
        assert isinstance(found, Anchor), found
        return found

    return make


@pytest.fixture(scope="session")
def a_finding(an_anchor: Callable[..., Anchor]) -> Callable[..., Finding]:
    """A finding of the model on line 6; every field can be set."""

    def make(anchor: Anchor | None = None, **fields: Any) -> Finding:
        known: dict[str, Any] = {
            "severity": Severity.HIGH,
            "category": Category.BUG,
            "title": "Dividing by zero",
            "body": "An empty list has a `count` of 0.",
            "suggestion": None,
            "proven": False,
            "votes": None,
            "fingerprint": Fingerprint("f00d"),
            "source": "model",
        }
        return Finding(anchor=anchor or an_anchor(5), **(known | fields))

    return make


@pytest.fixture(scope="session")
def misplaced() -> Callable[..., Misplaced]:
    """A finding without a line."""

    def make(**fields: Any) -> Misplaced:
        known: dict[str, Any] = {
            "path": "src/cart.py",
            "claimed": "R99#zzz",
            "reason": "line 99 is not part of the diff",
            "severity": Severity.MEDIUM,
            "category": Category.TESTS,
            "title": "No test",
            "body": "Nothing covers an empty list.",
        }
        return Misplaced(**(known | fields))

    return make


@pytest.fixture(scope="session")
def a_review(patch: Patch, a_finding: Callable[..., Finding]) -> Callable[..., Review]:
    """A review of pull 7 with one high finding; every field can be set."""
    base, head = CommitSha("1" * 40), CommitSha("2" * 40)
    pull = Pull(
        repo=RepoName("acme/shop"),
        number=7,
        title="Totals",
        body="",
        author="octocat",
        base_sha=base,
        head_sha=head,
        base_ref="main",
        head_ref="totals",
        head_repo=RepoName("acme/shop"),
        url="https://github.com/acme/shop/pull/7",
    )

    def make(**fields: Any) -> Review:
        known: dict[str, Any] = {
            "change": Change(patch=patch, base=base, head=head, title="Totals", pull=pull),
            "effort": Effort.STANDARD,
            "model": "codex-spark-preview",
            "verdict": Verdict.FAIL,
            "reason": "1 finding of high or above",
            "findings": (a_finding(),),
            "misplaced": (),
            "dropped": (),
            "coverage": Coverage(hunks=2, reviewed=2, holes=(), skipped=()),
            "usage": Usage(input_tokens=1200, output_tokens=90, usd=0.0041, calls=2),
            "timing": Timing(diff=0.2, first_token=0.3, first_finding=0.41, done=0.9),
        }
        return Review(**(known | fields))

    return make
