"""The world as a review sees it. Each port is as small as its caller; adapters live in the rooms above.

Everything here may be called from several threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bot.diff.model import Anchor
from bot.review.events import ReviewEvent
from bot.review.memory import CommentId, FindingNote, Recall, Remembered, ThreadId
from bot.review.model import (
    Category,
    Change,
    CommitSha,
    Fingerprint,
    Severity,
    Usage,
)


class Clock(Protocol):
    """Time as a port, so that tests need no sleeps."""

    def now(self) -> float:
        """Monotonic seconds. Says nothing about the time of day."""
        ...


class Stop:
    """The review's deadline and its cancel switch in one: every wait of a review is bounded by it.

    A stream registers `on_stop` with a function that closes it, so that cancelling is felt at once and not at the next
    byte.
    """

    def __init__(self, *, deadline: float, clock: Clock) -> None:
        self._deadline = deadline
        self._clock = clock
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next = 0

    @property
    def cancelled(self) -> bool:
        """Whether somebody called `cancel`; a passed deadline does not set it."""
        return self._event.is_set()

    def left(self) -> float:
        """Seconds left until the deadline, never below 0; 0 once cancelled."""
        return 0.0 if self.cancelled else max(0.0, self._deadline - self._clock.now())

    def bring_forward(self, seconds: float) -> None:
        """The deadline is at most `seconds` from now. Never moves it back."""
        self._deadline = min(self._deadline, self._clock.now() + seconds)

    def cancel(self) -> None:
        """Stop everything that hangs on this. Safe to call twice and from any thread."""
        with self._lock:
            self._event.set()
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
        for callback in callbacks:
            callback()

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when cancelled (at once if it already is). Returns a function that takes this back."""
        with self._lock:
            if not self._event.is_set():
                self._next += 1
                token = self._next
                self._callbacks[token] = callback
                return lambda: self._forget(token)
        callback()
        return lambda: None

    def _forget(self, token: int) -> None:
        with self._lock:
            self._callbacks.pop(token, None)

    def wait(self, seconds: float) -> bool:
        """Sleep up to `seconds` or the deadline; True when cancelled meanwhile."""
        return self._event.wait(min(seconds, self.left()))


class CallKind(StrEnum):
    """What a call to the model is for."""

    REVIEW = "review"
    CHECK = "check"
    REPAIR = "repair"
    FOLLOW_UP = "follow-up"
    """Is a finding of an earlier round mended, now that its code has changed?"""
    FIX = "fix"
    """Edits of one file that mend what was reported there, or do what somebody asked for."""
    REPLY = "reply"
    """What a person's reply in a thread asks for, and the answer to it."""
    ANSWER = "answer"
    """A question or a finding explained, in Markdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One call. `system` is static text, the same for every call of a kind, so that endpoints can cache the prefix."""

    kind: CallKind
    system: str
    user: str
    max_output_tokens: int
    reason: bool
    """False asks for no or low reasoning (`effort instant`)."""
    tokens: int
    """Estimated input tokens, for the budget."""


