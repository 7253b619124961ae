"""What Spark knows of a pull from earlier rounds, as values. All of it is read from the pull itself: markers in our own notes.

Nothing here decides or does anything: `recall` reads markers into these, `follow` decides what becomes of each thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NewType

from bot.diff.model import Side
from bot.review.model import Category, CommitSha, Earlier, Fingerprint, Severity, Votes

ThreadId = NewType("ThreadId", str)
"""GraphQL's id of a review thread."""
CommentId = NewType("CommentId", int)
"""REST's id of a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingNote:
    """What the marker of a line comment says about its finding, enough to find, judge and fix it in a later round."""

    fingerprint: Fingerprint
    path: str
    side: Side
    severity: Severity
    category: Category
    title: str
    source: str
    """`model`, `ruff` or `sarif:<tool>`."""
    rule: str = ""
    lines: tuple[str, ...] = ()
    """A digest of each anchored line without its white space (`recall.line_digest`); at most 60."""
    suggestion: str | None = None
    """As it was proven then; None when there was none, or it was too long to carry."""
    votes: Votes | None = None
    text: str = ""
    """The anchored lines as they were, shortened (`recall.NOTE_TEXT`); for the call that looks whether they were mended."""
    twins: int = 0
    """At how many places of the file's diff these very lines stood, itself counted; 0 where nobody counted."""
    around: tuple[str, str] = ("", "")
    """Digests of the line above and of the line below; empty for a blank line, the edge of a hunk, and where nobody looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One comment of a thread."""

    id: CommentId
    login: str
    """Empty when the account is gone."""
    is_ours: bool
    is_bot: bool
    body: str
    url: str
    heeded: bool = False
    """We have put a reaction on it, so whoever wrote it was heard."""
    thumbs_down: tuple[str, ...] = ()
    """Logins of people (not us, no bots) who put a 👎 on it; read for the first comment of a thread alone."""
    node: str = ""
    """GraphQL's id of it; empty where nobody asked. Without one it cannot be edited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread of line comments, ours or not."""

    id: ThreadId
    path: str
    side: Side
    line: int | None
    """The last line it is on now; None when it is outdated or about a whole file."""
    start_line: int | None
    original_line: int | None
    is_resolved: bool
    resolved_by: str
    """Login; empty when nobody did, or GitHub does not say."""
    resolved_by_us: bool
    is_outdated: bool
    comments: tuple[Said, ...]
    """Oldest first; at least one."""

    @property
    def is_ours(self) -> bool:
        """Whether we began it."""
        return self.comments[0].is_ours

    @property
    def url(self) -> str:
        """Of its first comment."""
        return self.comments[0].url

    @property
    def unanswered(self) -> bool:
        """Whether a person wrote last and was neither answered nor given a reaction by us."""
        last = self.comments[-1]
        return not last.is_ours and not last.is_bot and not last.heeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissal:
    """Somebody said that a finding is not to be spoken of."""

    by: str
    reason: str
    """In the person's words; empty when they gave none."""
    how: str
    """`ignored`, `resolved by hand`, `thumbs down`, `talked over` or `lasting rule`."""
    excuses: bool
    """Whether the gate leaves it out as well: only when the person may write to the repository."""
    held_open: bool = False
    """GitHub refused to resolve the thread, so it holds although the thread is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFinding:
    """A finding with a thread of its own."""

    note: FindingNote
    thread: Thread
    aliases: tuple[Fingerprint, ...] = ()
    """Fingerprints under which it was seen again after its code had changed, from our later notes in the thread."""
    dismissal: Dismissal | None = None
    closed: bool = False
    """We resolved it as fixed (or a person had it resolved with `/spark resolve`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastReview:
    """Our newest review of this pull, by its own marker: GitHub's `commit_id` of a review moves with a force-push."""

    id: int
    """REST's id of the review; of the comment, where `in_conversation`."""
    url: str
    head: CommitSha
    base: CommitSha
    round: int
    """1 for the first review."""
    rules: str
    """A hash of what the review went by (effort, instructions, guidelines): with others the whole change is reviewed again."""
    seen: frozenset[int] | None
    """Digests of the changed lines that were reviewed (`seen.digests`); None when there were too many to carry."""
    body: str
    in_conversation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """A finding that is severe enough for the gate, when a verdict was given."""

    fingerprint: Fingerprint
    stood: bool
    """The gate counted it; False where somebody who may do that had dismissed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVerdict:
    """What the gate said of one head, base and configuration, as the mark of a review carries it."""

    key: str
    """Of what was judged (`verdicts.key_of`)."""
    passed: bool
    reason: str
    deciding: tuple[Deciding, ...] = ()
    over_limit: tuple[Earlier, ...] = ()
    """Findings that stand in the review's text alone, for want of room for line comments."""
    url: str = ""
    """Of the review that carries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A finding that was dismissed in some pull of this repository."""

    fingerprint: Fingerprint
    path: str
    category: Category
    source: str
    rule: str
    title: str
    lines: tuple[str, ...]
    severity: Severity
    by: str
    reason: str
    url: str
    """Of the thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Everything that a review must know before it says anything."""

    findings: tuple[KnownFinding, ...] = ()
    known: Mapping[Fingerprint, str] = field(default_factory=dict)
    """Every finding that stands somewhere on the pull (a thread of ours, an alias in it, a summary), with its URL."""
    last: PastReview | None = None
    threads: tuple[Thread, ...] = ()
    """All threads of the pull, also those of people."""
    paused_by: str = ""
    """Who paused the reviews of this pull; empty when they are not paused."""
    remembered: tuple[Remembered, ...] = ()
    """Of the repository; the newest first."""
    verdicts: Mapping[str, StoredVerdict] = field(default_factory=dict)
    """Given on this pull, by their keys; of several with one key the newest."""
