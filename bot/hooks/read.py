"""Bytes of a delivery to a typed event. No dict leaves this module; what is to be done is `bot.hooks.decide`'s question.

Strict about what is used, indifferent to the rest. Events and actions that nobody acts on become `Other`.
Source of the shapes: GitHub's docs, "Webhook events and payloads", and the example payloads in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bot.commands.model import CommentKind, CommentRef
from bot.diff.model import Patch
from bot.hooks.events import (
    COMMENT_EVENTS,
    CheckAsked,
    CheckedPull,
    CommentMade,
    Event,
    GroupAsked,
    InstallationChanged,
    InstallationId,
    Other,
    Ping,
    Place,
    PullAction,
    PullChanged,
    PullSeen,
    Sender,
    SuiteAsked,
)
from bot.hooks.payload import MalformedDeliveryError, Node, read_object
from bot.review.memory import CommentId
from bot.review.render.safe import Redactor

__all__ = ["MalformedDeliveryError", "read_event"]

_GHOST: Final = Sender(login="ghost", is_bot=False)
"""What GitHub shows for an account that is gone; payloads say null."""
_LOGIN: Final = 100
_TITLE: Final = 300
_BODY: Final = 65_536
"""GitHub takes no longer comments (observed: its 422 says so)."""
_EDITS: Final = "Edits never ask for anything: write a new comment"
_QUEUE_REF: Final = 500
"""`refs/heads/gh-readonly-queue/`, the base branch, the pull's number and a commit id."""


def read_event(name: str, body: bytes) -> Event:
    """The event called `name` (`X-GitHub-Event`) with this payload.

    Raises MalformedDeliveryError, which names the JSON path that is wrong. Checks no signature.
    """
    payload = read_object(body)
    reader = _READERS.get(name)
    return reader(payload) if reader is not None else Other(what=_what(name, payload))


def _what(name: str, payload: Node) -> str:
    # Some events have no action at all, so whatever stands there is no mistake.
    try:
        action = payload.text("action", most=40, default="")
    except MalformedDeliveryError:
        action = ""
    return f"{name}.{action}" if action else name


def _pull_request(payload: Node) -> Event:
    named = payload.text("action", most=40)
    if named == "edited":
        # Only a new base branch changes the diff; titles and texts are edited all the time.
        changes = payload.part_or_none("changes")
        retargeted = changes is not None and changes.part_or_none("base") is not None
        action = PullAction.RETARGETED if retargeted else None
    else:
        action = _PULL_ACTIONS.get(named)
    if action is None:
        return Other(what=f"pull_request.{named}")
    label = payload.part_or_none("label") if action is PullAction.LABELED else None
    return PullChanged(
        action=action,
        place=_place(payload),
        sender=_account(payload.part_or_none("sender")),
        pull=_pull(payload.part("pull_request")),
        label=label.text("name") if label is not None else "",
    )


def _pull(pull: Node) -> PullSeen:
    author = _account(pull.part_or_none("user"))
    head, base = pull.part("head"), pull.part("base")
    head_repo = head.part_or_none("repo")
    return PullSeen(
        number=pull.number("number"),
        # It is stored and shown in lists, by those who know nothing of secrets.
        title=Redactor(Patch(files=())).redact(pull.text("title", most=_TITLE)),
        author=author.login,
        author_is_bot=author.is_bot,
        head_sha=head.sha("sha"),
        base_sha=base.sha("sha"),
        base_ref=base.ref("ref"),
        head_repo=head_repo.repo("full_name") if head_repo is not None else None,
        draft=pull.flag("draft"),
        is_open=pull.text("state") == "open",
    )


def _check_run(payload: Node) -> Event:
    action = payload.text("action", most=40)
    if action not in {"rerequested", "requested_action"}:
        return Other(what=f"check_run.{action}")
    place, run = _place(payload), payload.part("check_run")
    return CheckAsked(
        place=place,
        sender=_account(payload.part_or_none("sender")),
        app_id=_app_id(run),
        name=run.text("name"),
        head_sha=run.sha("head_sha"),
        pulls=_checked_pulls(run, place),
        external_id=run.text("external_id", default=""),
        identifier=_identifier(payload) if action == "requested_action" else "",
    )


def _identifier(payload: Node) -> str:
    button = payload.part("requested_action")
    found = button.text("identifier")
    if not found:
        # An empty one would pass for `rerequested`.
        raise MalformedDeliveryError(f"{button.path}.identifier is empty")
    return found


def _check_suite(payload: Node) -> Event:
    action = payload.text("action", most=40)
    if action != "rerequested":
        return Other(what=f"check_suite.{action}")
    place, suite = _place(payload), payload.part("check_suite")
    return SuiteAsked(
        place=place,
        sender=_account(payload.part_or_none("sender")),
        app_id=_app_id(suite),
        head_sha=suite.sha("head_sha"),
        pulls=_checked_pulls(suite, place),
    )


def _app_id(check: Node) -> int:
    app = check.part_or_none("app")
    return app.id("id") if app is not None else 0


def _checked_pulls(check: Node, place: Place) -> tuple[CheckedPull, ...]:
    found = []
    for each in check.parts("pull_requests"):
        base = each.part("base")
        # In a fork's repository GitHub may name a pull into the repository it was forked from.
        if base.part("repo").id("id") == place.repo_id:
            head = each.part("head").sha("sha")
            found.append(CheckedPull(number=each.number("number"), head_sha=head, base_ref=base.ref("ref")))
    return tuple(found)


