"""`python -m bot.sandbox.github`: a stand-in GitHub in a process of its own, steered over `/_sandbox/`.

Prints one line of JSON with its addresses, then runs until it is interrupted or its stdin is closed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading

from bot.sandbox.github.options import GitHubOptions, Rates
from bot.sandbox.github.server import GitHubServer


def main() -> int:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox.github", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to every API call")
    parser.add_argument("--enforce-limits", action="store_true", help="hold GitHub's secondary rate limits")
    parser.add_argument("--token", action="append", default=[], metavar="LOGIN:TOKEN", help="an account with a token")
    parser.add_argument("--until-eof", action="store_true", help="stop when stdin is closed")
    given = parser.parse_args()
    options = GitHubOptions(
        port=given.port, latency=given.latency, rates=Rates(enforce=given.enforce_limits), control=True
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if given.until_eof:
        threading.Thread(target=_wait_for_eof, args=(stop,), daemon=True).start()
    with GitHubServer(options) as server:
        for pair in given.token:
            login, _, token = pair.partition(":")
            server.world.user(login, token)
        addresses = {"api_url": server.api_url, "graphql_url": server.graphql_url, "web_url": server.web_url}
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        stop.wait()
    return 0


def _wait_for_eof(stop: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        while sys.stdin.buffer.read(4096):
            pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
