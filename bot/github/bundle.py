"""Several notes in threads as one review: one mail for all of them, where each reply alone is a review and a mail of its own.

The review is begun pending, which nobody sees and nobody is mailed about; the notes are put into it, and it is submitted. It carries a
mark from its first moment on, so that one that a killed run left behind is known as ours and deleted (`Sender.is_free`), never
submitted: what it says may not hold any more. What goes wrong before the submit deletes it, and its notes are left to be said one by
one. Refuses to guess: after a submit whose answer was lost, deleting tells what became of it, for GitHub deletes no submitted review.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bot.github import limits
from bot.github.client import GitHubClient
from bot.github.faults import Cut, Reply, error_for
from bot.github.mutations import Change, document, is_too_fast, outcomes
from bot.github.notes import Kind, Notes
from bot.github.pace import Pace
from bot.github.records import read_note
from bot.github.sending import Sender
from bot.review.ports import Stop
from bot.review.render.threads import round_note

_DOING: Final = "writing in threads"


@dataclass(slots=True, kw_only=True)
class _Open:
    """A review of ours that is pending."""

    path: str
    node: str
    """GraphQL's id."""
    has: set[str] = field(default_factory=set)
    """The aliases of the notes that are in it."""


class Bundle:
    """Says notes together, for one pull. Its writes go through the pace."""

    def __init__(self, client: GitHubClient, *, notes: Notes, sender: Sender, pace: Pace, stop: Stop) -> None:
        self._client = client
        self._notes = notes
        self._sender = sender
        self._pace = pace
        self._stop = stop

    def say(self, replies: Sequence[Change]) -> Collection[str]:
        """Say them all, if GitHub lets us. Gives the aliases of those that are said; the others are to be said one by one.

        The pull must have no pending review of the account. Raises OutsideError where nobody can tell what is on the pull,
        OutOfTimeError.
        """
        review = self._begin(replies) if self._stop.left() >= limits.BUNDLE_SECONDS else None
        if review is None:
            return ()
        for start in range(0, len(replies), limits.STEPS_PER_DOCUMENT):
            if not self._fill(review, replies[start : start + limits.STEPS_PER_DOCUMENT]):
                return self._given_up(review)
        said = [each for each in replies if each.alias in review.has]
        if not said:
            return self._given_up(review)
        submit = {"body": _body(said), "event": "COMMENT"}
        answer = self._sender.write("POST", f"{review.path}/events", submit)
        return review.has if isinstance(answer, Reply) and answer.ok else self._given_up(review)

    def _begin(self, replies: Sequence[Change]) -> _Open | None:
        path = self._notes.path(Kind.REVIEWS)
        answer = self._sender.write("POST", path, {"body": _body(replies)})
        if isinstance(answer, Reply) and answer.ok:
            made = read_note(answer)
            return _Open(path=f"{path}/{made.id}", node=made.node)
        if (isinstance(answer, Cut) or answer.status >= 500) and not self._sender.clear_pending():
            # What answered 502 may become visible a moment later.
            self._pace.pause(limits.SECONDS_BETWEEN_WRITES, stop=self._stop)
            self._sender.clear_pending()
        return None

    def _fill(self, review: _Open, replies: Sequence[Change]) -> bool:
        """Whether it is known what is in it now. What GitHub refused here is asked for once more alone, which gives the reason."""
        inside = [replace(each, given={**each.given, "pullRequestReviewId": review.node}) for each in replies]
        text, variables = document(inside)
        answer = self._pace.write(lambda: self._client.mutate_all(text, variables, stop=self._stop), stop=self._stop)
        if isinstance(answer, Cut) or not answer.ok:
            return False
        found = outcomes(answer, inside)
        review.has |= {alias for alias, each in found.items() if each.data is not None}
        if any(each.data is None and is_too_fast(each) for each in found.values()):
            return self._pace.pause(limits.SECONDARY_WAIT, stop=self._stop)
        return True

    def _given_up(self, review: _Open) -> Collection[str]:
        """Delete it. Gives what is said all the same, because it turns out to be submitted."""
        answer: Reply | Cut = Cut(reason="not sent")
        for _ in range(limits.STEP_TRIES):
            answer = self._sender.write("DELETE", review.path)
            if isinstance(answer, Reply) and (answer.ok or answer.status == 404):
                return ()
            if isinstance(answer, Reply) and answer.status == 422:
                return review.has
        raise error_for(answer, doing=_DOING)


def _body(replies: Sequence[Change]) -> str:
    return round_note([str(each.given["body"]) for each in replies])
