"""What is to be done about an event. Pure: asks nobody, keeps nothing, and does not know the repository's configuration.

So it orders generously where the configuration decides (`review.on`, the name of the label): the worker reads that from the
base branch and may still do nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from bot.commands.grammar import parse
from bot.commands.model import CommentKind
from bot.hooks.events import (
    CheckAsked,
    CheckedPull,
    CommentMade,
    Event,
    GroupAsked,
    InstallationChanged,
    Other,
    Ping,
    Place,
    PullAction,
    PullChanged,
    Sender,
    SuiteAsked,
)
from bot.hooks.orders import (
    AnswerComment,
    AnswerGroup,
    Cause,
    Nothing,
    Order,
    ReviewHead,
    ReviewPull,
    StopInstallation,
    StopPull,
)
from bot.review.model import CommitSha, Effort, RepoName

CHECK_NAME: Final = "spark"
"""Of our check runs; a button of another check run of our App is not ours to answer."""
DEEP_BUTTON: Final = "deep"
"""Identifier of the button that asks for a review with effort `deep`."""

_CAUSES: Final = {
    PullAction.OPENED: Cause.OPENED,
    PullAction.REOPENED: Cause.OPENED,
    PullAction.SYNCHRONIZE: Cause.SYNCHRONIZE,
    PullAction.READY_FOR_REVIEW: Cause.READY_FOR_REVIEW,
    PullAction.RETARGETED: Cause.RETARGETED,
    PullAction.LABELED: Cause.LABEL,
}
_NEW_DIFF: Final = frozenset({PullAction.SYNCHRONIZE, PullAction.RETARGETED})
_OUR_MARK: Final = "<!-- spark:"
"""Begins every hidden mark of our own comments: a text that has one is ours, or a copy of ours."""
_SLASH: Final = re.compile(r"\n[^\w\n]*/")
REPLY_LENGTH: Final = 4_000
"""So much of a reply is read."""
_NEW_PULL: Final = frozenset({PullAction.OPENED, PullAction.REOPENED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Of this server. Without `app_id` no check run is ours, without `app_slug` own events are only known as a bot's."""

    app_id: int | None
    app_slug: str | None
    allowed_repos: tuple[str, ...]
    """`owner/name` globs, in any case; none: every repository."""


def decide(event: Event, rules: Rules, *, reviews_drafts: Callable[[RepoName], bool]) -> Order:
    """The order that follows from `event`; `Nothing` says why in one sentence, for GitHub's log of deliveries."""
    match event:
        case Ping():
            return Nothing(reason=f"pong: {event.zen}" if event.zen else "pong")
        case Other():
            return Nothing(reason=event.why or f"Spark does nothing on {event.what}")
        case InstallationChanged():
            return _installation(event)
        case PullChanged() | CheckAsked() | SuiteAsked() | GroupAsked() | CommentMade() if not _allowed(
            event.place, rules
        ):
            return Nothing(reason=f"{event.place.repo} is not among SPARK_ALLOWED_REPOS")
        case GroupAsked():
            # Whoever sends it (a queue works for itself): without an answer the queue stands still.
            return AnswerGroup(
                place=event.place,
                head_sha=event.head_sha,
                head_ref=event.head_ref,
                base_sha=event.base_sha,
                base_ref=event.base_ref,
            )
        case PullChanged(action=PullAction.SYNCHRONIZE) if _ourselves(event.sender, rules):
            # A commit that somebody had Spark make with a command: the new head needs its check, whoever opened the pull.
            return _pull(event, reviews_drafts, asked=True)
        case PullChanged() | CheckAsked() | SuiteAsked() | CommentMade() if _ourselves(event.sender, rules):
            return Nothing(reason="Our own event")
        case CommentMade():
            return _comment(event)
        case PullChanged():
            return _pull(event, reviews_drafts)
        case CheckAsked():
            return _check(event, rules)
        case SuiteAsked():
            return _suite(event, rules)


def _allowed(place: Place, rules: Rules) -> bool:
    repo = place.repo.lower()
    return not rules.allowed_repos or any(fnmatchcase(repo, glob.lower()) for glob in rules.allowed_repos)


def _ourselves(sender: Sender, rules: Rules) -> bool:
    return rules.app_slug is not None and sender.login.lower() == f"{rules.app_slug.lower()}[bot]"


