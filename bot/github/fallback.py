"""Fetching what the files API left out: `.diff` of the pull, and the blobs of single files at both ends.

One after the other where the diff is most likely to be given, side by side where GitHub may find it too large, and the blobs
alone where it must. Decides nothing about diffs; `patches.py` does. The way goes on as long as it costs a bounded number of
requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from enum import StrEnum

from bot.errors import SparkError
from bot.github import limits
from bot.github.blobs import Blob, BlobAnswer, Place, batches, fetch_blob, query_blobs
from bot.github.client import DIFF, GitHubClient, gather
from bot.github.patches import Compare, Draft, from_blobs, from_diff, is_lacking
from bot.github.records import FileRecord, PullRecord, read_merge_base
from bot.review.model import CommitSha
from bot.review.ports import Stop

GONE = frozenset({404, 406, 422})
"""406: larger than `.diff` may be. 404 and 422: GitHub cannot make it."""

_HEAD = 4
"""Lines of a file's section above its hunks, at least: `diff --git`, `index`, `---`, `+++`."""

_BARE = 3
"""Lines of a section without hunks, at least: a binary file's."""

_AROUND = 7
"""Lines that a hunk has beside its changed ones, at most: its header, and three of context at each end."""

_TOGETHER = 64
"""Files that one process compares: beginning one takes as long as comparing so many small ones, and several run side by side."""

_TOGETHER_BYTES = 4_000_000
"""Their versions at most."""

Texts = Callable[[Sequence[str]], Mapping[Place, Blob]]
"""What was asked about files of these paths at the head anyway. May wait for it."""


class Chance(StrEnum):
    """Whether GitHub will give `.diff` of a pull."""

    LIKELY = "likely"
    """It is within the documented limits, however its hunks lie."""
    OPEN = "open"
    """It depends on how the hunks lie that nobody has seen."""
    NONE = "none"
    """It is beyond them: asking only costs time."""


def chance_of_diff(record: PullRecord, files: Sequence[FileRecord]) -> Chance:
    """By the limits on a diff's files and on all its lines: changed ones, context and headers."""
    if record.totals.files > limits.MAX_DIFF_FILES:
        return Chance.NONE
    seen = hidden = sections = 0
    for file in files:
        if file.patch is None:
            sections += _HEAD + 1 if file.changes else _BARE
            hidden += file.changes
        else:
            sections += _HEAD + 1 + file.patch.count("\n")
            seen += file.changes
    # Past its limits GitHub says 0 of files that did change; the pull's own sum has them.
    hidden = max(hidden, record.totals.added + record.totals.removed - seen)
    if sections + hidden > limits.MAX_DIFF_LINES:
        return Chance.NONE
    most = sections + hidden * (1 + _AROUND)
    return Chance.OPEN if most > limits.MAX_DIFF_LINES else Chance.LIKELY


def fetch_diff(client: GitHubClient, record: PullRecord, *, stop: Stop) -> bytes | None:
    """`.diff` of the whole pull; None where GitHub refuses or cannot make it, for blobs can still be compared then."""
    pull = record.pull
    try:
        reply = client.get(
            f"/repos/{pull.repo}/pulls/{pull.number}",
            accept=DIFF,
            stop=stop,
            doing=f"reading the diff of {pull.repo}#{pull.number}",
            bear=GONE,
        )
    except SparkError:
        return None
    return reply.data if reply.ok else None


