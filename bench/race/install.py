"""Installs the other tools, each into a virtual environment of its own under `.bench/`, from the locks in `bench/rivals/`.

    python bench/race/install.py               # all; nothing to do where a lock has not changed

A lock names every package with its hashes; packages come from wherever uv is set up to take them. Bytecode is compiled, as an
image that their users run has it. Refuses to touch any other environment.

The locks are made by `printf 'pr-agent[github]\\n' | uv pip compile --universal --python-version 3.12 --generate-hashes --no-header
--no-annotate -`, and for gito by `gito.bot` and 3.11: the oldest Python that each one takes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = ROOT / "bench" / "rivals"
HOME: Final = ROOT / ".bench"
_TIMEOUT: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What is installed for one rival."""

    name: str
    """Of its lock and of its folder."""
    package: str
    python: tuple[int, int]
    """The oldest that it runs on."""

    @property
    def lock(self) -> Path:
        """The list of its packages."""
        return LOCKS / f"{self.name}.txt"

    @property
    def version(self) -> str:
        """Of the package, as the lock has it."""
        found = re.search(rf"^{re.escape(self.package)}==(\S+)", self.lock.read_text(encoding="utf-8"), re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.lock} does not name {self.package}; make the lock again")
        return found[1]

    @property
    def folder(self) -> Path:
        """Its environment."""
        return HOME / self.name

    @property
    def interpreter(self) -> Path:
        """The Python of its environment."""
        return self.folder / "bin" / "python"


PR_AGENT: Final = Tool(name="pr-agent", package="pr-agent", python=(3, 12))
GITO: Final = Tool(name="gito", package="gito-bot", python=(3, 11))
TOOLS: Final = (PR_AGENT, GITO)


def stamp(tool: Tool) -> str:
    """What an environment must have been made from to be used again."""
    return hashlib.sha256(tool.lock.read_bytes()).hexdigest()


def installed(tool: Tool) -> bool:
    """Whether its environment is there and was made from the lock of now."""
    mark = tool.folder / "lock.sha256"
    return tool.interpreter.exists() and mark.is_file() and mark.read_text(encoding="utf-8").strip() == stamp(tool)


def install(tool: Tool) -> None:
    """Make its environment, unless it is there. RuntimeError, with the remedy, where that cannot be done."""
    if installed(tool):
        return
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv is None:
        raise RuntimeError("uv is needed to install the other tools; `make check` installs it into .venv")
    python = _python(tool)
    shutil.rmtree(tool.folder, ignore_errors=True)
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    where = ["--python", str(tool.interpreter)]
    for arguments in (
        ["venv", "--quiet", "--python", str(python), str(tool.folder)],
        ["pip", "install", "--quiet", *where, "--compile-bytecode", "--require-hashes", "-r", str(tool.lock)],
    ):
        done = subprocess.run([uv, *arguments], env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        if done.returncode:
            raise RuntimeError(f"{tool.name} cannot be installed from {tool.lock}:\n{done.stderr.strip()[-2000:]}")
    (tool.folder / "lock.sha256").write_text(stamp(tool) + "\n", encoding="utf-8")


def _python(tool: Tool) -> Path:
    """The newest Python of this machine that a tool runs on. RuntimeError when there is none."""
    names = [f"python3.{minor}" for minor in range(tool.python[1], 15)]
    on_path = (shutil.which(name) for name in names)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin/python3")
    places = [Path(sys.executable), *(Path(each) for each in on_path if each), *pyenv]
    found = {version: place for place in places if (version := _version(place)) >= tool.python}
    if not found:
        wanted = ".".join(map(str, tool.python))
        raise RuntimeError(f"{tool.package} {tool.version} needs Python {wanted} or newer, and none is found on PATH")
    return found[max(found)]


def _version(python: Path) -> tuple[int, int]:
    """(0, 0) for what does not start: a wrapper script on PATH may have nothing behind it."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        told = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    major, minor = told.split()
    return (int(major), int(minor))


if __name__ == "__main__":
    for each in TOOLS:
        print(f"{each.package} {each.version}: {'there' if installed(each) else 'to be installed'}", flush=True)
        install(each)
