"""A stand-in for GitHub on loopback, over real git repositories, for the demo, the tests and the benchmarks.

It answers the REST and GraphQL that Spark uses with GitHub's own rules, texts, headers and limits, and shows pulls in a
browser. It is not GitHub: it listens on 127.0.0.1 alone, keeps everything in memory and forgets it when it stops.
"""

from __future__ import annotations

from bot.sandbox.github.app_auth import new_private_key
from bot.sandbox.github.faults import Fault, Kind, When
from bot.sandbox.github.options import Beyond, GitHubOptions, Limits, Rates
from bot.sandbox.github.seen import Seen
from bot.sandbox.github.server import GitHubServer

__all__ = [
    "Beyond",
    "Fault",
    "GitHubOptions",
    "GitHubServer",
    "Kind",
    "Limits",
    "Rates",
    "Seen",
    "When",
    "new_private_key",
]
