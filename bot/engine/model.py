"""Jobs and deliveries as values.

A delivery is stored with its job in one transaction, then answered. A job waits (QUEUED) until its pull and a slot are free,
runs in one process at a time (RUNNING), and ends in one of the other states for good. Only FAILED may be run again by a
redelivery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from bot.hooks.events import DeliveryId, InstallationId
from bot.hooks.orders import AnswerComment, Work
from bot.review.model import RepoName

JobId = NewType("JobId", str)
"""16 hexadecimal digits; also the id of the review's page and of its run on GitHub."""
ExecutorId = NewType("ExecutorId", str)
"""One live process. Never used a second time."""


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    """Nothing was to be done: the configuration does not want it, the pull is closed."""
    SUPERSEDED = "superseded"
    """A newer head came, or the pull was closed."""
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether this is an end."""
        return self not in {JobState.QUEUED, JobState.RUNNING}


class StopCause(StrEnum):
    """Why a running job is told to stop."""

    SUPERSEDED = "superseded"
    """A newer head of the same pull is there."""
    WITHDRAWN = "withdrawn"
    """The pull was closed or became a draft, or the App was removed."""
    PARKED = "parked"
    """This process ends; the job goes back into the queue and another process, or the next start, has it."""
    LOST = "lost"
    """Another process has taken the job over: leave everything as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery whose signature was right."""

    id: DeliveryId
    event: str
    """`X-GitHub-Event` with the payload's action: `pull_request.opened`."""
    received_at: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Stored: it will be done."""

    job: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyKnown:
    """The delivery, its head of this pull, or its comment has a job already that has not failed."""

    job: JobId | None
    """None for a delivery that needed no job."""
    state: JobState | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFull:
    """Nothing was stored. Try again in `retry_after` seconds."""

    retry_after: int


Acceptance = Taken | AlreadyKnown | QueueFull


def is_talk(work: Work) -> bool:
    """Whether this answers a comment."""
    return isinstance(work, AnswerComment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work. Times are seconds since 1970."""

    id: JobId
    delivery: DeliveryId
    work: Work
    state: JobState
    attempt: int
    """1 for the first run; each further run, after a killed process or a parking, is one more. 0 before the first."""
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    why: str = ""
    """Of the end, in one sentence: the verdict's reason, what superseded it, what failed."""
    verdict: str = ""
    """`pass`, `fail` or `neutral`; empty where there was no review."""
    error: str = ""
    """Kind of the error of a failed job: the name of its exception class."""
    findings: int = 0
    usd: float | None = None
    url: str = ""
    """Of the review on GitHub, or of the answer."""
    outcome: str = ""
    """What came of a comment's command; see `Ended.outcome`."""

    @property
    def repo(self) -> RepoName:
        """Where it is."""
        return self.work.place.repo

    @property
    def installation(self) -> InstallationId:
        """As whom it is done."""
        return self.work.place.installation

    @property
    def is_talk(self) -> bool:
        """Whether it answers a comment: such jobs have slots of their own."""
        return is_talk(self.work)

    @property
    def number(self) -> int | None:
        """The pull's number; None for work that is about a head."""
        return getattr(self.work, "number", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a job must not do a second time, kept before it is posted: after a kill the same review is posted, not another.

    Both are JSON. `draft` is what goes to GitHub, `review` the review as the page shows it.
    """

    draft: Mapping[str, Any]
    review: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of a run of a job."""

    state: JobState
    """DONE, SKIPPED, SUPERSEDED or FAILED; QUEUED when it was parked."""
    why: str = ""
    verdict: str = ""
    error: str = ""
    findings: int = 0
    usd: float | None = None
    url: str = ""
    timing: Mapping[str, float] = field(default_factory=dict)
    """Seconds from the delivery to: `started`, `check`, `diff`, `first_token`, `first_finding`, `first_post`, `done`; of a
    comment's command also `ack`, when its writer could see that it was read."""
    tokens_per_second: float | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    """`input_tokens`, `cached_tokens`, `output_tokens`, `calls`."""
    outcome: str = ""
    """What came of a comment's command (`bot.commands.model.Outcome.what`); empty for everything else."""
