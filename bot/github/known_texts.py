"""Texts of files that a process has read before, so that the same text is not asked for again. In memory alone, and bounded.

A text is only ever given for the name that git has for it (its blob id, in full, as GitHub gave it), so what is wrong here can
cost a request and never a wrong text. Texts of one repository are not used for another. See docs/threat-model.md.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NewType

from bot.diff.model import FilePatch, FileStatus, is_binary
from bot.github.names import origin
from bot.github.replay import after, before, blob_id, is_blob_id, is_plain
from bot.review.model import RepoName

MOST_BYTES: Final = 64_000_000
"""Of all texts together; those used longest ago are forgotten first."""
MOST_OF_ONE: Final = 1_000_000
"""A longer text is no program that somebody reviews."""
VERSIONS: Final = 4
"""Of one path, the newest ones: its base, its head, and those of a pull or two more."""
_ENTRY: Final = 400
"""Bytes of the bookkeeping of one text, about."""
_LINE: Final = 300
"""Bytes of one line of a hunk that waits, about."""
_WAITING: Final = 16_000_000
"""Bytes that may wait to be worked out."""
_REPOSITORIES: Final = 2_000
"""Repositories of which the guidelines' names are known, and large pulls of which the number of files is."""
_GUIDELINES: Final = 16
"""Names known of one repository."""
_LISTED: Final = 100
"""Files of a pull up to which nothing is remembered of its list: it is one page."""

Home = NewType("Home", str)
"""One repository of one GitHub."""


