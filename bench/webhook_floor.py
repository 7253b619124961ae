"""What the sender and gunicorn cost by themselves: the same server with an application that only reads the body.

Prints its port, then serves until SIGTERM.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from bot.server.gunicorn_app import listen, serve


def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """202 for whatever comes."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = b'{"job": null}\n'
    start("202 Accepted", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


class Floor:
    """A station that does nothing."""

    wsgi = staticmethod(answer)

    def start(self) -> None:
        """Nothing to start."""

    def hang_up(self) -> None:
        """Nothing is open."""

    def drain(self, seconds: float) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is open."""


def main() -> int:
    """Serve until SIGTERM."""
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    return serve(Floor, listener, grace=1.0)


if __name__ == "__main__":
    sys.exit(main())
