"""The webhook door with a stand-in for the engine behind it."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from bot.engine.model import Acceptance, AlreadyKnown, Delivery, JobId, Taken
from bot.hooks.decide import Rules
from bot.hooks.orders import Work
from bot.hooks.signature import sign
from bot.review.model import RepoName
from bot.server.door import blueprint

EXAMPLES = Path(__file__).parents[2] / "data" / "webhooks" / "examples.json.xz"


class DoorStation:
    """The door with what is around it: what it was told, and what it is to answer."""

    secrets = ("It's a Secret to Everybody", "the one before it")
    guid = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    job = JobId("0123456789abcdef")

    def __init__(self, examples: dict[str, list[Any]]) -> None:
        self.examples = examples
        self.opened = self.example("pull_request", "opened")
        self.body = json.dumps(self.opened).encode()
        self.accepted: list[tuple[Delivery, Work]] = []
        self.noted: list[tuple[Delivery, str]] = []
        self.stopped: list[tuple[Any, ...]] = []
        self.seen: list[tuple[str, str]] = []
        self.acceptance: Acceptance = Taken(job=self.job)
        self.known: AlreadyKnown | None = None
        self.fault: Exception | None = None
        self.open = True
        self.rules = Rules(app_id=11, app_slug="spark", allowed_repos=())
        self.app = Flask("test")
        self.app.register_blueprint(
            blueprint(
                intake=self,
                secrets=self.secrets,
                rules=lambda: self.rules,
                seen=lambda event, outcome: self.seen.append((event, outcome)),
                is_open=lambda: self.open,
                clock=lambda: 1_700_000_000.5,
                patience=0.2,
            )
        )
        self.client = self.app.test_client()

    def accept(self, delivery: Delivery, work: Work) -> Acceptance:
        if self.fault is not None:
            raise self.fault
        self.accepted.append((delivery, work))
        return self.acceptance

    def note(self, delivery: Delivery, answer: str) -> AlreadyKnown | None:
        self.noted.append((delivery, answer))
        return self.known

    def stop_pull(self, repo: RepoName, number: int, why: str) -> int:
        self.stopped.append((repo, number, why))
        return 2

    def stop_installation(self, installation: int, repos: tuple[RepoName, ...], why: str) -> int:
        self.stopped.append((installation, repos, why))
        return 1

    def reviews_drafts(self, repo: RepoName) -> bool:
        return False

    def headers(self, body: bytes, event: str = "pull_request") -> dict[str, str]:
        """As GitHub sends them, with the signature."""
        return {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": self.guid,
            "X-Hub-Signature-256": sign(self.secrets[0], body),
        }

    def post(self, body: Any = None, *, event: str = "pull_request", **headers: str | None) -> TestResponse:
        """A delivery as GitHub sends it; headers can be changed, or taken away with None."""
        given = self.opened if body is None else body
        raw = given if isinstance(given, bytes) else json.dumps(given).encode()
        changed: dict[str, str | None] = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = self.headers(raw, event) | changed
        told = {name: value for name, value in sent.items() if value is not None}
        return self.client.post("/webhook", data=raw, headers=told)

    def example(self, event: str, action: str) -> Any:
        return next(each for each in self.examples[event] if each["action"] == action)

    @property
    def idle(self) -> bool:
        return not (self.accepted or self.noted or self.stopped)

    @staticmethod
    def refused(answer: TestResponse, status: int) -> str:
        """The text of an error, after a look at its form."""
        assert answer.status_code == status, answer.data
        assert answer.content_type == "application/json"
        told = answer.get_json()
        assert set(told) == {"delivery", "error"}
        return str(told["error"])


@pytest.fixture(scope="session")
def webhook_examples() -> dict[str, list[Any]]:
    """Every example payload of GitHub's, by event. Not to be changed."""
    found: dict[str, list[Any]] = json.loads(lzma.decompress(EXAMPLES.read_bytes()))
    return found


@pytest.fixture
def station(webhook_examples: dict[str, list[Any]]) -> DoorStation:
    """A door that takes everything, its stand-in of the engine, and GitHub's examples."""
    return DoorStation(webhook_examples)
