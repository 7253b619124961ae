"""The sender of deliveries, in a process of its own: one thread, raw sockets, bodies that were signed before.

Asked to send a file of ready deliveries at a rate or all at once, it notes for each when it was due, when it was sent and
when its answer was there. What happens meanwhile comes in through a socket, ready and signed, and takes the next turn.
"""

from __future__ import annotations

import heapq
import json
import selectors
import socket
import struct
import sys
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from webhook_parts import serve_lines

_MOST = 64
"""Connections of a paced run: more deliveries than that never wait for an answer, unless the server stands still."""
_READ = 1 << 16


@dataclass(slots=True)
class Ready:
    """A delivery that only needs its GUID."""

    kind: str
    event: str
    signature: str
    body: bytes

    def request(self, guid: str, host: str) -> bytes:
        """The whole request."""
        return (
            f"POST /webhook HTTP/1.1\r\nHost: {host}\r\nUser-Agent: GitHub-Hookshot/bench\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\nX-GitHub-Event: {self.event}\r\nX-GitHub-Delivery: {guid}\r\n"
            f"X-Hub-Signature-256: {self.signature}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        ).encode() + self.body


def pack(kind: str, event: str, signature: str, body: bytes) -> bytes:
    """As `read_frames` reads it."""
    head = json.dumps([kind, event, signature]).encode()
    return struct.pack("!II", len(head), len(body)) + head + body


def read_frames(data: bytearray) -> list[Ready]:
    """Take the whole frames off the front of `data`."""
    found = []
    while len(data) >= 8:
        head, body = struct.unpack_from("!II", data)
        if len(data) < 8 + head + body:
            break
        kind, event, signature = json.loads(bytes(data[8 : 8 + head]))
        found.append(Ready(kind, event, signature, bytes(data[8 + head : 8 + head + body])))
        del data[: 8 + head + body]
    return found


@dataclass(slots=True)
class Line:
    """One keep-alive connection."""

    sock: socket.socket
    out: memoryview = field(default_factory=lambda: memoryview(b""))
    came: bytearray = field(default_factory=bytearray)
    now: dict[str, Any] | None = None


class Sender:
    """One run."""

    def __init__(self, port: int, most: int, told: str | None) -> None:
        self._address = ("127.0.0.1", port)
        self._host = f"127.0.0.1:{port}"
        self._most = most
        self._selector = selectors.DefaultSelector()
        self._idle: list[Line] = []
        self._open = 0
        self._live: deque[Ready] = deque()
        self._backlog: deque[tuple[float, str, Ready]] = deque()
        self._told = told
        self._teller = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if told else None
        self.done: list[dict[str, Any]] = []

    def run(self, ready: list[Ready], *, count: int, rate: float, live: str | None, again: float) -> None:
        """Send `count` deliveries, `rate` a second (0: at once), from `ready` in turn; `again` of them a second time."""
        listener = _listen(live, self._selector) if live else None
        began = time.monotonic() + 0.05
        sent = 0
        repeats: list[tuple[float, str, Ready]] = []
        at = 0
        while sent < count or self._backlog or len(self.done) < sent:
            now = time.monotonic()
            while sent < count and (due := began + (sent / rate if rate else 0.0)) <= now:
                guid = str(uuid.uuid4())
                if self._live:
                    one = self._live.popleft()
                elif repeats and repeats[0][0] <= now:
                    _, guid, one = heapq.heappop(repeats)
                    one = Ready("redelivery", one.event, one.signature, one.body)
                else:
                    one = ready[at % len(ready)]
                    at += 1
                    if again and at % round(1 / again) == 0:
                        heapq.heappush(repeats, (now + 1.0, guid, one))
                self._backlog.append((due, guid, one))
                sent += 1
            while self._backlog and (line := self._line()) is not None:
                self._send(line, *self._backlog.popleft())
            pause = 0.05 if sent >= count or not rate else max(0.0, began + sent / rate - time.monotonic())
            for key, _ in self._selector.select(pause):
                if isinstance(key.data, Line):
                    self._serve(key.data)
                else:
                    self._take(key)
        if listener is not None:
            listener.close()
            Path(str(live)).unlink(missing_ok=True)
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _line(self) -> Line | None:
        if self._idle:
            return self._idle.pop()
        if self._open >= self._most:
            return None
        self._open += 1
        sock = socket.create_connection(self._address, timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(0)
        line = Line(sock)
        self._selector.register(sock, selectors.EVENT_READ, line)
        return line

    def _send(self, line: Line, due: float, guid: str, one: Ready) -> None:
        line.now = {"guid": guid, "kind": one.kind, "due": due, "sent": time.monotonic()}
        line.out = memoryview(one.request(guid, self._host))
        self._write(line)

    def _write(self, line: Line) -> bool:
        try:
            line.out = line.out[line.sock.send(line.out) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self._lost(line, type(error).__name__)
            return False
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.out else 0)
        self._selector.modify(line.sock, events, line)
        return True

    def _serve(self, line: Line) -> None:
        if line.out and not self._write(line):
            return
        try:
            data = line.sock.recv(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(line, type(error).__name__)
            return
        if not data:
            self._lost(line, "closed")
            return
        line.came += data
        head, found, body = line.came.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self._answered(line, int(head[9:12]), json.loads(bytes(body[:length])))

    def _answered(self, line: Line, status: int, body: dict[str, Any]) -> None:
        assert line.now is not None
        line.now |= {"end": time.monotonic(), "status": status, "job": body.get("job")}
        line.now["why"] = body.get("reason") or body.get("error") or ""
        self.done.append(line.now)
        if status == 202 and self._teller is not None:
            try:
                self._teller.sendto(str(body["job"]).encode(), str(self._told))
            except OSError:
                self._teller = None
        line.now = None
        line.came.clear()
        self._idle.append(line)

    def _lost(self, line: Line, why: str) -> None:
        self._selector.unregister(line.sock)
        line.sock.close()
        self._open -= 1
        if line.now is not None:
            self.done.append({**line.now, "end": time.monotonic(), "status": 0, "job": None, "why": why})
        elif line in self._idle:
            self._idle.remove(line)

    def _take(self, key: selectors.SelectorKey) -> None:
        assert isinstance(key.fileobj, socket.socket)
        if key.data is None:
            sock, _ = key.fileobj.accept()
            sock.settimeout(0)
            self._selector.register(sock, selectors.EVENT_READ, bytearray())
            return
        data = key.fileobj.recv(1 << 20)
        if not data:
            self._selector.unregister(key.fileobj)
            key.fileobj.close()
            return
        key.data.extend(data)
        self._live.extend(read_frames(key.data))


def _listen(path: str, selector: selectors.BaseSelector) -> socket.socket:
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    selector.register(listener, selectors.EVENT_READ, None)
    return listener


def _run(
    *,
    port: int,
    file: str,
    count: int,
    rate: float,
    most: int = _MOST,
    live: str | None = None,
    told: str | None = None,
    again: float = 0.0,
    into: str,
) -> dict[str, object]:
    sender = Sender(port, most, told)
    ready = read_frames(bytearray(Path(file).read_bytes()))
    cpu, began = time.process_time(), time.monotonic()
    sender.run(ready, count=count, rate=rate, live=live, again=again)
    used, took = time.process_time() - cpu, time.monotonic() - began
    Path(into).write_text(json.dumps(sender.done))
    return {"cpu": used, "seconds": took}


if __name__ == "__main__":
    serve_lines({"run": _run})
