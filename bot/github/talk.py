"""Comments of one pull, read and answered: the `Talk` port.

An answer carries the mark of the comment that it answers, so it is given once, whatever happened to an earlier run or to
GitHub's reply. Says nothing of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from bot import log
from bot.commands.model import CommentKind, CommentRef, Reaction
from bot.diff.model import Anchor, printable
from bot.errors import OutsideError, SparkError
from bot.github.bodies import fit, place_json
from bot.github.client import GitHubClient, gather
from bot.github.faults import Reply, error_for
from bot.github.graph import Graph
from bot.github.notes import Kind, Notes
from bot.github.pace import OutOfTimeError, Pace
from bot.github.people import Collaborators
from bot.github.pull_memory import PullMemory
from bot.github.records import NoteRecord
from bot.github.sending import NEEDS, Landed, Sender, reply_json
from bot.github.threads import Threads
from bot.review.memory import CommentId, Recall, Thread
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop
from bot.review.render.markers import answer_marker, read_keys

_CONTENT: Final = {
    Reaction.SEEN: "EYES",
    Reaction.DONE: "ROCKET",
    Reaction.YES: "THUMBS_UP",
    Reaction.NO: "CONFUSED",
}
"""Our reactions as GraphQL names them. REST has none for reviews."""
_NO_TIME: Final = "there was no time left for it"


class PullTalk:
    """The `Talk` port for one pull. `pace` is shared by all that write with the same account."""

    def __init__(
        self,
        client: GitHubClient,
        repo: RepoName,
        number: int,
        *,
        pace: Pace,
        stop: Stop,
        delivery: str = "",
        today: Callable[[], float] = time.time,
    ) -> None:
        """`delivery` goes into the log. `today` gives seconds since 1970."""
        self._client = client
        self._pace = pace
        self._stop = stop
        self._delivery = delivery
        self._today = today
        self._notes = Notes(client, repo, number, stop=stop)
        self._threads = Threads(client, repo, number, stop=stop)
        self._sender = Sender(client, self._notes, pace=pace, stop=stop)
        self._graph = Graph(client, pace=pace, stop=stop)
        self._people = Collaborators(client, repo, stop=stop)
        self._name = f"{repo}#{number}"
        self._unanswered: set[str] = set()
        self._roots: dict[int, NoteRecord] = {}
        self._suggested: list[NoteRecord] | None = None

    @property
    def account(self) -> str | None:
        """The login that we write as; None where GitHub does not say. May wait."""
        return self._notes.viewer

    def react(self, ref: CommentRef, reaction: Reaction) -> None:
        """See `Talk.react`. Waits for nobody's turn."""
        self._graph.react(ref.node_id, _CONTENT[reaction])

    def answered(self, ref: CommentRef) -> str | None:
        """See `Talk.answered`."""
        # An answer to a comment in a thread that was deleted stands in the conversation.
        kinds = [Kind.COMMENTS, Kind.ISSUE_COMMENTS] if _in_thread(ref) else [Kind.ISSUE_COMMENTS]
        listings = self._notes.read(*kinds)
        if _in_thread(ref):
            self._roots = _begun(listings[0])
        for listing in listings:
            for note in reversed(self._notes.ours(listing)):
                if ref.key in read_keys(note.body, "answer"):
                    return note.url
        self._unanswered.add(ref.key)
        return None

    def answer(self, ref: CommentRef, body: str) -> str:
        """See `Talk.answer`. Raises NotPermittedError, OutsideError."""
        if ref.key not in self._unanswered and (url := self.answered(ref)) is not None:
            return url
        doing = f"answering a comment on {self._name}"
        # What became of this try is not known to the next one until it has looked.
        self._unanswered.discard(ref.key)
        json = {"body": f"{body}\n\n{answer_marker(ref.key)}"}

        def is_it(note: NoteRecord) -> bool:
            return ref.key in read_keys(note.body, "answer")

        root = self._roots.get(ref.root or 0)
        try:
            if root is not None:
                reply = reply_json(json["body"], root=CommentId(root.id), path=root.path, commit=root.commit)
                landed = self._sender.comment(Kind.COMMENTS, reply, is_it=is_it, doing=doing)
                if isinstance(landed, Landed) or landed.status not in {404, 422}:
                    return self._url(landed, doing)
            if _in_thread(ref):
                # The thread is gone, and whoever asked in it shall have an answer all the same.
                log.info("github.thread_gone", delivery=self._delivery, pull=self._name, comment=ref.key)
            landed = self._sender.comment(Kind.ISSUE_COMMENTS, json, is_it=is_it, doing=doing)
        except OutOfTimeError as error:
            raise OutsideError(f"GitHub's pace left no time for {doing}", remedy="Try again later") from error
        return self._url(landed, doing)

    def suggest(self, commit: CommitSha, anchor: Anchor, body: str) -> str | None:
        """See `Talk.suggest`. The same text of ours at the same place is found, not posted twice."""
        doing = f"suggesting a change on {self._name}"
        if self._suggested is None:
            self._suggested = self._notes.ours(self._notes.read(Kind.COMMENTS)[0])
        path, text = printable(anchor.path), fit(body)

        def is_it(note: NoteRecord) -> bool:
            return note.path == path and note.root is None and note.body.split() == text.split()

        found = next((note for note in self._suggested if is_it(note)), None)
        if found is not None:
            return found.url
        json = {"body": body, "commit_id": commit, **place_json(anchor)}
        try:
            landed = self._sender.comment(Kind.COMMENTS, json, is_it=is_it, doing=doing)
        except OutOfTimeError as error:
            raise OutsideError(f"GitHub's pace left no time for {doing}", remedy="Try again later") from error
        if isinstance(landed, Reply) and landed.status == 422:
            log.info("github.suggestion_refused", delivery=self._delivery, pull=self._name, why=landed.message)
            return None
        return self._url(landed, doing)

    def recall(self) -> Recall:
        """See `Talk.recall`."""
        memory = PullMemory(self._client, notes=self._notes, threads=self._threads, may_write=self._people.may_write)
        return memory.read().recall

    def hunk(self, thread: Thread) -> str:
        """See `Talk.hunk`. Read along with the comments; asked for alone only where those were not read."""
        first = thread.comments[0].id
        if first not in self._roots:
            self._roots |= _begun(self._notes.read(Kind.COMMENTS)[0])
        note = self._roots.get(first)
        return "" if note is None else note.hunk

    def recent_answers(self, minutes: int) -> int:
        """See `Talk.recent_answers`."""
        moment = (datetime.fromtimestamp(self._today(), UTC) - timedelta(minutes=minutes)).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
        self._notes.ask_viewer()
        listings = gather(
            [self._client.submit(self._notes.since, kind, moment) for kind in (Kind.COMMENTS, Kind.ISSUE_COMMENTS)]
        )
        return sum(
            note.at >= moment and bool(read_keys(note.body, "answer"))
            for listing in listings
            for note in self._notes.ours(listing)
        )

    def resolve(self, thread: Thread) -> str:
        """See `Talk.resolve`. Raises OutsideError while GitHub is away."""
        return self._settle(lambda: self._graph.resolve(thread))

    def unresolve(self, thread: Thread) -> str:
        """See `Talk.unresolve`. Raises OutsideError while GitHub is away."""
        return self._settle(lambda: self._graph.unresolve(thread))

    def hide(self, node_id: str) -> None:
        """See `Talk.hide`."""
        try:
            why = self._settle(lambda: self._graph.hide(node_id))
        except SparkError as error:
            why = error.what
        if why:
            log.info("github.not_hidden", delivery=self._delivery, pull=self._name, why=why)

    def _settle(self, do: Callable[[], str]) -> str:
        try:
            return do()
        except OutOfTimeError:
            return _NO_TIME

    def _url(self, landed: Landed | Reply, doing: str) -> str:
        if isinstance(landed, Reply):
            raise error_for(landed, doing=doing, needs=f"{NEEDS}, issues=write")
        return landed.url


def _begun(comments: Sequence[NoteRecord]) -> dict[int, NoteRecord]:
    """The comments that threads begin with, by their ids."""
    return {note.id: note for note in comments if note.root is None}


def _in_thread(ref: CommentRef) -> bool:
    return ref.kind is CommentKind.THREAD and ref.root is not None
