"""The door over real HTTP: bodies without a length, too long, cut short, and senders that fall silent."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from bot.server.door import MOST_BYTES

BLOCK = 1024 * 1024


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Nothing on stderr."""


@pytest.fixture
def port(station: Any) -> Iterator[int]:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        # What gunicorn calls it.
        environ["gunicorn.socket"] = environ["werkzeug.socket"]
        return station.app(environ, start_response)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def client(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    yield connection
    connection.close()


def answer_of(connection: http.client.HTTPConnection) -> tuple[int, Any]:
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def half_sent(port: int, head: bytes, part: bytes) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.sendall(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + head + b"\r\n\r\n" + part)
    return sock


def read_all(sock: socket.socket) -> bytes:
    found = b""
    while more := sock.recv(65_536):
        found += more
    return found


def test_deliveries_come_one_after_another_on_one_connection(station: Any, client: Any) -> None:
    for _ in range(3):
        client.request("POST", "/webhook", station.body, station.headers(station.body))
        assert answer_of(client) == (202, {"delivery": station.guid, "job": station.job})
    assert len(station.accepted) == 3


def test_a_body_in_chunks_is_taken_whole(station: Any, client: Any) -> None:
    pieces = (station.body[at : at + 999] for at in range(0, len(station.body), 999))
    client.request("POST", "/webhook", pieces, station.headers(station.body), encode_chunked=True)
    assert answer_of(client)[0] == 202


def test_more_than_25_megabytes_in_chunks_are_refused(station: Any, client: Any) -> None:
    blocks = [b" " * BLOCK] * (MOST_BYTES // BLOCK) + [b" "]
    client.request("POST", "/webhook", iter(blocks), station.headers(b""), encode_chunked=True)
    assert answer_of(client) == (413, {"delivery": station.guid, "error": "The body is over 25 MB"})


def test_more_than_25_megabytes_by_name_are_refused_before_they_are_sent(station: Any, port: int) -> None:
    with half_sent(port, b"Content-Length: %d" % (MOST_BYTES + 1), b"") as sock:
        assert sock.recv(65_536).startswith(b"HTTP/1.1 413 ")
    assert station.seen == [("unknown", "too-large")]


@pytest.mark.parametrize(
    ("head", "part"),
    [(b"Content-Length: 5000", b'{"action":'), (b"Transfer-Encoding: chunked", b'a\r\n{"action":\r\n')],
)
def test_a_body_that_ends_early_is_told(station: Any, port: int, head: bytes, part: bytes) -> None:
    with half_sent(port, head, part) as sock:
        sock.shutdown(socket.SHUT_WR)
        found = read_all(sock)
    assert found.startswith(b"HTTP/1.1 400 ")
    assert b"The body ended early" in found
    assert station.idle
    assert station.seen == [("unknown", "malformed")]


def test_a_sender_that_falls_silent_is_given_up(station: Any, port: int) -> None:
    with half_sent(port, b"Content-Length: 5000", b'{"action":') as sock:
        found = sock.recv(65_536)
    assert found.startswith(b"HTTP/1.1 400 ")
    assert station.seen == [("unknown", "malformed")]


def test_after_a_sender_that_hung_up_the_next_one_is_served(station: Any, port: int, client: Any) -> None:
    for _ in range(5):
        half_sent(port, b"Content-Length: 5000", b'{"action":').close()
    client.request("POST", "/webhook", station.body, station.headers(station.body))
    assert answer_of(client)[0] == 202
