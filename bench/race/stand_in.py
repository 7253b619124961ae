"""The stand-ins of the race, each in a process of its own: GitHub, or one endpoint. Lines of JSON in, lines of JSON out.

    python bench/race/stand_in.py github
    python bench/race/stand_in.py endpoint TTFT TPS [MODULE:NAME]

A repository holds the pulls of one shape for one product, so that no product reads what another one wrote. Its two commits'
trees are made once; a new pull is one more commit of the second tree. Refuses to judge: what it tells is its log.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.remove(str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from webhook_parts import serve_lines

from bot.sandbox.endpoint import EndpointOptions, EndpointServer, Script, tokens
from bot.sandbox.github import GitHubOptions, GitHubServer, Rates, Seen, new_private_key
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.payloads import payload_of
from bot.sandbox.github.records import Hook, Pull
from bot.sandbox.github.repo import Repo
from race.model import ANSWER_TOKENS, FINDINGS, LATENCY, SHAPES, Shape
from race.sources import source
from race.world import APP_ID, AUTHOR, SLUG, USER, USER_TOKEN, actions_token

_KEPT_BODY = 4_000
"""Characters of a write's body that are told: enough to see whether it shows a finding."""
WORKERS = 16
"""Webhooks that are sent at once."""
_NO_LIMITS = Rates(per_hour=10**9, per_hour_actions=10**9)
"""A race of an hour makes more calls than an account may; what is measured is no waiting for the next hour."""


class GitHub:
    """The stand-in with the shapes' repositories, made when they are first asked for."""

    def __init__(self) -> None:
        self.key = new_private_key()
        self.server = GitHubServer(GitHubOptions(rates=_NO_LIMITS, webhook_workers=WORKERS)).start()
        world = self.server.world
        self.app = world.app(APP_ID, self.key, SLUG, events=("pull_request", "issue_comment", "merge_group"))
        self.trees: dict[str, tuple[str, str]] = {}
        world.user(AUTHOR)
        world.user(USER, USER_TOKEN)
        self.server.latency = LATENCY

    def about(self) -> dict[str, str]:
        """For settings."""
        server = self.server
        return {"api": server.api_url, "graphql": server.graphql_url, "web": server.web_url, "app_key": self.key}

    def fresh(self, *, shape: str, owner: str, files: dict[str, str]) -> dict[str, Any]:
        """A pull that nobody has seen; the log begins anew. `files`: more for the base, such as a configuration."""
        repo = self._repo(next(each for each in SHAPES if each.name == shape), owner, files)
        base, tree = self.trees[repo.full_name]
        world = self.server.world
        with world.lock:
            number = len(repo.pulls) + 1
            author = world.person(world.user(AUTHOR))
            head = repo.git.write_commit(tree=tree, parents=[base], message=f"More steps, {number}", author=author)
            repo.push(f"topic-{number}", head, by=AUTHOR)
            pull = repo.open_pull("More steps", "Adds steps.", head=f"topic-{number}", author=AUTHOR)
        self.server.requests.clear()
        return {"repo": repo.full_name, "number": pull.number, "head": pull.head_sha}

    def _repo(self, shape: Shape, owner: str, files: dict[str, str]) -> Repo:
        world = self.server.world
        name = f"{owner}/{shape.name.replace(' ', '-').replace(',', '')}"
        if name.lower() in world.repos:
            return world.repo(name)
        if not any(each.account.login == owner for each in world.installations.values()):
            world.install(self.app, owner)
        repo = world.create_repo(name)
        repo.permission(USER, "write")
        repo.permission(AUTHOR, "write")
        world.actions_token(name, actions_token(name))
        before, after = (
            {f"src/part_{at}.py": source(at, shape, changed=changed) for at in range(shape.files)}
            for changed in (False, True)
        )
        base = repo.commit("main", {**files, **before}, "Start", AUTHOR)
        with world.lock:
            tree = repo.git.write_tree(base, {path: text.encode() for path, text in after.items()})
        self.trees[repo.full_name] = (base, tree)
        return repo

    def _pull(self, repo: str, number: int) -> tuple[Repo, Pull]:
        found = self.server.world.repo(repo)
        return found, found.pulls[number]

    def _opened(self, repo: Repo, pull: Pull) -> Happening:
        author = self.server.world.user(AUTHOR)
        return Happening(event="pull_request", action="opened", repo=repo, sender=author, subjects={"pull": pull})

    def event(self, *, repo: str, number: int) -> Any:
        """The payload of `pull_request` `opened`, as a workflow's run gets it."""
        return payload_of(self.server.site.urls, self._opened(*self._pull(repo, number)), None)

    def deliver(self, *, repo: str, number: int, url: str, secret: str) -> dict[str, Any]:
        """Send the App's webhook for the opened pull, and wait for the answer."""
        return self.burst(pulls=[{"repo": repo, "number": number, "url": url}], secret=secret)[0]

    def burst(self, *, pulls: list[dict[str, Any]], secret: str) -> list[dict[str, Any]]:
        """The same for many, `WORKERS` at a time, each `pull` to a `url` of its own; back when all are answered."""
        ready = []
        for each in pulls:
            found, pull = self._pull(each["repo"], each["number"])
            installation = self.server.world.installation_of(self.app, found)
            assert installation is not None
            payload = payload_of(self.server.site.urls, self._opened(found, pull), installation)
            ready.append((payload, installation.id, found.id, Hook(url=each["url"], secret=secret, active=True)))
        sent = time.monotonic()
        deliveries = [
            self.server.webhooks.send(
                "pull_request", payload, app=self.app, installation_id=installation, repository_id=repo, hook=hook
            )
            for payload, installation, repo, hook in ready
        ]
        self.server.webhooks.wait(60.0)
        answered = time.monotonic()
        return [
            {
                "sent": sent,
                "answered": answered,
                "seconds": each.duration,
                "status": each.status_code,
                "answer": each.answer.decode("utf-8", "replace"),
            }
            for each in deliveries
            if each is not None
        ]

    def folder(self, *, repo: str) -> str:
        """Where the repository is on the disk: what a checkout that is not measured is cloned from."""
        return str(self.server.world.repo(repo).git.path)

    def log(self, *, repo: str, number: int) -> dict[str, Any]:
        """Every call since the pull was made, oldest first, and what stands on the pull now."""
        found, pull = self._pull(repo, number)
        calls = sorted(self.server.requests, key=lambda seen: seen.started)
        with self.server.world.lock:
            reviews = [each for each in found.reviews.values() if each.pull is pull and each.state != "PENDING"]
            ours = {id(each) for each in reviews}
            comments = sum(id(each.review) in ours for each in found.comments.values())
            talk = sum(each.pull is pull for each in found.issue_comments.values())
        return {"calls": [_told(seen) for seen in calls], "reviews": len(reviews), "comments": comments, "talk": talk}


