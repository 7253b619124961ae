"""A pull request in memory: one stateful stand-in for each port of a command's desk, and people who write comments.

`world.says("/spark fix", by="ada", thread=...)` goes the whole way of a comment: parsed, then served. What came of it is
looked up in the world: `world.talk.answers`, `world.talk.reactions`, `world.branch.made`, `world.reviews.started`.
"""

from __future__ import annotations

import difflib
import hashlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot.commands.call import Call
from bot.commands.grammar import parse
from bot.commands.model import Command, CommentKind, CommentRef, NearMiss, Outcome, Reaction
from bot.commands.permit import WRITERS
from bot.commands.ports import CommitDraft, Committed, Desk, NotCommitted, PullCommit
from bot.commands.serve import serve
from bot.diff.model import Anchor, Side
from bot.diff.parse import read_patch
from bot.errors import NotPermittedError, OutsideError
from bot.review.config import CONFIG_PATH, RepoConfig, Role, read_config
from bot.review.memory import (
    CommentId,
    FindingNote,
    PastReview,
    Recall,
    Remembered,
    Said,
    Thread,
    ThreadId,
)
from bot.review.model import Category, Change, CommitSha, Effort, Fingerprint, Pull, RepoName, Severity, Usage
from bot.review.ports import CallKind, CallReport, Opened, Prompt, Stop, StreamEnd
from bot.review.recall import PastNote, assemble
from bot.review.render.markers import (
    answer_marker,
    finding_marker,
    note_marker,
    read_keys,
    split_ending,
)

ACCOUNT = "spark[bot]"
BASE_APP = "import json\n\n\ndef load(path):\n    return json.load(open(path))\n\n\ndef size(path):\n    return len(load(path))\n"
HEAD_APP = (
    "import json\n\n\ndef load(path, cache={}):\n    if path == None:\n        return cache\n"
    "    return json.load(open(path))\n\n\ndef size(path):\n    return len(load(path))\n"
)


def sha_of(text: str) -> CommitSha:
    return CommitSha(hashlib.sha1(text.encode()).hexdigest())


def hunks(old: str, new: str) -> str:
    """The hunks between two texts. Only for texts whose last line ends."""
    lines = list(difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), "a", "b"))
    return "".join(lines[2:])


def diff_of(base: Mapping[str, str], head: Mapping[str, str]) -> bytes:
    """A patch as git prints it."""
    out = []
    for path in sorted({*base, *head}):
        old, new = base.get(path), head.get(path)
        if old == new:
            continue
        out.append(f"diff --git a/{path} b/{path}\n")
        out.append("new file mode 100644\n" if old is None else "deleted file mode 100644\n" if new is None else "")
        out.append("index 1111111..2222222\n" if None in {old, new} else "index 1111111..2222222 100644\n")
        out.append("--- /dev/null\n" if old is None else f"--- a/{path}\n")
        out.append("+++ /dev/null\n" if new is None else f"+++ b/{path}\n")
        out.append(hunks(old or "", new or ""))
    return "".join(out).encode()


class RealClock:
    def now(self) -> float:
        return time.monotonic()


@dataclass
class Files:
    head: Mapping[str, str]

    def text(self, path: str) -> str | None:
        return self.head.get(path)

    def prefetch(self, paths: Sequence[str]) -> None:
        """Everything is here."""


Answer = str | tuple[str, StreamEnd] | Exception


