"""One client connection: HTTP/1.1 by h11 on an asyncio transport, requests one after another."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import h11

from bot.sandbox.endpoint.log import Log, Logged
from bot.sandbox.endpoint.service import HangUp, Headers, Plain, Service, Streamed
from bot.sandbox.endpoint.ticker import Queue, Ticker
from bot.sandbox.endpoint.timeline import Ending, Timeline

_MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all connections of one server share."""

    service: Service
    ticker: Ticker
    queue: Queue
    log: Log
    loop: asyncio.AbstractEventLoop
    connections: set[asyncio.Transport]


class Connection(asyncio.Protocol):
    """One client connection, requests one after another."""

    def __init__(self, house: House) -> None:
        self._house = house
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
        """A client has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # asyncio does this for sockets it made itself. Else the kernel keeps tokens back until what went before is
        # acknowledged, which a client's kernel puts off for 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._house.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by the client or by us."""
        del exc
        if self._transport is not None:
            self._house.connections.discard(self._transport)
            self._transport = None
        if self._later is not None:
            self._later.cancel()
        self._house.ticker.remove(self)
        if self._logged is not None:
            self._logged.client_gone = True
            self._finish_log()

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        self._http.receive_data(data)
        self._read()

    def eof_received(self) -> bool:
        """The client will send no more; the transport may close."""
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
        logged = self._logged = Logged(
            method=method,
            path=target,
            headers={name: value for name, value in headers.items() if name != "authorization"},
            body=None,
            started=self._house.loop.time(),
        )
        self._house.queue.put(lambda: self._decide(logged, headers, data))

    def _decide(self, logged: Logged, headers: Mapping[str, str], data: bytes) -> None:
        if logged.ended is not None:
            # The client left while its request waited to be read.
            logged.body = _parsed(data)
            self._house.log.add(logged)
            return
        decision = self._house.service.decide(logged.method, logged.path, headers, data)
        logged.body = decision.request.body if decision.request is not None else _parsed(data)
        logged.fault = decision.fault
        logged.text = "" if decision.answer is None else decision.answer.text
        self._house.log.add(logged)
        match decision.reply:
            case HangUp():
                self._finish_log()
                self._close()
            case Plain(delay=0.0) as plain:
                self._plain(plain)
            case Plain() as plain:
                self._later = self._house.loop.call_at(logged.started + plain.delay, self._plain, plain)
            case Streamed() as streamed:
                self._begin(streamed)

    def _plain(self, plain: Plain) -> None:
        self._later = None
        self._start(plain.status, (*plain.headers, ("content-length", str(len(plain.body)))))
        self._finish_log()
        self._write(h11.Data(data=plain.body))
        self._end()

    def _begin(self, streamed: Streamed) -> None:
        self._start(200, (*streamed.headers, ("transfer-encoding", "chunked")))
        self._timeline, self._sent = streamed.timeline, 0
        self._flush(0)
        self._house.ticker.add(self)

    def advance(self, now: float) -> float | None:
        """Write what is due at `now`; the time of the next look, infinity for never, None when all is written."""
        line, logged = self._timeline, self._logged
        if line is None or logged is None:
            return None
        steps = line.due(now - logged.started)
        if steps > logged.tokens:
            if logged.first is None:
                logged.first = self._house.loop.time()
            logged.tokens = steps
            if steps == line.steps:
                # Before the last byte goes out: who has read it all finds the log complete.
                self._finish_log()
            self._flush(steps)
        if steps == line.steps:
            self._over(line)
            return None
        following = logged.started + line.at(steps + 1)
        return max(following, min(now + self._house.service.options.tick, logged.started + line.at(line.steps)))

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
        elif self._transport is not None:
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
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._house.loop.call_soon(self._read)
        else:
            self._close()

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data and self._transport is not None:
            self._transport.write(data)

    def _finish_log(self) -> None:
        if self._logged is not None:
            self._logged.ended = self._house.loop.time()
            self._logged = None
            self._house.log.tell()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return None
