"""The step of `action.yml`, run as a runner runs it: the stock interpreter, a clean directory, a workspace that may be hostile."""

from __future__ import annotations

import ast
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from yaml import safe_load

ROOT = Path(__file__).parents[3]
Started = Callable[[subprocess.CompletedProcess[str]], dict[str, Any]]


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_step_of_the_action_runs_this_file_apart_from_the_workspace() -> None:
    (step,) = safe_load((ROOT / "action.yml").read_text("utf-8"))["runs"]["steps"]
    words = shlex.split(step["run"])
    assert words[-3:] == ["$python", "-I", "$GITHUB_ACTION_PATH/action/start.py"]


def test_the_step_starts_where_only_python_is_there_and_says_where_no_python_is(runner: Any, stock: Path) -> None:
    (step,) = safe_load((ROOT / "action.yml").read_text("utf-8"))["runs"]["steps"]
    command = ["/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
    tools = executable(runner.home / "python" / "python", f'exec {stock} "$@"').parent
    for path, code in ((tools, 7), (runner.home / "nothing", 2)):
        env = {**runner.env, "PATH": f"{path}:{runner.env['PATH']}", "GITHUB_ACTION_PATH": str(runner.action)}
        done = subprocess.run(command, cwd=runner.workspace, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (code, "")
        assert ("actions/setup-python" in done.stdout) == (code == 2)


def test_a_clean_runner_installs_and_compiles_once_and_then_starts_from_what_is_there(
    runner: Any, started: Started, ready: ModuleType
) -> None:
    first = runner.start()
    told = started(first)
    assert first.returncode == 7
    assert told["argv"] == ["action"]
    assert told["isolated"] == 1
    assert told["threshold"] == ready.OBJECTS
    assert told["value"] == "from the lock"
    assert Path(told["dependency"]).is_relative_to(runner.cache)
    assert told["is_compiled"]
    assert Path(told["cached"]).is_relative_to(runner.cache)
    assert not (runner.action / "bot" / "__pycache__").exists()
    assert "by uv" in first.stdout
    assert first.stderr == ""
    again = runner.start(PATH=str(runner.home / "nothing"))
    assert started(again) == told
    assert again.stdout.count("\n") == 1, "a start that finds all ready has nothing to say"


HOSTILE = "import pathlib; pathlib.Path({owned!r}).touch(); VALUE = 'hostile'\ndef main(argv=None): return 0\n"


def test_a_hostile_workspace_changes_nothing_for_uv_and_for_pip_which_installs_what_uv_could_not(
    runner: Any, started: Started
) -> None:
    owned = runner.home / "owned"
    names = [
        "sitecustomize",
        "usercustomize",
        "github",
        "sparkdep",
        "json",
        "hashlib",
        "spark_ready",
        "spark_unpack",
        "pip",
    ]
    for name in [*names, "bot/__init__", "bot/__main__", "subprocess", "compileall"]:
        path = runner.workspace / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(HOSTILE.format(owned=str(owned)))
    executable(runner.workspace / "uv", f"touch {owned}")
    elsewhere = runner.home / "elsewhere"
    (runner.workspace / "pip.conf").write_text(f"[global]\ntarget = {elsewhere}\nindex-url = http://127.0.0.1:9/\n")
    (runner.workspace / "uv.toml").write_text(
        'find-links = ["http://127.0.0.1:9/"]\nindex-url = "http://127.0.0.1:9/"\n'
    )
    (runner.workspace / "pyproject.toml").write_text('[tool.uv]\nindex-url = "http://127.0.0.1:9/"\n')
    here = str(runner.workspace)
    env = {
        "PYTHONPATH": here,
        "PYTHONSTARTUP": f"{here}/sparkdep.py",
        "PYTHONUSERBASE": here,
        "PIP_CONFIG_FILE": f"{here}/pip.conf",
        "PIP_TARGET": str(elsewhere),
        "UV_CONFIG_FILE": f"{here}/uv.toml",
        "UV_TARGET": str(elsewhere),
    }
    by_uv = runner.start(**env)
    assert started(by_uv)["value"] == "from the lock"
    assert "by uv" in by_uv.stdout
    # The workspace's uv is none, and the next one fails.
    failing = executable(
        runner.home / "failing" / "uv", "echo '##[error]no certificate for this index' >&2; exit 2"
    ).parent
    by_pip = runner.start(**env, PATH=f"{here}:.:{failing}", RUNNER_TOOL_CACHE=str(runner.home / "other-cache"))
    assert started(by_pip)["value"] == "from the lock"
    assert "by pip; uv: # # [error]no certificate for this index" in by_pip.stdout
    for told in (started(by_uv), started(by_pip)):
        assert not [path for path in told["path"] if Path(path or ".").is_relative_to(runner.workspace)]
    assert not owned.exists()
    assert not elsewhere.exists()


@pytest.mark.usefixtures("uncompiled")
def test_an_installer_sees_no_secret_and_gets_only_what_pins_every_byte(runner: Any, ready: ModuleType) -> None:
    seen = runner.home / "seen"
    fake = executable(
        runner.home / "fake" / "uv",
        f'env > {seen}; printf "%s\\n" "$@" > {seen}.args; [ "$PWD" != {runner.workspace} ] && echo "VALUE = 1" > sparkdep.py',
    )
    secrets = {
        "SPARK_INPUT_API_KEY": "sk-1",
        "SPARK_INPUT_GITHUB_TOKEN": "ghs-2",
        "ACTIONS_RUNTIME_TOKEN": "3",
        "GITHUB_TOKEN": "4",
    }
    env = {**runner.env, **secrets, "UV_PROJECT": "x", "PATH": f"{fake.parent}:{os.defpath}"}
    ready.make_ready(runner.action, env, runner.told.append)
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert not names & {*secrets, "UV_PROJECT", "GITHUB_WORKSPACE", "GITHUB_OUTPUT"}
    assert {"PATH", "HOME", "UV_FIND_LINKS"} <= names
    arguments = Path(f"{seen}.args").read_text().split("\n")
    assert {"--require-hashes", "--no-deps", "--no-config", "--only-binary", ":all:"} <= set(arguments)


def test_a_package_with_another_hash_is_never_made_ready_and_the_error_names_the_remedy(
    runner: Any, runner_reads: Callable[[str], list[Any]], outputs_file: Callable[[str], dict[str, str]]
) -> None:
    lock = runner.action / "requirements" / "action.txt"
    text = lock.read_text()
    lock.write_text(text[:-5] + ("0000\n" if text[-5:-1] != "0000" else "1111\n"))
    done = runner.start(GITHUB_WORKSPACE="")
    assert done.returncode == 3
    assert "Traceback" not in done.stdout + done.stderr
    errors = [command for command in runner_reads(done.stdout) if command.name == "error"]
    assert len(errors) == 1
    assert "uv: " in errors[0].data
    assert "pip: " in errors[0].data
    assert "PIP_INDEX_URL" in errors[0].data
    assert outputs_file(Path(runner.env["GITHUB_OUTPUT"]).read_text())["verdict"] == "neutral"
    assert "lock" not in runner.kept
    assert "" not in runner.kept, "something half made was left"


@pytest.mark.parametrize("half", ["", "another-name"])
@pytest.mark.usefixtures("uncompiled")
def test_a_directory_that_was_never_finished_is_made_again(runner: Any, ready: ModuleType, half: str) -> None:
    _, site = ready.make_ready(runner.action, runner.env, runner.told.append)
    place = site.parent
    (site / "sparkdep.py").unlink()
    (place / "rubbish").touch()
    (place / ".ready").unlink() if not half else (place / ".ready").write_text(half)
    assert ready.make_ready(runner.action, runner.env, runner.told.append)[1] == site
    assert (site / "sparkdep.py").exists()
    assert not (place / "rubbish").exists()
    assert runner.kept == ["code", "lock"]


def test_two_starts_at_once_share_a_cache(runner: Any, started: Started) -> None:
    from_both = [runner.popen() for _ in range(2)]
    for process in from_both:
        out, err = process.communicate(timeout=60)
        done = subprocess.CompletedProcess([], process.returncode, out, err)
        assert (done.returncode, done.stderr) == (7, "")
        assert started(done)["value"] == "from the lock"
    assert runner.kept == ["code", "lock"]


@pytest.mark.usefixtures("uncompiled")
def test_a_tool_cache_that_cannot_be_written_leaves_the_temporary_directory(runner: Any, ready: ModuleType) -> None:
    (runner.home / "file").touch()
    env = {**runner.env, "RUNNER_TOOL_CACHE": str(runner.home / "file")}
    _, site = ready.make_ready(runner.action, env, runner.told.append)
    assert site.is_relative_to(runner.home / "temp")


def test_nowhere_to_write_is_one_error_with_its_remedy(runner: Any, ready: ModuleType) -> None:
    (runner.home / "file").touch()
    env = {**runner.env, "RUNNER_TOOL_CACHE": str(runner.home / "file"), "RUNNER_TEMP": str(runner.home / "file")}
    with pytest.raises(ready.CannotStartError, match="RUNNER_TEMP"):
        ready.make_ready(runner.action, env, runner.told.append)


@pytest.mark.parametrize("version", [(3, 6), (3, 10)])
def test_an_old_python_says_which_is_needed_and_how_to_get_it(
    starting: ModuleType,
    version: tuple[int, int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    outputs_file: Callable[[str], dict[str, str]],
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    monkeypatch.setenv("RUNNER_TOOL_CACHE", str(tmp_path))
    assert starting.start(version) == 2
    said = capsys.readouterr().out
    assert said.startswith("::error title=")
    assert "3.11" in said
    assert f"3.{version[1]}" in said
    assert "actions/setup-python" in said
    told = outputs_file((tmp_path / "outputs").read_text())
    assert told["verdict"] == "neutral"
    assert "3.11" in told["reason"]


def test_an_old_python_takes_the_newest_fitting_one_of_the_tool_cache(
    runner: Any, started: Started, stock: Path
) -> None:
    tools = Path(runner.env["RUNNER_TOOL_CACHE"]) / "Python"
    for version in ("3.12.9", "3.12.10", "3.12.11-rc.1", "3.9.1", "3.14.1"):
        here = "exit 9" if version != "3.12.10" else f'[ "$1" = -I ] && exec {stock} "$@"'
        executable(tools / version / "x64" / "bin" / "python3", here)
    old = f"import sys; sys.path.insert(0, {str(runner.action / 'action')!r}); import start; start.start((3, 10))"
    command = [str(stock), "-I", "-c", old]
    done = subprocess.run(command, cwd=runner.workspace, env=runner.env, capture_output=True, text=True, check=False)
    assert started(done)["argv"] == ["action"]
    assert done.returncode == 7


@pytest.mark.parametrize("name", ["start.py", "boot.py"])
def test_what_an_old_python_reads_is_in_its_syntax(name: str) -> None:
    ast.parse((ROOT / "action" / name).read_text("utf-8"), feature_version=(3, 6))


def test_the_version_that_is_asked_for_is_that_of_the_package() -> None:
    needed = 'requires-python = ">=3.11"'
    assert needed in (ROOT / "pyproject.toml").read_text("utf-8")
    for name in ("start.py", "boot.py"):
        assert "NEEDED = (3, 11)\n" in (ROOT / "action" / name).read_text("utf-8")


def test_the_bundles_of_a_checkout_can_be_read(ready: ModuleType) -> None:
    known = json.loads((ROOT / ready.BUNDLES).read_text("utf-8"))
    assert set(known) >= {"version", "files"}
    assert known["version"] is None or {"url", "lock", "code"} <= set(known)
