"""What a repository remembers of dismissed findings, read from GitHub itself, for a run that has no database.

The answer to `/spark ignore` stands in its thread, with who said it and why. The newest review comments of the repository tell
in which pulls there is such an answer, and those pulls' threads, whether it still holds: who opens the thread again has it
forgotten, as with a database. Only what our own account wrote is believed; where GitHub does not say which that is, nothing.

Nothing is written here: the answer is the memory. So what somebody dismissed with a button is remembered on its pull alone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from bot.github import limits
from bot.github.client import GitHubClient, gather, last_page
from bot.github.faults import Reply
from bot.github.notes import is_by, our_login
from bot.github.people import Collaborators
from bot.github.records import NoteRecord, read_notes
from bot.github.threads import Threads
from bot.review.memory import Dismissal, FindingNote, Remembered
from bot.review.model import Fingerprint, RepoName
from bot.review.ports import Stop
from bot.review.recall import assemble
from bot.review.render.markers import read_dismissal_marker
from bot.review.repository import as_remembered

MOST_PAGES: Final = 5
"""Pages of the repository's review comments, the newest first: the last 500."""
MOST_PULLS: Final = 12
"""Pulls whose threads are read, those with the newest dismissals."""


class RepoMemory:
    """Of one repository: the ports `Memory` of commands and `Remembrance` of reviews. Thread-safe; reads once, when first asked."""

    def __init__(self, client: GitHubClient, repo: RepoName, *, stop: Stop) -> None:
        self._client = client
        self._repo = repo
        self._stop = stop
        self._doing = f"reading what was dismissed in {repo}"
        self._people = Collaborators(client, repo, stop=stop)
        self._reading = threading.Lock()
        self._read: list[Remembered] | None = None
        self._lock = threading.Lock()
        self._new: dict[Fingerprint, Remembered] = {}
        self._forgotten: set[Fingerprint] = set()

    def remembered(self) -> Sequence[Remembered]:
        """The newest first. Raises NotPermittedError, OutsideError."""
        with self._reading:
            if self._read is None:
                self._read = self._all()
            read = self._read
        with self._lock:
            new = list(reversed(self._new.values()))
            over = {*self._new, *self._forgotten}
            return [*new, *(each for each in read if each.fingerprint not in over)]

    def remember(self, what: Remembered) -> None:
        """For this run; for later ones the answer in the thread says it. Of one fingerprint the last word counts."""
        with self._lock:
            self._new.pop(what.fingerprint, None)
            self._new[what.fingerprint] = what
            self._forgotten.discard(what.fingerprint)

    def forget(self, note: FindingNote) -> None:
        """For this run; for later ones the thread says it, which is open again."""
        with self._lock:
            self._new.pop(note.fingerprint, None)
            self._forgotten.add(note.fingerprint)

    def _all(self) -> list[Remembered]:
        asked = self._client.submit(our_login, self._client, stop=self._stop)
        comments = self._newest()
        ours = asked.result()
        if ours is None:
            return []
        pulls = dict.fromkeys(
            note.pull
            for note in comments
            if note.pull
            and is_by(note.login, ours, is_bot=note.is_bot)
            and _is_lasting(read_dismissal_marker(note.body))
        )
        found = gather([self._client.submit(self._of_pull, number, ours) for number in list(pulls)[:MOST_PULLS]])
        kept: dict[Fingerprint, Remembered] = {}
        for each in (one for listing in found for one in listing):
            kept.setdefault(each.fingerprint, each)
        return list(kept.values())

    def _newest(self) -> list[NoteRecord]:
        """The newest review comments of all pulls."""

        def page(number: int) -> Reply:
            params: Mapping[str, str | int] = {
                "sort": "created",
                "direction": "desc",
                "per_page": limits.PER_PAGE,
                "page": number,
            }
            path = f"/repos/{self._repo}/pulls/comments"
            return self._client.get(path, stop=self._stop, doing=self._doing, params=params)

        first = page(1)
        # Of a long list GitHub may not say how long it is; a page behind its end is empty.
        last = last_page(first) or MOST_PAGES
        further = range(2, min(last, MOST_PAGES) + 1)
        replies = [first, *gather([self._client.submit(page, number) for number in further])]
        return [note for reply in replies for note in read_notes(reply)]

    def _of_pull(self, number: int, ours: str) -> list[Remembered]:
        """What was dismissed in one pull and still is, the newest thread first."""
        threads = Threads(self._client, self._repo, number, stop=self._stop)
        page = threads.page()
        recall = assemble(threads.all(page, ours), (), may_write=self._people.may_write, author=page.author)
        return [as_remembered(known) for known in reversed(recall.findings) if _is_lasting(known.dismissal)]


def _is_lasting(said: Dismissal | None) -> bool:
    """Whether it was said with `/spark ignore` by somebody who may write: an argument holds for its pull alone."""
    return said is not None and said.how == "ignored" and said.excuses
