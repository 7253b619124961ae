"""A real server process against real stand-ins, for tests that want everything at once.

def test_something(outside, serve):
    server = serve()                       # python -m bot serve, ready
    pull = outside.open_pull({"a.py": "..."})
    ...
    server.kill()                          # -9, master and worker
    server.start()                         # the same folder, port and database
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import warm
from warm import Process

from bot.sandbox.endpoint import EndpointOptions, EndpointServer
from bot.sandbox.github import GitHubOptions, GitHubServer, new_private_key

ROOT = Path(__file__).parents[2]
APP_ID = 4711
SECRET = "the-secret-of-the-webhook"
OWNER = "octo"
REPO = "octo/demo"
READY_SECONDS = 60.0


def wait_for(what: Callable[[], Any], seconds: float = 20.0, *, why: Callable[[], object] = lambda: "") -> Any:
    """The first thing `what` gives that is true; AssertionError with `why` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {why()}"
        time.sleep(0.01)
    return found


@dataclass(frozen=True)
class Answer:
    """An HTTP answer that was read whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class ServerProcess:
    """`python -m bot serve` in a folder of its own, with its master and its worker in a process group of their own.

    Its port and its database stay the same over `start`. What it logged, of all its lives, is in `logs`.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], *, grace: float = 20.0) -> None:
        self.folder = folder
        self.grace = grace
        self.port = 0
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SPARK_", "OPENAI_", "GITHUB_", "GIT_")) and not name.endswith("_API_KEY")
        }
        self.env = {**kept, "PYTHONPATH": str(ROOT), "HOME": str(folder), **env}
        self.process: Process | subprocess.Popen[bytes] | None = None

    # -- its life

    def start(self, *, wait: bool = True) -> ServerProcess:
        """Start it, again perhaps; returns when it is ready."""
        assert self.process is None, "it runs"
        before = len(self.logs)
        with self._log_file.open("ab") as told:
            self.process = warm.start(
                "serve",
                "--port",
                str(self.port),
                "--grace",
                str(self.grace),
                cwd=self.folder,
                env=self.env,
                stdin=warm.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )
        if wait:
            listening = self.wait_for(
                lambda: [line for line in self.logs[before:] if line["event"] == "server.listening"]
            )
            self.port = urlsplit(listening[0]["url"]).port
            self.wait_for(lambda: any(line["event"] == "server.ready" for line in self.logs[before:]))
        return self

    def terminate(self, seconds: float = 40.0) -> int:
        """SIGTERM; its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended(seconds)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self, seconds: float = 40.0) -> int:
        """Wait for its end; its exit code."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.process = None
        return code

    def kill(self) -> None:
        """SIGKILL to the master and the worker at once: as if the machine had died."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
            self.process = None

    def kill_worker(self) -> int:
        """SIGKILL to the worker alone, which the master replaces. Returns the pid that it had."""
        pid = self.worker
        os.kill(pid, signal.SIGKILL)
        return pid

    @property
    def worker(self) -> int:
        """The worker's pid; waits until there is one."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(wait_for(lambda: children.read_text().split())[0])

    def memory(self) -> int:
        """Bytes of resident memory that the worker and the master have between them, shared pages counted in parts."""
        assert self.process is not None
        rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in (self.process.pid, self.worker))
        return sum(int(line.split()[1]) * 1024 for text in rollups for line in text.splitlines() if line[:4] == "Pss:")

    # -- what it says

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """One request over a connection of its own. Underscores in header names are dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): v for name, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    @contextmanager
    def stream(self, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
        """A request whose answer is read while it comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            yield answer
        finally:
            connection.close()

    @property
    def told(self) -> str:
        """Everything that it wrote."""
        return self._log_file.read_text() if self._log_file.exists() else ""

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Its log lines that are whole; a line that is no JSON fails the test, but for the last words of the command."""
        lines = [line for line in self.told.splitlines(keepends=True) if line.endswith("\n")]
        return [json.loads(line) for line in lines if not line.startswith("spark: ")]

    def events(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The log lines of this name with these fields."""
        return [line for line in self.logs if line["event"] == event and fields.items() <= line.items()]

    @property
    def _log_file(self) -> Path:
        return self.folder / "server.log"

    def wait_for(self, what: Callable[[], Any], seconds: float = READY_SECONDS) -> Any:
        """The first thing `what` gives that is true; fails with the log when that takes too long or the server ends."""
        process = self.process
        assert process is not None
        return wait_for(
            lambda: what() if process.poll() is None else pytest.fail(f"it ended ({process.returncode}):\n{self.told}"),
            seconds,
            why=lambda: self.told,
        )


