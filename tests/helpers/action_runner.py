"""Runs a composite action as actions/runner runs it, and reads what it left as the runner does.

    runner = Runner(action=folder, home=tmp_path, python=folder_of_python3)
    job = runner.run("pull_request", payload, token="...", inputs={"fail-on": "high"}, github={"repository": "acme/shop"})

Everything is clean: an empty workspace, for nothing is checked out, and an environment of which every variable is named here.
It is strict where the runner is lenient: an input, an expression or a key of the file that it does not know fails.
Source: GitHub's docs, "Metadata syntax reference", "Workflow commands" and "Variables reference".
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from runner_log import RunnerCommand, read_log, read_values

PER_LEVEL = 10
"""Annotations of a level that a step may have; the runner drops the others."""
SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's summary; a larger one is dropped whole, with an error."""
OUTPUT_LIMIT = 1024 * 1024
TIMEOUT = 90.0
"""Seconds."""
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)+")
_KNOWN = {
    "file": {"name", "description", "author", "branding", "inputs", "outputs", "runs"},
    "input": {"description", "required", "default", "deprecationMessage"},
    "output": {"description", "value"},
    "runs": {"using", "steps"},
    "step": {"name", "id", "shell", "env", "run"},
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run of the action that is over, as GitHub shows it."""

    code: int
    raw: str
    """Every byte of the log, before secrets are masked."""
    log: str
    """As people see it: secrets are `***`."""
    commands: list[RunnerCommand]
    """What the runner obeyed, in order."""
    outputs: dict[str, str]
    """Of the action: what `steps.<id>.outputs` has for who uses it."""
    written: dict[str, str]
    """What the step wrote as outputs, declared in the action or not."""
    env: dict[str, str]
    """What the step set for later ones."""
    path: str
    summary: str
    seconds: float

    @property
    def annotations(self) -> list[RunnerCommand]:
        """What is shown: the first ten of a level."""
        shown: list[RunnerCommand] = []
        for level in ("error", "warning", "notice"):
            shown += [each for each in self.commands if each.name == level][:PER_LEVEL]
        if len(self.summary.encode()) > SUMMARY_LIMIT:
            shown.append(RunnerCommand("error", "$GITHUB_STEP_SUMMARY upload aborted"))
        return shown

    @property
    def beside(self) -> list[RunnerCommand]:
        """Annotations of files."""
        return [each for each in self.annotations if "file" in each.properties]

    def said(self, level: str) -> list[str]:
        """Annotations of the run itself with this level."""
        return [each.data for each in self.annotations if each.name == level and "file" not in each.properties]


@dataclass
class Runner:
    """A machine with an action on it. Each run has a clean directory of its own; the tool cache stays."""

    action: Path
    """Where the runner put the repository at the ref of `uses:`."""
    home: Path
    python: Path
    """The folder with the machine's own `python3`."""
    tools: Sequence[Path] = ()
    """More folders of PATH."""
    cache: Path | None = None
    """The tool cache; below `home` by default."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What whoever set the machine up gave every job."""
    _runs: Iterator[int] = field(default_factory=itertools.count)

    def run(
        self,
        event: str,
        payload: Mapping[str, Any],
        *,
        token: str,
        github: Mapping[str, str],
        inputs: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        watch: Callable[[float, str], None] = lambda _at, _line: None,
    ) -> Job:
        """Run the action for an event.

        `github`: of the context `github`, without its prefix: `repository`, `actor`, `api_url`, ... `inputs`: the step's `with:`.
        `secrets`: masked beside the token. `env`: of the job. `watch` is called with each line and `time.monotonic()` of its end.
        """
        file = _read_action(self.action / "action.yml")
        place = self.home / f"run-{next(self._runs)}"
        files = _folders(place)
        (files["event"]).write_text(json.dumps(payload), encoding="utf-8")
        about = {
            "actor": "mona",
            "event_name": event,
            "run_id": "4711",
            "run_attempt": "1",
            "run_number": "1",
            "workflow": "review",
            "job": "spark",
            "ref": "refs/heads/main",
            "sha": "0" * 40,
            **github,
        }
        contexts: dict[str, Any] = {
            "github": {**about, "token": token, "action_path": str(self.action)},
            "runner": {"temp": str(place / "temp"), "os": "Linux"},
            "inputs": {},
            "steps": {},
        }
        contexts["inputs"] = _inputs(file, inputs or {}, contexts)
        (step,) = file["runs"]["steps"]
        variables = {name: _evaluated(text, contexts) for name, text in step["env"].items()}
        script = place / "temp" / "script.sh"
        script.write_text(_evaluated(step["run"], contexts), encoding="utf-8")
        bash = shutil.which("bash")
        assert bash is not None
        began = time.monotonic()
        code, raw = _ran(
            [bash, "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            place / "workspace",
            {**self.env, **(env or {}), **self._environment(place, files, about), **variables},
            watch,
        )
        seconds = time.monotonic() - began
        written = read_values(_text(files["output"]))
        assert sum(len(name) + len(value) for name, value in written.items()) < OUTPUT_LIMIT
        contexts["steps"][step["id"]] = {"outputs": written}
        return Job(
            code=code,
            raw=raw,
            log=_masked(raw, [token, *secrets]),
            commands=read_log(raw),
            outputs={name: _evaluated(one["value"], contexts, lenient=True) for name, one in file["outputs"].items()},
            written=written,
            env=read_values(_text(files["env"])),
            path=_text(files["path"]),
            summary=_text(files["summary"]),
            seconds=seconds,
        )

    def _environment(self, place: Path, files: Mapping[str, Path], about: Mapping[str, str]) -> dict[str, str]:
        cache = self.cache or self.home / "tool-cache"
        cache.mkdir(exist_ok=True)
        path = [self.python, *self.tools, Path("/usr/local/bin"), Path("/usr/bin"), Path("/bin")]
        return {
            "CI": "true",
            "HOME": str(place / "home"),
            "LANG": "C.UTF-8",
            "PATH": ":".join(map(str, path)),
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": "spark",
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_ACTION_REF": "v1",
            "GITHUB_WORKSPACE": str(place / "workspace"),
            "GITHUB_EVENT_PATH": str(files["event"]),
            "GITHUB_OUTPUT": str(files["output"]),
            "GITHUB_STEP_SUMMARY": str(files["summary"]),
            "GITHUB_ENV": str(files["env"]),
            "GITHUB_PATH": str(files["path"]),
            "GITHUB_STATE": str(files["state"]),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "RUNNER_TEMP": str(place / "temp"),
            "RUNNER_TOOL_CACHE": str(cache),
            **{f"GITHUB_{name.upper()}": value for name, value in about.items()},
        }


def _folders(place: Path) -> dict[str, Path]:
    for name in ("home", "temp", "workspace", "files"):
        (place / name).mkdir(parents=True)
    files = {name: place / "files" / name for name in ("event", "output", "summary", "env", "path", "state")}
    for name in files.keys() - {"event"}:
        files[name].touch()
    return files


def _read_action(path: Path) -> dict[str, Any]:
    file: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    runs = file["runs"]
    assert runs["using"] == "composite", "this runner knows composite actions alone"
    _known("file", file)
    _known("runs", runs)
    for part, values in (("input", file["inputs"].values()), ("output", file["outputs"].values())):
        for value in values:
            _known(part, value)
    (step,) = runs["steps"]
    _known("step", step)
    assert step["shell"] == "bash", f"this runner knows no shell {step['shell']}"
    return file


def _known(what: str, found: Mapping[str, Any]) -> None:
    assert found.keys() <= _KNOWN[what], f"unknown in {what}: {found.keys() - _KNOWN[what]}"


def _inputs(file: Mapping[str, Any], given: Mapping[str, str], contexts: Mapping[str, Any]) -> dict[str, str]:
    assert given.keys() <= file["inputs"].keys(), f"no input of the action: {given.keys() - file['inputs'].keys()}"
    defaults = {name: about.get("default", "") for name, about in file["inputs"].items()}
    assert all(isinstance(text, str) for text in defaults.values()), "the default of an input is a text"
    return {name: given.get(name, _evaluated(text, contexts)) for name, text in defaults.items()}


def _evaluated(text: str, contexts: Mapping[str, Any], *, lenient: bool = False) -> str:
    """The text with its expressions replaced. `lenient`: what is not there is empty, as an output that was not written."""

    def value(found: re.Match[str]) -> str:
        assert _NAME.fullmatch(found[1]), f"this runner knows no expression {found[1]!r}"
        at: Any = contexts
        for name in found[1].split("."):
            assert lenient or name in at, f"{found[1]} is nothing"
            at = at.get(name, {})
        return at if isinstance(at, str) else ""

    return _EXPRESSION.sub(value, text)


def _ran(
    command: Sequence[str], folder: Path, env: Mapping[str, str], watch: Callable[[float, str], None]
) -> tuple[int, str]:
    """The exit code, and standard output and error as they came: the runner reads commands in both."""
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        late = threading.Timer(TIMEOUT, process.kill)
        late.start()
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode("utf-8")
            watch(time.monotonic(), line)
            lines.append(line)
        code = process.wait()
        late.cancel()
    return code, "".join(lines)


def _masked(log: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        log = log.replace(secret, "***") if secret else log
    return log


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
