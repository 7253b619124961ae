"""What is on a pull from earlier rounds, read in one go: its threads, its reviews, its conversation.

Reads and hands over; what it all means is said by `bot.review.recall`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from bot.github.client import GitHubClient
from bot.github.faults import Reply
from bot.github.notes import Kind, Notes
from bot.github.records import NoteRecord
from bot.github.threads import ThreadPage, Threads
from bot.review.memory import Recall
from bot.review.recall import PastNote, assemble

_KINDS = (Kind.REVIEWS, Kind.ISSUE_COMMENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullKnown:
    """What was read."""

    recall: Recall
    notes: Sequence[NoteRecord]
    """Everybody's comments of the conversation, then everybody's reviews, our own pending ones among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    threads: Future[ThreadPage]
    notes: list[Future[Reply]]


class PullMemory:
    """Reads the memory of one pull. `may_write` is asked about those who resolved a thread of ours or put a thumb down."""

    def __init__(
        self, client: GitHubClient, *, notes: Notes, threads: Threads, may_write: Callable[[str], bool]
    ) -> None:
        self._client = client
        self._notes = notes
        self._threads = threads
        self._may_write = may_write
        self._begun: _Begun | None = None

    def begin(self) -> None:
        """Ask for the first page of everything. Does not wait; what fails is told by `read`."""
        if self._begun is None:
            self._begun = _Begun(threads=self._client.submit(self._threads.page), notes=self._notes.begin(*_KINDS))

    def read(self) -> PullKnown:
        """All of it. What `begin` asked for is used once. Raises NotPermittedError, CredentialsError, OutsideError."""
        self.begin()
        begun, self._begun = self._begun, None
        assert begun is not None
        reviews, talk = self._notes.read(*_KINDS, firsts=begun.notes)
        page = begun.threads.result()
        threads = self._threads.all(page, self._notes.viewer)
        past = [(note.at, self._past(note, in_conversation=False)) for note in reviews if note.state != "PENDING"]
        past += [(note.at, self._past(note, in_conversation=True)) for note in talk]
        # GitHub's times are alike in form, so they sort as texts; those of one second stay as they are listed.
        past.sort(key=lambda each: each[0])
        notes = [note for _, note in past]
        recall = assemble(threads, notes, may_write=self._may_write, author=page.author)
        return PullKnown(recall=recall, notes=[*talk, *reviews])

    def _past(self, note: NoteRecord, *, in_conversation: bool) -> PastNote:
        return PastNote(
            id=note.id,
            url=note.url,
            body=note.body,
            is_ours=self._notes.is_ours(note),
            in_conversation=in_conversation,
            state=note.state,
            login=note.login,
        )
