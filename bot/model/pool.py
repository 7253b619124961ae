"""The connections to one endpoint: opened by its own route, kept while they are good, and counted.

Idle connections are used again last in, first out, so that those of a busy minute grow old and go. It knows the way through a
proxy and nothing of what is sent on a connection.
"""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import h11
import httpx2

from bot.model.endpoint import HttpOptions
from bot.model.guard import Guard
from bot.model.reader import POSSIBLE, Reader
from bot.model.wire import LOOPBACK, Address, Line, addresses, connect

_ADDRESSES_LIVE: Final = 30.0
"""Seconds for which an address is not asked for again: sixty calls at once need not ask sixty times."""
LONGEST_HEAD: Final = 100 * 1024
"""Bytes of an answer's status line and headers that we are ready to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that the environment names."""

    scheme: str
    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)
    """The value of `Proxy-Authorization`."""


def proxy_for(url: str) -> Proxy | None:
    """The proxy that the environment names for `url`. Loopback never goes through one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOOPBACK or proxy_bypass(host):
        return None
    proxies = getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if named is None:
        return None
    place = urlsplit(named if "://" in named else f"http://{named}")
    authorization = None
    if place.username:
        pair = f"{unquote(place.username)}:{unquote(place.password or '')}"
        authorization = b"Basic " + base64.b64encode(pair.encode())
    port = place.port or (443 if place.scheme == "https" else 80)
    return Proxy(scheme=place.scheme, host=place.hostname or "", port=port, authorization=authorization)


class Route:
    """The way to one endpoint."""

    def __init__(self, base_url: str, options: HttpOptions) -> None:
        parts = httpx2.URL(base_url)
        self._longest = options.connect_seconds
        self._secure = parts.scheme == "https"
        # As a server name of TLS and for the resolver; an international name in its ASCII form.
        self._host = parts.raw_host.decode("ascii")
        self._port = parts.port or (443 if self._secure else 80)
        self._origin = b"%b://%b" % (parts.raw_scheme, parts.netloc)
        self._proxy = proxy_for(base_url)
        self._session: ssl.SSLSession | None = None
        self._found: tuple[list[Address], float] = ([], 0.0)
        """Addresses, and until when they count."""
        # Loading the trusted certificates takes 50 ms. Without TLS a context that trusts nobody does, and is safe.
        tls = self._secure or (self._proxy is not None and self._proxy.scheme == "https")
        self._context = httpx2.create_ssl_context() if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.set_alpn_protocols(["http/1.1"])

    @property
    def origin(self) -> bytes:
        """Scheme and host, as a proxy that takes whole URLs wants them."""
        return self._origin

    @property
    def secure(self) -> bool:
        """Whether TLS goes all the way."""
        return self._secure

    @property
    def forward(self) -> Proxy | None:
        """The proxy that requests are handed to as they are; None where connections lead to the endpoint itself."""
        return None if self._secure else self._proxy

    def open(self, guard: Guard) -> Line:
        """A new connection. Raises httpx2's ConnectError, ConnectTimeout, ProxyError or UnsupportedProtocol."""
        proxy = self._proxy
        if proxy is not None and proxy.scheme not in {"http", "https"}:
            raise httpx2.UnsupportedProtocol(f"a proxy with {proxy.scheme}:// is not supported: use an http:// proxy")
        host, port = (self._host, self._port) if proxy is None else (proxy.host, proxy.port)
        line = self._connected(host, port, guard)
        try:
            if proxy is not None and proxy.scheme == "https":
                line.secure(self._context, proxy.host, guard, self._longest)
            if self._secure:
                if proxy is not None:
                    self._tunnel(line, proxy, guard)
                line.secure(self._context, self._host, guard, self._longest, self._session)
        except BaseException:
            line.close()
            raise
        return line

    def keep_session(self, line: Line) -> None:
        """A connection that was read from: what it knows spares the next one the proof of the certificate."""
        if self._secure:
            self._session = line.session or self._session

    def _connected(self, host: str, port: int, guard: Guard) -> Line:
        found, until = self._found
        if until < time.monotonic():
            found = addresses(host, port, guard, self._longest)
            self._found = found, time.monotonic() + _ADDRESSES_LIVE
        try:
            return connect(host, found, guard, self._longest)
        except httpx2.RequestError:
            self._found = [], 0.0
            raise

    def _tunnel(self, line: Line, proxy: Proxy, guard: Guard) -> None:
        """Have the proxy connect us."""
        place = f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"
        headers = [(b"Host", place.encode()), (b"Accept", b"*/*")]
        if proxy.authorization is not None:
            headers.append((b"Proxy-Authorization", proxy.authorization))
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
        line.write(http.send(h11.Request(method="CONNECT", target=place, headers=headers)) or b"", guard)
        http.send(h11.EndOfMessage())
        try:
            while not isinstance(event := http.next_event(), h11.Response):
                if event is h11.NEED_DATA:
                    http.receive_data(line.read(guard))
        except h11.RemoteProtocolError as error:
            raise httpx2.ProxyError(str(error)) from error
        if not 200 <= event.status_code < 300:
            raise httpx2.ProxyError(f"{event.status_code} {event.reason.decode('ascii', 'ignore')}".strip())


