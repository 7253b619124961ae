"""Files of the branch that a pull is for, as it is now: the configuration, the attributes, the guidelines.

They are asked for beside the pull itself, before anybody has told which branch that is: by the branch that the caller was told
of, else by the repository's default branch, whose name comes with the answer. Where that was not the one, they are read once
the pull is known. `base.sha` of a pull is not used: it stays where the branch was at the last push to the pull, so what was
mended in the configuration since then would not be seen there.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError, Future

from bot.errors import SparkError
from bot.github.blobs import BlobAnswer, Place, fetch_blob, query_blobs
from bot.github.client import GitHubClient, gather
from bot.review.model import CommitSha, Pull, RepoName
from bot.review.ports import Stop

_DEFAULT = "HEAD"
"""The tip of the default branch."""


class BaseFiles:
    """For one reading of one pull. `begin` sends, `meet` waits; then texts may be asked for from any thread."""

    def __init__(
        self, client: GitHubClient, repo: RepoName, names: Sequence[str], *, branch: str | None, stop: Stop
    ) -> None:
        """`names`: what will be wanted. `branch`: the base, where the caller was told of one."""
        self._client = client
        self._repo = repo
        self._names = tuple(dict.fromkeys(names))
        self._branch = branch
        self._stop = stop
        self._asked: Future[BlobAnswer] | None = None
        self._answers: dict[str, tuple[bytes | None, bool]] = {}
        """By name: the bytes, and whether GitHub was sure about it; what is unsure is read singly."""
        self._ref = ""

    def begin(self, number: int | None) -> None:
        """Ask, without waiting. `number`: of the pull whose head is asked for as well."""
        if not self._client.has_token:
            return
        tip = _DEFAULT if self._branch is None else f"refs/heads/{self._branch}"
        self._asked = self._query(tip, self._names, number=number, default=self._branch is None)

    def meet(self, pull: Pull) -> BlobAnswer | None:
        """Wait for what `begin` asked, and keep what is of the pull's base. None where nothing was asked, or it was refused."""
        self._repo, self._ref = pull.repo, f"refs/heads/{pull.base_ref}"
        answer = _result(self._asked)
        if answer is not None and pull.base_ref == (self._branch or answer.default):
            self._take(answer)
        return answer

    def look(self, names: Sequence[str]) -> None:
        """Ask once more, in one query, for those of these that are not known yet. Raises nothing: `data` will tell."""
        unknown = [name for name in dict.fromkeys(names) if name not in self._answers]
        if unknown and (answer := _result(self._query(self._ref, unknown))) is not None:
            self._take(answer)

    def texts(self, names: Sequence[str]) -> dict[str, str]:
        """These files; a key is missing where there is none. Raises the table's errors."""
        found = gather([self._client.submit(self.data, name) for name in names])
        pairs = zip(names, found, strict=True)
        return {name: data.decode("utf-8", "surrogateescape") for name, data in pairs if data is not None}

    def data(self, name: str) -> bytes | None:
        """One file; None where there is none. May wait for the network. Raises the table's errors."""
        data, is_sure = self._answers.get(name, (None, False))
        return data if is_sure else self._fetch(name)

    def _query(
        self, tip: str, names: Sequence[str], *, number: int | None = None, default: bool = False
    ) -> Future[BlobAnswer]:
        places = [Place(tip, name) for name in names]
        return self._client.submit(
            query_blobs, self._client, self._repo, places, stop=self._stop, number=number, default=default
        )

    def _take(self, answer: BlobAnswer) -> None:
        for place, blob in answer.blobs.items():
            if blob is None:
                self._answers[place.path] = (None, answer.certain)
            else:
                self._answers[place.path] = (blob.data, blob.data is not None)

    def _fetch(self, name: str) -> bytes | None:
        return fetch_blob(self._client, self._repo, Place(self._ref, name), stop=self._stop)


def head_of(answer: BlobAnswer | None) -> CommitSha | None:
    """The pull's head that came with an answer."""
    return answer.head if answer is not None else None


def _result(asked: Future[BlobAnswer] | None) -> BlobAnswer | None:
    if asked is None:
        return None
    try:
        return asked.result()
    except (SparkError, CancelledError):
        # Files can still be read singly, and that tells what is wrong.
        return None
