"""CPU seconds and peak memory of a product's processes, from outside. Linux alone, as everything here: it reads /proc.

Memory is the sum of the resident memory of the processes, looked at every 20 ms; a shorter peak is missed. Pages that several of
them share count once: the kernel tells each one's part of them (`Pss`), which costs more to ask for, so the share of it in the
resident memory is looked at a few times a second. Refuses to know what it measures.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

EVERY: Final = 0.020
"""Seconds between two looks."""
_WALKS_SHARE: Final = 0.002
"""Finding new processes costs a look at every thread of the known ones; it is done as often as takes this share of a core."""
_WALK_AT_LEAST: Final = 0.25
"""Seconds. On a machine with much else to do a walk takes long, and is not what costs."""
_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MB: Final = 1024 * 1024


class Meter:
    """What some processes use from the beginning of the block to its end.

    `Meter(pid)`: a process that lives on, such as a server, with its descendants. `Meter()`: those which this process starts in
    the block, with theirs; each must have been waited for when the block ends, for the kernel tells their CPU time then.
    """

    def __init__(self, pid: int | None = None) -> None:
        self.cpu = 0.0
        """Seconds, once the block has ended."""
        self.memory = 0.0
        """MB: the largest sum."""
        self.own = 0.0
        """Seconds of processor time that the measuring itself took."""
        self._pid = pid
        self._before: frozenset[int] = frozenset()
        self._known: tuple[int, ...] = ()
        self._began = 0.0
        self._peak = 0.0
        self._part = 1.0
        self._over = False
        self._thread = threading.Thread(target=self._watch, name="meter", daemon=True)

    def __enter__(self) -> Self:
        if self._pid is None:
            self._before = frozenset(_children(os.getpid()))
        self._began = self._used()
        self._walk()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._thread.join()
        self._look()
        self.cpu = max(0.0, self._used() - self._began)
        self.memory = self._peak / _MB

    def pids(self) -> tuple[int, ...]:
        """The processes that are measured now."""
        roots = [self._pid] if self._pid is not None else [p for p in _children(os.getpid()) if p not in self._before]
        return tuple(pid for root in roots for pid in _tree(root))

    def kill(self) -> None:
        """End them all, at once."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _used(self) -> float:
        if self._pid is None:
            return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        return sum(_seconds(pid) for pid in _tree(self._pid))

    def _walk(self) -> None:
        self._known = self.pids()
        if len(self._known) > 1 and (resident := sum(map(_resident, self._known))):
            self._part = min(1.0, sum(map(_proportional, self._known)) / resident)

    def _look(self) -> None:
        self._peak = max(self._peak, self._part * sum(map(_resident, self._known)))

    def _watch(self) -> None:
        walk_at = 0.0
        while not self._over:
            # An event that is waited for with a timeout costs three times as much as this.
            time.sleep(EVERY)
            before = time.thread_time()
            if time.monotonic() >= walk_at:
                self._walk()
                walk_at = time.monotonic() + min(_WALK_AT_LEAST, (time.thread_time() - before) / _WALKS_SHARE)
            self._look()
        self.own = time.thread_time()


def _children(pid: int) -> list[int]:
    """Of all threads of a process; none when it is gone."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - a fifth of the time of Path, and it counts here
            with suppress(OSError):
                found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    return found


def _tree(pid: int) -> list[int]:
    """A process and its descendants."""
    return [pid, *(below for child in _children(pid) for below in _tree(child))]


def _resident(pid: int) -> int:
    """Bytes; 0 for one that is gone."""
    try:
        return int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    """Bytes, of what it shares only its part; all it has where the kernel does not say; 0 for one that is gone."""
    try:
        told = _read(f"/proc/{pid}/smaps_rollup")
    except OSError:
        return _resident(pid)
    found = next((line for line in told.splitlines() if line.startswith(b"Pss:")), b"")
    return int(found.split()[1]) * 1024 if found else 0


def _seconds(pid: int) -> float:
    """Of processor time, that of the children it has waited for included."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICK


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 65_536)
    finally:
        os.close(file)
