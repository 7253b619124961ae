"""The Action as processes on a machine of its own, and as runs in this process; the stand-ins are the same."""

from __future__ import annotations

import copy
import json
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from action_machine import bare_python, copy_action, warm_cache
from action_runner import Job, Runner
from action_stage import KEY, Stage, action_servers, another_endpoint, stage, stage_names

__all__ = ["action_servers", "another_endpoint", "stage", "stage_names"]

EXAMPLES = Path(__file__).parents[2] / "data" / "webhooks" / "examples.json.xz"
IN_NO_EXAMPLE = (("issue", "pull_request"), ("comment", "in_reply_to_id"))
"""No example is a comment on a pull request, or a reply in a thread."""


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The action's place, the folder of a bare `python3`, and the tool cache that an earlier job left."""
    home = tmp_path_factory.mktemp("machine")
    action = copy_action(home / "_actions" / "OWNER" / "spark" / "v1")
    return action, bare_python(home / "python"), warm_cache(home / "tool-cache", action)


@pytest.fixture
def runner(machine: tuple[Path, Path, Path], tmp_path: Path) -> Runner:
    """A machine on which the Action ran before."""
    action, python, cache = machine
    home = tmp_path / "_work"
    home.mkdir()
    return Runner(action=action, home=home, python=python, cache=cache)


@pytest.fixture
def job(runner: Runner, stage: Stage) -> Callable[..., Job]:
    """Runs the Action for an event of the stage's repository; `**inputs` as in a workflow, with `_` for `-`."""

    def run(
        event: str, payload: Mapping[str, Any], *, actor: str = "mona", cold: Runner | None = None, **inputs: str
    ) -> Job:
        done = (cold or runner).run(
            event,
            payload,
            token=stage.token,
            inputs={
                "api-key": KEY,
                "base-url": stage.endpoint.url,
                **{k.replace("_", "-"): v for k, v in inputs.items()},
            },
            secrets=[KEY],
            github={
                "repository": stage.name,
                "actor": actor,
                "api_url": stage.github.api_url,
                "graphql_url": stage.github.graphql_url,
                "server_url": stage.github.web_url,
            },
        )
        for secret in (KEY, stage.token):
            assert secret not in done.raw + done.summary + json.dumps(done.written)
        assert "Traceback" not in done.raw
        return done

    return run


@pytest.fixture(scope="session")
def examples() -> dict[str, list[Any]]:
    """GitHub's own example payloads, by event. Not to be changed."""
    found: dict[str, list[Any]] = json.loads(lzma.decompress(EXAMPLES.read_bytes()))
    return found


@pytest.fixture(scope="session")
def real(examples: dict[str, list[Any]]) -> Callable[..., dict[str, Any]]:
    """`real(event, live)`: GitHub's example of the event and action, about what `live` is about.

    Its shape is the example's: a member that only the stand-in has stays out, but for those of `IN_NO_EXAMPLE`.
    """

    def make(event: str, live: Mapping[str, Any]) -> dict[str, Any]:
        known = examples[event.removesuffix("_target")]
        example = next((each for each in known if each.get("action") == live.get("action")), known[0])
        made: dict[str, Any] = _about(copy.deepcopy(example), live)
        if "inputs" in live:
            # Of the workflow's own form.
            made["inputs"] = live["inputs"]
        for part, name in IN_NO_EXAMPLE:
            if name in live.get(part, {}):
                made[part][name] = live[part][name]
        return made

    return make


def _about(example: Any, live: Any) -> Any:
    if isinstance(example, dict) and isinstance(live, dict):
        return {name: _about(value, live[name]) if name in live else value for name, value in example.items()}
    return live
