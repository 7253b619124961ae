"""Review comments, replies, and comments of the conversation."""

from __future__ import annotations

from bot.sandbox.github import talk, threads
from bot.sandbox.github.call import ApiError, Call, Reply, Route, not_found, validation_failed
from bot.sandbox.github.records import Comment, IssueComment
from bot.sandbox.github.review_input import check_body, single_comment
from bot.sandbox.github.shapes_pulls import issue_comment_json
from bot.sandbox.github.shapes_reviews import comment_json


def list_comments(call: Call) -> Reply:
    """The review comments of a pull; `sort`, `direction` and `since` as GitHub has them."""
    return call.page(
        [comment_json(call.urls, call.repo, each) for each in _listed(call) if each.thread.pull is call.pull]
    )


def list_all_comments(call: Call) -> Reply:
    """The review comments of all pulls."""
    return call.page([comment_json(call.urls, call.repo, each) for each in _listed(call)])


def _listed(call: Call) -> list[Comment]:
    since = call.query.get("since", "")
    found = [
        each
        for each in call.repo.comments.values()
        if each.review.state != "PENDING" and (not since or each.updated_at >= since)
    ]
    if call.query.get("sort") == "updated":
        found.sort(key=lambda each: (each.updated_at, each.id))
    if call.query.get("sort") and call.query.get("direction", "desc") == "desc":
        found.reverse()
    return found


def create_comment(call: Call) -> Reply:
    """One comment, which is its own review; with `in_reply_to` a reply, and all else is ignored."""
    reply_to = call.fields.get("in_reply_to")
    if reply_to is not None:
        return _reply(call, int(reply_to))
    repo, pull = call.repo, call.pull
    new, commit = single_comment(call, repo, pull)
    pending = threads.pending_review(repo, pull, call.user)
    if pending is not None:
        text = "user_id can only have one pending review per pull request"
        raise validation_failed(
            {"resource": "PullRequestReview", "code": "custom", "field": "user_id", "message": text}
        )
    review = threads.add_review(repo, pull, author=call.user, body="", state="COMMENTED", commit_id=commit)
    comment = threads.add_thread(repo, review, new, commit_id=commit)
    repo.happened("pull_request_review_comment", "created", call.user, pull=pull, comment=comment)
    return _created(call, comment)


def create_reply(call: Call) -> Reply:
    """A reply to a thread's first comment."""
    return _reply(call, int(call.args["comment"]))


def _reply(call: Call, to: int) -> Reply:
    repo, pull, body = call.repo, call.pull, call.needed("body")
    parent = repo.comments.get(to)
    if parent is None or parent.thread.pull is not pull or parent.review.state == "PENDING":
        raise not_found()
    if parent.reply_to is not None:
        text = "in_reply_to must be a top-level review comment"
        raise validation_failed({"resource": "PullRequestReviewComment", "code": "custom", "message": text})
    check_body(call, body, "PullRequestReviewComment")
    review = threads.add_review(
        repo, pull, author=call.user, body="", state="COMMENTED", commit_id=parent.thread.original_commit_id
    )
    comment = threads.add_comment(repo, parent.thread, review, author=call.user, body=body, reply_to=to)
    repo.happened("pull_request_review_comment", "created", call.user, pull=pull, comment=comment)
    return _created(call, comment)


def _created(call: Call, comment: Comment) -> Reply:
    data = comment_json(call.urls, call.repo, comment)
    return Reply(status=201, data=data, headers={"Location": data["url"]})


def get_comment(call: Call) -> Reply:
    """One review comment."""
    return Reply(data=comment_json(call.urls, call.repo, find_comment(call)))


def update_comment(call: Call) -> Reply:
    """Change a review comment's body."""
    comment, body = find_comment(call), call.needed("body")
    _only_author(call, comment)
    check_body(call, body, "PullRequestReviewComment")
    pull, changes = comment.thread.pull, {"body": {"from": comment.body}}
    comment.body, comment.updated_at = body, call.world.now()
    call.repo.happened("pull_request_review_comment", "edited", call.user, pull=pull, comment=comment, changes=changes)
    return Reply(data=comment_json(call.urls, call.repo, comment))


def delete_comment(call: Call) -> Reply:
    """Delete a review comment."""
    comment = find_comment(call)
    _only_author(call, comment)
    threads.remove_comment(call.repo, comment)
    pull = comment.thread.pull
    call.repo.happened("pull_request_review_comment", "deleted", call.user, pull=pull, comment=comment)
    return Reply(status=204)


def find_comment(call: Call) -> Comment:
    """The review comment of the path. ApiError 404 when there is none that this account may see."""
    found = call.repo.comments.get(int(call.args["comment"]))
    if found is None or (found.review.state == "PENDING" and found.author is not call.who.user):
        raise not_found()
    return found


def _only_author(call: Call, comment: Comment | IssueComment) -> None:
    if comment.author is call.who.user or call.repo.level(call.user.login) in {"write", "maintain", "admin"}:
        return
    raise ApiError(403, "Resource not accessible by integration" if call.who.is_integration else "Forbidden")


