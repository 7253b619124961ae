"""A review with everything outside replaced by one stand-in for each port: scripted, stateful, counting."""

from __future__ import annotations

import difflib
import itertools
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
from bot.review.memory import CommentId, FindingNote, Recall, Remembered, Said, Thread, ThreadId
from bot.review.model import Change, CommitSha, Effort, Pull, RepoName, Review, Totals, Usage
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
    Then,
    ThreadStep,
)
from bot.review.recall import PastNote, assemble
from bot.review.render.markers import split_ending
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
    def __init__(self, opened: Opened, on_open: Callable[[], None]) -> None:
        self._opened = opened
        self._on_open = on_open

    def open(self) -> Opened:
        self._on_open()
        return self._opened


class Board:
    """A pull request that takes reviews and has threads: what was posted there is what the next round recalls."""

    def __init__(self, published: Published | Exception | None = None, recall_error: Exception | None = None) -> None:
        self.drafts: list[ReviewDraft] = []
        self.order: list[str] = []
        self.threads: list[Thread] = []
        self.notes: list[PastNote] = []
        self.writers = {"ada"}
        self.recall_error = recall_error
        self._published = published
        self._ids = itertools.count(1)

    def begin(self) -> None:
        self.order.append("begin")

    def recall(self) -> Recall:
        self.order.append("recall")
        if self.recall_error is not None:
            raise self.recall_error
        return assemble(self.threads, self.notes, may_write=self.writers.__contains__, author="mona")

    def publish(self, draft: ReviewDraft) -> Published:
        self.drafts.append(draft)
        if isinstance(self._published, Exception):
            raise self._published
        if self._published is not None:
            return self._published
        url = self._amend(draft) if draft.amend is not None else self._post(draft)
        at = RealClock().now()
        for step in draft.steps:
            self._follow(step)
        posted = tuple(comment.fingerprint for comment in draft.comments)
        return Published(url=url, at=at, posted=posted, followed=len(draft.steps))

    def _amend(self, draft: ReviewDraft) -> str:
        (at,) = [at for at, note in enumerate(self.notes) if note.id == draft.amend.id]
        self.notes[at] = replace(self.notes[at], body=draft.body)
        return self.notes[at].url

    def _post(self, draft: ReviewDraft) -> str:
        number = next(self._ids)
        note = PastNote(
            id=number,
            url=f"https://example.test/review-{number}",
            body=draft.body,
            is_ours=True,
            in_conversation=False,
            state="COMMENTED",
        )
        self.notes.append(note)
        for comment in draft.comments:
            anchor, number = comment.anchor, next(self._ids)
            said = self._said(number, "spark[bot]", comment.body, is_ours=True)
            self.threads.append(
                Thread(
                    id=ThreadId(f"T{number}"),
                    path=anchor.path,
                    side=anchor.side,
                    line=anchor.line,
                    start_line=anchor.start_line,
                    original_line=anchor.line,
                    is_resolved=False,
                    resolved_by="",
                    resolved_by_us=False,
                    is_outdated=False,
                    comments=(said,),
                )
            )
        return note.url

    def _said(self, number: int, login: str, body: str, *, is_ours: bool = False) -> Said:
        url = f"https://example.test/thread-{number}"
        return Said(id=CommentId(number), login=login, is_ours=is_ours, is_bot=is_ours, body=body, url=url)

    def _follow(self, step: ThreadStep) -> None:
        at = next(at for at, thread in enumerate(self.threads) if thread.id == step.thread)
        thread = self.threads[at]
        said = self._said(next(self._ids), "spark[bot]", step.body, is_ours=True)
        thread = replace(thread, comments=(*thread.comments, said))
        if step.then is not Then.NOTHING:
            done = step.then is Then.RESOLVE
            thread = replace(thread, is_resolved=done, resolved_by="spark[bot]" if done else "", resolved_by_us=done)
        self.threads[at] = thread

    # What people do there.

    def replies(self, at: int, login: str, body: str) -> None:
        thread = self.threads[at]
        said = self._said(next(self._ids), login, body)
        self.threads[at] = replace(thread, comments=(*thread.comments, said))

    def resolves(self, at: int, login: str) -> None:
        self.threads[at] = replace(self.threads[at], is_resolved=True, resolved_by=login)

    def outdates(self) -> None:
        """As after a force-push: GitHub has lost sight of every line."""
        self.threads = [replace(thread, line=None, start_line=None, is_outdated=True) for thread in self.threads]

    def notes_in(self, at: int) -> list[str]:
        """What we said in a thread after its first comment, without the marks."""
        return [split_ending(said.body)[0] for said in self.threads[at].comments[1:] if said.is_ours]


