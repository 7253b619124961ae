"""Bodies of HTTP/1.1 answers out of a byte stream cut anywhere: chunked, of a known length, or up to the close.

A parser that gives an event for each chunk costs more than all the rest of reading a fast stream, whose every token is a
chunk. So a whole read is taken apart at once. The rules are h11's: what it refuses is refused here, and trailers, which
hardly anybody sends, are given to h11 itself. Pure: no socket, no wait; a fault is a value, not an exception.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import h11

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;[^\n]*|[ \t]*)\r\n")
"""RFC 9112, 7.1: the size of a chunk, extensions, the line's end. No sign, no `0x`, no space before it."""
_LONGEST_LINE: Final = 16 * 1024
"""Bytes of a size line, or of all trailers, that we are ready to hold: h11's own limit."""
_END: Final = b"\r\n"


class Body(Protocol):
    """What comes behind a head."""

    @property
    def done(self) -> bool:
        """It was read to its end."""
        ...

    @property
    def fault(self) -> str:
        """Why it can be read no further; empty while it can."""
        ...

    @property
    def clean(self) -> bool:
        """It is done and nothing was behind it, so that the connection can take another request."""
        ...

    def feed(self, data: bytes) -> bytes:
        """The content in these bytes. What came before a fault is given out."""
        ...

    def close(self) -> None:
        """The other side closed the connection: that is the end, or a fault."""
        ...


class ChunkedBody:
    """`Transfer-Encoding: chunked`."""

    __slots__ = ("_left", "_tail", "_trailing", "clean", "done", "fault")

    def __init__(self) -> None:
        self.done = False
        self.clean = False
        self.fault = ""
        self._tail = b""
        """A size line, a chunk's end or trailers of which only a part is here."""
        self._left = 0
        """Bytes that the current chunk still has, its line's end not counted; -1 where that alone is missing."""
        self._trailing = False

    def feed(self, data: bytes) -> bytes:
        """The content in these bytes. What came before a fault is given out."""
        if self.done or self.fault:
            self.clean = self.clean and not data
            return b""
        if self._tail:
            data = self._tail + data
            self._tail = b""
        parts: list[bytes] = []
        at = 0
        end = len(data)
        while at < end and not self._trailing:
            if self._left:
                at = self._rest(data, at, parts)
                continue
            size = _SIZE.match(data, at)
            if size is None:
                self._unsized(data, at)
                return b"".join(parts)
            at = size.end()
            length = int(size[1], 16)
            if not length:
                self._trailing = True
                break
            stop = at + length
            if data[stop : stop + 2] == _END:
                # The shape of nearly all chunks: whole in this read.
                parts.append(data[at:stop])
                at = stop + 2
            else:
                self._left = length
        if self._trailing:
            self._trailers(data[at:])
        return b"".join(parts)

    def close(self) -> None:
        """The other side closed the connection: that is the end, or a fault."""
        if not self.done:
            self.fault = (
                self.fault or "peer closed connection without sending complete message body (incomplete chunked read)"
            )

    def _rest(self, data: bytes, at: int, parts: list[bytes]) -> int:
        """Go on in a chunk that is not whole in one read. Gives the place behind what was taken."""
        if self._left > 0:
            piece = data[at : at + self._left]
            parts.append(piece)
            self._left = self._left - len(piece) or -1
            return at + len(piece)
        found = data[at : at + 2]
        if found == _END:
            self._left = 0
        elif found == _END[:1]:
            self._tail = found
        else:
            self.fault = f"malformed chunk footer: {found!r}"
            return len(data)
        return at + len(found)

    def _unsized(self, data: bytes, at: int) -> None:
        """Where a size line should be there is none, or a part of one."""
        if data.find(_END, at) >= 0:
            self.fault = f"illegal chunk header: {data[at : at + 60]!r}"
        elif len(data) - at > _LONGEST_LINE:
            self.fault = "a chunk header without an end"
        else:
            self._tail = data[at:]

    def _trailers(self, data: bytes) -> None:
        if data.startswith(_END):
            self.done, self.clean = True, len(data) == len(_END)
            return
        if _END.startswith(data):
            self._tail = data
            return
        judge = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_LINE)
        judge.send(h11.Request(method="GET", target="/", headers=[("host", "h")]))
        judge.receive_data(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + data)
        try:
            while (event := judge.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage):
                    self.done, self.clean = True, not judge.trailing_data[0]
                    return
        except h11.RemoteProtocolError as error:
            self.fault = str(error)
            return
        self._tail = data


class LengthBody:
    """`Content-Length`, and bodies that cannot be: length 0."""

    __slots__ = ("_left", "_length", "clean", "done", "fault")

    def __init__(self, length: int) -> None:
        self._length = self._left = length
        self.done = self.clean = not length
        self.fault = ""

    def feed(self, data: bytes) -> bytes:
        """The content in these bytes."""
        piece = data[: self._left]
        self._left -= len(piece)
        self.done = not self._left
        self.clean = self.done and len(piece) == len(data)
        return piece

    def close(self) -> None:
        """The other side closed the connection: that is the end, or a fault."""
        if not self.done:
            self.fault = (
                "peer closed connection without sending complete message body "
                f"(received {self._length - self._left} bytes, expected {self._length})"
            )


class OpenBody:
    """Everything up to the close: HTTP/1.0, and servers that name neither a length nor chunks."""

    __slots__ = ("clean", "done", "fault")

    def __init__(self) -> None:
        self.done = False
        self.clean = False
        self.fault = ""

    def feed(self, data: bytes) -> bytes:
        """These bytes."""
        return data

    def close(self) -> None:
        """The other side closed the connection: that is the end."""
        self.done = True


def body_of(head: h11.Response) -> Body:
    """The body behind this head of an answer to a GET or POST: RFC 9112, 6.3."""
    if head.status_code in {204, 304}:
        return LengthBody(0)
    lengths = None
    for name, value in head.headers:
        if name == b"transfer-encoding":
            # h11 lets no other encoding through.
            return ChunkedBody()
        if name == b"content-length":
            lengths = int(value)
    return OpenBody() if lengths is None else LengthBody(lengths)


def keeps(head: h11.Response) -> bool:
    """Whether the other side is ready for another request on this connection."""
    words = b",".join(value for name, value in head.headers if name == b"connection").lower()
    return head.http_version >= b"1.1" and b"close" not in {word.strip() for word in words.split(b",")}
