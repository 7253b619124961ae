"""The files of a pull as its head has them: known without asking, from memory where one query brought them, else singly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from typing import Protocol

from bot.diff.model import is_binary
from bot.github import limits
from bot.github.blobs import Blob, BlobAnswer, Place, try_fetch_blob
from bot.github.client import GitHubClient
from bot.review.model import Pull
from bot.review.ports import Stop


class Batch(Protocol):
    """A query for many files."""

    def start(self) -> None:
        """Send it, if that has not been done."""
        ...

    def result(self) -> BlobAnswer | None:
        """Wait for it; None where it failed."""
        ...


def as_text(data: bytes) -> str | None:
    """The bytes of a file as text (utf-8, surrogateescape); None for a binary one."""
    return None if is_binary(data) else data.decode("utf-8", "surrogateescape")


class PullHeadFiles:
    """The `HeadFiles` port for a pull. Safe for threads; each file is fetched once at most.

    `known` maps a path to its bytes, `batches` to the query that should bring it, `oids` to the blob's id; `gone` are removed.
    `learn` is told what was read. A file that the base repository does not show is looked for in the fork. Never raises for what
    GitHub does: None then, as the port says.
    """

    def __init__(
        self,
        client: GitHubClient,
        pull: Pull,
        *,
        batches: Mapping[str, Batch],
        oids: Mapping[str, str],
        gone: Collection[str],
        known: Mapping[str, bytes],
        learn: Callable[[str, bytes], None],
        stop: Stop,
    ) -> None:
        self._client = client
        self._pull = pull
        self._batches = dict(batches)
        self._oids = dict(oids)
        self._gone = frozenset(gone)
        self._known = dict(known)
        self._learn = learn
        self._stop = stop
        self._lock = threading.Lock()
        self._texts: dict[str, Future[str | None]] = {}

    def text(self, path: str) -> str | None:
        """The file at the head; None when there is none, or it cannot be had."""
        with self._lock:
            known = self._texts.get(path)
            mine: Future[str | None] | None = None if known is not None else Future()
            if mine is not None:
                self._texts[path] = mine
        if known is not None:
            try:
                return known.result()
            except CancelledError:
                return None
        assert mine is not None
        try:
            mine.set_result(self._load(path))
        except BaseException as error:
            mine.set_exception(error)
            raise
        return mine.result()

    def prefetch(self, paths: Sequence[str]) -> None:
        """Send the queries that bring these, and fetch what no query brings. Does not wait."""
        with self._lock:
            for path in paths:
                if path in self._batches:
                    self._batches[path].start()
                elif path not in self._texts and path not in self._known:
                    self._texts[path] = self._client.submit(self._load, path)

    def _load(self, path: str) -> str | None:
        if path in self._gone:
            return None
        if path in self._known:
            return as_text(self._known[path])
        batch = self._batches.get(path)
        place = Place(self._pull.head_sha, path)
        answer = batch.result() if batch is not None else None
        blob: Blob | None = answer.blobs.get(place) if answer is not None else None
        if blob is not None:
            if blob.data is not None:
                self._learn(path, blob.data)
                return as_text(blob.data)
            if blob.size > limits.MAX_RAW_BYTES:
                return None
        data = self._fetch(place)
        if data is None:
            return None
        self._learn(path, data)
        return as_text(data)

    def _fetch(self, place: Place) -> bytes | None:
        oid = self._oids.get(place.path)
        data = try_fetch_blob(self._client, self._pull.repo, place, stop=self._stop, oid=oid)
        if data is None and self._pull.is_fork and self._pull.head_repo is not None:
            data = try_fetch_blob(self._client, self._pull.head_repo, place, stop=self._stop, oid=oid)
        return data