def home_of(api_url: str, repo: RepoName) -> Home:
    """The repository whose pull is read, forks' heads among it. GitHub's names know no case."""
    return Home(f"{origin(api_url)} {repo.lower()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A text as it was read, with the change it is the end of."""

    home: Home
    file: FilePatch
    oid: str
    data: bytes

    @property
    def weight(self) -> int:
        return len(self.data) + _LINE * sum(len(hunk.lines) for hunk in self.file.hunks)


class KnownTexts:
    """The texts of one process. Safe for threads."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._working = threading.Lock()
        self._texts: OrderedDict[tuple[Home, str, str], bytes] = OrderedDict()
        self._versions: dict[tuple[Home, str], list[str]] = {}
        self._held = 0
        self._read: deque[_Read] = deque()
        self._waiting = 0
        self._guidelines: OrderedDict[Home, tuple[str, ...]] = OrderedDict()
        self._listed: OrderedDict[tuple[Home, int], int] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes of all texts with their bookkeeping, about; never more than `most_bytes`."""
        with self._lock:
            return self._held

    def may_know(self, home: Home, path: str, *, old_path: str | None, oid: str) -> bool:
        """Whether `text` has something to try. Works nothing out but what waits to be."""
        self.work_out()
        with self._lock:
            return (home, path, oid) in self._texts or (home, old_path or path) in self._versions

    def text(self, home: Home, file: FilePatch, oid: str) -> bytes | None:
        """The file at the change's head, whose blob id is `oid`: known as it is, or out of a known text before the change.

        An added file is whole in its hunks. None where it must be read. Never raises.
        """
        if not is_blob_id(oid):
            return None
        self.work_out()
        if (known := self._known(home, file.path, oid)) is not None:
            return known
        if not is_plain(file):
            return None
        for name, old in self._before(home, file):
            made = after(old, file)
            if made is not None and blob_id(made, like=oid) == oid:
                self._touch(home, file.old_path or file.path, name)
                self._keep(home, file.path, oid, made)
                return made
        return None

    def learn(self, home: Home, file: FilePatch, oid: str, data: bytes) -> None:
        """`data` was read as the file at the head. What follows from it is worked out later: nobody waits for it now."""
        if not is_blob_id(oid) or not is_plain(file) or len(data) > MOST_OF_ONE or is_binary(data):
            return
        read = _Read(home=home, file=file, oid=oid, data=data)
        with self._lock:
            self._read.append(read)
            self._waiting += read.weight
            is_much = self._waiting > _WAITING
        if is_much:
            self.work_out()

    def work_out(self) -> None:
        """Keep what was read, and each file as it was before its change. Best done while a network is waited for."""
        # Whoever looks for a text that another thread is just working out waits for it here.
        with self._working:
            while True:
                with self._lock:
                    if not self._read:
                        return
                    read = self._read.popleft()
                    self._waiting -= read.weight
                if blob_id(read.data, like=read.oid) != read.oid:
                    continue
                self._keep(read.home, read.file.path, read.oid, read.data)
                old = before(read.data, read.file) if read.file.status is not FileStatus.ADDED else None
                if old is not None:
                    # Kept by its own name: if GitHub's diff is not true to its bytes, nobody will ask for it.
                    path = read.file.old_path or read.file.path
                    self._keep(read.home, path, blob_id(old, like=read.oid), old)

    def guidelines(self, home: Home) -> tuple[str, ...]:
        """The guideline files that the repository's configuration named when it was last read: a hint, and no more."""
        with self._lock:
            return self._guidelines.get(home, ())

    def learn_guidelines(self, home: Home, names: Sequence[str]) -> None:
        """What it names now."""
        with self._lock:
            self._guidelines.pop(home, None)
            if names:
                self._guidelines[home] = tuple(names[:_GUIDELINES])
            while len(self._guidelines) > _REPOSITORIES:
                self._guidelines.popitem(last=False)

    def listed(self, home: Home, number: int) -> int:
        """How many files the pull had when it was last read; 0 for few or unknown. A hint, and no more."""
        with self._lock:
            return self._listed.get((home, number), 0)

    def learn_listed(self, home: Home, number: int, files: int) -> None:
        """How many it has now."""
        with self._lock:
            self._listed.pop((home, number), None)
            if files > _LISTED:
                self._listed[home, number] = files
            while len(self._listed) > _REPOSITORIES:
                self._listed.popitem(last=False)

    def _known(self, home: Home, path: str, oid: str) -> bytes | None:
        self._touch(home, path, oid)
        with self._lock:
            return self._texts.get((home, path, oid))

    def _before(self, home: Home, file: FilePatch) -> list[tuple[str, bytes]]:
        """What the file may have been before its change, by its name; what was used last comes first."""
        if file.status is FileStatus.ADDED:
            return [("", b"")]
        path = file.old_path or file.path
        with self._lock:
            return [(oid, self._texts[home, path, oid]) for oid in reversed(self._versions.get((home, path), []))]

    def _touch(self, home: Home, path: str, oid: str) -> None:
        """It was used: forget it last."""
        with self._lock:
            if (home, path, oid) in self._texts:
                self._texts.move_to_end((home, path, oid))
                versions = self._versions[home, path]
                versions.remove(oid)
                versions.append(oid)

    def _keep(self, home: Home, path: str, oid: str, data: bytes) -> None:
        size = _size(path, data)
        if len(data) > MOST_OF_ONE or size > self._most or is_binary(data):
            return
        self._touch(home, path, oid)
        with self._lock:
            if (home, path, oid) in self._texts:
                return
            self._texts[home, path, oid] = data
            self._held += size
            versions = self._versions.setdefault((home, path), [])
            versions.append(oid)
            if len(versions) > VERSIONS:
                self._forget(home, path, versions[0])
            while self._held > self._most:
                self._forget(*next(iter(self._texts)))

    def _forget(self, home: Home, path: str, oid: str) -> None:
        """With the lock held."""
        self._held -= _size(path, self._texts.pop((home, path, oid)))
        versions = self._versions[home, path]
        versions.remove(oid)
        if not versions:
            del self._versions[home, path]


def _size(path: str, data: bytes) -> int:
    return len(data) + 2 * len(path) + _ENTRY
