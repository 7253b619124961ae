"""`spark setup`: the pages that make the GitHub App, on loopback, until its keys are in the settings file."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import webbrowser
from pathlib import Path

from bot.errors import UserError
from bot.server import settings_file
from bot.server.setup_server import SetUpServer
from bot.settings import read_settings


def configure_setup(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spark setup`."""
    parser.description = (
        "Make the GitHub App of your own server, in the browser. Its id, private key and webhook secret are written to the "
        "settings file; what is in it of other settings stays."
    )
    parser.add_argument(
        "--file", type=Path, default=Path(".env"), metavar="PATH", help="the settings file (%(default)s)"
    )
    parser.add_argument("--port", type=_port, default=0, help="of the pages on 127.0.0.1; a free one by default")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")


def run(options: argparse.Namespace) -> int:
    """Serve the pages until the file is written. Returns 0; raises UserError when it could not be written from the start."""
    file: Path = options.file.absolute()
    if settings_file.read(file).get("SPARK_APP_ID", "").strip():
        raise UserError(
            f"{file} has an App already (SPARK_APP_ID)", remedy="Remove that line, or name another file with --file."
        )
    settings_file.check(file)
    # An App of the environment alone is no reason to stop: the page says that it goes before the file.
    settings = dataclasses.replace(read_settings(os.environ, dotenv=file), app_id=None)
    with SetUpServer(settings_file=file, settings=settings, env=os.environ, port=options.port) as server:
        _tell(f"Open {server.url}")
        _tell(f"The App's keys go to {file}. Ctrl-C ends this.")
        if not options.no_browser and _has_window():
            webbrowser.open(server.url)
        server.wait()
    _tell(f"wrote {file}")
    _tell("Next: install the App (the last page has the link), add SPARK_API_KEY to the file, and start spark serve.")
    return 0


def _has_window() -> bool:
    """Whether a browser would get a window: one inside the terminal would take it away from us."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, 0 to 65535")
    return int(text)


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the user is to see