def _told(seen: Seen) -> dict[str, Any]:
    read = seen.method in {"GET", "HEAD"} or (seen.path == "/graphql" and b"mutation" not in seen.body)
    login = seen.path.endswith("/access_tokens")
    return {
        "method": seen.method,
        "path": seen.path,
        "started": seen.started,
        "ended": seen.started + seen.seconds,
        "status": seen.status,
        "write": not read and not login,
        "body": "" if read or login else seen.body.decode("utf-8", "replace")[:_KEPT_BODY],
    }


def serve_github() -> None:
    """Until standard input ends."""
    github = GitHub()
    try:
        serve_lines(
            {
                each.__name__: each
                for each in (
                    github.about,
                    github.fresh,
                    github.event,
                    github.deliver,
                    github.burst,
                    github.folder,
                    github.log,
                )
            }
        )
    finally:
        github.server.stop()


def serve_endpoint(ttft: float, tps: float, script: str) -> None:
    """Until standard input ends. `script`: `module:name` of another product's answers; Spark's own where it is empty."""
    answers: Script = tokens(ANSWER_TOKENS, findings=FINDINGS)
    if script:
        module, name = script.split(":")
        answers = getattr(importlib.import_module(module), name)
    with EndpointServer(EndpointOptions(ttft=ttft, tps=tps, script=answers, models=())) as server:

        def calls(*, since: float) -> list[dict[str, Any]]:
            return [
                {"started": each.started, "first": each.first, "ended": each.ended, "status": each.status,
                 "tokens": each.tokens, "prompt": len(json.dumps(each.body)), "gone": each.client_gone}
                for each in server.requests
                if each.started >= since and each.method == "POST"
            ]  # fmt: skip

        def bodies(*, since: float) -> list[Any]:
            return [each.body for each in server.requests if each.started >= since and each.method == "POST"]

        serve_lines({"url": lambda: server.url, "calls": calls, "bodies": bodies})


if __name__ == "__main__":
    # Ctrl-C goes to the whole terminal; the stand-ins end when the race has told what it has measured.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.argv[1] == "github":
        serve_github()
    else:
        serve_endpoint(float(sys.argv[2]), float(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
