"""Which comments of a review does GitHub refuse? It says that one is wrong, not which.

Found by halves with pending reviews: nobody sees one, nobody gets a mail, and one that is taken is deleted at once. A person's
own pending review is never touched: only one with our marker is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.errors import SparkError
from bot.github import limits
from bot.github.bodies import review_json
from bot.github.faults import Cut, Reply
from bot.github.pace import OutOfTimeError
from bot.github.records import read_note
from bot.github.sending import PENDING, Sender
from bot.review.model import CommitSha
from bot.review.ports import DraftComment, Stop
from bot.review.render.markers import ReviewMarker, review_marker

_RESERVE = 10.0
"""Seconds kept for the post itself."""
_UNKNOWN = "GitHub refused the review, and there was no time to find out whether because of this comment"


@dataclass(slots=True, kw_only=True)
class Sorted:
    """Comments told apart. Both lists together are all that were given, in their order."""

    good: list[DraftComment] = field(default_factory=list)
    refused: list[tuple[DraftComment, str]] = field(default_factory=list)


class Prober:
    """Tells good comments from refused ones, with at most `limits.MAX_PROBES` pending reviews."""

    def __init__(
        self, sender: Sender, reviews: str, *, commit: CommitSha, base: CommitSha, run: str, stop: Stop
    ) -> None:
        """`reviews` is the path of the pull's reviews."""
        self._sender = sender
        self._path = reviews
        self._commit = commit
        mark = ReviewMarker(head=commit, base=base, run=f"{run}.probe")
        self._body = f"Finding out which comments GitHub takes.\n\n{review_marker(mark)}"
        self._stop = stop
        self._left = limits.MAX_PROBES

    def sort(self, comments: Sequence[DraftComment], reason: str) -> Sorted:
        """Sort `comments`, which GitHub refused together for `reason`.

        What time or the number of probes does not allow to be told counts as refused: it is then said in the summary, and the
        review can be posted.
        """
        out = Sorted()
        self._halve(list(comments), reason, out)
        return out

    def _halve(self, group: list[DraftComment], reason: str, out: Sorted) -> None:
        """`group` was refused together, or not tried but surely has a refused one."""
        if len(group) == 1:
            self._test(group, out)
            return
        middle = len(group) // 2
        left, right = group[:middle], group[middle:]
        before = len(out.refused)
        self._test(left, out)
        if len(out.refused) == before and len(right) > 1:
            # Left is good, so right is not; there is no need to ask.
            self._halve(right, reason, out)
        else:
            self._test(right, out)

    def _test(self, group: list[DraftComment], out: Sorted) -> None:
        answer = self._probe(group)
        if answer is None:
            out.good.extend(group)
        elif not answer or self._left <= 0:
            out.refused.extend((comment, answer or _UNKNOWN) for comment in group)
        elif len(group) == 1:
            out.refused.append((group[0], answer))
        else:
            self._halve(group, answer, out)

    def _probe(self, group: Sequence[DraftComment]) -> str | None:
        """None: taken. Else GitHub's reason; empty when it could not be found out."""
        for _ in range(2):
            if self._left <= 0 or self._stop.left() < _RESERVE:
                return ""
            self._left -= 1
            body = review_json(commit=self._commit, body=self._body, comments=group, event=None)
            try:
                answer = self._sender.write("POST", self._path, body)
                if isinstance(answer, Reply) and answer.ok:
                    self._sender.delete(f"{self._path}/{read_note(answer).id}")
                    return None
                if isinstance(answer, Cut) or answer.status >= 500:
                    if self._sender.clear_pending():
                        return None
                    continue
                if PENDING in answer.message and self._sender.clear_pending():
                    continue
            except (SparkError, OutOfTimeError):
                return ""
            return answer.message if answer.status == 422 else ""
        return ""
