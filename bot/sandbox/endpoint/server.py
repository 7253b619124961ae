"""The endpoint on 127.0.0.1: HTTP/1.1 by h11, one asyncio loop in a thread of its own, one ticker for all streams.

A stream's tokens are due at absolute times, so that a late beat is made up by the next and the rate does not drift.
It listens on loopback alone and is meant for trusted clients: it has no limits of its own against abuse.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import h11

from bot.sandbox.endpoint.faults import Fault
from bot.sandbox.endpoint.options import EndpointOptions
from bot.sandbox.endpoint.service import Decision, HangUp, Headers, Plain, Service, Streamed
from bot.sandbox.endpoint.timeline import Ending, Timeline

_MAX_BODY = 64 * 1024 * 1024


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
class _Log:
    entries: list[Logged] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def tell(self) -> None:
        with self.changed:
            self.changed.notify_all()


class _Ticker:
    """Wakes every stream that has something due; sleeps while none has."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._plays: dict[_Connection, float] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._at = math.inf

    def add(self, connection: _Connection) -> None:
        wake = connection.advance(self._loop.time())
        if wake is not None:
            self._plays[connection] = wake
            self._plan(wake)

    def remove(self, connection: _Connection) -> None:
        self._plays.pop(connection, None)

    def _plan(self, wake: float) -> None:
        if wake >= self._at or math.isinf(wake):
            return
        if self._handle is not None:
            self._handle.cancel()
        self._at = wake
        self._handle = self._loop.call_at(wake, self._beat)

    def _beat(self) -> None:
        self._handle, self._at = None, math.inf
        now = self._loop.time()
        for connection, wake in list(self._plays.items()):
            if wake > now + connection.tick:
                continue
            later = connection.advance(now)
            if later is None:
                self._plays.pop(connection, None)
            else:
                self._plays[connection] = later
        if self._plays:
            self._plan(min(self._plays.values()))


