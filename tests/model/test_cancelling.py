"""Cancelling is felt at once, wherever the call is just then; and nothing outlasts the deadline."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.model.endpoint import HttpOptions
from bot.review.ports import Stop, StreamEnd
from bot.sandbox.endpoint import fixed, parse_fault

AT_ONCE = 0.25
PATIENT = HttpOptions(connect_seconds=5.0, stall_seconds=5.0, reasoning_seconds=5.0)


class Cancelled:
    """A call in a thread of its own, cancelled from this one."""

    def __init__(self, asker: object) -> None:
        self._asker = asker
        self.stop: Stop = asker.stop(10.0)
        self.seen = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def chars(self) -> int:
        """How much text came so far."""
        return sum(map(len, self._asker.parts))

    def _run(self) -> None:
        self.seen = self._asker.ask(stop=self.stop)

    def cancel(self) -> float:
        """Seconds from cancelling to the call's end."""
        began = time.monotonic()
        self.stop.cancel()
        self._thread.join(5.0)
        assert not self._thread.is_alive()
        return time.monotonic() - began


def test_a_stream_that_says_nothing_more_is_left_at_once(serve: Callable, caller: Callable, until: Callable) -> None:
    server = serve(script=fixed("one two three four"), faults=[parse_fault("stall:2")])
    asker = caller(server.url, http=PATIENT)
    asker.model.warm()
    call = Cancelled(asker)
    until(lambda: call.chars > 4)
    assert call.cancel() < AT_ONCE
    assert call.seen.report.end is StreamEnd.CANCELLED
    assert call.seen.report.usage.input_tokens == 20
    assert server.wait_until(lambda log: log[0].client_gone)


def test_a_stream_in_full_flow_is_left_at_once(serve: Callable, caller: Callable, until: Callable) -> None:
    server = serve(script=fixed("word " * 3000))
    call = Cancelled(caller(server.url, http=PATIENT))
    until(lambda: call.chars > 40)
    assert call.cancel() < AT_ONCE
    assert call.seen.report.end is StreamEnd.CANCELLED
    assert call.seen.text.startswith("word word")
    assert call.seen.report.usage.output_tokens > 5


def test_a_call_without_an_answer_yet_is_left_at_once(raw: Callable, caller: Callable) -> None:
    arrived = threading.Event()

    def silent(connection: socket.socket, _request: bytes) -> None:
        arrived.set()
        connection.recv(1)

    call = Cancelled(caller(raw(silent).url, http=PATIENT))
    assert arrived.wait(5.0)
    assert call.cancel() < AT_ONCE
    assert call.seen.report.end is StreamEnd.CANCELLED
    assert call.seen.report.usage.input_tokens == 0


def test_a_wait_for_a_rate_limit_is_left_at_once(serve: Callable, caller: Callable) -> None:
    server = serve(faults=[parse_fault("429:8")])
    call = Cancelled(caller(server.url, http=PATIENT))
    assert server.wait_until(lambda log: bool(log) and log[0].status == 429)
    assert call.cancel() < AT_ONCE
    assert call.seen.report.end is StreamEnd.CANCELLED
    assert len(server.requests) == 1


@pytest.fixture
def full() -> Iterator[tuple[str, Callable[[], bool]]]:
    """A port that takes no more connections, and whether somebody is knocking there."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("needs Linux' table of connections")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", port))
    known = {each.getsockname()[1] for each in waiting}

    def knocked() -> bool:
        wanted = f"0100007F:{port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        syn_sent = "02"
        return any(
            row[2] == wanted and row[3] == syn_sent and int(row[1].split(":")[1], 16) not in known for row in rows
        )

    yield f"http://127.0.0.1:{port}/v1", knocked
    for each in (*waiting, listener):
        each.close()


def test_a_connection_that_is_not_taken_is_left_at_once(
    full: tuple[str, Callable[[], bool]], caller: Callable, until: Callable
) -> None:
    url, knocked = full
    asker = caller(url, http=PATIENT)
    asker.model.warm()
    call = Cancelled(asker)
    until(knocked)
    assert call.cancel() < AT_ONCE
    assert call.seen.report.end is StreamEnd.CANCELLED


def test_a_connection_that_is_not_taken_is_unreachable_after_a_while(
    full: tuple[str, Callable[[], bool]], caller: Callable
) -> None:
    seen = caller(full[0], http=HttpOptions(connect_seconds=0.2)).ask()
    assert seen.report.end is StreamEnd.UNREACHABLE
    assert seen.report.detail == "timed out"


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that does not answer; the event says that it was asked."""
    asked, over = threading.Event(), threading.Event()

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        asked.set()
        over.wait(10.0)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    over.set()


def test_a_name_that_is_not_resolved_is_left_at_once(resolver: threading.Event, caller: Callable) -> None:
    call = Cancelled(caller("http://slow.example/v1", http=PATIENT))
    assert resolver.wait(5.0)
    assert call.cancel() < AT_ONCE
    assert call.seen.report.end is StreamEnd.CANCELLED


