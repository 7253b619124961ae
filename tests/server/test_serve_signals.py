"""gunicorn as we use it, in a real process with a small station in it: signals, replaced workers, exit codes."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import os, sys, threading, time
from pathlib import Path
from bot.errors import OutsideError, UserError
from bot.server import gunicorn_app, logs

folder = Path(sys.argv[1])
failure = {"user": UserError("no such thing"), "outside": OutsideError("gone"), "bug": ZeroDivisionError()}

class Station:
    def __init__(self):
        self.ended = threading.Event()

    def start(self):
        if len(sys.argv) > 3:
            raise failure[sys.argv[3]]

    def wsgi(self, environment, start):
        start("200 OK", [("Content-Type", "text/plain")])
        if environment["PATH_INFO"] == "/stream":
            return self.stream()
        return [str(os.getpid()).encode()]

    def stream(self):
        yield b"open"
        self.ended.wait()

    def hang_up(self):
        self.ended.set()

    def drain(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and not (folder / "finished").exists():
            time.sleep(0.02)
        (folder / "drained").touch()

    def close(self):
        (folder / "closed").touch()

logs.set_up(logs.Style.TEXT)
listener = gunicorn_app.listen("127.0.0.1", 0)
print(listener.getsockname()[1], flush=True)
sys.exit(gunicorn_app.serve(Station, listener, grace=float(sys.argv[2])))
"""


class Server:
    def __init__(self, folder: Path, grace: float, failure: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), str(grace), *([failure] if failure else [])],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_heed_ctrl_c,  # noqa: PLW1509 - sets one signal, takes no lock
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def get(self, path: str = "/", seconds: float = 20.0) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def send(self, number: signal.Signals) -> float:
        self.process.send_signal(number)
        return time.monotonic()

    def end(self) -> tuple[int, str]:
        _, told = self.process.communicate(timeout=30)
        return self.process.returncode, told.decode()

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(grace: float = 20.0, failure: str = "") -> Server:
        started.append(Server(tmp_path, grace, failure))
        return started[-1]

    yield start
    for server in started:
        with suppress(ProcessLookupError):
            server.process.send_signal(signal.SIGQUIT)
        try:
            server.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.communicate()


@contextmanager
def an_open_stream(server: Server) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.read(4) == b"open"
    yield answer
    connection.close()


def test_a_killed_worker_is_replaced_and_no_request_is_refused(serve):
    server = serve()
    first = server.get()
    pids: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            pids.append(server.get())

    thread = threading.Thread(target=ask)
    # The request in which the worker dies is cut; so it is killed between two.
    os.kill(int(first), signal.SIGKILL)
    thread.start()
    deadline = time.monotonic() + 20
    while len({*pids} - {first, ""}) < 1 and time.monotonic() < deadline:
        thread.join(0.05)
    stop.set()
    thread.join()
    assert {*pids} - {first}
    server.send(signal.SIGTERM)
    server.folder.joinpath("finished").touch()
    code, told = server.end()
    assert code == 0
    assert "SIGKILL" in told


def test_the_first_sigterm_drains_while_requests_are_answered_and_streams_end_at_once(serve):
    server = serve()
    with an_open_stream(server) as stream:
        asked = server.send(signal.SIGTERM)
        assert stream.read() == b""
        assert time.monotonic() - asked < 3
    assert server.get().isdigit()
    assert not server.has("drained")
    server.folder.joinpath("finished").touch()
    code, told = server.end()
    assert (code, server.has("drained"), server.has("closed")) == (0, True, True)
    assert "server.stopping" in told


def test_a_grace_that_is_over_ends_it(serve):
    server = serve(grace=0.2)
    server.get()
    asked = server.send(signal.SIGTERM)
    assert server.end()[0] == 0
    assert time.monotonic() - asked < 5
    assert server.has("drained")


def test_a_second_sigterm_does_not_wait_for_the_drain(serve):
    server = serve(grace=60)
    with an_open_stream(server) as stream:
        server.send(signal.SIGTERM)
        assert stream.read() == b""
    asked = server.send(signal.SIGTERM)
    assert server.end()[0] == 0
    assert time.monotonic() - asked < 5
    assert (server.has("drained"), server.has("closed")) == (False, True)


def test_ctrl_c_ends_in_130_and_reaches_the_worker_through_the_master_alone(serve):
    server = serve()
    os.kill(int(server.get()), signal.SIGINT)
    assert server.get().isdigit()
    server.folder.joinpath("finished").touch()
    server.send(signal.SIGINT)
    assert server.end()[0] == 130
    assert server.has("drained")


@pytest.mark.parametrize(("failure", "code", "word"), [("user", 2, "no such thing"), ("bug", 3, "ZeroDivisionError")])
def test_a_station_that_cannot_start_ends_the_server_with_its_reason(serve, failure, code, word):
    server = serve(failure=failure)
    ended, told = server.end()
    assert ended == code
    last = told.splitlines()[-1]
    assert "server.cannot_start" in last
    assert word in last
    assert "Traceback" not in told


def test_there_is_never_a_second_worker(serve):
    server = serve()
    first = server.get()
    for number in (signal.SIGTTIN, signal.SIGUSR2, signal.SIGTTOU):
        server.send(number)
    server.folder.joinpath("finished").touch()
    assert {server.get() for _ in range(5)} == {first}
    server.send(signal.SIGHUP)
    assert server.end()[0] == 0
