"""The runner's side, a review to tell of, and a stage for whole runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from action_stage import action_servers, another_endpoint, stage, stage_names
from runner_log import RunnerCommand, read_log, read_values

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

__all__ = ["action_servers", "another_endpoint", "stage", "stage_names"]


@pytest.fixture(scope="session")
def runner_reads() -> Callable[[str], list[RunnerCommand]]:
    """The commands that a runner obeys in a step's log, in order. Fails where commands stay stopped."""
    return read_log


@pytest.fixture(scope="session")
def outputs_file() -> Callable[[str], dict[str, str]]:
    """The values in a `GITHUB_OUTPUT` file. Fails where a runner would."""
    return read_values


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


# -- a whole run ---------------------------------------------------------------------------------------------------
