"""A review with everything outside replaced by one stand-in for each port: scripted, stateful, counting."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from bot.diff.anchors import tag
from bot.diff.model import Patch, Side
from bot.diff.parse import read_patch
from bot.review.events import Found, Lost, ReviewEvent
from bot.review.model import Change, CommitSha, Effort, Fingerprint, Pull, RepoName, Review, Totals, Usage
from bot.review.options import Options, Services
from bot.review.ports import (
    AnalyzerReport,
    AnalyzerResult,
    CallKind,
    CallReport,
    Model,
    Opened,
    Prompt,
    Published,
    ReviewDraft,
    Stop,
    StreamEnd,
)
from bot.review.run import run_review

APP = """diff --git a/app.py b/app.py
index 1111111..2222222 100644
--- a/app.py
+++ b/app.py
@@ -1,5 +1,7 @@
 import json
-def load(path):
-    return json.load(open(path))
+def load(path, cache={}):
+    if path == None:
+        return cache
+    return json.load(open(path))
\x20
 # end
"""
APP_HEAD = """import json
def load(path, cache={}):
    if path == None:
        return cache
    return json.load(open(path))

# end
"""
OTHER = """diff --git a/other.py b/other.py
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/other.py
@@ -0,0 +1,2 @@
+def other():
+    return eval("1")
"""
OTHER_HEAD = 'def other():\n    return eval("1")\n'


class RealClock:
    def now(self) -> float:
        return time.monotonic()


@dataclass
class ListeningEar:
    events: list[ReviewEvent] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)

    def on(self, event: ReviewEvent) -> None:
        self.events.append(event)
        if isinstance(event, Found):
            self.heard.set()
        if isinstance(event, Lost):
            self.lost.set()

    def of(self, kind: type) -> list[ReviewEvent]:
        return [event for event in self.events if isinstance(event, kind)]


Answer = str | tuple[str, StreamEnd] | Exception
Script = Callable[[Prompt, int], Answer]
"""Prompt and how many prompts of this kind came before, to what the model says."""


class ScriptedModel:
    name = "scripted"

    def __init__(self, script: Script) -> None:
        self._script = script
        self._lock = threading.Lock()
        self.prompts: list[Prompt] = []

    def asked(self, kind: CallKind) -> list[Prompt]:
        return [prompt for prompt in self.prompts if prompt.kind is kind]

    def stream(self, prompt: Prompt, *, sink: Callable[[str], None], stop: Stop) -> CallReport:
        with self._lock:
            before = len(self.asked(prompt.kind))
            self.prompts.append(prompt)
        answer = self._script(prompt, before)
        if isinstance(answer, Exception):
            raise answer
        text, end = (answer, StreamEnd.WHOLE) if isinstance(answer, str) else answer
        for start in range(0, len(text), 7):
            sink(text[start : start + 7])
        now = time.monotonic()
        usage = Usage(input_tokens=prompt.tokens, output_tokens=len(text) // 4, usd=0.001, calls=1)
        return CallReport(end=end, usage=usage, started=now, first_token=now, ended=now)


class Files:
    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)

    def text(self, path: str) -> str | None:
        return self.texts.get(path)

    def prefetch(self, paths: Sequence[str]) -> None:
        pass


class OneChange:
    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def open(self) -> Opened:
        return self._opened


class Board:
    """A pull request that takes reviews."""

    def __init__(
        self,
        known: Sequence[Fingerprint] = (),
        published: Published | Exception | None = None,
        known_error: Exception | None = None,
    ) -> None:
        self.drafts: list[ReviewDraft] = []
        self._known_error = known_error
        self._known = dict.fromkeys(known, "https://example.test/thread")
        self._published = published

    def known(self) -> Mapping[Fingerprint, str]:
        if isinstance(self._known_error, Exception):
            raise self._known_error
        return self._known

    def standing(self, head: CommitSha) -> str | None:
        return "https://example.test/review" if self._known else None

    def publish(self, draft: ReviewDraft) -> Published:
        self.drafts.append(draft)
        if isinstance(self._published, Exception):
            raise self._published
        if self._published is not None:
            return self._published
        posted = tuple(comment.fingerprint for comment in draft.comments)
        return Published(url="https://example.test/review", posted=posted)


class Tool:
    name = "tool"

    def __init__(self, *results, problem: str = "", outside: int = 0) -> None:
        self._results = results
        self._problem = problem
        self._outside = outside

    def run(self, change: Change, files: Files) -> AnalyzerReport:
        return AnalyzerReport(
            name=self.name, results=tuple(self._results), problem=self._problem, outside=self._outside
        )


@dataclass
class World:
    """One change, and what is around it. Change a field, then `review()`."""

    patch: Patch
    texts: dict[str, str]
    script: Script = lambda prompt, before: '{"none": true}\n{"end": true}\n'
    effort: Effort = Effort.INSTANT
    analyzers: list[Tool] = field(default_factory=list)
    publisher: Board | None = None
    config: str = ""
    base: dict[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=lambda: Options(run="run-1"))
    totals: Totals | None = None
    seconds: float = 30.0
    with_model: bool = True
    ear: ListeningEar = field(default_factory=ListeningEar)
    model: ScriptedModel | None = None
    other_model: Model | None = None
    max_usd: float | None = None
    stop: Stop = field(default_factory=lambda: Stop(deadline=time.monotonic() + 30, clock=RealClock()))

    def tag(self, path: str, number: int, side: Side = Side.RIGHT) -> str:
        for file in self.patch.files:
            for hunk in file.hunks:
                for line in hunk.lines:
                    if file.path == path and line.side is side and line.number == number:
                        return tag(line)
        raise LookupError((path, number, side))

    def says(self, path: str, first: int, last: int | None = None, **extra: object) -> str:
        """One line of the model's answer about these lines."""
        line = {
            "path": path,
            "at": self.tag(path, first),
            "to": self.tag(path, last or first),
            "body": "The default is shared between calls.",
            "category": "bug",
            "severity": "high",
            "title": "Mutable default argument",
            "suggestion": None,
        }
        return json.dumps(line | extra) + "\n"

    def board(self, **said: object) -> Board:
        return Board(**said)

    def tool(self, *results: AnalyzerResult, problem: str = "", outside: int = 0) -> Tool:
        return Tool(*results, problem=problem, outside=outside)

    def _make_model(self, max_usd: float | None) -> Model:
        self.max_usd = max_usd
        return self.other_model or self.model

    def review(self) -> Review:
        pull = Pull(
            repo=RepoName("o/r"),
            number=7,
            title="A change",
            body="",
            author="mona",
            base_sha=CommitSha("b" * 40),
            head_sha=CommitSha("a" * 40),
            base_ref="main",
            head_ref="topic",
            head_repo=RepoName("o/r"),
            url="https://example.test/o/r/pull/7",
        )
        change = Change(patch=self.patch, base="b" * 40, head="a" * 40, pull=pull, totals=self.totals)
        base_texts = {".github/spark.yml": self.config} if self.config else {}
        opened = Opened(change=change, files=Files(self.texts), base_texts=base_texts, base_text=self.base.get)
        self.model = ScriptedModel(self.script) if self.with_model else None
        services = Services(
            model=self._make_model if self.with_model else None,
            analyzers=self.analyzers,
            publisher=(lambda pull: self.publisher) if self.publisher else None,
            listener=self.ear,
            clock=RealClock(),
            stop=self.stop,
        )
        return run_review(OneChange(opened), replace(self.options, effort=self.effort), services)


END = '{"end": true}\n'


@pytest.fixture
def world() -> World:
    return World(patch=read_patch((APP + OTHER).encode()), texts={"app.py": APP_HEAD, "other.py": OTHER_HEAD})


@pytest.fixture
def no_grammar() -> World:
    """The same file under a name that no grammar fits."""
    return World(patch=read_patch(APP.replace("app.py", "app.txt").encode()), texts={"app.txt": APP_HEAD})


@pytest.fixture
def one_file() -> World:
    return World(patch=read_patch(APP.encode()), texts={"app.py": APP_HEAD})
