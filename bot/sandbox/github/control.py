"""The control door of a stand-in that runs in a process of its own: `/_sandbox/...`, JSON in and out.

Only there when the options ask for it. It imports git repositories from paths of this machine, so it is for benchmarks and
demos on loopback, never for anybody else.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request

from bot.sandbox.github.faults import Fault
from bot.sandbox.github.gate import Site
from bot.sandbox.github.git import GitError
from bot.sandbox.github.records import Json

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

_FAULT_KEYS = {"match", "status", "when", "times", "skip", "kind", "message", "headers", "seconds", "contains"}


def install(app: Flask, site: Site) -> None:
    """Add the door."""

    @app.get("/_sandbox/health")
    def health() -> Response:
        return jsonify(api_url=site.urls.api, graphql_url=site.urls.graphql, web_url=site.urls.web)

    @app.post("/_sandbox/users")
    def users() -> Response:
        asked = _asked()
        user = site.world.user(asked["login"], asked.get("token"), bot=bool(asked.get("bot")))
        for full_name, level in asked.get("levels", {}).items():
            site.world.repo(full_name).permission(user.login, level)
        return jsonify(id=user.id, login=user.login)

    @app.post("/_sandbox/import")
    def take_over() -> Response:
        asked = _asked()
        repo = _repo(site, asked["repo"])
        repo.import_git(asked["path"], branch=asked.get("branch"))
        return jsonify(branches=repo.git.branches(), default_branch=repo.default_branch)

    @app.post("/_sandbox/commits")
    def commit() -> Response:
        asked = _asked()
        repo = _repo(site, asked["repo"])
        sha = repo.commit(asked["branch"], asked["files"], asked.get("message", "A commit"), asked.get("author"))
        return jsonify(sha=sha)

    @app.post("/_sandbox/pulls")
    def pulls() -> Response:
        asked = _asked()
        pull = _repo(site, asked["repo"]).open_pull(
            asked["title"],
            asked.get("body"),
            head=asked["head"],
            base=asked.get("base"),
            author=asked.get("author"),
        )
        url = f"{site.urls.web}/{asked['repo']}/pull/{pull.number}"
        return jsonify(number=pull.number, url=url, head=pull.head_sha, base=pull.base_sha)

    @app.put("/_sandbox/latency")
    def latency() -> Response:
        site.latency = float(_asked()["seconds"])
        return jsonify(seconds=site.latency)

    @app.put("/_sandbox/webhook")
    def webhook() -> Response:
        asked = _asked()
        site.webhooks.point_to(asked["url"], asked.get("secret", ""))
        return jsonify(url=site.webhooks.url)

    @app.post("/_sandbox/faults")
    def faults() -> Response:
        site.faults.add(Fault(**{name: value for name, value in _asked().items() if name in _FAULT_KEYS}))
        return jsonify(ok=True)

    @app.get("/_sandbox/requests")
    def counts() -> Response:
        seen = list(site.log)
        by = Counter(f"{each.method} {each.route or each.path} {each.status}" for each in seen)
        return jsonify(total=len(seen), by=dict(by))

    @app.delete("/_sandbox/requests")
    def forget() -> Response:
        site.log.clear()
        site.faults.clear()
        return jsonify(ok=True)

    def refused(error: Exception) -> tuple[Response, int]:
        return jsonify(error=f"{type(error).__name__}: {error}"), 400

    for kind in (KeyError, ValueError, GitError):
        app.register_error_handler(kind, refused)


def _asked() -> dict[str, Json]:
    found = request.get_json(force=True)
    if not isinstance(found, dict):
        raise ValueError("the body is no object")
    return found


def _repo(site: Site, full_name: str) -> Repo:
    with site.world.lock:
        found = site.world.repos.get(full_name.lower())
        return found or site.world.create_repo(full_name)
