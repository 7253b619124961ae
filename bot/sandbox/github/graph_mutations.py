"""The GraphQL mutations: reviews begun and submitted, threads, resolving, minimizing, commits on a branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphql import GraphQLResolveInfo

from bot.diff.model import Side
from bot.sandbox.github import graph_objects as objects
from bot.sandbox.github import graph_talk, reactions, threads
from bot.sandbox.github.access import sees
from bot.sandbox.github.call import ApiError, Call
from bot.sandbox.github.graph_access import may, record_of
from bot.sandbox.github.graph_base import Node
from bot.sandbox.github.graph_commits import create_commit
from bot.sandbox.github.graph_errors import FORBIDDEN, RefusedError, no_node, unprocessable
from bot.sandbox.github.records import Comment, IssueComment, Json, Pull, Review, Thread
from bot.sandbox.github.review_input import commit_of_pull
from bot.sandbox.github.routes_reviews import STATES, check_event, told
from bot.sandbox.github.rules import Place, Refusal, Spot, find_place, one_text
from bot.sandbox.github.threads import NewComment

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

Input = Mapping[str, Json]


def root(call: Call) -> Node:
    """The fields of Mutation."""
    return {name: _field(call, run) for name, run in MUTATIONS.items()}


def _field(call: Call, run: Callable[[Call, Input], Node]) -> Callable[..., Node]:
    def resolve(info: GraphQLResolveInfo[Any], input: Input) -> Node:  # noqa: A002 - GitHub's word
        broken = call.broken
        if broken is not None and {str(info.path.key), info.field_name} & set(broken.fields):
            raise RefusedError(broken.type, broken.message or "Something went wrong while executing your query.")
        return run(call, input) | {"clientMutationId": input.get("clientMutationId")}

    return resolve


def _checked(call: Call, pull: Pull, event: str, body: str) -> None:
    try:
        check_event(call, pull, event, body)
    except ApiError as error:
        raise unprocessable(str((error.errors or [error.message])[0])) from error


def _fits(call: Call, text: str) -> str:
    most = call.options.limits.body_characters
    if len(text) > most:
        raise unprocessable(f"Body is too long (maximum is {most} characters)")
    return text


def add_review(call: Call, given: Input) -> Node:
    """A review with its threads; without an event it stays pending."""
    repo, pull = record_of(call, given["pullRequestId"], Pull, "pull_requests:write")
    commit = commit_of_pull(repo, pull, given.get("commitOID"))
    if commit is None:
        raise unprocessable("Start commit oid is not part of the pull request")
    diff = repo.diff(pull, commit)
    found: list[NewComment] = []
    refusals: list[Refusal] = []
    spots = [(_thread_spot(each), each["body"]) for each in given.get("threads") or []]
    spots += [
        (Spot(path=each["path"], position=each["position"]), each["body"]) for each in given.get("comments") or []
    ]
    for spot, body in spots:
        place = find_place(diff, spot)
        if isinstance(place, Place):
            found.append(NewComment(place=place, body=_fits(call, body)))
        else:
            refusals.extend(place)
    if refusals:
        raise unprocessable(one_text(refusals))
    event, body = given.get("event"), _fits(call, given.get("body") or "")
    if event is not None:
        _checked(call, pull, event, body)
    if threads.pending_review(repo, pull, call.user) is not None:
        raise unprocessable("User can only have one pending review per pull request")
    state = STATES.get(str(event), "PENDING")
    review = threads.add_review(repo, pull, author=call.user, body=body, state=state, commit_id=commit)
    for new in found:
        threads.add_thread(repo, review, new, commit_id=commit)
    if event is not None:
        told(repo, review)
    return {"pullRequestReview": objects.review(call, repo, review)}


def _thread_spot(given: Input) -> Spot:
    start = given.get("startLine")
    return Spot(
        path=given["path"],
        line=given.get("line"),
        side=Side(given.get("side") or "RIGHT"),
        start_line=start,
        start_side=Side(given.get("startSide") or "RIGHT") if start is not None else None,
        whole_file=given.get("subjectType") == "FILE",
    )


def _pending_of(call: Call, given: Input) -> tuple[Repo, Review]:
    if given.get("pullRequestReviewId"):
        repo, review = record_of(call, given["pullRequestReviewId"], Review, "pull_requests:write")
    elif given.get("pullRequestId"):
        repo, pull = record_of(call, given["pullRequestId"], Pull, "pull_requests:write")
        pending = threads.pending_review(repo, pull, call.user)
        review = pending or threads.add_review(
            repo, pull, author=call.user, body="", state="PENDING", commit_id=pull.head_sha
        )
    else:
        raise unprocessable("A pull request or a pull request review must be given")
    if review.author is not call.who.user:
        raise RefusedError("FORBIDDEN", FORBIDDEN.get(call.who.kind, "Not the author of this review"))
    return repo, review


def add_thread(call: Call, given: Input) -> Node:
    """A thread in a pending review. Lines outside the diff are taken, and then never shown, as on GitHub."""
    repo, review = _pending_of(call, given)
    if review.state != "PENDING":
        raise unprocessable("Can not add a thread to a submitted pull request review")
    place = find_place(repo.diff(review.pull, review.commit_id), _thread_spot(given))
    if isinstance(place, Place):
        new = NewComment(place=place, body=_fits(call, given["body"]))
        comment = threads.add_thread(repo, review, new, commit_id=review.commit_id)
        return {"thread": objects.thread(call, repo, comment.thread)}
    if _no_such_path(place):
        raise unprocessable(one_text(place))
    return {"thread": objects.thread(call, repo, _lost_thread(call, review, given))}


def _no_such_path(refusals: tuple[Refusal, ...]) -> bool:
    return any(refusal.field in {"path", ""} for refusal in refusals)


def _lost_thread(call: Call, review: Review, given: Input) -> Thread:
    line = given.get("line") or 1
    return call.world.named(
        "PRRT",
        lambda number, node_id: Thread(
            id=number,
            node_id=node_id,
            pull=review.pull,
            path=given["path"],
            side=Side(given.get("side") or "RIGHT"),
            line=None,
            original_line=line,
            start_side=None,
            start_line=None,
            original_start_line=given.get("startLine"),
            position=None,
            original_position=0,
            diff_hunk="",
            commit_id=review.commit_id,
            original_commit_id=review.commit_id,
            original_base=review.commit_id,
        ),
    )


def add_reply(call: Call, given: Input) -> Node:
    """A reply, in a pending review if one is given or begun, else at once."""
    repo, thread = record_of(call, given["pullRequestReviewThreadId"], Thread, "pull_requests:write")
    if not thread.comments:
        raise no_node(given["pullRequestReviewThreadId"])
    pull = thread.pull
    review = threads.pending_review(repo, pull, call.user)
    if given.get("pullRequestReviewId"):
        _, review = _pending_of(call, given)
        if review.pull is not pull:
            raise unprocessable("The review belongs to another pull request")
        if review.state != "PENDING":
            raise unprocessable("Can not add a reply to a submitted pull request review")
    at_once = review is None
    if review is None:
        review = threads.add_review(
            repo, pull, author=call.user, body="", state="COMMENTED", commit_id=thread.original_commit_id
        )
    body = _fits(call, given["body"])
    comment = threads.add_comment(repo, thread, review, author=call.user, body=body, reply_to=thread.comments[0].id)
    if at_once:
        repo.happened("pull_request_review_comment", "created", call.user, pull=pull, comment=comment)
    return {"comment": objects.comment(call, repo, comment)}


def submit_review(call: Call, given: Input) -> Node:
    """Submit one's pending review."""
    repo, review = _pending_of(call, given)
    if review.state != "PENDING":
        raise unprocessable("Can not submit a non-pending pull request review")
    event = given["event"]
    body = _fits(call, given["body"] if given.get("body") is not None else review.body)
    if event == "DISMISS":
        raise unprocessable("Can not dismiss a pending pull request review")
    has_comments = any(each.review is review for each in repo.comments.values())
    # Unlike the REST endpoint, this one is known to take a COMMENT without a body when there are comments.
    if not (event == "COMMENT" and has_comments):
        _checked(call, review.pull, event, body)
    review.body, review.state, review.submitted_at = body, STATES[event], call.world.now()
    told(repo, review)
    return {"pullRequestReview": objects.review(call, repo, review)}


