"""The desk of one comment: what a command may use, made of GitHub's adapters, the model and what the caller brings.

Nothing is read before it is asked for, so the reaction that acknowledges a comment is on GitHub before the pull is read. What
only an engine has (the day's books, what the repository remembers, ordering and stopping reviews) comes in as ports, so that
a run without an engine has the same desk. Decides nothing and says nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.commands.model import CommentRef, Reaction
from bot.commands.ports import Desk, Memory, Reviews
from bot.errors import SparkError
from bot.git.compare import diff_blobs
from bot.git.merge import merge3
from bot.github.blobs import Place, fetch_blob
from bot.github.branch import PullBranch
from bot.github.pace import Pace
from bot.github.people import Collaborators
from bot.github.records import PullRecord, read_pull
from bot.github.talk import PullTalk
from bot.model.budget import Purse
from bot.model.client import SparkModel
from bot.model.till import Till
from bot.review.config import CONFIG_PATH, read_config
from bot.review.model import Usage
from bot.review.ports import CallReport, Model, Opened, Prompt, Stop
from bot.settings import Settings
from bot.wiring import PullPlace, Shared


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentErrand:
    """Whose comment it is about, and what the caller brings."""

    place: PullPlace
    stop: Stop
    """Of the work: when it is over, what there is to say is still said."""
    memory: Memory
    reviews: Reviews
    delivery: str = ""
    """For the log."""
    purse: Purse | None = None
    """What is left of the day's money; None for no books."""
    origin: str = "the server"
    """Where the settings come from, in the words of `/spark config`."""


