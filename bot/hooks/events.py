"""Every event the program knows, as a closed union of values. Past the door nobody sees a payload.

`bot.hooks.read` makes these of bytes; `bot.hooks.decide` turns one into an order. Fields are what somebody needs, no more.
Source of the shapes: GitHub's published webhook payloads (OpenAPI of webhooks, docs: webhook events and payloads).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from bot.commands.model import CommentKind, CommentRef
from bot.review.model import CommitSha, RepoName

DeliveryId = NewType("DeliveryId", str)
"""`X-GitHub-Delivery`: a GUID that a redelivery keeps."""
InstallationId = NewType("InstallationId", int)
"""Of the App on an account. 0 where a payload names none: a repository's own webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who did it. Not an authorisation: what somebody may do is asked of GitHub."""

    login: str
    is_bot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it happened."""

    repo: RepoName
    repo_id: int
    installation: InstallationId


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSeen:
    """The pull request as the payload shows it; it may have moved on since."""

    number: int
    title: str
    author: str
    author_is_bot: bool
    head_sha: CommitSha
    base_sha: CommitSha
    base_ref: str
    head_repo: RepoName | None
    """None when the fork was deleted."""
    draft: bool
    is_open: bool


class PullAction(StrEnum):
    """What happened to a pull request, as far as it matters here."""

    OPENED = "opened"
    REOPENED = "reopened"
    SYNCHRONIZE = "synchronize"
    READY_FOR_REVIEW = "ready_for_review"
    CONVERTED_TO_DRAFT = "converted_to_draft"
    RETARGETED = "retargeted"
    """`edited` with another base branch: the diff is another one, although the head is not."""
    LABELED = "labeled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullChanged:
    """`pull_request`."""

    action: PullAction
    place: Place
    sender: Sender
    pull: PullSeen
    label: str = ""
    """The label of `labeled`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPull:
    """A pull that GitHub names with a check. Its head may be newer than what was checked: GitHub goes by the branch too."""

    number: int
    head_sha: CommitSha
    base_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAsked:
    """`check_run` rerequested or requested_action: a person wants it again."""

    place: Place
    sender: Sender
    app_id: int
    """The App that made the check run: another App's is none of our business. 0 where the payload names none."""
    name: str
    head_sha: CommitSha
    pulls: tuple[CheckedPull, ...]
    """Pulls into this repository; GitHub names none for a fork's."""
    external_id: str
    """What we wrote into the check run: the id of the job that made it."""
    identifier: str = ""
    """Of the button, for requested_action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteAsked:
    """`check_suite` rerequested: all checks of a head again."""

    place: Place
    sender: Sender
    app_id: int
    head_sha: CommitSha
    pulls: tuple[CheckedPull, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAsked:
    """`merge_group` checks_requested: the queue wants a check on the group's head."""

    place: Place
    sender: Sender
    head_sha: CommitSha
    head_ref: str
    base_sha: CommitSha
    """What the group is merged onto."""
    base_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentMade:
    """`issue_comment` created on a pull, `pull_request_review_comment` created, `pull_request_review` submitted with a text."""

    place: Place
    sender: Sender
    """Who wrote it; a bot where either the author or who sent it is one."""
    number: int
    """Of the pull."""
    comment: CommentRef
    body: str
    """At most 65,536 characters, which is GitHub's own limit, with `\\n` line ends and no other control character but tabs."""
    through_app: bool = False
    """Some App wrote it in a person's name (`performed_via_github_app`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationChanged:
    """`installation` and `installation_repositories`."""

    installation: InstallationId
    account: str
    sender: Sender
    removed: bool
    """The App was deleted or suspended: nothing can be done there any more."""
    repos_removed: tuple[RepoName, ...] = ()
    action: str = ""
    """As GitHub names it; `added` and `removed` are of `installation_repositories`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """`ping`: GitHub tries the address."""

    zen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """An event or action that we do not act on. `what` names it: `issues.opened`."""

    what: str
    why: str = ""
    """Why nothing is done on what we do read: `An edit of a comment asks for nothing`. Empty for what nobody here reads."""


Event = PullChanged | CheckAsked | SuiteAsked | GroupAsked | CommentMade | InstallationChanged | Ping | Other

COMMENT_EVENTS: Final[Mapping[CommentKind, str]] = {
    CommentKind.CONVERSATION: "issue_comment.created",
    CommentKind.THREAD: "pull_request_review_comment.created",
    CommentKind.REVIEW: "pull_request_review.submitted",
}
"""The event and action that bring a comment of each kind."""


def event_name(event: Event) -> str:
    """The event with its action as GitHub names them: `pull_request.opened`; at most 100 characters."""
    match event:
        case PullChanged(action=PullAction.RETARGETED):
            return "pull_request.edited"
        case PullChanged():
            return f"pull_request.{event.action}"
        case CheckAsked():
            return "check_run.requested_action" if event.identifier else "check_run.rerequested"
        case SuiteAsked():
            return "check_suite.rerequested"
        case GroupAsked():
            return "merge_group.checks_requested"
        case CommentMade():
            return COMMENT_EVENTS[event.comment.kind]
        case InstallationChanged(action="added" | "removed"):
            return f"installation_repositories.{event.action}"
        case InstallationChanged():
            return f"installation.{event.action}"[:100]
        case Ping():
            return "ping"
        case Other():
            return event.what[:100]
