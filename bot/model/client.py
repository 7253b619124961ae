"""The `Model` port over any OpenAI-compatible endpoint: budget, price, usage, and the errors that users must mend.

Importing this is cheap; the openai SDK is loaded when it is first needed, or earlier and aside by `warm`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn

from bot.errors import ConfigError, CredentialsError
from bot.model.answer import Tokens, shown
from bot.model.budget import Budget, Limit
from bot.model.endpoint import PRESETS, Endpoint, HttpOptions
from bot.model.faults import Refusal, Remedy
from bot.model.prices import SETTING, Price, PriceTable
from bot.model.shape import ShapeMemory
from bot.review.model import Usage
from bot.review.ports import CallReport, Clock, Prompt, Stop, StreamEnd

if TYPE_CHECKING:
    from bot.model.call import Outcome
    from bot.model.sdk import Sdk

_LISTED: Final = 20
"""Names of models that an error lists."""
_LIST_SECONDS: Final = 5.0
_CHARS_PER_TOKEN: Final = 4
"""For estimates where the endpoint gives no usage."""
_ESTIMATED: Final = "The endpoint reports no token usage: tokens and cost are estimated"


class _Shared:
    """What all calls to one endpoint have in common, whoever pays for them."""

    def __init__(self, endpoint: Endpoint, http: HttpOptions | None) -> None:
        self.endpoint = endpoint
        self.memory = ShapeMemory()
        self.http = http or HttpOptions()
        self._lock = threading.Lock()
        self._sdk: Sdk | None = None
        self._estimates_told = False
        self._known: list[str] | str | None = None

    def sdk(self) -> Sdk:
        """The one client."""
        with self._lock:
            if self._sdk is None:
                from bot.model.sdk import Sdk  # noqa: PLC0415 - takes 0.7 s; `warm` does it beside other waits

                self._sdk = Sdk(self.endpoint, self.http)
            return self._sdk

    def open_ahead(self, clock: Clock) -> None:
        """Have some connections ready. Returns at once, and what goes wrong is left for the first call to find."""
        from bot.model.guard import Guard  # noqa: PLC0415 - brings the HTTP client with it

        seconds = self.http.connect_seconds
        self.sdk().open_ahead(lambda: Guard(Stop(deadline=clock.now() + seconds, clock=clock), patience=seconds))

    def close(self) -> None:
        with self._lock:
            sdk, self._sdk = self._sdk, None
        if sdk is not None:
            sdk.close()

    def tell_estimates(self) -> bool:
        """Whether it is still to be told that usage is estimated: true once."""
        with self._lock:
            told, self._estimates_told = self._estimates_told, True
        return not told

    def models(self, stop: Stop) -> list[str] | str:
        """The endpoint's models, or why they cannot be listed."""
        from bot.model.guard import Guard  # noqa: PLC0415 - brings the HTTP client with it

        guard = Guard(stop, patience=_LIST_SECONDS)
        forget = stop.on_stop(guard.end)
        try:
            found = self.sdk().models(guard)
        finally:
            forget()
        return found if isinstance(found, list) else shown(found.detail, secret=self.endpoint.key)

    def known_models(self, stop: Stop) -> list[str] | str:
        """As `models`. Many calls may fail alike: the endpoint is asked once."""
        with self._lock:
            known = self._known
        if known is None:
            known = self.models(stop)
            with self._lock:
                self._known = known
        return known


