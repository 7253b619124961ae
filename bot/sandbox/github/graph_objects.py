"""Repositories, pulls, reviews, threads and comments as GraphQL objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.sandbox.github import threads
from bot.sandbox.github.access import sees
from bot.sandbox.github.call import Call
from bot.sandbox.github.graph_base import Node, changed_file, connection, git_object, user
from bot.sandbox.github.graph_errors import RefusedError, no_node
from bot.sandbox.github.graph_talk import issue_comment, reactable
from bot.sandbox.github.records import Comment, IssueComment, Json, Pull, Review, Thread

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo


def root(call: Call) -> Node:
    """The fields of Query."""
    return {
        "viewer": lambda _: _viewer(call),
        "repository": lambda _, owner, name, **__: _repository(call, owner, name),
        "node": lambda _, id: _node(call, id),  # noqa: A006 - GitHub's word
        "nodes": lambda _, ids: [_node_or_error(call, each) for each in ids],
        "rateLimit": lambda _, **__: _rate_limit(call),
    }


def _viewer(call: Call) -> Node:
    if call.who.user is None:
        raise RefusedError("FORBIDDEN", "Resource not accessible by integration")
    # For an App's token GitHub gives its bot here, as a User.
    return user(call, call.who.user) | {"__typename": "User", "name": call.who.user.name}


def _rate_limit(call: Call) -> Node:
    window = call.rates.window(call.who.key, "graphql")
    reset = datetime.fromtimestamp(window.reset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"cost": 1, "limit": window.limit, "remaining": window.remaining, "used": window.used, "resetAt": reset}


def _repository(call: Call, owner: str, name: str) -> Node:
    found = call.world.repos.get(f"{owner}/{name}".lower())
    if found is None or not sees(call.world, call.who, found):
        raise RefusedError("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
    return repository(call, found)


def _node(call: Call, node_id: str) -> Node:
    record = call.world.nodes.get(node_id)
    repo = repo_of(call, record)
    if repo is None or not sees(call.world, call.who, repo):
        raise no_node(node_id)
    return RENDER[type(record)](call, repo, record)


def _node_or_error(call: Call, node_id: str) -> Node | RefusedError:
    """Of several, one that is not there is null with an error of its own, and costs the others nothing."""
    try:
        return _node(call, node_id)
    except RefusedError as error:
        return error


def repo_of(call: Call, record: object) -> Repo | None:
    """The repository that a record belongs to."""
    pull = {
        Pull: lambda each: each,
        Review: lambda each: each.pull,
        Thread: lambda each: each.pull,
        Comment: lambda each: each.thread.pull,
        IssueComment: lambda each: each.pull,
    }.get(type(record))
    if pull is None:
        return None
    return call.world.repos.get(pull(record).base_repo.lower())


def repository(call: Call, repo: Repo) -> Node:
    """A Repository."""
    level = repo.level(call.who.user.login) if call.who.user else "read"
    return {
        "__typename": "Repository",
        "id": repo.node_id,
        "databaseId": repo.id,
        "name": repo.name,
        "nameWithOwner": repo.full_name,
        "isPrivate": repo.private,
        "isFork": repo.parent is not None,
        "url": f"{call.urls.web}/{repo.full_name}",
        "defaultBranchRef": lambda _: ref(call, repo, repo.default_branch),
        "ref": lambda _, **args: ref(call, repo, args["qualifiedName"].removeprefix("refs/heads/")),
        "object": lambda _, expression=None, oid=None: git_object(call, repo, expression or oid),
        "pullRequest": lambda _, number: _pull_of(call, repo, number),
        "pullRequests": lambda _, **args: _pulls(call, repo, args),
        "viewerPermission": None if level == "none" else level.upper(),
    }


def _pull_of(call: Call, repo: Repo, number: int) -> Node:
    found = repo.pulls.get(number)
    if found is None:
        raise RefusedError("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
    return pull(call, repo, found)


def _pulls(call: Call, repo: Repo, args: Mapping[str, Json]) -> Node:
    states = args.get("states")
    found = [
        each
        for each in repo.pulls.values()
        if (states is None or _state(each) in states)
        and args.get("headRefName") in {None, each.head_ref}
        and args.get("baseRefName") in {None, each.base_ref}
    ]
    return connection("pullRequests", found, lambda each: pull(call, repo, each), args)


def ref(call: Call, repo: Repo, branch: str) -> Node | None:
    """A Ref, None for a branch that is not there."""
    sha = repo.git.resolve(f"refs/heads/{branch}")
    if sha is None:
        return None
    return {
        "__typename": "Ref",
        "id": f"REF_{repo.node_id}_{branch}",
        "name": branch,
        "prefix": "refs/heads/",
        "target": lambda _: git_object(call, repo, sha),
        "repository": lambda _: repository(call, repo),
    }


def _state(record: Pull) -> str:
    return "MERGED" if record.merged_at else record.state.upper()


def pull(call: Call, repo: Repo, record: Pull) -> Node:
    """A PullRequest."""
    diff = repo.diff(record)
    head = call.world.repos.get((record.head_repo or "").lower())
    return {
        "__typename": "PullRequest",
        "id": record.node_id,
        "databaseId": record.id,
        "number": record.number,
        "title": record.title,
        "body": record.body or "",
        "state": _state(record),
        "isDraft": record.draft,
        "url": f"{call.urls.web}/{repo.full_name}/pull/{record.number}",
        "author": user(call, record.author),
        "baseRefName": record.base_ref,
        "baseRefOid": record.base_sha,
        "headRefName": record.head_ref,
        "headRefOid": record.head_sha,
        "headRepository": lambda _: repository(call, head) if head else None,
        "additions": diff.additions,
        "deletions": diff.deletions,
        "changedFiles": len(diff.files),
        "files": lambda _, **args: connection("files", diff.files, changed_file, args),
        "reviews": lambda _, **args: _reviews(call, repo, record, args),
        "reviewThreads": lambda _, **args: connection(
            "reviewThreads",
            [each for each in threads.pull_threads(repo, record) if _shown(call, each)],
            lambda each: thread(call, repo, each),
            args,
        ),
        "comments": lambda _, **args: connection(
            "comments",
            [each for each in repo.issue_comments.values() if each.pull is record],
            lambda each: issue_comment(call, repo, each),
            args,
        ),
        "commits": lambda _, **args: connection(
            "commits",
            repo.commits(record),
            lambda each: {"id": f"PRC_{each.sha}", "commit": git_object(call, repo, each.sha)},
            args,
        ),
        "repository": lambda _: repository(call, repo),
        "mergeable": "MERGEABLE" if repo.mergeable(record) else "CONFLICTING",
        "isCrossRepository": record.head_repo != repo.full_name,
        "maintainerCanModify": record.maintainer_can_modify,
    } | reactable(call, repo, record, lambda: pull(call, repo, record))


def _reviews(call: Call, repo: Repo, record: Pull, args: Mapping[str, Json]) -> Node:
    states, author = args.get("states"), args.get("author")
    found = [
        each
        for each in threads.pull_reviews(repo, record)
        if (each.state != "PENDING" or each.author is call.who.user)
        and (states is None or each.state in states)
        and author in {None, each.author.login}
    ]
    return connection("reviews", found, lambda each: review(call, repo, each), args)


def review(call: Call, repo: Repo, record: Review) -> Node:
    """A PullRequestReview."""
    number = record.pull.number
    own = [each for each in repo.comments.values() if each.review is record]
    return {
        "__typename": "PullRequestReview",
        "id": record.node_id,
        "databaseId": record.id,
        "author": user(call, record.author),
        "body": record.body,
        "state": record.state,
        "url": f"{call.urls.web}/{repo.full_name}/pull/{number}#pullrequestreview-{record.id}",
        "submittedAt": record.submitted_at,
        "createdAt": record.created_at,
        "commit": lambda _: git_object(call, repo, record.commit_id),
        "comments": lambda _, **args: _comments(call, repo, own, args),
        "pullRequest": lambda _: pull(call, repo, record.pull),
        "isMinimized": record.minimized is not None,
        "minimizedReason": record.minimized,
        "viewerDidAuthor": record.author is call.who.user,
    } | reactable(call, repo, record, lambda: review(call, repo, record))


def _comments(call: Call, repo: Repo, found: list[Comment], args: Mapping[str, Json]) -> Node:
    seen = [each for each in found if visible(call, each)]
    return connection("comments", seen, lambda each: comment(call, repo, each), args)


def visible(call: Call, record: Comment) -> bool:
    """Whether the caller sees a comment: one of a pending review is seen by its author alone."""
    return record.review.state != "PENDING" or record.author is call.who.user


def _shown(call: Call, record: Thread) -> bool:
    return any(visible(call, each) for each in record.comments)


def thread(call: Call, repo: Repo, record: Thread) -> Node:
    """A PullRequestReviewThread."""
    resolved = record.resolved_by
    return {
        "__typename": "PullRequestReviewThread",
        "id": record.node_id,
        "isResolved": resolved is not None,
        "isOutdated": record.outdated,
        "isCollapsed": resolved is not None or record.outdated,
        "path": record.path,
        "line": record.line,
        "startLine": record.start_line,
        "originalLine": record.original_line,
        "originalStartLine": record.original_start_line,
        "diffSide": record.side.value,
        "startDiffSide": record.start_side.value if record.start_side else None,
        "subjectType": "FILE" if record.whole_file else "LINE",
        "resolvedBy": user(call, resolved) if resolved else None,
        "comments": lambda _, **args: _comments(call, repo, record.comments, args),
        "pullRequest": lambda _: pull(call, repo, record.pull),
        "viewerCanReply": True,
        "viewerCanResolve": resolved is None,
        "viewerCanUnresolve": resolved is not None,
    }


def comment(call: Call, repo: Repo, record: Comment) -> Node:
    """A PullRequestReviewComment."""
    place = record.thread
    parent = repo.comments.get(record.reply_to) if record.reply_to is not None else None
    return {
        "__typename": "PullRequestReviewComment",
        "id": record.node_id,
        "databaseId": record.id,
        "author": user(call, record.author),
        "body": record.body,
        "path": place.path,
        "diffHunk": place.diff_hunk,
        "line": place.line,
        "startLine": place.start_line,
        "originalLine": place.original_line,
        "outdated": place.outdated,
        "url": f"{call.urls.web}/{repo.full_name}/pull/{place.pull.number}#discussion_r{record.id}",
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "replyTo": lambda _: comment(call, repo, parent) if parent else None,
        "pullRequestReview": lambda _: review(call, repo, record.review),
        "commit": lambda _: git_object(call, repo, place.commit_id),
        "originalCommit": lambda _: git_object(call, repo, place.original_commit_id),
        "isMinimized": record.minimized is not None,
        "minimizedReason": record.minimized,
        "viewerDidAuthor": record.author is call.who.user,
    } | reactable(call, repo, record, lambda: comment(call, repo, record))


RENDER: dict[type, Callable[[Call, Repo, Json], Node]] = {
    Pull: pull,
    Review: review,
    Thread: thread,
    Comment: comment,
    IssueComment: issue_comment,
}
"""Record type to its GraphQL object."""
