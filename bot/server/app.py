"""The Flask application: blueprints put together, and what holds for every answer of theirs.

Headers that keep a browser strict stand in every answer; a page that needs more says so itself. An error is one line, or
JSON where a machine asks; it shows nothing of the program.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from bot import log

MOST_BYTES: Final = 64 * 1024
"""Of a request's body. The door, which takes 25 MB, says so itself."""
MACHINES: Final = ("/webhook", "/healthz", "/readyz")
"""Paths that answer in JSON, errors too."""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""Unless the answer has its own."""
_TELLS: Final = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "That is too much.",
    500: "Something is broken here. The server's log has the reason under this number",
}


def create_app(
    blueprints: Sequence[Blueprint], *, acknowledged: Callable[[float], None], failed: Callable[[str], None]
) -> Flask:
    """The application of these blueprints.

    `acknowledged` is told how many seconds each delivery took to answer, `failed` the class of each error nobody caught.
    """
    app = Flask("spark", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    for blueprint in blueprints:
        app.register_blueprint(blueprint)

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        if request.path == "/webhook" and request.method == "POST":
            acknowledged(time.monotonic() - g.began)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        status = error.code or 500
        response = _told(status, _TELLS.get(status) or error.name)
        for name, value in error.get_headers():
            if name in {"Allow", "Retry-After", "WWW-Authenticate", "Location"}:
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Response:
        number = secrets.token_hex(4)
        failed(type(error).__name__)
        # The path alone: a query may have a token in it.
        log.error("request.failed", exc=error, number=number, method=request.method, path=request.path)
        return _told(500, f"{_TELLS[500]}: {number}")

    return app


def _told(status: int, text: str) -> Response:
    wants_json = request.path.startswith(MACHINES) or (
        request.accept_mimetypes.best_match(("text/plain", "application/json")) == "application/json"
    )
    if wants_json:
        return Response(json.dumps({"error": text}) + "\n", status, mimetype="application/json")
    return Response(f"{status}: {text}\n", status, mimetype="text/plain")
