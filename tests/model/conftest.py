"""One model over a stand-in endpoint or over a raw socket, with short waits."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.model.budget import Budget
from bot.model.client import SparkModel
from bot.model.endpoint import Api, Endpoint, HttpOptions
from bot.model.prices import PriceTable
from bot.review.ports import CallKind, CallReport, Prompt, Stop
from bot.sandbox.endpoint import EndpointOptions, EndpointServer

MODEL = "codex-spark-preview"
WAITS = HttpOptions(connect_seconds=2.0, stall_seconds=1.0, reasoning_seconds=1.0)


class WallClock:
    def now(self) -> float:
        return time.monotonic()


def a_prompt(**changes: object) -> Prompt:
    values = {
        "kind": CallKind.REVIEW,
        "system": "You review code.",
        "user": "+R1#abc|x = 1",
        "max_output_tokens": 900,
        "reason": True,
        "tokens": 20,
    }
    return Prompt(**{**values, **changes})


@dataclass
class Seen:
    """A report, the text that came, and how long it took."""

    report: CallReport
    text: str
    seconds: float


@dataclass
class Caller:
    """Calls a model and collects what it says."""

    model: SparkModel
    clock: WallClock = field(default_factory=WallClock)
    parts: list[str] = field(default_factory=list)
    """The text of the latest call, while it comes."""

    def stop(self, seconds: float = 5.0) -> Stop:
        return Stop(deadline=self.clock.now() + seconds, clock=self.clock)

    def ask(self, *, deadline: float = 5.0, stop: Stop | None = None, **changes: object) -> Seen:
        self.parts = parts = []
        began = time.monotonic()
        report = self.model.stream(a_prompt(**changes), sink=parts.append, stop=stop or self.stop(deadline))
        return Seen(report=report, text="".join(parts), seconds=time.monotonic() - began)


def a_caller(
    url: str,
    *,
    api: Api = Api.CHAT,
    model: str = MODEL,
    prices: str = f"{MODEL}=1/2/0.5",
    budget: Budget | None = None,
    http: HttpOptions = WAITS,
    **endpoint: object,
) -> Caller:
    clock = WallClock()
    place = Endpoint(base_url=url, model=model, api=api, **endpoint)
    table = PriceTable.read(prices)
    return Caller(SparkModel(place, prices=table, budget=budget or Budget(), clock=clock, http=http), clock)


@pytest.fixture
def caller() -> Iterator[Callable[..., Caller]]:
    """Makes a model for a URL; its connections are closed with the test."""
    made: list[Caller] = []

    def make(url: str, **options: object) -> Caller:
        made.append(a_caller(url, **options))
        return made[-1]

    yield make
    for each in made:
        each.model.close()


@pytest.fixture
def prompt() -> Callable[..., Prompt]:
    return a_prompt


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def serve() -> Iterator[Callable[..., EndpointServer]]:
    """Starts a stand-in endpoint that is fast unless told otherwise."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(EndpointServer(EndpointOptions(**{"ttft": 0.005, **options})))


class RawServer:
    """A socket, with TLS where it is given a context, that answers each request with what a function does to the connection."""

    def __init__(
        self,
        answer: Callable[[socket.socket, bytes], None],
        *,
        keep: bool = False,
        headless: bool = False,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answer = answer
        self._closed = 0
        self._keep = keep
        self._headless = headless
        """It answers before it has read anything."""
        self._context = context
        self.resumed: list[bool] = []
        """Whether each TLS connection went on from an earlier one."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self.url = f"https://localhost:{self.port}/v1" if context else f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self.resumed.append(bool(connection.session_reused))
                self._open.append(connection)
            while request := b"?" if self._headless else read_request(connection):
                self.requests.append(request)
                self._answer(connection, request)
                if not self._keep:
                    break
        except OSError:
            pass
        finally:
            connection.close()
            self._closed += 1

    def wait_closed(self) -> None:
        """Until every connection so far was closed on this side."""
        end = time.monotonic() + 3.0
        while self._closed < self.connections:
            assert time.monotonic() < end, "a connection is still open"
            threading.Event().wait(0.002)

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def raw() -> Iterator[Callable[..., RawServer]]:
    """Starts a raw server with a function of connection and request."""
    servers: list[RawServer] = []

    def start(answer: Callable[[socket.socket, bytes], None], **options: object) -> RawServer:
        servers.append(RawServer(answer, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for a state, for three seconds at most."""

    def wait(state: Callable[[], bool]) -> None:
        end = time.monotonic() + 3.0
        while not state():
            assert time.monotonic() < end, "the state did not come"
            threading.Event().wait(0.005)

    return wait


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS with a certificate that this process trusts."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context