class StreamEnd(StrEnum):
    """How a call ended. Only WHOLE counts as seen; the text is what users read in a hole's reason."""

    WHOLE = "whole"
    LENGTH = "the answer hit its length limit"
    REFUSED = "the model refused"
    CUT = "the stream was cut"
    STALLED = "the stream stalled"
    GARBLED = "the stream was garbled"
    NOT_A_STREAM = "the endpoint answered with something that is not a stream"
    SERVER_ERROR = "the endpoint failed"
    RATE_LIMITED = "the endpoint's rate limit"
    UNREACHABLE = "the endpoint could not be reached"
    REJECTED = "the endpoint rejected the request"
    BUDGET = "the budget is used up"
    DAY_BUDGET = "the day's budget is used up"
    DEADLINE = "the deadline passed"
    CANCELLED = "cancelled"

    @property
    def worth_retrying(self) -> bool:
        """Whether a second try may end better; of an answer that was too long, one with more room."""
        return self in {
            StreamEnd.LENGTH,
            StreamEnd.REFUSED,
            StreamEnd.CUT,
            StreamEnd.STALLED,
            StreamEnd.GARBLED,
            StreamEnd.NOT_A_STREAM,
            StreamEnd.SERVER_ERROR,
            StreamEnd.UNREACHABLE,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """What came of one call."""

    end: StreamEnd
    detail: str = ""
    """The endpoint's own words or status, shortened, without secrets."""
    usage: Usage = field(default_factory=Usage)
    started: float = 0.0
    """`Clock.now()` when the request went out, before it was built."""
    written: float | None = None
    """The same once the network had all of it: later by our own work, which many calls at once add up."""
    first_token: float | None = None
    """`Clock.now()` at the first byte of text."""
    ended: float = 0.0
    endpoint_seconds: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    counted: bool = False
    """Whether the tokens in `usage` are the endpoint's own count and no estimate."""
    reasoning_tokens: int | None = None
    """Part of the output tokens, as the endpoint counts them apart; None where it does not."""
    first_thought: float | None = None
    """`Clock.now()` at the first reasoning that was streamed before any text."""
    thought_chars: int = 0
    """Characters of reasoning that were streamed."""


class Model(Protocol):
    """The fast endpoint."""

    @property
    def name(self) -> str:
        """The model's name, for the summary."""
        ...

    def stream(self, prompt: Prompt, *, sink: Callable[[str], None], stop: Stop) -> CallReport:
        """Send one call and feed `sink` with text as it arrives, in order, one piece at a time, before this returns.

        Where many streams run, `sink` is called from a thread that reads for all of them: it must not wait for anything.

        One attempt, as seen by the caller: waits for a 429's Retry-After and repeats without a rejected parameter are
        inside, both before the first byte of text only. Never raises for anything the endpoint does, but for what the
        user must mend: CredentialsError (401, 403), ConfigError (no such model, listing those there are).
        """
        ...


class HeadFiles(Protocol):
    """Files as they are after the change."""

    def text(self, path: str) -> str | None:
        """The file at the head (utf-8, surrogateescape); None when there is none, or it cannot be had (too large,
        binary, outside world failed). Cached: asking twice costs once. May wait for the network.
        """
        ...

    def prefetch(self, paths: Sequence[str]) -> None:
        """Hint that these will be asked for. Does not wait, promises nothing."""
        ...


def _no_text(_path: str) -> str | None:
    """For a source without a base, such as a diff file."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A change with what belongs to it."""

    change: Change
    files: HeadFiles
    base_texts: Mapping[str, str]
    """`.github/spark.yml` and `.gitattributes` as the base has them; a key is missing where the file is."""
    base_text: Callable[[str], str | None] = _no_text
    """Any other file as the base has it, such as a guideline; None where there is none. May wait for the network."""


class Source(Protocol):
    """Where a change comes from: local git, a diff file, a pull request."""

    def open(self) -> Opened:
        """Read it. Raises UserError for what the user named wrongly, OutsideError when the world is down."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerResult:
    """One result of a tool, already on an anchor of the patch."""

    anchor: Anchor
    severity: Severity
    category: Category
    title: str
    body: str
    suggestion: str | None
    rule: str
    source: str
    parsed: bool = False
    """A grammar looked at the file with the suggestion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerReport:
    """What one tool gave. `outside` counts its results on lines that were not changed: left out, not lost."""

    name: str
    results: tuple[AnalyzerResult, ...]
    outside: int = 0
    problem: str = ""
    """Why the tool could not run, in one sentence; empty when it did."""


class Analyzer(Protocol):
    """A tool that is no model."""

    @property
    def name(self) -> str:
        """`ruff`, or `sarif:<tool>`."""
        ...

    def run(self, change: Change, files: HeadFiles) -> AnalyzerReport:
        """Results on changed lines. Never raises for what the tool does; says so in `problem`."""
        ...


class Listener(Protocol):
    """Somebody who watches a review while it is written: terminal, live page, check run."""

    def on(self, event: ReviewEvent) -> None:
        """Called from one thread, in order. Must be quick and must not raise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftComment:
    """One line comment, ready to post."""

    anchor: Anchor
    body: str
    """Markdown with the finding's marker and, where there is one, the suggestion block."""
    entry: str
    """The same finding as an entry of the summary, for when GitHub refuses the comment."""
    fingerprint: Fingerprint


class Then(StrEnum):
    """What is done with a thread after a note of ours in it."""

    NOTHING = "nothing"
    RESOLVE = "resolve"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadStep:
    """A note in one of our threads, and what is done with the thread after it."""

    thread: ThreadId
    root: CommentId
    """The thread's first comment."""
    body: str
    """Markdown with a marker that no other note in this thread has: what is there already is not said twice. Empty: no note."""
    then: Then = Then.NOTHING
    follows: ThreadId | None = None
    """Taken only if nothing was in the way of that thread's own step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """The review (or the comment that stands for it) whose text is replaced instead of posting another one."""

    id: int
    url: str
    in_conversation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDraft:
    """One review, ready to post. The publisher splits it so that no POST has more comments than GitHub bears."""

    commit: CommitSha
    body: str
    """The summary, with the review marker."""
    comments: tuple[DraftComment, ...]
    run: str
    """Id of this run; part of the marker, so that a repeat after a lost answer finds what did land."""
    amend: Amend | None = None
    """There is nothing new to say: our last review's text is replaced by `body`. `comments` is empty then."""
    steps: tuple[ThreadStep, ...] = ()
    """What becomes of threads of earlier rounds; done after the review is posted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What came of posting. `posted` and `unposted` together are every comment of the draft."""

    url: str | None
    at: float | None = None
    """`Clock.now()` when the first part of the review stood, or was found, on GitHub; None while none does. The steps come later."""
    posted: tuple[Fingerprint, ...]
    unposted: tuple[tuple[Fingerprint, str], ...] = ()
    """Comments that GitHub refused, with its reason; the publisher has put them into the summary."""
    moved_to: CommitSha | None = None
    """The pull's head now, when it is no longer the analysed one; nothing was posted then unless there is a `url`."""
    problem: str = ""
    """Why nothing, or not all, could be posted; empty when all was."""
    followed: int = 0
    """Steps of the draft that were done, or had been before."""
    unfollowed: tuple[str, ...] = ()
    """Why a step was not done, a sentence for each; never a reason to call the review unposted."""


class Publisher(Protocol):
    """Where a finished review goes, and where its memory is."""

    def begin(self) -> None:
        """Hint that `recall` will be asked for soon. Does not wait, promises nothing."""
        ...

    def recall(self) -> Recall:
        """What is on the pull from earlier rounds, without what the repository remembers. Read once, then kept. May wait."""
        ...

    def publish(self, draft: ReviewDraft) -> Published:
        """Post the draft once: markers are listed before anything is sent a second time.

        Comments that GitHub refuses go into the summary (`render.comments.with_refused`), so nothing is lost.
        Raises NotPermittedError or CredentialsError when we may not post at all, OutsideError when GitHub stays down.
        """
        ...


class Remembrance(Protocol):
    """What was dismissed in this repository, for good."""

    def remembered(self) -> Sequence[Remembered]:
        """The newest first, at most some hundreds. May wait for a database."""
        ...

    def remember(self, what: Remembered) -> None:
        """Keep it; again is the same as once."""
        ...

    def forget(self, note: FindingNote) -> None:
        """It is not dismissed any more."""
        ...
