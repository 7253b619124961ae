"""Reviews: made whole or pending, submitted, edited, dismissed, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.github import threads
from bot.sandbox.github.call import ApiError, Call, Reply, Route, not_found, unprocessable
from bot.sandbox.github.records import Json, Pull, Review
from bot.sandbox.github.review_input import commit_of_pull, review_comments, too_long, too_long_text
from bot.sandbox.github.shapes_reviews import comment_json, review_json

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def list_reviews(call: Call) -> Reply:
    """The reviews of a pull, oldest first. Somebody else's pending ones are not shown."""
    found = [review for review in threads.pull_reviews(call.repo, call.pull) if _visible(call, review)]
    return call.page([review_json(call.urls, call.repo, review) for review in found])


def get_review(call: Call) -> Reply:
    """One review."""
    return Reply(data=review_json(call.urls, call.repo, _review(call)))


def list_review_comments(call: Call) -> Reply:
    """The comments of one review."""
    review = _review(call)
    found = [each for each in call.repo.comments.values() if each.review is review]
    return call.page([comment_json(call.urls, call.repo, each) for each in found])


def create_review(call: Call) -> Reply:
    """A review with all its comments, or none of it. Without an event it stays PENDING."""
    repo, pull = call.repo, call.pull
    event = call.fields.get("event")
    body = call.text("body", required=False) or ""
    if event is not None and event not in STATES:
        raise unprocessable(f"Variable $event of type PullRequestReviewEvent was provided invalid value {event!r}")
    limit = call.options.limits.review_comments
    if limit is not None and len(call.fields.get("comments") or []) > limit:
        raise ApiError(502, "Server Error")
    commit = commit_of_pull(repo, pull, call.text("commit_id", required=False))
    comments = review_comments(call, repo, pull, commit)
    if event is not None:
        check_event(call, pull, str(event), body)
    if too_long(call, body):
        raise unprocessable(too_long_text(call).capitalize())
    pending = threads.pending_review(repo, pull, call.user)
    if pending is not None:
        raise unprocessable("User can only have one pending review per pull request")
    assert commit is not None
    review = threads.add_review(
        repo, pull, author=call.user, body=body, state=STATES.get(str(event), "PENDING"), commit_id=commit
    )
    for new in comments:
        threads.add_thread(repo, review, new, commit_id=commit)
    if event is not None:
        told(repo, review)
    return Reply(data=review_json(call.urls, repo, review))


def check_event(call: Call, pull: Pull, event: str, body: str) -> None:
    """ApiError 422 for an event that this account may not give, or that needs a body."""
    own = pull.author is call.who.user
    if event == "APPROVE" and call.who.kind == "actions":
        raise unprocessable("GitHub Actions is not permitted to approve pull requests.")
    if event == "APPROVE" and own:
        raise unprocessable("Can not approve your own pull request")
    if event == "REQUEST_CHANGES" and own:
        raise unprocessable("Can not request changes on your own pull request")
    if event in {"COMMENT", "REQUEST_CHANGES"} and not body.strip():
        # The OpenAPI says "required" in words alone; GitHub has been lenient where comments came along.
        raise unprocessable("Body can't be blank")


def told(repo: Repo, review: Review) -> None:
    """Webhooks of a review that was submitted, and of its comments."""
    repo.happened("pull_request_review", "submitted", review.author, pull=review.pull, review=review)
    for comment in list(repo.comments.values()):
        if comment.review is review:
            repo.happened("pull_request_review_comment", "created", review.author, pull=review.pull, comment=comment)


def submit_review(call: Call) -> Reply:
    """Submit a pending review."""
    review = _own_pending(call)
    event = call.fields.get("event")
    if event not in STATES:
        raise unprocessable("Event can't be blank")
    body = call.text("body", required=False)
    body = review.body if body is None else body
    check_event(call, review.pull, str(event), body)
    if too_long(call, body):
        raise unprocessable(too_long_text(call).capitalize())
    review.body, review.state, review.submitted_at = body, STATES[str(event)], call.world.now()
    told(call.repo, review)
    return Reply(data=review_json(call.urls, call.repo, review))


def update_review(call: Call) -> Reply:
    """Change the body of one's own review."""
    review, body = _review(call), call.needed("body")
    if review.author is not call.who.user:
        raise ApiError(403, "Resource not accessible by integration" if call.who.is_integration else "Forbidden")
    if too_long(call, body):
        raise unprocessable(too_long_text(call).capitalize())
    changes, review.body = {"body": {"from": review.body}}, body
    call.repo.happened("pull_request_review", "edited", call.user, pull=review.pull, review=review, changes=changes)
    return Reply(data=review_json(call.urls, call.repo, review))


def delete_review(call: Call) -> Reply:
    """Delete a pending review with its comments; a submitted one cannot be deleted."""
    review = _review(call)
    if review.state != "PENDING":
        raise unprocessable("Can not delete a non-pending pull request review")
    data: Json = review_json(call.urls, call.repo, review)
    threads.remove_review(call.repo, review)
    return Reply(data=data)


def dismiss_review(call: Call) -> Reply:
    """Dismiss an approval or a request for changes, with a message."""
    review, message = _review(call), call.needed("message")
    if review.state not in {"APPROVED", "CHANGES_REQUESTED"}:
        raise unprocessable("Can not dismiss a commented pull request review")
    review.state, review.dismissal = "DISMISSED", message
    call.repo.happened("pull_request_review", "dismissed", call.user, pull=review.pull, review=review)
    return Reply(data=review_json(call.urls, call.repo, review))


def _visible(call: Call, review: Review) -> bool:
    return review.state != "PENDING" or review.author is call.who.user


def _review(call: Call) -> Review:
    found = call.repo.reviews.get(int(call.args["review"]))
    if found is None or found.pull is not call.pull or not _visible(call, found):
        raise not_found()
    return found


def _own_pending(call: Call) -> Review:
    review = _review(call)
    if review.state != "PENDING":
        raise unprocessable("Can not submit a non-pending pull request review")
    return review


_REVIEWS = "/repos/<owner>/<name>/pulls/<int:number>/reviews"
_ONE = f"{_REVIEWS}/<int:review>"
_DOCS = "pulls/reviews#"

ROUTES = {
    ("GET", _REVIEWS): Route(
        run=list_reviews, needs="pull_requests:read", docs=f"{_DOCS}list-reviews-for-a-pull-request"
    ),
    ("POST", _REVIEWS): Route(
        run=create_review,
        needs="pull_requests:write",
        docs=f"{_DOCS}create-a-review-for-a-pull-request",
        creates=True,
    ),
    ("GET", _ONE): Route(run=get_review, needs="pull_requests:read", docs=f"{_DOCS}get-a-review-for-a-pull-request"),
    ("PUT", _ONE): Route(
        run=update_review, needs="pull_requests:write", docs=f"{_DOCS}update-a-review-for-a-pull-request"
    ),
    ("DELETE", _ONE): Route(
        run=delete_review, needs="pull_requests:write", docs=f"{_DOCS}delete-a-pending-review-for-a-pull-request"
    ),
    ("GET", f"{_ONE}/comments"): Route(
        run=list_review_comments, needs="pull_requests:read", docs=f"{_DOCS}list-comments-for-a-pull-request-review"
    ),
    ("POST", f"{_ONE}/events"): Route(
        run=submit_review, needs="pull_requests:write", docs=f"{_DOCS}submit-a-review-for-a-pull-request"
    ),
    ("PUT", f"{_ONE}/dismissals"): Route(
        run=dismiss_review, needs="pull_requests:write", docs=f"{_DOCS}dismiss-a-review-for-a-pull-request"
    ),
}