def delete_review(call: Call, given: Input) -> Node:
    """Delete one's pending review."""
    repo, review = _pending_of(call, given)
    if review.state != "PENDING":
        raise unprocessable("Can not delete a non-pending pull request review")
    shown = objects.review(call, repo, review)
    threads.remove_review(repo, review)
    return {"pullRequestReview": shown}


def update_comment(call: Call, given: Input) -> Node:
    """Change one's own comment. Nobody is notified of an edit; while its review is pending nobody is told of it either."""
    node_id = given["pullRequestReviewCommentId"]
    repo, comment = record_of(call, node_id, Comment, "pull_requests:write")
    if comment.id not in repo.comments or not objects.visible(call, comment):
        raise no_node(node_id)
    if comment.author is not call.who.user:
        raise RefusedError("FORBIDDEN", FORBIDDEN.get(call.who.kind, "Not the author of this comment"))
    body = _fits(call, given["body"])
    if not body.strip():
        raise unprocessable("Body can't be blank")
    changes = {"body": {"from": comment.body}}
    comment.body, comment.updated_at = body, call.world.now()
    if comment.review.state != "PENDING":
        pull = comment.thread.pull
        repo.happened("pull_request_review_comment", "edited", call.user, pull=pull, comment=comment, changes=changes)
    return {"pullRequestReviewComment": objects.comment(call, repo, comment)}


