"""The `spark` command as a process, in a real repository with nothing of this machine's settings."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import warm
from warm import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


def clean_env(home: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPARK_", "OPENAI_", "GITHUB_", "GIT_")) and not name.endswith("_API_KEY")
    }
    return {**kept, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "NO_COLOR": "1", "COLUMNS": "200"}


class Desk:
    """A person's terminal in a repository."""

    def __init__(self, path: Path, home: Path) -> None:
        self.path = path
        self.env = clean_env(home)

    def git(self, *args: str) -> None:
        subprocess.run(["git", *args], cwd=self.path, env=self.env, check=True, capture_output=True)

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            target = self.path / name.replace("__", "/").replace("_dot_", ".")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a change")

    def start(self, *args: str, cold: bool = False, **env: str) -> Process | subprocess.Popen[bytes]:
        """`cold`: as a person starts it, by an interpreter of its own."""
        return warm.start(*args, cwd=self.path, env={**self.env, **env}, cold=cold)

    def spark(self, *args: str, stdin: bytes = b"", cold: bool = False, **env: str) -> Ended:
        process = self.start(*args, cold=cold, **env)
        out, err = process.communicate(stdin, timeout=60)
        return Ended(code=process.returncode, out=out.decode(), err=err.decode())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """On a branch whose one commit adds `a.py` with an unused import (low) and an undefined name (high)."""
    home, path = tmp_path / "home", tmp_path / "repo"
    home.mkdir()
    path.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = A Person\n\temail = person@example.org\n")
    desk = Desk(path, home)
    desk.git("init", "--quiet", "--initial-branch=main")
    desk.commit(README_dot_md="# x\n")
    desk.git("checkout", "--quiet", "-b", "work")
    desk.commit(a_dot_py="import os\n\n\ndef f():\n    return nothing\n")
    return desk
