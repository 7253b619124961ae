"""Several endpoints at once, for a comparison: each gets the key that belongs to it, and no other.

A review has one endpoint, and `SPARK_API_KEY` is its key. Beside others it goes to that one address alone: a preset gets the key
of its own variable, and any other URL the one that is named for it, or none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from bot.errors import ConfigError, CredentialsError, UserError
from bot.model.budget import Budget
from bot.model.client import SparkModel
from bot.model.endpoint import PRESETS, Endpoint, HttpOptions, read_endpoint
from bot.model.prices import Price, PriceTable
from bot.review.ports import Stop
from bot.settings import Settings
from bot.wiring import MonotonicClock

_WAITS: Final = HttpOptions(
    stall_seconds=60.0, reasoning_seconds=60.0, keep_alive_seconds=300.0, ahead=0, gather_seconds=0.0
)
"""A slow endpoint is to be measured and not given up, a connection is to live until its lane's next turn, and each token
counts when it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One endpoint that the user names. None is what the settings say."""

    name: str = ""
    """Empty: the model's name."""
    url: str | None = None
    """A URL or a preset's name."""
    model: str | None = None
    api: str | None = None
    key_variable: str | None = None
    """The variable with the key for `url`."""
    beside: bool = False
    """It is set beside the endpoint of the settings, whose key it must not get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """One place, ready to be called."""

    name: str
    endpoint: Endpoint
    model: SparkModel
    price: Price | None
    """None where it is not known."""


class Endpoints:
    """The clients of some endpoints, all paid from one budget. Use it in a `with`."""

    def __init__(
        self, places: Sequence[Place], settings: Settings, env: Mapping[str, str], *, max_usd: float | None
    ) -> None:
        """Raises UserError for what a place or the settings name wrongly; opens no connection."""
        self.clock = MonotonicClock()
        budget = Budget(max_usd)
        self.connected: list[Connected] = []
        for place in places:
            endpoint = _endpoint(place, settings, env)
            prices = PriceTable.read(settings.prices, preset=endpoint.preset)
            model = SparkModel(endpoint, prices=prices, budget=budget, clock=self.clock, http=_WAITS)
            self.connected.append(
                Connected(
                    name=place.name or endpoint.model,
                    endpoint=endpoint,
                    model=model,
                    price=prices.find(endpoint.model),
                )
            )
        names = [each.name for each in self.connected]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"two endpoints are named {twice}", remedy="Give each --compare a name of its own.")

    def warm(self) -> None:
        """Load what a call needs, so that the first does not wait for imports."""
        for each in self.connected:
            each.model.warm()

    def list_models(self, *, seconds: float = 10.0) -> list[tuple[str, list[str]]]:
        """Each place's name with its models. Raises ConfigError where one does not say."""
        stop = Stop(deadline=self.clock.now() + seconds, clock=self.clock)
        return [(each.name, each.model.list_models(stop=stop)) for each in self.connected]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self.connected:
            each.model.close()


def _endpoint(place: Place, settings: Settings, env: Mapping[str, str]) -> Endpoint:
    url = place.url or settings.base_url
    keys: Mapping[str, str] = settings.keys
    if place.beside:
        keys = _own_keys(url, settings)
    if place.key_variable is not None:
        key = env.get(place.key_variable, "").strip() or settings.keys.get(place.key_variable, "")
        if not key:
            raise ConfigError(
                f"--compare {place.name}: the variable {place.key_variable} is not set",
                remedy="Set it in the environment, or leave key= out.",
            )
        keys = {"SPARK_API_KEY": key}
    try:
        endpoint = read_endpoint(url, model=place.model or settings.model, api=place.api or settings.api, keys=keys)
    except CredentialsError as error:
        if not place.beside:
            raise
        own = next((each.key_env for each in PRESETS.values() if each.base_url == _address(url)), "key=VARIABLE")
        raise CredentialsError(f"--compare {place.name}: {error.what}", remedy=f"Set {own}.") from error
    except UserError as error:
        if not place.beside:
            raise
        raise type(error)(f"--compare {place.name}: {error.what}", remedy=error.remedy) from error
    return endpoint if place.key_variable is None else replace(endpoint, key_source=place.key_variable)


def _own_keys(url: str, settings: Settings) -> Mapping[str, str]:
    """The keys that may go to an endpoint beside the settings' own: all at the same address, else a preset's own."""
    same = _address(url)
    if same == _address(settings.base_url):
        return settings.keys
    preset = next((name for name, each in PRESETS.items() if each.base_url == same), None)
    if preset is None:
        return {}
    own = PRESETS[preset].key_env
    return {own: key} if (key := settings.keys.get(own)) else {}


def _address(url: str) -> str:
    """The address that a preset's name or a URL stands for."""
    preset = PRESETS.get(url.strip().lower())
    return preset.base_url if preset is not None else url.strip().rstrip("/")
