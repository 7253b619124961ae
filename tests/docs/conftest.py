"""The documents as text, and a repository in which their commands can be run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def read() -> Callable[[str], str]:
    return lambda name: (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def section() -> Callable[[str, str], str]:
    """The part of a document under a heading, up to the next heading of the same or a higher level."""

    def find(text: str, heading: str) -> str:
        level = len(heading) - len(heading.lstrip("#"))
        # A comment in a fenced block is no heading.
        bare = re.sub(
            r"^```.*?^```$", lambda block: re.sub(r"[^\n]", " ", block[0]), text, flags=re.MULTILINE | re.DOTALL
        )
        start = re.search(rf"^{re.escape(heading)}$", bare, re.MULTILINE)
        assert start, f"there is no heading {heading!r}"
        end = re.search(rf"^#{{1,{level}}} ", bare[start.end() :], re.MULTILINE)
        return text[start.end() : start.end() + end.start()] if end else text[start.end() :]

    return find


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], tuple[int, str]]:
    """Runs a command line as a newcomer would, in a small repository with nothing of this machine's settings.

    The last commit there makes two mistakes, one of them grave, and `.github/spark.yml` is on both commits.
    """
    home, repo = tmp_path / "home", tmp_path / "repo"
    home.mkdir()
    (repo / ".github").mkdir(parents=True)
    (home / ".gitconfig").write_text("[user]\n\tname = A Person\n\temail = person@example.org\n")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPARK_", "OPENAI_", "GITHUB_", "GIT_")) and not name.endswith("_API_KEY")
    }
    env = {
        **kept,
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(line: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=repo,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.decode()

    def commit(body: str) -> None:
        (repo / "settings.py").write_text(body)
        code, said = run("git add --all && git commit --quiet -m 'Settings remember their paths'")
        assert code == 0, said

    assert run("git init --quiet --initial-branch=main")[0] == 0
    (repo / ".github" / "spark.yml").write_text("gate:\n  fail_on: never\n")
    commit("import yaml\n\n\ndef load(path):\n    with open(path) as file:\n        return yaml.safe_load(file)\n")
    commit(
        "import yaml\n\n\ndef load(path, seen=[]):\n    seen.append(path)\n    with open(path) as file:\n"
        "        return yaml.load(file)\n"
    )
    return run
