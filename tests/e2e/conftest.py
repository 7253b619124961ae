"""Whole programs: `spark` as a process over real HTTP, with both stand-ins in the test's own process."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import warm
from warm import Process

from bot.sandbox import example
from bot.sandbox.endpoint import EndpointOptions, EndpointServer
from bot.sandbox.github import GitHubOptions, GitHubServer

ROOT = Path(__file__).parents[2]
KEY = "sk-" + "secret-of-the-endpoint" * 2
TOKEN = "ghp_" + "T0ken" * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that is over."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Running:
    """A process that goes on; its standard output can be read line by line, with the time of each line."""

    def __init__(self, process: Process | subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[tuple[float, str]] = []

    def read_until(self, word: str) -> float:
        """When the first line with `word` came. The output ends with the process, so this does not wait for ever."""
        assert self.process.stdout is not None
        for raw in iter(self.process.stdout.readline, b""):
            now, line = time.monotonic(), raw.decode()
            self.lines.append((now, line))
            if word in line:
                return now
        raise AssertionError(f"{word!r} never came: {[line for _, line in self.lines]}")

    def end(self) -> Ended:
        """Wait for the end; `out` is what had not been read yet."""
        out, err = self.process.communicate(timeout=30)
        return Ended(code=self.process.returncode, out=out.decode(), err=err.decode(), seconds=0.0)


class Desk:
    """A person's shell in a repository, with a key of the endpoint and a token of GitHub."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._started: list[Process | subprocess.Popen[bytes]] = []
        home, self.path = folder / "home", folder / "repo"
        home.mkdir()
        self.path.mkdir()
        (home / ".gitconfig").write_text("[user]\n\tname = A Person\n\temail = person@example.org\n")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SPARK_", "OPENAI_", "GITHUB_", "GIT_")) and not name.endswith("_API_KEY")
        }
        self.env = {
            **kept,
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "PYTHONPATH": str(ROOT),
            **env,
        }

    def git(self, *arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=self.path, env=self.env, check=True, capture_output=True).stdout

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git("add", "--all")

    def commit(self, files: Mapping[str, str]) -> None:
        self.write(files)
        self.git("commit", "--quiet", "-m", "a change")

    def start(self, *arguments: str, cold: bool = False, **env: str) -> Running:
        environment = {name: value for name, value in {**self.env, **env}.items() if value}
        process = warm.start(*arguments, cwd=self.path, env=environment, cold=cold)
        self._started.append(process)
        return Running(process)

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self._started:
            process.kill()
            process.communicate(timeout=10)

    def spark(self, *arguments: str, stdin: bytes = b"", cold: bool = False, **env: str) -> Ended:
        began = time.monotonic()
        process = self.start(*arguments, cold=cold, **env).process
        out, err = process.communicate(stdin, timeout=60)
        ended = Ended(code=process.returncode, out=out.decode(), err=err.decode(), seconds=time.monotonic() - began)
        for secret in (KEY, TOKEN):
            assert secret not in ended.out + ended.err
        assert "Traceback" not in ended.err
        return ended


@pytest.fixture(scope="session")
def github(_watched_servers: object) -> Iterator[GitHubServer]:
    """One stand-in for the folder. Tests with faults start their own."""
    with GitHubServer(GitHubOptions()) as server:
        yield server


@pytest.fixture(scope="session")
def endpoint() -> Iterator[EndpointServer]:
    """An endpoint that answers by rules, quickly; it wants the key."""
    with EndpointServer(EndpointOptions(ttft=0.01, tps=20_000.0, api_key=KEY)) as server:
        yield server


@pytest.fixture
def serve() -> Iterator[Callable[..., EndpointServer]]:
    """Starts an endpoint of the test's own."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            EndpointServer(EndpointOptions(**{"ttft": 0.01, "tps": 20_000.0, "api_key": KEY, **options}))
        )


@pytest.fixture
def desk(tmp_path: Path, github: GitHubServer, endpoint: EndpointServer) -> Iterator[Desk]:
    """The demo's library, on a branch with its pull request's change committed."""
    env = {
        "SPARK_API_KEY": KEY,
        "SPARK_BASE_URL": endpoint.url,
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_GRAPHQL_URL": github.graphql_url,
        "GITHUB_SERVER_URL": github.web_url,
    }
    desk = Desk(tmp_path, env)
    desk.git("init", "--quiet", "--initial-branch=main")
    desk.commit(example.BEFORE)
    desk.git("checkout", "--quiet", "-b", "topic")
    desk.commit(example.AFTER)
    yield desk
    desk.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPull:
    """A pull request on the stand-in, and what is on it."""

    repo: Any
    number: int

    @property
    def name(self) -> str:
        return f"{self.repo.full_name}#{self.number}"

    @property
    def comments(self) -> list[Any]:
        return list(self.repo.comments.values())

    @property
    def reviews(self) -> list[Any]:
        return list(self.repo.reviews.values())


_names = itertools.count(1)


@pytest.fixture
def open_pull(github: GitHubServer) -> Callable[..., OpenPull]:
    """Opens a pull request in a repository of its own; the demo's unless other files are given."""

    def open_it(
        before: Mapping[str, Any] = example.BEFORE,
        after: Mapping[str, Any] = example.AFTER,
        *,
        server: GitHubServer | None = None,
        title: str = example.TITLE,
        body: str = example.BODY,
    ) -> OpenPull:
        world = (server or github).world
        world.user("spark", token=TOKEN, bot=True)
        repo = world.create_repo(f"library/shelf-{next(_names)}")
        repo.permission("spark", "write")
        repo.permission(example.AUTHOR, "write")
        repo.commit("main", dict(before), "Start", example.AUTHOR)
        repo.commit("topic", dict(after), title, example.AUTHOR)
        pull = repo.open_pull(title, body, head="topic", author=example.AUTHOR)
        return OpenPull(repo=repo, number=pull.number)

    return open_it


@pytest.fixture
def pull(open_pull: Callable[..., OpenPull]) -> OpenPull:
    return open_pull()


@pytest.fixture(scope="session")
def review_schema() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads((ROOT / "docs" / "review.schema.json").read_text("utf-8")))


@pytest.fixture(scope="session")
def sarif_schema() -> jsonschema_rs.Draft202012Validator:
    text = (ROOT / "tests" / "data" / "sarif-2.1.0.json").read_text("utf-8")
    return jsonschema_rs.Draft202012Validator(json.loads(text), validate_formats=True)
