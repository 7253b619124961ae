"""What is to be done about an event: an order for the engine, or nothing and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.commands.model import Command, CommentRef, NearMiss
from bot.hooks.events import InstallationId, Place
from bot.review.model import CommitSha, Effort, RepoName


class Cause(StrEnum):
    """Why a review is wanted. The first three are checked against `review.on` of the base's configuration."""

    OPENED = "opened"
    SYNCHRONIZE = "synchronize"
    READY_FOR_REVIEW = "ready_for_review"
    LABEL = "label"
    RETARGETED = "retargeted"
    """The base branch changed; counts as `synchronize`."""
    ASKED = "asked"
    """A person asked for it (a check run's or suite's button): done whatever `review.on` says."""
    JUDGED = "judged"
    """A finding that the gate goes by was dismissed, so the verdict is due anew: done whatever `review.on` says, and it looks
    only at what is new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPull:
    """Review a pull at this head. The newest order of a pull wins."""

    place: Place
    number: int
    head_sha: CommitSha
    base_ref: str
    cause: Cause
    title: str = ""
    author: str = ""
    draft: bool = False
    label: str = ""
    effort: Effort | None = None
    """Asked for by a button; None leaves it to the configuration."""
    force: bool = False
    """Even though this head was reviewed already."""
    asked_by: str = ""
    """Login of whoever asked for it, for the words of the summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewHead:
    """Review again whatever open pulls have this head: asked through a check run that names no pull (a fork's)."""

    place: Place
    head_sha: CommitSha
    effort: Effort | None = None
    asked_by: str = ""
    """As for `ReviewPull`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGroup:
    """Give a merge group its check: what merging made of its pulls is held against what was reviewed in them."""

    place: Place
    head_sha: CommitSha
    head_ref: str
    base_sha: CommitSha | None = None
    """What it is merged onto. None in an order of before this was kept: the name of the queue's branch ends with it."""
    base_ref: str = ""
    """Empty likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerComment:
    """Do what a comment asks for. Not what its text says now: an edit after the delivery changes nothing."""

    place: Place
    number: int
    comment: CommentRef
    sender: str
    """Login of whoever wrote it."""
    command: Command | NearMiss | None
    """None: no command, but a reply in a thread; whether that is ours, and asks something, is found out by the job."""
    text: str = ""
    """Of a reply: at most 4,000 characters. Empty for a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPull:
    """The pull was closed or became a draft: what runs or waits for it ends."""

    place: Place
    number: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopInstallation:
    """The App was removed from an account, or from some repositories of it (none named: from all)."""

    installation: InstallationId
    repos: tuple[RepoName, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Not for us. `reason` is the answer that GitHub's log of deliveries shows."""

    reason: str


Work = ReviewPull | ReviewHead | AnswerGroup | AnswerComment
"""What becomes a job."""
Order = Work | StopPull | StopInstallation | Nothing