@dataclass
class Shelf:
    """What the repository remembers."""

    dismissed: list[Remembered] = field(default_factory=list)
    error: Exception | None = None

    def remembered(self) -> list[Remembered]:
        if self.error is not None:
            raise self.error
        return self.dismissed

    def remember(self, what: Remembered) -> None:
        self.dismissed = [what, *self.dismissed]

    def forget(self, note: FindingNote) -> None:
        self.dismissed = [each for each in self.dismissed if each.fingerprint != note.fingerprint]


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
    memory: Shelf | None = None
    before: dict[str, str] = field(default_factory=dict)
    """The files on the base, for `push`."""
    head: int = 0
    on_open: Callable[[], None] = lambda: None
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

    def push(self, **files: str | None) -> None:
        """The pull has these files now, by name without the ending; None: as the base has it. The head is a new one."""
        self.head += 1
        for name, text in files.items():
            path = f"{name}.py"
            if text is None:
                self.texts.pop(path)
            else:
                self.texts[path] = text
        parts = []
        for path in sorted(self.texts):
            old = self.before.get(path)
            lines = difflib.unified_diff(
                (old or "").splitlines(keepends=True),
                self.texts[path].splitlines(keepends=True),
                f"a/{path}" if old is not None else "/dev/null",
                f"b/{path}",
            )
            text = "".join(lines)
            if text:
                new = "new file mode 100644\n" if old is None else ""
                parts.append(f"diff --git a/{path} b/{path}\n{new}{text}")
        self.patch = read_patch("".join(parts).encode())
        if self.publisher is not None:
            self.publisher.outdates()

    def board(self, **said: object) -> Board:
        return Board(**said)

    def shelf(self, *dismissed: Remembered, error: Exception | None = None) -> Shelf:
        return Shelf(dismissed=list(dismissed), error=error)

    def tool(self, *results: AnalyzerResult, problem: str = "", outside: int = 0) -> Tool:
        return Tool(*results, problem=problem, outside=outside)

    def _make_model(self, max_usd: float | None) -> Model:
        self.max_usd = max_usd
        return self.other_model or self.model

    def review(self) -> Review:
        head = f"{self.head % 16:x}" * 40 if self.head else "a" * 40
        pull = Pull(
            repo=RepoName("o/r"),
            number=7,
            title="A change",
            body="",
            author="mona",
            base_sha=CommitSha("b" * 40),
            head_sha=CommitSha(head),
            base_ref="main",
            head_ref="topic",
            head_repo=RepoName("o/r"),
            url="https://example.test/o/r/pull/7",
        )
        change = Change(patch=self.patch, base="b" * 40, head=head, pull=pull, totals=self.totals)
        base_texts = {".github/spark.yml": self.config} if self.config else {}
        opened = Opened(change=change, files=Files(self.texts), base_texts=base_texts, base_text=self.base.get)
        self.model = ScriptedModel(self.script) if self.with_model else None
        services = Services(
            model=self._make_model if self.with_model else None,
            analyzers=self.analyzers,
            publisher=self.publisher,
            memory=self.memory,
            listener=self.ear,
            clock=RealClock(),
            stop=self.stop,
        )
        return run_review(OneChange(opened, self.on_open), replace(self.options, effort=self.effort), services)


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
