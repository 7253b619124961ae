"""The world as a command sees it. Adapters live in `bot.github`, the engine and the wiring; everything may be called from several threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.commands.model import CommentRef, Reaction
from bot.diff.model import Anchor
from bot.review.config import Role
from bot.review.memory import FindingNote, Recall, Remembered, Thread
from bot.review.model import CommitSha, Effort, Pull
from bot.review.ports import Clock, Model, Opened, Stop


class Talk(Protocol):
    """Comments of one pull: read, reacted to, answered."""

    def react(self, ref: CommentRef, reaction: Reaction) -> None:
        """Put a reaction on a comment; again is the same as once. Raises NotPermittedError, OutsideError."""
        ...

    def answered(self, ref: CommentRef) -> str | None:
        """The URL of our answer to this comment, when an earlier run got that far."""
        ...

    def answer(self, ref: CommentRef, body: str) -> str:
        """Answer in the comment's thread, or in the conversation where it has none. `body` gets the marker of the answer.

        Gives the URL. An answer that is there already (a lost reply) is found, not given twice.
        """
        ...

    def suggest(self, commit: CommitSha, anchor: Anchor, body: str) -> str | None:
        """A new line comment on a legal anchor of `commit`; its URL, or None when GitHub refuses the place."""
        ...

    def recall(self) -> Recall:
        """What is on the pull now. Asked anew each time."""
        ...

    def hunk(self, thread: Thread) -> str:
        """The diff that a thread was begun on, from its hunk's header to its last line; empty where GitHub has none."""
        ...

    def recent_answers(self, minutes: int) -> int:
        """How many answers to comments we have given on this pull in that time: the loop breaker's count."""
        ...

    def resolve(self, thread: Thread) -> str:
        """Resolve a thread; empty, or why GitHub refused."""
        ...

    def unresolve(self, thread: Thread) -> str:
        """Open a thread again; empty, or why GitHub refused."""
        ...

    def hide(self, node_id: str) -> None:
        """Fold away one of our own comments as outdated. A refusal is no failure."""
        ...


class People(Protocol):
    """Who may do what."""

    def role(self, login: str) -> Role | None:
        """What somebody is to the repository by GitHub's collaborators endpoint; None for nobody's. Never `author`.

        Raises OutsideError when it cannot be found out: the caller then refuses.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitDraft:
    """A commit to be made on the pull's branch."""

    expected_head: CommitSha
    """GitHub refuses when the branch has moved."""
    headline: str
    body: str
    """Ends with trailers of ours: `Spark-Command: thread-123`."""
    files: Mapping[str, bytes | None]
    """New contents by path; None deletes the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """It is on the branch."""

    sha: CommitSha
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCommitted:
    """Nothing was written, and why, in words that follow `because`."""

    reason: str
    moved_to: CommitSha | None = None
    """The head now, when that is why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullCommit:
    """One of the pull's commits."""

    sha: CommitSha
    parents: tuple[CommitSha, ...]
    message: str
    is_ours: bool
    """GitHub says that our account is its author. Whoever pushes a commit writes there what they like."""
    is_signed: bool = False
    """GitHub has signed it, so it was not pushed: with `is_ours`, it was made by us."""


class Branch(Protocol):
    """The branch that a pull wants merged."""

    def blocked(self) -> str:
        """Why nobody may commit there for the author (a fork that does not let maintainers edit); empty when one may try."""
        ...

    def head(self) -> CommitSha:
        """The head now."""
        ...

    def commit(self, draft: CommitDraft) -> Committed | NotCommitted:
        """Make one commit on top of the expected head. Never forces anything. A lost answer is looked up by the trailer."""
        ...

    def commits(self) -> Sequence[PullCommit]:
        """The pull's commits, oldest first; at most the newest 250 that GitHub lists."""
        ...

    def changed_paths(self, sha: CommitSha) -> Sequence[str]:
        """The paths that one commit changed against its first parent."""
        ...

    def file(self, path: str, at: CommitSha) -> bytes | None:
        """A file of a commit; None when there is none."""
        ...


class Memory(Protocol):
    """What was dismissed in this repository, for good."""

    def remembered(self) -> Sequence[Remembered]:
        """The newest first, at most some hundreds."""
        ...

    def remember(self, what: Remembered) -> None:
        """Keep it; again is the same as once."""
        ...

    def forget(self, note: FindingNote) -> None:
        """It is not dismissed any more."""
        ...


class Reviews(Protocol):
    """The reviews of this pull, as somebody can order and stop them."""

    def start(self, effort: Effort | None) -> None:
        """A full review of the head as it is now, whatever was reviewed before."""
        ...

    def catch_up(self) -> None:
        """A review of what came since the last one, as a push brings it; none where `review.on` has no `synchronize`."""
        ...

    def judge(self) -> None:
        """The verdict on the head as it is now, decided anew; it looks only at what no review has seen."""
        ...

    def stop(self, why: str) -> bool:
        """What runs or waits for this pull ends. False where what runs is out of reach, and ends by itself."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that a command may use; made by the wiring for one comment."""

    pull: Pull
    maintainer_can_modify: bool
    talk: Talk
    people: People
    branch: Branch
    memory: Memory
    reviews: Reviews
    opened: Callable[[], Opened]
    """The pull's change, read when it is first asked for and then kept. Raises ConfigError for a broken spark.yml."""
    config_text: Callable[[], str]
    """`.github/spark.yml` of the base; empty where there is none."""
    model: Model | None
    """None: no key is set."""
    effort: Effort | None
    """Of the server's settings."""
    settings: Sequence[tuple[str, str, str]]
    """What the server is set to, for `config`: name, value, where it came from. No secrets."""
    merge3: Callable[[bytes, bytes, bytes], bytes | None]
    """(base, ours, theirs) to the merged file; None when they conflict."""
    diff: Callable[[bytes, bytes], str]
    """The hunks between two texts, as git prints them."""
    account: str
    """The login that we write as."""
    streams: int
    stop: Stop
    clock: Clock
