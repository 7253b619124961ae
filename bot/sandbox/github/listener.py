"""A small threaded HTTP/1.1 server for a WSGI application on 127.0.0.1, with keep-alive.

werkzeug's own server closes every connection after one answer, so a client's connection pool could not be measured
against it; this one keeps them open, and can be told to hang up on all of them. For the stand-in alone: it trusts its
clients.
"""

from __future__ import annotations

import contextlib
import io
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes

SOCKET = "spark.socket"
"""The key of the client's socket in the WSGI environment."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "github.com"
    sys_version = ""
    # Headers and body are two writes; with Nagle's algorithm the second would wait for a delayed ACK (40 ms).
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        assert isinstance(self.server, Listener)
        self.server.opened(self.connection)

    def finish(self) -> None:
        assert isinstance(self.server, Listener)
        for stream in (self.wfile, self.rfile):
            with contextlib.suppress(OSError):
                stream.close()
        self.server.closed(self.connection)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Nothing is printed; the request log keeps everything."""

    def _serve(self) -> None:
        assert isinstance(self.server, Listener)
        sent: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
            code, _, reason = status.partition(" ")
            sent.append(code)
            self.send_response_only(int(code), reason)
            self.send_header("Server", self.version_string())
            self.send_header("Date", self.date_time_string())
            for name, value in headers:
                self.send_header(name, value)

        parts = self.server.application(self._environment(), start)
        try:
            chunks = iter(parts)
            first = next(chunks, b"")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(first)
                self.wfile.flush()
                for chunk in chunks:
                    self.wfile.write(chunk)
            self.wfile.flush()
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - the base's names

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) < size:
            # The client is gone, killed perhaps: what it did not send whole it did not ask.
            raise ConnectionAbortedError(f"{len(body)} of {size} bytes of a body")
        return body

    def _environment(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        assert isinstance(self.server, Listener)
        environment: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            SOCKET: self.connection,
        }
        body = self._body()
        environment["wsgi.input"] = io.BytesIO(body)
        environment["CONTENT_LENGTH"] = str(len(body))
        for name, value in self.headers.items():
            key = "HTTP_" + name.upper().replace("-", "_")
            if key not in {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"}:
                environment[key] = value
        return environment


class Listener(ThreadingHTTPServer):
    """Listens from its making on; `serve_forever` answers."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, application: Application) -> None:
        self.application = application
        self._connections: set[socket.socket] = set()
        self._quiet = threading.Condition()
        super().__init__(("127.0.0.1", port), _Handler)

    def opened(self, connection: socket.socket) -> None:
        """A client connected."""
        with self._quiet:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """A connection's thread is done with it."""
        with self._quiet:
            self._connections.discard(connection)
            self._quiet.notify_all()

    def hang_up(self, seconds: float) -> bool:
        """Close every open connection and wait until their threads have let go; False when some did not in time."""
        with self._quiet:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            return self._quiet.wait_for(lambda: not self._connections, timeout=seconds)
