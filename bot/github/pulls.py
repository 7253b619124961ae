"""A pull request as a `Source`: one round of requests for what a review needs, a second for texts that nobody has seen yet.

Round one: the pull, the list of its files, the base's configuration. Round two: those files at the head whose text neither
follows from the change nor from what this process has read before. More only for what GitHub leaves out. Nothing is written,
and no code of the pull is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from bot import log
from bot.errors import ConfigError, OutsideError
from bot.github import limits
from bot.github.base_files import BaseFiles
from bot.github.client import GitHubClient
from bot.github.fallback import Resort, fetch_diff
from bot.github.faults import Reply
from bot.github.head_files import as_text
from bot.github.head_reading import HeadReading
from bot.github.known_texts import Home, KnownTexts, home_of
from bot.github.patches import Compare, from_records, is_lacking
from bot.github.records import FileRecord, PullRecord, read_files, read_pull
from bot.review.model import Change, CommitSha, RepoName
from bot.review.ports import Opened, Stop
from bot.review.scope import Skip, SkipReason

CONFIG = ".github/spark.yml"
BASE_FILES = (CONFIG, ".gitattributes")
"""What is read from the base: a pull must not change the rules it is reviewed by."""

_SECONDS = 300.0
"""For reading a pull when the caller names no deadline."""

_READINGS = 2


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
        self,
        client: GitHubClient,
        repo: RepoName,
        number: int,
        *,
        compare: Compare,
        stop: Stop | None = None,
        branch: str | None = None,
        texts: KnownTexts | None = None,
        fields: Mapping[str, log.Field] | None = None,
    ) -> None:
        """`branch`: the base, where the caller was told of one. `texts`: what is known already. `fields`: for the log."""
        self._client = client
        self._repo = repo
        self._number = number
        self._compare = compare
        self._stop = stop or Stop(deadline=client.clock.now() + _SECONDS, clock=client.clock)
        self._branch = branch
        self._texts = texts or KnownTexts()
        self._fields = dict(fields or {})

    def open(self) -> Opened:
        """Read the pull. When its head moves meanwhile, it is read once more, so that all parts are of one head."""
        opened = None
        for _ in range(_READINGS):
            wanted = (*BASE_FILES, *self._texts.guidelines(self._home(self._repo)))
            base = BaseFiles(self._client, self._repo, wanted, branch=self._branch, stop=self._stop)
            base.begin(self._head_of())
            reading = self._read()
            if not reading.is_of_one_head:
                opened = None
                continue
            opened, heads = self._open(reading, base)
            if heads <= {None, reading.record.pull.head_sha}:
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

        def page(number: int) -> Future[Reply]:
            params = {"per_page": limits.PER_PAGE, "page": number}
            return self._client.submit(self._client.get, f"{path}/files", stop=self._stop, doing=doing, params=params)

        home = self._home(self._repo)
        pull = self._client.submit(self._client.get, path, stop=self._stop, doing=doing)
        begun = [page(number) for number in range(1, 1 + _pages(self._texts.listed(home, self._number)))]
        # What earlier reviews have read is worked out while the first answers are waited for.
        self._texts.work_out()
        record = read_pull(pull.result())
        self._texts.learn_listed(home, self._number, record.totals.files)
        # The pull is here before the first hundred entries with their diffs are.
        begun += [page(number) for number in range(1 + len(begun), 1 + _pages(record.totals.files))]
        pages = self._client.pages(f"{path}/files", stop=self._stop, doing=doing, begun=begun)
        return Reading(record=record, files=[file for reply in pages for file in read_files(reply)])

    def _diff(self, record: PullRecord) -> bytes | None:
        """`.diff` of the whole of `record`; None where GitHub refuses."""
        return fetch_diff(self._client, record, stop=self._stop)

    def _head_of(self) -> int | None:
        """The pull whose head is asked for beside files; None where the head cannot move."""
        return self._number

    def _home(self, repo: RepoName) -> Home:
        return home_of(self._client.api_url, repo)

    def _open(self, reading: Reading, base: BaseFiles) -> tuple[Opened, set[CommitSha | None]]:
        """What was read, and every head of the pull that GitHub named meanwhile."""
        record, pull = reading.record, reading.record.pull
        home = self._home(pull.repo)
        head = HeadReading(
            self._client, pull, reading.files, number=self._head_of(), texts=self._texts, home=home, stop=self._stop
        )
        head.begin()
        resort = Resort(self._client, record, reading.files, diff=self._diff, texts=head.blobs, stop=self._stop)
        if any(is_lacking(file) for file in reading.files):
            resort.begin()
        draft = from_records(reading.files)
        if draft.missing:
            resort.fill(draft, compare=self._compare)
        head.complete(draft, self._fields)
        answer = base.meet(pull)
        base_texts = self._base_texts(base, home, is_useful=answer is not None)
        head_then = head.head()
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
        opened = Opened(change=change, files=head.files(), base_texts=base_texts, base_text=partial(_base_text, base))
        return opened, {head_then, answer.head if answer is not None else None}

    def _base_texts(self, base: BaseFiles, home: Home, *, is_useful: bool) -> dict[str, str]:
        """`is_useful`: GraphQL has answered; where it was refused once, it will be again."""
        if is_useful:
            base.look(BASE_FILES)
        # Without the configuration there is no review: a failure here is raised.
        texts = base.texts(BASE_FILES)
        names = _guidelines(texts.get(CONFIG, ""))
        self._texts.learn_guidelines(home, names)
        if is_useful:
            base.look(names)
        return texts


def _pages(files: int) -> int:
    """Pages of the list of `files` files; there is always one."""
    return max(1, -(-min(files, limits.MAX_PULL_FILES) // limits.PER_PAGE))


def _guidelines(config: str) -> tuple[str, ...]:
    """The files that a configuration names as guidelines; none where it cannot be read, which others tell."""
    if "guidelines" not in config:
        return ()
    from bot.review.config import read_config  # noqa: PLC0415 - loads pydantic

    try:
        return read_config(config, name=CONFIG).guidelines
    except ConfigError:
        return ()


def _base_text(base: BaseFiles, path: str) -> str | None:
    data = base.data(path)
    return None if data is None else as_text(data)


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
