"""A run begins to read before it is loaded: what it asks for first, what is not loaded then, and what never is."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys

from bot.action.begin import begin
from bot.action.run import run
from bot.sandbox.github import Fault

PROBE = """
import json, sys
before = []
def told(event, _arguments):
    if event == "socket.connect" and not before:
        before.extend(sys.modules)
sys.addaudithook(told)
from bot.__main__ import main
code = main(["action"])
from bot.deferred import has_run
ran = [name for name in sys.modules if has_run(name)]
print(json.dumps({"code": code, "before": before, "ran": ran}), file=sys.stderr)
"""
NOT_YET = set(
    "openai httpx2 pydantic yaml pathspec tree_sitter subprocess difflib bot.action.run bot.action.reviewing bot.action.report "  # noqa: SIM905 - one name a line would be a page
    "bot.review.run bot.review.config bot.git bot.analyzers bot.model.client bot.hooks.decide bot.commands.grammar".split()
)
"""They are loaded while GitHub answers; each of them before its first call would make that one later."""
NEVER = set(
    "openai.types openai.resources asyncio github.Repository github.PullRequest jwt nacl yaml rich flask jinja2 dbos sqlalchemy "  # noqa: SIM905 - as above
    "dotenv graphql pytest bot.html bot.server bot.sandbox bot.engine bot.worker bot.bench bot.commands.serve "
    "bot.github.groups bot.github.manifest bot.review.render.sarif".split()
)
"""No run for a pull request without a configuration of its own has a use for them."""


def test_what_a_run_does_not_need_for_its_first_call_is_not_loaded_before_it_and_what_it_never_needs_never(
    stage,
) -> None:
    values = stage.values("pull_request", stage.payload("pull_request", "opened", pull=stage.open("")))
    env = {**values, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["code"] == 0, done.stdout
    assert {"github", "bot.github.pulls"} <= {*told["before"]}
    assert NOT_YET & {*told["before"]} == set()
    assert {"openai", "bot.review.run"} <= {*told["ran"]}
    assert NEVER & {*told["ran"]} == set()
    assert len(stage.reviews()) == 1


def test_a_run_that_has_begun_asks_github_for_nothing_twice(stage) -> None:
    def asked(*, begins: bool) -> list[tuple[str, str]]:
        values = stage.values("pull_request", stage.payload("pull_request", "opened", pull=stage.open()))
        stage.github.requests.clear()
        begun = begin(values, waits=stage.waits) if begins else None
        assert (begun is not None) is begins
        assert run(values, io.StringIO(), waits=stage.waits, begun=begun) == 0
        return sorted((seen.method, re.sub(r"[0-9a-f]{40}|[0-9]+", "N", seen.path)) for seen in stage.github.requests)

    assert asked(begins=True) == asked(begins=False)


def test_nothing_begins_where_no_pull_is_to_be_reviewed_or_an_input_is_wrong(stage) -> None:
    payload = stage.payload("pull_request", "opened", pull=stage.open())
    stage.github.requests.clear()
    assert begin(stage.values("pull_request", payload, fail_on="severe")) is None
    assert begin(stage.values("push", {"repository": payload["repository"]})) is None
    assert begin({}) is None
    assert list(stage.github.requests) == []


def test_a_pull_that_could_not_be_read_at_once_is_read_again(stage) -> None:
    values = stage.values("pull_request", stage.payload("pull_request", "opened", pull=stage.open()))
    stage.github.faults.add(Fault(match=f"GET /repos/{stage.name}/pulls/*", status=502, times=8))
    begun = begin(values, waits=stage.waits)
    assert begun is not None
    assert run(values, io.StringIO(), waits=stage.waits, begun=begun) == 0
    assert len(stage.reviews()) == 1
