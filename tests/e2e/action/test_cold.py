"""The first job of a machine: nothing is there, and the packages of the lock are installed and held against their hashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from action_runner import Runner

UV = Path(sys.executable).with_name("uv")
GATE = "gate:\n  fail_on: high\n"


def uv_cache() -> str:
    """Where the packages are that this environment was made from. Skips where they were not kept."""
    place = subprocess.run([UV, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    if not (Path(place) / "CACHEDIR.TAG").exists():
        pytest.skip("uv has kept no packages on this machine, and tests install nothing from the network")
    return place


def test_the_first_job_of_a_machine_installs_and_reviews_and_leaves_the_next_one_a_warm_cache(
    stage: Any, job: Any, runner: Runner, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").symlink_to(UV)
    runner.tools, runner.cache = [tools], tmp_path / "empty-cache"
    runner.env = {"UV_OFFLINE": "1", "UV_CACHE_DIR": uv_cache()}
    pull = stage.open(GATE)
    payload = stage.payload("pull_request", "opened", pull=pull)
    first = job("pull_request", payload)
    assert (first.code, first.outputs["verdict"]) == (1, "fail"), first.log
    assert first.log.startswith("spark: Installed the packages of the lock by uv.\n")
    assert first.outputs["review-url"].endswith(f"-{stage.reviews()[0].id}")
    ready = {path.name for path in (runner.cache / "spark").iterdir()}
    assert not any(name.startswith(".") for name in ready)

    runner.tools = []
    again = job("pull_request", payload, post="false")
    assert (again.code, "Installed" in again.log) == (1, False), again.log
    assert {path.name for path in (runner.cache / "spark").iterdir()} == ready
    assert list((tmp_path / "_work" / "run-0" / "workspace").iterdir()) == []