# The conversation


def list_issue_comments(call: Call) -> Reply:
    """The conversation, oldest first."""
    since = call.query.get("since", "")
    found = [each for each in call.repo.issue_comments.values() if each.pull is call.pull and each.updated_at >= since]
    return call.page([issue_comment_json(call.urls, call.repo, each) for each in found])


def create_issue_comment(call: Call) -> Reply:
    """A comment in the conversation."""
    repo, pull, body = call.repo, call.pull, call.needed("body")
    check_body(call, body, "IssueComment")
    comment = talk.add_issue_comment(repo, pull, call.user, body, call.who.app)
    repo.happened("issue_comment", "created", call.user, pull=pull, comment=comment)
    data = issue_comment_json(call.urls, repo, comment)
    return Reply(status=201, data=data, headers={"Location": data["url"]})


def get_issue_comment(call: Call) -> Reply:
    """One comment of the conversation."""
    return Reply(data=issue_comment_json(call.urls, call.repo, find_issue_comment(call)))


def update_issue_comment(call: Call) -> Reply:
    """Change a comment's body."""
    comment, body, before = find_issue_comment(call), call.needed("body"), find_issue_comment(call).body
    _only_author(call, comment)
    check_body(call, body, "IssueComment")
    comment.body, comment.updated_at = body, call.world.now()
    changes = {"body": {"from": before}}
    call.repo.happened("issue_comment", "edited", call.user, pull=comment.pull, comment=comment, changes=changes)
    return Reply(data=issue_comment_json(call.urls, call.repo, comment))


def delete_issue_comment(call: Call) -> Reply:
    """Delete a comment."""
    comment = find_issue_comment(call)
    _only_author(call, comment)
    del call.repo.issue_comments[comment.id]
    call.repo.happened("issue_comment", "deleted", call.user, pull=comment.pull, comment=comment)
    return Reply(status=204)


def find_issue_comment(call: Call) -> IssueComment:
    """The conversation's comment of the path. ApiError 404 when there is none."""
    found = call.repo.issue_comments.get(int(call.args["comment"]))
    if found is None:
        raise not_found()
    return found


_REPO = "/repos/<owner>/<name>"
_OF_PULL = f"{_REPO}/pulls/<int:number>/comments"
_ONE = f"{_REPO}/pulls/comments/<int:comment>"
_TALK = f"{_REPO}/issues/<int:number>/comments"
_TALK_ONE = f"{_REPO}/issues/comments/<int:comment>"
_DOCS, _TALK_DOCS = "pulls/comments#", "issues/comments#"
_READ, _WRITE = "pull_requests:read", "pull_requests:write"
_TALK_READ, _TALK_WRITE = "issues:read|pull_requests:read", "issues:write|pull_requests:write"

ROUTES = {
    ("GET", _OF_PULL): Route(run=list_comments, needs=_READ, docs=f"{_DOCS}list-review-comments-on-a-pull-request"),
    ("POST", _OF_PULL): Route(
        run=create_comment, needs=_WRITE, docs=f"{_DOCS}create-a-review-comment-for-a-pull-request", creates=True
    ),
    ("POST", f"{_OF_PULL}/<int:comment>/replies"): Route(
        run=create_reply, needs=_WRITE, docs=f"{_DOCS}create-a-reply-for-a-review-comment", creates=True
    ),
    ("GET", f"{_REPO}/pulls/comments"): Route(
        run=list_all_comments, needs=_READ, docs=f"{_DOCS}list-review-comments-in-a-repository"
    ),
    ("GET", _ONE): Route(run=get_comment, needs=_READ, docs=f"{_DOCS}get-a-review-comment-for-a-pull-request"),
    ("PATCH", _ONE): Route(run=update_comment, needs=_WRITE, docs=f"{_DOCS}update-a-review-comment-for-a-pull-request"),
    ("DELETE", _ONE): Route(
        run=delete_comment, needs=_WRITE, docs=f"{_DOCS}delete-a-review-comment-for-a-pull-request"
    ),
    ("GET", _TALK): Route(run=list_issue_comments, needs=_TALK_READ, docs=f"{_TALK_DOCS}list-issue-comments"),
    ("POST", _TALK): Route(
        run=create_issue_comment, needs=_TALK_WRITE, docs=f"{_TALK_DOCS}create-an-issue-comment", creates=True
    ),
    ("GET", _TALK_ONE): Route(run=get_issue_comment, needs=_TALK_READ, docs=f"{_TALK_DOCS}get-an-issue-comment"),
    ("PATCH", _TALK_ONE): Route(
        run=update_issue_comment, needs=_TALK_WRITE, docs=f"{_TALK_DOCS}update-an-issue-comment"
    ),
    ("DELETE", _TALK_ONE): Route(
        run=delete_issue_comment, needs=_TALK_WRITE, docs=f"{_TALK_DOCS}delete-an-issue-comment"
    ),
}