def _comment(event: CommentMade) -> Order:
    if event.sender.is_bot:
        return Nothing(reason=f"A bot's comment ({event.sender.login})")
    if event.through_app:
        return Nothing(reason=f"A comment that an App wrote in the name of {event.sender.login}")
    if _OUR_MARK in event.body:
        return Nothing(reason="A comment with a mark of Spark's own in it")
    # A command begins a line. Most comments have no such line, and reading one of 65,536 characters costs a millisecond.
    ref, command = event.comment, parse(event.body) if _SLASH.search(f"\n{event.body}") else None
    # Whether it is asked something by a reply is found out by reading it, in the job.
    answers = ref.root not in {None, ref.id}
    replies = command is None and ref.kind is CommentKind.THREAD and answers and bool(event.body.strip())
    if command is None and not replies:
        return Nothing(reason="A comment without a command")
    text = event.body[:REPLY_LENGTH] if replies else ""
    return AnswerComment(
        place=event.place,
        number=event.number,
        comment=ref,
        sender=event.sender.login,
        command=command,
        text=text,
    )


def _pull(event: PullChanged, reviews_drafts: Callable[[RepoName], bool], *, asked: bool = False) -> Order:
    """`asked`: a person wants it, although a bot did it."""
    place, pull, action = event.place, event.pull, event.action
    if action is PullAction.CLOSED:
        # Also when a bot closed it, as merge queues do: stopping starts nothing.
        return StopPull(place=place, number=pull.number, why="The pull request was closed")
    if not pull.is_open:
        return Nothing(reason="The pull request is closed")
    if action is PullAction.CONVERTED_TO_DRAFT:
        if reviews_drafts(place.repo):
            return Nothing(reason="A draft, and drafts are reviewed here")
        return StopPull(place=place, number=pull.number, why="The pull request became a draft")
    bot = "" if asked else _why_a_bots(event)
    if bot:
        return Nothing(reason=bot)
    if pull.draft and not reviews_drafts(place.repo):
        return Nothing(reason="A draft: it is reviewed when it is ready for review")
    return ReviewPull(
        place=place,
        number=pull.number,
        head_sha=pull.head_sha,
        base_ref=pull.base_ref,
        cause=_CAUSES[action],
        title=pull.title,
        author=pull.author,
        draft=pull.draft,
        label=event.label,
    )


def _why_a_bots(event: PullChanged) -> str:
    """Why this counts as a bot's doing; empty where a person wants the review."""
    author_is_bot = event.pull.author_is_bot
    if event.sender.is_bot:
        # A bot's push to a person's pull (an autofix) makes another diff, and the new head needs its check.
        if event.action in _NEW_DIFF and not author_is_bot:
            return ""
        return f"A bot's event ({event.sender.login})"
    if author_is_bot and event.action in _NEW_PULL:
        return f"A bot's pull request ({event.pull.author})"
    return ""


def _check(event: CheckAsked, rules: Rules) -> Order:
    # Whoever has no write access is shown no such button (observed: OpenAstronomy/baldrick issue 86; GitHub's reference does
    # not say it), so a person's press is taken as leave. What it may cost is bounded by the budgets all the same.
    if event.app_id != rules.app_id or event.name != CHECK_NAME:
        return Nothing(reason="Another App's check" if event.app_id != rules.app_id else "Another check of this App")
    if event.identifier not in {"", DEEP_BUTTON}:
        return Nothing(reason="This check has no such button")
    effort = Effort.DEEP if event.identifier == DEEP_BUTTON else None
    return _again(event.place, event.sender, event.head_sha, event.pulls, effort)


def _suite(event: SuiteAsked, rules: Rules) -> Order:
    if event.app_id != rules.app_id:
        return Nothing(reason="Another App's checks")
    return _again(event.place, event.sender, event.head_sha, event.pulls, None)


def _again(
    place: Place, sender: Sender, head: CommitSha, pulls: tuple[CheckedPull, ...], effort: Effort | None
) -> Order:
    if sender.is_bot:
        return Nothing(reason=f"A bot's event ({sender.login})")
    ours = [each for each in pulls if each.head_sha == head]
    if len(ours) != 1:
        # None is named for a fork's head, and several may share one: who looks it up finds them all.
        return ReviewHead(place=place, head_sha=head, effort=effort, asked_by=sender.login)
    return ReviewPull(
        place=place,
        number=ours[0].number,
        head_sha=head,
        base_ref=ours[0].base_ref,
        cause=Cause.ASKED,
        effort=effort,
        force=True,
        asked_by=sender.login,
    )


def _installation(event: InstallationChanged) -> Order:
    if event.removed:
        done = "deleted" if event.action == "deleted" else "suspended"
        return StopInstallation(installation=event.installation, repos=(), why=f"The App was {done} by {event.account}")
    if event.repos_removed:
        # Never with no names: those would be all repositories.
        why = f"The App was removed from {len(event.repos_removed)} repositories of {event.account}"
        return StopInstallation(installation=event.installation, repos=event.repos_removed, why=why)
    return Nothing(reason=f"Noted: the installation of {event.account} ({event.action})")
