"""A comment answered inside Actions: its reaction first, then the answer, then the review that it asks for, in the same run.

There is no server here, so what was dismissed is read back from GitHub, and a review that a command orders is done once the
comment is answered. A commit made with a workflow's own token starts no workflow: whoever makes one here has it reviewed here.
Runs of the workflow that are under way are out of reach, and the answer to a pause says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from bot import log
from bot.action.ending import PASSED, Ending
from bot.action.event import CommentWork, ReviewWork
from bot.action.inputs import Inputs
from bot.action.reviewing import Reviewed, Skipped, review_pull
from bot.commands.model import Command, NearMiss, Outcome, Reaction, Verb
from bot.commands.serve import serve, tell_trouble
from bot.errors import NotPermittedError, OutsideError, SparkError
from bot.github.notes import WORKFLOWS
from bot.github.repo_memory import RepoMemory
from bot.github.talk import PullTalk
from bot.hooks.orders import AnswerComment
from bot.review.config import Trigger
from bot.review.model import CommitSha, Verdict
from bot.review.ports import Listener, Stop
from bot.wiring import Shared
from bot.wiring.desk import CommentDesk, CommentErrand
from bot.wiring.later import Kind, LaterReviews, Ordered

PERMISSIONS: Final = "Give the job the permissions issues: write and pull-requests: write; commits and resolved threads take contents: write"
"""What answering takes in a workflow."""
_READS_CHANGE: Final = frozenset({Verb.FIX, Verb.EXPLAIN, Verb.ASK})
UNKNOWN: Final = "unknown"
_UNANSWERED: Final = "the input post is false, so no comment is answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of a comment."""

    outcome: Outcome
    verb: str
    """`fix`; `reply` for one without a command, `unknown` for one that was meant to be one."""
    missing: str = ""
    """What the token may not do although the comment was answered, with the remedy; empty where nothing is missing."""
    review: Reviewed | Skipped | None = None
    """What was reviewed after the answer; None where nothing was to be, and where that failed."""
    failure: SparkError | None = None
    """Why the review that was to follow could not be made."""


def answer_comment(
    shared: Shared,
    inputs: Inputs,
    work: CommentWork,
    *,
    listener: Listener,
    stop: Stop,
    fields: Mapping[str, log.Field] | None = None,
) -> Answered:
    """One comment to its visible end. `stop`: of the run; answer and review have a deadline each within it.

    Raises SparkError where the answer could not be given as it should be; whoever gave the command was told of it where GitHub
    takes an answer or a reaction.
    """
    order, known = work.order, dict(fields or {})
    if not inputs.post:
        return Answered(outcome=Outcome(what="nothing", why=_UNANSWERED), verb=verb_of(order))
    reviews = LaterReviews()
    with _within(shared, stop) as answering:
        answered, account = _answered(shared, order, reviews, answering, known)
    ordered = _due(reviews.ordered, answered.outcome.commit, account)
    if ordered is None:
        return answered
    with _within(shared, stop) as reviewing:
        try:
            review = review_pull(
                shared,
                inputs,
                _work(order, ordered, answered.outcome.commit),
                listener=listener,
                stop=reviewing,
                full=f"{order.sender} asked for it" if ordered.kind is Kind.FULL else "",
                effort=ordered.effort,
                fields=known,
            )
        except SparkError as error:
            if ordered.kind is Kind.FULL:
                # The review itself was to be the answer.
                talk = _talk(shared, order, shared.posting(reviewing))
                tell_trouble(talk, ref=order.comment, sender=order.sender, error=error, fields=known)
            return replace(answered, failure=error)
    return replace(answered, review=review)


def of_answer(answered: Answered) -> Ending:
    """The end of a run that reviewed nothing. What a person did wrong or may not do is no fault of the run."""
    outcome, verb = answered.outcome, answered.verb
    if outcome.what == "nothing":
        what = "Nothing was answered"
    elif verb == "reply":
        what = "A reply was answered"
    else:
        what = f"/spark {verb} was answered" if verb != UNKNOWN else "A comment was answered"
    return Ending(
        exit_code=PASSED,
        verdict=Verdict.NEUTRAL,
        reason=". ".join(filter(None, (f"{what}: {outcome.why}", answered.missing))),
        is_usual=outcome.what != "failed" and not answered.missing,
    )


