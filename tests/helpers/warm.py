"""Starts `spark` as a process of its own that need not import itself first.

    process = warm.start("review", "--no-model", cwd=folder, env=env)
    out, err = process.communicate(timeout=60)

To import what a command needs takes 0.3 s of a core, what a server needs 0.9 s, and a hundred and fifty tests start one.
So one process for each test process, the nursery, imports it once and forks for each command. The command has its own
process id, environment, folder, standard streams and signals as a program has at its start.

Two things are not as with `python -m bot`: the modules are there already, and nothing that the interpreter itself reads of
the environment (`PYTHONIOENCODING`, `LC_ALL`) counts. A test about those passes `cold=True`, which starts that very command;
it is also what happens where forks are not Linux's.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).parents[2]
PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
_MODULES: Mapping[str, Sequence[str]] = {
    "": ("bot.__main__", "bot.cli.arguments", "bot.cli.review", "bot.cli.output", "bot.cli.terminal", "bot.wiring"),
    "review": ("bot.model.sdk", "bot.model.call", "rich.console", "bot.html.report"),
    "serve": ("bot.cli.serve", "bot.server.station"),
    "setup": ("bot.cli.setup",),
    "demo": ("bot.cli.demo",),
}
"""What is imported for a verb before the first command with it is forked."""
_MESSAGE = 1 << 17
_NUMBER = 16
"""Bytes of a process id and of an exit code: a short command has written both before the first is read."""


class Process:
    """A forked command: the part of `subprocess.Popen` that tests use."""

    def __init__(self, pid: int, status: int, streams: Sequence[IO[Any] | None], *, text: bool) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._text = text
        self.stdin, self.stdout, self.stderr = streams

    def poll(self) -> int | None:
        """Its exit code, once it has ended; minus the signal's number when one ended it."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. subprocess.TimeoutExpired when that takes longer."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("spark", timeout or 0.0)
            told = os.read(self._status, _NUMBER)
            os.close(self._status)
            assert told, "the process that forks the commands is gone"
            self.returncode = int(told)
        return self.returncode

    def communicate(self, stdin: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Hand it its input, read all that it writes, wait for its end. subprocess.TimeoutExpired as in `wait`."""
        end = None if timeout is None else time.monotonic() + timeout
        read: dict[str, Any] = {}

        def reads(name: str, stream: IO[Any]) -> None:
            with stream:
                read[name] = stream.read()

        def writes(stream: IO[Any]) -> None:
            with suppress(BrokenPipeError), stream:
                stream.write(stdin or ("" if self._text else b""))

        works: list[Callable[[], None]] = [
            lambda name=name, stream=stream: reads(name, stream)  # type: ignore[misc]
            for name, stream in (("out", self.stdout), ("err", self.stderr))
            if stream is not None and not stream.closed
        ]
        if self.stdin is not None and not self.stdin.closed:
            given = self.stdin
            works.append(lambda: writes(given))
        threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
            if thread.is_alive():
                raise subprocess.TimeoutExpired("spark", timeout or 0.0)
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        return read.get("out"), read.get("err")

    def send_signal(self, number: int) -> None:
        """Nothing when it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    stdin: IO[Any] | int = PIPE,
    stdout: IO[Any] | int = PIPE,
    stderr: IO[Any] | int = PIPE,
    text: bool = False,
    start_new_session: bool = False,
    cold: bool = False,
) -> Process | subprocess.Popen[Any]:
    """Start `spark` with these arguments. Ctrl-C is heeded, whoever ignores it above."""
    if cold or sys.platform != "linux":
        return subprocess.Popen(
            [sys.executable, "-m", "bot", *arguments],
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=text,
            start_new_session=start_new_session,
            preexec_fn=_heed_ctrl_c,  # noqa: PLW1509 - sets one signal, takes no lock
        )
    with ExitStack() as stack:
        ours: list[IO[Any] | None] = []
        theirs: list[int] = []
        for given, mode in ((stdin, "r"), (stdout, "w"), (stderr, "w")):
            if given == PIPE:
                pair = os.pipe()
                kept, passed = pair[::-1] if mode == "r" else pair
                ours.append(_opened(kept, "w" if mode == "r" else "r", text=text))
                theirs.append(passed)
                stack.callback(os.close, passed)
            elif isinstance(given, int):
                assert given == DEVNULL
                ours.append(None)
                theirs.append(os.open(os.devnull, os.O_RDWR))
                stack.callback(os.close, theirs[-1])
            else:
                ours.append(None)
                theirs.append(given.fileno())
        status, told = os.pipe()
        stack.callback(os.close, told)
        request = {"arguments": arguments, "cwd": str(cwd), "env": dict(env), "session": start_new_session}
        _nursery().send(request, [*theirs, told])
    ready = os.read(status, _NUMBER)
    assert ready, "the process that forks the commands is gone"
    return Process(int(ready), status, ours, text=text)


