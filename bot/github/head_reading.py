"""The files' texts at a pull's head, for one reading: those that follow from what is known, and queries for the others.

What is unknown for sure is asked for before the change is parsed; what only the parsed change shows to be unknown, after it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial

from bot import log
from bot.diff.model import FilePatch, FileStatus
from bot.errors import SparkError
from bot.github import limits
from bot.github.blobs import Blob, BlobAnswer, Place, batches, query_blobs
from bot.github.client import GitHubClient
from bot.github.head_files import PullHeadFiles
from bot.github.known_texts import Home, KnownTexts
from bot.github.patches import Draft
from bot.github.records import FileRecord
from bot.review.model import CommitSha, Pull
from bot.review.ports import HeadFiles, Stop

_LARGE_CHANGE = 5_000
"""Changed lines above which a file's text is fetched only when somebody asks for it: a lock file, most likely."""


class _Query:
    """A query for one batch, sent when started, whose failure is no reason to stop: single files can still be read."""

    def __init__(self, send: Callable[[], Future[BlobAnswer]]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._future: Future[BlobAnswer] | None = None

    def start(self) -> None:
        """Send it, once."""
        with self._lock:
            if self._future is None:
                self._future = self._send()

    def result(self) -> BlobAnswer | None:
        """Wait for the answer; None where it failed."""
        self.start()
        assert self._future is not None
        try:
            return self._future.result()
        except (SparkError, CancelledError):
            return None


class HeadReading:
    """`begin`, then `complete`, then `head` and `files`; all from one thread."""

    def __init__(
        self,
        client: GitHubClient,
        pull: Pull,
        records: Sequence[FileRecord],
        *,
        number: int | None,
        texts: KnownTexts,
        home: Home,
        stop: Stop,
    ) -> None:
        """`number`: of the pull whose head is asked for beside the files; None where it cannot move."""
        self._client = client
        self._pull = pull
        self._records = [record for record in records if record.status != "removed"]
        self._gone = frozenset(record.path for record in records if record.status == "removed")
        self._number = number
        self._texts = texts
        self._home = home
        self._stop = stop
        self._queries: list[tuple[tuple[Place, ...], _Query]] = []
        self._asked: frozenset[str] = frozenset()
        self._known: dict[str, bytes] = {}
        self._patches: dict[str, tuple[FilePatch, str]] = {}
        """By path: the change, and the blob's id."""

    def begin(self) -> None:
        """Ask for what nothing is known of. Waits for nothing."""
        strange = [record for record in self._records if not self._may_know(record)]
        self._asked = frozenset(record.path for record in strange)
        self._query(strange)

    def complete(self, draft: Draft, fields: Mapping[str, log.Field]) -> None:
        """Find the other texts, and ask for those that cannot be found. Waits for nothing. `fields`: for the log."""
        named = Counter(file.path for file in draft.files.values())
        for index, file in draft.files.items():
            record = draft.records[index] if index < len(draft.records) else None
            # Two sections of one path are a change of type, and neither is the whole of it.
            if record is None or record.sha is None or record.status == "removed" or named[file.path] > 1:
                continue
            self._patches[file.path] = file, record.sha
            if file.path not in self._asked and (text := self._texts.text(self._home, file, record.sha)) is not None:
                self._known[file.path] = text
        self._query([one for one in self._records if one.path not in self._asked and one.path not in self._known])
        added = sum(self._patches[path][0].status is FileStatus.ADDED for path in self._known)
        known = len(self._known)
        log.info("pull.texts", **fields, added=added, known=known - added, unknown=len(self._records) - known)

    def head(self) -> CommitSha | None:
        """The head that the first query named; None where none was needed, or it failed. Waits for it."""
        if not self._queries:
            return None
        first = self._queries[0][1].result()
        if first is None:
            # Where the first was refused, the others will be too: then single reads begin at once.
            self._queries = []
            return None
        return first.head

    def blobs(self, paths: Sequence[str]) -> dict[Place, Blob]:
        """What is asked for about these files anyway. Waits for it; what failed is left out."""
        wanted = frozenset(paths)
        queries = [query for batch, query in self._queries if any(place.path in wanted for place in batch)]
        for query in queries:
            query.start()
        answers = [answer for query in queries if (answer := query.result()) is not None]
        found = [pair for answer in answers for pair in answer.blobs.items()]
        return {place: blob for place, blob in found if blob is not None and place.path in wanted}

    def files(self) -> HeadFiles:
        """The texts, for whoever wants them."""
        return PullHeadFiles(
            self._client,
            self._pull,
            batches={place.path: query for batch, query in self._queries for place in batch},
            oids={record.path: record.sha for record in self._records if record.sha},
            gone=self._gone,
            known=self._known,
            learn=self._learn,
            stop=self._stop,
        )

    def _may_know(self, record: FileRecord) -> bool:
        if record.sha is None:
            return False
        if record.status == "added":
            return record.patch is not None or record.changes == 0
        return self._texts.may_know(self._home, record.path, old_path=record.old_path, oid=record.sha)

    def _learn(self, path: str, data: bytes) -> None:
        if path in self._patches:
            file, oid = self._patches[path]
            self._texts.learn(self._home, file, oid, data)

    def _query(self, records: Sequence[FileRecord]) -> None:
        """In as many queries as it takes, the first of them sent."""
        if not self._client.has_token:
            return
        weight = {record.path: record.changes for record in records}
        places = [Place(self._pull.head_sha, one.path) for one in records if one.changes <= _LARGE_CHANGE]
        for batch in batches(places, weight):
            query = _Query(partial(self._send, batch, None if self._queries else self._number))
            if len(self._queries) < limits.EAGER_QUERIES:
                query.start()
            self._queries.append((batch, query))

    def _send(self, batch: tuple[Place, ...], number: int | None) -> Future[BlobAnswer]:
        return self._client.submit(query_blobs, self._client, self._pull.repo, batch, stop=self._stop, number=number)