def verb_of(order: AnswerComment) -> str:
    """What a comment asks for, in one word."""
    match order.command:
        case Command(verb=verb):
            return verb.value
        case NearMiss():
            return UNKNOWN
        case None:
            return "reply"


@contextmanager
def _within(shared: Shared, stop: Stop) -> Iterator[Stop]:
    """A deadline of its own, cancelled with `stop`."""
    inner = shared.stop()
    forget = stop.on_stop(inner.cancel)
    try:
        yield inner
    finally:
        forget()
        inner.cancel()


def _answered(
    shared: Shared, order: AnswerComment, reviews: LaterReviews, stop: Stop, fields: Mapping[str, log.Field]
) -> tuple[Answered, str | None]:
    """The answer; and the account that made a commit with it, where it made one."""
    place = shared.own_place(order.place.repo, order.number)
    errand = CommentErrand(
        place=place,
        stop=stop,
        memory=RepoMemory(place.client, place.repo, stop=stop),
        reviews=reviews,
        origin="the workflow",
    )
    front = CommentDesk(shared, errand)
    try:
        missing = _seen(front.talk, order, fields) if order.command is not None else ""
        if isinstance(order.command, Command) and order.command.verb in _READS_CHANGE:
            front.expect_change()
        outcome = shared.patiently(
            lambda: serve(
                ref=order.comment,
                command=order.command,
                sender=order.sender,
                desk=front.desk(),
                text=order.text,
                fields=fields,
            ),
            stop=front.saying,
            doing="answering a comment",
            fields=fields,
        )
        account = front.talk.account if outcome.commit is not None else None
    except SparkError as error:
        _give_up(front.talk, order, error, fields)
        raise _in_a_workflow(error) from error
    except Exception as error:
        # Whoever gave the command must see that it ended; the run itself tells of the bug.
        what = f"a bug in Spark stopped it ({type(error).__name__})"
        _give_up(front.talk, order, OutsideError(what, remedy="What it had done before stands"), fields)
        raise
    finally:
        front.close()
    log.info("comment.answered", what=outcome.what, command=verb_of(order), **fields)
    return Answered(outcome=outcome, verb=verb_of(order), missing=missing), account


def _talk(shared: Shared, order: AnswerComment, stop: Stop) -> PullTalk:
    """The pull's comments, once the desk is closed."""
    place = shared.own_place(order.place.repo, order.number)
    return PullTalk(place.client, place.repo, place.number, pace=shared.pace(place.installation), stop=stop)


def _seen(talk: PullTalk, order: AnswerComment, fields: Mapping[str, log.Field]) -> str:
    """Acknowledge a command before anything is read; what the token lacks for it, when that is why it failed."""
    try:
        talk.react(order.comment, Reaction.SEEN)
    except SparkError as error:
        log.warning("comment.not_acknowledged", why=str(error), **fields)
        return f"It got no reaction: {error.what}. {PERMISSIONS}" if isinstance(error, NotPermittedError) else ""
    return ""


def _give_up(talk: PullTalk, order: AnswerComment, error: SparkError, fields: Mapping[str, log.Field]) -> None:
    # Of a reply nobody knows yet whether it was for us.
    if order.command is not None:
        tell_trouble(talk, ref=order.comment, sender=order.sender, error=error, fields=fields)


def _in_a_workflow(error: SparkError) -> SparkError:
    """With the permissions as a workflow writes them."""
    if not isinstance(error, NotPermittedError):
        return error
    return NotPermittedError(error.what, remedy=f"{PERMISSIONS}. {error.remedy}")


def _due(ordered: Ordered | None, commit: CommitSha | None, account: str | None) -> Ordered | None:
    """The review that is due after the answer; None where there is none."""
    # Another token's commit is a push like any other: the workflow hears of it.
    starts_nothing = commit is not None and account in {WORKFLOWS, None}
    return ordered or (Ordered(kind=Kind.CATCH_UP) if starts_nothing else None)


def _work(order: AnswerComment, ordered: Ordered, commit: CommitSha | None) -> ReviewWork:
    by_itself = ordered.kind is Kind.CATCH_UP and not ordered.judges
    return ReviewWork(
        repo=order.place.repo,
        number=order.number,
        trigger=Trigger.SYNCHRONIZE if by_itself else None,
        # GitHub may still show the head before it.
        head_sha=commit,
    )
