"""Webhook payloads in GitHub's shape, rendered from what happened. Held against GitHub's published schemas in the tests."""

from __future__ import annotations

from bot.sandbox.github.happening import Happening
from bot.sandbox.github.records import (
    App,
    CheckRun,
    CheckSuite,
    Comment,
    Hook,
    Installation,
    IssueComment,
    Json,
    MergeGroup,
    Pull,
    Review,
    Thread,
)
from bot.sandbox.github.repo import Repo
from bot.sandbox.github.shapes import Urls, installation_json, repo_json, user_json
from bot.sandbox.github.shapes_checks import check_run_json, simple_commit_json, whole_suite_json
from bot.sandbox.github.shapes_pulls import (
    full_pull_json,
    issue_comment_json,
    issue_json,
    label_json,
    pull_json,
)
from bot.sandbox.github.shapes_reviews import comment_json, review_json


def payload_of(urls: Urls, happening: Happening, installation: Installation | None) -> dict[str, Json]:
    """The whole payload."""
    payload: dict[str, Json] = {}
    if happening.action is not None:
        payload["action"] = happening.action
    payload |= _PARTS[happening.event](urls, happening)
    if happening.repo is not None:
        payload["repository"] = repo_json(urls, happening.repo) | {"custom_properties": {}}
    payload["sender"] = user_json(urls, happening.sender)
    if installation is not None and "installation" not in payload:
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
        "pull_request": _with_properties(full_pull_json(urls, happening.place, pull)),
    }
    for name in ("before", "after", "changes"):
        if name in happening.subjects:
            part[name] = happening.subjects[name]
    if "label" in happening.subjects:
        part["label"] = label_json(urls, happening.place, str(happening.subjects["label"]))
    return part


def _review(urls: Urls, happening: Happening) -> dict[str, Json]:
    review = happening.subjects["review"]
    assert isinstance(review, Review)
    shown = review_json(urls, happening.place, review)
    shown |= {"state": review.state.lower(), "body": review.body or None, "updated_at": happening.place.world.now()}
    part: dict[str, Json] = {"review": shown, "pull_request": _simple(urls, happening.place, review.pull)}
    if happening.action == "edited":
        part["changes"] = happening.subjects.get("changes", {})
    return part


def _simple(urls: Urls, repo: Repo, pull: Pull) -> dict[str, Json]:
    return _with_properties(pull_json(urls, repo, pull))


def _review_comment(urls: Urls, happening: Happening) -> dict[str, Json]:
    comment = happening.subjects["comment"]
    assert isinstance(comment, Comment)
    part: dict[str, Json] = {
        "comment": comment_json(urls, happening.place, comment),
        "pull_request": _simple(urls, happening.place, comment.thread.pull),
    }
    if happening.action == "edited":
        part["changes"] = happening.subjects.get("changes", {})
    return part


def _review_thread(urls: Urls, happening: Happening) -> dict[str, Json]:
    thread = happening.subjects["thread"]
    assert isinstance(thread, Thread)
    comments = [comment_json(urls, happening.place, each) for each in thread.comments]
    return {
        "thread": {"node_id": thread.node_id, "comments": comments},
        "pull_request": _simple(urls, happening.place, thread.pull),
    }


def _issue_comment(urls: Urls, happening: Happening) -> dict[str, Json]:
    comment = happening.subjects["comment"]
    assert isinstance(comment, IssueComment)
    part: dict[str, Json] = {
        "issue": issue_json(urls, happening.place, comment.pull),
        "comment": issue_comment_json(urls, happening.place, comment),
    }
    if happening.action == "edited":
        part["changes"] = happening.subjects.get("changes", {})
    return part


def _check_run(urls: Urls, happening: Happening) -> dict[str, Json]:
    run = happening.subjects["run"]
    assert isinstance(run, CheckRun)
    part: dict[str, Json] = {"check_run": check_run_json(urls, happening.place, run, hook=True)}
    if "requested_action" in happening.subjects:
        part["requested_action"] = {"identifier": happening.subjects["requested_action"]}
    return part


def _check_suite(urls: Urls, happening: Happening) -> dict[str, Json]:
    suite = happening.subjects["suite"]
    assert isinstance(suite, CheckSuite)
    return {"check_suite": whole_suite_json(urls, happening.place, suite)}


def _merge_group(urls: Urls, happening: Happening) -> dict[str, Json]:  # noqa: ARG001 - as the others
    group = happening.subjects["group"]
    assert isinstance(group, MergeGroup)
    part: dict[str, Json] = {
        "merge_group": {
            "head_sha": group.head_sha,
            "head_ref": group.head_ref,
            "base_sha": group.base_sha,
            "base_ref": group.base_ref,
            "head_commit": simple_commit_json(happening.place.git.commit_info(group.head_sha)),
        }
    }
    if "reason" in happening.subjects:
        part["reason"] = happening.subjects["reason"]
    return part


def _installation(urls: Urls, happening: Happening) -> dict[str, Json]:
    installation = _installation_of(happening)
    part: dict[str, Json] = {
        "installation": installation_json(urls, installation),
        "repositories": _small_repos(happening),
    }
    if happening.action == "created":
        part["requester"] = None
    return part


def _installation_repositories(urls: Urls, happening: Happening) -> dict[str, Json]:
    installation, added = _installation_of(happening), happening.action == "added"
    return {
        "installation": installation_json(urls, installation),
        "repository_selection": "all" if installation.repos is None else "selected",
        "repositories_added": _small_repos(happening) if added else [],
        "repositories_removed": [] if added else _small_repos(happening),
        "requester": None,
    }


def _installation_of(happening: Happening) -> Installation:
    installation = happening.subjects["installation"]
    assert isinstance(installation, Installation)
    return installation


def _small_repos(happening: Happening) -> list[dict[str, Json]]:
    repos = happening.subjects["repos"]
    assert isinstance(repos, list)
    return [
        {
            "id": repo.id,
            "node_id": repo.node_id,
            "name": repo.name,
            "full_name": repo.full_name,
            "private": repo.private,
        }
        for repo in repos
    ]


def ping_of(urls: Urls, app: App, hook: Hook) -> dict[str, Json]:
    """What a new App's webhook is greeted with."""
    return {
        "zen": "Anything added dilutes everything else.",
        "hook_id": app.id,
        "hook": {
            "type": "App",
            "id": app.id,
            "name": "web",
            "active": hook.active,
            "events": list(app.events),
            "config": {
                "content_type": "json",
                "insecure_ssl": "0",
                "secret": "********",
                "url": hook.url,
            },
            "updated_at": app.created_at,
            "created_at": app.created_at,
            "app_id": app.id,
            "deliveries_url": f"{urls.api}/app/hook/deliveries",
        },
    }


_PARTS = {
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "pull_request_review_comment": _review_comment,
    "pull_request_review_thread": _review_thread,
    "issue_comment": _issue_comment,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "merge_group": _merge_group,
    "installation": _installation,
    "installation_repositories": _installation_repositories,
}
