"""The words of a review as values: pull, change, finding, usage, timing, review; what of a change is seen is in `scope`.

Nothing here decides or does anything; the steps beside this module do. The JSON shape of a review (`docs/reference.md`)
is made from these values in `render/json.py` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from bot.diff.model import Anchor, Patch, Side
from bot.errors import SparkError
from bot.review.scope import Coverage, PassName, Since, Skip

RepoName = NewType("RepoName", str)
"""`owner/name`."""
CommitSha = NewType("CommitSha", str)
"""A full 40-digit commit id; for the index it is the empty string."""
Fingerprint = NewType("Fingerprint", str)
"""Identity of a finding by content: path, kind, the anchored text. Never line numbers, never the model's words."""


class Severity(StrEnum):
    """How bad it would be to merge this."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """3 for critical down to 0 for low, so that more severe compares greater."""
        return _RANKS[self]


_RANKS = {Severity.CRITICAL: 3, Severity.HIGH: 2, Severity.MEDIUM: 1, Severity.LOW: 0}


class Category(StrEnum):
    """What kind of thing is wrong."""

    BUG = "bug"
    SECURITY = "security"
    PERFORMANCE = "performance"
    RELIABILITY = "reliability"
    MAINTAINABILITY = "maintainability"
    TESTS = "tests"
    DOCS = "docs"
    STYLE = "style"


class Effort(StrEnum):
    """How much of the endpoint's speed is spent on being right.

    instant: one pass, no check. standard: each finding is checked by a second call. deep: three passes with different
    lenses, each finding checked.
    """

    INSTANT = "instant"
    STANDARD = "standard"
    DEEP = "deep"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return tuple(Effort).index(self)


class FindingStatus(StrEnum):
    """What becomes of a finding on the pull request (or would)."""

    POSTED = "posted"
    KNOWN = "known"
    DISMISSED = "dismissed"
    BELOW_THRESHOLD = "below-threshold"
    OVER_LIMIT = "over-limit"
    HELD_BACK = "held-back"
    """New, low, and on code that was reviewed before: from the third round on such findings are counted, not posted."""


class Verdict(StrEnum):
    """The gate's answer. NEUTRAL means that something fell short: a green check needs proof."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request as it was when we looked."""

    repo: RepoName
    number: int
    title: str
    body: str
    author: str
    base_sha: CommitSha
    """Tip of the base branch: where configuration is read from."""
    head_sha: CommitSha
    base_ref: str
    head_ref: str
    head_repo: RepoName | None
    """None when the fork was deleted."""
    url: str
    draft: bool = False
    is_open: bool = True
    """False once it was closed or merged."""

    @property
    def is_fork(self) -> bool:
        """Whether the head lies in another repository."""
        return self.head_repo != self.repo


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Git's or GitHub's own numbers for a change, to hold ours against."""

    files: int
    added: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be reviewed: a patch and where it came from."""

    patch: Patch
    base: str
    """Commit id, or a name such as `diff file` where there is none."""
    head: str
    title: str = ""
    description: str = ""
    pull: Pull | None = None
    totals: Totals | None = None
    """None where no independent count exists (a diff from a file or stdin)."""
    gaps: tuple[Skip, ...] = ()
    """Files of which the source could get no diff; told as not reviewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFinding:
    """What the model said, one line of its answer. Untrusted: nothing here has been placed or proven."""

    path: str
    """As the model gave it; empty when it gave none."""
    start: str
    """Tag of the first line, such as `R42#k3f`."""
    end: str
    """Tag of the last line; equal to `start` for one line."""
    severity: Severity
    category: Category
    title: str
    body: str
    suggestion: str | None
    """Replacement for exactly the anchored lines; empty string deletes them; None for no suggestion."""
    chunk: int
    pass_name: PassName


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """How many of the looks at this finding agreed."""

    in_favour: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding placed on an anchor. A suggestion that stands here was proven, or came proven from an analyzer."""

    anchor: Anchor
    severity: Severity
    category: Category
    title: str
    body: str
    suggestion: str | None
    """Replacement for exactly the anchored lines. It ends with a newline only where its last line is empty; the empty
    string deletes the lines.
    """
    proven: bool
    """The suggestion was applied to the head file, changed exactly the anchored lines, and the file parses no worse."""
    votes: Votes | None
    fingerprint: Fingerprint
    source: str
    """`model`, `ruff` or `sarif:<tool>`."""
    parsed: bool = False
    """A grammar looked at the file with the suggestion; without one "proven" says only that it was applied."""
    status: FindingStatus = FindingStatus.POSTED
    rule: str = ""
    """The analyzer's rule id; empty for the model."""
    note: str = ""
    """Why the suggestion was taken out, or the check gave no answer; shown in small print."""
    excused: bool = False
    """Dismissed by somebody who may write to the repository: the gate leaves it out."""
    passes: tuple[PassName, ...] = ()
    """The passes that reported it; empty for an analyzer. Votes grow by passes, so one pass cannot vote twice."""
    thread: str = ""
    """URL of the thread that it has already, on this pull or, dismissed, on another one; empty when it has none."""
    lasting: str | None = None
    """The reason of the rule in the repository's configuration that dismisses it, perhaps empty; None where no rule does."""
    dismissed_by: str = ""
    """Who dismissed it: a login, or the name of the configuration file; empty where it is not dismissed."""
    dismissed_why: str = ""
    """The reason in their words; empty when they gave none."""
    dismissed_how: str = ""
    """As `memory.Dismissal.how`; empty where only the repository remembers it."""

    @property
    def path(self) -> str:
        """The file it is about."""
        return self.anchor.path

    @property
    def side(self) -> Side:
        """The side its lines are on."""
        return self.anchor.side


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """A finding that has no legal place in the diff. It is told in the summary, never lost."""

    path: str
    claimed: str
    """The place the model named, as text for people."""
    reason: str
    severity: Severity
    category: Category
    title: str
    body: str
    source: str = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A finding of an earlier round whose code changed, so that it has no place in the diff of now, and which may be there
    all the same.
    """

    path: str
    severity: Severity
    category: Category
    title: str
    url: str
    """Of its thread."""
    is_certain: bool
    """The model looked and says that it is still there; False: nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A finding that was taken out on purpose: refuted by the check, or merged into another one."""

    finding: Finding
    reason: str
    """`refuted` or `duplicate`."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and money. `usd` is None while any call had no known price."""

    input_tokens: int = 0
    cached_tokens: int = 0
    """Part of `input_tokens` that the endpoint served from its cache."""
    output_tokens: int = 0
    usd: float | None = 0.0
    calls: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=usd,
            calls=self.calls + other.calls,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds from the start of the review to each event; None for what did not happen."""

    accepted: float = 0.0
    diff: float | None = None
    first_token: float | None = None
    first_finding: float | None = None
    first_post: float | None = None
    done: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The result of one review."""

    change: Change
    effort: Effort
    model: str | None
    """Name of the model; None when analyzers reviewed alone."""
    verdict: Verdict
    reason: str
    """Why the verdict is what it is, in one sentence."""
    findings: tuple[Finding, ...]
    """Most severe first, then in the order of the diff."""
    misplaced: tuple[Misplaced, ...]
    dropped: tuple[Dropped, ...]
    coverage: Coverage
    usage: Usage
    timing: Timing
    garbled: int = 0
    """Lines of the model's answers that could not be read as findings."""
    outside: Mapping[str, int] = field(default_factory=dict)
    """Results of each analyzer on lines that were not changed: counted, not told."""
    endpoint_seconds: Mapping[str, float] = field(default_factory=dict)
    """The provider's own timing (`time_info`), summed over calls, when it gives one."""
    notices: tuple[str, ...] = ()
    """Things the user should know: no key, analyzers alone, a parameter the endpoint refused."""
    review_url: str | None = None
    """Where it was posted."""
    earlier: tuple[Earlier, ...] = ()
    since: Since | None = None
    """Which round of the pull this is; None where there is no pull to remember earlier ones."""
    failure: SparkError | None = None
    """What kept the model from reviewing anything, or the review from being posted whole. The findings are all here;
    unless the gate failed, its exit code is the program's."""
