"""Installs the packages of a lock into a directory, by uv or pip, and compiles what lies in one.

Every package is held against the hash in the lock; nothing is resolved and nothing built. It refuses programs and
configuration of the workspace, and gives an installer none of the job's secrets. Standard library alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

INSTALL_SECONDS: Final = 300.0
_CHILDREN_SEE: Final = """
    PATH HOME USERPROFILE APPDATA LOCALAPPDATA SYSTEMROOT TEMP TMP TMPDIR LANG LC_ALL XDG_CACHE_HOME XDG_CONFIG_HOME
    HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE
    PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST PIP_CERT PIP_PROXY PIP_CACHE_DIR
    PIP_DEFAULT_TIMEOUT PIP_RETRIES
    UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_NO_INDEX UV_OFFLINE UV_CACHE_DIR
    UV_NATIVE_TLS UV_SYSTEM_CERTS UV_HTTP_TIMEOUT
"""
"""What an installer's environment holds: none of the job's secrets. Where packages come from may be chosen, since the lock
says what is in them; where and how they are installed may not."""


class CannotStartError(Exception):
    """Nothing could be made ready. Its text is one line and names the remedy."""


def install(lock: Path, site: Path, env: Mapping[str, str]) -> str:
    """Install the lock's packages into `site`; returns a sentence about it. Raises CannotStartError."""
    wanted = ["--target", str(site), "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    site.mkdir()
    problems = []
    if uv := _uv(env):
        command = [uv, "pip", "install", "--quiet", "--no-config", "--python", sys.executable, *wanted]
        if (problem := _ran(command, site, env)) is None:
            return "Installed the packages of the lock by uv."
        problems.append(f"uv: {problem}")
    quiet = ["--quiet", "--no-input", "--no-compile", "--disable-pip-version-check", "--no-warn-script-location"]
    # uv reads no pip.conf, so pip may get what uv did not.
    command = [sys.executable, "-I", "-m", "pip", "install", *quiet, "--upgrade", *wanted]
    if (problem := _ran(command, site, env)) is None:
        return "".join(["Installed the packages of the lock by pip", *(f"; {problem}" for problem in problems), "."])
    problems.append(f"pip: {problem}")
    raise CannotStartError(
        f"Spark's dependencies could not be installed ({'; '.join(problems)}). "
        "Let the runner reach github.com or a package index (PIP_INDEX_URL), and give it pip or uv."
    )


def _uv(env: Mapping[str, str]) -> str | None:
    """The uv on PATH; none that a pull request could have brought along."""
    import shutil  # noqa: PLC0415 - a start that finds all ready must not wait for it

    workspace = Path(env.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()

    def is_ours(place: str) -> bool:
        return Path(place).is_absolute() and not Path(place).resolve().is_relative_to(workspace)

    folders = [folder for folder in env.get("PATH", "").split(os.pathsep) if is_ours(folder)]
    found = shutil.which("uv", path=os.pathsep.join(folders))
    # Windows looks in the current directory first, whatever the path says.
    return found if found is not None and is_ours(str(Path(found).parent)) else None


def _ran(command: list[str], folder: Path, env: Mapping[str, str]) -> str | None:
    """Run an installer in `folder`; None when it did its work, otherwise its last line."""
    import subprocess  # noqa: PLC0415 - as above

    allowed = set(_CHILDREN_SEE.split())
    seen = {name: value for name, value in env.items() if name.upper() in allowed}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=seen,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took more than {INSTALL_SECONDS:.0f} s"
    except OSError as error:
        return one_line(str(error))
    if done.returncode == 0:
        return None
    said = [line for line in (done.stderr or done.stdout).decode("utf-8", "replace").splitlines() if line.strip()]
    return one_line(said[-1]) if said else f"left with {done.returncode}"


def compile_all(folder: Path) -> None:
    """Write the bytecode of every module under `folder`, by all processors. What does not compile is left alone."""
    import subprocess  # noqa: PLC0415 - as above

    # In a process of its own: this one has threads, and must not be forked.
    command = [sys.executable, "-I", "-m", "compileall", "-qq", "-j0", "--invalidation-mode", "unchecked-hash", "."]
    # Windows starts no process without it.
    env = {name: value for name, value in os.environ.items() if name.upper() == "SYSTEMROOT"}
    subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def one_line(text: str, most: int = 300) -> str:
    """Foreign text as a part of one line that starts no workflow command, of so many characters."""
    shown = "".join(char if char.isprintable() else " " for char in text.replace("##[", "# # ["))
    return " ".join(shown.split())[:most]
