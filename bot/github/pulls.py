"""A pull request as a `Source`: two rounds of requests for what a review needs, more only for what GitHub leaves out.

Round one: the pull and the list of its files. Round two: the base's configuration and the files at the head, in one query.
Nothing is written, and no code of the pull is run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial

from bot.errors import OutsideError, SparkError
from bot.github import limits
from bot.github.blobs import BlobAnswer, Place, batches, fetch_blob, query_blobs
from bot.github.client import GitHubClient, gather
from bot.github.fallback import diff_is_allowed, fetch_diff, fill
from bot.github.head_files import PullHeadFiles, as_text
from bot.github.patches import Compare, from_records
from bot.github.records import FileRecord, PullRecord, read_files, read_pull
from bot.review.model import Change, CommitSha, Pull, RepoName
from bot.review.ports import HeadFiles, Opened, Stop
from bot.review.scope import Skip, SkipReason

BASE_FILES = (".github/spark.yml", ".gitattributes")
"""What is read from the base: a pull must not change the rules it is reviewed by."""

_SECONDS = 300.0
"""For reading a pull when the caller names no deadline."""

_LARGE_CHANGE = 5_000
"""Changed lines above which a file's text is fetched only when somebody asks for it: a lock file, most likely."""

_READINGS = 2


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What round one gave."""

    record: PullRecord
    files: list[FileRecord]
    beyond: str = ""
    """Why GitHub may have left out files without a word; empty where it has not."""

    @property
    def is_of_one_head(self) -> bool:
        """Whether the pull and every page of its files were answered for the same head."""
        head = self.record.pull.head_sha
        listed = min(self.record.totals.files, limits.MAX_PULL_FILES)
        return len(self.files) == listed and all(
            file.head in {None, head} for file in self.files if file.status != "removed"
        )


class PullSource:
    """The `Source` port for `repo`#`number`.

    `compare` makes hunks from two blobs where GitHub gives no diff. Raises NotPermittedError for a pull that is not there or not
    to be seen, CredentialsError for a bad token, OutsideError when GitHub stays down.
    """

    def __init__(
        self, client: GitHubClient, repo: RepoName, number: int, *, compare: Compare, stop: Stop | None = None
    ) -> None:
        self._client = client
        self._repo = repo
        self._number = number
        self._compare = compare
        self._stop = stop or Stop(deadline=client.clock.now() + _SECONDS, clock=client.clock)

    def open(self) -> Opened:
        """Read the pull. When its head moves meanwhile, it is read once more, so that all parts are of one head."""
        opened = None
        for _ in range(_READINGS):
            reading = self._read()
            if not reading.is_of_one_head:
                opened = None
                continue
            opened, head_now = self._open(reading)
            if head_now in {None, reading.record.pull.head_sha}:
                return opened
        if opened is not None:
            # It moved again: the review is of a head that was, and posting will notice.
            return opened
        raise OutsideError(
            f"{self._repo}#{self._number} changed each time it was read", remedy="Try again when nobody pushes to it"
        )

    def _read(self) -> Reading:
        path = f"/repos/{self._repo}/pulls/{self._number}"
        doing = f"reading {self._repo}#{self._number}"
        page = {"per_page": limits.PER_PAGE, "page": 1}
        pull = self._client.submit(self._client.get, path, stop=self._stop, doing=doing)
        first = self._client.submit(self._client.get, f"{path}/files", stop=self._stop, doing=doing, params=page)
        record = read_pull(pull.result())
        pages = self._client.pages(f"{path}/files", stop=self._stop, doing=doing, first=first.result())
        return Reading(record=record, files=[file for reply in pages for file in read_files(reply)])

    def _diff(self, record: PullRecord) -> bytes | None:
        """`.diff` of the whole of `record`; None where GitHub refuses."""
        return fetch_diff(self._client, record, stop=self._stop)

    def _open(self, reading: Reading) -> tuple[Opened, CommitSha | None]:
        record, pull = reading.record, reading.record.pull
        lacking = any(file.patch is None and file.status != "unchanged" for file in reading.files)
        diff = None
        queries = self._query(reading)
        if lacking and diff_is_allowed(record):
            diff = self._client.submit(self._diff, record)
        draft = from_records(reading.files)
        if draft.missing:
            if diff is None and diff_is_allowed(record):
                diff = self._client.submit(self._diff, record)
            found = diff.result() if diff is not None else None
            fill(self._client, record, draft, diff=found, compare=self._compare, stop=self._stop)
        first = queries[0][1].result() if queries else None
        change = Change(
            patch=draft.patch(),
            base=pull.base_sha,
            head=pull.head_sha,
            title=pull.title,
            description=pull.body,
            pull=pull,
            totals=record.totals,
            gaps=(*draft.gaps, *_unlisted(reading)),
        )
        opened = Opened(
            change=change,
            files=self._head_files(reading, queries, first),
            base_texts=self._base_texts(pull, first),
            base_text=partial(self._base_text, pull),
        )
        return opened, first.head if first is not None else None

    def _query(self, reading: Reading) -> list[tuple[tuple[Place, ...], _Query]]:
        """Round two: the base's files and the head's, in as many queries as it takes, the first of them sent."""
        if not self._client.has_token:
            return []
        pull = reading.record.pull
        weight = {file.path: file.changes for file in reading.files}
        places = [_rules(pull, path) for path in BASE_FILES]
        places += [
            Place(pull.head_sha, file.path)
            for file in reading.files
            if file.status != "removed" and file.changes <= _LARGE_CHANGE
        ]
        queries: list[tuple[tuple[Place, ...], _Query]] = []
        for batch in batches(places, weight):
            number = None if queries else self._head_of()
            query = _Query(partial(self._send, pull.repo, batch, number))
            if len(queries) < limits.EAGER_QUERIES:
                query.start()
            queries.append((batch, query))
        return queries

    def _head_of(self) -> int | None:
        """The pull whose head is asked for beside the files; None where the head cannot move."""
        return self._number

    def _send(self, repo: RepoName, batch: tuple[Place, ...], number: int | None) -> Future[BlobAnswer]:
        return self._client.submit(query_blobs, self._client, repo, batch, stop=self._stop, number=number)

    def _head_files(
        self, reading: Reading, queries: list[tuple[tuple[Place, ...], _Query]], first: BlobAnswer | None
    ) -> HeadFiles:
        pull = reading.record.pull
        # Where the first query was refused, the others will be too: then single reads begin at once.
        useful = queries if first is not None else []
        by_path = {place.path: query for batch, query in useful for place in batch if place.commit == pull.head_sha}
        oids = {file.path: file.sha for file in reading.files if file.sha and file.status != "removed"}
        gone = {file.path for file in reading.files if file.status == "removed"}
        return PullHeadFiles(self._client, pull, batches=by_path, oids=oids, gone=gone, stop=self._stop)

    def _base_text(self, pull: Pull, path: str) -> str | None:
        data = fetch_blob(self._client, pull.repo, _rules(pull, path), stop=self._stop)
        return None if data is None else as_text(data)

    def _base_texts(self, pull: Pull, first: BlobAnswer | None) -> dict[str, str]:
        texts: dict[str, str] = {}
        unread = []
        for path in BASE_FILES:
            place = _rules(pull, path)
            blob = first.blobs.get(place) if first is not None else None
            if blob is not None and blob.data is not None:
                texts[path] = blob.data.decode("utf-8", "surrogateescape")
            elif first is None or blob is not None or not first.certain:
                unread.append(place)
        # Without the configuration there is no review: a failure here is raised.
        found = gather(
            [self._client.submit(fetch_blob, self._client, pull.repo, place, stop=self._stop) for place in unread]
        )
        for place, data in zip(unread, found, strict=True):
            if data is not None:
                texts[place.path] = data.decode("utf-8", "surrogateescape")
        return texts


def _rules(pull: Pull, path: str) -> Place:
    """A file of the base branch as it is now. `base.sha` stays where the branch was at the last push to the pull, so what was
    mended in the configuration since then would not be seen there.
    """
    return Place(f"refs/heads/{pull.base_ref}", path)


def _unlisted(reading: Reading) -> tuple[Skip, ...]:
    if reading.beyond:
        return (Skip(path="(more files)", reason=SkipReason.NO_PATCH, detail=reading.beyond),)
    beyond = reading.record.totals.files - len(reading.files)
    if beyond <= 0:
        return ()
    return (
        Skip(
            path=f"({beyond} more files)",
            reason=SkipReason.NO_PATCH,
            detail=f"GitHub names only the first {limits.MAX_PULL_FILES:,} files of a pull request",
        ),
    )
