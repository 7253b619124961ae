"""The recipes and the quick start: what is shown there is what can be used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from bot.action.inputs import INPUTS, read_inputs, variable
from bot.review.config import read_config

Read = Callable[[str], str]

ROOT = Path(__file__).parents[2]
SPARK = "OWNER/spark@"


def blocks() -> list[Any]:
    found = []
    for document in ("README.md", "docs/recipes.md"):
        text = (ROOT / document).read_text("utf-8")
        for match in re.finditer(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 1
            found.append(pytest.param(match[1], id=f"{document}:{line}"))
    return found


BLOCKS = blocks()
WORKFLOWS = [block for block in BLOCKS if "\njobs:" in block.values[0]]


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Validator:
    """GitHub's workflows, from the schema store."""
    vendored = files("check_jsonschema.builtin_schemas") / "vendor" / "github-workflows.json"
    return jsonschema_rs.validator_for(json.loads(vendored.read_text("utf-8")))


def test_every_block_is_a_workflow_a_configuration_or_hooks() -> None:
    assert len(WORKFLOWS) >= 12
    for block in BLOCKS:
        if block in WORKFLOWS:
            continue
        keys = set(yaml.safe_load(block.values[0]))
        if keys != {"repos"}:
            read_config(block.values[0], name=str(block.id))


@pytest.mark.parametrize("text", WORKFLOWS)
def test_a_workflow_keeps_to_the_schema_and_to_what_the_action_has(text: str, schema: jsonschema_rs.Validator) -> None:
    workflow = yaml.safe_load(text)
    # "on" is a truth value to YAML 1.1.
    workflow["on"] = workflow.pop(True)
    schema.validate(workflow)
    assert "permissions" in workflow
    used = [step for job in workflow["jobs"].values() for step in job["steps"] if SPARK in step.get("uses", "")]
    assert used
    for step in used:
        given = step["with"]
        assert set(given) <= set(INPUTS)
        plain = {name: value for name, value in given.items() if "${{" not in str(value)}
        assert all(isinstance(value, str) for value in given.values()), "a number that YAML may write otherwise"
        read_inputs({variable(name): value for name, value in plain.items()})


@pytest.mark.parametrize("text", WORKFLOWS)
def test_a_job_with_the_key_checks_nothing_out_and_runs_nothing(text: str) -> None:
    for job in yaml.safe_load(text)["jobs"].values():
        steps = job["steps"]
        if any("secrets." in str(step) for step in steps):
            assert not any("run" in step or "actions/checkout" in step.get("uses", "") for step in steps)


def test_actionlint_finds_nothing_in_the_workflows(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for number, block in enumerate(WORKFLOWS):
        (folder / f"{number}.yml").write_text(block.values[0], "utf-8")
    linter = Path(sys.executable).parent / "actionlint"
    paths = [str(path) for path in sorted(folder.iterdir())]
    done = subprocess.run([linter, "-no-color", *paths], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_actions_of_others_are_those_that_our_own_workflows_pin(read: Read) -> None:
    ours = "".join(path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    shown = re.findall(r"uses: ((?!OWNER/)\S+@\S+ # v\S+)", read("docs/recipes.md"))
    assert shown
    for pin in shown:
        # GitHub's upload step is in none of ours.
        assert pin in ours or pin.startswith("github/codeql-action/upload-sarif@"), pin
        assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", pin)


def test_the_quick_start_is_eight_lines_and_the_first_recipe(read: Read) -> None:
    def first(document: str) -> str:
        text = re.search(
            r"^```yaml\n# \.github/workflows/spark\.yml\n(.*?)^```$", read(document), re.MULTILINE | re.DOTALL
        )
        assert text
        return text[1]

    assert first("README.md") == first("docs/recipes.md")
    assert len(first("README.md").splitlines()) == 8


def test_the_permissions_that_are_told_are_those_that_are_asked_for(read: Read) -> None:
    told = set(re.findall(r"^\| `([a-z-]+: \w+)` \|", read("docs/recipes.md"), re.MULTILINE))
    asked: set[str] = set()
    for block in WORKFLOWS:
        workflow = yaml.safe_load(block.values[0])
        for place in (workflow, *workflow["jobs"].values()):
            asked |= {f"{name}: {level}" for name, level in place.get("permissions", {}).items()}
    assert asked == told


def test_the_hook_that_is_shown_is_the_hook_that_there_is(read: Read) -> None:
    (hook,) = yaml.safe_load(read(".pre-commit-hooks.yaml"))
    (shown,) = [yaml.safe_load(block.values[0]) for block in BLOCKS if "repos:" in block.values[0]]
    assert shown["repos"][0]["hooks"][0]["id"] == hook["id"]
    told = read("docs/recipes.md").partition("## Before the commit")[2]
    assert f"`{' '.join(hook['args'])}`" in told
    assert f"exec {hook['entry']} {' '.join(hook['args'])}" in told
