"""For those who operate the server: `/healthz`, `/readyz`, `/metrics`.

The first two are open to everybody and tell nothing but states of their own. Metrics are behind the same access as the
pages: they name no repository, but tell how much is going on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Request, Response, request

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How this process is. Each text is one of a few fixed ones."""

    ill: Sequence[str] = ()
    """Why it should be replaced; empty when it is healthy."""
    not_ready: str = ""
    """Why it should get no deliveries now; empty when it may."""
    notes: Sequence[str] = ()
    """What is not as it should be, but stops nothing."""


def blueprint(
    *, health: Callable[[], Health], metrics: Callable[[], bytes], allowed: Callable[[Request], bool]
) -> Blueprint:
    """The three routes. `metrics` gives Prometheus' text format; `allowed` decides who may see it."""
    routes = Blueprint("ops", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        now = health()
        return _json({"healthy": not now.ill, **({"why": list(now.ill)} if now.ill else {})}, ok=not now.ill)

    @routes.get("/readyz")
    def readyz() -> Response:
        now = health()
        why = now.not_ready or ", ".join(now.ill)
        body: dict[str, object] = {"ready": not why}
        if why:
            body["why"] = why
        if now.notes:
            body["notes"] = list(now.notes)
        return _json(body, ok=not why)

    @routes.get("/metrics")
    def metrics_text() -> Response:
        if not allowed(request):
            told = "Metrics need the page token: send it as Authorization: Bearer TOKEN.\n"
            return Response(told, 401, headers={"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
        return Response(metrics(), content_type=METRICS_TYPE)

    return routes


def _json(body: dict[str, object], *, ok: bool) -> Response:
    headers = {} if ok else {"Retry-After": "2"}
    return Response(json.dumps(body) + "\n", 200 if ok else 503, headers=headers, mimetype="application/json")
