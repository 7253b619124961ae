"""Settings to services: the only place where adapters are built. Terminal, Action and server all start here.

`Shared` holds what may live as long as the process (connections, what an endpoint was found to refuse); a `ReviewJob` is
one review on top of it. Heavy libraries are loaded beside the first wait for the network, not before it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bot import __version__
from bot.analyzers.ruff import Ruff
from bot.analyzers.sarif import SarifFile
from bot.errors import ConfigError, CredentialsError, UserError
from bot.git.compare import diff_blobs
from bot.git.difffile import DiffFileSource
from bot.git.process import Repository
from bot.git.sources import RangeSource, StagedSource
from bot.github.client import GitHubClient, connect
from bot.github.limits import READ_SECONDS
from bot.github.names import origin, parse_pull_name
from bot.github.pace import Pace
from bot.github.pulls import PullSource
from bot.github.reviews import PullPublisher
from bot.model.budget import Budget
from bot.model.client import SparkModel
from bot.model.endpoint import Endpoint, HttpOptions, read_endpoint
from bot.model.prices import PriceTable
from bot.request import DiffAsk, PullAsk, RangeAsk, ReviewRequest, StagedAsk
from bot.review.config import CONFIG_PATH, read_config
from bot.review.events import ReviewEvent
from bot.review.model import Pull, Review
from bot.review.options import Options, Services
from bot.review.ports import Analyzer, Listener, Model, Opened, Publisher, Source, Stop
from bot.review.run import run_review
from bot.settings import Settings

HEAD_IS_FRESH: Final = 2.0
"""Seconds after the pull was read in which its head is not asked for again before the review is posted."""
POSTING_SECONDS: Final = 30.0
"""What posting may take beyond the deadline of the review."""
NO_KEY: Final = "No API key is set (SPARK_API_KEY), so analyzers reviewed alone."
MODEL_OFF: Final = "The model was switched off, so analyzers reviewed alone."


class MonotonicClock:
    """The `Clock` port."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()


