"""The set-up's pages alone, on loopback, for `spark setup`: there until the settings file is written.

Refuses everybody who has not the key of the address that was printed (other users of this machine reach its loopback,
too), and every host name but this machine's own, so that no page on the web can talk to it.
"""

from __future__ import annotations

import contextlib
import hmac
import io
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from flask import Flask, Response, request
from werkzeug.serving import WSGIRequestHandler, make_server

from bot.errors import UserError
from bot.github import manifest as github
from bot.server import setup
from bot.server.setup_flow import Convert
from bot.settings import Settings

HOST: Final = "127.0.0.1"
COOKIE: Final = "spark_setup_key"
_POLL: Final = 0.05
"""Seconds between two looks whether to end."""


class SetUpServer:
    """Use it in a `with`: from there on the pages are served, by threads of their own."""

    def __init__(
        self,
        *,
        settings_file: Path,
        settings: Settings,
        env: Mapping[str, str],
        port: int = 0,
        convert: Convert = github.convert,
    ) -> None:
        """`port` 0 takes a free one. UserError when the port is taken."""
        self._key = secrets.token_urlsafe(16)
        self._written = threading.Event()
        app = Flask("spark-setup", static_folder=None)
        pages = setup.blueprint(
            settings_file=settings_file,
            settings=settings,
            refuse=self._refuse,
            env=env,
            convert=convert,
            on_written=self._written.set,
        )
        app.register_blueprint(pages)
        try:
            # werkzeug explains a taken port on standard error, in two lines, and leaves.
            with contextlib.redirect_stderr(io.StringIO()):
                self._server = make_server(HOST, port, app, threaded=True, request_handler=_Quiet)
        except (OSError, SystemExit) as error:
            raise UserError(f"Port {port} of {HOST} cannot be used", remedy="Give another --port.") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="setup-pages", daemon=True
        )

    @property
    def url(self) -> str:
        """Where to begin. It has the key in it."""
        return f"http://{HOST}:{self._server.server_port}/setup?key={self._key}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self, seconds: float | None = None) -> bool:
        """Until the file is written and the last page has gone out. False when `seconds` were over before."""
        return self._written.wait(seconds)

    def _refuse(self) -> Response | None:
        port = self._server.server_port
        if request.host not in {f"{HOST}:{port}", f"localhost:{port}"}:
            return Response("This address is not one of this machine.\n", 421, mimetype="text/plain")
        if self._is_key(request.cookies.get(COOKIE, "")):
            return None
        if request.method == "GET" and self._is_key(request.args.get("key", "")):
            # Out of the address bar and of the history.
            answer = Response(status=303, headers={"Location": "/setup"})
            answer.set_cookie(COOKIE, self._key, httponly=True, samesite="Lax", path="/setup")
            return answer
        return Response("Use the address that spark setup has printed.\n", 403, mimetype="text/plain")

    def _is_key(self, told: str) -> bool:
        return hmac.compare_digest(self._key.encode(), told.encode("utf-8", "replace"))


class _Quiet(WSGIRequestHandler):
    """Logs nothing: the addresses have the key and GitHub's code in them."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Nothing."""
