"""Settings to services: the only place where adapters are built. Terminal, Action and server all start here.

`Shared` holds what may live as long as the process (connections, what an endpoint was found to refuse); a `ReviewJob` is
one review on top of it. Heavy libraries are loaded beside the first wait for the network, not before it; so is what of our
own code the first request can do without, which takes longer to load than the request does.
"""

from __future__ import annotations

import hashlib
import importlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from bot import __version__, log
from bot.errors import CredentialsError
from bot.github.client import GitHubClient, connect
from bot.github.known_texts import KnownTexts
from bot.github.limits import READ_SECONDS
from bot.github.names import PullName, check_server, parse_pull_name
from bot.github.pace import Pace
from bot.request import AlreadyOpen, DiffAsk, Opening, PullAsk, RangeAsk, Reconfigured, ReviewRequest, StagedAsk
from bot.review.ports import Clock, Listener, Opened, Publisher, Remembrance, ReviewDraft, Source, Stop
from bot.review.threads import Threads

if TYPE_CHECKING:
    from bot.analyzers.sarif import SarifFile
    from bot.model.budget import Purse
    from bot.model.client import SparkModel
    from bot.model.endpoint import Endpoint, HttpOptions
    from bot.model.till import Till
    from bot.review.model import Pull, RepoName, Review
    from bot.review.options import Options, Services
    from bot.settings import Settings

HEAD_IS_FRESH: Final = 3.0
"""Seconds from right before the pull is read in which its head is not asked for again before the review is posted."""
POSTING_SECONDS: Final = 30.0
"""What posting may take beyond the deadline of the review."""
_OWN_ACCOUNT: Final = 0
"""The pace of the settings' own token; installations have positive numbers."""
NO_KEY: Final = "No API key is set (SPARK_API_KEY), so analyzers reviewed alone."
MODEL_OFF: Final = "The model was switched off, so analyzers reviewed alone."

_BEHIND_THE_FIRST_REQUEST: Final = (
    "bot.model.client",
    "bot.review.run",
    "bot.analyzers.ruff",
    "bot.analyzers.sarif",
    "bot.github.patience",
    "bot.git.compare",
    "bot.model.till",
)
"""What a review needs, and a request for its pull does not: 0.1 s of imports. A process that waits for its first work loads them
before, one that has it beside the answer's wait."""

T = TypeVar("T")


def load() -> None:
    """Import now what is imported late here."""
    for name in _BEHIND_THE_FIRST_REQUEST:
        importlib.import_module(name)


