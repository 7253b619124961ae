"""The log of requests: what came in and what went out. Tokens are not kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.sandbox.github.records import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request and its answer."""

    method: str
    path: str
    """Without the `/api/v3` prefix; `/graphql` for GraphQL."""
    route: str
    """The operation's template, such as `/repos/{owner}/{name}/pulls/{number}`; empty where none matched."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    status: int
    """0 where the connection was cut or stalled instead of answered."""
    answer: bytes
    answer_headers: Mapping[str, str]
    started: float
    """`time.monotonic()` when it came in."""
    seconds: float
    fault: bool = False
    """Whether a fault spoiled it."""

    @property
    def json(self) -> Json:
        """The request's body."""
        return json.loads(self.body) if self.body else None

    @property
    def answer_json(self) -> Json:
        """The answer's body."""
        return json.loads(self.answer) if self.answer else None


class RequestLog:
    """Every request so far, in the order they ended. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Seen] = []

    def add(self, seen: Seen) -> None:
        """Remember a request."""
        with self._lock:
            self._seen.append(seen)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._seen.clear()

    def __iter__(self) -> Iterator[Seen]:
        with self._lock:
            return iter(list(self._seen))

    def __len__(self) -> int:
        with self._lock:
            return len(self._seen)

    def of(self, method: str, ending: str = "") -> list[Seen]:
        """The requests with this method whose path ends so."""
        return [seen for seen in self if seen.method == method and seen.path.endswith(ending)]
