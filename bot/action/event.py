"""What a run of a workflow is about: its event and its inputs, read to one of four kinds of work. Asks nobody anything.

What the workflow's `on:` lets through is wanted, so a bot's pull request and actions that a server leaves alone are work here.
Refuses events that name no pull request, each with the remedy, and a payload of another repository.
Source of the variables and the file: GitHub's docs, "Variables reference" and "Events that trigger workflows".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.action.inputs import Inputs
from bot.errors import ConfigError
from bot.hooks.events import COMMENT_EVENTS, CommentMade, Other, PullAction, PullChanged
from bot.hooks.payload import MalformedDeliveryError, Node, read_object
from bot.hooks.read import read_event
from bot.review.config_names import Trigger
from bot.review.model import CommitSha, RepoName

if TYPE_CHECKING:
    from bot.hooks.orders import AnswerComment

PULL_EVENTS: Final = frozenset({"pull_request", "pull_request_target"})
COMMENT_EVENT_NAMES: Final = frozenset(COMMENT_EVENTS[kind].partition(".")[0] for kind in COMMENT_EVENTS)
ON_THE_HEAD: Final = COMMENT_EVENT_NAMES - {"issue_comment"}
"""Runs whose own check stands on the head of the pull request, beside that of the push: were it green whatever is said there, any
comment could pass for the verdict of a red head. Source: GitHub's docs, "Events that trigger workflows" (`GITHUB_SHA`)."""
DEPENDABOT: Final = "dependabot[bot]"
"""The token of what it starts is read-only, and no secret is there. Source: GitHub's docs, "Dependabot on Actions"."""
FORK: Final = "the pull request comes from a fork"
BY_DEPENDABOT: Final = "Dependabot started this run"
_CONVERSATION: Final = "commands are heard in the conversation, by the event issue_comment"
_TRIGGERS: Final = {
    PullAction.OPENED: Trigger.OPENED,
    PullAction.REOPENED: Trigger.OPENED,
    PullAction.SYNCHRONIZE: Trigger.SYNCHRONIZE,
    PullAction.RETARGETED: Trigger.SYNCHRONIZE,
    PullAction.READY_FOR_REVIEW: Trigger.READY_FOR_REVIEW,
    PullAction.LABELED: Trigger.LABEL,
}
_MOST_PAYLOAD: Final = 26_214_400
"""25 MiB, GitHub's own limit for a payload."""
_REPO: Final = re.compile(r"[A-Za-z0-9_-]{1,64}/[A-Za-z0-9._-]{1,100}")
_QUEUE_REF: Final = 500
_WANTED: Final = (
    "pull_request, pull_request_target, issue_comment, pull_request_review_comment, pull_request_review, merge_group or "
    "workflow_dispatch"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewWork:
    """Review a pull request, as it is when it is read."""

    repo: RepoName
    number: int
    trigger: Trigger | None = None
    """Checked against `review.on` of the base's configuration; None: this very review was asked for."""
    label: str = ""
    """The label of `labeled`."""
    action: str = ""
    """As GitHub names it: `opened`; empty where the event has none."""
    head_sha: CommitSha | None = None
    """The head that the event is about, where it names one: the job's own check stands there."""
    read_only: str = ""
    """Why GitHub gives this run a token that writes nothing, unless a setting raises it; empty where nothing is known of that."""
    is_certain: bool = False
    """No setting can raise it, so posting need not be tried."""
    base_ref: str = ""
    """The branch that the event names as the pull's base; empty where it names none. It may be another one by now."""
    is_known_only: bool = False
    """A head that was reviewed is given its verdict, and any other is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentWork:
    """Do what a comment asks for."""

    order: AnswerComment
    standing: ReviewWork | None = None
    """The verdict that the run ends with all the same, because its check stands on the head of the pull request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWork:
    """Give a merge group its verdict."""

    repo: RepoName
    base_sha: CommitSha
    head_sha: CommitSha
    head_ref: str
    """`refs/heads/gh-readonly-queue/<base>/pr-<number>-<sha>` where GitHub made it."""
    base_ref: str
    """`refs/heads/<base>`, as the payload has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWork:
    """Nothing is to be done, and that is no fault."""

    reason: str
    """One sentence without a full stop."""
    standing: ReviewWork | None = None
    """As of `CommentWork`."""


Work = ReviewWork | CommentWork | GroupWork | NoWork


def read_work(env: Mapping[str, str], inputs: Inputs) -> Work:
    """The work of this run. Raises ConfigError for an event that is none of ours, and MalformedDeliveryError for a payload."""
    name, repo = _event_name(env), _repository(env)
    if name in PULL_EVENTS:
        return _pull(name, repo, _payload(env), env, inputs)
    if name in COMMENT_EVENT_NAMES:
        return _comment(name, repo, _payload(env), env, inputs)
    if name == "merge_group":
        return _group(repo, _payload(env), inputs)
    if inputs.pull is not None:
        return ReviewWork(repo=repo, number=inputs.pull)
    if name == "workflow_dispatch":
        return ReviewWork(repo=repo, number=_dispatched(read_object(_payload(env))))
    raise ConfigError(
        f"the event {name[:60]} names no pull request",
        remedy=f"Run this step on {_WANTED}, or name a pull request with the input pull.",
    )


def _event_name(env: Mapping[str, str]) -> str:
    name = env.get("GITHUB_EVENT_NAME", "")
    if not name:
        raise ConfigError("GITHUB_EVENT_NAME is not set", remedy="Run this inside GitHub Actions.")
    return name


def _repository(env: Mapping[str, str]) -> RepoName:
    repo = env.get("GITHUB_REPOSITORY", "")
    if not _REPO.fullmatch(repo) or repo.endswith(("/.", "/..")):
        raise ConfigError(f"GITHUB_REPOSITORY is {repo[:60]!r}", remedy="Run this inside GitHub Actions.")
    return RepoName(repo)


def _payload(env: Mapping[str, str]) -> bytes:
    place = env.get("GITHUB_EVENT_PATH", "")
    if not place:
        raise ConfigError("GITHUB_EVENT_PATH is not set", remedy="Run this inside GitHub Actions.")
    try:
        with Path(place).open("rb") as file:
            body = file.read(_MOST_PAYLOAD + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(f"the event file {place} cannot be read ({why})", remedy="Run it on the runner.") from error
    if len(body) > _MOST_PAYLOAD:
        raise ConfigError(f"the event file {place} has more than 25 MiB", remedy="Run it on GitHub's own event.")
    return body


def _pull(name: str, repo: RepoName, body: bytes, env: Mapping[str, str], inputs: Inputs) -> Work:
    # `pull_request_target` has the payload of `pull_request`.
    event = read_event("pull_request", body)
    payload = read_object(body)
    _same_repository(payload, repo)
    pull = payload.part("pull_request")
    number, action = pull.number("number"), payload.text("action", most=40, default="")
    read_only, certain = _read_only(name, repo, payload, env)
    if inputs.pull is not None and inputs.pull != number:
        return ReviewWork(repo=repo, number=inputs.pull, action=action, read_only=read_only, is_certain=certain)
    if pull.text("state", default="open") == "closed":
        return NoWork(reason="The pull request is closed")
    # Whatever else the workflow listens to is wanted too: without a verdict of its own, a title's edit would turn a red job
    # green.
    return ReviewWork(
        repo=repo,
        number=number,
        trigger=_TRIGGERS.get(event.action) if isinstance(event, PullChanged) else None,
        label=event.label if isinstance(event, PullChanged) else "",
        action=action,
        head_sha=pull.part("head").sha("sha"),
        base_ref=pull.part("base").ref("ref"),
        read_only=read_only,
        is_certain=certain,
    )


def _read_only(name: str, repo: RepoName, payload: Node, env: Mapping[str, str]) -> tuple[str, bool]:
    """Why the token writes nothing, and whether that is certain."""
    if name == "pull_request_target":
        return "", False
    if env.get("GITHUB_ACTOR") == DEPENDABOT:
        # The workflow may say otherwise.
        return BY_DEPENDABOT, False
    head = payload.part("pull_request").part("head").part_or_none("repo")
    if head is None or head.repo("full_name").lower() != repo.lower():
        # Only for a private repository can it be set that runs for forks get a token that writes.
        return FORK, not payload.part("repository").flag("private")
    return "", False


def _comment(name: str, repo: RepoName, body: bytes, env: Mapping[str, str], inputs: Inputs) -> Work:
    event, payload = read_event(name, body), read_object(body)
    _same_repository(payload, repo)
    standing = _standing(name, repo, payload, env) if name in ON_THE_HEAD else None
    if isinstance(event, Other):
        return NoWork(reason=event.why or f"Spark does nothing on {event.what}", standing=standing)
    if not isinstance(event, CommentMade):
        raise MalformedDeliveryError(f"the payload is none of {name}")
    if inputs.pull is not None and inputs.pull != event.number:
        raise ConfigError(
            f"the input pull is {inputs.pull}, but the comment is on #{event.number}",
            remedy="Leave the input pull out for comments: the event names its pull request.",
        )
    from bot.hooks.decide import Rules, decide  # noqa: PLC0415 - brings the commands, which no pull request's event has
    from bot.hooks.orders import AnswerComment, Nothing  # noqa: PLC0415 - as above

    rules = Rules(app_id=None, app_slug="github-actions", allowed_repos=())
    match decide(event, rules, reviews_drafts=lambda _: False):
        case AnswerComment() if standing is not None and standing.is_certain:
            return NoWork(
                reason=f"{FORK[:1].upper()}{FORK[1:]}, so this run may not answer: {_CONVERSATION}", standing=standing
            )
        case AnswerComment() as order:
            return CommentWork(order=order, standing=standing)
        case Nothing(reason=reason):
            return NoWork(reason=reason, standing=standing)
        case other:
            raise MalformedDeliveryError(f"a comment became {type(other).__name__}")


def _standing(name: str, repo: RepoName, payload: Node, env: Mapping[str, str]) -> ReviewWork | None:
    """The verdict of the head as it is; None where the pull is closed, for there nothing can be merged."""
    pull = payload.part("pull_request")
    if pull.text("state", default="open") == "closed":
        return None
    read_only, certain = _read_only(name, repo, payload, env)
    return ReviewWork(
        repo=repo,
        number=pull.number("number"),
        trigger=Trigger.SYNCHRONIZE,
        read_only=read_only,
        is_certain=certain,
        is_known_only=True,
    )


def _group(repo: RepoName, body: bytes, inputs: Inputs) -> Work:
    payload = read_object(body)
    _same_repository(payload, repo)
    action = payload.text("action", most=40, default="")
    if action != "checks_requested":
        return NoWork(reason=f"Spark does nothing on merge_group.{action}")
    if inputs.pull is not None:
        raise ConfigError(
            "the input pull is set for a merge group",
            remedy="Leave it out for merge_group: the group names its pull requests.",
        )
    group = payload.part("merge_group")
    return GroupWork(
        repo=repo,
        base_sha=group.sha("base_sha"),
        head_sha=group.sha("head_sha"),
        head_ref=group.ref("head_ref", most=_QUEUE_REF),
        base_ref=group.ref("base_ref", most=_QUEUE_REF),
    )


def _dispatched(payload: Node) -> int:
    """The number that somebody typed into the form, or sent: always a text there."""
    asked = payload.part_or_none("inputs")
    for name in ("pull", "number"):
        text = "" if asked is None else asked.text(name, most=20, default="").strip().removeprefix("#")
        if text.isascii() and text.isdigit() and 0 < int(text) < 2**31:
            return int(text)
        if text:
            raise ConfigError(
                f"the workflow's input {name} is {text!r}", remedy="Give it the number of a pull request."
            )
    raise ConfigError(
        "workflow_dispatch names no pull request",
        remedy="Give the workflow an input pull, or pass its number on in the Action's own input pull.",
    )


def _same_repository(payload: Node, repo: RepoName) -> None:
    named = payload.part("repository").repo("full_name")
    if named.lower() != repo.lower():
        raise ConfigError(
            f"the event is of {named}, but GITHUB_REPOSITORY is {repo}", remedy="Run it on the runner's own event."
        )