class MonotonicClock:
    """The `Clock` port."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewJob:
    """One review, ready to run."""

    source: Source
    options: Options
    services: Services
    warm: Callable[[], None] | None
    till: Till

    def run(self) -> Review:
        """Review, and post where that was asked for. Raises UserError or OutsideError when there can be no review."""
        if self.warm is not None:
            threading.Thread(target=self.warm, name="warm", daemon=True).start()
        try:
            from bot.review.run import run_review  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

            return run_review(self.source, self.options, self.services)
        finally:
            self.till.close()

    def cancel(self) -> None:
        """Close every stream and end soon; from any thread."""
        self.services.stop.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """A pull that is being read before the job that reviews it is made."""

    source: Source
    stop: Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long we are patient with the outside world, for tests and benchmarks that are in a hurry."""

    endpoint: HttpOptions | None = None
    pause: Callable[[Stop, float], bool] = Stop.wait
    """Makes a pause that GitHub asks for, or that keeps us inside its limits."""
    github_seconds: float = READ_SECONDS
    """Silence of GitHub after which an answer counts as lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlace:
    """A pull request that a server works on, as the App; or a run without one, with its own token."""

    client: GitHubClient
    """Of the App's installation there, or of the token."""
    installation: int
    """Whose limits of writing are shared; 0 for the token's."""
    repo: RepoName
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a server's job brings to a review that the command line does not know."""

    place: PullPlace
    opened: Opened
    """The pull, read already: whether it is to be reviewed was decided by it."""
    began: float
    """`Clock.now()` when the job began."""
    run: str
    stop: Stop
    publisher: Publisher
    """Of the pull; it began to read what is on it before the pull was read."""
    keep: Callable[[Review, ReviewDraft], bool]
    memory: Remembrance | None = None
    """What the repository remembers."""
    purse: Purse | None = None
    """What is left of the day's money."""
    fields: Mapping[str, log.Field] = field(default_factory=dict)
    """For the log."""


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
        self._paces: dict[int, Pace] = {}
        self._lock = threading.Lock()
        self._models: dict[tuple[str, str], SparkModel] = {}
        self._github: GitHubClient | None = None
        self._threads = Threads()
        self.texts: Final = KnownTexts()
        """Files that were read before."""

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
        load()
        model, _ = self._model(ReviewRequest())
        if model is not None:
            model.warm()
        self._client()

    @property
    def settings(self) -> Settings:
        """What it was made with."""
        return self._settings

    def model(self) -> SparkModel | None:
        """The model of the settings, without a budget; None where there is no key."""
        return self._model(ReviewRequest())[0]

    def pace(self, account: int) -> Pace:
        """The one pace of those who write with an account: an installation of the App, or the settings' own token (0)."""
        return self._pace(account)

    @property
    def clock(self) -> Clock:
        """The clock that every deadline is told by."""
        return self._clock

    def stop(self, seconds: float | None = None) -> Stop:
        """A deadline that many seconds from now; what the settings give a review, by default."""
        return Stop(deadline=self._clock.now() + (seconds or self._settings.deadline), clock=self._clock)

    def pause(self, stop: Stop, seconds: float) -> bool:
        """Wait, as for GitHub; True when cancelled meanwhile."""
        return self._waits.pause(stop, seconds)

    def ahead(self, request: ReviewRequest) -> Ahead | None:
        """Begin to read the pull of `request`, for a `job` of it; None where it is about no pull. Raises UserError as `job`."""
        if not isinstance(request.ask, PullAsk):
            return None
        stop = self.stop(request.deadline)
        return Ahead(source=Opening(self._source(request, stop)), stop=stop)

    def job(
        self,
        request: ReviewRequest,
        listener: Listener | None = None,
        *,
        errand: Errand | None = None,
        ahead: Ahead | None = None,
    ) -> ReviewJob:
        """One review. Raises UserError for what the request or the settings name wrongly.

        `ahead` is of the same request. With an `errand` the change, the account and the deadline are its own, and the request asks for no place.
        """
        from bot.analyzers.ruff import Ruff  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST
        from bot.analyzers.sarif import SarifFile  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST
        from bot.model.till import Till  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST
        from bot.review.options import Deaf, Options, Services  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

        settings = self._settings
        at_hand = errand or ahead
        stop = at_hand.stop if at_hand is not None else self.stop(request.deadline)
        model, notice = self._model(request)
        limit = request.max_usd if request.max_usd is not None else settings.max_usd_per_review
        notices = settings.notices if notice is None else (*settings.notices, notice)
        if errand is not None:
            source: Source = AlreadyOpen(errand.opened)
        else:
            source = ahead.source if ahead is not None else self._source(request, stop)
        if request.config is not None:
            source = Reconfigured(source, request.config)
        publisher = errand.publisher if errand is not None else self._publisher(request, stop)
        till = Till(model, limit, errand.purse if errand is not None else None)
        sarif = [SarifFile(path) for path in request.sarif]
        return ReviewJob(
            source=source,
            options=Options(
                effort=settings.effort,
                fail_on=request.fail_on,
                never_fail=request.never_fail,
                require_coverage=request.require_coverage,
                paths_ignore=request.paths_ignore,
                streams=settings.streams,
                run=errand.run if errand is not None else uuid.uuid4().hex[:12],
                notices=notices,
                began=errand.began if errand is not None else None,
                full=request.full,
                asked_effort=request.effort,
                evidence=_evidence(sarif),
            ),
            services=Services(
                model=till.model if model is not None else None,
                analyzers=[Ruff(), *sarif],
                publisher=publisher,
                listener=listener or Deaf(),
                clock=self._clock,
                stop=stop,
                keep=errand.keep if errand is not None else None,
                memory=errand.memory if errand is not None else None,
                threads=self._threads,
            ),
            # A server has loaded it all since it began, but connections grow old.
            warm=model.warm if model is not None else None,
            till=till,
        )

    def own_place(self, repo: RepoName, number: int) -> PullPlace:
        """A pull as the settings' own token sees it, for a run without an App. The client is closed with this."""
        return PullPlace(client=self._client(), installation=_OWN_ACCOUNT, repo=repo, number=number)

    def pull_source(
        self,
        place: PullPlace,
        stop: Stop,
        *,
        branch: str | None = None,
        fields: Mapping[str, log.Field] | None = None,
    ) -> Source:
        """Reads a server's pull. `branch`: its base, as far as anybody told. `fields`: for the log."""
        from bot.github.pulls import PullSource  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

        return PullSource(
            place.client,
            place.repo,
            place.number,
            compare=_compare,
            stop=stop,
            branch=branch,
            texts=self.texts,
            fields=fields,
        )

    def pull(self, place: PullPlace, stop: Stop) -> Pull:
        """A server's pull as it is now, without its change."""
        doing = f"reading {place.repo}#{place.number}"
        from bot.github.records import read_pull  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

        return read_pull(place.client.get(f"/repos/{place.repo}/pulls/{place.number}", stop=stop, doing=doing)).pull

    def pull_publisher(
        self, place: PullPlace, stop: Stop, *, fresh: float = 0.0, fields: Mapping[str, log.Field] | None = None
    ) -> Publisher:
        """Remembers and posts on a server's pull, with patience: nobody is there who would run it again.

        `stop`: of the post. `fresh`: as `PullPublisher`. `fields`: for the log.
        """
        from bot.github.patience import PatientPublisher  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST
        from bot.github.reviews import PullPublisher  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

        pace = self._pace(place.installation)
        inner = PullPublisher(place.client, place.repo, place.number, pace=pace, stop=stop, fresh=fresh)
        return PatientPublisher(inner, stop=stop, pause=self._waits.pause, fields=fields or {})

    def patiently(self, do: Callable[[], T], *, stop: Stop, doing: str, fields: Mapping[str, log.Field]) -> T:
        """What `do` gives, tried again while GitHub is away: see `bot.github.patience`."""
        from bot.github.patience import patiently  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

        return patiently(do, stop=stop, pause=self._waits.pause, doing=doing, fields=fields)

    def _model(self, request: ReviewRequest) -> tuple[SparkModel | None, str | None]:
        """The model, or why there is none."""
        if request.no_model:
            return None, MODEL_OFF
        settings = self._settings
        place, name = request.base_url or settings.base_url, request.model or settings.model
        with self._lock:
            if (place, name) not in self._models:
                from bot.model.endpoint import read_endpoint  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

                try:
                    endpoint = read_endpoint(place, model=name, api=settings.api, keys=settings.keys)
                except CredentialsError:
                    if any(settings.keys.values()):
                        raise
                    return None, NO_KEY
                self._models[place, name] = self._connect(endpoint)
            return self._models[place, name], None

    def _connect(self, endpoint: Endpoint) -> SparkModel:
        from bot.model.budget import Budget  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST
        from bot.model.client import SparkModel  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST
        from bot.model.prices import PriceTable  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

        prices = PriceTable.read(self._settings.prices, preset=endpoint.preset)
        return SparkModel(endpoint, prices=prices, budget=Budget(None), clock=self._clock, http=self._waits.endpoint)

    def _source(self, request: ReviewRequest, stop: Stop) -> Source:
        match request.ask:
            case RangeAsk(range=text):
                from bot.git.process import Repository  # noqa: PLC0415 - no pull needs git
                from bot.git.sources import RangeSource  # noqa: PLC0415 - as above

                return RangeSource(Repository(), text)
            case StagedAsk():
                from bot.git.process import Repository  # noqa: PLC0415 - as above
                from bot.git.sources import StagedSource  # noqa: PLC0415 - as above

                return StagedSource(Repository())
            case DiffAsk(name=name):
                from bot.git.difffile import DiffFileSource  # noqa: PLC0415 - as above

                return DiffFileSource(name)
            case PullAsk(name=text):
                from bot.github.pulls import PullSource  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

                pull = self._named(text)
                return PullSource(self._client(), pull.repo, pull.number, compare=_compare, stop=stop, texts=self.texts)

    def _named(self, text: str) -> PullName:
        pull = parse_pull_name(text)
        check_server(pull, web=self._settings.github_server_url, api=self._settings.github_api_url)
        return pull

    def posting(self, stop: Stop) -> Stop:
        """The deadline of the post: a review that used up its time must still reach the pull request."""
        posting = Stop(deadline=self._clock.now() + stop.left() + POSTING_SECONDS, clock=self._clock)
        stop.on_stop(posting.cancel)
        return posting

    def _publisher(self, request: ReviewRequest, stop: Stop) -> Publisher | None:
        """Posts on the pull that the user named, where that was asked for."""
        if not isinstance(request.ask, PullAsk) or not request.ask.post:
            return None
        from bot.github.reviews import PullPublisher  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

        pull, pace = self._named(request.ask.name), self._pace(_OWN_ACCOUNT)
        return PullPublisher(
            self._client(), pull.repo, pull.number, pace=pace, stop=self.posting(stop), fresh=HEAD_IS_FRESH
        )

    def _pace(self, account: int) -> Pace:
        """The one pace of an account: the owner of the token, or an installation of the App."""
        with self._lock:
            if account not in self._paces:
                self._paces[account] = Pace(clock=self._clock, wait=self._waits.pause)
            return self._paces[account]

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


def _compare(pairs: Sequence[tuple[bytes, bytes]]) -> Sequence[str]:
    """See `bot.git.compare`, which few pulls need."""
    from bot.git.compare import compare_blobs  # noqa: PLC0415 - see _BEHIND_THE_FIRST_REQUEST

    return compare_blobs(pairs)


def _evidence(files: Sequence[SarifFile]) -> str:
    return hashlib.sha256(":".join(sorted(file.digest for file in files)).encode()).hexdigest() if files else ""
