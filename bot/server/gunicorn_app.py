"""gunicorn as a library: one master that keeps the socket, one worker that does everything else.

The master loads the modules and starts nothing; the worker starts the engine after the fork. A worker that dies is
replaced, and deliveries wait in the socket meanwhile. SIGTERM asks the worker to finish its jobs first: the server goes on
answering (with 503 for deliveries) until that is done or the grace is over. Refuses gunicorn's signals that would make a
second worker: two engines in one place gain nothing.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn, Protocol

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from bot import log
from bot.errors import SparkError, UserError
from bot.server.patient_worker import PatientWorker

THREADS: Final = 200
"""Live pages hold one each (at most 120); with few threads they starve the door."""
CONNECTIONS: Final = 1000
KEEPALIVE: Final = 75
"""Seconds: longer than the idle time of most proxies, so that none reuses a connection we just closed."""
BACKLOG: Final = 2048
"""Connections that wait while a worker is replaced."""
LAST_SECONDS: Final = 8
"""What open requests have after the drain, before the worker is killed."""
_SILENT_SECONDS: Final = 60
"""A worker whose main loop stands still for so long is killed and replaced."""
_MARGIN: Final = 5.0
"""Seconds beyond the grace in which a worker should have parked its jobs."""
_OBJECTS: Final = 20_000
"""That may come before the interpreter looks for some that can go. A review of 60 files makes about as many; with the default
of 700 it was searched for them 34 times, also while its requests were sent.
"""
_INTERRUPTED: Final = 130

_HALT_OURS: Final = Arbiter.WORKER_BOOT_ERROR
"""Exit code of a worker that tells the master to give up: the outside world's fault, or ours."""
_HALT_USER: Final = Arbiter.APP_LOAD_ERROR
"""The same: the user can mend it."""


class Station(Protocol):
    """What runs in the worker."""

    @property
    def wsgi(self) -> Callable[..., Any]:
        """The application that answers requests."""
        ...

    def start(self) -> None:
        """Start everything; returns when it is ready. SparkError when it cannot be."""
        ...

    def hang_up(self) -> None:
        """Take nothing new and end the live streams. Returns at once; may be called again."""
        ...

    def drain(self, seconds: float) -> None:
        """Let running jobs finish for so long, then park them."""
        ...

    def close(self) -> None:
        """Park what still runs and close everything. May be called again."""
        ...


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. UserError when the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UserError(f"--host {host} is no address of this machine ({error.strerror})") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UserError(
            f"{host} port {port} cannot be listened on ({error.strerror})",
            remedy="Choose another one with --port, or stop what has it.",
        ) from error
    return listener


