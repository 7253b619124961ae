"""Faults by rule: what a test wants GitHub to do wrong, to which requests, and how often."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class When(StrEnum):
    """Whether the write has happened when the fault strikes."""

    BEFORE = "before"
    AFTER = "after"


class Kind(StrEnum):
    """What goes wrong.

    STATUS: an error answer. CUT: the connection is closed without an answer. CUT_BODY: it is closed in the middle of
    the answer's body. STALL: nothing comes for `seconds`, then the connection is closed. FIELDS: the `fields` of a GraphQL
    mutation are not done and give null with an error; the others are.
    """

    STATUS = "status"
    CUT = "cut"
    CUT_BODY = "cut-body"
    STALL = "stall"
    FIELDS = "fields"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule. `match` is `METHOD /path` with `*` as in a shell, the path without `/api/v3`; GraphQL is
    `POST /graphql`.
    """

    match: str
    status: int = 502
    when: When | str = When.BEFORE
    times: int | None = 1
    """How often it strikes; None for always."""
    skip: int = 0
    """Matching requests that are let through first."""
    kind: Kind | str = Kind.STATUS
    message: str | None = None
    """The error's message; GitHub's usual one by default."""
    errors: tuple[object, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60.0
    contains: str = ""
    """Only requests with this text in their body, such as a GraphQL operation."""
    fields: tuple[str, ...] = ()
    """Aliases, or names, of fields of a mutation."""
    type: str = "FORBIDDEN"
    """GitHub's type of their errors; empty for trouble of its own, which has none."""


class FaultBook:
    """The rules in force. Safe to use from several threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._rules: list[list[object]] = []
        self._struck: list[Fault] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Put a rule in force, behind those there are."""
        with self._lock:
            self._rules.append([fault, fault.skip, fault.times])

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules.clear()

    @property
    def struck(self) -> tuple[Fault, ...]:
        """The faults that struck, in order."""
        with self._lock:
            return tuple(self._struck)

    def take(self, method: str, path: str, body: bytes) -> Fault | None:
        """The fault for this request, counted as used; None when it goes well."""
        with self._lock:
            for rule in self._rules:
                fault, skip, left = rule
                assert isinstance(fault, Fault)
                assert isinstance(skip, int)
                if left == 0 or not fnmatch.fnmatchcase(f"{method} {path}", fault.match):
                    continue
                if fault.contains and fault.contains.encode() not in body:
                    continue
                if skip > 0:
                    rule[1] = skip - 1
                    continue
                if isinstance(left, int):
                    rule[2] = left - 1
                self._struck.append(fault)
                return fault
        return None


MESSAGES = {
    400: "Problems parsing JSON",
    401: "Bad credentials",
    403: "Resource not accessible by integration",
    404: "Not Found",
    406: "Sorry, the diff exceeded the maximum number of lines (20000). Consider using 'List pull requests files' API or "
    "locally cloning the repository instead.",
    409: "Conflict",
    422: "Unprocessable Entity",
    429: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    500: "Server Error",
    502: "Server Error",
    503: "Service Unavailable",
}
"""What GitHub says with a status, where a fault gives no message of its own."""
