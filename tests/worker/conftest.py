"""One job at a time, done for real: the stand-in GitHub with an App installed, an endpoint, our clients; the engine is a
stand-in that remembers what it was told, or the real one where a test says so."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.engine.model import Checkpoint, Ended, Job, JobId, JobState, StopCause
from bot.github.app import App
from bot.hooks.events import DeliveryId, InstallationId, Place
from bot.hooks.orders import Cause, ReviewPull, Work
from bot.live.events import LiveEvent, LiveKind
from bot.review.memory import FindingNote, Remembered
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop
from bot.sandbox import example
from bot.sandbox.endpoint import EndpointOptions, EndpointServer
from bot.sandbox.github import GitHubOptions, GitHubServer
from bot.settings import read_settings
from bot.wiring import MonotonicClock, Shared, Waits
from bot.worker.runner import JobRunner

KEY = "sk-" + "secret-of-the-endpoint" * 2
APP_ID = 4711
BEFORE = {path: text.encode() for path, text in example.BEFORE.items()}
AFTER = {path: text.encode() for path, text in example.AFTER.items()}
SMALL_BEFORE = {"one.py": b"def f(a):\n    return a\n"}
SMALL_AFTER = {
    "one.py": b"def f(a=[]):\n    if a == None:\n        return eval('a')\n    return a\n",
    "two.py": b"import os\n\n\ndef g(b={}):\n    os.system(f'ls {b}')\n",
}


@dataclass
class Line:
    """The `Control` port, which remembers."""

    job: Job
    kept: Checkpoint | None = None
    owned: bool = True
    cause: StopCause | None = None
    told: list[LiveEvent] = field(default_factory=list)
    submitted: list[Work] = field(default_factory=list)
    withdrawn: list[tuple[int, str]] = field(default_factory=list)
    released: list[float] = field(default_factory=list)
    comments: int = 1
    """That came on the pull lately."""
    on_keep: Callable[[], None] = lambda: None
    _callbacks: dict[int, Callable[[], None]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        if self.cause is not None:
            callback()
            return lambda: None
        number = next(self._numbers)
        self._callbacks[number] = callback
        return lambda: self._callbacks.pop(number, None) and None

    def stop(self, cause: StopCause) -> None:
        self.cause = cause
        for callback in list(self._callbacks.values()):
            callback()

    def tell(self, event: LiveEvent) -> None:
        self.told.append(event)

    def checkpoint(self) -> Checkpoint | None:
        return self.kept

    def keep(self, checkpoint: Checkpoint) -> bool:
        self.on_keep()
        if not self.owned:
            self.stop(StopCause.LOST)
            return False
        self.kept = checkpoint
        return True

    def release(self) -> None:
        self.released.append(time.monotonic())

    def submit(self, work: Work) -> None:
        self.submitted.append(work)

    def withdraw(self, number: int, why: str) -> int:
        self.withdrawn.append((number, why))
        return 1

    def lately(self, seconds: float) -> int:
        return self.comments

    def of(self, kind: LiveKind) -> list[LiveEvent]:
        return [event for event in self.told if event.kind is kind]


@dataclass
class Kept:
    """What was dismissed in the repository, as the engine keeps it."""

    found: list[Remembered] = field(default_factory=list)

    def remembered(self) -> list[Remembered]:
        return self.found[::-1]

    def remember(self, what: Remembered) -> None:
        self.found.append(what)

    def forget(self, note: FindingNote) -> None:
        self.found = [each for each in self.found if each.fingerprint != note.fingerprint]


@dataclass
class Room:
    """A repository with a pull request, and a server's clients."""

    github: GitHubServer
    endpoint: EndpointServer
    shared: Shared
    app: App
    name: str
    installation: int
    learned: list[tuple[str, bool]] = field(default_factory=list)
    memory: Kept = field(default_factory=Kept)
    purse: Callable[[str], Any] | None = None
    page: str | None = "https://spark.test/reviews/"

    def __post_init__(self) -> None:
        self.repo = self.github.world.repo(self.name)

    def open(self, config: str = "", *, whole: bool = False, **more: Any) -> Any:
        """A small pull request, or the `whole` example's; `config` is the base's `.github/spark.yml`."""
        files = AFTER if whole else SMALL_AFTER
        base = {**(BEFORE if whole else SMALL_BEFORE), **({".github/spark.yml": config.encode()} if config else {})}
        self.repo.commit("main", base, "Books and loans", "mona")
        self.repo.branch("topic", "main")
        self.repo.commit("topic", files, "Search", "mona")
        return self.repo.open_pull("Search", "Adds a search.", head="topic", base="main", author="mona", **more)

    def place(self) -> Place:
        return Place(repo=RepoName(self.name), repo_id=self.repo.id, installation=InstallationId(self.installation))

    def order(self, pull: Any, **more: Any) -> ReviewPull:
        known: dict[str, Any] = {
            "place": self.place(),
            "number": pull.number,
            "head_sha": CommitSha(pull.head_sha),
            "base_ref": pull.base_ref,
            "cause": Cause.OPENED,
        }
        return ReviewPull(**{**known, **more})

    def line(self, work: Work, *, attempt: int = 1, job: str = "0123456789abcdef", **more: Any) -> Line:
        now = time.time()
        return Line(
            job=Job(
                id=JobId(job),
                delivery=DeliveryId("d-1"),
                work=work,
                state=JobState.RUNNING,
                attempt=attempt,
                created_at=now,
                started_at=now,
            ),
            **more,
        )

    def run(self, line: Line) -> Ended:
        runner = JobRunner(
            self.shared,
            self.app,
            page_url=lambda job: f"{self.page}{job}" if self.page else None,
            learn=lambda repo, drafts: self.learned.append((repo, drafts)),
            purse=self.purse,
            memory=lambda _repo: self.memory,
        )
        return runner.run(line)

    def review(self, pull: Any, *, attempt: int = 1, **more: Any) -> tuple[Ended, Line]:
        line = self.line(self.order(pull, **more), attempt=attempt)
        return self.run(line), line

    def checks(self) -> list[Any]:
        """All check runs of the repository, oldest first."""
        found = [run for suite in self.repo.suites.values() for run in suite.runs]
        return sorted(found, key=lambda run: run.id)

    def check(self) -> Any:
        (found,) = self.checks()
        return found

    def reviews(self) -> list[Any]:
        return sorted(self.repo.reviews.values(), key=lambda review: review.id)

    def sent(self, method: str, contains: str) -> list[Any]:
        return [seen for seen in self.seen() if seen.method.startswith(method) and contains in seen.path]

    def seen(self) -> list[Any]:
        """The requests about this repository, but for GraphQL's."""
        return [seen for seen in self.github.requests if f"/{self.name}/" in f"{seen.path}/"]