class CommentDesk:
    """Makes the desk for one comment; close it at the end. `desk` may be asked for again after it failed."""

    def __init__(self, shared: Shared, errand: CommentErrand) -> None:
        """Asks nobody anything."""
        self._shared = shared
        self._errand = errand
        self._place = errand.place
        self._saying = shared.posting(errand.stop)
        self._talk = _Talk(self._place, pace=shared.pace(self._place.installation), stop=self._saying, errand=errand)
        self._lock = threading.Lock()
        self._desk: Desk | None = None
        self._config: str | None = None
        self._opening = threading.Lock()
        self._opened: Opened | None = None
        self._reader: threading.Thread | None = None
        self._model: _PaidModel | None = None

    @property
    def saying(self) -> Stop:
        """The deadline of answers and reactions: later than that of the work."""
        return self._saying

    @property
    def talk(self) -> PullTalk:
        """The pull's comments, which can be had without the pull."""
        return self._talk

    @property
    def usage(self) -> Usage:
        """What the model was asked for so far."""
        return self._model.usage if self._model is not None else Usage()

    def desk(self) -> Desk:
        """The desk; reads the pull the first time. Raises NotPermittedError, OutsideError, ConfigError, CredentialsError."""
        with self._lock:
            if self._desk is None:
                self._desk = self._made(self._pull())
            return self._desk

    def expect_change(self) -> None:
        """The change will be asked for: it is read from now on, beside everything else."""
        self._reader = threading.Thread(target=self._read_ahead, name="comment-change", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Nobody reads any more, and the day's books are settled."""
        self._errand.stop.cancel()
        if self._reader is not None:
            self._reader.join()
        if self._model is not None:
            self._model.close()

    def _made(self, record: PullRecord) -> Desk:
        place, settings = self._place, self._shared.settings
        model = self._shared.model()
        if model is not None:
            till = Till(model, settings.max_usd_per_review, self._errand.purse)
            self._model = _PaidModel(model, till, self._limit)
        pull = record.pull
        return Desk(
            pull=pull,
            maintainer_can_modify=record.maintainer_can_modify,
            talk=self._talk,
            people=Collaborators(place.client, place.repo, stop=self._saying),
            branch=PullBranch(
                place.client,
                place.repo,
                place.number,
                pace=self._shared.pace(place.installation),
                stop=self._saying,
                # A token of a workflow does not know whose it is; without a name every bot's commit would count as ours.
                login=lambda: self._talk.account,
            ),
            memory=self._errand.memory,
            reviews=self._errand.reviews,
            opened=self._open,
            config_text=lambda: self._config_text(pull.base_ref),
            model=self._model,
            effort=settings.effort,
            settings=told(settings, self._errand.origin),
            merge3=merge3,
            diff=diff_blobs,
            account=place.client.login or "",
            streams=settings.streams,
            stop=self._errand.stop,
            clock=self._shared.clock,
        )

    def _pull(self) -> PullRecord:
        place = self._place
        path = f"/repos/{place.repo}/pulls/{place.number}"
        return read_pull(place.client.get(path, stop=self._saying, doing=f"reading {place.repo}#{place.number}"))

    def _open(self) -> Opened:
        """The pull's change; what failed is tried again the next time."""
        with self._opening:
            if self._opened is None:
                self._opened = self._shared.pull_source(self._place, self._errand.stop).open()
            return self._opened

    def _read_ahead(self) -> None:
        # What failed is tried again, and told, where it is needed.
        with contextlib.suppress(SparkError):
            self._open()

    def _config_text(self, base_ref: str) -> str:
        """Of the base branch as it is now: what was mended there since the last push counts."""
        with self._lock:
            if self._config is None:
                place = Place(f"refs/heads/{base_ref}", CONFIG_PATH)
                data = fetch_blob(self._place.client, self._place.repo, place, stop=self._saying)
                self._config = "" if data is None else data.decode("utf-8", "surrogateescape")
            return self._config

    def _limit(self) -> float | None:
        """What one job may cost by the repository's configuration."""
        desk = self.desk()
        return read_config(desk.config_text(), name=CONFIG_PATH).budget.max_usd


def told(settings: Settings, origin: str = "the server") -> Sequence[tuple[str, str, str]]:
    """What `/spark config` shows of the settings: name, value (empty for none), where it came from. No addresses, no secrets."""
    plain = Settings()

    def row(name: str, value: object, usual: object) -> tuple[str, str, str]:
        text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        return name, text, "default" if value == usual else origin

    return (
        row("SPARK_MODEL", settings.model, plain.model),
        row("SPARK_DEADLINE", settings.deadline, plain.deadline),
        row("SPARK_MAX_USD_PER_REVIEW", settings.max_usd_per_review, plain.max_usd_per_review),
        row("SPARK_MAX_USD_PER_DAY", settings.max_usd_per_day, plain.max_usd_per_day),
    )


class _Talk(PullTalk):
    """Does not send a reaction a second time that it has put itself."""

    def __init__(self, place: PullPlace, *, pace: Pace, stop: Stop, errand: CommentErrand) -> None:
        super().__init__(place.client, place.repo, place.number, pace=pace, stop=stop, delivery=errand.delivery)
        self._put: set[tuple[str, Reaction]] = set()

    def react(self, ref: CommentRef, reaction: Reaction) -> None:
        if (ref.key, reaction) in self._put:
            return
        super().react(ref, reaction)
        self._put.add((ref.key, reaction))


class _PaidModel:
    """The `Model` of one job: paid from its till, opened when it is first asked for anything, and counted."""

    def __init__(self, model: SparkModel, till: Till, limit: Callable[[], float | None]) -> None:
        self._model = model
        self._till = till
        self._limit = limit
        self._lock = threading.Lock()
        self._paid: Model | None = None
        self._usage = Usage()

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return self._model.name

    @property
    def usage(self) -> Usage:
        """Of all calls that have ended."""
        with self._lock:
            return self._usage

    def stream(self, prompt: Prompt, *, sink: Callable[[str], None], stop: Stop) -> CallReport:
        """See `Model.stream`. Raises ConfigError for a limit in dollars where the model's price is not known."""
        with self._lock:
            if self._paid is None:
                self._paid = self._till.model(self._limit())
            paid = self._paid
        report = paid.stream(prompt, sink=sink, stop=stop)
        with self._lock:
            self._usage += report.usage
        return report

    def close(self) -> None:
        """No more calls."""
        self._till.close()