class SparkModel:
    """The fast endpoint. One for all threads; the HTTP client below it is built once.

    Raises ConfigError when the budget is limited and the model's price is not known.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        prices: PriceTable,
        budget: Budget,
        clock: Clock,
        http: HttpOptions | None = None,
        _shared: _Shared | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._prices = prices
        self._price = prices.find(endpoint.model)
        self._budget = budget
        self._clock = clock
        self._shared = _shared or _Shared(endpoint, http)
        if budget.limited and self._price is None:
            raise ConfigError(
                f"There is a budget in US dollars, but no known price for the model {endpoint.model}",
                remedy=f"Set {SETTING}={endpoint.model}=IN/OUT in US dollars per million tokens",
            )

    @property
    def name(self) -> str:
        """The model's name."""
        return self._endpoint.model

    def with_budget(self, budget: Budget) -> SparkModel:
        """The same model and connections, paid from another budget: one per review in a server."""
        return SparkModel(self._endpoint, prices=self._prices, budget=budget, clock=self._clock, _shared=self._shared)

    def warm(self) -> None:
        """Load and build the HTTP client now, and have some connections ready where they take a while to set up.

        For a thread beside the reading of the diff. It asks nothing, and does not wait for the connections.
        """
        from bot.model import call  # noqa: F401, PLC0415 - loaded for its weight

        self._shared.open_ahead(self._clock)

    def close(self) -> None:
        """Close the idle connections. A later call opens new ones. Models made by `with_budget` share them."""
        self._shared.close()

    def list_models(self, *, stop: Stop) -> list[str]:
        """The names of the models there are, sorted. Raises ConfigError when the endpoint does not say."""
        found = self._shared.models(stop)
        if isinstance(found, str):
            raise ConfigError(f"{self._endpoint.base_url} does not list its models: {found}")
        return found

    def stream(self, prompt: Prompt, *, sink: Callable[[str], None], stop: Stop) -> CallReport:
        """Send one call and feed `sink` with text as it arrives. See the port for what is inside and what is raised."""
        started = self._clock.now()
        if stop.left() <= 0:
            end = StreamEnd.CANCELLED if stop.cancelled else StreamEnd.DEADLINE
            return CallReport(end=end, started=started, ended=started)
        cost = _most(prompt, self._price)
        reserved = self._budget.reserve(cost)
        if isinstance(reserved, Limit):
            end, detail = self._over(reserved)
            return CallReport(end=end, detail=detail, started=started, ended=started)
        try:
            outcome = self._call(prompt, sink, stop)
            usage = self._usage(outcome, prompt)
            cost = usage.usd or 0.0
        finally:
            # When the sink raised, nobody knows what was used: the estimate is booked.
            reserved.settle(cost)
        if outcome.refusal is not None:
            self._raise(outcome.refusal, stop)
        notices = outcome.notices
        if outcome.end is StreamEnd.WHOLE and outcome.tokens is None and self._shared.tell_estimates():
            notices = (*notices, _ESTIMATED)
        return CallReport(
            end=outcome.end,
            detail=outcome.detail,
            usage=usage,
            started=outcome.sent,
            written=outcome.written,
            first_token=outcome.first_text,
            ended=self._clock.now(),
            counted=outcome.tokens is not None,
            reasoning_tokens=None if outcome.tokens is None else outcome.tokens.reasoning,
            first_thought=outcome.first_thought,
            thought_chars=outcome.thought,
            endpoint_seconds=outcome.seconds,
            notices=notices,
        )

    def _call(self, prompt: Prompt, sink: Callable[[str], None], stop: Stop) -> Outcome:
        from bot.model.call import Call  # noqa: PLC0415 - see `_Shared.sdk`

        return Call(
            sdk=self._shared.sdk(),
            endpoint=self._endpoint,
            options=self._shared.http,
            memory=self._shared.memory,
            clock=self._clock,
            prompt=prompt,
            sink=sink,
            stop=stop,
        ).run()

    def _usage(self, outcome: Outcome, prompt: Prompt) -> Usage:
        """What the call used: as the endpoint says, else estimated from the text that was seen."""
        if not outcome.answered:
            return Usage(calls=1)
        tokens = outcome.tokens or Tokens(input=prompt.tokens, output=math.ceil(outcome.chars / _CHARS_PER_TOKEN))
        usd = None
        if self._price is not None:
            usd = self._price.usd(input_tokens=tokens.input, output_tokens=tokens.output, cached_tokens=tokens.cached)
        return Usage(
            input_tokens=tokens.input, cached_tokens=tokens.cached, output_tokens=tokens.output, usd=usd, calls=1
        )

    def _over(self, limit: Limit) -> tuple[StreamEnd, str]:
        spent = f"${self._budget.spent:.4f}"
        if limit is Limit.DAY:
            # What others have spent today is nobody's business who reads this review.
            return StreamEnd.DAY_BUDGET, f"{spent} is spent on this review, and there is no room for the next call"
        most = self._budget.max_usd or 0.0
        return StreamEnd.BUDGET, f"{spent} of ${most:.4f} is spent, and the next call may pass it"

    def _raise(self, refusal: Refusal, stop: Stop) -> NoReturn:
        words = shown(refusal.detail, secret=self._endpoint.key)
        endpoint = self._endpoint
        if refusal.remedy is Remedy.KEY:
            if endpoint.key is None:
                raise CredentialsError(
                    f"{endpoint.base_url} wants a key ({words})", remedy=f"Set {_key_names(endpoint)}"
                )
            raise CredentialsError(
                f"{endpoint.base_url} refused the key from {endpoint.key_source} ({words})",
                remedy=f"Check {_key_names(endpoint)}",
            )
        models = self._shared.known_models(stop)
        if isinstance(models, str):
            # With neither, it is more likely the address than the name.
            raise ConfigError(
                f"{endpoint.base_url} has neither the model {endpoint.model} ({words}) nor a list of models ({models})",
                remedy="Check SPARK_BASE_URL, which ends in /v1 at most endpoints, and SPARK_MODEL",
            )
        raise ConfigError(
            f"{endpoint.base_url} has no model {endpoint.model} ({words})",
            remedy=f"{_listed(models)} Check SPARK_MODEL and SPARK_BASE_URL",
        )


def _key_names(endpoint: Endpoint) -> str:
    names = dict.fromkeys(("SPARK_API_KEY", endpoint.key_source))
    if endpoint.preset in PRESETS:
        names[endpoint.quirks.key_env] = None
    return " or ".join(names)


def _listed(models: list[str]) -> str:
    if not models:
        return "It lists no models."
    more = f" and {len(models) - _LISTED} more" if len(models) > _LISTED else ""
    return f"It has {', '.join(shown(model) for model in models[:_LISTED])}{more}."


def _most(prompt: Prompt, price: Price | None) -> float:
    """Dollars that the call costs at most. A token has two bytes of text or more, but for the rarest of texts."""
    if price is None:
        return 0.0
    text = len(prompt.system.encode("utf-8", "replace")) + len(prompt.user.encode("utf-8", "replace"))
    dearest = replace(price, cached=price.input)
    return dearest.usd(input_tokens=max(prompt.tokens, text // 2 + 16), output_tokens=prompt.max_output_tokens)