def _opened(fd: int, mode: str, *, text: bool) -> IO[Any]:
    return os.fdopen(fd, mode, encoding="utf-8") if text else os.fdopen(fd, f"{mode}b")


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class _Nursery:
    """The process that forks, as it is seen from a test."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                stdin=DEVNULL,
            )
        atexit.register(self._close)

    def send(self, request: Mapping[str, Any], fds: Sequence[int]) -> None:
        socket.send_fds(self._line, [json.dumps(request).encode()], fds)

    def _close(self) -> None:
        self._line.close()
        self._process.wait(10)


@cache
def _nursery() -> _Nursery:
    return _Nursery()


# What follows runs in the nursery, and in its children.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Birth:
    """What a child is to become."""

    arguments: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    session: bool
    fds: Sequence[int]
    """Standard input, output, error, and where the process id is written."""


def _nurse(line: socket.socket) -> _Birth | None:
    """Fork for each request, until the test process has gone. Returns in each child, and with None at the end."""
    living: dict[int, tuple[int, int]] = {}
    while True:
        for fd in select.select([line.fileno(), *living], [], [])[0]:
            if fd != line.fileno():
                pid, status = living.pop(fd)
                _, ended = os.waitpid(pid, 0)
                # Nobody reads it when the test has ended before its command.
                with suppress(BrokenPipeError):
                    os.write(status, _record(os.waitstatus_to_exitcode(ended)))
                os.close(status)
                os.close(fd)
                continue
            data, fds, _, _ = socket.recv_fds(line, _MESSAGE, 4)
            if not data:
                return None
            birth = _Birth(**json.loads(data), fds=fds)
            for verb in {"", *birth.arguments} & _MODULES.keys():
                for module in _MODULES[verb]:
                    importlib.import_module(module)
                if verb == "serve":
                    importlib.import_module("bot.server.station").load()
            gc.freeze()
            assert threading.active_count() == 1, "what was imported has started a thread, which no child would have"
            pid = os.fork()
            if pid == 0:
                line.close()
                for each, (_, status) in living.items():
                    os.close(each)
                    os.close(status)
                return birth
            living[os.pidfd_open(pid)] = (pid, fds[3])
            for each in fds[:3]:
                os.close(each)


def _record(number: int) -> bytes:
    return str(number).rjust(_NUMBER).encode()


def _become(birth: _Birth) -> None:
    """Have everything as it is at the start of `python -m bot`."""
    if birth.session:
        os.setsid()
    _heed_ctrl_c()
    for number, fd in enumerate(birth.fds[:3]):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(birth.cwd)
    os.environ.clear()
    os.environ.update(birth.env)
    sys.argv = ["spark", *birth.arguments]
    now = bool(birth.env.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(open(1, "wb", closefd=False), "utf-8", write_through=now)  # type: ignore[misc] # noqa: SIM115
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(  # type: ignore[misc]
        open(2, "wb", closefd=False),  # noqa: SIM115
        "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
    os.write(birth.fds[3], _record(os.getpid()))
    os.close(birth.fds[3])


def _run() -> int:
    """The command, and what Python does at its end. Its last step, to forget every module, would take longer than most commands."""
    from bot.__main__ import main

    code = main()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return 120
    return code


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as _line:
        _birth = _nurse(_line)
    if _birth is not None:
        _become(_birth)
        os._exit(_run())
