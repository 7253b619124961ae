"""All review streams of one review: every chunk by every pass, and what each of them leaves in the book when it is over.

Belongs to the review's thread; the streams themselves run in others and only send messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bot.review.config import RepoConfig
from bot.review.coverage import CoverageBook
from bot.review.model import Change, Effort
from bot.review.ports import Model, Stop
from bot.review.prompt import review_prompt
from bot.review.scope import Chunk, PassName, Plan
from bot.review.streams import Gauge, StreamDone, Tell, run_stream
from bot.review.tally import Tally

CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What every stream of a review needs; the same for all of them."""

    change: Change
    model: Model
    effort: Effort
    config: RepoConfig
    guidelines: Mapping[str, str]
    stop: Stop
    tell: Tell

    def look(self, chunk: Chunk, name: PassName, gauge: Gauge) -> None:
        """One chunk, one pass; in a thread of its own."""
        prompt = review_prompt(
            self.change,
            chunk,
            pass_name=name,
            effort=self.effort,
            config=self.config,
            guidelines=self.guidelines,
        )
        run_stream(self.model, prompt, chunk=chunk, pass_name=name, stop=self.stop, gauge=gauge, tell=self.tell)


class Looks:
    """The streams that are under way."""

    def __init__(self, book: CoverageBook, tally: Tally, *, at_once: int) -> None:
        """`at_once`: streams that may be under way."""
        self._book = book
        self._tally = tally
        self._at_once = at_once
        self._gauges: list[Gauge] = []
        self.open = 0
        """Streams that are not over."""

    def start(
        self,
        plan: Plan,
        names: Sequence[PassName],
        looking: Looking | None,
        *,
        run: Callable[[Callable[[], None]], None],
    ) -> None:
        """Open them all. `looking` None: there is no model, so every chunk is a hole. `run`: in the pool of the streams."""
        for name in names:
            for chunk in plan.chunks:
                if looking is None:
                    self._book.hole(chunk.id, name, "no model")
                    continue
                # Here, in order: the first request leaves while the second text is made, and sixty threads don't make theirs at once.
                chunk.print()
                gauge = Gauge()
                self._gauges.append(gauge)
                self.open += 1
                run(partial(looking.look, chunk, name, gauge))

    @property
    def total(self) -> int:
        """Streams that were opened."""
        return len(self._gauges)

    @property
    def are_flowing(self) -> bool:
        """Whether half of those that can be under way have written something: then the requests of most have left long since."""
        return 2 * sum(gauge.chars > 0 for gauge in self._gauges) >= min(self._at_once, self.total)

    @property
    def tokens(self) -> int:
        """Of text so far, estimated."""
        return sum(gauge.chars for gauge in self._gauges) // CHARS_PER_TOKEN

    def chunk(self, chunk_id: int) -> Chunk:
        """The plan's chunk with this id."""
        return self._book.chunk(chunk_id)

    def close(self, done: StreamDone) -> str:
        """A stream is over. What users should know now: that something was not seen; empty when all was."""
        self.open -= 1
        for report in done.reports:
            self._tally.count(report)
        self._tally.garbled += done.garbled
        self._tally.ends.append(done.reports[-1].end)
        if not done.hole:
            self._book.seen(done.chunk.id, done.pass_name)
            return ""
        self._book.hole(done.chunk.id, done.pass_name, done.hole)
        return f"Not reviewed in full: {', '.join(done.chunk.paths)}: {done.hole}."
