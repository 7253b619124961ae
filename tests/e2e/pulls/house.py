"""A whole server in this process, and the world around it: GitHub with its webhooks, the model's endpoint, people.

Everything is the real thing behind the webhook's door: the station with its engine on SQLite, the worker, the App's client.
Only gunicorn is left out (a process of its own has it, see `test_a_killed_fix.py`), and the second between two writes to
GitHub, which `tests/github` holds.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from werkzeug.serving import WSGIRequestHandler, make_server

from bot.github import limits
from bot.sandbox.endpoint import Answer, EndpointOptions, EndpointRequest, EndpointServer, Script, reviewer
from bot.sandbox.github import GitHubOptions, GitHubServer, new_private_key
from bot.server.station import Station
from bot.settings import read_settings

APP_ID = 4711
SECRET = "the-secret-of-the-webhook"
KEY = "the-key-of-the-endpoint"
US = "spark[bot]"
SECONDS = 30.0
"""A wait that is longer fails."""


class Voice:
    """The endpoint's script: the reviewer by rules, until a test gives it another one."""

    def __init__(self) -> None:
        self.script: Script = reviewer()

    def __call__(self, request: EndpointRequest) -> Answer:
        return self.script(request)


@dataclass
class House:
    """The server and its world."""

    github: GitHubServer
    endpoint: EndpointServer
    voice: Voice
    station: Station
    app: Any
    _names: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def repo(self, owner: str = "") -> Any:
        """A repository of an account of its own, with the App installed. bob may write there, carol reads, dan triages."""
        world = self.github.world
        owner = owner or f"team{next(self._names)}"
        repo = world.create_repo(f"{owner}/shop")
        world.install(self.app, owner)
        for login, level in (("alice", "write"), ("bob", "write"), ("carol", "read"), ("dan", "triage")):
            repo.permission(login, level)
        return repo

    def settle(self) -> None:
        """Wait until GitHub has told everything, and everything that follows from that is done."""
        deadline = time.monotonic() + SECONDS
        while True:
            told = len(self.github.webhooks.deliveries)
            assert self.github.webhooks.wait(SECONDS)
            standing = self.works.engine.history.standing()
            if standing.waiting + standing.running == 0 and told == len(self.github.webhooks.deliveries):
                return
            assert time.monotonic() < deadline, f"not within {SECONDS} s: {standing}"
            time.sleep(0.005)

    @property
    def works(self) -> Any:
        """What works behind the door."""
        assert self.station.works is not None
        return self.station.works

    def job(self, delivery: Any) -> Any:
        """The job that a delivery made; None where it made none."""
        return self.works.engine.history.job(_named(delivery)) if delivery.status_code == 202 else None

    def ended(self, delivery: Any) -> Any:
        """How that job ended."""
        return self.works.engine.history.ended(_named(delivery))


def _named(delivery: Any) -> str:
    return str(json.loads(delivery.answer)["job"])


class _Quiet(WSGIRequestHandler):
    """Writes no log of its own."""

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""


@contextmanager
def stand_ins() -> Iterator[tuple[GitHubServer, EndpointServer, Voice]]:
    """The world without a server."""
    voice = Voice()
    options = EndpointOptions(script=voice, ttft=0.005, tps=50_000.0, api_key=KEY)
    with GitHubServer(GitHubOptions()) as github, EndpointServer(options) as endpoint:
        yield github, endpoint, voice


@contextmanager
def open_house(folder: Path, key: str = "") -> Iterator[House]:
    """All of it, and down again in order. `key`: the App's private key; made where none is given."""
    with ExitStack() as stack:
        # Twenty rounds in a minute are more than people make.
        stack.enter_context(mock.patch.object(limits, "SECONDS_BETWEEN_WRITES", 0.0))
        stack.enter_context(mock.patch.object(limits, "MAX_CONTENT_WRITES_PER_MINUTE", 500))
        github, endpoint, voice = stack.enter_context(stand_ins())
        key = key or new_private_key()
        app = github.world.app(APP_ID, key, "spark")
        settings = read_settings(
            {
                "SPARK_APP_ID": str(APP_ID),
                "SPARK_APP_PRIVATE_KEY": key,
                "SPARK_WEBHOOK_SECRET": SECRET,
                "SPARK_BASE_URL": endpoint.url,
                "SPARK_API_KEY": KEY,
                "SPARK_PRICES": "codex-spark-preview=0.35/0.75",
                "SPARK_DATABASE_URL": f"sqlite:///{folder / 'spark.db'}",
                "SPARK_DEADLINE": "20",
                "GITHUB_API_URL": github.api_url,
                "GITHUB_GRAPHQL_URL": github.graphql_url,
                "GITHUB_SERVER_URL": github.web_url,
            }
        )
        station = Station(settings, host="127.0.0.1", url="http://127.0.0.1", settings_file=folder / ".env")
        stack.callback(station.close)
        station.start()
        door = make_server("127.0.0.1", 0, station.wsgi, threaded=True, request_handler=_Quiet)
        serving = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.02}, name="door")
        serving.start()
        stack.callback(door.server_close)
        stack.callback(serving.join)
        stack.callback(door.shutdown)
        github.webhooks.point_to(f"http://127.0.0.1:{door.server_port}/webhook", SECRET)
        house = House(github, endpoint, voice, station, app)
        stack.callback(lambda: github.webhooks.point_to(None))
        yield house


def wait_for(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The first thing `what` gives that is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.005)
    return found
