"""What a run does before the rest of it is loaded: it reads its inputs and its event, and asks GitHub for the pull request.

Loading the rest takes longer than the answer. Tells nobody anything: a fault that is met here is left to the run, which meets it
again and has the words for it. Sends nothing but the reads that a review begins with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot import log
from bot.action.event import ReviewWork, read_work
from bot.action.inputs import Inputs, read_inputs
from bot.action.workspace import settled
from bot.errors import ConfigError, SparkError
from bot.request import Opening
from bot.review.ports import Publisher, Source, Stop
from bot.settings import Api, Settings, read_settings
from bot.wiring import HEAD_IS_FRESH, Shared, Waits

OWN_VARIABLES = "SPARK_INPUT_"
"""Prefix of the variables that carry inputs; they are no settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A pull that is being read."""

    source: Source
    began: float
    """`Clock.now()` right before."""
    publisher: Publisher
    """Of the pull; it has begun to read what is on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A review that has begun. Whoever has it closes `shared` and, at the end, cancels `stop`."""

    inputs: Inputs
    work: ReviewWork
    shared: Shared
    stop: Stop
    reading: Reading


def begin(env: Mapping[str, str], *, waits: Waits | None = None) -> Begun | None:
    """Begin to read the pull request that this run is to review; None where it is to do something else, or cannot."""
    try:
        inputs = settled(read_inputs(env), env)
        work = read_work(env, inputs)
        if not isinstance(work, ReviewWork):
            return None
        shared = Shared(settings_of(env, inputs), waits=waits)
        stop = shared.stop()
        place = shared.own_place(work.repo, work.number)
    except SparkError:
        return None
    began = shared.clock.now()
    source = Opening(shared.pull_source(place, stop, branch=work.base_ref or None))
    publisher = shared.pull_publisher(place, shared.posting(stop), fresh=HEAD_IS_FRESH, fields=fields_of(env))
    publisher.begin()
    reading = Reading(source=source, began=began, publisher=publisher)
    return Begun(inputs=inputs, work=work, shared=shared, stop=stop, reading=reading)


def fields_of(env: Mapping[str, str]) -> dict[str, log.Field]:
    """What is in each of the run's log events."""
    return {"delivery": f"{env.get('GITHUB_RUN_ID', '')}-{env.get('GITHUB_RUN_ATTEMPT', '')}"}


def settings_of(env: Mapping[str, str], inputs: Inputs) -> Settings:
    """The settings of the environment, with the inputs over them. ConfigError naming the variable or the input."""
    settings = read_settings({name: text for name, text in env.items() if not name.startswith(OWN_VARIABLES)})
    try:
        api = Api(inputs.api) if inputs.api else settings.api
    except ValueError:
        raise ConfigError(f"the input api is {inputs.api[:60]!r}", remedy="Set it to one of chat, responses.") from None
    return replace(
        settings,
        keys={**settings.keys, "SPARK_API_KEY": inputs.api_key} if inputs.api_key else settings.keys,
        base_url=inputs.base_url or settings.base_url,
        model=inputs.model or settings.model,
        api=api,
        effort=inputs.effort or settings.effort,
        max_usd_per_review=settings.max_usd_per_review if inputs.max_usd is None else inputs.max_usd,
        github_token=inputs.github_token or settings.github_token,
    )