def _merge_group(payload: Node) -> Event:
    action = payload.text("action", most=40)
    if action != "checks_requested":
        return Other(what=f"merge_group.{action}")
    group = payload.part("merge_group")
    return GroupAsked(
        place=_place(payload),
        sender=_account(payload.part_or_none("sender")),
        head_sha=group.sha("head_sha"),
        head_ref=group.ref("head_ref", most=_QUEUE_REF),
        base_sha=group.sha("base_sha"),
        base_ref=group.ref("base_ref", most=_QUEUE_REF),
    )


def _issue_comment(payload: Node) -> Event:
    action = payload.text("action", most=40)
    if action != "created":
        return _unheard("issue_comment", action)
    issue = payload.part("issue")
    if issue.part_or_none("pull_request") is None:
        return Other(
            what=COMMENT_EVENTS[CommentKind.CONVERSATION], why="A comment on an issue, which is not a pull request"
        )
    return _comment_made(payload, issue, payload.part("comment"), CommentKind.CONVERSATION)


def _review_comment(payload: Node) -> Event:
    action = payload.text("action", most=40)
    if action != "created":
        return _unheard("pull_request_review_comment", action)
    return _comment_made(payload, payload.part("pull_request"), payload.part("comment"), CommentKind.THREAD)


def _review(payload: Node) -> Event:
    action = payload.text("action", most=40)
    if action != "submitted":
        return _unheard("pull_request_review", action)
    review = payload.part("review")
    if not review.prose("body", most=_BODY).strip():
        # Its line comments come as events of their own.
        return Other(what=COMMENT_EVENTS[CommentKind.REVIEW], why="A review without a text of its own")
    return _comment_made(payload, payload.part("pull_request"), review, CommentKind.REVIEW)


def _unheard(name: str, action: str) -> Other:
    return Other(what=f"{name}.{action}", why=_EDITS if action in {"edited", "deleted"} else "")


def _comment_made(payload: Node, pull: Node, comment: Node, kind: CommentKind) -> Event:
    user = comment.part_or_none("user")
    if user is None:
        # Not the ghost that is shown for it: somebody has that login, and may have rights.
        return Other(what=COMMENT_EVENTS[kind], why="The account that wrote it is gone")
    author, sender = _account(user), _account(payload.part_or_none("sender"))
    found = CommentId(comment.id("id"))
    root = found if kind is CommentKind.THREAD else None
    if kind is CommentKind.THREAD and not comment.is_null("in_reply_to_id"):
        root = CommentId(comment.id("in_reply_to_id"))
    return CommentMade(
        place=_place(payload),
        sender=Sender(login=author.login, is_bot=author.is_bot or sender.is_bot),
        number=pull.number("number"),
        comment=CommentRef(kind=kind, id=found, node_id=comment.node_id("node_id"), root=root),
        body=comment.prose("body", most=_BODY),
        through_app=not comment.is_null("performed_via_github_app"),
    )


def _installation(payload: Node) -> Event:
    action = payload.text("action", most=40)
    if action not in {"created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"}:
        return Other(what=f"installation.{action}")
    return _installed(payload, action, removed=action in {"deleted", "suspend"})


def _installation_repositories(payload: Node) -> Event:
    action = payload.text("action", most=40)
    if action not in {"added", "removed"}:
        return Other(what=f"installation_repositories.{action}")
    return _installed(payload, action, removed=False)


def _installed(payload: Node, action: str, *, removed: bool) -> InstallationChanged:
    installation = payload.part("installation")
    account = installation.part_or_none("account")
    # An enterprise has a slug where people and organisations have a login.
    name = "" if account is None else account.text("login", most=_LOGIN, default="") or account.text("slug", default="")
    gone = payload.parts("repositories_removed") if action == "removed" else []
    return InstallationChanged(
        installation=InstallationId(installation.id("id")),
        account=name,
        sender=_account(payload.part_or_none("sender")),
        removed=removed,
        repos_removed=tuple(each.repo("full_name") for each in gone),
        action=action,
    )


def _ping(payload: Node) -> Event:
    return Ping(zen=payload.text("zen", default=""))


def _place(payload: Node) -> Place:
    repo, installation = payload.part("repository"), payload.part_or_none("installation")
    return Place(
        repo=repo.repo("full_name"),
        repo_id=repo.id("id"),
        installation=InstallationId(installation.id("id") if installation is not None else 0),
    )


def _account(user: Node | None) -> Sender:
    if user is None:
        return _GHOST
    login = user.text("login", most=_LOGIN)
    # The suffix is GitHub's own and no person can have it: brackets are not allowed in a login.
    return Sender(login=login, is_bot=user.text("type", default="User") == "Bot" or login.endswith("[bot]"))


_PULL_ACTIONS: Final[Mapping[str, PullAction]] = {
    "opened": PullAction.OPENED,
    "reopened": PullAction.REOPENED,
    "synchronize": PullAction.SYNCHRONIZE,
    "ready_for_review": PullAction.READY_FOR_REVIEW,
    "converted_to_draft": PullAction.CONVERTED_TO_DRAFT,
    "labeled": PullAction.LABELED,
    "closed": PullAction.CLOSED,
}
_READERS: Final[Mapping[str, Callable[[Node], Event]]] = {
    "pull_request": _pull_request,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "merge_group": _merge_group,
    "issue_comment": _issue_comment,
    "pull_request_review_comment": _review_comment,
    "pull_request_review": _review,
    "installation": _installation,
    "installation_repositories": _installation_repositories,
    "ping": _ping,
}
