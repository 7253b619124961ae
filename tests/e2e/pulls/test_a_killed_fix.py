"""A server process that is killed in the middle of `/spark fix all`, and started again."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bot.sandbox.github import Fault, Kind, talk
from bot.sandbox.github.faults import When

US = "spark[bot]"
WORLD = Path(__file__).parents[1] / "server" / "world.py"


@pytest.fixture(scope="module")
def world() -> ModuleType:
    """The module `tests/e2e/server/world.py`."""
    name = "spark_tests_world"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, WORLD)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def served(world: ModuleType, outer_world: Callable[..., Any], app_key: str, tmp_path: Path) -> Iterator[Any]:
    """A server as a process, with its stand-ins: (outside, server)."""
    with outer_world() as (github, endpoint, _):
        outside = world.Outside(github, endpoint, app_key)
        server = world.ServerProcess(tmp_path, {**outside.env, "SPARK_DATABASE_URL": f"sqlite:///{tmp_path / 'db'}"})
        server.start()
        outside.deliver_to(server)
        yield outside, server
        server.kill()
        assert not server.events("job.ended", state="failed")


def test_a_kill_between_the_commit_of_fix_all_and_its_answer_leaves_one_commit_and_one_answer(
    served: Any, world: ModuleType
) -> None:
    outside, server = served
    url, github = f"sqlite:///{server.folder / 'db'}", outside.github
    pull = outside.open_pull({"a.py": world.SMELLY})

    def calm() -> bool:
        return bool(github.webhooks.wait()) and not world.unfinished(url)

    world.wait_for(lambda: outside.reviews(pull) and calm(), why=lambda: server.told[-3000:])
    before = pull.head_sha

    # The commit lands, and GitHub's word about it does not come.
    lost = {"match": "POST /graphql", "contains": "createCommitOnBranch", "when": When.AFTER}
    github.faults.add(Fault(kind=Kind.STALL, seconds=20.0, **lost))
    asked = talk.say(outside.repo, pull.number, "/spark fix all", by="alice")
    # The push is told before the blow: a delivery to a server that is away is asked for again minutes later.
    world.wait_for(lambda: [each.status_code for each in pushes(github)] == [202], why=lambda: server.told[-3000:])
    server.kill()
    github.faults.clear()
    server.start()
    world.wait_for(lambda: answers(outside) and calm(), why=lambda: server.told[-3000:])

    git = outside.repo.git
    (made,) = git.text("rev-list", f"{before}..{pull.head_sha}").split()
    (given,) = answers(outside)
    assert f"Spark-Command: conversation-{asked.id}" in git.commit_info(made).message
    assert made[:7] in given.body
    assert [each.content for each in asked.reactions].count("eyes") == 1
    assert "rows is None" in git.read(f"{made}:a.py")[2].decode()
    assert "seen=None" in git.read(f"{made}:a.py")[2].decode()
    # The new head has its check, and what was mended is over.
    (check,) = world.wait_for(lambda: outside.checks(pull.head_sha))
    assert check.status == "completed"
    assert sum(thread.resolved_by is not None for thread in outside.threads(pull)) == 2
    # One mail for both threads.
    texts = [review.body for review in outside.reviews(pull) if review.body]
    assert [text.startswith("Followed up on ") for text in texts] == [False, True], (
        "the findings, then what is fixed in one"
    )


def pushes(github: Any) -> list[Any]:
    """GitHub's deliveries of pushes."""
    return [each for each in list(github.webhooks.deliveries) if each.action == "synchronize"]


def answers(outside: Any) -> list[Any]:
    """What we said in the conversation."""
    with outside.github.world.lock:
        return [each for each in outside.repo.issue_comments.values() if each.author.login == US]
