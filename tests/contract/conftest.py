"""One walk over every operation of the stand-in, with its log, for all tests of this folder."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest

from bot.sandbox.github import GitHubOptions, GitHubServer, Limits, Seen, manifests, new_private_key

REPO = "/repos/octo/demo"


class Walk:
    """Sends requests to a stand-in and keeps the answers."""

    def __init__(self, server: GitHubServer) -> None:
        self.server = server
        parts = urlsplit(server.web_url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        self.token = "alice"

    def __call__(self, method: str, path: str, body: Any = None, *, accept: str = "*/*", ok: int = 200) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept}
        self.connection.request(method, f"/api/v3{path}", None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        raw = answer.read()
        assert answer.status == ok, (method, path, answer.status, raw[:500])
        return json.loads(raw) if raw and "json" in answer.headers.get("Content-Type", "") else raw


def prepare(server: GitHubServer) -> tuple[Walk, str]:
    world = server.world
    repo = world.create_repo("octo/demo")
    world.user("alice", "alice")
    repo.permission("alice", "admin")
    lines = "".join(f"line {at}\n" for at in range(1, 61))
    repo.commit("main", {"a.py": lines, "old name.txt": lines, "gone.txt": "x\n", "bin": b"\0\1", "dir/b.txt": "b\n"})
    repo.branch("work")
    changed = {"a.py": lines.replace("line 30\n", "LINE 30\n"), "new.txt": "new\n", "old name.txt": None}
    repo.commit("work", changed | {"new name.txt": lines, "gone.txt": None, "bin": b"\0\2"}, "Change", "bob")
    pull = repo.open_pull("A change", "Body", head="work", author="bob")
    return Walk(server), pull.head_sha


def people(walk: Walk, head: str) -> None:
    for path in (
        "",
        "/pulls",
        "/pulls/1",
        "/pulls/1/files",
        "/pulls/1/commits",
        "/issues/1",
        "/contents",
        "/contents/dir",
    ):
        walk("GET", REPO + path)
    walk("GET", f"{REPO}/pulls/1", accept="application/vnd.github.diff")
    walk("GET", f"{REPO}/contents/new.txt?ref={head}")
    walk("GET", f"{REPO}/contents/a.py?ref={head}", accept="application/vnd.github.raw+json")
    walk("GET", f"{REPO}/contents/a.py?ref={head}", accept="application/vnd.github.object+json")
    blob = walk("GET", f"{REPO}/contents/new.txt?ref=work")["sha"]
    walk("GET", f"{REPO}/git/blobs/{blob}")
    walk("GET", f"{REPO}/git/trees/{head}?recursive=1")
    walk("GET", f"{REPO}/commits/work")
    walk("GET", f"{REPO}/commits?sha=work&per_page=1")
    walk("GET", f"{REPO}/commits/{head}/pulls")
    walk("GET", f"{REPO}/compare/main...work")
    walk("GET", f"{REPO}/collaborators/alice/permission")
    walk("GET", f"{REPO}/branches/work")
    walk("GET", f"{REPO}/languages")
    for labels in ({"labels": ["one", "two"]}, {"labels": [{"name": "two"}]}):
        walk("PUT", f"{REPO}/issues/1/labels", labels)
    walk("GET", f"{REPO}/issues/1/labels")
    for path in ("/user", "/users/bob", "/users/octo", "/rate_limit", "/meta"):
        walk("GET", path)
    put = {"message": "Add", "content": "eA==", "branch": "side"}
    made = walk("PUT", f"{REPO}/contents/side.txt", put, ok=201)
    walk("PUT", f"{REPO}/contents/side.txt", put | {"sha": made["content"]["sha"], "content": "eQ=="})
    walk("POST", f"{REPO}/pulls", {"title": "Two", "head": "side", "base": "main"}, ok=201)
    walk("PATCH", f"{REPO}/pulls/2", {"title": "Second"})
    walk("PUT", f"{REPO}/pulls/2/merge", {})
    walk("GET", f"{REPO}/pulls/2/merge", ok=204)
    walk("GET", f"{REPO}/pulls/2")
    walk("GET", f"{REPO}/pulls?state=all&per_page=1")


def reviews(walk: Walk, head: str) -> None:
    own = f"{REPO}/pulls/1/reviews"
    pending = walk("POST", own, {"body": "First"})
    walk("PUT", f"{own}/{pending['id']}", {"body": "First, changed"})
    walk("DELETE", f"{own}/{pending['id']}")
    comment = {"path": "a.py", "line": 30, "side": "RIGHT", "body": "Here"}
    pending = walk("POST", own, {"commit_id": head, "comments": [comment]})
    walk("POST", f"{own}/{pending['id']}/events", {"event": "REQUEST_CHANGES", "body": "Please"})
    walk("GET", own)
    walk("GET", f"{own}/{pending['id']}")
    walk("GET", f"{own}/{pending['id']}/comments")
    walk("PUT", f"{own}/{pending['id']}/dismissals", {"message": "Done"})


def comments(walk: Walk, head: str) -> None:
    own, one = f"{REPO}/pulls/1/comments", f"{REPO}/pulls/comments"
    ranged = {"start_line": 28, "start_side": "RIGHT", "line": 30, "side": "RIGHT"}
    made = walk("POST", own, {"body": "x", "commit_id": head, "path": "a.py"} | ranged, ok=201)
    walk("POST", own, {"body": "x", "commit_id": head, "path": "bin", "subject_type": "file"}, ok=201)
    walk("POST", f"{own}/{made['id']}/replies", {"body": "y"}, ok=201)
    walk("GET", own)
    walk("GET", one)
    walk("GET", f"{one}/{made['id']}")
    walk("PATCH", f"{one}/{made['id']}", {"body": "z"})
    said = walk("POST", f"{REPO}/issues/1/comments", {"body": "Hello"}, ok=201)
    talk = f"{REPO}/issues/comments/{said['id']}"
    walk("GET", f"{REPO}/issues/1/comments")
    walk("GET", talk)
    walk("PATCH", talk, {"body": "Hello again"})
    for place in (f"{one}/{made['id']}", talk):
        reaction = walk("POST", f"{place}/reactions", {"content": "eyes"}, ok=201)
        walk("POST", f"{place}/reactions", {"content": "eyes"}, ok=200)
        walk("GET", f"{place}/reactions")
        walk("DELETE", f"{place}/reactions/{reaction['id']}", ok=204)
    walk("DELETE", talk, ok=204)
    walk("DELETE", f"{one}/{made['id']}", ok=204)


def integrations(walk: Walk, head: str) -> None:
    key, world = new_private_key(), walk.server.world
    app = world.app(4711, key, "spark")
    installation = world.install(app, "octo")
    now = int(walk.server.options.clock())
    signed = jwt.encode({"iat": now - 60, "exp": now + 300, "iss": "4711"}, key, algorithm="RS256")
    walk.token = signed
    for path in ("/app", "/app/installations", f"/app/installations/{installation.id}", f"{REPO}/installation"):
        walk("GET", path)
    walk.server.webhooks.point_to("http://127.0.0.1:9/hook", "secret")
    world.repo("octo/demo").edit_pull(1, title="Edited")
    assert walk.server.webhooks.wait()
    delivery = walk("GET", "/app/hook/deliveries")[0]["id"]
    walk("GET", f"/app/hook/deliveries/{delivery}")
    walk("POST", f"/app/hook/deliveries/{delivery}/attempts", ok=202)
    narrowed = {"repositories": ["demo"], "permissions": {"checks": "write", "statuses": "write"}}
    walk("POST", f"/app/installations/{installation.id}/access_tokens", narrowed, ok=201)
    walk.token = walk("POST", f"/app/installations/{installation.id}/access_tokens", ok=201)["token"]
    walk("GET", "/installation/repositories")
    note = {"path": "a.py", "start_line": 30, "end_line": 30, "annotation_level": "warning", "message": "m"}
    output = {"title": "t", "summary": "s", "annotations": [note]}
    run = walk("POST", f"{REPO}/check-runs", {"name": "spark", "head_sha": head, "output": output}, ok=201)
    walk("PATCH", f"{REPO}/check-runs/{run['id']}", {"status": "in_progress"})
    walk("PATCH", f"{REPO}/check-runs/{run['id']}", {"conclusion": "neutral", "output": output})
    walk("GET", f"{REPO}/check-runs/{run['id']}")
    walk("GET", f"{REPO}/check-runs/{run['id']}/annotations")
    walk("POST", f"{REPO}/check-runs/{run['id']}/rerequest", ok=201)
    walk("POST", f"{REPO}/check-suites/{run['check_suite']['id']}/rerequest", ok=201)
    code = manifests.create(
        world, {"url": "https://spark.example", "redirect_url": "https://spark.example"}, "New", app.owner
    )
    walk("POST", f"/app-manifests/{code}/conversions", ok=201)
    walk("POST", f"/app-manifests/{code}/conversions", ok=404)
    world.suspend(installation)
    walk("GET", REPO, ok=403)
    world.suspend(installation, lift=True)
    walk("GET", f"{REPO}/commits/work/check-runs")
    walk("POST", f"{REPO}/statuses/{head}", {"state": "success", "context": "spark", "description": "fine"}, ok=201)
    walk("GET", f"{REPO}/commits/work/statuses")
    walk("GET", f"{REPO}/commits/work/status")


def errors(walk: Walk, head: str) -> None:
    walk("GET", f"{REPO}/pulls/99", ok=404)
    walk("GET", f"{REPO}/pulls/1/merge", ok=404)
    walk("GET", "/repos/octo/nothing", ok=404)
    walk("GET", "/user", ok=403)
    outside = {"path": "a.py", "line": 1, "side": "RIGHT", "body": "x"}
    walk("POST", f"{REPO}/pulls/1/reviews", {"event": "COMMENT", "body": "b", "comments": [outside]}, ok=422)
    walk("POST", f"{REPO}/pulls/1/comments", outside | {"commit_id": head}, ok=422)
    walk("POST", f"{REPO}/check-runs", {"name": "x"}, ok=422)
    walk("POST", f"{REPO}/pulls", {"title": "Again", "head": "work", "base": "main"}, ok=422)
    walk("GET", f"{REPO}/contents/a.py?ref=work", ok=403)
    walk("GET", f"{REPO}/contents/a.py?ref=nowhere", ok=404)
    walk.token = "alice"
    walk("POST", f"{REPO}/check-runs", {"name": "x", "head_sha": head}, ok=403)
    walk("GET", "/app", ok=401)
    walk.token = "nobody"
    walk("GET", REPO, ok=401)


@pytest.fixture(scope="session")
def walked(_watched_servers: Any) -> list[Seen]:
    """Every operation used at least once, some of them wrongly."""
    with GitHubServer(GitHubOptions(limits=Limits(contents_bytes=300))) as server:
        walk, head = prepare(server)
        for part in (people, reviews, comments, integrations, errors):
            part(walk, head)
        walk.connection.close()
        return list(server.requests)


@pytest.fixture(scope="session")
def prepared() -> Callable[[GitHubServer], tuple[Walk, str]]:
    """Fills a stand-in with a repository and a pull; gives a client and the head."""
    return prepare