class ScriptedModel:
    """Answers by a script: `script(prompt, how many of this kind came before)`."""

    name = "scripted"

    def __init__(self, script: Callable[[Prompt, int], Answer]) -> None:
        self.script = script
        self.prompts: list[Prompt] = []

    def asked(self, kind: CallKind) -> list[Prompt]:
        return [prompt for prompt in self.prompts if prompt.kind is kind]

    def stream(self, prompt: Prompt, *, sink: Callable[[str], None], stop: Stop) -> CallReport:
        before = len(self.asked(prompt.kind))
        self.prompts.append(prompt)
        answer = self.script(prompt, before)
        if isinstance(answer, Exception):
            raise answer
        text, end = (answer, StreamEnd.WHOLE) if isinstance(answer, str) else answer
        for start in range(0, len(text), 7):
            sink(text[start : start + 7])
        now = time.monotonic()
        usage = Usage(input_tokens=prompt.tokens, output_tokens=len(text) // 4, usd=0.001, calls=1)
        return CallReport(end=end, usage=usage, started=now, first_token=now, ended=now)


@dataclass
class Posted:
    """An answer or a suggestion of ours."""

    ref: CommentRef | None
    """None for a suggestion on lines of its own."""
    body: str
    url: str
    anchor: Anchor | None = None

    @property
    def text(self) -> str:
        """What people read."""
        return split_ending(self.body)[0]


@dataclass
class FakeTalk:
    """The pull's comments. `refuses` holds what GitHub forbids us: `react`, `answer`, `resolve`, `suggest`; `down` the same, away."""

    reactions: list[tuple[str, Reaction]] = field(default_factory=list)
    """By the comment's key, in order."""
    answers: list[Posted] = field(default_factory=list)
    suggestions: list[Posted] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    threads: dict[ThreadId, Thread] = field(default_factory=dict)
    may_write: Callable[[str], bool] = lambda _login: False
    author: str = ""
    last: PastReview | None = None
    remembered: tuple[Remembered, ...] = ()
    refuses: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    recalled: int = 0
    earlier_answers: int = 0
    """Answers of the last minutes that this test does not care about."""
    order: list[str] = field(default_factory=list)
    """The names of the calls, in order."""
    hunks: dict[ThreadId, str] = field(default_factory=dict)
    """The diff that GitHub keeps with a thread."""

    def _may(self, what: str) -> None:
        self.order.append(what)
        if what in self.refuses:
            raise NotPermittedError(f"GitHub does not let me {what} here", remedy="Grant the App `issues: write`")
        if what in self.down:
            raise OutsideError("GitHub does not answer", remedy="Try again in a while")

    def react(self, ref: CommentRef, reaction: Reaction) -> None:
        self._may("react")
        if (ref.key, reaction) not in self.reactions:
            self.reactions.append((ref.key, reaction))

    def answered(self, ref: CommentRef) -> str | None:
        self._may("answered")
        found = [one.url for one in self.answers if ref.key in read_keys(one.body, "answer")]
        return found[0] if found else None

    def answer(self, ref: CommentRef, body: str) -> str:
        self._may("answer")
        if (url := self.answered(ref)) is not None:
            return url
        url = f"https://github.test/ada/engine/pull/7#a{len(self.answers) + 1}"
        body = f"{body}\n{answer_marker(ref.key)}"
        self.answers.append(Posted(ref=ref, body=body, url=url))
        if (thread := self._thread(ref)) is not None:
            self._add(thread, login=ACCOUNT, body=body, url=url)
        return url

    def suggest(self, commit: CommitSha, anchor: Anchor, body: str) -> str | None:
        self._may("suggest_")
        if "suggest" in self.refuses:
            return None
        url = f"https://github.test/ada/engine/pull/7#s{len(self.suggestions) + 1}"
        self.suggestions.append(Posted(ref=None, body=body, url=url, anchor=anchor))
        return url

    def recall(self) -> Recall:
        self._may("recall")
        self.recalled += 1
        notes = [
            PastNote(id=number, url=one.url, body=one.body, is_ours=True, in_conversation=True, state="")
            for number, one in enumerate(self.answers)
            if one.ref is not None and one.ref.kind is not CommentKind.THREAD
        ]
        found = assemble(tuple(self.threads.values()), notes, may_write=self.may_write, author=self.author)
        return replace(found, last=self.last, remembered=self.remembered)

    def hunk(self, thread: Thread) -> str:
        self._may("hunk")
        return self.hunks.get(thread.id, "")

    def recent_answers(self, minutes: int) -> int:
        self._may("recent_answers")
        return self.earlier_answers + len(self.answers)

    def resolve(self, thread: Thread) -> str:
        self._may("resolve_")
        if "resolve" in self.refuses:
            return "Resource not accessible by integration"
        self.threads[thread.id] = replace(
            self.threads[thread.id], is_resolved=True, resolved_by=ACCOUNT, resolved_by_us=True
        )
        return ""

    def unresolve(self, thread: Thread) -> str:
        self._may("unresolve")
        self.threads[thread.id] = replace(
            self.threads[thread.id], is_resolved=False, resolved_by="", resolved_by_us=False
        )
        return ""

    def hide(self, node_id: str) -> None:
        self._may("hide")
        self.hidden.append(node_id)

    def reactions_to(self, ref: CommentRef) -> list[Reaction]:
        return [reaction for key, reaction in self.reactions if key == ref.key]

    def _thread(self, ref: CommentRef) -> Thread | None:
        ids = {ref.id, ref.root}
        found = [one for one in self.threads.values() if any(said.id in ids for said in one.comments)]
        return found[0] if found and ref.kind is CommentKind.THREAD else None

    def _add(self, thread: Thread, *, login: str, body: str, url: str) -> CommentId:
        number = CommentId(900_000 + len(self.answers))
        said = Said(id=number, login=login, is_ours=login == ACCOUNT, is_bot=login == ACCOUNT, body=body, url=url)
        now = self.threads[thread.id]
        self.threads[thread.id] = replace(now, comments=(*now.comments, said))
        return number


@dataclass
class FakePeople:
    """Who is what. A login that is not there is nobody's; `down`: GitHub does not tell."""

    roles: dict[str, Role] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def role(self, login: str) -> Role | None:
        self.asked.append(login)
        if self.down:
            raise OutsideError("GitHub does not answer")
        return self.roles.get(login)


@dataclass
class FakeBranch:
    """The pull's branch: commits with whole trees. `block`, `refuse` and `race` script what GitHub does."""

    trees: dict[CommitSha, dict[str, bytes]]
    log: list[PullCommit]
    """The pull's commits, oldest first."""
    made: list[CommitDraft] = field(default_factory=list)
    block: str = ""
    refuse: str = ""
    race: Mapping[str, bytes | None] | None = None
    """Somebody pushes this, once, right before our next commit."""

    def blocked(self) -> str:
        return self.block

    def head(self) -> CommitSha:
        return self.log[-1].sha

    def commit(self, draft: CommitDraft) -> Committed | NotCommitted:
        if self.race is not None:
            self.push(self.race, message="Somebody was faster")
            self.race = None
        if self.refuse:
            return NotCommitted(reason=self.refuse)
        if draft.expected_head != self.head():
            return NotCommitted(reason="the branch has moved", moved_to=self.head())
        self.made.append(draft)
        sha = self.push(draft.files, message=f"{draft.headline}\n\n{draft.body}", is_ours=True)
        return Committed(sha=sha, url=f"https://github.test/ada/engine/commit/{sha}")

    def commits(self) -> Sequence[PullCommit]:
        return tuple(self.log)

    def changed_paths(self, sha: CommitSha) -> Sequence[str]:
        now, before = self.trees[sha], self.trees[self._commit(sha).parents[0]]
        return sorted(path for path in {*now, *before} if now.get(path) != before.get(path))

    def file(self, path: str, at: CommitSha) -> bytes | None:
        return self.trees[at].get(path)

    def push(self, files: Mapping[str, bytes | None], *, message: str, is_ours: bool = False) -> CommitSha:
        """A commit on top; None deletes a file."""
        parent = self.head()
        tree = {**self.trees[parent], **{path: data for path, data in files.items() if data is not None}}
        for path in [path for path, data in files.items() if data is None]:
            tree.pop(path, None)
        sha = sha_of(f"{parent}{message}{sorted(tree.items())}")
        self.trees[sha] = tree
        self.log.append(PullCommit(sha=sha, parents=(parent,), message=message, is_ours=is_ours, is_signed=is_ours))
        return sha

    def _commit(self, sha: CommitSha) -> PullCommit:
        return next(one for one in self.log if one.sha == sha)


@dataclass
class FakeMemory:
    kept: list[Remembered] = field(default_factory=list)

    def remembered(self) -> Sequence[Remembered]:
        return tuple(reversed(self.kept))

    def remember(self, what: Remembered) -> None:
        if what not in self.kept:
            self.kept.append(what)

    def forget(self, note: FindingNote) -> None:
        self.kept = [one for one in self.kept if one.fingerprint != note.fingerprint]


@dataclass
class FakeReviews:
    started: list[Effort | None] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    caught_up: int = 0
    judged: int = 0
    reach: bool = True
    """Whether what runs can be stopped."""

    def catch_up(self) -> None:
        self.caught_up += 1

    def judge(self) -> None:
        self.judged += 1

    def start(self, effort: Effort | None) -> None:
        self.started.append(effort)

    def stop(self, why: str) -> bool:
        self.stopped.append(why)
        return self.reach


def merge3(folder: Path) -> Callable[[bytes, bytes, bytes], bytes | None]:
    """git's own three-way merge."""

    def merge(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        for name, data in (("ours", ours), ("base", base), ("theirs", theirs)):
            (folder / name).write_bytes(data)
        done = subprocess.run(
            ["git", "merge-file", "-p", "ours", "base", "theirs"], cwd=folder, capture_output=True, check=False
        )
        return done.stdout if done.returncode == 0 else None

    return merge


@dataclass
class World:
    """A pull request of grace's in ada/engine, and everybody around it."""

    base: dict[str, str]
    head: dict[str, str]
    talk: FakeTalk
    people: FakePeople
    branch: FakeBranch
    memory: FakeMemory
    reviews: FakeReviews
    model: ScriptedModel | None
    pull: Pull
    folder: Path
    maintainer_can_modify: bool = True
    config: str = ""
    """`.github/spark.yml` of the base."""
    effort: Effort | None = None
    settings: tuple[tuple[str, str, str], ...] = (("SPARK_MODEL", "codex-spark-preview", "default"),)
    opens: int = 0
    """How often the change was read."""
    stop: Stop = field(default_factory=lambda: Stop(deadline=time.monotonic() + 30, clock=RealClock()))
    _comments: int = 5_000
    _opened: dict[CommitSha, Opened] = field(default_factory=dict)

    # -- the pull

    def finding(
        self,
        title: str = "A default that is shared",
        *,
        path: str = "app.py",
        line: int = 4,
        start: int | None = None,
        lines: Sequence[str] = (),
        body: str = "The dictionary is made once and shared by all calls.",
        suggestion: str | None = None,
        severity: Severity = Severity.HIGH,
        category: Category = Category.BUG,
        source: str = "model",
        rule: str = "",
        text: str = "",
    ) -> Thread:
        """A thread of ours about a finding, on these lines of the head."""
        note = FindingNote(
            fingerprint=Fingerprint(f"v1:{sha_of(f'{path}{title}{line}')[:16]}"),
            path=path,
            side=Side.RIGHT,
            severity=severity,
            category=category,
            title=title,
            source=source,
            rule=rule,
            lines=tuple(lines),
            suggestion=suggestion,
            text=text,
        )
        told = f"**{severity.value.capitalize()} · {title}**\n\n{body}"
        if suggestion is not None:
            told += f"\n\n```suggestion\n{suggestion}\n```"
        body = f"{told}\n\n{note_marker(note)}\n{finding_marker(note.fingerprint)}"
        return self.thread(body, by=ACCOUNT, path=path, line=line, start=start)

    def thread(
        self, body: str, *, by: str = "linus", path: str = "app.py", line: int | None = 4, start: int | None = None
    ) -> Thread:
        """A thread that somebody begins on a line of the head."""
        number = self._next()
        url = f"https://github.test/ada/engine/pull/7#r{number}"
        said = Said(id=number, login=by, is_ours=by == ACCOUNT, is_bot=by == ACCOUNT, body=body, url=url)
        thread = Thread(
            id=ThreadId(f"PRRT_{number}"),
            path=path,
            side=Side.RIGHT,
            line=line,
            start_line=start,
            original_line=line,
            is_resolved=False,
            resolved_by="",
            resolved_by_us=False,
            is_outdated=line is None,
            comments=(said,),
        )
        self.talk.threads[thread.id] = thread
        return thread

    def now(self, thread: Thread) -> Thread:
        """The thread as it is by now."""
        return self.talk.threads[thread.id]

    # -- people

    def comment(self, body: str, *, by: str = "ada", thread: Thread | None = None) -> CommentRef:
        """Somebody writes; nothing is done about it yet."""
        number = self._next()
        if thread is None:
            return CommentRef(kind=CommentKind.CONVERSATION, id=number, node_id=f"IC_{number}")
        root = self.now(thread).comments[0].id
        url = f"https://github.test/ada/engine/pull/7#r{number}"
        said = Said(id=number, login=by, is_ours=by == ACCOUNT, is_bot=by == ACCOUNT, body=body, url=url)
        now = self.now(thread)
        self.talk.threads[thread.id] = replace(now, comments=(*now.comments, said))
        return CommentRef(kind=CommentKind.THREAD, id=number, node_id=f"PRRC_{number}", root=root)

    def says(
        self, body: str, *, by: str = "ada", thread: Thread | None = None, ref: CommentRef | None = None
    ) -> Outcome:
        """Somebody writes, and it is served. `ref`: the same comment again, as a job that was killed has it."""
        ref = ref or self.comment(body, by=by, thread=thread)
        command = parse(body)
        text = "" if command is not None else body[:4_000]
        return serve(ref=ref, command=command, sender=by, text=text, desk=self.desk())

    def call(self, body: str, *, by: str = "ada", thread: Thread | None = None, may_write: bool = True) -> Call:
        """What a handler gets, for tests of one handler alone."""
        ref = self.comment(body, by=by, thread=thread)
        command = parse(body)
        assert not isinstance(command, NearMiss)
        recall = self.talk.recall()
        now = None if thread is None else self.now(thread)
        known = [one for one in recall.findings if now is not None and one.thread.id == now.id]
        return Call(
            command=command,
            ref=ref,
            sender=by,
            text="" if isinstance(command, Command) else body,
            desk=self.desk(),
            recall=recall,
            thread=now,
            known=known[0] if known else None,
            role=self.people.roles.get(by),
            may_write=may_write,
            config=read_config(self.config, name=CONFIG_PATH) if self.config else RepoConfig(),
        )

    @property
    def last(self) -> str:
        """What people read in our last answer."""
        return self.talk.answers[-1].text if self.talk.answers else ""

    # -- the desk

    def desk(self) -> Desk:
        return Desk(
            pull=replace(self.pull, head_sha=self.branch.head()),
            maintainer_can_modify=self.maintainer_can_modify,
            talk=self.talk,
            people=self.people,
            branch=self.branch,
            memory=self.memory,
            reviews=self.reviews,
            opened=self.open,
            config_text=lambda: self.config,
            model=self.model,
            effort=self.effort,
            settings=self.settings,
            merge3=merge3(self.folder),
            diff=lambda old, new: hunks(old.decode(), new.decode()),
            account=ACCOUNT,
            streams=8,
            stop=self.stop,
            clock=RealClock(),
        )

    def open(self) -> Opened:
        """The pull's change at the branch's head, with a real patch."""
        head = self.branch.head()
        if head not in self._opened:
            self.opens += 1
            if self.config:
                read_config(self.config, name=CONFIG_PATH)
            texts = {path: data.decode() for path, data in self.branch.trees[head].items()}
            self._opened[head] = Opened(
                change=Change(
                    patch=read_patch(diff_of(self.base, texts)),
                    base=self.pull.base_sha,
                    head=head,
                    title=self.pull.title,
                    description=self.pull.body,
                    pull=replace(self.pull, head_sha=head),
                ),
                files=Files(texts),
                base_texts={CONFIG_PATH: self.config} if self.config else {},
                base_text=self.base.get,
            )
        return self._opened[head]

    def _next(self) -> CommentId:
        self._comments += 1
        return CommentId(self._comments)


def no_model(prompt: Prompt, _before: int) -> Answer:
    raise AssertionError(f"the model was asked: {prompt.kind}")


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> MakeWorld:
    """Makes a world: `make_world(head={...}, base={...}, script=..., roles={...}, author=..., fork=True, is_open=False)`."""

    def make(
        *,
        base: Mapping[str, str] | None = None,
        head: Mapping[str, str] | None = None,
        script: Callable[[Prompt, int], Answer] | None = no_model,
        roles: Mapping[str, Role] | None = None,
        author: str = "grace",
        fork: bool = False,
        is_open: bool = True,
        config: str = "",
    ) -> World:
        before = dict(base if base is not None else {"app.py": BASE_APP})
        after = dict(head if head is not None else {"app.py": HEAD_APP})
        base_sha, head_sha = sha_of(f"base{sorted(before.items())}"), sha_of(f"head{sorted(after.items())}")
        trees = {
            base_sha: {path: text.encode() for path, text in before.items()},
            head_sha: {path: text.encode() for path, text in after.items()},
        }
        people = FakePeople(roles=dict(roles if roles is not None else {"ada": Role.WRITE, "grace": Role.WRITE}))
        first = PullCommit(sha=head_sha, parents=(base_sha,), message="A cache for settings", is_ours=False)
        return World(
            base=before,
            head=after,
            talk=FakeTalk(may_write=lambda login: people.roles.get(login) in WRITERS, author=author),
            people=people,
            branch=FakeBranch(trees=trees, log=[first]),
            memory=FakeMemory(),
            reviews=FakeReviews(),
            model=None if script is None else ScriptedModel(script),
            pull=Pull(
                repo=RepoName("ada/engine"),
                number=7,
                title="A cache for settings",
                body="Settings are read once.",
                author=author,
                base_sha=base_sha,
                head_sha=head_sha,
                base_ref="main",
                head_ref="cache",
                head_repo=RepoName("mallory/engine") if fork else RepoName("ada/engine"),
                url="https://github.test/ada/engine/pull/7",
                is_open=is_open,
            ),
            folder=tmp_path,
            config=config,
        )

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Ada may write, grace is the author and may write, nobody else is known. The model must not be asked."""
    return make_world()
