"""The control door of a stand-in that runs in a process of its own: `/_sandbox/...`, JSON in and out.

Only there when the options ask for it. It imports git repositories from paths of this machine, so it is for benchmarks and
demos on loopback, never for anybody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request

from bot.sandbox.github import control_talk, gestures
from bot.sandbox.github.faults import Fault
from bot.sandbox.github.gate import Site
from bot.sandbox.github.git import GitError
from bot.sandbox.github.records import Json

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

_FAULT_KEYS = {"match", "status", "when", "times", "skip", "kind", "message", "headers", "seconds", "contains"}


Asked = dict[str, Json]


def _health(site: Site, _: Asked) -> Asked:
    return {"api_url": site.urls.api, "graphql_url": site.urls.graphql, "web_url": site.urls.web}


def _user(site: Site, asked: Asked) -> Asked:
    user = site.world.user(asked["login"], asked.get("token"), bot=bool(asked.get("bot")))
    for full_name, level in asked.get("levels", {}).items():
        site.world.repo(full_name).permission(user.login, level)
    return {"id": user.id, "login": user.login}


def _import(site: Site, asked: Asked) -> Asked:
    repo = _repo(site, asked["repo"])
    repo.import_git(asked["path"], branch=asked.get("branch"))
    return {"branches": repo.git.branches(), "default_branch": repo.default_branch}


def _commit(site: Site, asked: Asked) -> Asked:
    repo = _repo(site, asked["repo"])
    message, author = asked.get("message", "A commit"), asked.get("author")
    return {"sha": repo.commit(asked["branch"], asked["files"], message, author)}


def _pull(site: Site, asked: Asked) -> Asked:
    repo, author = _repo(site, asked["repo"]), asked.get("author")
    pull = repo.open_pull(asked["title"], asked.get("body"), head=asked["head"], base=asked.get("base"), author=author)
    url = f"{site.urls.web}/{repo.full_name}/pull/{pull.number}"
    return {"number": pull.number, "url": url, "head": pull.head_sha, "base": pull.base_sha}


def _app(site: Site, asked: Asked) -> Asked:
    app = site.world.app(
        int(asked["id"]),
        asked["key"],
        asked["slug"],
        **{name: asked[name] for name in ("permissions", "events") if name in asked},
    )
    installation = site.world.install(app, asked["account"])
    return {"installation": installation.id}


def _merge_queue(site: Site, asked: Asked) -> Asked:
    group = gestures.queue_merge(site.world.repo(asked["repo"]), int(asked["number"]))
    return {"head": group.head_sha, "ref": group.head_ref}


def _check(site: Site, asked: Asked) -> Asked:
    repo = site.world.repo(asked["repo"])
    run = gestures.run_by_id(repo, int(asked["run"]))
    if run is None:
        raise KeyError(asked["run"])
    if "press" in asked:
        gestures.press(repo, run, asked["press"])
    else:
        gestures.rerequest_run(repo, run)
    return {"ok": True}


def _latency(site: Site, asked: Asked) -> Asked:
    site.latency = float(asked["seconds"])
    return {"seconds": site.latency}


def _webhook(site: Site, asked: Asked) -> Asked:
    site.webhooks.point_to(asked["url"], asked.get("secret", ""))
    return {"url": site.webhooks.url}


def _fault(site: Site, asked: Asked) -> Asked:
    unknown = set(asked) - _FAULT_KEYS
    if unknown:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
    site.faults.add(Fault(**asked))
    return {"ok": True}


def _counts(site: Site, _: Asked) -> Asked:
    seen = list(site.log)
    by = Counter(f"{each.method} {each.route or each.path} {each.status}" for each in seen)
    return {"total": len(seen), "by": dict(by)}


def _forget(site: Site, _: Asked) -> Asked:
    site.log.clear()
    site.faults.clear()
    return {"ok": True}


ACTIONS: dict[tuple[str, str], Callable[[Site, Asked], Asked]] = {
    ("GET", "health"): _health,
    ("POST", "users"): _user,
    ("POST", "import"): _import,
    ("POST", "commits"): _commit,
    ("POST", "pulls"): _pull,
    ("POST", "apps"): _app,
    ("POST", "merge-groups"): _merge_queue,
    ("POST", "checks"): _check,
    ("PUT", "latency"): _latency,
    ("PUT", "webhook"): _webhook,
    ("POST", "faults"): _fault,
    ("GET", "requests"): _counts,
    ("DELETE", "requests"): _forget,
    **control_talk.ACTIONS,
}
"""Method and last part of the path to what it does."""


def install(app: Flask, site: Site) -> None:
    """Add the door."""

    @app.route("/_sandbox/<name>", methods=["GET", "POST", "PUT", "DELETE"])
    def act(name: str) -> tuple[Response, int]:
        action = ACTIONS.get((request.method, name))
        if action is None:
            return jsonify(error=f"no {request.method} {name}"), 404
        asked = request.get_json(force=True) if request.get_data() else {}
        try:
            return jsonify(action(site, asked)), 200
        except (KeyError, ValueError, TypeError, GitError) as error:
            return jsonify(error=f"{type(error).__name__}: {error}"), 400


def _repo(site: Site, full_name: str) -> Repo:
    with site.world.lock:
        found = site.world.repos.get(full_name.lower())
        return found or site.world.create_repo(full_name)