@dataclass
class Outside:
    """The world of a server: a stand-in GitHub with an App that is installed, and a stand-in endpoint."""

    github: GitHubServer
    endpoint: EndpointServer
    key: str = field(repr=False)
    """The App's private key."""

    def __post_init__(self) -> None:
        world = self.github.world
        self.app = world.app(APP_ID, self.key, "spark")
        self.installation = world.install(self.app, OWNER)
        self.repo = world.create_repo(REPO)
        world.user("alice")
        self.repo.permission("alice", "write")
        self._branches = 0

    @property
    def env(self) -> dict[str, str]:
        """Settings of a server that works here."""
        return {
            "SPARK_APP_ID": str(APP_ID),
            "SPARK_APP_PRIVATE_KEY": self.key,
            "SPARK_WEBHOOK_SECRET": SECRET,
            "SPARK_BASE_URL": self.endpoint.url,
            "SPARK_API_KEY": "the-key-of-the-endpoint",
            "SPARK_PRICES": "codex-spark-preview=0.35/0.75",
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_GRAPHQL_URL": self.github.graphql_url,
            "GITHUB_SERVER_URL": self.github.web_url,
        }

    def deliver_to(self, server: ServerProcess) -> None:
        """From now on what happens is told to `server`."""
        self.github.webhooks.point_to(f"{server.url}/webhook", SECRET)

    def open_pull(
        self, files: Mapping[str, str], *, before: Mapping[str, str] | None = None, title: str = "A change"
    ) -> Any:
        """A pull request of alice's that adds these files (or makes them of those `before`)."""
        self._branches += 1
        branch = f"work-{self._branches}"
        if before or self.repo.git.resolve("main") is None:
            self.repo.commit("main", _encoded({"README.md": "# Demo\n", **(before or {})}), "Before", "alice")
        self.repo.branch(branch)
        self.repo.commit(branch, _encoded(files), title, "alice")
        return self.repo.open_pull(title, "What it is for.", head=branch, author="alice")

    def push(self, pull: Any, files: Mapping[str, str]) -> str:
        """A further commit on the pull's branch; its id."""
        return str(self.repo.commit(pull.head_ref, _encoded(files), "More", "alice"))

    def reviews(self, pull: Any) -> list[Any]:
        """The reviews of the App that were submitted on a pull, oldest first."""
        with self.github.world.lock:
            return [
                review
                for review in self.repo.reviews.values()
                if review.pull is pull and review.author is self.app.bot and review.state != "PENDING"
            ]

    def threads(self, pull: Any) -> list[Any]:
        """The places of a pull that the App commented."""
        with self.github.world.lock:
            return [
                thread
                for thread in self.repo.threads.values()
                if thread.pull is pull and thread.comments[0].author is self.app.bot
            ]

    def checks(self, head: str) -> list[Any]:
        """The App's check runs on a commit, oldest first."""
        with self.github.world.lock:
            suites = [suite for suite in self.repo.suites.values() if suite.head_sha == head and suite.app is self.app]
            return [run for suite in suites for run in suite.runs]


def _encoded(files: Mapping[str, str]) -> dict[str, bytes | None]:
    return {path: text.encode() for path, text in files.items()}


@pytest.fixture(scope="session")
def app_key() -> str:
    """Making one takes a while."""
    return new_private_key()


@pytest.fixture
def make_outside(app_key: str) -> Iterator[Callable[..., Outside]]:
    """Stand-ins with the options given: `github` and `endpoint`."""
    with ExitStack() as stack:

        def make(*, github: GitHubOptions | None = None, endpoint: EndpointOptions | None = None) -> Outside:
            return Outside(
                stack.enter_context(GitHubServer(github or GitHubOptions())),
                stack.enter_context(EndpointServer(endpoint or EndpointOptions())),
                app_key,
            )

        yield make


@pytest.fixture
def outside(make_outside: Callable[..., Outside]) -> Outside:
    """Stand-ins as they come."""
    return make_outside()


@pytest.fixture
def serve(tmp_path: Path, outside: Outside) -> Iterator[Callable[..., ServerProcess]]:
    """Start a server that works for `outside` (the fixture, or the one given), ready and told of everything there.

    Further settings are keyword arguments in capitals; an empty one takes a variable away.
    """
    started: list[ServerProcess] = []

    def start(there: Outside | None = None, *, grace: float = 20.0, wait: bool = True, **env: str) -> ServerProcess:
        there = there or outside
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        wanted = {name: value for name, value in {**there.env, **env}.items() if value}
        server = ServerProcess(folder, wanted, grace=grace)
        started.append(server)
        server.start(wait=wait)
        if wait:
            there.deliver_to(server)
        return server

    yield start
    for server in started:
        server.kill()