class Resort:
    """The ways to the diffs that the entries of `record` do not have, for one reading; from one thread.

    `diff` fetches `.diff` of the whole pull, None where GitHub refuses; `texts` is asked for versions at the head first.
    """

    def __init__(
        self,
        client: GitHubClient,
        record: PullRecord,
        files: Sequence[FileRecord],
        *,
        diff: Callable[[PullRecord], bytes | None],
        texts: Texts,
        stop: Stop,
    ) -> None:
        self._client = client
        self._record = record
        self._files = files
        self._diff = diff
        self._texts = texts
        self._stop = stop
        self._chance: Chance | None = None
        self._asked: Future[bytes | None] | None = None
        self._base: Future[CommitSha] | None = None
        self._guess: list[Future[BlobAnswer]] = []

    def begin(self) -> None:
        """Ask for what is likely to be of use, once. Waits for nothing."""
        if self._chance is not None:
            return
        self._chance = chance_of_diff(self._record, self._files)
        if self._chance is not Chance.NONE:
            self._asked = self._client.submit(self._diff, self._record)
        if self._chance is not Chance.LIKELY:
            self._begin_base([file for file in self._files if is_lacking(file)])

    def fill(self, draft: Draft, *, compare: Compare) -> None:
        """Fill what `draft` misses from the diff, then from blobs. What stays missing becomes a gap with its reason."""
        self.begin()
        found = self._asked.result() if self._asked is not None else None
        if found is not None:
            from_diff(draft, found)
        if not draft.missing:
            return
        self._begin_base([draft.records[index] for index in draft.missing])
        base = self._base_of(draft)
        wanted = sorted(draft.missing)
        known = self._known(draft, wanted, base=base)

        def one(index: int) -> None:
            _compare_one(
                self._client, self._record, draft, index, base=base, known=known, compare=compare, stop=self._stop
            )

        def some(group: Mapping[int, tuple[bytes, bytes]]) -> None:
            try:
                found = compare(list(group.values()))
            except SparkError:
                # One of them may be what git cannot do; the others must not go with it.
                for index in group:
                    one(index)
                return
            for (index, (old, new)), hunks in zip(group.items(), found, strict=True):
                from_blobs(draft, index, old, new, compare=compare, hunks=hunks)

        here = {index: pair for index in wanted if (pair := self._pair(draft, index, base=base, known=known))}
        gather(
            [
                *(self._client.submit(some, group) for group in _groups(here)),
                *(self._client.submit(one, index) for index in wanted if index not in here),
            ]
        )

    def _pair(
        self, draft: Draft, index: int, *, base: CommitSha, known: Mapping[Place, Blob]
    ) -> tuple[bytes, bytes] | None:
        """Both versions of a file, where they are here and small enough for comparing several at once."""
        places = _ends(draft, index, base=base, head=self._record.pull.head_sha)
        old, new = (known[place].data if place is not None and place in known else None for place in places)
        if old is None or new is None or max(len(old), len(new)) > limits.MAX_COMPARED_BYTES:
            return None
        return (old, new) if len(old) + len(new) <= _TOGETHER_BYTES else None

    def _begin_base(self, files: Sequence[FileRecord]) -> None:
        """Ask where the histories part, and for the versions there, as if that were where the base was at the last push."""
        olds = [file for file in files if file.status != "added"]
        if not olds or self._base is not None:
            return
        self._base = self._client.submit(_merge_base, self._client, self._record, stop=self._stop)
        if not self._client.has_token:
            return
        pull = self._record.pull
        weight = {file.old_path or file.path: file.changes for file in olds}
        places = [Place(pull.base_sha, path) for path in weight]
        for batch in list(batches(places, weight))[: limits.EAGER_QUERIES]:
            self._guess.append(self._client.submit(query_blobs, self._client, pull.repo, batch, stop=self._stop))

    def _base_of(self, draft: Draft) -> CommitSha:
        """Where the histories part; without it, files that were there before become gaps."""
        pull = self._record.pull
        if self._base is None:
            return pull.base_sha
        try:
            return self._base.result()
        except SparkError as error:
            for index in [index for index in draft.missing if draft.records[index].status != "added"]:
                draft.give_up(index, f"{draft.missing[index]}, and its versions could not be read: {error.what}")
            return pull.base_sha

    def _known(self, draft: Draft, wanted: Sequence[int], *, base: CommitSha) -> dict[Place, Blob]:
        """What GraphQL knows of all the blobs; empty where it is refused, for single reads follow anyway."""
        if not self._client.has_token:
            return {}
        head = self._record.pull.head_sha
        pairs = [_ends(draft, index, base=base, head=head) for index in wanted]
        news = [new for _, new in pairs if new is not None]
        known = {place: blob for place, blob in self._texts([new.path for new in news]).items() if place in set(news)}
        if base == self._record.pull.base_sha:
            known.update(_met(self._guess))
        weight = {draft.records[index].path: draft.records[index].changes for index in wanted}
        places = [place for pair in pairs for place in pair if place is not None and place not in known]
        queries = [
            self._client.submit(query_blobs, self._client, self._record.pull.repo, batch, stop=self._stop)
            for batch in batches(places, weight)
        ]
        return known | _met(queries)


