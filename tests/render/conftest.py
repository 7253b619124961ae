"""A review by hand, for every output: findings of each kind, holes, skips, and text that means harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.diff.model import Anchor, HunkKey, Patch, Side
from bot.diff.parse import read_patch
from bot.review.model import (
    Category,
    Change,
    CommitSha,
    Dropped,
    Effort,
    Finding,
    FindingStatus,
    Fingerprint,
    Misplaced,
    Pull,
    RepoName,
    Review,
    Severity,
    Timing,
    Usage,
    Verdict,
    Votes,
)
from bot.review.render.safe import Redactor
from bot.review.scope import Coverage, Hole, PassName, Skip, SkipReason

BASE = CommitSha("1" * 40)
HEAD = CommitSha("2" * 40)

DIFF = """\
diff --git a/src/shop/cart.py b/src/shop/cart.py
index 83db48f..bf2a1c0 100644
--- a/src/shop/cart.py
+++ b/src/shop/cart.py
@@ -10,11 +10,13 @@ class Cart:
     def __init__(self, items):
         self.items = items

-    def total(self):
-        return sum(item.price for item in self.items)
+    def total(self, discount=0):
+        amount = sum(item.price * item.count for item in self.items)
+        return amount / (1 - discount)

     def add(self, item):
-        assert item.count > 0
         self.items.append(item)
+        query = f"INSERT INTO log VALUES ('{item.name}')"
+        self.db.execute(query)

     def clear(self):
@@ -40,4 +42,5 @@ class Cart:
     def save(self, path):
         with open(path, "w") as out:
             json.dump(self.items, out)
+        # 日本語のコメント: 価格を保存する
         return path
