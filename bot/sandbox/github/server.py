"""The stand-in as a running server: `with GitHubServer() as github:`. Threads, keep-alive, 127.0.0.1 only.

Refuses to listen on any other address.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map

from bot.sandbox.github import control, web, web_apps, web_checks
from bot.sandbox.github.call import Route
from bot.sandbox.github.faults import FaultBook
from bot.sandbox.github.gate import CutError, Site, connection, hang_up, serve
from bot.sandbox.github.listener import Application, Listener
from bot.sandbox.github.options import GitHubOptions
from bot.sandbox.github.rates import RateBook
from bot.sandbox.github.routes import GRAPHQL, ROUTES
from bot.sandbox.github.seen import RequestLog
from bot.sandbox.github.shapes import Urls
from bot.sandbox.github.webhooks import Webhooks
from bot.sandbox.github.world import World

_JOIN_SECONDS = 5.0
_POLL_SECONDS = 0.01
"""How often a server looks whether it shall stop."""


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
        self._server: Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        self._root = Path(tempfile.mkdtemp(prefix="spark-github-"))
        world = World(self._root, self.options)
        app = _App(_rules(control=self.options.control))
        self._server = Listener(self.options.port, _ByNumber(app.wsgi_app, world))
        urls = Urls(web=f"http://127.0.0.1:{self._server.server_port}")
        self._site = _site(world, urls, log=self.requests, faults=self.faults)
        _install(app, self._site)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="github", daemon=True
        )
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
    def stopped(self) -> bool:
        """Whether it has run and runs no more."""
        return self._site is not None and self._site.stopping.is_set()

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


class _App(Flask):
    """An application on rules that have been compiled already, if there are any: that takes most of a start."""

    def __init__(self, rules: Map | None) -> None:
        self._compiled = False
        super().__init__("bot.sandbox.github", root_path=str(Path(__file__).parent), static_folder=None)
        if rules is not None:
            self._compiled = True
            self.url_map = rules

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        *rest: Any,
        **options: Any,
    ) -> None:
        """Where the rules are there already, the function alone is new."""
        if not self._compiled:
            super().add_url_rule(rule, endpoint, view_func, *rest, **options)
            return
        assert view_func is not None
        self.view_functions[endpoint or view_func.__name__] = view_func


@cache
def _rules(*, control: bool) -> Map:
    """The rules of every page and operation; they are the same for each stand-in of a process."""
    world = World(Path(os.devnull), GitHubOptions(control=control, webhook_workers=0))
    app = _App(None)
    _install(app, _site(world, Urls(web="")))
    return app.url_map


def _site(world: World, urls: Urls, *, log: RequestLog | None = None, faults: FaultBook | None = None) -> Site:
    options = world.options
    return Site(
        world=world,
        urls=urls,
        webhooks=Webhooks(world, urls),
        log=log if log is not None else RequestLog(),
        faults=faults if faults is not None else FaultBook(),
        rates=RateBook(options.rates, options.clock),
        latency=options.latency,
    )


class _ByNumber:
    """Lets `/repositories/<id>/…`, which GitHub's links to further pages use, mean `/repos/<owner>/<name>/…`."""

    _PATH = re.compile(r"/api/v3/repositories/(\d+)(?=/|\Z)")

    def __init__(self, inner: Application, world: World) -> None:
        self._inner = inner
        self._world = world

    def __call__(self, environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        found = self._PATH.match(environment["PATH_INFO"])
        if found is not None:
            with self._world.lock:
                repo = next((each for each in self._world.repos.values() if each.id == int(found[1])), None)
            if repo is not None:
                rest = environment["PATH_INFO"][found.end() :]
                environment["PATH_INFO"] = f"/api/v3/repos/{repo.full_name}{rest}"
        return self._inner(environment, start)


def _install(app: Flask, site: Site) -> None:
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    for pages in (web, web_checks, web_apps):
        pages.install(app, site)
    if site.world.options.control:
        control.install(app, site)
    for (method, template), route in ROUTES.items():
        _add(app, site, method, template, route)
    app.add_url_rule(
        "/api/graphql",
        "graphql",
        lambda: serve(site, GRAPHQL, "/graphql", "/graphql", {}),
        methods=["POST"],
        provide_automatic_options=False,
    )

    @app.errorhandler(NotFound)
    @app.errorhandler(MethodNotAllowed)
    def unknown(error: HTTPException) -> Response:
        """GitHub answers an unknown operation with 404 and JSON, whatever the method."""
        if not request.path.startswith("/api/"):
            return Response(error.get_body(), status=error.code, content_type="text/html; charset=utf-8")
        return serve(site, None, "", request.path.removeprefix("/api/v3"), {})

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


def _braced(template: str) -> str:
    parts = [
        "{" + part[1:-1].rsplit(":", 1)[-1] + "}" if part.startswith("<") else part for part in template.split("/")
    ]
    return "/".join(parts)
