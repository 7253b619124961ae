"""GitHub's JSON of check runs, their annotations, and commit statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.sandbox.github.git import CommitInfo
from bot.sandbox.github.records import CheckRun, CheckSuite, Json, Pull, Status
from bot.sandbox.github.shapes import Urls, app_json, git_time, user_json

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo


def check_run_json(urls: Urls, repo: Repo, run: CheckRun, *, hook: bool = False) -> dict[str, Json]:
    """A check run. `hook` gives the larger suite of webhooks."""
    own = f"{urls.api}/repos/{repo.full_name}/check-runs/{run.id}"
    html = f"{urls.web}/{repo.full_name}/runs/{run.id}"
    suite: dict[str, Json] = {"id": run.suite.id}
    pulls = [_small_pull(urls, repo, pull) for pull in _pulls_at(repo, run.suite.head_sha)]
    if hook:
        suite = suite_json(urls, repo, run.suite, pulls)
    return {
        "id": run.id,
        "name": run.name,
        "node_id": run.node_id,
        "head_sha": run.suite.head_sha,
        "external_id": run.external_id,
        "url": own,
        "html_url": html,
        "details_url": run.details_url or html,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": len(run.annotations),
            "annotations_url": f"{own}/annotations",
        },
        "check_suite": suite,
        "app": app_json(urls, run.suite.app),
        "pull_requests": pulls,
    }


def suite_json(urls: Urls, repo: Repo, suite: CheckSuite, pulls: list[dict[str, Json]]) -> dict[str, Json]:
    """A check suite as it stands inside a webhook's check run."""
    done = bool(suite.runs) and all(run.status == "completed" for run in suite.runs)
    bad = any(run.conclusion in {"failure", "timed_out", "action_required"} for run in suite.runs)
    return {
        "id": suite.id,
        "node_id": suite.node_id,
        "head_branch": next((pull["head"]["ref"] for pull in pulls), None),
        "head_sha": suite.head_sha,
        "status": "completed" if done else "in_progress",
        "conclusion": ("failure" if bad else "success") if done else None,
        "url": f"{urls.api}/repos/{repo.full_name}/check-suites/{suite.id}",
        "before": None,
        "after": suite.head_sha,
        "pull_requests": pulls,
        "app": app_json(urls, suite.app),
        "created_at": suite.created_at,
        "updated_at": suite.created_at,
    }


def whole_suite_json(urls: Urls, repo: Repo, suite: CheckSuite) -> dict[str, Json]:
    """A check suite as `check_suite` webhooks have it."""
    pulls = [_small_pull(urls, repo, pull) for pull in _pulls_at(repo, suite.head_sha)]
    return suite_json(urls, repo, suite, pulls) | {
        "rerequestable": True,
        "runs_rerequestable": True,
        "latest_check_runs_count": len(suite.runs),
        "check_runs_url": f"{urls.api}/repos/{repo.full_name}/check-suites/{suite.id}/check-runs",
        "head_commit": simple_commit_json(repo.git.commit_info(suite.head_sha)),
    }


def simple_commit_json(commit: CommitInfo) -> dict[str, Json]:
    """A commit as webhooks have it."""
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "message": commit.message,
        "timestamp": git_time(commit.author),
        "author": {"name": commit.author.name, "email": commit.author.email},
        "committer": {"name": commit.committer.name, "email": commit.committer.email},
    }


def _pulls_at(repo: Repo, sha: str) -> list[Pull]:
    # GitHub gives an empty list for commits of forks.
    return [
        pull
        for pull in repo.pulls.values()
        if pull.head_sha == sha and pull.state == "open" and pull.head_repo == repo.full_name
    ]


def _small_pull(urls: Urls, repo: Repo, pull: Pull) -> dict[str, Json]:
    small = {"id": repo.id, "url": f"{urls.api}/repos/{repo.full_name}", "name": repo.name}
    return {
        "url": f"{urls.api}/repos/{repo.full_name}/pulls/{pull.number}",
        "id": pull.id,
        "number": pull.number,
        "head": {"ref": pull.head_ref, "sha": pull.head_sha, "repo": small},
        "base": {"ref": pull.base_ref, "sha": pull.base_sha, "repo": small},
    }


def annotation_json(urls: Urls, repo: Repo, run: CheckRun, annotation: dict[str, Json]) -> dict[str, Json]:
    """One annotation as it is read back."""
    path = quote(str(annotation["path"]), safe="/")
    return {
        "path": annotation["path"],
        "blob_href": f"{urls.web}/{repo.full_name}/blob/{run.suite.head_sha}/{path}",
        "start_line": annotation["start_line"],
        "start_column": annotation.get("start_column"),
        "end_line": annotation["end_line"],
        "end_column": annotation.get("end_column"),
        "annotation_level": annotation["annotation_level"],
        "title": annotation.get("title"),
        "message": annotation["message"],
        "raw_details": annotation.get("raw_details"),
    }


def status_json(urls: Urls, repo: Repo, status: Status) -> dict[str, Json]:
    """A commit status."""
    return {
        "url": f"{urls.api}/repos/{repo.full_name}/statuses/{status.sha}",
        "avatar_url": user_json(urls, status.creator)["avatar_url"],
        "id": status.id,
        "node_id": status.node_id,
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": status.created_at,
        "updated_at": status.created_at,
        "creator": user_json(urls, status.creator),
    }
