"""gunicorn's threaded worker, made safe from slow and silent strangers: what comes slowly holds no thread for long.

As it comes, a head or a body that never ends keeps its thread for ever, and closing a connection whose other side stays open
holds up the main loop for two seconds, with everybody in it. Here a connection gets a thread when it has said something, a
head and a body each have to come in within seconds, and farewells are waited for by the poller. Refuses to limit how many
connections one address has: that is for a proxy in front, which sees the addresses.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

FIRST_SECONDS: Final = 10.0
"""In which a new connection has to say something."""
HEAD_SECONDS: Final = 5.0
"""For a whole head, which fits into a packet or two."""
BODY_SECONDS: Final = 8.0
"""For a whole body: GitHub gives a delivery up after 10 s (docs: handling webhook deliveries)."""
SEND_SECONDS: Final = 30.0
"""For one piece of an answer. Live pages send small ones; who cannot take them comes back and resumes."""
_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 65_536
_LOOK_SECONDS: Final = 0.5
_PASSING: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED})

Wsgi = Callable[..., Any]


class _Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection whose farewell is the worker's affair."""

    def __init__(self, worker: PatientWorker, sock: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, sock, address, server)
        self.left = _LINGER_BYTES
        self._linger = worker.linger

    def close(self, graceful: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's signature
        """At once; or, `graceful`, when the other side has closed or was waited for."""
        if graceful:
            self._linger(self)
        else:
            super().close()


class _Watch:
    """Sockets that threads are reading from, and until when."""

    def __init__(self) -> None:
        self._due: dict[socket.socket, float] = {}
        self._next = 0.0

    @contextmanager
    def until(self, sock: socket.socket, due: float) -> Iterator[None]:
        """What is read in the `with` ends at `due`, as if the other side had closed."""
        self._due[sock] = due
        try:
            yield
        finally:
            self.done(sock)

    def done(self, sock: socket.socket) -> None:
        """Nothing is read any more."""
        self._due.pop(sock, None)

    def look(self) -> None:
        """End what is overdue. Called often."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _LOOK_SECONDS
        for sock, due in list(self._due.items()):
            if now > due:
                # For reading alone: the answer that says so can still be sent.
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RD)


class _Body:
    """A body, `wsgi.input`, that has to come in until a certain moment. Malformed chunks are an OSError, as applications
    expect of a body that breaks off.
    """

    def __init__(self, body: Any, sock: socket.socket, watch: _Watch) -> None:
        self._body = body
        self._watched = partial(watch.until, sock, time.monotonic() + BODY_SECONDS)

    def read(self, size: int | None = None) -> bytes:
        return bytes(self._do(self._body.read, size))

    def readline(self, size: int | None = None) -> bytes:
        return bytes(self._do(self._body.readline, size))

    def readlines(self, size: int | None = None) -> list[bytes]:
        return list(self._do(self._body.readlines, size))

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _do(self, read: Callable[[int | None], Any], size: int | None) -> Any:
        with self._watched():
            try:
                return read(size)
            except ParseException as error:
                raise OSError(errno.EBADMSG, "the body is malformed") from error


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Use it as `worker_class`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = _Watch()
        self._lingering: deque[_Connection] = deque()

    def load_wsgi(self) -> None:
        """The application, below bodies that are watched."""
        super().load_wsgi()
        self.wsgi: Wsgi = partial(self._answer, self.wsgi)

    def _answer(self, application: Wsgi, environ: dict[str, Any], start_response: Wsgi) -> Any:
        environ["wsgi.input"] = _Body(environ["wsgi.input"], environ["gunicorn.socket"], self._watch)
        return application(environ, start_response)

    def accept(self, listener: socket.socket) -> None:
        """Take a connection; it gets a thread when it has said something."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in _PASSING:
                return
            raise
        self.nr_conns += 1
        conn = _Connection(self, sock, address, listener.getsockname())
        conn.timeout = time.monotonic() + FIRST_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: _Connection) -> Any:
        """Read a request and answer it, in a thread."""
        with self._watch.until(conn.sock, time.monotonic() + HEAD_SECONDS):
            return super().handle(conn)

    def handle_request(self, req: Any, conn: _Connection) -> Any:
        """Answer a request whose head is there."""
        self._watch.done(conn.sock)
        conn.sock.settimeout(SEND_SECONDS)
        try:
            return super().handle_request(req, conn)
        except TimeoutError as error:
            # Nobody's fault here, and gunicorn logs what it does not know with a trace.
            raise ConnectionResetError(errno.ECONNRESET, "the other side does not read") from error

    def notify(self) -> None:
        """Called by the main loop again and again: the master is told that it turns."""
        super().notify()
        self._watch.look()

    def murder_pending(self) -> None:
        """Close what has said nothing for too long, sooner when the worker ends, and what was waited for in vain."""
        now = time.monotonic()
        sooner = 0.0 if self.alive else FIRST_SECONDS - STOP_KEEPALIVE_LINGER
        while self.pending_conns and self.pending_conns[0].timeout - sooner <= now:
            self._forget(self.pending_conns.popleft())
        while self._lingering and self._lingering[0].timeout <= now:
            self._forget(self._lingering.popleft())

    def linger(self, conn: _Connection) -> None:
        """Close when the other side has closed: one that still sends would lose the end of our answer (RFC 9112, 9.6)."""
        try:
            conn.sock.setblocking(False)  # noqa: FBT003 - a positional of the socket's
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            conn.close()
            return
        self.nr_conns += 1
        conn.timeout = time.monotonic() + _LINGER_SECONDS
        self._lingering.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._swallow, conn))

    def _swallow(self, conn: _Connection, sock: socket.socket) -> None:
        try:
            data = sock.recv(_LINGER_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        conn.left -= len(data)
        if not data or conn.left <= 0:
            self._lingering.remove(conn)
            self._forget(conn)

    def _forget(self, conn: _Connection) -> None:
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