class Pool:
    """At most `options.connections` connections, shared by all threads."""

    def __init__(self, route: Route, options: HttpOptions) -> None:
        self.route = route
        self._options = options
        self._changed = threading.Condition()
        self._idle: list[tuple[Line, float]] = []
        self._taken = 0
        self._ahead = 0
        self._closed = False
        self.reader = Reader(options.gather_seconds) if POSSIBLE else None
        """Reads for all streams whose text flows; None where the system cannot."""

    @property
    def taken(self) -> int:
        """How many connections are in use."""
        return self._taken

    def take(self, guard: Guard, *, fresh: bool = False) -> tuple[Line, bool]:
        """A connection, and whether it was used before; `fresh` wants a new one.

        Raises PoolTimeout when none gets free, and what `Route.open` raises.
        """
        self._enter(guard)
        try:
            line = None if fresh else self._waiting()
            return (self.route.open(guard), False) if line is None else (line, True)
        except BaseException:
            self._leave()
            raise

    def give_back(self, line: Line) -> None:
        """It is good for another request."""
        self.route.keep_session(line)
        self._keep(line)
        self._leave()

    def drop(self, line: Line) -> None:
        """It is not."""
        line.close()
        self._leave()

    def open_ahead(self, make_guard: Callable[[], Guard]) -> None:
        """Have some idle connections where setting one up takes more than a moment: over TLS. Returns at once.

        What goes wrong is left for the first call to find.
        """
        if not self.route.secure:
            return
        with self._changed:
            self._sweep()
            missing = self._options.ahead - len(self._idle) - self._ahead - self._taken
            self._ahead += max(0, missing)
        for _ in range(missing):
            threading.Thread(target=self._open_one, args=(make_guard(),), name="spark-ahead", daemon=True).start()

    def close(self) -> None:
        """Close the idle connections, and keep none from now on."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
        for line, _ in idle:
            line.close()

    def _open_one(self, guard: Guard) -> None:
        try:
            line = self.route.open(guard)
        except httpx2.RequestError:
            line = None
        with self._changed:
            self._ahead -= 1
        if line is not None:
            self._keep(line)

    def _keep(self, line: Line) -> None:
        with self._changed:
            if not self._closed:
                self._idle.append((line, time.monotonic() + self._options.keep_alive_seconds))
                return
        line.close()

    def _enter(self, guard: Guard) -> None:
        """Wait for a place."""
        if self._taken < self._options.connections:
            with self._changed:
                if self._taken < self._options.connections:
                    self._taken += 1
                    return
        seconds = guard.seconds()
        guard.waits(self._wake)
        try:
            with self._changed:
                if not self._changed.wait_for(
                    lambda: guard.ended or self._taken < self._options.connections, timeout=seconds
                ):
                    raise httpx2.PoolTimeout(f"all {self._options.connections} connections are in use")
                self._taken += 1
        finally:
            guard.goes_on()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify()

    def _waiting(self) -> Line | None:
        """The newest idle connection that is still good."""
        while True:
            with self._changed:
                self._sweep()
                if not self._idle:
                    return None
                line, _ = self._idle.pop()
            if line.good():
                return line
            line.close()

    def _sweep(self) -> None:
        """Close what was idle for too long. The oldest stand first."""
        now = time.monotonic()
        while self._idle and self._idle[0][1] < now:
            self._idle.pop(0)[0].close()