def serve(make: Callable[[], Station], listener: socket.socket, *, grace: float) -> int:
    """Serve until a signal ends it; returns the exit code. `make` builds the station, in each worker anew.

    Returns 2 or 3 when a worker could not start (its log has the reason), 130 after Ctrl-C.
    """
    master = _Master(_Application(make, listener, grace))
    own = os.getpid()
    # What is loaded stays: the collector need not look at it, and so does not copy the pages that worker and master share.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
    code: int | str | None = 0
    try:
        master.run()
    except SystemExit as leaving:
        code = leaving.code
    if os.getpid() != own:
        # A worker that could not start: its code tells the master why, and nothing of the master's must run here.
        _leave(code if isinstance(code, int) else _HALT_OURS)
    if code == _HALT_USER:
        return UserError.exit_code
    if code:
        return SparkError.exit_code
    return _INTERRUPTED if master.interrupted else 0


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Our settings of gunicorn, and the station of this worker."""

    def __init__(self, make: Callable[[], Station], listener: socket.socket, grace: float) -> None:
        self.grace = grace
        self.station: Station | None = None
        self._make = make
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        """The settings, for a worker with some 100 live pages and bursts of deliveries."""
        shared_memory = Path("/dev/shm")  # noqa: S108 - a folder in memory, for the worker's heartbeat alone
        chosen = {
            "bind": f"fd://{os.dup(self._listener.fileno())}",
            "worker_class": _Worker,
            "workers": 1,
            "threads": THREADS,
            "worker_connections": CONNECTIONS,
            "backlog": BACKLOG,
            "keepalive": KEEPALIVE,
            "timeout": _SILENT_SECONDS,
            "graceful_timeout": LAST_SECONDS,
            "preload_app": False,
            "limit_request_line": 4094,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            # A proxy on this machine passes on what strangers send; nobody but us says what the path is.
            "forwarder_headers": "",
            "worker_tmp_dir": str(shared_memory) if os.access(shared_memory, os.W_OK) else None,
            "control_socket_disable": True,
            "accesslog": None,
            "logger_class": _Log,
            "loglevel": "warning",
            "proc_name": "spark",
            "post_worker_init": _start,
            "worker_exit": _end,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """The application of this worker."""
        try:
            self.station = self._make()
        except Exception as error:  # noqa: BLE001 - the outermost frame of a worker that begins: gunicorn would print it
            _give_up(error)
        return self.station.wsgi


class _Log(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own words go where all log events go."""

    def setup(self, cfg: Any) -> None:
        """No handlers of its own."""
        super().setup(cfg)
        self.error_log.propagate = True

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Without its last words after a start that failed: the worker has told the reason, and they would hide it."""
        told = str(msg)
        gave_up = told.startswith("Worker (pid:%s) exited with code") and args[-1] in {_HALT_OURS, _HALT_USER}
        if not gave_up and not told.startswith(("Shutting down: ", "Reason: ")):
            super().error(msg, *args, **kwargs)

    def _set_handler(self, *_: Any, **__: Any) -> None:
        """Nothing: the root logger has the handler."""


class _Worker(PatientWorker):
    """A worker that finishes its jobs on SIGUSR2, and leaves Ctrl-C and a closed terminal to the master."""

    def init_signals(self) -> None:
        """As gunicorn's, with ours."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, self._handle_drain)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End soon: a live stream must not hold the worker."""
        # A handler takes no locks; the main loop does it.
        self.method_queue.defer(self.app.station.hang_up)
        super().handle_exit(sig, frame)

    def _handle_drain(self, _signal: int, _frame: FrameType | None) -> None:
        self.method_queue.defer(self._begin_drain)

    def _begin_drain(self) -> None:
        self.app.station.hang_up()
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _drain(self) -> None:
        try:
            self.app.station.drain(self.app.grace)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)


def _start(worker: Any) -> None:
    """Start the station beside the worker's loop, so that its state can be asked for meanwhile."""
    threading.Thread(target=_start_station, args=(worker.app.station,), name="start", daemon=True).start()


def _start_station(station: Station) -> None:
    try:
        station.start()
    except BaseException as error:  # noqa: BLE001 - the outermost frame of this thread: a server that is half up helps nobody
        _give_up(error)


def _end(_master: Any, worker: Any) -> None:
    """The last thing that a worker does. Threads that wait for the network must not keep it from ending."""
    if worker.app.station is not None:
        worker.app.station.close()
    if worker.booted:
        _leave(0)


def _give_up(error: BaseException) -> NoReturn:
    """End this worker, and the master with it."""
    if isinstance(error, SparkError):
        log.error("server.cannot_start", reason=str(error))
    else:
        log.error("server.cannot_start", exc=error)
    _leave(_HALT_USER if isinstance(error, UserError) else _HALT_OURS)


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


class _Master(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """Ends in two steps: the first signal drains, the second does not wait."""

    def __init__(self, app: _Application) -> None:
        self.interrupted = False
        self._grace = app.grace
        self._until: float | None = None
        super().__init__(app)

    def handle_term(self) -> None:
        """Drain; the second time, end."""
        if self._until is not None or not self.WORKERS:
            raise StopIteration
        self._until = time.monotonic() + self._grace + _MARGIN
        log.info("server.stopping", grace=self._grace)
        self.kill_workers(signal.SIGUSR2)

    def handle_int(self) -> None:
        """Ctrl-C."""
        self.interrupted = True
        self.handle_term()

    def handle_hup(self) -> None:
        """The terminal was closed."""
        self.handle_term()

    def handle_ttin(self) -> None:
        """Nothing: there is one worker."""

    def handle_ttou(self) -> None:
        """Nothing: there is one worker."""

    def handle_usr2(self) -> None:
        """Nothing: a new version is started as a new process."""

    def manage_workers(self) -> None:
        """Replace a worker that died; while draining, end with it."""
        if self._until is None:
            super().manage_workers()
        elif not self.WORKERS or time.monotonic() > self._until:
            raise StopIteration
