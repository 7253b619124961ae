from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bot.cli.arguments import Parser, configure_serve


@pytest.fixture(scope="session")
def stages(dockerfile: ModuleType, root: Path) -> list[Any]:
    return dockerfile.stages((root / "Dockerfile").read_text())


def test_every_stage_is_made_of_one_base_that_is_pinned_by_digest(stages: list[Any], root: Path) -> None:
    outside = [stage.base for stage in stages if stage.base not in {other.name for other in stages}]
    (base,) = outside
    found = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert found
    classifiers = tomllib.loads((root / "pyproject.toml").read_text())["project"]["classifiers"]
    assert f"Programming Language :: Python :: {found[1]}" in classifiers


def test_the_container_is_a_numbered_user_that_is_not_root(stages: list[Any]) -> None:
    user, group = stages[-1].only("USER").text.split(":")
    assert int(user) > 999
    assert int(group) > 999
    made = " ".join(step.text for step in stages[-1].all("RUN"))
    assert f"useradd --uid {user} --gid {group}" in made
    assert f"--owner={user} --group={group} --mode=0700 /data" in made
    # Nothing runs as root after that.
    keywords = [step.keyword for step in stages[-1].steps]
    assert not {"RUN", "COPY"} & {*keywords[keywords.index("USER") :]}


def test_the_final_stage_has_no_tools_that_build(stages: list[Any]) -> None:
    text = " ".join(step.text for step in stages[-1].steps)
    for tool in ("apt-get", "pip", "uv ", "/opt/tools", "gcc"):
        assert tool not in text
    assert {tuple(step.words) for step in stages[-1].all("COPY")} == {
        ("--from=build", "/usr/bin/git", "/usr/bin/git"),
        ("--from=build", "/opt/spark", "/opt/spark"),
    }


def test_what_comes_over_the_network_is_held_against_its_hash(stages: list[Any], root: Path) -> None:
    for stage in stages:
        for step in stage.all("RUN"):
            for command in step.text.split("&&"):
                if "pip install" in command:
                    assert "--require-hashes" in command or ("--offline" in command and "--no-deps" in command), command
                for name in re.findall(r"-r (\S+)", command):
                    lines = (root / name).read_text().replace("\\\n", " ").splitlines()
                    assert lines
                    assert all("--hash=sha256:" in line for line in lines), name


def test_the_wheel_is_built_with_what_the_project_says(root: Path) -> None:
    (wanted,) = tomllib.loads((root / "pyproject.toml").read_text())["build-system"]["requires"]
    assert wanted in re.findall(r"^\S+", (root / "requirements" / "build.txt").read_text(), re.MULTILINE)


def test_everything_that_is_copied_is_in_the_context_and_nothing_else(
    stages: list[Any], dockerfile: ModuleType, root: Path
) -> None:
    files = set(dockerfile.context())
    sources = {
        source
        for stage in stages
        for step in stage.all("COPY")
        if not step.text.startswith("--from")
        for source in step.words[:-1]
    }
    for source in sources:
        assert source in files or any(file.startswith(f"{source}/") for file in files), source
    extra = {file for file in files if file not in sources and not file.startswith("bot/")}
    assert extra == set()
    tracked = subprocess.run(["git", "ls-files", "bot"], cwd=root, capture_output=True, text=True, check=True)
    assert {file for file in tracked.stdout.splitlines() if (root / file).exists()} <= files


@pytest.mark.parametrize(
    "path",
    [".env", ".env.bak", "bot/.env", "bot/key.pem", "spark.db", "spark.db-wal", ".git/config", "bot/__pycache__/a.pyc",
     "tests/data/x", "docs/a.md", ".venv/bin/python", "compose.yaml"],
)  # fmt: skip
def test_secrets_and_clutter_never_reach_the_build(
    dockerfile: ModuleType, tmp_path: Path, root: Path, path: str
) -> None:
    (tmp_path / ".dockerignore").write_text((root / ".dockerignore").read_text())
    for name in (path, "bot/cli/run.py", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert set(dockerfile.context(tmp_path)) == {"bot/cli/run.py", "pyproject.toml"}


def test_it_starts_a_server_that_others_can_reach_and_ends_it_as_the_server_expects(stages: list[Any]) -> None:
    last = stages[-1]
    assert last.only("ENTRYPOINT").words == ["spark"]
    verb, *arguments = last.only("CMD").words
    assert verb == "serve"
    parser = Parser(prog="spark serve", description="")
    configure_serve(parser)
    options = parser.parse_args(arguments)
    assert options.host == "0.0.0.0"
    assert str(options.port) == last.only("EXPOSE").text
    assert last.only("STOPSIGNAL").text == "SIGTERM"
    variables = dict(word.split("=", 1) for step in last.all("ENV") for word in step.words)
    assert variables["SPARK_DATABASE_URL"] == "sqlite:////data/spark.db"
    assert last.only("VOLUME").words == ["/data"] == [last.only("WORKDIR").text]


def test_the_health_check_asks_the_server_and_fails_without_one(stages: list[Any], dockerfile: ModuleType) -> None:
    _, _, command = stages[-1].only("HEALTHCHECK").text.partition("CMD ")
    python, flag, code = dockerfile.Step("CMD", command).words
    assert (python, flag) == ("python", "-c")
    port = stages[-1].only("EXPOSE").text
    assert f"http://127.0.0.1:{port}/healthz" in code
    # A port on which nothing listens: 1 needs root, and nobody's service is there.
    done = subprocess.run(
        [sys.executable, "-c", code.replace(f":{port}/", ":1/")], capture_output=True, check=False, timeout=10
    )
    assert done.returncode == 1
    assert b"refused" in done.stderr
