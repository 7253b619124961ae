"""One write that must happen once: after a lost answer the pull is looked at before anything is sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.errors import OutsideError, SparkError
from bot.github import limits
from bot.github.bodies import fit
from bot.github.client import GitHubClient
from bot.github.faults import Cut, Reply, error_for
from bot.github.notes import Kind, Notes
from bot.github.pace import Pace
from bot.github.records import NoteRecord, read_note
from bot.review.memory import CommentId
from bot.review.ports import Stop
from bot.review.render.markers import read_review_marker

NEEDS: Final = "pull_requests=write"
"""The permission that writing on a pull takes."""

PENDING: Final = "one pending review"
"""Of GitHub's text when the account has a review that is not submitted."""

PENDING_IN_THE_WAY: Final = "you have a pending review on this pull request; submit or discard it"
"""What is told of that, where it is a person's own."""

TOO_LONG: Final = "is too long"
"""Of GitHub's text for a body; it counts some characters more than once."""

_LOOKS = 2
"""A write that answered 502 may become visible a moment later, so the pull is looked at twice."""


def reply_json(body: str, *, root: CommentId, path: str, commit: str) -> dict[str, Any]:
    """A comment at the end of a thread.

    GitHub ignores path and commit beside `in_reply_to`, and its description demands them [api, pulls/create-review-comment].
    The endpoint `.../replies` is not used: by that description it is not for Apps.
    """
    return {"body": body, "in_reply_to": root, "path": path, "commit_id": commit}


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """It is on the pull."""

    url: str
    id: int


class Sender:
    """Sends writes of one pull through the pace."""

    def __init__(self, client: GitHubClient, notes: Notes, *, pace: Pace, stop: Stop) -> None:
        self._client = client
        self._notes = notes
        self._pace = pace
        self._stop = stop

    def once(self, path: str, body: Mapping[str, Any], *, run: str, kind: Kind, doing: str) -> Landed | Reply:
        """POST `body`, which has a marker with `run`, so that it lands once. A Reply is GitHub's refusal (4xx).

        Raises OutsideError when GitHub stays down or silent, and when it cannot be told whether the write landed;
        OutOfTimeError when it could not be sent in time.
        """
        return self._once(path, body, kind, doing, lambda notes: self._notes.with_run(notes, run))

    def comment(
        self, kind: Kind, body: Mapping[str, Any], *, is_it: Callable[[NoteRecord], bool], doing: str
    ) -> Landed | Reply:
        """POST a comment of the conversation, or one on lines, once; `is_it` knows it among our own. Raises as `once`.

        A text that is too long for GitHub is cut; a pending review that a run of ours left behind is deleted when it is in
        the way.
        """

        def find(notes: Sequence[NoteRecord]) -> NoteRecord | None:
            return next((note for note in reversed(self._notes.ours(notes)) if is_it(note)), None)

        limit = limits.SAFE_BODY
        cleared = False
        while True:
            sent = {**body, "body": fit(str(body["body"]), limit)}
            answer = self._once(self._notes.path(kind), sent, kind, doing, find)
            if isinstance(answer, Landed) or answer.status != 422:
                return answer
            if TOO_LONG in answer.message and limit == limits.SAFE_BODY:
                limit //= 2
            elif PENDING in answer.message and not cleared and self.clear_pending():
                cleared = True
            else:
                return answer

    def clear_pending(self) -> bool:
        """Delete the pending reviews that a run of ours left behind; whether there was one."""
        (listed,) = self._notes.read(Kind.REVIEWS)
        return self._clear([each for each in listed if each.state == "PENDING"]) > 0

    def is_free(self, listed: Sequence[NoteRecord]) -> bool:
        """Whether a note would be seen: GraphQL puts one into the account's own pending review, where there is one.

        `listed`: the pull's reviews. Those pending ones that a run of ours left behind are deleted; a person's is not.
        """
        pending = [each for each in listed if each.state == "PENDING"]
        return self._clear(pending) == len(pending)

    def _clear(self, pending: Sequence[NoteRecord]) -> int:
        found = [each for each in pending if read_review_marker(each.body) is not None]
        for review in found:
            self.delete(f"{self._notes.path(Kind.REVIEWS)}/{review.id}")
        return len(found)

    def delete(self, path: str) -> None:
        """Delete. Twice does no harm, so this may be repeated where a POST may not."""
        for _ in range(2):
            answer = self.write("DELETE", path)
            if isinstance(answer, Reply) and answer.status < 500:
                return

    def _once(
        self,
        path: str,
        body: Mapping[str, Any],
        kind: Kind,
        doing: str,
        find: Callable[[Sequence[NoteRecord]], NoteRecord | None],
    ) -> Landed | Reply:
        answer: Reply | Cut = Cut(reason="not sent")
        for _ in range(limits.POST_TRIES):
            answer = self.write("POST", path, body)
            if isinstance(answer, Reply) and answer.ok:
                note = read_note(answer)
                return Landed(url=note.url, id=note.id)
            if isinstance(answer, Reply) and answer.status < 500:
                return answer
            landed = self._find(kind, answer, doing, find)
            if landed is not None:
                return landed
        raise error_for(answer, doing=doing)

    def write(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Reply | Cut:
        """Send once, in turn. Raises OutOfTimeError."""
        return self._pace.write(lambda: self._client.call(verb, path, stop=self._stop, body=body), stop=self._stop)

    def _find(
        self,
        kind: Kind,
        answer: Reply | Cut,
        doing: str,
        find: Callable[[Sequence[NoteRecord]], NoteRecord | None],
    ) -> Landed | None:
        for look in range(_LOOKS):
            if look and not self._pace.pause(limits.SECONDS_BETWEEN_WRITES, stop=self._stop):
                break
            try:
                (notes,) = self._notes.read(kind)
            except SparkError as error:
                raise OutsideError(
                    f"{error_for(answer, doing=doing).what}, and whether it arrived could not be seen: {error.what}",
                    remedy="Run again: what did arrive is found and not posted twice",
                ) from error
            note = find(notes)
            if note is not None:
                return Landed(url=note.url, id=note.id)
        return None
