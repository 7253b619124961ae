"""What the demo plays on: a stand-in GitHub with an App on it, a stand-in endpoint, and a real server process.

Everything listens on 127.0.0.1 and is gone when the `with` ends, however it ends; the server's files are in a temporary
folder. Shows nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from bot.errors import OutsideError, UserError
from bot.github.manifest import EVENTS, PERMISSIONS
from bot.sandbox import example
from bot.sandbox.endpoint import EndpointOptions, EndpointServer
from bot.sandbox.github import GitHubOptions, GitHubServer, new_private_key
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.records import App, Hook, Pull
from bot.sandbox.github.repo import Repo

TOKEN: Final = "demo-token"  # noqa: S105 - the stand-in's own
LATENCY: Final = 0.080
"""Seconds a call to the stand-in GitHub takes, about as far away as the real one is."""
PRICES: Final = "codex-spark-preview=0.35/0.75"
"""What a fast open model costs at a public endpoint (see `bot/model/prices.py`), so that the demo shows a cost."""
_APP_ID: Final = 4711
_READY_SECONDS: Final = 60.0
_GRACE: Final = 1
"""Seconds that a review still has when the demo is ended in the middle of it."""
_END_SECONDS: Final = 10.0
_PACKAGES: Final = ("dbos", "gunicorn", "prometheus_client", "psycopg", "sqlalchemy")
"""The server's, which runs in a process of its own: without them it would fail there."""
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OURS: Final = ("SPARK_", "GITHUB_", "OPENAI_")


