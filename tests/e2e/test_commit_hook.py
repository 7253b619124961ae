"""The hook of `.pre-commit-hooks.yaml`, as git runs it: a real commit, the real command, the stand-in endpoint."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KINDS = {
    "id": str,
    "name": str,
    "description": str,
    "entry": str,
    "args": list,
    "language": str,
    "additional_dependencies": list,
    "pass_filenames": bool,
    "require_serial": bool,
    "stages": list,
    "verbose": bool,
    "minimum_pre_commit_version": str,
}
"""Keys of a hook and their types, from pre-commit's documentation, "Creating new hooks"; those that we use."""


@pytest.fixture(scope="module")
def hook() -> dict[str, Any]:
    (found,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    return dict(found)


def test_the_hook_says_what_pre_commit_understands(hook):
    assert {name: type(value) for name, value in hook.items()} == KINDS
    assert hook["language"] == "python"
    assert hook["stages"] == ["pre-commit"], "the name of the stage since 3.2.0"
    assert hook["minimum_pre_commit_version"] == "3.2.0"
    # The index is reviewed as a whole: names of files would be taken for a range, in as many runs as pre-commit likes.
    assert hook["pass_filenames"] is False


def test_a_commit_of_a_grave_mistake_is_stopped_and_a_mended_one_is_made(desk, endpoint, hook):
    command = [str(Path(sys.executable).parent / "spark"), *shlex.split(hook["entry"])[1:], *hook["args"]]
    installed = desk.path / ".git" / "hooks" / "pre-commit"
    installed.parent.mkdir(exist_ok=True)
    installed.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
    installed.chmod(0o755)

    def commit(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = ["git", "commit", "--quiet", "--message", "a change", *arguments]
        return subprocess.run(
            done, cwd=desk.path, env=desk.env, capture_output=True, text=True, timeout=60, check=False
        )

    head = desk.git("rev-parse", "HEAD")
    before = len(endpoint.requests)
    (desk.path / "tool.py").write_text("def run(text):\n    return eval(text)\n")
    desk.git("add", "tool.py")
    # Not in the index, so nothing of it is in this commit.
    (desk.path / "later.py").write_text("def other(text):\n    return eval(text)\n")
    stopped = commit()
    assert stopped.returncode == 1
    said = stopped.stdout + stopped.stderr
    assert "tool.py:2" in said
    assert "verdict: Fail" in said
    assert "later.py" not in said
    assert desk.git("rev-parse", "HEAD") == head
    assert len(endpoint.requests) > before, "the model was asked"

    (desk.path / "tool.py").write_text("def run(text):\n    return int(text)\n")
    # With --all git gives its hooks an index of its own.
    made = commit("--all")
    assert made.returncode == 0, made.stdout + made.stderr
    assert desk.git("show", "HEAD:tool.py").decode().endswith("return int(text)\n")
