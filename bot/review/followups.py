"""Earlier findings in the change of now, and the model's look at those whose code changed: is each one mended?

Runs beside the streams, from the start. What it is not sure of it does not say: no answer, an unreadable one and "unsure" are
all the same, and then a thread stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bot.review import follow
from bot.review.follow import Placed
from bot.review.memory import KnownFinding, ThreadId
from bot.review.model import Change, Effort
from bot.review.ports import CallReport, HeadFiles, Model, Prompt, Stop, StreamEnd
from bot.review.prompt_follow import FollowAnswer, follow_up_prompt, read_follow_up
from bot.review.rounds import Fresh
from bot.review.streams import TRIES, second_try


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPlaced:
    """The earlier findings were looked for in the change of now."""

    placed: tuple[Placed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedUp:
    """The model was asked about one of them. `answer` None: it gave none that can be read."""

    thread: ThreadId
    answer: FollowAnswer | None
    reports: tuple[CallReport, ...]


Tell = Callable[[KnownPlaced | FollowedUp], None]


class FollowUps:
    """All looks back of one review. Belongs to the review's thread; `beside` runs work in another one, which uses `tell`."""

    def __init__(
        self,
        *,
        change: Change,
        files: HeadFiles,
        model: Model | None,
        effort: Effort,
        stop: Stop,
        beside: Callable[[Callable[[], None]], None],
        tell: Tell,
    ) -> None:
        self._change = change
        self._files = files
        self._model = model
        self._effort = effort
        self._stop = stop
        self._beside = beside
        self._tell = tell
        self._asks = True
        self.open = 0
        """Messages that are still to come."""
        self.placed: tuple[Placed, ...] = ()
        self.answers: dict[ThreadId, FollowAnswer] = {}

    def begin(self, known: Sequence[KnownFinding], fresh: Fresh | None, *, asks: bool = True) -> None:
        """Look for the findings in the change; those whose code changed are asked about when that is over.

        `fresh`: the lines that no earlier round has seen, where that is known. `asks`: whether the model is asked at all.
        """
        self._asks = asks
        if not known:
            return
        self._files.prefetch(sorted({finding.note.path for finding in known}))
        self.open += 1
        self._beside(partial(self._place, known, fresh))

    def take(self, message: KnownPlaced | FollowedUp) -> None:
        """One message less is to come; there may be more behind it."""
        self.open -= 1
        if isinstance(message, FollowedUp):
            if message.answer is not None:
                self.answers[message.thread] = message.answer
            return
        self.placed = message.placed
        model = self._model
        if model is None or not self._asks:
            return
        for place in self.placed:
            if follow.is_worth_asking(place):
                self.open += 1
                self._beside(partial(self._ask, model, place))

    def _place(self, known: Sequence[KnownFinding], fresh: Fresh | None) -> None:
        change = self._change
        unread = {gap.path for gap in change.gaps}
        placed = follow.place_known(known, change.patch, self._files.text, fresh=fresh, unread=unread)
        self._tell(KnownPlaced(placed=tuple(placed)))

    def _ask(self, model: Model, place: Placed) -> None:
        asking: Prompt | None = follow_up_prompt(place, head_text=self._files.text(place.path), effort=self._effort)
        reports: list[CallReport] = []
        answer = None
        for _ in range(TRIES):
            if asking is None or answer is not None:
                break
            pieces: list[str] = []
            report = model.stream(asking, sink=pieces.append, stop=self._stop)
            reports.append(report)
            answer = read_follow_up("".join(pieces)) if report.end is StreamEnd.WHOLE else None
            asking = second_try(asking, report, self._stop)
        self._tell(FollowedUp(thread=place.known.thread.id, answer=answer, reports=tuple(reports)))
