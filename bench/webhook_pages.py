"""Live pages as a browser holds them open, in a process of their own: one thread, many streams of events.

A part of them watches a slow review from beginning to end; the others always go on to the newest one. Of each event that
tells when it happened, the moment it came is kept.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from webhook_parts import serve_lines

_AGAIN = 1.0
"""Seconds before a page whose review is over is opened again, when there is no newer one."""
_MOST_KEPT = 200_000


@dataclass(slots=True)
class Page:
    """One stream."""

    job: str
    sock: socket.socket
    slow: bool
    opened: float
    """Seconds since 1970."""
    came: bytearray = field(default_factory=bytearray)


class Pages:
    """All of them."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._newest = ""
        self._changed_at = 0.0
        self.seen: list[tuple[str, str, float, float, float]] = []
        self.events = 0
        self.opened = 0
        self.refused = 0
        self.standing: list[int] = []
        self.failed = ""

    def start(self, *, port: int, number: int, slow: list[str], told: str) -> bool:
        """Open them; `told` is where the ids of new jobs come in."""
        Path(told).unlink(missing_ok=True)
        ids = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ids.bind(told)
        ids.settimeout(0)
        self._thread = threading.Thread(target=self._run, args=(port, number, slow, ids), daemon=True)
        self._thread.start()
        return True

    def stop(self, *, into: str) -> dict[str, object]:
        """Close them, and tell what came."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join()
        Path(into).write_text(json.dumps(self.seen))
        return {
            "events": self.events,
            "opened": self.opened,
            "refused": self.refused,
            "standing": self.standing,
            "failed": self.failed,
        }

    def _run(self, port: int, number: int, slow: list[str], ids: socket.socket) -> None:
        selector = selectors.DefaultSelector()
        selector.register(ids, selectors.EVENT_READ, None)
        due: list[tuple[float, bool, str]] = []
        pages = 0
        for at in range(number):
            job = slow[at % len(slow)]
            # Three of five watch the slow reviews.
            self._open(selector, port, job, slow=at % 5 < 3)
            pages += 1
        looked = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now > looked + 1.0:
                looked = now
                self.standing.append(pages)
            for key, _ in selector.select(0.05):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            self._newest = ids.recv(64).decode()
                    continue
                page: Page = key.data
                if not self._read(page):
                    selector.unregister(page.sock)
                    page.sock.close()
                    pages -= 1
                    due.append((now + (_AGAIN if page.job == self._newest else 0.0), page.slow, page.job))
            for again in [each for each in due if each[0] <= now]:
                due.remove(again)
                job = again[2] if again[1] else self._newest or again[2]
                self._open(selector, port, job, slow=again[1])
                pages += 1
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        selector.close()

    def _open(self, selector: selectors.BaseSelector, port: int, job: str, *, slow: bool) -> None:
        sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        sock.sendall(
            f"GET /reviews/{job}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
        )
        sock.settimeout(0)
        self.opened += 1
        selector.register(sock, selectors.EVENT_READ, Page(job, sock, slow, time.time()))

    def _read(self, page: Page) -> bool:
        """False when the stream has ended."""
        try:
            data = page.sock.recv(1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        now = time.time()
        page.came += data
        *lines, rest = page.came.split(b"\n")
        page.came = bytearray(rest)
        event = ""
        for line in lines:
            if line.startswith(b"HTTP/1.1 ") and not line.startswith(b"HTTP/1.1 200"):
                self.refused += 1
                self.failed = line.decode().strip()
                return False
            if line.startswith(b"event:"):
                event = line[6:].strip().decode()
            elif line.startswith(b"data:"):
                self.events += 1
                told = json.loads(line[5:])
                if isinstance(told, dict) and "at" in told and len(self.seen) < _MOST_KEPT:
                    self.seen.append((page.job, event, float(told["at"]), page.opened, now))
        # The last chunk of a stream that has ended; the connection itself may stay.
        return not (lines and lines[-1].strip() == b"" and b"0\r" in [bytes(line) for line in lines[-3:]])


def main() -> None:
    """Serve until standard input ends."""
    pages = Pages()
    serve_lines({"start": pages.start, "stop": pages.stop})


if __name__ == "__main__":
    main()