def check_packages() -> None:
    """UserError when a package of the server is missing."""
    for name in _PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise UserError(
                f"spark demo needs the package {name}, which is not installed",
                remedy="Install Spark with its extras: pip install 'spark-review[cli,server,sandbox]'.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The stand-ins, with a repository that an App is installed on."""

    github: GitHubServer
    endpoint: EndpointServer
    repo: Repo
    app: App
    key: str = field(repr=False)
    """The App's private key."""
    secret: str = field(repr=False)
    """Of its webhook."""

    def env(self, effort: str) -> dict[str, str]:
        """Settings of a server that works here."""
        return {
            "SPARK_APP_ID": str(self.app.id),
            "SPARK_APP_PRIVATE_KEY": self.key,
            "SPARK_WEBHOOK_SECRET": self.secret,
            "SPARK_EFFORT": effort,
            **self.review_env,
        }

    @property
    def review_env(self) -> dict[str, str]:
        """Settings of a review here."""
        return {
            "SPARK_BASE_URL": self.endpoint.url,
            "SPARK_API_KEY": "demo",
            "SPARK_PRICES": PRICES,
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_GRAPHQL_URL": self.github.graphql_url,
            "GITHUB_SERVER_URL": self.github.web_url,
        }

    @property
    def page(self) -> str:
        """The repository in a browser."""
        return f"{self.github.web_url}/{self.repo.full_name}"

    def deliver_to(self, url: str) -> None:
        """From now on the App's webhooks go to the server at `url`."""
        with self.github.world.lock:
            self.app.hook = Hook(url=f"{url}/webhook", secret=self.secret, active=True)

    def open_pull(self) -> Pull:
        """The example's pull request; its webhook is on its way when this returns."""
        return self.repo.open_pull(
            title=example.TITLE, body=example.BODY, head=example.BRANCH, base="main", author=example.AUTHOR
        )

    def answer(self, seconds: float) -> tuple[int, Any]:
        """Status and body of what the server answered to the newest webhook; OutsideError when there is no answer."""
        if not self.github.webhooks.wait(seconds) or not (sent := self.github.webhooks.deliveries):
            raise OutsideError("The webhook was not answered", remedy="Try again; --debug shows more.")
        newest = sent[-1]
        return newest.status_code, json.loads(newest.answer or b"{}")

    def on_happening(self, tell: Callable[[Happening], None]) -> None:
        """Be told of whatever happens on GitHub, in its threads: `tell` must be quick."""
        self.github.world.listeners.append(tell)


@contextmanager
def stage(*, tps: float, ttft: float) -> Iterator[Stage]:
    """GitHub and the endpoint on loopback, with the example's branches. Gone when the `with` ends."""
    with (
        GitHubServer(GitHubOptions()) as github,
        EndpointServer(EndpointOptions(tps=tps, ttft=ttft)) as endpoint,
    ):
        world, key = github.world, new_private_key()
        world.user("you", TOKEN)
        world.user(example.AUTHOR)
        repo = world.create_repo(example.REPO)
        repo.permission(example.AUTHOR, "write")
        permissions = {name: level for name, (level, _) in PERMISSIONS.items()}
        app = world.app(_APP_ID, key, example.REVIEWER, permissions=permissions, events=tuple(EVENTS))
        world.install(app, repo.owner.login)
        base = repo.commit("main", _encoded(example.BEFORE), "Books and loans", example.AUTHOR)
        repo.branch(example.BRANCH, base)
        repo.commit(example.BRANCH, _encoded(example.AFTER), example.TITLE, example.AUTHOR)
        github.latency = LATENCY
        yield Stage(github=github, endpoint=endpoint, repo=repo, app=app, key=key, secret=secrets.token_hex(16))


def read(url: str) -> bytes:
    """A page or an answer of the API, as `you`."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        data: bytes = answer.read()
    return data


class Server:
    """`spark serve` as a process, in a folder of its own."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._log = folder / "server.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        with self._log.open("ab") as told:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve", "--port", "0", "--grace", str(_GRACE), "--log", "json"],
                cwd=folder,
                env={**kept, **env},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                # Ctrl-C is ours alone: we end it in order.
                start_new_session=True,
            )
        self.url = ""

    def wait(self) -> None:
        """Until it takes webhooks. OutsideError when it ends before, with its own reason."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self._logged("server.ready"):
            self.check()
            if time.monotonic() > deadline:
                raise OutsideError("spark serve is not ready after a minute", remedy=self._last())
            time.sleep(0.01)
        self.url = str(self._logged("server.listening")[0]["url"])

    def check(self) -> None:
        """OutsideError when it is not running any more."""
        if (code := self._process.poll()) is not None:
            raise OutsideError(f"spark serve ended with exit code {code}", remedy=self._last())

    def close(self) -> None:
        """End it and whatever it started."""
        try:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
        finally:
            # Its worker too, should that have outlived it.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _logged(self, event: str) -> list[dict[str, Any]]:
        lines = (line for line in self._told() if line.startswith("{") and line.endswith("\n"))
        return [found for found in map(json.loads, lines) if found.get("event") == event]

    def _told(self) -> list[str]:
        return self._log.read_text("utf-8", "replace").splitlines(keepends=True)

    def _last(self) -> str:
        """The last thing that it said."""
        return (self._told() or ["It said nothing."])[-1].strip()


@contextmanager
def server(env: Mapping[str, str]) -> Iterator[Server]:
    """A server that starts, with a fresh database. Ended with the `with`."""
    with tempfile.TemporaryDirectory(prefix="spark-demo-") as folder, _held_back() as let_go:
        process = Server(Path(folder), env)
        try:
            let_go()
            yield process
        finally:
            process.close()


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Whoever ends us within the `with` does it as Ctrl-C would: then every other `with` is left."""
    asked = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, before in asked.items():
            signal.signal(number, before)


@contextmanager
def _held_back() -> Iterator[Callable[[], None]]:
    """Signals that end us wait until the function given is called: a process must be known before anything is left."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in _ENDS}

    def let_go() -> None:
        while before:
            signal.signal(*before.popitem())
        if came:
            raise KeyboardInterrupt

    try:
        yield let_go
    finally:
        while before:
            signal.signal(*before.popitem())


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _encoded(files: Mapping[str, str]) -> dict[str, bytes | None]:
    return {path: text.encode() for path, text in files.items()}
