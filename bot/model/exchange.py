"""One request and its answer over a connection of the pool: HTTP/1.1, with h11 for the heads and our own bodies.

It follows no redirect, keeps no cookies, and repeats nothing but a request that met a connection which the other side had
closed while it was idle. What goes wrong is raised as httpx2's exceptions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import h11
import httpx2

from bot.model.body import Body, body_of, keeps
from bot.model.guard import Guard
from bot.model.pool import LONGEST_HEAD, Pool
from bot.model.wire import Line

_LATE: Final = 1 / 16
"""What a token may be late, as a part of the time that its text has been flowing: the first finding is hardly held up."""
_EACH: Final = 0.0005
"""Seconds that a token may be late for each other stream that is read at the same time. One alone is read as it comes."""
_SHORTEST: Final = 0.0005
"""A shorter wait is not worth the waking."""

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request without its body."""

    method: str
    target: bytes
    headers: Headers
    """As they are sent, `Content-Length` not among them."""


class Answer:
    """The answer's head, and its body still to come. For one thread."""

    def __init__(
        self,
        head: h11.Response,
        first: bytes,
        whole: bool,  # noqa: FBT001 - handed on as `_sent` gives it
        *,
        line: Line,
        pool: Pool,
        guard: Guard,
        gather: float,
    ) -> None:
        self.status = head.status_code
        self.headers: Headers = head.headers.raw_items()
        self._keeps = whole and keeps(head)
        self._line = line
        self._pool = pool
        self._guard = guard
        self._gather = gather
        self._body: Body = body_of(head)
        self._first = first
        self._read_at = 0.0

    def header(self, name: bytes) -> bytes:
        """The first header of this name, which is lower case; empty when there is none."""
        return next((value for each, value in self.headers if each.lower() == name), b"")

    def chunks(self) -> Iterator[bytes]:
        """The body's bytes as they arrive. Raises httpx2.RequestError."""
        body = self._body
        data, self._first = self._first, b""
        while True:
            content = body.feed(data) if data else b""
            if content:
                yield content
            if body.done:
                return
            if not body.fault:
                self._let_more_come()
                data = self._line.read(self._guard)
                if not data:
                    body.close()
            if body.fault:
                raise httpx2.RemoteProtocolError(body.fault)

    def close(self) -> None:
        """Hand the connection on, or close it where it is of no more use."""
        if self._keeps and self._body.clean and not self._first:
            self._pool.give_back(self._line)
        else:
            self._pool.drop(self._line)

    def _let_more_come(self) -> None:
        """Wait a little where the text flows in many streams: a read for each token costs more than all else."""
        since = self._guard.flows_since
        if since is None or not self._gather:
            return
        now = time.monotonic()
        late = min(self._gather, (now - since) * _LATE, (self._pool.taken - 1) * _EACH)
        rest = self._read_at + late - now
        if rest >= _SHORTEST:
            self._guard.nap(rest)
            now += rest
        self._read_at = now


@contextmanager
def exchange(pool: Pool, message: Message, content: bytes, guard: Guard, *, gather: float) -> Iterator[Answer]:
    """Send it and hand out the answer, whose connection is given back behind the block. Raises httpx2.RequestError."""
    answer = _asked(pool, message, content, guard, gather)
    try:
        yield answer
    finally:
        answer.close()


def _asked(pool: Pool, message: Message, content: bytes, guard: Guard, gather: float) -> Answer:
    http, head = _head(pool, message, content)
    line, used = pool.take(guard)
    while True:
        try:
            return Answer(*_sent(line, http, head + content, guard), line=line, pool=pool, guard=guard, gather=gather)
        except httpx2.RequestError as error:
            pool.drop(line)
            if not used or not isinstance(error, _Unanswered) or guard.ended:
                raise
            # It was closed while it was idle, in the moment before we wrote: nobody has seen this request.
            line, used = pool.take(guard, fresh=True)
            http, head = _head(pool, message, content)
        except BaseException:
            pool.drop(line)
            raise


class _Unanswered(httpx2.RemoteProtocolError):
    """The connection closed before the first byte of an answer."""


def _head(pool: Pool, message: Message, content: bytes) -> tuple[h11.Connection, bytes]:
    """HTTP's own state of one exchange, and the bytes to begin it with."""
    headers = [*message.headers, (b"Content-Length", b"%d" % len(content))] if content else list(message.headers)
    target = message.target
    proxy = pool.route.forward
    if proxy is not None:
        target = pool.route.origin + target
        if proxy.authorization is not None:
            headers.insert(0, (b"Proxy-Authorization", proxy.authorization))
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
    head = http.send(h11.Request(method=message.method, target=target, headers=headers))
    assert head is not None
    return http, head


def _sent(line: Line, http: h11.Connection, data: bytes, guard: Guard) -> tuple[h11.Response, bytes, bool]:
    """The answer's head, what of its body came with it, and whether the request was sent whole."""
    unsent: httpx2.WriteError | None = None
    try:
        line.write(data, guard)
    except httpx2.WriteError as error:
        # A server may refuse a request before it has read it, and close: then its answer says more.
        unsent = error
    came = False
    while True:
        try:
            event = http.next_event()
            if isinstance(event, h11.Response):
                return event, http.trailing_data[0], unsent is None
        except h11.RemoteProtocolError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error
        if event is not h11.NEED_DATA:
            continue
        try:
            more = line.read(guard)
        except httpx2.ReadError as error:
            if not came and not guard.ended:
                raise _Unanswered(str(unsent or error)) from error
            raise
        if not more:
            kind = httpx2.RemoteProtocolError if came else _Unanswered
            raise kind("Server disconnected without sending a response.") from unsent
        came = True
        http.receive_data(more)
