"""The stand-in as a running server: `with GitHubServer() as github:`. Threads, keep-alive, 127.0.0.1 only.

Refuses to listen on any other address.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from flask import Flask, Response, request
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from bot.sandbox.github.call import Route
from bot.sandbox.github.faults import FaultBook
from bot.sandbox.github.gate import CutError, Site, connection, hang_up, serve
from bot.sandbox.github.options import GitHubOptions
from bot.sandbox.github.rates import RateBook
from bot.sandbox.github.routes import ROUTES
from bot.sandbox.github.seen import RequestLog
from bot.sandbox.github.shapes import Urls
from bot.sandbox.github.webhooks import Webhooks
from bot.sandbox.github.world import World

_JOIN_SECONDS = 5.0


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes; with Nagle's algorithm the second would wait for a delayed ACK (40 ms).
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's word
        """Nothing is printed; the request log keeps everything."""

    def setup(self) -> None:
        super().setup()
        assert isinstance(self.server, _Server)
        self.server.opened(self.connection)

    def finish(self) -> None:
        assert isinstance(self.server, _Server)
        self.server.closed(self.connection)
        with contextlib.suppress(OSError):
            super().finish()


class _Server(ThreadedWSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, app: Flask) -> None:
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._quiet = threading.Condition(self._guard)
        super().__init__("127.0.0.1", port, app, _Handler)

    def opened(self, connection: socket.socket) -> None:
        with self._guard:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._quiet:
            self._connections.discard(connection)
            self._quiet.notify_all()

    def hang_up(self, seconds: float) -> None:
        """Close every open connection and wait until their threads have let go."""
        with self._quiet:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._quiet.wait_for(lambda: not self._connections, timeout=seconds)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the stand-in."""


class GitHubServer:
    """A stand-in for GitHub on loopback.

    `latency` (seconds a call) may be set while it runs; `faults.add(Fault(...))` puts a fault in force; `requests` is
    the log of all API calls; `world` is the state, with helpers to fill it.
    """

    def __init__(self, options: GitHubOptions | None = None) -> None:
        self.options = options or GitHubOptions()
        self.faults = FaultBook()
        self.requests = RequestLog()
        self._root: Path | None = None
        self._site: Site | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        self._root = Path(tempfile.mkdtemp(prefix="spark-github-"))
        world = World(self._root, self.options)
        app = Flask("bot.sandbox.github", root_path=str(Path(__file__).parent))
        self._server = _Server(self.options.port, app)
        urls = Urls(web=f"http://127.0.0.1:{self._server.server_port}")
        site = Site(
            world=world,
            urls=urls,
            webhooks=Webhooks(world, urls),
            log=self.requests,
            faults=self.faults,
            rates=RateBook(self.options.rates, self.options.clock),
            latency=self.options.latency,
        )
        self._site = site
        _install(app, site)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="github", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close all connections, end all helper processes and delete the repositories."""
        if self._site is None or self._server is None or self._thread is None or self._root is None:
            return
        self._site.stopping.set()
        self._server.shutdown()
        self._server.hang_up(_JOIN_SECONDS)
        self._server.server_close()
        self._thread.join(_JOIN_SECONDS)
        self._site.webhooks.stop()
        self._site.world.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def site(self) -> Site:
        """The running parts. RuntimeError before the start."""
        if self._site is None:
            raise RuntimeError("the stand-in has not been started")
        return self._site

    @property
    def world(self) -> World:
        """The state."""
        return self.site.world

    @property
    def webhooks(self) -> Webhooks:
        """The deliveries, and where they go."""
        return self.site.webhooks

    @property
    def api_url(self) -> str:
        """For GITHUB_API_URL."""
        return self.site.urls.api

    @property
    def graphql_url(self) -> str:
        """For GITHUB_GRAPHQL_URL."""
        return self.site.urls.graphql

    @property
    def web_url(self) -> str:
        """For GITHUB_SERVER_URL, and for a browser."""
        return self.site.urls.web

    @property
    def latency(self) -> float:
        """Seconds added to every API call."""
        return self.site.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self.site.latency = seconds


def _install(app: Flask, site: Site) -> None:
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    for (method, template), route in ROUTES.items():
        _add(app, site, method, template, route)
    _add_unknown(app, site)

    @app.errorhandler(CutError)
    def cut(_: CutError) -> Response:
        hang_up(connection())
        return Response(status=500)


def _add(app: Flask, site: Site, method: str, template: str, route: Route) -> None:
    shown = _braced(template)

    def view(**args: str | int) -> Response:
        return serve(site, route, shown, request.path.removeprefix("/api/v3"), args)

    endpoint = f"{method} {template}"
    app.add_url_rule(f"/api/v3{template}", endpoint, view, methods=[method], provide_automatic_options=False)


def _add_unknown(app: Flask, site: Site) -> None:
    def unknown(path: str) -> Response:
        return serve(site, None, "", f"/{path}", {})

    app.add_url_rule(
        "/api/v3/<path:path>",
        "unknown",
        unknown,
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        provide_automatic_options=False,
    )


def _braced(template: str) -> str:
    parts = [
        "{" + part[1:-1].rsplit(":", 1)[-1] + "}" if part.startswith("<") else part for part in template.split("/")
    ]
    return "/".join(parts)
