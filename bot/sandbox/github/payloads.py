"""Webhook payloads in GitHub's shape, rendered from what happened. Held against GitHub's published schemas in the tests."""

from __future__ import annotations

from bot.sandbox.github.happening import Happening
from bot.sandbox.github.records import CheckRun, Comment, Installation, IssueComment, Json, Pull, Review, Thread
from bot.sandbox.github.repo import Repo
from bot.sandbox.github.shapes import Urls, repo_json, user_json
from bot.sandbox.github.shapes_checks import check_run_json
from bot.sandbox.github.shapes_pulls import (
    full_pull_json,
    issue_comment_json,
    issue_json,
    pull_json,
)
from bot.sandbox.github.shapes_reviews import comment_json, review_json


def payload_of(urls: Urls, happening: Happening, installation: Installation | None) -> dict[str, Json]:
    """The whole payload."""
    payload: dict[str, Json] = {}
    if happening.action is not None:
        payload["action"] = happening.action
    payload |= _PARTS[happening.event](urls, happening)
    payload |= {
        "repository": repo_json(urls, happening.repo) | {"custom_properties": {}},
        "sender": user_json(urls, happening.sender),
    }
    if installation is not None:
        payload["installation"] = {"id": installation.id, "node_id": f"MDIz{installation.id}"}
    return payload


def _with_properties(shown: dict[str, Json]) -> dict[str, Json]:
    """A pull whose repositories have what webhooks add to them."""
    for end in ("head", "base"):
        if shown[end]["repo"] is not None:
            shown[end]["repo"]["custom_properties"] = {}
    return shown


def _pull_of(happening: Happening) -> Pull:
    pull = happening.subjects["pull"]
    assert isinstance(pull, Pull)
    return pull


def _pull_request(urls: Urls, happening: Happening) -> dict[str, Json]:
    pull = _pull_of(happening)
    part: dict[str, Json] = {
        "number": pull.number,
        "pull_request": _with_properties(full_pull_json(urls, happening.repo, pull)),
    }
    for name in ("before", "after", "changes", "label"):
        if name in happening.subjects:
            part[name] = happening.subjects[name]
    return part


def _review(urls: Urls, happening: Happening) -> dict[str, Json]:
    review = happening.subjects["review"]
    assert isinstance(review, Review)
    shown = review_json(urls, happening.repo, review)
    shown |= {"state": review.state.lower(), "body": review.body or None, "updated_at": happening.repo.world.now()}
    part: dict[str, Json] = {"review": shown, "pull_request": _simple(urls, happening.repo, review.pull)}
    if happening.action == "edited":
        part["changes"] = happening.subjects.get("changes", {})
    return part


def _simple(urls: Urls, repo: Repo, pull: Pull) -> dict[str, Json]:
    return _with_properties(pull_json(urls, repo, pull))


def _review_comment(urls: Urls, happening: Happening) -> dict[str, Json]:
    comment = happening.subjects["comment"]
    assert isinstance(comment, Comment)
    part: dict[str, Json] = {
        "comment": comment_json(urls, happening.repo, comment),
        "pull_request": _simple(urls, happening.repo, comment.thread.pull),
    }
    if happening.action == "edited":
        part["changes"] = happening.subjects.get("changes", {})
    return part


def _review_thread(urls: Urls, happening: Happening) -> dict[str, Json]:
    thread = happening.subjects["thread"]
    assert isinstance(thread, Thread)
    comments = [comment_json(urls, happening.repo, each) for each in thread.comments]
    return {
        "thread": {"node_id": thread.node_id, "comments": comments},
        "pull_request": _simple(urls, happening.repo, thread.pull),
    }


def _issue_comment(urls: Urls, happening: Happening) -> dict[str, Json]:
    comment = happening.subjects["comment"]
    assert isinstance(comment, IssueComment)
    part: dict[str, Json] = {
        "issue": issue_json(urls, happening.repo, comment.pull),
        "comment": issue_comment_json(urls, happening.repo, comment),
    }
    if happening.action == "edited":
        part["changes"] = happening.subjects.get("changes", {})
    return part


def _check_run(urls: Urls, happening: Happening) -> dict[str, Json]:
    run = happening.subjects["run"]
    assert isinstance(run, CheckRun)
    part: dict[str, Json] = {"check_run": check_run_json(urls, happening.repo, run, hook=True)}
    if "requested_action" in happening.subjects:
        part["requested_action"] = {"identifier": happening.subjects["requested_action"]}
    return part


_PARTS = {
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "pull_request_review_comment": _review_comment,
    "pull_request_review_thread": _review_thread,
    "issue_comment": _issue_comment,
    "check_run": _check_run,
}
