"""The connections below the calls: kept, given up, opened ahead, repeated on, and led through proxies and TLS."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable

import pytest

from bot.model.endpoint import Api, HttpOptions
from bot.review.ports import StreamEnd

PART = b'data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n'
WHOLE = b'data: {"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = EVENTS + b"transfer-encoding: chunked\r\n"
AT_ONCE = 0.25
PATIENT = HttpOptions(connect_seconds=5.0, stall_seconds=5.0, reasoning_seconds=5.0)
Answer = Callable[[socket.socket, bytes], None]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


GOOD = CHUNKED + b"\r\n" + chunk(WHOLE) + b"0\r\n\r\n"


def says(data: bytes) -> Answer:
    return lambda connection, _request: connection.sendall(data)


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        pytest.param(GOOD, 1, id="chunked"),
        pytest.param(GOOD[:-2] + b"x: y\r\n\r\n", 1, id="a trailer"),
        pytest.param(EVENTS + b"content-length: %d\r\n\r\n" % len(WHOLE) + WHOLE, 1, id="a length"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + GOOD, 1, id="another head before the head"),
        pytest.param(GOOD + b"HTTP/1.1 200 OK\r\n\r\n", 3, id="bytes behind the end"),
        pytest.param(CHUNKED + b"connection: close\r\n\r\n" + GOOD.split(b"\r\n\r\n", 1)[1], 3, id="it says close"),
        pytest.param(GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"), 3, id="HTTP/1.0"),
    ],
)  # fmt: skip
def test_a_connection_is_used_again_only_where_nothing_can_be_mixed_up(
    raw: Callable, caller: Callable, answer: bytes, connections: int
) -> None:
    server = raw(says(answer), keep=True)
    asker = caller(server.url)
    for _ in range(3):
        seen = asker.ask()
        assert (seen.report.end, seen.text) == (StreamEnd.WHOLE, "one")
    assert server.connections == connections


def test_a_connection_that_was_idle_for_too_long_is_not_used_again(raw: Callable, caller: Callable) -> None:
    server = raw(says(GOOD), keep=True)
    asker = caller(server.url, http=HttpOptions(keep_alive_seconds=0.0))
    assert [asker.ask().report.end for _ in range(3)] == [StreamEnd.WHOLE] * 3
    assert server.connections == 3


def test_a_connection_that_was_closed_while_idle_is_seen_before_anything_is_sent(
    raw: Callable, caller: Callable
) -> None:
    server = raw(says(GOOD))
    asker = caller(server.url)
    for _ in range(3):
        assert asker.ask().report.end is StreamEnd.WHOLE
        server.wait_closed()
    assert (server.connections, len(server.requests)) == (3, 3)


def closes_the_second(data: bytes) -> Answer:
    """On each connection the first request is answered well, the second with `data` and the close."""
    asked: dict[socket.socket, int] = {}

    def answer(connection: socket.socket, _request: bytes) -> None:
        asked[connection] = asked.get(connection, 0) + 1
        if asked[connection] == 1:
            connection.sendall(GOOD)
            return
        connection.sendall(data)
        raise ConnectionAbortedError

    return answer


def test_a_request_that_met_a_closing_connection_is_repeated_once_on_a_new_one(raw: Callable, caller: Callable) -> None:
    server = raw(closes_the_second(b""), keep=True)
    asker = caller(server.url)
    assert [asker.ask().report.end for _ in range(2)] == [StreamEnd.WHOLE] * 2
    assert (server.connections, len(server.requests)) == (2, 3)
    assert server.requests[1] == server.requests[2]


def test_a_request_is_not_repeated_once_its_answer_began(raw: Callable, caller: Callable) -> None:
    server = raw(closes_the_second(b"HTTP/1.1 2"), keep=True)
    asker = caller(server.url)
    assert [asker.ask().report.end for _ in range(2)] == [StreamEnd.WHOLE, StreamEnd.CUT]
    assert len(server.requests) == 2


def test_a_request_on_a_new_connection_is_never_repeated(raw: Callable, caller: Callable) -> None:
    server = raw(says(b""))
    assert caller(server.url).ask().report.end is StreamEnd.CUT
    assert len(server.requests) == 1


def test_a_server_that_refuses_before_it_has_read_is_heard(raw: Callable, caller: Callable) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\n\r\ntoo large"

    def answer(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(refusal)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    server = raw(answer, headless=True)
    report = caller(server.url).ask(user="x = 1\n" * 500_000).report
    assert (report.end, report.detail) == (StreamEnd.REJECTED, "HTTP 413 too large")


class Held:
    """A server that keeps its answers until it is told to go on."""

    def __init__(self, raw: Callable) -> None:
        self.go_on = threading.Event()
        self.server = raw(self._answer, keep=True)

    def _answer(self, connection: socket.socket, _request: bytes) -> None:
        self.go_on.wait(5.0)
        connection.sendall(GOOD)


def test_a_call_waits_for_a_connection_where_all_are_taken(raw: Callable, caller: Callable, until: Callable) -> None:
    held = Held(raw)
    asker = caller(held.server.url, http=HttpOptions(connections=1))
    ends: list[StreamEnd] = []
    threads = [threading.Thread(target=lambda: ends.append(asker.ask().report.end)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(held.server.requests) == 1)
    held.go_on.set()
    for thread in threads:
        thread.join(5.0)
    assert ends == [StreamEnd.WHOLE] * 3
    assert held.server.connections == 1


def test_a_wait_for_a_connection_ends_with_patience_and_with_cancelling(
    raw: Callable, caller: Callable, until: Callable
) -> None:
    held = Held(raw)
    asker = caller(held.server.url, http=HttpOptions(connections=1, stall_seconds=0.3, reasoning_seconds=0.3))
    first = threading.Thread(target=asker.ask)
    first.start()
    until(lambda: len(held.server.requests) == 1)
    seen = asker.ask(deadline=0.1)
    assert seen.report.end is StreamEnd.DEADLINE
    stop = asker.stop()
    timer = threading.Timer(0.02, stop.cancel)
    timer.start()
    began = time.monotonic()
    assert asker.ask(stop=stop).report.end is StreamEnd.CANCELLED
    assert time.monotonic() - began < AT_ONCE
    timer.join()
    held.go_on.set()
    first.join(5.0)


def test_text_over_tls_is_whole_and_its_connection_is_used_again(
    raw: Callable, caller: Callable, tls: ssl.SSLContext
) -> None:
    def answer(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(CHUNKED + b"\r\n")
        for _ in range(200):
            connection.sendall(chunk(PART))
        connection.sendall(chunk(WHOLE))
        connection.sendall(b"0\r\n\r\n")

    server = raw(answer, keep=True, context=tls)
    asker = caller(server.url)
    large = "x = 1\n" * 100_000
    for _ in range(2):
        seen = asker.ask(user=large)
        assert (seen.report.end, seen.text) == (StreamEnd.WHOLE, "one" * 201)
    assert server.connections == 1
    assert all(large.encode("unicode_escape") in request for request in server.requests)


def test_a_later_tls_connection_goes_on_from_the_first(raw: Callable, caller: Callable, tls: ssl.SSLContext) -> None:
    # The tickets come with what is read, so only a connection that was read from has one.
    server = raw(says(GOOD), context=tls)
    asker = caller(server.url)
    for _ in range(3):
        assert asker.ask().report.end is StreamEnd.WHOLE
        server.wait_closed()
    assert server.resumed == [False, True, True]


@pytest.mark.parametrize(
    ("answer", "end"),
    [(EVENTS + b"\r\n" + PART, StreamEnd.CUT), (EVENTS + b"\r\n" + WHOLE, StreamEnd.WHOLE)],
    ids=["part", "whole"],
)
@pytest.mark.parametrize("goodbye", [False, True])
def test_tls_that_closes_with_or_without_a_goodbye_is_an_end_like_any_other(
    raw: Callable, caller: Callable, tls: ssl.SSLContext, answer: bytes, end: StreamEnd, goodbye: bool
) -> None:
    def close(connection: ssl.SSLSocket, _request: bytes) -> None:
        connection.sendall(answer)
        if goodbye:
            with contextlib.suppress(OSError):
                connection.settimeout(0.2)
                connection.unwrap()

    seen = caller(raw(close, context=tls).url).ask()
    assert (seen.report.end, seen.text) == (end, "one")
    assert seen.seconds < 2.0


def test_a_certificate_for_another_name_is_refused(raw: Callable, caller: Callable, tls: ssl.SSLContext) -> None:
    server = raw(says(GOOD), context=tls)
    report = caller(server.url.replace("localhost", "127.0.0.1")).ask().report
    assert report.end is StreamEnd.UNREACHABLE
    assert "127.0.0.1" in report.detail
    assert server.requests == []


def test_a_server_that_does_no_tls_is_unreachable(raw: Callable, caller: Callable, tls: ssl.SSLContext) -> None:
    server = raw(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), headless=True)
    assert caller(server.url.replace("http:", "https:")).ask().report.end is StreamEnd.UNREACHABLE


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the environment name a proxy, also for loopback."""

    def name(url: str) -> None:
        for each in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(each, url)
        for each in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(each, raising=False)
        monkeypatch.setattr("bot.model.pool.LOOPBACK", frozenset())

    return name


