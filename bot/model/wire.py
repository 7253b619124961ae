"""One connection to an endpoint: bytes out and in, plain or with TLS, every wait under the guard of the call that waits.

An HTTP client's timeouts are per read, and closing a response does not wake a thread that is blocked in it. Here a call's
`Guard` knows the socket that its thread waits on and shuts that down when the review is cancelled, also before there is a
response; and each wait is cut to what is left.

It speaks no HTTP and knows nothing of models. TLS runs in memory beside a plain socket: all records that have come are read
with one call to the system, where Python's own TLS socket makes three for each.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import suppress
from functools import partial
from typing import Final

import httpx2

from bot.model.guard import Guard

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_READ: Final = 64 * 1024
"""Bytes of one read at most."""
_RECORD: Final = 16 * 1024
"""Bytes of a TLS record at most."""

Address = tuple[
    socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]


class Line:
    """A connected socket. It belongs to one call at a time."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._wake = partial(_shut, sock)
        self._tls: ssl.SSLObject | None = None
        self._coming = ssl.MemoryBIO()
        self._going = ssl.MemoryBIO()
        self._dry = True
        """TLS has nothing more to give of what has come."""
        self._over = False
        """TLS has seen the end."""

    def secure(
        self,
        context: ssl.SSLContext,
        hostname: str,
        guard: Guard,
        longest: float,
        session: ssl.SSLSession | None = None,
    ) -> None:
        """Put TLS on it, and hold the certificate against `hostname`. Raises ConnectError or ConnectTimeout."""
        if self._tls is not None:
            raise httpx2.ConnectError("TLS inside TLS is not supported: use an http:// proxy")
        try:
            tls = context.wrap_bio(self._coming, self._going, server_hostname=hostname, session=session)
            while True:
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    self._more(guard, guard.seconds(longest))
                else:
                    break
            self._send(self._going.read(), guard, longest)
        except httpx2.TimeoutException as error:
            raise httpx2.ConnectTimeout(str(error)) from error
        except (OSError, httpx2.NetworkError) as error:
            with suppress(OSError, httpx2.NetworkError, httpx2.TimeoutException):
                # The other side is told why, as the protocol asks.
                self._send(self._going.read(), guard, longest)
            raise httpx2.ConnectError(str(error)) from error
        self._tls, self._dry = tls, not self._coming.pending

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a later connection may go on from without proving it all again."""
        return None if self._tls is None else self._tls.session

    def read(self, guard: Guard) -> bytes:
        """All that has come, else what comes next; none at the end. Raises ReadTimeout or ReadError."""
        if self._tls is None:
            return self._receive(guard, guard.seconds())
        data = b""
        while not data and not self._over:
            seconds = guard.seconds()
            if self._dry:
                self._more(guard, seconds)
            data = self._opened(self._tls)
        return data

    def arrived(self) -> bytes | None:
        """What has come, without a wait; None where nothing has, no bytes at the end. Raises ReadError."""
        try:
            data = self._sock.recv(_READ)
        except BlockingIOError:
            return None
        except OSError as error:
            raise httpx2.ReadError(str(error)) from error
        if self._tls is None:
            return data
        if data:
            self._coming.write(data)
        else:
            self._coming.write_eof()
        return self._opened(self._tls) or (b"" if self._over else None)

    def fileno(self) -> int:
        """Of the socket."""
        return self._sock.fileno()

    def write(self, data: bytes, guard: Guard) -> None:
        """All of it. Raises WriteTimeout or WriteError."""
        if self._tls is None:
            self._send(data, guard)
            return
        view = memoryview(data)
        while view:
            try:
                view = view[self._tls.write(view[:_RECORD]) :]
            except ssl.SSLWantReadError:
                self._more(guard, guard.seconds())
            except OSError as error:
                raise httpx2.WriteError(str(error)) from error
            if self._going.pending >= _READ or not view:
                self._send(self._going.read(), guard)

    def good(self) -> bool:
        """Whether an idle connection can take another request: nothing came on it, not even its end."""
        if self._sock.fileno() < 0 or self._over:
            return False
        came = _ready(self._sock, 0.0, writing=False)
        if self._tls is None:
            return not came
        # TLS has news of its own, such as tickets for later connections, which come behind the handshake.
        try:
            if came:
                data = self._sock.recv(_READ)
                if not data:
                    return False
                self._coming.write(data)
            return (self._dry and not came) or not (self._opened(self._tls) or self._over)
        except (OSError, httpx2.ReadError):
            return False

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()

    def _opened(self, tls: ssl.SSLObject) -> bytes:
        """The content of the records that have come; none where no record is whole."""
        parts: list[bytes] = []
        self._dry = True
        try:
            while part := tls.read(_READ):
                parts.append(part)
                if not self._coming.pending and not tls.pending():
                    return b"".join(parts)
            self._over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:
            # Closed without TLS's good-bye, as many do. Whether something is missing is for HTTP to say.
            self._over = True
        except OSError as error:
            if not parts:
                raise httpx2.ReadError(str(error)) from error
            # What was whole counts; the next read meets the same error.
            self._dry = False
        return b"".join(parts)

    def _more(self, guard: Guard, seconds: float) -> None:
        """Take TLS's next bytes from the socket."""
        if self._going.pending:
            # Reading made something to say, such as new keys.
            self._send(self._going.read(), guard)
        data = self._receive(guard, seconds)
        if data:
            self._coming.write(data)
        else:
            self._coming.write_eof()

    def _receive(self, guard: Guard, seconds: float) -> bytes:
        try:
            return self._sock.recv(_READ)
        except BlockingIOError:
            pass
        except OSError as error:
            raise httpx2.ReadError(str(error)) from error
        guard.waits(self._wake)
        try:
            while _ready(self._sock, seconds, writing=False):
                with suppress(BlockingIOError):
                    return self._sock.recv(_READ)
        except (OSError, ValueError) as error:
            raise httpx2.ReadError(str(error)) from error
        finally:
            guard.goes_on()
        raise httpx2.ReadTimeout("timed out")

    def _send(self, data: bytes, guard: Guard, longest: float | None = None) -> None:
        rest = memoryview(data)
        while rest:
            seconds = guard.seconds(longest)
            guard.waits(self._wake)
            try:
                rest = rest[self._sock.send(rest) :]
                guard.written()
            except BlockingIOError:
                if not _ready(self._sock, seconds, writing=True):
                    raise httpx2.WriteTimeout("timed out") from None
            except (OSError, ValueError) as error:
                raise httpx2.WriteError(str(error)) from error
            finally:
                guard.goes_on()