def test_a_name_that_is_not_resolved_is_unreachable_after_a_while(resolver: threading.Event, caller: Callable) -> None:
    seen = caller("http://slow.example/v1", http=HttpOptions(connect_seconds=0.2)).ask()
    assert seen.report.end is StreamEnd.UNREACHABLE
    assert "slow.example" in seen.report.detail


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that takes connections and reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_a_prompt_that_nobody_reads_is_left_with_the_deadline_or_as_stalled(deaf: str, caller: Callable) -> None:
    large = "x = 1\n" * 2_000_000
    asker = caller(deaf)
    asker.model.warm()
    assert asker.ask(user=large).report.end is StreamEnd.STALLED
    assert asker.ask(user=large, deadline=0.3).report.end is StreamEnd.DEADLINE


def test_a_cancelled_review_sends_nothing(serve: Callable, caller: Callable) -> None:
    server = serve()
    asker = caller(server.url)
    asker.ask()
    stop = asker.stop()
    stop.cancel()
    seen = asker.ask(stop=stop)
    assert (seen.report.end, seen.report.usage.calls) == (StreamEnd.CANCELLED, 0)
    assert len(server.requests) == 1


def test_a_finished_call_is_not_touched_by_a_later_cancel(serve: Callable, caller: Callable) -> None:
    server = serve()
    asker = caller(server.url)
    stop = asker.stop()
    asker.ask(stop=stop)
    stop.cancel()
    assert asker.ask().report.end is StreamEnd.WHOLE


def test_cancelling_from_inside_the_sink_ends_the_call(serve: Callable, caller: Callable, prompt: Callable) -> None:
    asker = caller(serve(script=fixed("word " * 3000)).url)
    stop = asker.stop()
    report = asker.model.stream(prompt(), sink=lambda _text: stop.cancel(), stop=stop)
    assert report.end is StreamEnd.CANCELLED


def test_sixteen_streams_are_cancelled_by_one_word(serve: Callable, caller: Callable, until: Callable) -> None:
    server = serve(script=fixed("word " * 3000))
    asker = caller(server.url, http=PATIENT)
    asker.model.warm()
    stop = asker.stop(10.0)
    ends = []
    threads = [threading.Thread(target=lambda: ends.append(asker.ask(stop=stop).report.end)) for _ in range(16)]
    for thread in threads:
        thread.start()
    until(lambda: len(server.requests) == 16 and all(each.tokens > 5 for each in server.requests))
    began = time.monotonic()
    stop.cancel()
    for thread in threads:
        thread.join(5.0)
    assert time.monotonic() - began < 4 * AT_ONCE
    assert ends == [StreamEnd.CANCELLED] * 16


@pytest.mark.parametrize("part", ["headers", "error body", "page", "plain json"])
def test_an_answer_that_drips_ends_with_the_deadline(raw: Callable, caller: Callable, part: str) -> None:
    starts = {
        "headers": b"HTTP/1.1 200 OK\r\nx-drip: ",
        "error body": b"HTTP/1.1 500 Oops\r\ncontent-length: 10000\r\n\r\n",
        "page": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 10000\r\n\r\n",
        "plain json": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10000\r\n\r\n",
    }

    def drip(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(starts[part])
        gone = threading.Event()
        while not gone.wait(0.05):
            connection.sendall(b".")

    seen = caller(raw(drip).url).ask(deadline=0.5)
    assert seen.report.end is StreamEnd.DEADLINE
    assert seen.seconds < 1.5


class TlsServer:
    """Takes one connection, does TLS (or not, when told to stay silent), and says one token."""

    def __init__(self, context: ssl.SSLContext, *, silent: bool) -> None:
        self._context = context
        self._silent = silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}/v1"
        self.reached = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            if self._silent:
                self.reached.set()
                while connection.recv(4096):
                    pass
                return
            try:
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(
                        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
                        b'data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n'
                    )
                    self.reached.set()
                    while secure.recv(4096):
                        pass
            except OSError:
                self.reached.set()

    def close(self) -> None:
        self._listener.close()
        self._thread.join(5.0)


@pytest.mark.parametrize("silent", [False, True], ids=["in the stream", "in the handshake"])
def test_a_call_over_tls_is_left_at_once(caller: Callable, until: Callable, tls: ssl.SSLContext, silent: bool) -> None:
    server = TlsServer(tls, silent=silent)
    call = Cancelled(caller(server.url, http=PATIENT))
    assert server.reached.wait(5.0)
    until(lambda: silent or call.chars > 0)
    assert call.cancel() < AT_ONCE
    server.close()
    assert call.seen.report.end is StreamEnd.CANCELLED
    assert call.seen.text == ("" if silent else "one")


def test_a_certificate_that_is_not_trusted_is_refused(
    caller: Callable, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    server = TlsServer(tls, silent=False)
    seen = caller(server.url).ask()
    server.close()
    assert seen.report.end is StreamEnd.UNREACHABLE
    assert "certificate" in seen.report.detail
