"""Server-sent events cut out of a byte stream, as small and fast as the hot path needs.

It gives the `data` of each event and nothing else: event names, ids and retry times are of no use to us, since both wire
APIs repeat the type inside the data. It does not decode, parse or judge, and it never raises.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final

MAX_EVENT: Final = 4 * 1024 * 1024
"""Bytes of one event that we are ready to hold. A `response.completed` event repeats the whole answer."""

_BOM: Final = b"\xef\xbb\xbf"
_DATA: Final = b"data:"


class SseSplitter:
    """Feed it bytes as they come, cut anywhere; get the `data` of every event that is complete.

    Follows the WHATWG rules for line ends (LF, CR LF, CR), comments, several `data` lines in one event and one
    byte-order mark at the start.
    """

    __slots__ = ("_after_cr", "_fresh", "_limit", "_tail", "overflowed")

    def __init__(self, *, limit: int = MAX_EVENT) -> None:
        self._tail = b""
        self._fresh = True
        self._after_cr = False
        self._limit = limit
        self.overflowed = False
        """An event grew beyond the limit. Nothing is given out any more."""

    def feed(self, data: bytes) -> list[bytes]:
        """The data of the events that `data` completes, in order."""
        if self.overflowed or not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._only_newlines(data)
        if self._tail:
            data = self._tail + data
        if self._fresh:
            # Fewer than three bytes may still become a byte-order mark.
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._tail = data
                return []
            self._fresh = False
            data = data.removeprefix(_BOM)
        blocks = data.split(b"\n\n")
        self._tail = blocks.pop()
        # One byte more in the tail: it may be the first half of the blank line.
        if len(self._tail) > self._limit + 1 or (blocks and max(map(len, blocks)) > self._limit):
            self.overflowed = True
            self._tail = b""
            blocks = list(takewhile(lambda block: len(block) <= self._limit, blocks))
        return [payload for block in blocks if (payload := _payload(block)) is not None]

    def finish(self) -> list[bytes]:
        """What lies behind the last blank line, as if one followed.

        The rules say to throw it away, but there are servers that close right behind their last event.
        """
        tail, self._tail = self._tail, b""
        payload = _payload(tail)
        return [] if payload is None else [payload]

    def _only_newlines(self, data: bytes) -> bytes:
        """Every line end as one LF. A CR at the end counts at once; the LF that may follow it is then swallowed."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _payload(block: bytes) -> bytes | None:
    """The data of one event's lines; None when it has none (a comment, an id alone)."""
    if b"\n" not in block:
        return _value(block)
    values = [value for line in block.split(b"\n") if (value := _value(line)) is not None]
    return b"\n".join(values) if values else None


def _value(line: bytes) -> bytes | None:
    """What a `data` line carries; None for any other line."""
    if line.startswith(_DATA):
        return line[6:] if line[5:6] == b" " else line[5:]
    return b"" if line == b"data" else None