class _Connection(asyncio.Protocol):
    """One client connection, requests one after another."""

    def __init__(
        self,
        service: Service,
        ticker: _Ticker,
        log: _Log,
        loop: asyncio.AbstractEventLoop,
        open_ones: set[asyncio.Transport],
    ) -> None:
        self._service, self._ticker, self._log, self._loop = service, ticker, log, loop
        self._open_ones = open_ones
        self.tick = service.options.tick
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024)
        self._transport: asyncio.Transport | None = None
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._logged: Logged | None = None
        self._timeline: Timeline | None = None
        self._sent = 0
        self._later: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_ones.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._transport is not None:
            self._open_ones.discard(self._transport)
            self._transport = None
        if self._later is not None:
            self._later.cancel()
        self._ticker.remove(self)
        if self._logged is not None:
            self._logged.client_gone = True
            self._finish_log()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._read()

    def eof_received(self) -> bool:
        self._http.receive_data(b"")
        return False

    def _read(self) -> None:
        try:
            while self._transport is not None and self._logged is None:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    if self._http.they_are_waiting_for_100_continue:
                        self._write(h11.InformationalResponse(status_code=100, headers=[]))
                    return
                if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                self._plain(Plain(status=error.error_status_hint, headers=(("connection", "close"),), body=b""))
            self._close()

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Request):
            self._head, self._body, self._size = event, [], 0
        elif isinstance(event, h11.Data):
            self._size += len(event.data)
            if self._size > _MAX_BODY:
                raise h11.RemoteProtocolError("body too large", error_status_hint=413)
            self._body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            self._answer()

    def _answer(self) -> None:
        assert self._head is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._head.headers}
        method, target, data = self._head.method.decode(), self._head.target.decode("latin-1"), b"".join(self._body)
        logged = Logged(
            method=method,
            path=target,
            headers={name: value for name, value in headers.items() if name != "authorization"},
            body=None,
            started=self._loop.time(),
        )
        self._logged = logged
        decision = self._service.decide(method, target, headers, data)
        logged.body = _body(decision, data)
        logged.fault = decision.fault
        logged.text = "" if decision.answer is None else decision.answer.text
        with self._log.changed:
            self._log.entries.append(logged)
            self._log.changed.notify_all()
        match decision.reply:
            case HangUp():
                self._finish_log()
                self._close()
            case Plain(delay=0.0) as plain:
                self._plain(plain)
            case Plain() as plain:
                self._later = self._loop.call_at(logged.started + plain.delay, self._plain, plain)
            case Streamed() as streamed:
                self._begin(streamed)

    def _plain(self, plain: Plain) -> None:
        self._later = None
        self._start(plain.status, (*plain.headers, ("content-length", str(len(plain.body)))))
        self._write(h11.Data(data=plain.body))
        self._end()

    def _begin(self, streamed: Streamed) -> None:
        self._start(200, (*streamed.headers, ("transfer-encoding", "chunked")))
        self._timeline, self._sent = streamed.timeline, 0
        self._flush(0)
        self._ticker.add(self)

    def advance(self, now: float) -> float | None:
        """Write what is due at `now`; the time of the next look, infinity for never, None when all is written."""
        line, logged = self._timeline, self._logged
        if line is None or logged is None:
            return None
        steps = line.due(now - logged.started)
        if steps > logged.tokens:
            logged.tokens = steps
            self._flush(steps)
        if steps == line.steps:
            self._over(line)
            return None
        following = logged.started + line.at(steps + 1)
        return max(following, min(now + self.tick, logged.started + line.at(line.steps)))

    def _flush(self, steps: int) -> None:
        assert self._timeline is not None
        end = self._timeline.marks[steps]
        for part in self._timeline.cuts(self._sent, end):
            if part:
                self._write(h11.Data(data=part))
        self._sent = end

    def _over(self, line: Timeline) -> None:
        self._timeline = None
        if line.ending is Ending.CLEAN:
            self._end()
            return
        self._finish_log()
        if self._transport is not None:
            # Without lingering, closing sends RST: what a crashed server or a broken line looks like.
            peer = self._transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _start(self, status: int, headers: Headers) -> None:
        if self._logged is not None:
            self._logged.status = status
        self._write(h11.Response(status_code=status, headers=[*headers, ("server", "spark-sandbox")]))

    def _end(self) -> None:
        self._write(h11.EndOfMessage())
        self._finish_log()
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._loop.call_soon(self._read)
        else:
            self._close()

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data and self._transport is not None:
            self._transport.write(data)

    def _finish_log(self) -> None:
        if self._logged is not None:
            self._logged.ended = self._loop.time()
            self._logged = None
            self._log.tell()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _body(decision: Decision, data: bytes) -> object:
    if decision.request is not None:
        return decision.request.body
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return None


class EndpointServer:
    """An OpenAI-compatible endpoint on loopback, from its construction to `close()`. OSError when the port is taken."""

    def __init__(self, options: EndpointOptions | None = None) -> None:
        self.options = options or EndpointOptions()
        self._log = _Log()
        self._listener = socket.create_server(("127.0.0.1", self.options.port), backlog=1024)
        self._port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Transport] = set()
        self._thread = threading.Thread(target=self._run, name="spark-sandbox-endpoint", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL that a client is given, ending in `/v1`."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def requests(self) -> tuple[Logged, ...]:
        """Every request so far, in the order of arrival. Entries still change while their answer goes on."""
        with self._log.changed:
            return tuple(self._log.entries)

    def wait_until(self, condition: Callable[[Sequence[Logged]], bool], *, timeout: float = 5.0) -> bool:
        """Wait until `condition` holds for the log; False when it does not within `timeout` seconds."""
        with self._log.changed:
            return self._log.changed.wait_for(lambda: condition(self._log.entries), timeout)

    def close(self) -> None:
        """Close every connection and end the thread. Safe to call twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> EndpointServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        loop = self._loop
        service, ticker = Service(self.options), _Ticker(loop)

        def connect() -> _Connection:
            return _Connection(service, ticker, self._log, loop, self._connections)

        server = loop.run_until_complete(loop.create_server(connect, sock=self._listener))
        loop.run_forever()
        server.close()
        for transport in tuple(self._connections):
            transport.abort()
        # One more round, in which the aborted connections are told and their sockets closed.
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
