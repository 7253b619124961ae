"""The stand-in's webhook payloads against GitHub's published schemas and examples."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.github.manifest import EVENTS, PERMISSIONS
from bot.sandbox.github import GitHubOptions, GitHubServer, gestures, new_private_key, talk
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.records import Hook


@pytest.fixture(scope="module")
def sent() -> Any:
    """Payload by event and action, after a life with everything in it."""
    with GitHubServer(GitHubOptions(webhook_url="http://127.0.0.1:9/", webhook_secret="s")) as server:
        world = server.world
        repo = world.create_repo("octo/demo")
        permissions = {name: level for name, (level, _) in PERMISSIONS.items()}
        world.install(world.app(1, new_private_key(), "spark", permissions=permissions, events=tuple(EVENTS)), "octo")
        lines = "".join(f"line {at}\n" for at in range(40))
        repo.commit("main", {"a.py": lines})
        repo.branch("work")
        repo.commit("work", {"a.py": lines.replace("line 20\n", "LINE 20\n")})
        repo.open_pull("A change", "Body", head="work", author="bob", draft=True)
        repo.ready_for_review(1)
        _talk(server)
        repo.commit("work", {"b.py": "1\n"})
        repo.edit_pull(1, title="Edited", body="Edited too")
        repo.close_pull(1)
        repo.reopen_pull(1)
        repo.to_draft(1)
        gestures.label_pull(repo, 1, "spark")
        gestures.unlabel_pull(repo, 1, "spark")
        _checks_and_groups(server)
        _installations(server)
        assert server.webhooks.wait()
        return {f"{each.event}.{each.action}": each for each in server.webhooks.deliveries}


def _checks_and_groups(server: GitHubServer) -> None:
    repo = server.world.repo("octo/demo")
    (run,) = gestures.check_runs(repo, repo.pulls[1].former_heads[-1])
    run.actions = [{"label": "Again", "description": "d", "identifier": "again"}]
    gestures.press(repo, run, "again")
    gestures.rerequest_suite(repo, run.suite)
    gestures.destroy_group(repo, gestures.queue_merge(repo, 1))


def _installations(server: GitHubServer) -> None:
    world = server.world
    (installation,) = world.installations.values()
    world.create_repo("octo/other")
    world.choose_repos(installation, {"octo/demo"})
    world.choose_repos(installation, {"octo/demo", "octo/other"})
    world.suspend(installation)
    world.suspend(installation, lift=True)
    app = installation.app
    app.hook = Hook(url="http://127.0.0.1:9/own", secret="own", active=True)
    server.webhooks.ping(app)
    app.hook = None
    world.uninstall(installation)


def _talk(server: GitHubServer) -> None:
    world, repo = server.world, server.world.repo("octo/demo")
    world.user("alice", "alice")
    repo.permission("alice", "write")
    world.actions_token("octo/demo", "job")
    parts = urlsplit(server.web_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)

    def post(path: str, body: Any, *, method: str = "POST", token: str = "alice") -> Any:
        headers = {"Authorization": f"token {token}"}
        connection.request(method, f"/api/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        assert answer.status in {200, 201}, raw
        return json.loads(raw)

    pull = repo.pulls[1]
    comment = {"path": "a.py", "line": 21, "side": "RIGHT", "body": "x", "start_line": 20, "start_side": "RIGHT"}
    own = "v3/repos/octo/demo"
    review = {"commit_id": pull.head_sha, "event": "COMMENT", "body": "b", "comments": [comment]}
    post(f"{own}/pulls/1/reviews", review)
    said = post(f"{own}/issues/1/comments", {"body": "x"})
    post(f"{own}/issues/comments/{said['id']}", {"body": "y"}, method="PATCH")
    run = post(f"{own}/check-runs", {"name": "spark", "head_sha": pull.head_sha}, token="job")
    post(f"{own}/check-runs/{run['id']}", {"conclusion": "success"}, method="PATCH", token="job")
    post(f"{own}/check-runs/{run['id']}/rerequest", {}, token="job")
    thread = next(iter(repo.threads.values()))
    query = "mutation($i: ResolveReviewThreadInput!) { resolveReviewThread(input: $i) { thread { id } } }"
    post("graphql", {"query": query, "variables": {"i": {"threadId": thread.node_id}}})
    connection.close()
    talk.unresolve(repo, thread, by="alice")
    talk.edit(repo, thread.comments[0], "Said otherwise")
    talk.edit(repo, thread.comments[0].review, "Summed up otherwise")


def test_every_payload_is_valid_against_githubs_schema(sent: Any, contract_checker: Any) -> None:
    hooks = contract_checker.contract("openapi-webhooks")
    problems = []
    for key, delivery in sent.items():
        validator = contract_checker.compiled(hooks["webhooks"][key]["payload"], hooks["$defs"])
        problems += [
            f"{key}: {'/'.join(map(str, error.instance_path))}: {error.message}"[:300]
            for error in validator.iter_errors(delivery.payload)
        ]
    assert problems == []
    assert set(sent) == set(hooks["webhooks"])


def test_every_delivery_has_the_headers_githubs_contract_lists(sent: Any, contract_checker: Any) -> None:
    hooks = contract_checker.contract("openapi-webhooks")["webhooks"]
    for key, delivery in sent.items():
        have = {name.lower() for name in delivery.headers}
        wanted = {name.lower() for name in hooks[key]["headers"]}
        assert wanted - have - {"x-github-enterprise-host", "x-github-enterprise-version"} == set()


def _missing(example: Any, ours: Any, path: str = "") -> list[str]:
    """Members of GitHub's example that ours has not, by path; what is null or of another kind is not looked into."""
    if isinstance(example, dict) and isinstance(ours, dict) and not path.endswith("/permissions"):
        gone = [f"{path}/{name}" for name in example if name not in ours]
        return gone + [
            each for name in example if name in ours for each in _missing(example[name], ours[name], f"{path}/{name}")
        ]
    return []


KNOWN_ABSENT = {
    # Settings of the base repository that webhooks add to `repo` for those who may see them; Spark reads none of them.
    "allow_squash_merge",
    "allow_merge_commit",
    "allow_rebase_merge",
    "allow_auto_merge",
    "allow_update_branch",
    "delete_branch_on_merge",
    "use_squash_pr_title_as_default",
    "merge_commit_message",
    "merge_commit_title",
    "squash_merge_commit_message",
    "squash_merge_commit_title",
    "head_commit",
    "latest_check_runs_count",
    "check_runs_url",
    "rerequestable",
    "runs_rerequestable",
    "deployment",
    "organization",
    "enterprise",
}
"""`permissions` beside these: which ones an App has is its own affair."""


def test_a_payload_has_all_that_githubs_examples_have(sent: Any, contract_checker: Any) -> None:
    examples = contract_checker.contract("webhooks-examples")
    absent: dict[str, list[str]] = {}
    for key, example in examples.items():
        gone = [path for path in _missing(example, sent[key].payload) if path.rsplit("/", 1)[1] not in KNOWN_ABSENT]
        if gone:
            absent[key] = gone
    assert absent == {}


def test_a_happening_nobody_listens_to_is_not_rendered() -> None:
    with GitHubServer() as server:
        repo = server.world.create_repo("octo/demo")
        unknown = Happening(event="no such event", action=None, repo=repo, sender=repo.owner)
        server.world.tell(unknown)
        assert server.webhooks.deliveries == []
