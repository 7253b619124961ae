from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import jwt
import pytest

from bot.sandbox.github import GitHubOptions, GitHubServer, new_private_key

REPO = "/repos/octo/demo"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Client:
    """A plain HTTP client with one kept connection."""

    server: GitHubServer
    token: str | None = "alice-token"
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.server.web_url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)

    def send(
        self, method: str, path: str, body: Any = None, *, accept: str = "", token: str | None = "", raw: bool = False
    ) -> Answer:
        headers = {"Accept": accept} if accept else {}
        token = self.token if token == "" else token
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = body if raw else None if body is None else json.dumps(body)
        # Two slashes: a page or the control door, not the API.
        prefix, path = ("", path[1:]) if path.startswith("//") else ("/api/v3", path)
        self.connection.request(method, prefix + quote(path, safe="/?&=%.+:_"), data, headers)
        answer = self.connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def get(self, path: str, **more: Any) -> Answer:
        return self.send("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.send("POST", path, body, **more)

    def graphql(self, query: str, variables: dict[str, Any] | None = None, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {more.get('token', self.token)}"}
        data = json.dumps({"query": query, "variables": variables or {}})
        self.connection.request("POST", "/api/graphql", data, headers)
        answer = self.connection.getresponse()
        raw = answer.read()
        assert answer.status == 200
        return json.loads(raw)


@dataclass
class Desk:
    """A running stand-in with one repository, one pull and a client."""

    server: GitHubServer
    client: Client

    def __post_init__(self) -> None:
        self.world = self.server.world
        self.repo = self.world.create_repo("octo/demo")
        self.world.user("alice", "alice-token")
        self.repo.permission("alice", "write")

    def pull(self, before: dict[str, Any], after: dict[str, Any], **more: Any) -> Any:
        if self.repo.git.resolve("main") is None:
            self.repo.commit("main", before, "Before")
        self.repo.branch("work")
        self.repo.commit("work", after, "After", "bob")
        return self.repo.open_pull("A change", "What it is for.", head="work", author="bob", **more)

    def app(self) -> tuple[str, str, int]:
        """An installed App: its private key, an installation token, the installation's id."""
        key = new_private_key()
        app = self.world.app(4711, key, "spark")
        installation = self.world.install(app, "octo")
        answer = self.client.post(f"/app/installations/{installation.id}/access_tokens", token=self.jwt(key))
        assert answer.status == 201
        return key, answer.json["token"], installation.id

    def jwt(self, key: str, **claims: Any) -> str:
        now = int(self.server.options.clock())
        return jwt.encode({"iat": now - 60, "exp": now + 300, "iss": "4711"} | claims, key, algorithm="RS256")


@pytest.fixture
def make_desk() -> Iterator[Callable[..., Desk]]:
    """Start a stand-in with the options given."""
    with ExitStack() as stack:

        def make(**options: Any) -> Desk:
            server = stack.enter_context(GitHubServer(GitHubOptions(**options)))
            client = Client(server)
            stack.callback(client.connection.close)
            return Desk(server, client)

        yield make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A stand-in as it is without options."""
    return make_desk()


@pytest.fixture
def numbered() -> Callable[..., str]:
    """`count` lines `line 1`, `line 2` and so on, some of them changed."""

    def make(count: int, **changed: str) -> str:
        lines = {f"_{at}": f"line {at}" for at in range(1, count + 1)} | changed
        return "".join(text + "\n" for text in lines.values())

    return make
