"""One request and its answer over a connection of the pool: HTTP/1.1, with h11 for the heads and our own bodies.

It follows no redirect, keeps no cookies, and repeats nothing but a request that met a connection which the other side had
closed while it was idle. What goes wrong is raised as httpx2's exceptions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import h11
import httpx2

from bot.model.body import Body, body_of, keeps
from bot.model.guard import Guard
from bot.model.pool import LONGEST_HEAD, Pool
from bot.model.reader import Flow
from bot.model.wire import Line

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
    ) -> None:
        self.status = head.status_code
        self.headers: Headers = head.headers.raw_items()
        self._keeps = whole and keeps(head)
        self._line = line
        self._pool = pool
        self._guard = guard
        self._body: Body = body_of(head)
        self._first = first
        self._shares = True

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
                data = self._line.read(self._guard)
                if not data:
                    body.close()
            if body.fault:
                raise httpx2.RemoteProtocolError(body.fault)

    def pump(self, take: Callable[[bytes], bool]) -> None:
        """Give the body to `take` as it arrives, one piece after another, until its end or until that says True.

        While the guard says that text flows, and not in this stream alone, one thread reads for all and `take` is called from
        there. Raises httpx2.RequestError, and what `take` raises.
        """
        for content in self.chunks():
            if take(content) or (self._flows() and self._handed_over(take)):
                return

    def close(self) -> None:
        """Hand the connection on, or close it where it is of no more use."""
        if self._keeps and self._body.clean and not self._first:
            self._pool.give_back(self._line)
        else:
            self._pool.drop(self._line)

    def _flows(self) -> bool:
        return self._guard.flows_since is not None and self._shares and self._pool.taken > 1 and not self._body.done

    def _handed_over(self, take: Callable[[bytes], bool]) -> bool:
        """Have the pool's reader read. Whether that was enough; else this thread goes on."""
        reader, guard, body = self._pool.reader, self._guard, self._body
        since = guard.flows_since
        if reader is None or since is None:
            return False
        enough = False

        def step() -> bool:
            nonlocal enough
            data = self._line.arrived()
            if data is None:
                return False
            flow.read_at = time.monotonic()
            if data:
                content = body.feed(data)
                enough = bool(content) and take(content)
            else:
                body.close()
            return enough or body.done or bool(body.fault) or guard.flows_since is None

        flow = Flow(self._line.fileno(), step, since)
        reader.read(flow, guard)
        self._shares = not flow.slow
        return enough


@contextmanager
def exchange(pool: Pool, message: Message, content: bytes, guard: Guard) -> Iterator[Answer]:
    """Send it and hand out the answer, whose connection is given back behind the block. Raises httpx2.RequestError."""
    answer = _asked(pool, message, content, guard)
    try:
        yield answer
    finally:
        answer.close()


def _asked(pool: Pool, message: Message, content: bytes, guard: Guard) -> Answer:
    http, head = _head(pool, message, content)
    line, used = pool.take(guard)
    while True:
        try:
            return Answer(*_sent(line, http, head + content, guard), line=line, pool=pool, guard=guard)
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