def resolve_thread(call: Call, given: Input) -> Node:
    """Resolve a thread. An App needs `contents: write` for it (seen on GitHub)."""
    return _resolve(call, given, resolved=True)


def unresolve_thread(call: Call, given: Input) -> Node:
    """Open a thread again."""
    return _resolve(call, given, resolved=False)


def _resolve(call: Call, given: Input, *, resolved: bool) -> Node:
    repo, thread = record_of(call, given["threadId"], Thread, "pull_requests:write")
    if call.who.is_integration:
        may(call, repo, "contents:write")
    elif thread.pull.author is not call.who.user and repo.level(call.user.login) in {"none", "read"}:
        raise RefusedError(
            "FORBIDDEN", f"{call.user.login} does not have the correct permissions to resolve this thread"
        )
    thread.resolved_by = call.user if resolved else None
    action = "resolved" if resolved else "unresolved"
    repo.happened("pull_request_review_thread", action, call.user, pull=thread.pull, thread=thread)
    return {"thread": objects.thread(call, repo, thread)}


def minimize(call: Call, given: Input) -> Node:
    """Fold a comment or review away, with its reason."""
    record = call.world.nodes.get(given["subjectId"])
    repo = objects.repo_of(call, record)
    if repo is None or not isinstance(record, Comment | IssueComment | Review):
        raise no_node(given["subjectId"])
    may(call, repo, "pull_requests:write")
    record.minimized = given["classifier"].lower().replace("_", "-")
    return {"minimizedComment": objects.RENDER[type(record)](call, repo, record)}


def add_reaction(call: Call, given: Input) -> Node:
    """React; again is the same as once."""
    repo, record = _reactable(call, given["subjectId"])
    found, _ = reactions.put(call.world, record, call.user, graph_talk.rest_name(given["content"]))
    return graph_talk.reacted(call, record, found, lambda: objects.RENDER[type(record)](call, repo, record))


def remove_reaction(call: Call, given: Input) -> Node:
    """Take one's reaction back; nothing happens where there is none."""
    repo, record = _reactable(call, given["subjectId"])
    found = reactions.take_back(record, call.user, graph_talk.rest_name(given["content"]))
    return graph_talk.reacted(call, record, found, lambda: objects.RENDER[type(record)](call, repo, record))


def _reactable(call: Call, node_id: str) -> tuple[Repo, reactions.Reactable]:
    record = call.world.nodes.get(node_id)
    repo = objects.repo_of(call, record)
    if repo is None or not isinstance(record, reactions.Reactable) or not sees(call.world, call.who, repo):
        raise no_node(node_id)
    talk = isinstance(record, IssueComment | Pull)
    may(call, repo, "issues:write|pull_requests:write" if talk else "pull_requests:write")
    return repo, record


MUTATIONS: dict[str, Callable[[Call, Input], Node]] = {
    "addPullRequestReview": add_review,
    "addPullRequestReviewThread": add_thread,
    "addPullRequestReviewThreadReply": add_reply,
    "submitPullRequestReview": submit_review,
    "deletePullRequestReview": delete_review,
    "updatePullRequestReviewComment": update_comment,
    "resolveReviewThread": resolve_thread,
    "unresolveReviewThread": unresolve_thread,
    "minimizeComment": minimize,
    "createCommitOnBranch": create_commit,
    "addReaction": add_reaction,
    "removeReaction": remove_reaction,
}
"""Mutation to what it does."""