def connect(host: str, found: list[Address], guard: Guard, longest: float) -> Line:
    """A connection to the first of the addresses of `host` that answers. Raises ConnectError or ConnectTimeout."""
    error: OSError | None = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(guard.seconds(longest))
            guard.waits(partial(_shut, sock))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Line(sock)
        except OSError as refused:
            sock.close()
            error = refused
        except BaseException:
            sock.close()
            raise
        finally:
            guard.goes_on()
    if isinstance(error, TimeoutError):
        raise httpx2.ConnectTimeout(str(error)) from error
    raise httpx2.ConnectError(str(error or f"{host} has no address")) from error


def addresses(host: str, port: int, guard: Guard, longest: float) -> list[Address]:
    """Addresses of `host`. Raises ConnectError or ConnectTimeout. The resolver cannot be interrupted, so it runs in a thread that may be left behind."""
    found: list[Address] = []
    error: list[OSError] = []
    ready = threading.Event()

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as refused:
            error.append(refused)
        ready.set()

    if host in LOOPBACK:
        look()
    else:
        seconds = guard.seconds(longest)
        guard.waits(ready.set)
        try:
            threading.Thread(target=look, name="spark-resolve", daemon=True).start()
            if not ready.wait(seconds):
                raise httpx2.ConnectTimeout(f"no address of {host} within {seconds:.1f} s")
        finally:
            guard.goes_on()
    if error:
        raise httpx2.ConnectError(str(error[0])) from error[0]
    return found


def _shut(sock: socket.socket) -> None:
    """Wake whoever waits on `sock`."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _ready(sock: socket.socket, seconds: float, *, writing: bool) -> bool:
    """Whether `sock` can be read or written within `seconds`."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLOUT if writing else select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    readers, writers = ([], [sock]) if writing else ([sock], [])
    return any(select.select(readers, writers, [], seconds))
