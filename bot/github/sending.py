"""One write that must happen once: after a lost answer the pull is looked at before anything is sent again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import OutsideError, SparkError
from bot.github import limits
from bot.github.client import GitHubClient
from bot.github.faults import Cut, Reply, error_for
from bot.github.notes import Kind, Notes
from bot.github.pace import Pace
from bot.github.records import read_note
from bot.review.ports import Stop

_LOOKS = 2
"""A write that answered 502 may become visible a moment later, so the pull is looked at twice."""


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
        answer: Reply | Cut = Cut(reason="not sent")
        for _ in range(limits.POST_TRIES):
            answer = self.write("POST", path, body)
            if isinstance(answer, Reply) and answer.ok:
                note = read_note(answer)
                return Landed(url=note.url, id=note.id)
            if isinstance(answer, Reply) and answer.status < 500:
                return answer
            landed = self._find(run, kind, answer, doing)
            if landed is not None:
                return landed
        raise error_for(answer, doing=doing)

    def write(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Reply | Cut:
        """Send once, in turn. Raises OutOfTimeError."""
        return self._pace.write(lambda: self._client.call(verb, path, stop=self._stop, body=body), stop=self._stop)

    def _find(self, run: str, kind: Kind, answer: Reply | Cut, doing: str) -> Landed | None:
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
            note = self._notes.with_run(notes, run)
            if note is not None:
                return Landed(url=note.url, id=note.id)
        return None