@pytest.fixture(scope="session")
def app_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="session")
def quick_endpoint() -> Iterator[EndpointServer]:
    with EndpointServer(EndpointOptions(ttft=0.005, tps=50_000.0, api_key=KEY)) as server:
        yield server


@pytest.fixture(scope="session")
def site(app_key: str, _watched_servers: object) -> Iterator[tuple[GitHubServer, int]]:
    """One stand-in GitHub for the folder, with the App installed for `acme`. Each test has a repository of its own."""
    with GitHubServer(GitHubOptions()) as github:
        world = github.world
        world.user("mona")
        app = world.app(APP_ID, app_key, "spark")
        yield github, world.install(app, "acme").id


@pytest.fixture(scope="session")
def names() -> Iterator[int]:
    return itertools.count()


def in_no_time(stop: Stop, seconds: float) -> bool:
    return stop.wait(min(seconds, 0.01))


@pytest.fixture(scope="session")
def connect(
    app_key: str, site: tuple[GitHubServer, int], quick_endpoint: EndpointServer
) -> Iterator[Callable[..., tuple[Shared, App]]]:
    """A server's clients; the usual ones are made once for the folder."""
    github, _ = site
    with ExitStack() as stack:

        @functools.cache
        def usual() -> tuple[Shared, App]:
            return make(quick_endpoint.url, {}, in_no_time)

        def make(endpoint: str, env: Mapping[str, str], pause: Callable[[Stop, float], bool]) -> tuple[Shared, App]:
            values = {
                "GITHUB_API_URL": github.api_url,
                "GITHUB_GRAPHQL_URL": github.graphql_url,
                "GITHUB_SERVER_URL": github.web_url,
                "SPARK_BASE_URL": endpoint,
                "SPARK_API_KEY": KEY,
                "SPARK_PRICES": "codex-spark-preview=0.35/0.75",
                **env,
            }
            shared = stack.enter_context(Shared(read_settings(values), waits=Waits(pause=pause)))
            app = App(
                app_id=APP_ID,
                private_key=app_key,
                api_url=github.api_url,
                graphql_url=github.graphql_url,
                clock=MonotonicClock(),
                user_agent="spark-tests",
                wait=pause,
            )
            stack.callback(app.close)
            return shared, app

        def choose(endpoint: str, env: Mapping[str, str], pause: Callable[[Stop, float], bool]) -> tuple[Shared, App]:
            return (
                usual()
                if (endpoint, env, pause) == (quick_endpoint.url, {}, in_no_time)
                else make(endpoint, env, pause)
            )

        yield choose


@pytest.fixture(scope="module")
def build(
    site: tuple[GitHubServer, int],
    quick_endpoint: EndpointServer,
    names: Iterator[int],
    connect: Callable[..., tuple[Shared, App]],
) -> Iterator[Callable[..., Room]]:
    """A repository and a server's clients. `endpoint`: options of another endpoint; `env`: more settings."""
    with ExitStack() as stack:

        def make(
            *,
            endpoint: Mapping[str, Any] | None = None,
            env: Mapping[str, str] | None = None,
            pause: Callable[[Stop, float], bool] = in_no_time,
        ) -> Room:
            github, installation = site
            served = quick_endpoint
            if endpoint is not None:
                options = EndpointOptions(**{"ttft": 0.005, "tps": 50_000.0, "api_key": KEY, **endpoint})
                served = stack.enter_context(EndpointServer(options))
            name = f"acme/shelf-{next(names)}"
            github.world.create_repo(name).permission("mona", "write")
            shared, app = connect(served.url, env or {}, pause)
            return Room(github=github, endpoint=served, shared=shared, app=app, name=name, installation=installation)

        yield make


@pytest.fixture
def make_room(build: Callable[..., Room], site: tuple[GitHubServer, int]) -> Iterator[Callable[..., Room]]:
    """As `build`; the faults of GitHub end with the test."""
    yield build
    site[0].faults.clear()
    site[0].latency = 0.0


@pytest.fixture
def room(make_room: Callable[..., Room]) -> Room:
    return make_room()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a state, ten seconds at most."""

    def wait(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 10.0
        while not holds():
            assert time.monotonic() < end, "it did not come to pass"
            time.sleep(0.005)

    return wait
