"""Servers for whole stories: `spark serve` as a process, GitHub and the endpoint as stand-ins, SQLite and PostgreSQL."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bot.sandbox.endpoint import EndpointOptions, EndpointServer
from bot.sandbox.github import GitHubOptions, GitHubServer, gestures, new_private_key

_HERE = Path(__file__).parent


def _load(path: Path, name: str) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_world = _load(_HERE / "world.py", "spark_tests_world")
_engine = _world.load(_HERE.parents[1] / "engine" / "conftest.py", "spark_tests_databases")

# A PostgreSQL for this folder, as the engine's tests have it.
_postgres = _engine._postgres
_fresh_postgres = _engine._fresh_postgres
new_postgres_url = _engine.new_postgres_url


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """The module `world.py`."""
    return _world


@pytest.fixture(scope="session")
def storms() -> ModuleType:
    """The module `storm.py`."""
    return _load(_HERE / "storm.py", "spark_tests_storm")


@dataclass
class House:
    """Stand-ins, and servers that work for them."""

    outside: Any
    moods: Any
    folder: Path
    servers: list[Any] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def project(self, name: str = "") -> Any:
        """A repository that no other test has."""
        return _world.Project(self.outside, name or f"team{next(self.names)}/demo")

    def serve(self, *, grace: float = 20.0, **env: str) -> Any:
        """Start a server that is told of everything here. Settings in capitals."""
        folder = self.folder / f"server-{len(self.servers)}"
        folder.mkdir()
        server = _world.ServerProcess(folder, {**self.outside.env, **env}, grace=grace)
        self.servers.append(server)
        server.start()
        self.outside.deliver_to(server)
        return server

    def press(self, gesture: str, *arguments: Any) -> Any:
        """Something that alice does in the browser; see `bot.sandbox.github.gestures`."""
        return getattr(gestures, gesture)(*arguments, by="alice")

    @property
    def server(self) -> Any:
        """The newest."""
        return self.servers[-1]

    @property
    def url(self) -> str:
        """Of the newest server's database."""
        return str(self.server.env.get("SPARK_DATABASE_URL", f"sqlite:///{self.server.folder / 'spark.db'}"))

    def faults(self) -> list[dict[str, Any]]:
        """What the servers logged as errors: a bug, whoever made it happen."""
        # gunicorn tells of a worker that was killed; DBOS of a parked workflow whose end it could not note any more, which
        # the next start marks as over.
        expected = ("SIGKILL", "Exception encountered in background workflow")
        return [
            line
            for server in self.servers
            for line in server.logs
            if line["level"] == "error" and not any(word in line.get("text", "") for word in expected)
        ]

    def leaks(self) -> list[str]:
        """Log lines with a secret or with code of a pull request in them, and those about a job that do not name its delivery."""
        world = self.outside.github.world
        secrets = [
            *self.outside.key.splitlines()[1:-1],
            _world.serving.SECRET,
            "the-key-of-the-endpoint",
            *world.tokens,
        ]
        words = [*secrets, "eval('0')", "rm -r {name}"]
        lines = [line for server in self.servers for line in server.told.splitlines()]
        leaks = [line for line in lines if any(word in line for word in words)]
        return leaks + [line for line in lines if '"job":' in line and '"delivery":' not in line]

    def job(self, delivery: Any) -> str:
        """The job that a delivery was answered with."""
        assert delivery.status_code == 202, (delivery.status_code, delivery.answer)
        return str(_world.json.loads(delivery.answer)["job"])


@contextmanager
def open_house(folder: Path, key: str, *, latency: float = 0.0) -> Iterator[House]:
    """Stand-ins without a server. At the end all servers are killed, and none may have logged a bug."""
    moods = _world.Moods()
    with ExitStack() as stack:
        github = stack.enter_context(GitHubServer(GitHubOptions(latency=latency)))
        options = EndpointOptions(script=moods, ttft=0.02, tps=8000.0, api_key="the-key-of-the-endpoint")
        endpoint = stack.enter_context(EndpointServer(options))
        house = House(_world.Outside(github, endpoint, key), moods, folder)
        try:
            yield house
        finally:
            for server in house.servers:
                server.kill()
        assert not house.faults()
        assert not house.leaks()


@pytest.fixture(scope="session")
def app_key() -> str:
    """Making one takes a while."""
    return new_private_key()


@pytest.fixture(scope="session")
def house(app_key: str, tmp_path_factory: pytest.TempPathFactory, _watched_servers: object) -> Iterator[House]:
    """One for all tests that leave the server alone: it costs two seconds to start."""
    with open_house(tmp_path_factory.mktemp("house"), app_key) as house:
        house.serve(SPARK_DEADLINE="20")
        yield house


@pytest.fixture
def new_house(app_key: str, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """`new_house(latency=0.02)`: stand-ins without a server."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(open_house(tmp_path, app_key, **options))
