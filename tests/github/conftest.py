from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.git.compare import compare_blobs
from bot.github.app import App
from bot.github.client import GitHubClient, connect
from bot.github.manifest import EVENTS, PERMISSIONS
from bot.github.pace import Pace
from bot.github.pulls import PullSource
from bot.github.reviews import PullPublisher
from bot.review.model import Pull, RepoName
from bot.review.ports import Opened, Stop
from bot.sandbox.github import GitHubOptions, GitHubServer, new_private_key

TOKEN = "ghp_" + "T0ken" * 8
REPO = RepoName("acme/shop")


@dataclass
class HandClock:
    """A clock that stands still until it is moved; a wait moves it, and is remembered."""

    time: float = 1_000.0
    waits: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def wait(self, stop: Stop, seconds: float) -> bool:
        self.waits.append(seconds)
        self.time += min(seconds, stop.left())
        return stop.cancelled

    def stop(self, seconds: float = 600.0) -> Stop:
        return Stop(deadline=self.time + seconds, clock=self)


APP_ID = 4711


@dataclass
class Desk:
    """A stand-in with one repository, and our client at it."""

    server: GitHubServer
    clock: HandClock
    clients: list[GitHubClient] = field(default_factory=list)
    apps: list[App] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = self.server.world
        self.repo = self.world.create_repo(REPO)
        self.repo.commit("main", {"README.md": "# Shop\n", "a.py": numbered(60)})
        self.world.user("spark", token=TOKEN)
        self.repo.permission("spark", "write")
        self.pace = Pace(clock=self.clock, wait=self.clock.wait)

    def client(self, token: str | None = TOKEN, **more: Any) -> GitHubClient:
        client = connect(
            token=token,
            api_url=self.server.api_url,
            graphql_url=self.server.graphql_url,
            user_agent="spark-tests",
            clock=self.clock,
            wait=self.clock.wait,
            **more,
        )
        self.clients.append(client)
        return client

    def install(self, key: str, **more: Any) -> Any:
        """The App, as its manifest has it, installed on the repository's owner."""
        permissions = {name: level for name, (level, _) in PERMISSIONS.items()}
        app = self.world.app(APP_ID, key, "spark-app", permissions=permissions, events=tuple(EVENTS))
        return self.world.install(app, "acme", **more)

    def app(self, key: str, **more: Any) -> App:
        """Our side of the App."""
        made = App(
            **{
                "app_id": str(APP_ID),
                "private_key": key,
                "api_url": self.server.api_url,
                "graphql_url": self.server.graphql_url,
                "user_agent": "spark-tests",
                "clock": self.clock,
                "wait": self.clock.wait,
            }
            | more
        )
        self.apps.append(made)
        return made

    def pull(self, files: Mapping[str, Any], *, base: Mapping[str, Any] | None = None, title: str = "A change") -> Any:
        """A pull that changes `files`, on top of `base` committed to main first."""
        if base:
            self.repo.commit("main", base)
        self.repo.commit("work", files)
        return self.repo.open_pull(title, "Why", head="work", author="ann")

    def source(
        self, number: int = 1, *, client: GitHubClient | None = None, compare: Any = compare_blobs
    ) -> PullSource:
        return PullSource(client or self.client(), REPO, number, compare=compare, stop=self.clock.stop())

    def read(self, number: int = 1, *, token: str | None = TOKEN, compare: Any = compare_blobs) -> Opened:
        return self.source(number, client=self.client(token), compare=compare).open()

    def publisher(
        self, pull: Pull, *, stop: Stop | None = None, token: str = TOKEN, fresh: float = 0.0
    ) -> PullPublisher:
        return PullPublisher(
            self.client(token), pull.repo, pull.number, pace=self.pace, stop=stop or self.clock.stop(), fresh=fresh
        )

    def new_pull(self, files: Mapping[str, Any], **more: Any) -> Any:
        """One more pull, from a branch of its own; for desks that several tests share."""
        branch = f"work-{len(self.repo.pulls) + 1}"
        self.repo.branch(branch)
        self.repo.commit(branch, files)
        return self.repo.open_pull("A change", "Why", head=branch, author="ann", **more)

    def at(self, record: Any, *, client: GitHubClient | None = None, stop: Stop | None = None) -> PullPublisher:
        """A publisher for a pull."""
        return PullPublisher(
            client or self.client(), REPO, record.number, pace=self.pace, stop=stop or self.clock.stop()
        )

    def sent(self, method: str = "", contains: str = "") -> list[Any]:
        """The requests seen, those of this method whose path contains this."""
        return [seen for seen in self.server.requests if seen.method.startswith(method) and contains in seen.path]


def numbered(count: int, changed: Mapping[int, str] | None = None) -> str:
    """A file of `count` lines, some of them changed."""
    return "".join(f"{(changed or {}).get(n, f'line_{n} = {n}')}\n" for n in range(1, count + 1))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def pace(clock: HandClock) -> Pace:
    return Pace(clock=clock, wait=clock.wait)


@pytest.fixture
def stop(clock: HandClock) -> Stop:
    return clock.stop()


@pytest.fixture(scope="module")
def hall() -> Iterator[Desk]:
    """A desk for all tests of a module, each with a pull of its own (`new_pull`)."""
    made = Desk(server=GitHubServer(GitHubOptions()).start(), clock=HandClock())
    yield made
    for client in [*made.clients, *made.apps]:
        client.close()
    made.server.stop()


@pytest.fixture
def quiet(hall: Desk) -> Desk:
    """The shared desk, with nothing left of the test before: requests, faults, waits."""
    hall.server.faults.clear()
    hall.server.requests.clear()
    hall.clock.waits.clear()
    hall.clock.time += 3600.0
    return hall


@pytest.fixture
def make_desk(clock: HandClock) -> Iterator[Callable[..., Desk]]:
    """A desk with options of the stand-in."""
    desks: list[Desk] = []

    def make(**options: Any) -> Desk:
        desk = Desk(server=GitHubServer(GitHubOptions(**options)).start(), clock=clock)
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        for client in [*desk.clients, *desk.apps]:
            client.close()
        desk.server.stop()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


@pytest.fixture(scope="session")
def key() -> str:
    """An App's private key."""
    return new_private_key()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a state, five seconds at most."""

    def wait(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 5.0
        while not holds():
            assert time.monotonic() < end, "it did not come to pass"
            time.sleep(0.005)

    return wait