class Deaf:
    """A listener for nobody."""

    def on(self, event: ReviewEvent) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewJob:
    """One review, ready to run."""

    source: Source
    options: Options
    services: Services
    warm: Callable[[], None] | None

    def run(self) -> Review:
        """Review, and post where that was asked for. Raises UserError or OutsideError when there can be no review."""
        if self.warm is not None:
            threading.Thread(target=self.warm, name="warm", daemon=True).start()
        return run_review(self.source, self.options, self.services)

    def cancel(self) -> None:
        """Close every stream and end soon; from any thread."""
        self.services.stop.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long we are patient with the outside world, for tests and benchmarks that are in a hurry."""

    endpoint: HttpOptions | None = None
    pause: Callable[[Stop, float], bool] = Stop.wait
    """Makes a pause that GitHub asks for, or that keeps us inside its limits."""
    github_seconds: float = READ_SECONDS
    """Silence of GitHub after which an answer counts as lost."""


class Shared:
    """The clients of one process. Thread-safe; close it at the end, or use it in a `with`."""

    def __init__(
        self,
        settings: Settings,
        *,
        waits: Waits | None = None,
    ) -> None:
        self._settings = settings
        self._waits = waits or Waits()
        self._clock = MonotonicClock()
        self._pace = Pace(clock=self._clock, wait=self._waits.pause)
        self._lock = threading.Lock()
        self._models: dict[tuple[str, str], SparkModel] = {}
        self._github: GitHubClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to GitHub and to the endpoints."""
        with self._lock:
            for model in self._models.values():
                model.close()
            self._models.clear()
            if self._github is not None:
                self._github.close()
                self._github = None

    def warm(self) -> None:
        """Load and build what the first review would wait for: the clients of GitHub and of the endpoint."""
        model, _ = self._model(ReviewRequest())
        if model is not None:
            model.warm()
        self._client()

    def job(self, request: ReviewRequest, listener: Listener | None = None) -> ReviewJob:
        """One review. Raises UserError for what the request or the settings name wrongly."""
        settings = self._settings
        stop = Stop(deadline=self._clock.now() + (request.deadline or settings.deadline), clock=self._clock)
        model, notice = self._model(request)
        limit = request.max_usd if request.max_usd is not None else settings.max_usd_per_review
        notices = settings.notices if notice is None else (*settings.notices, notice)
        source: Source = self._source(request, stop)
        if request.config is not None:
            source = _Reconfigured(source, request.config)
        return ReviewJob(
            source=source,
            options=Options(
                effort=request.effort or settings.effort,
                fail_on=request.fail_on,
                never_fail=request.never_fail,
                streams=settings.streams,
                run=uuid.uuid4().hex[:12],
                notices=notices,
            ),
            services=Services(
                model=_paid(model, limit) if model is not None else None,
                analyzers=_analyzers(request),
                publisher=self._publisher(self._posting(stop)) if request.post else None,
                listener=listener or Deaf(),
                clock=self._clock,
                stop=stop,
            ),
            warm=model.warm if model is not None else None,
        )

    def _model(self, request: ReviewRequest) -> tuple[SparkModel | None, str | None]:
        """The model, or why there is none."""
        if request.no_model:
            return None, MODEL_OFF
        settings = self._settings
        place, name = request.base_url or settings.base_url, request.model or settings.model
        with self._lock:
            if (place, name) not in self._models:
                try:
                    endpoint = read_endpoint(place, model=name, api=settings.api, keys=settings.keys)
                except CredentialsError:
                    if any(settings.keys.values()):
                        raise
                    return None, NO_KEY
                self._models[place, name] = self._connect(endpoint)
            return self._models[place, name], None

    def _connect(self, endpoint: Endpoint) -> SparkModel:
        prices = PriceTable.read(self._settings.prices, preset=endpoint.preset)
        return SparkModel(endpoint, prices=prices, budget=Budget(None), clock=self._clock, http=self._waits.endpoint)

    def _source(self, request: ReviewRequest, stop: Stop) -> Source:
        match request.ask:
            case RangeAsk(range=text):
                return RangeSource(Repository(), text)
            case StagedAsk():
                return StagedSource(Repository())
            case DiffAsk(name=name):
                return DiffFileSource(name)
            case PullAsk(name=text):
                pull = parse_pull_name(text)
                _check_server(pull.server, self._settings)
                return PullSource(self._client(), pull.repo, pull.number, compare=diff_blobs, stop=stop)

    def _posting(self, stop: Stop) -> Stop:
        """The deadline of the post: a review that used up its time must still reach the pull request."""
        posting = Stop(deadline=self._clock.now() + stop.left() + POSTING_SECONDS, clock=self._clock)
        stop.on_stop(posting.cancel)
        return posting

    def _publisher(self, stop: Stop) -> Callable[[Pull], Publisher]:
        client = self._client()
        return lambda pull: PullPublisher(client, pull, pace=self._pace, stop=stop, fresh=HEAD_IS_FRESH)

    def _client(self) -> GitHubClient:
        settings = self._settings
        with self._lock:
            if self._github is None:
                self._github = connect(
                    token=settings.github_token,
                    api_url=settings.github_api_url,
                    graphql_url=settings.github_graphql_url,
                    user_agent=f"spark/{__version__}",
                    clock=self._clock,
                    wait=self._waits.pause,
                    read_seconds=self._waits.github_seconds,
                )
            return self._github


def _paid(model: SparkModel, limit: float | None) -> Callable[[float | None], Model]:
    """The model on a budget: the smaller of the caller's limit and the repository's."""

    def make(configured: float | None) -> Model:
        limits = [usd for usd in (limit, configured) if usd is not None]
        return model.with_budget(Budget(min(limits))) if limits else model

    return make


def _check_server(server: str | None, settings: Settings) -> None:
    """A pull on another server than the settings name must not be looked up on this one, where a number may exist too."""
    known = {origin(url) for url in (settings.github_server_url, settings.github_api_url)}
    if server is not None and server not in known:
        raise UserError(
            f"The pull request is on {server}, the settings are for {settings.github_server_url}",
            remedy="Set GITHUB_API_URL (https://HOST/api/v3 on an Enterprise Server) and GITHUB_SERVER_URL.",
        )


def _analyzers(request: ReviewRequest) -> Sequence[Analyzer]:
    return [Ruff(), *(SarifFile(path) for path in request.sarif)]


@dataclass(frozen=True, slots=True)
class _Reconfigured:
    """A source with the user's own file in the place of the repository's configuration."""

    source: Source
    path: Path

    def open(self) -> Opened:
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigError(f"{self.path} cannot be read ({why})", remedy="Name a readable file.") from error
        # Its mistakes are told under its own name, and before the change is read.
        read_config(text, name=str(self.path))
        opened = self.source.open()
        return replace(opened, base_texts={**opened.base_texts, CONFIG_PATH: text})
