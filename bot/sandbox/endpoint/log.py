"""What the endpoint was asked and how each answer went, for assertions."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.sandbox.endpoint.faults import Fault


@dataclass(slots=True, kw_only=True)
class Logged:
    """One request as it came, and how it went. Times are `time.monotonic()`; `ended` is None while it goes on."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Lower-case names; the key is left out."""
    body: object
    """Parsed JSON; None for no body or one that is not JSON."""
    started: float
    first: float | None = None
    """When the first token of a stream went out."""
    ended: float | None = None
    status: int | None = None
    """None when the connection was closed without an answer."""
    tokens: int = 0
    """Tokens sent so far."""
    fault: Fault | None = None
    text: str = ""
    """The whole answer that the script gave, before limits and faults."""
    client_gone: bool = False
    """The client closed the connection before the answer was complete."""


@dataclass(slots=True)
class Log:
    """Every request so far. Written by the server's thread alone."""

    entries: list[Logged] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, entry: Logged) -> None:
        """A request has come."""
        with self.changed:
            self.entries.append(entry)
            self.changed.notify_all()

    def tell(self) -> None:
        """An entry has changed: wake those who wait."""
        with self.changed:
            self.changed.notify_all()
