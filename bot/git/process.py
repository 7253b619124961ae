"""The one door to git: subprocesses with a fixed way of being called.

Refuses to run anything that a repository brings along: no hook, no filter, no textconv, no external diff, no fsmonitor,
no pager, no credential helper, no command of its configuration, and no prompt. Trees are compared with an empty
directory as the work tree, so `.gitattributes` of the reviewed change cannot hide a file as `-diff`. Nothing is written
to the repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bot.errors import OutsideError, SparkError, UserError

TIMEOUT = 300.0
"""Seconds for one git call. Only a partial clone that fetches blobs comes near to it."""

_KEPT = frozenset(
    {
        # Where the repository is: set by git itself when Spark runs inside a hook, where the index may be a special one.
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_CEILING_DIRECTORIES",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        # The user's own configuration; safe.directory may stand there.
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        # How the user reaches a remote; a partial clone needs it.
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_EXEC_PATH",
    }
)

_CONFIG = (
    "core.quotePath=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.askPass=",
    "core.sshCommand=ssh",
    "core.gitProxy=",
    "credential.helper=",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.suppressBlankEmpty=false",
    "color.ui=false",
    "i18n.logOutputEncoding=UTF-8",
)

DIFF_FLAGS = (
    "-p",
    "-U3",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--full-index",
    "--indent-heuristic",
    "--inter-hunk-context=0",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
"""How a patch is printed, whatever the configuration says."""


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without the `GIT_*` variables that change what git prints or runs, and with prompts switched off."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or name in _KEPT or name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }
    kept.update(
        GIT_TERMINAL_PROMPT="0",
        GIT_ASKPASS="",
        GIT_OPTIONAL_LOCKS="0",
        # `ext::` and `file` would run commands named in the configuration when a partial clone fetches a blob.
        GIT_ALLOW_PROTOCOL="https:http:ssh",
        GIT_ATTR_NOSYSTEM="1",
        LC_ALL="C",
    )
    kept.pop("LANGUAGE", None)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one git call gave. `error` is the line of stderr that says what went wrong, fit to be shown."""

    code: int
    out: bytes
    error: str
    stderr: str = ""

    @property
    def text(self) -> str:
        """`out` as text, without the final newline."""
        return self.out.decode("utf-8", "surrogateescape").rstrip("\n")


def run_git(
    *args: str, cwd: Path, env: Mapping[str, str], stdin: bytes = b"", ok: tuple[int, ...] | None = (0,)
) -> Answer:
    """Run git once and wait. `ok` lists the exit codes that are no error; None takes every code.

    Raises OutsideError when git is missing, hangs or fails, UserError for what the user can mend.
    """
    try:
        done = subprocess.run(
            command(*args), cwd=cwd, env=env, input=stdin, capture_output=True, timeout=TIMEOUT, check=False
        )
    except FileNotFoundError as error:
        raise missing(cwd) from error
    except NotADirectoryError as error:
        raise UserError(f"{cwd} is not a directory", remedy="Run spark inside a git repository.") from error
    except subprocess.TimeoutExpired as error:
        raise OutsideError(f"git {args[0]} did not finish within {TIMEOUT:.0f} s") from error
    stderr = done.stderr.decode("utf-8", "replace")
    answer = Answer(code=done.returncode, out=done.stdout, error=_complaint(stderr), stderr=stderr)
    if ok is not None and answer.code not in ok:
        raise _failure(args[0], answer, cwd)
    return answer


def command(*args: str) -> list[str]:
    """The argument list of a git call."""
    return ["git", "--no-pager", *(part for entry in _CONFIG for part in ("-c", entry)), *args]


def missing(cwd: Path) -> SparkError:
    """The error for a FileNotFoundError at the start of git: git or the directory is not there."""
    if not cwd.is_dir():
        return UserError(f"{cwd} does not exist", remedy="Run spark inside a git repository.")
    return OutsideError("git was not found on PATH", remedy="Install git, or review a diff with --diff FILE.")