def _groups(pairs: Mapping[int, tuple[bytes, bytes]]) -> Iterator[Mapping[int, tuple[bytes, bytes]]]:
    """What is compared together."""
    group: dict[int, tuple[bytes, bytes]] = {}
    size = 0
    for index, (old, new) in pairs.items():
        if len(group) == _TOGETHER or size + len(old) + len(new) > _TOGETHER_BYTES:
            yield group
            group, size = {}, 0
        group[index] = (old, new)
        size += len(old) + len(new)
    if group:
        yield group


def _met(queries: Sequence[Future[BlobAnswer]]) -> dict[Place, Blob]:
    known: dict[Place, Blob] = {}
    for query in queries:
        try:
            answer = query.result()
        except (SparkError, CancelledError):
            continue
        known.update((place, blob) for place, blob in answer.blobs.items() if blob is not None)
    return known


def _merge_base(client: GitHubClient, record: PullRecord, *, stop: Stop) -> CommitSha:
    pull = record.pull
    reply = client.get(
        f"/repos/{pull.repo}/compare/{pull.base_sha}...{pull.head_sha}",
        # The files of a comparison are all on its first page, and not wanted here.
        params={"per_page": 1, "page": 2},
        stop=stop,
        doing=f"looking for the merge base of {pull.repo}#{pull.number}",
    )
    return read_merge_base(reply)


def _ends(draft: Draft, index: int, *, base: CommitSha, head: CommitSha) -> tuple[Place | None, Place | None]:
    file = draft.records[index]
    old = None if file.status == "added" else Place(base, file.old_path or file.path)
    new = None if file.status == "removed" else Place(head, file.path)
    return old, new


def _compare_one(
    client: GitHubClient,
    record: PullRecord,
    draft: Draft,
    index: int,
    *,
    base: CommitSha,
    known: dict[Place, Blob],
    compare: Compare,
    stop: Stop,
) -> None:
    old, new = _ends(draft, index, base=base, head=record.pull.head_sha)
    blobs = [known[place] for place in (old, new) if place in known]
    if any(blob.size > limits.MAX_COMPARED_BYTES for blob in blobs):
        draft.give_up(index, f"{draft.missing[index]}, and it is larger than 10 MB", too_large=True)
        return
    if len(blobs) == 2 and blobs[0].oid == blobs[1].oid:
        from_blobs(draft, index, b"", b"", compare=compare)
        return
    try:
        # The entry's own id is of the version that is left: the new one, but for a removed file the old one.
        sha = draft.records[index].sha
        before = _bytes(client, record, old, known, stop=stop, oid=None if new is not None else sha)
        after = _bytes(client, record, new, known, stop=stop, oid=sha)
        from_blobs(draft, index, before, after, compare=compare)
    except SparkError as error:
        draft.give_up(index, f"{draft.missing[index]}, and its versions could not be compared: {error.what}")


def _bytes(
    client: GitHubClient,
    record: PullRecord,
    place: Place | None,
    known: dict[Place, Blob],
    *,
    stop: Stop,
    oid: str | None,
) -> bytes | None:
    if place is None:
        return None
    blob = known.get(place)
    if blob is not None and blob.data is not None:
        return blob.data
    oid = blob.oid if blob is not None else oid
    data = fetch_blob(client, record.pull.repo, place, stop=stop, oid=oid)
    fork = record.pull.head_repo
    if data is None and place.commit == record.pull.head_sha and record.pull.is_fork and fork is not None:
        data = fetch_blob(client, fork, place, stop=stop, oid=oid)
    return data
