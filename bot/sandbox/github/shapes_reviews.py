"""GitHub's JSON of reviews and their comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.github.records import Comment, Json, Review
from bot.sandbox.github.shapes import Urls, user_json
from bot.sandbox.github.shapes_pulls import association, reactions_json

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo


def review_json(urls: Urls, repo: Repo, review: Review) -> dict[str, Json]:
    """A review. `submitted_at` is missing while it is pending."""
    number = review.pull.number
    html = f"{urls.web}/{repo.full_name}/pull/{number}#pullrequestreview-{review.id}"
    pull_url = f"{urls.api}/repos/{repo.full_name}/pulls/{number}"
    found: dict[str, Json] = {
        "id": review.id,
        "node_id": review.node_id,
        "user": user_json(urls, review.author),
        "body": review.body,
        "state": review.state,
        "html_url": html,
        "pull_request_url": pull_url,
        "author_association": association(repo, review.author),
        "_links": {"html": {"href": html}, "pull_request": {"href": pull_url}},
        "commit_id": review.commit_id,
    }
    if review.submitted_at is not None:
        found["submitted_at"] = review.submitted_at
    return found


def comment_json(urls: Urls, repo: Repo, comment: Comment) -> dict[str, Json]:
    """A review comment."""
    thread = comment.thread
    number = thread.pull.number
    own = f"{urls.api}/repos/{repo.full_name}/pulls/comments/{comment.id}"
    html = f"{urls.web}/{repo.full_name}/pull/{number}#discussion_r{comment.id}"
    pull_url = f"{urls.api}/repos/{repo.full_name}/pulls/{number}"
    found: dict[str, Json] = {
        "url": own,
        "pull_request_review_id": comment.review.id,
        "id": comment.id,
        "node_id": comment.node_id,
        "diff_hunk": thread.diff_hunk,
        "path": thread.path,
        "commit_id": thread.commit_id,
        "original_commit_id": thread.original_commit_id,
        "user": user_json(urls, comment.author),
        "body": comment.body,
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "html_url": html,
        "pull_request_url": pull_url,
        "author_association": association(repo, comment.author),
        "_links": {"self": {"href": own}, "html": {"href": html}, "pull_request": {"href": pull_url}},
        "reactions": reactions_json(own, comment.reactions),
        "start_line": thread.start_line,
        "original_start_line": thread.original_start_line,
        "start_side": thread.start_side.value if thread.start_side else None,
        "line": thread.line,
        "original_line": thread.original_line,
        "side": thread.side.value,
        "original_position": thread.original_position,
        "position": thread.position,
        "subject_type": "file" if thread.whole_file else "line",
    }
    if comment.reply_to is not None:
        found["in_reply_to_id"] = comment.reply_to
    return found
