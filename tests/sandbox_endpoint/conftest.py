"""What the tests of the endpoint share: OpenAI's own schemas, raw HTTP, and servers that answer at once."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema_rs
import openai
import pytest

from bot.sandbox.endpoint import Answer, EndpointOptions, EndpointServer, Fault, Script, fixed

SPEC = Path(__file__).parents[1] / "data" / "openai-2.3.0.json"
MODEL = "codex-spark-preview"


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    spec = json.loads(SPEC.read_text(encoding="utf-8"))
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **spec})


@pytest.fixture(scope="session")
def valid() -> Callable[[str, object], None]:
    """Hold a value against a schema of OpenAI's OpenAPI description."""

    def check(name: str, value: object) -> None:
        errors = [str(error)[:400] for error in validator(name).iter_errors(value)]
        assert not errors, (name, errors[:3], value)

    return check


@pytest.fixture
def serve() -> Iterator[Callable[..., EndpointServer]]:
    """Start a server that says a text (or what a script says) at once; closed at the end of the test."""
    with ExitStack() as stack:

        def start(
            said: str | Answer | Script = "Hello wörld, how are you?", *faults: Fault | None, **options: object
        ) -> EndpointServer:
            if isinstance(said, Answer):
                answer = said
                script: Script = lambda _request: answer  # noqa: E731
            else:
                script = fixed(said) if isinstance(said, str) else said
            chosen = {"ttft": 0.0, "tps": 20_000.0, "script": script, "faults": faults} | options
            return stack.enter_context(EndpointServer(EndpointOptions(**chosen)))

        yield start


@pytest.fixture
def chat() -> Callable[..., dict[str, object]]:
    """The body of a chat call."""
    return lambda **more: {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}]} | more


@pytest.fixture
def respond() -> Callable[..., dict[str, object]]:
    """The body of a call to Responses."""
    return lambda **more: {"model": MODEL, "input": "Say hello."} | more


@pytest.fixture
def client() -> Iterator[Callable[[EndpointServer], openai.OpenAI]]:
    """OpenAI's own client for a server, without retries."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(
            openai.OpenAI(base_url=server.url, api_key="sk-test", max_retries=0, timeout=10)
        )


@pytest.fixture
def post() -> Callable[..., tuple[int, dict[str, str], bytes]]:
    """POST JSON (or bytes) with urllib: status, headers, body."""

    def send(url: str, body: object, **headers: str) -> tuple[int, dict[str, str], bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data, {"content-type": "application/json"} | named)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()

    return send


@pytest.fixture
def raw() -> Callable[..., tuple[bytes, str]]:
    """POST over a bare socket and read to the end: the bytes, and `closed` or `reset`."""

    def send(url: str, body: object, *, read: int | None = None) -> tuple[bytes, str]:
        where = urlsplit(url)
        data = json.dumps(body).encode()
        head = f"POST {where.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(data)}\r\n\r\n"
        with socket.create_connection((where.hostname, where.port), timeout=10) as line:
            line.sendall(head.encode() + data)
            got = b""
            try:
                while (read is None or len(got) < read) and (part := line.recv(65536)):
                    got += part
            except ConnectionResetError:
                return got, "reset"
            return got, "closed"

    return send


@pytest.fixture
def events() -> Callable[[bytes], list[object]]:
    """The JSON of every event of a stream; `[DONE]` as that text."""

    def split(body: bytes) -> list[object]:
        data = [
            line.removeprefix(b"data: ")
            for block in body.replace(b"\r\n", b"\n").split(b"\n\n")
            for line in block.split(b"\n")
            if line.startswith(b"data: ")
        ]
        return ["[DONE]" if each == b"[DONE]" else json.loads(each) for each in data]

    return split
