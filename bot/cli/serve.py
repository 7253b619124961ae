"""`spark serve`: webhook server, workers and live pages, in one process and its watcher."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bot import log
from bot.server import gunicorn_app, logs, preflight
from bot.settings import Settings, read_settings


def run(options: argparse.Namespace) -> int:
    """Serve until a signal ends it. Returns 0, 2 or 3 when it could not start, 130 after Ctrl-C.

    Raises ConfigError, before a port is opened, for whatever the settings get wrong.
    """
    file = Path.cwd() / ".env"

    def read() -> Settings:
        return read_settings(os.environ, dotenv=file)

    settings = read()
    preflight.check(settings)
    # The database holds what reviews said about private code.
    os.umask(0o077)
    style = logs.Style(options.log or ("text" if sys.stderr.isatty() else "json"))
    logs.set_up(style, secrets=logs.secrets_of(settings))
    listener = gunicorn_app.listen(options.host, options.port)
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    log.info("server.listening", url=url, access=preflight.what_is_open(settings, options.host))
    for notice in preflight.notices(settings):
        log.warning("server.notice", text=notice)

    # Loaded by the master, in which nothing is started: a worker that replaces another one is there at once.
    from bot.server.station import Station, load  # noqa: PLC0415 - after the checks, for its weight

    load()

    def make() -> Station:
        # Read anew by each worker: /setup writes the file and has the worker replaced.
        return Station(read(), host=options.host, url=url, settings_file=file)

    return gunicorn_app.serve(make, listener, grace=options.grace)