def _complaint(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    chosen = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
    chosen = chosen.removeprefix("fatal:").removeprefix("error:").strip()
    return "".join(char if char.isprintable() else "?" for char in chosen)[:300]


def _failure(verb: str, answer: Answer, cwd: Path) -> SparkError:
    said = answer.stderr.lower()
    if "not a git repository" in said:
        remedy = "Run spark inside a repository, or review a diff with --diff FILE."
        return UserError(f"{cwd} is not in a git repository", remedy=remedy)
    if "dubious ownership" in said:
        remedy = f"If you trust it: git config --global --add safe.directory {cwd}"
        return UserError(f"git refuses {cwd}: it belongs to another user", remedy=remedy)
    if "promisor remote" in said:
        remedy = "This clone is partial: run git diff on the same range once, so that git fetches them."
        return OutsideError("Objects of this range are not in the clone and could not be fetched", remedy=remedy)
    return OutsideError(f"git {verb} failed: {answer.error or f'exit code {answer.code}'}")


class Repository:
    """One repository, found from a path inside it (a work tree, a linked one, a bare one). Safe in several threads.

    Nothing is run before the first question. `objects` is a directory with more objects than the repository has.
    """

    def __init__(self, path: Path | None = None, *, objects: Path | None = None) -> None:
        self.path = path if path is not None else Path.cwd()
        self._objects = objects

    @cached_property
    def env(self) -> dict[str, str]:
        """The environment for calls that look for the repository themselves."""
        return clean_environment(os.environ)

    @cached_property
    def _facts(self) -> tuple[Path, Path, Path, bool]:
        asked = ("--absolute-git-dir", "--git-path", "index", "--git-path", "objects", "--is-shallow-repository")
        lines = run_git("rev-parse", *asked, cwd=self.path, env=self.env).text.split("\n")
        if len(lines) != 4:
            raise OutsideError(f"git does not say where the repository of {self.path} lies", remedy="Update git.")
        index, objects = (self.path.joinpath(line).absolute() for line in lines[1:3])
        return Path(lines[0]), index, objects, lines[3] == "true"

    @property
    def git_dir(self) -> Path:
        """The git directory of this work tree. UserError when there is no repository."""
        return self._facts[0]

    @property
    def index(self) -> Path:
        """The index file: the one of a running commit, when Spark is its hook. May not exist."""
        return self._facts[1]

    @property
    def objects(self) -> Path:
        """The object directory."""
        return self._facts[2]

    @property
    def shallow(self) -> bool:
        """Whether history was cut when cloning."""
        return self._facts[3]

    @cached_property
    def top(self) -> Path | None:
        """The root of the work tree; None in a bare repository."""
        answer = run_git("rev-parse", "--show-toplevel", cwd=self.path, env=self.env, ok=None)
        return Path(answer.text) if answer.code == 0 and answer.text else None

    @cached_property
    def empty(self) -> Path:
        """An empty directory that stands for the work tree; removed when this object goes."""
        path = Path(tempfile.mkdtemp(prefix="spark-git-"))
        weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        return path

    @cached_property
    def tree_env(self) -> dict[str, str]:
        """The environment for calls about trees and objects: no work tree, no index, no attributes of the change."""
        env = dict(self.env)
        env.update(
            GIT_DIR=str(self.git_dir),
            GIT_WORK_TREE=str(self.empty),
            GIT_INDEX_FILE=str(self.empty / "no-index"),
            GIT_LITERAL_PATHSPECS="1",
        )
        if self._objects is not None:
            known = env.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = os.pathsep.join(
                part for part in (alternate(self._objects), known) if part
            )
        return env

    def git(self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] | None = (0,)) -> Answer:
        """Run git on trees and objects; see `run_git`. Never sees the work tree or the index."""
        return run_git(*args, cwd=self.empty, env=self.tree_env, stdin=stdin, ok=ok)

    def commit(self, revision: str) -> str | None:
        """The full id of the commit that `revision` names; None when it names none here."""
        if not revision or revision.startswith("-") or "\0" in revision:
            return None
        answer = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", ok=None)
        return answer.text if answer.code == 0 and answer.text else None

    def empty_tree(self) -> str:
        """The id of the tree without files, in this repository's hash."""
        return self.git("hash-object", "-t", "tree", "--stdin").text


def alternate(path: Path) -> str:
    """`path` quoted as an entry of GIT_ALTERNATE_OBJECT_DIRECTORIES; a colon in it would otherwise split it."""
    quoted = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{quoted}"'
