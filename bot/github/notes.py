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
from bot.github.faults import Reply
from bot.github.records import NoteRecord, PullRecord, read_notes, read_pull
from bot.review.model import Fingerprint, RepoName
from bot.review.ports import Stop
from bot.review.render.markers import read_finding_markers, read_review_marker

_VIEWER = "query { viewer { id login } }"
BOT = "[bot]"
"""How REST ends the login of an App's account."""
WORKFLOWS = "github-actions[bot]"
"""The account of a workflow's own token, which all workflows of a repository share."""
_BOT_IDS = ("BOT_", "MDM6Qm90")
"""How the ids of Apps' accounts begin, in GraphQL's new form and its old one. [seen] As the viewer, too, its type is User."""


class Kind(StrEnum):
    """What people and bots write on a pull."""

    REVIEWS = "reviews"
    COMMENTS = "comments"
    ISSUE_COMMENTS = "issue comments"


def pull_path(repo: RepoName, number: int) -> str:
    """`/repos/{repo}/pulls/{number}`."""
    return f"/repos/{repo}/pulls/{number}"


def same_account(login: str, other: str, *, is_bot: bool) -> bool:
    """Whether both are one account. REST ends an App's login in `[bot]`; GraphQL does so for some questions alone."""
    if is_bot:
        return login.removesuffix(BOT) == other.removesuffix(BOT)
    return login == other


class Notes:
    """Reads reviews and comments of one pull, all pages of them."""

    def __init__(self, client: GitHubClient, repo: RepoName, number: int, *, stop: Stop) -> None:
        self._client = client
        self._repo = repo
        self._number = number
        self._stop = stop
        self._viewer: Future[str | None] | None = None

    def ask_viewer(self) -> None:
        """Begin to find out who we are, once."""
        if self._viewer is None:
            self._viewer = self._client.submit(self._ask)

    def head(self) -> PullRecord:
        """The pull as it is now."""
        return read_pull(self._client.get(pull_path(self._repo, self._number), stop=self._stop, doing=self._doing))

    def begin(self, *kinds: Kind) -> list[Future[Reply]]:
        """Ask for the first page of each kind, and for who we are. Does not wait."""
        self.ask_viewer()
        params = {"per_page": limits.PER_PAGE, "page": 1}
        return [
            self._client.submit(self._client.get, self.path(kind), stop=self._stop, doing=self._doing, params=params)
            for kind in kinds
        ]

    def read(self, *kinds: Kind, firsts: Sequence[Future[Reply]] = ()) -> list[list[NoteRecord]]:
        """Every review or comment of these kinds, side by side. Of pending reviews only our own are shown to us.

        `firsts`: what `begin` gave for the same kinds.
        """
        listings = []
        for kind, first in zip(kinds, gather(firsts or self.begin(*kinds)), strict=True):
            pages = self._client.pages(self.path(kind), stop=self._stop, doing=self._doing, first=first)
            listings.append([note for page in pages for note in read_notes(page)])
        return listings

    def since(self, kind: Kind, moment: str) -> list[NoteRecord]:
        """The comments of a kind that were made or changed since `moment` (`2026-01-31T23:59:59Z`)."""
        params = {"since": moment}
        pages = self._client.pages(self.path(kind), stop=self._stop, doing=self._doing, params=params)
        return [note for page in pages for note in read_notes(page)]

    @property
    def viewer(self) -> str | None:
        """The login that we write as; None where GitHub does not say. May wait."""
        self.ask_viewer()
        assert self._viewer is not None
        return self._viewer.result()

    def is_ours(self, note: NoteRecord) -> bool:
        """Whether it was written by the account we post with; by any App where GitHub does not say which account that is."""
        return is_by(note.login, self.viewer, is_bot=note.is_bot)

    def ours(self, notes: Sequence[NoteRecord]) -> list[NoteRecord]:
        """Those that are ours."""
        return [note for note in notes if self.is_ours(note)]

    def with_run(self, notes: Sequence[NoteRecord], run: str) -> NoteRecord | None:
        """Our note whose marker names `run`; a pending review does not count, for nobody sees it."""
        for note in self.ours(notes):
            mark = read_review_marker(note.body)
            if note.state != "PENDING" and mark is not None and mark.run == run:
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

    def comment_path(self, number: int) -> str:
        """Of one comment of the conversation."""
        return f"/repos/{self._repo}/issues/comments/{number}"

    @property
    def _doing(self) -> str:
        return f"reading what is on {self._repo}#{self._number}"

    def path(self, kind: Kind) -> str:
        """Where they are listed, and where a new one is posted."""
        if kind is Kind.ISSUE_COMMENTS:
            return f"/repos/{self._repo}/issues/{self._number}/comments"
        return f"{pull_path(self._repo, self._number)}/{kind}"

    def _ask(self) -> str | None:
        return our_login(self._client, stop=self._stop)


def our_login(client: GitHubClient, *, stop: Stop) -> str | None:
    """The login that a client writes as; None where GitHub does not say. An App's client knows it, any other asks once.

    `GET /user` is refused to App and workflow tokens, so GraphQL is asked first.
    """
    if not client.has_token:
        return None
    if (known := client.login) is not None:
        return known
    return client.known_as(lambda: _asked(client, stop))


def _asked(client: GitHubClient, stop: Stop) -> str | None:
    try:
        login = client.graphql(_VIEWER, {}, stop=stop, doing="asking who we are").data.get("viewer")
    except SparkError:
        login = None
    if not isinstance(login, dict):
        try:
            login = client.get("/user", stop=stop, doing="asking who we are").json()
        except SparkError:
            return None
    name = login.get("login") if isinstance(login, dict) else None
    if not isinstance(login, dict) or not isinstance(name, str):
        return None
    # Without its ending an App's login may be a person's.
    is_bot = str(login.get("id") or "").startswith(_BOT_IDS)
    return f"{name}{BOT}" if is_bot and not name.endswith(BOT) else name


def is_by(login: str, ours: str | None, *, is_bot: bool) -> bool:
    """Whether `login` is our account; any App is taken for us where `ours` is not known."""
    if ours is None:
        return is_bot
    return bool(login) and same_account(login, ours, is_bot=is_bot)