def relay(port: int) -> Answer:
    """Connects a client that asks for a tunnel to `port`, whatever place it names."""

    def answer(connection: socket.socket, _request: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port)) as far:
            connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")

            def pump(source: socket.socket, target: socket.socket) -> None:
                with contextlib.suppress(OSError):
                    while data := source.recv(65536):
                        target.sendall(data)
                    target.shutdown(socket.SHUT_WR)

            back = threading.Thread(target=pump, args=(far, connection), daemon=True)
            back.start()
            pump(connection, far)
            back.join(5.0)

    return answer


def test_tls_goes_through_a_proxy_that_sees_none_of_it(
    raw: Callable, caller: Callable, tls: ssl.SSLContext, through: Callable
) -> None:
    server = raw(says(GOOD), keep=True, context=tls)
    proxy = raw(relay(server.port))
    through(f"http://me:s%40cret@127.0.0.1:{proxy.port}")
    asker = caller(server.url, key="hunter2hunter2")
    assert [asker.ask().text for _ in range(2)] == ["one", "one"]
    place = f"localhost:{server.port}"
    assert proxy.requests == [
        f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nAccept: */*\r\n"
        "Proxy-Authorization: Basic bWU6c0BjcmV0\r\n\r\n".encode()
    ]
    assert b"proxy-authorization" not in server.requests[0].lower()
    assert b"authorization: Bearer hunter2hunter2" in server.requests[0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
            "407 Proxy Authentication Required",
        ),
        (b"SSH-2.0\r\n\r\n", "illegal status line"),
        (b"", ""),
    ],
)
def test_a_proxy_that_does_not_connect_us_is_told(
    raw: Callable, caller: Callable, tls: ssl.SSLContext, through: Callable, answer: bytes, words: str
) -> None:
    proxy = raw(says(answer))
    through(f"http://127.0.0.1:{proxy.port}")
    report = caller("https://localhost:9/v1").ask().report
    assert report.end in {StreamEnd.UNREACHABLE, StreamEnd.CUT}
    assert words in report.detail


def test_a_proxy_of_a_kind_we_cannot_use_is_told_with_what_to_do(caller: Callable, through: Callable) -> None:
    through("socks5://127.0.0.1:9")
    report = caller("http://model.example/v1").ask().report
    assert report.end is StreamEnd.UNREACHABLE
    assert report.detail == "a proxy with socks5:// is not supported: use an http:// proxy"


def test_warming_up_opens_connections_over_tls_that_the_first_calls_find(
    raw: Callable, caller: Callable, until: Callable, tls: ssl.SSLContext
) -> None:
    server = raw(says(GOOD), keep=True, context=tls)
    asker = caller(server.url, http=HttpOptions(ahead=3))
    asker.model.warm()
    until(lambda: len(server.resumed) == 3)
    asker.model.warm()
    assert asker.ask().report.end is StreamEnd.WHOLE
    assert server.connections == 3
    assert len(server.requests) == 1


def test_warming_up_an_endpoint_that_is_not_there_says_nothing(caller: Callable, until: Callable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"https://localhost:{gone.getsockname()[1]}/v1"
    asker = caller(url)
    asker.model.warm()
    until(lambda: not any(thread.name == "spark-ahead" for thread in threading.enumerate()))
    assert asker.ask().report.end is StreamEnd.UNREACHABLE


def test_a_name_is_looked_up_once_for_many_connections_and_again_where_none_is_had(
    raw: Callable, caller: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = raw(says(GOOD))
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as gone:
        ports = [gone.getsockname()[1], server.port]

    def getaddrinfo(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", ports.pop(0)))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    asker = caller("http://model.example/v1")
    assert asker.ask().report.end is StreamEnd.UNREACHABLE
    for _ in range(3):
        assert asker.ask().report.end is StreamEnd.WHOLE
        server.wait_closed()
    assert server.connections == 3
    assert asked == ["model.example"] * 2


def test_a_closed_model_keeps_no_connection(raw: Callable, caller: Callable, until: Callable) -> None:
    server = raw(says(GOOD), keep=True)
    asker = caller(server.url)
    asker.ask()
    asker.model.close()
    server.wait_closed()
    assert asker.ask().report.end is StreamEnd.WHOLE
    assert server.connections == 2


@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize("preset", ["", "openai"])
def test_a_request_is_what_the_sdk_itself_would_send(
    raw: Callable, caller: Callable, monkeypatch: pytest.MonkeyPatch, api: Api, preset: str
) -> None:
    import httpx2
    import openai

    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    server = raw(says(GOOD))
    system, user = 'Look: "\\" \u2028 \N{SNOWMAN}\x00', "+R1|x = '\t'\udc80"
    caller(server.url, api=api, key="a-key", preset=preset).ask(system=system, user=user, reason=False)
    ours = server.requests[0]
    body = json.loads(ours.partition(b"\r\n\r\n")[2])
    client = openai.OpenAI(
        api_key="a-key", base_url=server.url, max_retries=0, timeout=httpx2.Timeout(1.0, connect=2.0)
    )
    if preset != "openai":
        client.organization = None
    kept = {name: body.pop(name) for name in ("model", "stream")}
    headers = {"Accept-Encoding": "identity"}
    if api is Api.CHAT:
        call = client.chat.completions.with_streaming_response.create
        first = {"messages": []}
    else:
        call = client.responses.with_streaming_response.create
        first = {}
    with call(**kept, **first, extra_body=body, extra_headers=headers):
        pass
    client.close()
    assert ours == server.requests[1]
    assert (b"org-1" in ours) is (preset == "openai")
