"""What is on the pull already, and which of it is ours.

A marker alone proves nothing, for anybody may copy one: its author must be the account we post with, or an App. So no marker
of a person can make us keep silent about a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from enum import StrEnum

from bot.errors import SparkError
from bot.github import limits
from bot.github.client import GitHubClient, gather
from bot.github.records import NoteRecord, PullRecord, read_notes, read_pull
from bot.review.model import CommitSha, Fingerprint, Pull
from bot.review.ports import Stop
from bot.review.render.markers import read_finding_markers, read_review_marker

_VIEWER = "query { viewer { login } }"


class Kind(StrEnum):
    """What people and bots write on a pull."""

    REVIEWS = "reviews"
    COMMENTS = "comments"
    ISSUE_COMMENTS = "issue comments"


def pull_path(pull: Pull) -> str:
    """`/repos/{repo}/pulls/{number}`."""
    return f"/repos/{pull.repo}/pulls/{pull.number}"


class Notes:
    """Reads reviews and comments of one pull, all pages of them."""

    def __init__(self, client: GitHubClient, pull: Pull, *, stop: Stop) -> None:
        self._client = client
        self._pull = pull
        self._stop = stop
        self._viewer: Future[str | None] | None = None

    def ask_viewer(self) -> None:
        """Begin to find out who we are, once."""
        if self._viewer is None:
            self._viewer = self._client.submit(self._ask)

    def head(self) -> PullRecord:
        """The pull as it is now."""
        return read_pull(self._client.get(pull_path(self._pull), stop=self._stop, doing=self._doing))

    def read(self, *kinds: Kind) -> list[list[NoteRecord]]:
        """Every review or comment of these kinds, side by side. Of pending reviews only our own are shown to us."""
        self.ask_viewer()
        paths = [self._path(kind) for kind in kinds]
        params = {"per_page": limits.PER_PAGE, "page": 1}
        firsts = [
            self._client.submit(self._client.get, path, stop=self._stop, doing=self._doing, params=params)
            for path in paths
        ]
        listings = []
        for path, first in zip(paths, gather(firsts), strict=True):
            pages = self._client.pages(path, stop=self._stop, doing=self._doing, first=first)
            listings.append([note for page in pages for note in read_notes(page)])
        return listings

    def ours(self, notes: Sequence[NoteRecord]) -> list[NoteRecord]:
        """Those written by the account we post with; by any App where GitHub does not say which account that is."""
        self.ask_viewer()
        assert self._viewer is not None
        login = self._viewer.result()
        return [note for note in notes if _is_by(note, login)]

    def with_run(self, notes: Sequence[NoteRecord], run: str) -> NoteRecord | None:
        """Our note whose marker names `run`; a pending review does not count, for nobody sees it."""
        for note in self.ours(notes):
            mark = read_review_marker(note.body)
            if note.state != "PENDING" and mark is not None and mark.run == run:
                return note
        return None

    def with_head(self, notes: Sequence[NoteRecord], head: CommitSha) -> NoteRecord | None:
        """Our newest note whose marker names `head` as what was reviewed; a pending review does not count."""
        for note in reversed(self.ours(notes)):
            mark = read_review_marker(note.body)
            if note.state != "PENDING" and mark is not None and mark.head == head:
                return note
        return None

    def fingerprints(self, *listings: Sequence[NoteRecord]) -> dict[Fingerprint, str]:
        """Findings marked in our notes, with their URL; earlier listings take precedence."""
        found: dict[Fingerprint, str] = {}
        for listing in listings:
            for note in self.ours(listing):
                for mark in read_finding_markers(note.body):
                    found.setdefault(mark, note.url)
        return found

    @property
    def _doing(self) -> str:
        return f"reading what is on {self._pull.repo}#{self._pull.number}"

    def _path(self, kind: Kind) -> str:
        if kind is Kind.ISSUE_COMMENTS:
            return f"/repos/{self._pull.repo}/issues/{self._pull.number}/comments"
        return f"{pull_path(self._pull)}/{kind}"

    def _ask(self) -> str | None:
        """Our login. An App's client knows it. `GET /user` is refused to App and workflow tokens, so GraphQL is asked first."""
        if not self._client.has_token:
            return None
        if (known := self._client.login) is not None:
            return known
        try:
            login = self._client.graphql(_VIEWER, {}, stop=self._stop, doing="asking who we are").data.get("viewer")
        except SparkError:
            login = None
        if not isinstance(login, dict):
            try:
                login = self._client.get("/user", stop=self._stop, doing="asking who we are").json()
            except SparkError:
                return None
        name = login.get("login") if isinstance(login, dict) else None
        return name if isinstance(name, str) else None


def _is_by(note: NoteRecord, login: str | None) -> bool:
    """Whether `login` wrote `note`. REST ends an App's login in `[bot]`; GraphQL does so for some questions alone."""
    if login is None:
        return note.is_bot
    if note.is_bot:
        return note.login.removesuffix("[bot]") == login.removesuffix("[bot]")
    return note.login == login
