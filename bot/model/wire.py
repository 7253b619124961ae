"""The socket under the SDK: every wait on it can be ended at once from another thread, and none outlasts the deadline.

An HTTP client's timeouts are per read, and closing a response does not wake a thread that is blocked in it. So the
connection pool gets a network backend of ours: while a call runs, its `Guard` knows the socket that its thread waits on
and shuts that down when the review is cancelled, also before there is a response; and each wait is cut to what is left.

It speaks no HTTP and knows nothing of models. It does not do TLS inside TLS: a proxy must be reached by `http://`.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

from bot.model.endpoint import HttpOptions
from bot.review.ports import Clock, Stop

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """What can end the waits of one call: cancelling, the deadline, and silence longer than `patience` seconds."""

    def __init__(self, stop: Stop, *, patience: float, clock: Clock | None = None) -> None:
        self._stop = stop
        self._clock = clock
        self.wrote: float | None = None
        """`Clock.now()` when the last bytes were handed to the network; None without a clock."""
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self._ended = False
        self.patience = patience

    def end(self) -> None:
        """Wake the call's thread, whatever it waits for, and let it wait no more. From any thread; does not block."""
        with self._lock:
            self._ended = True
            if self._wake is not None:
                self._wake()

    def written(self) -> None:
        """Bytes were handed to the network."""
        if self._clock is not None:
            self.wrote = self._clock.now()

    def seconds(self, longest: float | None = None) -> float:
        """How long the next wait may be. Raises ReadTimeout when nothing is left."""
        seconds = min(self.patience, self._stop.left()) if longest is None else min(longest, self._stop.left())
        if seconds <= 0:
            raise httpcore2.ReadTimeout("no time left")
        return seconds

    def waits(self, wake: Callable[[], None]) -> None:
        """From here the thread waits for something that `wake` ends. Raises ReadError when the call was ended."""
        with self._lock:
            if self._ended:
                raise httpcore2.ReadError("ended")
            self._wake = wake

    def goes_on(self) -> None:
        """The wait is over; the socket may now belong to another call."""
        with self._lock:
            self._wake = None


