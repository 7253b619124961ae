"""The station: everything that one process runs, built from the settings, started and stopped in the right order.

Up: the database and the engine, then the clients that a review needs, then the door opens; GitHub is asked who the App is
beside all that, and its silence stops nothing. Down: the door first, live pages, the jobs that run, then everything else.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import json
import os
import signal
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, Response, request

from bot import log
from bot.engine.database import DatabaseAwayError
from bot.server import door, ops, pages, preflight, setup
from bot.server.access import Access
from bot.server.app import create_app
from bot.server.metrics import Metrics
from bot.server.ops import Health
from bot.server.works import Works
from bot.settings import Settings

DOOR_WAITS: Final = 8.0
"""Seconds that a delivery waits for a server that is starting; GitHub waits 10 for its answer."""
_LATE: Final = ("bot.github.wire", "bot.model.call", "bot.model.sdk", "bot.model.wire")
"""What elsewhere is loaded late: the libraries of GitHub and of the endpoint."""
_NO_APP: Final = "no GitHub App is set: open /setup"
_NO_APP_REMEDY: Final = "Open /setup in a browser, or run spark setup, and deliver this again."


class Phase(StrEnum):
    """Where the station is in its life. The texts are what `/readyz` says."""

    STARTING = "starting"
    OPEN = "open"
    STOPPING = "stopping"


class Station:
    """One for a process. `wsgi` answers from the start; what it answers is told by the phase."""

    def __init__(self, settings: Settings, *, host: str, url: str, settings_file: Path) -> None:
        """Opens nothing. `url` is where it listens itself. ConfigError for what the settings get wrong."""
        preflight.check(settings)
        self.metrics = Metrics()
        self.access = Access(
            page_token=settings.page_token,
            secret_key=_session_key(settings),
            bound_to_loopback=preflight.is_private(settings, host),
            secure=(settings.public_url or "").startswith("https://"),
        )
        self._page_token = settings.page_token
        self._phase = Phase.STARTING
        self._opened = threading.Event()
        self._closing = threading.Lock()
        self._closed = False
        self.works = Works(settings, url=url, metrics=self.metrics) if settings.app_id else None
        self.wsgi: Flask = create_app(
            self._blueprints(settings, settings_file),
            acknowledged=self.metrics.acknowledged,
            failed=self.metrics.failed,
        )

    def _blueprints(self, settings: Settings, settings_file: Path) -> list[Blueprint]:
        always = [
            self.access.blueprint(),
            ops.blueprint(health=self.health, metrics=self.metrics_text, allowed=self.access.allowed),
        ]
        works = self.works
        if works is None:
            return [
                *always,
                _closed_door(self.metrics.seen),
                setup.blueprint(
                    settings_file=settings_file,
                    settings=settings,
                    refuse=self.access.refuse,
                    on_written=_be_replaced,
                    restart="This server reads the file by itself: it acts as the App in a second or two.",
                ),
            ]
        return [
            *always,
            door.blueprint(
                intake=works.engine,
                secrets=settings.webhook_secrets,
                rules=works.rules,
                seen=self.metrics.seen,
                is_open=self.is_open,
            ),
            pages.blueprint(
                history=works.engine.history,
                events=works.live,
                access=self.access,
                github_url=settings.github_server_url,
            ),
        ]

    def start(self) -> None:
        """Start everything; returns when the door is open. SparkError when that cannot be."""
        if self.works is not None:
            self.works.start()
            self._warm()
        with self._closing:
            if self._phase is Phase.STARTING:
                self._phase = Phase.OPEN
        self._opened.set()
        log.info("server.ready", app=self.works is not None)

    def is_open(self) -> bool:
        """Whether deliveries are taken. While the server starts this waits for it, as long as GitHub would."""
        self._opened.wait(DOOR_WAITS)
        return self._phase is Phase.OPEN

    def health(self) -> Health:
        """For `/healthz` and `/readyz`."""
        not_ready = "" if self._phase is Phase.OPEN else self._phase.value
        if self.works is None:
            return Health(not_ready=not_ready, notes=[_NO_APP])
        ill = self.works.ill() if self._phase is Phase.OPEN else []
        return Health(ill=ill, not_ready=not_ready, notes=self.works.notes())

    def metrics_text(self) -> bytes:
        """For `/metrics`."""
        if self.works is not None and self._opened.is_set():
            try:
                self.metrics.spent_today(self.works.engine.spending.spent_today())
            except DatabaseAwayError:
                self.metrics.spent_today_is_unknown()
        return self.metrics.text()

    def hang_up(self) -> None:
        """Take no more deliveries and end the live pages. Returns at once; may be called again."""
        self._phase = Phase.STOPPING
        self._opened.set()
        if self.works is not None:
            self.works.hang_up()

    def drain(self, seconds: float) -> None:
        """Let running jobs finish for so long, then park them."""
        self.hang_up()
        if self.works is not None:
            self.works.drain(seconds)

    def close(self) -> None:
        """Park what still runs, and close everything. May be called again."""
        self.hang_up()
        with self._closing:
            closed, self._closed = self._closed, True
        if closed:
            return
        if self.works is not None:
            self.works.close()
        log.info("server.stopped")

    def _warm(self) -> None:
        """Go the ways of the first requests, so that they are as quick as all others."""
        client = self.wsgi.test_client()
        headers = {"Authorization": f"Bearer {self._page_token}"} if self._page_token else {}
        for path in ("/healthz", "/", "/metrics"):
            client.get(path, headers=headers)


def load() -> None:
    """Load what is loaded when first used, so that no request waits for it. Starts nothing: it is done before the fork."""
    for module in _LATE:
        importlib.import_module(module)


def _closed_door(seen: Callable[[str, str], None]) -> Blueprint:
    """In the door's place while there is no App."""
    routes = Blueprint("closed_door", __name__)

    @routes.post("/webhook")
    def webhook() -> Response:
        delivery = door.delivery_id(request)
        told = f"This server has no GitHub App yet. {_NO_APP_REMEDY}"
        # Nobody's signature was looked at, so what the event is called may be invented.
        seen("unknown", "closed")
        log.warning("delivery.closed", delivery=delivery, status=503)
        body = json.dumps({"delivery": delivery, "error": told}) + "\n"
        return Response(body, 503, headers={"Retry-After": "60"}, mimetype="application/json")

    @routes.get("/")
    def home() -> Response:
        # Who may not see the set-up is told so there.
        return Response(status=303, headers={"Location": "/setup"})

    return routes


def _be_replaced() -> None:
    """Ask for a new worker: it reads the settings file that was just written."""
    log.info("server.app_set")
    os.kill(os.getpid(), signal.SIGTERM)


def _session_key(settings: Settings) -> bytes:
    """Signs the sessions of the pages: the same in every process and after a restart, and nothing else's key."""
    source = settings.page_token or settings.webhook_secrets[0]
    return hmac.new(source.encode(), b"spark: sessions of the pages", hashlib.sha256).digest()
