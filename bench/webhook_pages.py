"""Live pages as a browser holds them open, in a process of their own: one thread, many streams of events.

Each is fetched and then follows its events, as the page's script does. A hundred watch a slow review from beginning
to end; some more always go on to the newest one. A fifth asks for the events as programs do, which tell when they happened:
of these the moment they came is kept.
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

STAY = 100
"""Pages that watch a slow review; those above that go on to the newest one."""
_AGAIN = 1.0
"""Seconds, times one to three: before somebody whose review is over opens the newest one."""
_MOST_KEPT = 200_000


@dataclass(slots=True)
class Page:
    """One page, then its stream."""

    job: str
    sock: socket.socket
    at: int
    opened: float
    """When the stream was asked for, in seconds since 1970; 0 before that."""
    came: bytearray = field(default_factory=bytearray)

    @property
    def stays(self) -> bool:
        """Whether it watches a slow review."""
        return self.at < STAY

    @property
    def plain(self) -> bool:
        """Whether it asks as a program does."""
        return self.at % 5 == 0


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

    def start(self, *, port: int, number: int, slow: list[str], over: str, told: str) -> bool:
        """Open them; `told` is where the ids of new jobs come in, `over` a review that is over."""
        Path(told).unlink(missing_ok=True)
        ids = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ids.bind(told)
        ids.settimeout(0)
        self._newest = over
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
        due: list[tuple[float, int, str]] = []
        for at in range(number):
            self._open(selector, port, slow[at % len(slow)] if at < STAY else self._newest, at)
        looked = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now > looked + 1.0:
                looked = now
                self.standing.append(number - len(due))
            for key, _ in selector.select(0.02):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            self._newest = ids.recv(64).decode()
                    continue
                page: Page = key.data
                if not self._read(page):
                    selector.unregister(page.sock)
                    page.sock.close()
                    # One after the other: ten people do not click in the same millisecond.
                    due.append((now + _AGAIN * (1 + page.at % 10 / 5), page.at, page.job))
            for again in [each for each in due if each[0] <= now]:
                due.remove(again)
                self._open(selector, port, again[2] if again[1] < STAY else self._newest, again[1])
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        selector.close()

    def _open(self, selector: selectors.BaseSelector, port: int, job: str, at: int) -> None:
        sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        sock.settimeout(0)
        page = Page(job, sock, at, 0.0)
        self._ask(page, f"/reviews/{job}")
        selector.register(sock, selectors.EVENT_READ, page)

    def _ask(self, page: Page, path: str) -> None:
        page.sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode())

    def _follow(self, page: Page) -> bool:
        """Go on to the stream when the page is there. False when it was refused."""
        head, found, body = page.came.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
            return True
        if not head.startswith(b"HTTP/1.1 200"):
            self.refused += 1
            self.failed = head.decode().splitlines()[0]
            return False
        self.opened += 1
        page.came.clear()
        page.opened = time.time()
        self._ask(page, f"/reviews/{page.job}/events{'' if page.plain else '?for=page'}")
        return True

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
        if not page.opened:
            return self._follow(page)
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
                if event == "over":
                    return False
            elif line.startswith(b"data:"):
                self.events += 1
                if page.plain and len(self.seen) < _MOST_KEPT and "at" in (told := json.loads(line[5:])):
                    self.seen.append((page.job, event, float(told["at"]), page.opened, now))
        # The last chunk of a stream that was ended; the connection itself may stay.
        return not (lines and lines[-1].strip() == b"" and b"0\r" in [bytes(line) for line in lines[-3:]])


def main() -> None:
    """Serve until standard input ends."""
    pages = Pages()
    serve_lines({"start": pages.start, "stop": pages.stop})


if __name__ == "__main__":
    main()