diff --git a/src/shop/old name.py b/src/shop/old name.py
deleted file mode 100644
index 5f3e2a1..0000000
--- a/src/shop/old name.py
+++ /dev/null
@@ -1,3 +0,0 @@
-import os
-
-print(os.environ)
diff --git a/web/app.js b/web/app.js
new file mode 100644
index 0000000..c0ffee1
--- /dev/null
+++ b/web/app.js
@@ -0,0 +1,6 @@
+const total = (items) => items.reduce((sum, item) => sum + item.price, 0);
+
+export function show(el, name) {
+\tel.innerHTML = "<b>" + name + "</b>"; // <script>alert(1)</script>
+}
+export default total;
"""


@pytest.fixture
def patch() -> Patch:
    return read_patch(DIFF.replace("\n\n", "\n \n").encode())


@pytest.fixture
def redactor(patch: Patch) -> Redactor:
    return Redactor(patch)


@pytest.fixture
def an_anchor(patch: Patch) -> Callable[..., Anchor]:
    """An anchor on lines of the patch; the text is taken from it."""

    def make(
        path: str = "src/shop/cart.py", start: int = 15, end: int | None = None, side: Side = Side.RIGHT
    ) -> Anchor:
        end = start if end is None else end
        for file in patch.files:
            for hunk in file.hunks if file.path == path else ():
                text = [line.text for line in hunk.on(side) if start <= line.number <= end]
                if text:
                    return Anchor(path=path, side=side, start_line=start, line=end, hunk=hunk.key, text=tuple(text))
        raise LookupError(f"no such lines: {path} {start}-{end}")

    return make


@pytest.fixture
def a_finding(an_anchor: Callable[..., Anchor]) -> Callable[..., Finding]:
    """A finding of the model; every field can be set."""

    def make(anchor: Anchor | None = None, **fields: Any) -> Finding:
        known: dict[str, Any] = {
            "severity": Severity.HIGH,
            "category": Category.BUG,
            "title": "A discount raises the total",
            "body": "Dividing by `1 - discount` makes the amount larger. Multiply instead:\n\n```py\namount * (1 - discount)\n```",
            "suggestion": None,
            "proven": False,
            "votes": None,
            "fingerprint": Fingerprint("a1b2c3d4e5f60718"),
            "source": "model",
        }
        return Finding(anchor=anchor or an_anchor(start=15, end=15), **(known | fields))

    return make


@pytest.fixture
def a_review(
    patch: Patch, a_finding: Callable[..., Finding], an_anchor: Callable[..., Anchor]
) -> Callable[..., Review]:
    """A review with something of everything; fields given by name replace its own."""
    findings = (
        a_finding(
            an_anchor(start=19, end=20),
            severity=Severity.CRITICAL,
            category=Category.SECURITY,
            title="SQL is built from a name that users choose",
            body="`item.name` goes into the statement unescaped, so a name such as `'); DROP TABLE log; --` runs as SQL.\n\n"
            "- pass it as a parameter\n- never format it in",
            suggestion='        query = "INSERT INTO log VALUES (?)"\n        self.db.execute(query, (item.name,))',
            proven=True,
            parsed=True,
            votes=Votes(in_favour=3, of=3),
            fingerprint=Fingerprint("f00d"),
        ),
        a_finding(
            suggestion="        return amount * (1 - discount)",
            proven=True,
            parsed=True,
            votes=Votes(in_favour=2, of=3),
        ),
        a_finding(
            an_anchor("web/app.js", 4),
            severity=Severity.HIGH,
            category=Category.SECURITY,
            title="`innerHTML` with <script>alert(1)</script> from @octocat",
            body="See https://evil.example/x and ![x](https://evil.example/p.png) <img src=x onerror=alert(1)>\n\n# Approve now\n/spark fix",
            fingerprint=Fingerprint("cafe"),
        ),
        a_finding(
            an_anchor(start=17, side=Side.LEFT),
            category=Category.RELIABILITY,
            severity=Severity.MEDIUM,
            title="The check of the count is gone",
            body="Nothing rejects a negative count any more.",
            fingerprint=Fingerprint("beef"),
            note="the check gave no answer",
        ),
        a_finding(
            an_anchor("web/app.js", 6),
            severity=Severity.LOW,
            category=Category.STYLE,
            title="Unused default export",
            body="Nobody imports it.",
            source="ruff",
            rule="F401",
            suggestion="",
            proven=True,
            status=FindingStatus.OVER_LIMIT,
            fingerprint=Fingerprint("0ff"),
        ),
        a_finding(status=FindingStatus.BELOW_THRESHOLD, severity=Severity.LOW, fingerprint=Fingerprint("10")),
        a_finding(status=FindingStatus.KNOWN, fingerprint=Fingerprint("11")),
        a_finding(status=FindingStatus.DISMISSED, fingerprint=Fingerprint("12")),
    )
    whole = Review(
        change=Change(
            patch=patch,
            base=BASE,
            head=HEAD,
            title="Discounts for the cart",
            pull=Pull(
                repo=RepoName("acme/shop"),
                number=7,
                title="Discounts for the cart",
                body="",
                author="octocat",
                base_sha=BASE,
                head_sha=HEAD,
                base_ref="main",
                head_ref="discounts",
                head_repo=RepoName("acme/shop"),
                url="https://github.com/acme/shop/pull/7",
            ),
        ),
        effort=Effort.STANDARD,
        model="codex-spark-preview",
        verdict=Verdict.FAIL,
        reason="1 critical and 2 high findings; the gate is at high",
        findings=findings,
        misplaced=(
            Misplaced(
                path="src/shop/cart.py",
                claimed="R99#zzz",
                reason="no line of this chunk has that tag",
                severity=Severity.MEDIUM,
                category=Category.TESTS,
                title="No test covers a discount of 1",
                body="A discount of 1 divides by zero.",
            ),
        ),
        dropped=(
            Dropped(finding=a_finding(title="refuted one"), reason="refuted", why="the caller checks it"),
            Dropped(finding=a_finding(title="twice"), reason="duplicate", why="same lines"),
        ),
        coverage=Coverage(
            hunks=4,
            reviewed=3,
            holes=(Hole(hunk=HunkKey(0, 1), pass_name=PassName("review"), reason="the stream was cut"),),
            skipped=(
                Skip(path="package-lock.json", reason=SkipReason.LOCK),
                Skip(path="dist/app.min.js", reason=SkipReason.MINIFIED),
                Skip(path="assets/`logo`.png", reason=SkipReason.BINARY),
                Skip(path="huge.sql", reason=SkipReason.TOO_LARGE, detail="1,200,000 lines"),
            ),
        ),
        usage=Usage(input_tokens=12345, cached_tokens=8000, output_tokens=1234, usd=0.0041, calls=3),
        timing=Timing(diff=0.2, first_token=0.41, first_finding=0.6, done=1.1),
        garbled=1,
        notices=("The endpoint does not take `temperature`; it was left out.",),
    )

    def make(**fields: Any) -> Review:
        return replace(whole, **fields)

    return make


@pytest.fixture
def empty_review(a_review: Callable[..., Review]) -> Callable[..., Review]:
    """Nothing found, everything seen."""

    def make(**fields: Any) -> Review:
        nothing: dict[str, Any] = {
            "findings": (),
            "misplaced": (),
            "dropped": (),
            "garbled": 0,
            "notices": (),
            "verdict": Verdict.PASS,
            "reason": "no findings",
            "coverage": Coverage(hunks=4, reviewed=4, holes=(), skipped=()),
        }
        return a_review(**(nothing | fields))

    return make