class Backend(httpcore2.NetworkBackend):
    """Opens connections whose every wait is under the guard of the thread that waits."""

    def __init__(self) -> None:
        self._here = threading.local()

    @contextmanager
    def guarded(self, guard: Guard) -> Iterator[None]:
        """Within this block, this thread's waits are under `guard`."""
        self._here.guard = guard
        try:
            yield
        finally:
            self._here.guard = None

    @property
    def guard(self) -> Guard:
        """The guard of this thread. LookupError outside of `guarded`: no wait may be without one."""
        guard: Guard | None = getattr(self._here, "guard", None)
        if guard is None:
            raise LookupError("a request outside of a guarded block")
        return guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to the first address of `host` that answers. Raises ConnectError or ConnectTimeout."""
        guard = self.guard
        error: OSError | None = None
        for family, kind, protocol, _, address in _addresses(host, port, guard, timeout):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(guard.seconds(timeout))
                guard.waits(partial(_shut, sock))
                if local_address is not None:
                    sock.bind((local_address, 0))
                sock.connect(address)
                for option in socket_options or ():
                    sock.setsockopt(*option)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as refused:
                sock.close()
                error = refused
            except BaseException:
                sock.close()
                raise
            else:
                return Stream(sock, self)
            finally:
                guard.goes_on()
        if isinstance(error, TimeoutError):
            raise httpcore2.ConnectTimeout(str(error)) from error
        raise httpcore2.ConnectError(str(error or f"{host} has no address")) from error


class Stream(httpcore2.NetworkStream):
    """One connection, plain or with TLS."""

    def __init__(self, sock: socket.socket, backend: Backend) -> None:
        self._sock = sock
        self._backend = backend
        self._wake = partial(_shut, sock)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the guard knows better
        """Some bytes; none at the end. Raises ReadTimeout or ReadError."""
        guard = self._backend.guard
        self._sock.settimeout(guard.seconds())
        guard.waits(self._wake)
        try:
            return self._sock.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error
        finally:
            guard.goes_on()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the guard knows better
        """All of `buffer`. Raises WriteTimeout or WriteError."""
        guard = self._backend.guard
        rest = memoryview(buffer)
        while rest:
            self._sock.settimeout(guard.seconds())
            guard.waits(self._wake)
            try:
                rest = rest[self._sock.send(rest) :]
                guard.written()
            except TimeoutError as error:
                raise httpcore2.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore2.WriteError(str(error)) from error
            finally:
                guard.goes_on()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """The same connection with TLS on it. Raises ConnectError or ConnectTimeout."""
        if isinstance(self._sock, ssl.SSLSocket):
            raise httpcore2.ConnectError("TLS inside TLS is not supported: use an http:// proxy")
        guard = self._backend.guard
        sock: socket.socket = self._sock
        try:
            sock.settimeout(guard.seconds(timeout))
            tls = ssl_context.wrap_socket(sock, server_hostname=server_hostname, do_handshake_on_connect=False)
            sock = tls
            guard.waits(partial(_shut, tls))
            tls.do_handshake()
        except TimeoutError as error:
            sock.close()
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:
            sock.close()
            raise httpcore2.ConnectError(str(error)) from error
        except BaseException:
            sock.close()
            raise
        finally:
            guard.goes_on()
        return Stream(tls, self._backend)

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()

    def get_extra_info(self, info: str) -> object:
        """What the connection pool asks for; None for anything else."""
        if info == "is_readable":
            return _readable(self._sock)
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        return self._sock if info == "socket" else None


class Transport(httpx2.HTTPTransport):
    """HTTP/1.1 over `Backend`, to one place, through the proxy that the environment names for it."""

    def __init__(self, base_url: str, options: HttpOptions, backend: Backend) -> None:
        # Loading the trusted certificates takes 50 ms. Without TLS a context that trusts nobody does, and is safe.
        secure = base_url.startswith("https:")
        context = httpx2.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        super().__init__(verify=context)
        proxy = proxy_for(base_url)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            proxy=None if proxy is None else _proxy(proxy),
            max_connections=options.connections,
            max_keepalive_connections=options.connections,
            keepalive_expiry=options.keep_alive_seconds,
            network_backend=backend,
        )


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`. Loopback never goes through one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _LOOPBACK or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _proxy(url: str) -> httpcore2.Proxy:
    parts = httpx2.URL(url if "://" in url else f"http://{url}")
    auth = (parts.username, parts.password) if parts.username else None
    return httpcore2.Proxy(url=str(parts.copy_with(username=None, password=None)), auth=auth)


_Address = tuple[
    socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]


def _addresses(host: str, port: int, guard: Guard, timeout: float | None) -> list[_Address]:
    """Addresses of `host`. The resolver cannot be interrupted, so it runs in a thread that may be left behind."""
    found: list[_Address] = []
    error: list[OSError] = []
    ready = threading.Event()

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as refused:
            error.append(refused)
        ready.set()

    if host in _LOOPBACK:
        look()
    else:
        seconds = guard.seconds(timeout)
        guard.waits(ready.set)
        try:
            threading.Thread(target=look, name="spark-resolve", daemon=True).start()
            if not ready.wait(seconds):
                raise httpcore2.ConnectTimeout(f"no address of {host} within {seconds:.1f} s")
        finally:
            guard.goes_on()
    if error:
        raise httpcore2.ConnectError(str(error[0])) from error[0]
    return found


def _shut(sock: socket.socket) -> None:
    """Wake whoever waits on `sock`. The plain socket's own method: TLS's would take the session from under the reader."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _readable(sock: socket.socket) -> bool:
    """Whether something waits to be read: on an idle connection that is the server's good-bye."""
    if sock.fileno() < 0:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])
