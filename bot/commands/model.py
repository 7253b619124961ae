"""Commands as values: what somebody wrote, where, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.review.memory import CommentId
from bot.review.model import CommitSha


class Verb(StrEnum):
    """The commands. What each one is for stands in `registry`."""

    REVIEW = "review"
    FIX = "fix"
    UNDO = "undo"
    EXPLAIN = "explain"
    ASK = "ask"
    IGNORE = "ignore"
    RESOLVE = "resolve"
    PAUSE = "pause"
    RESUME = "resume"
    CONFIG = "config"
    HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What the first line asks for. `rest` is what stands behind the verb, and the lines below it: at most 4,000 characters."""

    verb: Verb
    rest: str = ""
    commit: bool = False
    """`--commit`, of `fix`."""
    everything: bool = False
    """`all`, of `fix`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """Meant for us, and no command: `wrote` is the word, `meant` the right one, or None when none is near."""

    wrote: str
    meant: Verb | None


class CommentKind(StrEnum):
    """Where a comment stands."""

    CONVERSATION = "conversation"
    """Under the pull itself (GitHub: issue comment)."""
    THREAD = "thread"
    """On lines of the diff (GitHub: review comment)."""
    REVIEW = "review"
    """The text of a person's review."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRef:
    """One comment of somebody on a pull."""

    kind: CommentKind
    id: CommentId
    node_id: str
    """GraphQL's id."""
    root: CommentId | None = None
    """Of a THREAD comment: the first comment of its thread (itself, when it began the thread)."""

    @property
    def key(self) -> str:
        """For the marker of our answer: `thread-123`."""
        return f"{self.kind}-{self.id}"


class Reaction(StrEnum):
    """GitHub's reactions that we use."""

    SEEN = "eyes"
    DONE = "rocket"
    YES = "+1"
    NO = "confused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a command; for the log, the page and the metrics."""

    what: str
    """`answered`, `refused`, `committed`, `suggested`, `ignored`, `nothing`, `failed`."""
    why: str
    """One sentence."""
    url: str = ""
    """Of our answer."""
    commit: CommitSha | None = None
    usd: float | None = 0.0
