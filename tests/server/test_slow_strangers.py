"""Strangers who are slow or silent hold no thread for long, in a real worker with four threads and little patience."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THREADS = 4
PATIENCE = 0.5

PROGRAM = f"""
import threading
from bot.server import gunicorn_app, logs, patient_worker

gunicorn_app.THREADS = {THREADS}
patient_worker._LOOK_SECONDS = 0.05
for name in ("FIRST_SECONDS", "HEAD_SECONDS", "BODY_SECONDS", "SEND_SECONDS"):
    setattr(patient_worker, name, {PATIENCE})

class Station:
    def start(self): pass
    def hang_up(self): pass
    def drain(self, seconds): pass
    def close(self): pass

    def wsgi(self, environment, start):
        if environment["PATH_INFO"] == "/large":
            start("200 OK", [])
            return [b"x" * 1_000_000 for _ in range(30)]
        try:
            body = environment["wsgi.input"].read(1000) if environment["REQUEST_METHOD"] == "POST" else b""
        except OSError as error:
            body = str(error).encode()
        start("200 OK", [("Content-Type", "text/plain")])
        return [f"{{environment['SCRIPT_NAME']}} {{environment['PATH_INFO']}} {{len(body)}}".encode()]

logs.set_up(logs.Style.TEXT)
listener = gunicorn_app.listen("127.0.0.1", 0)
print(listener.getsockname()[1], flush=True)
raise SystemExit(gunicorn_app.serve(Station, listener, grace=1.0))
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with (tmp_path_factory.mktemp("slow") / "log").open("w+") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
            process.terminate()
            assert process.wait(20) == 0
            told.seek(0)
            assert "Traceback" not in told.read()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=20)


def ask(port: int, path: str = "/", **headers: str) -> tuple[str, float]:
    """The answer's text, and how long it took."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().read().decode(), time.monotonic() - began
    finally:
        connection.close()


@contextmanager
def strangers(port: int, number: int, said: bytes) -> Iterator[list[socket.socket]]:
    """Connections that have said this and stay open."""
    with ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)) for _ in range(number)]
        for each in made:
            each.sendall(said)
        yield made


def test_connections_that_say_nothing_take_no_thread_and_are_closed(port: int) -> None:
    with strangers(port, 5 * THREADS, b"") as silent:
        assert ask(port)[1] < PATIENCE
        assert silent[0].recv(1) == b""


@pytest.mark.parametrize(
    "said", [b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"]
)
def test_requests_that_never_end_give_their_threads_back(port: int, said: bytes) -> None:
    with strangers(port, 2 * THREADS, said):
        assert ask(port)[1] < 10 * PATIENCE


def test_a_body_that_comes_byte_by_byte_is_ended_in_time(port: int) -> None:
    with strangers(port, 1, b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n") as [
        slow
    ]:
        slow.settimeout(0.02)
        answer, deadline = b"", time.monotonic() + 10 * PATIENCE
        while not answer and time.monotonic() < deadline:
            slow.sendall(b"a")
            with suppress(TimeoutError):
                answer = slow.recv(1000)
    assert answer.startswith(b"HTTP/1.1 200")


def test_connections_that_are_not_closed_from_the_other_side_hold_up_nobody(port: int) -> None:
    with strangers(port, 5 * THREADS, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") as left:
        assert left[-1].recv(12) == b"HTTP/1.1 200"
        # Each of them would have held the main loop for two seconds.
        assert ask(port)[1] < 1.0


def test_answers_that_nobody_reads_give_their_threads_back(port: int) -> None:
    with strangers(port, 2 * THREADS, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"):
        assert ask(port)[1] < 10 * PATIENCE


@pytest.mark.parametrize("body", [b"zz\r\n", b"2;" + b"x" * 100_000, b"0\r\n" + b"a: b\r\n" * 100_000])
def test_malformed_chunks_are_an_error_that_applications_know(port: int, body: bytes) -> None:
    head = b"POST /chunks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with strangers(port, 1, head + body) as [sender]:
        answer = b"".join(iter(lambda: sender.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b" /chunks 32\r\n" in answer


def test_headers_do_not_say_what_the_path_is(port: int) -> None:
    assert ask(port, "/here", SCRIPT_NAME="/mounted", PATH_INFO="/there")[0] == " /here 0"
