"""What a run does before the rest of it is loaded: it reads its inputs and its event, and asks GitHub for the pull request.

Loading the rest takes longer than the answer. Tells nobody anything: a fault that is met here is left to the run, which meets it
again and has the words for it. Sends nothing but the reads that a review begins with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace

from bot.action.event import ReviewWork, read_work
from bot.action.inputs import Inputs, read_inputs
from bot.action.workspace import settled
from bot.errors import ConfigError, SparkError
from bot.review.ports import Opened, Source, Stop
from bot.settings import Api, Settings, read_settings
from bot.wiring import Shared, Waits

OWN_VARIABLES = "SPARK_INPUT_"
"""Prefix of the variables that carry inputs; they are no settings."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """A pull that is being read."""

    source: Source
    began: float
    """`Clock.now()` right before."""
    _first: Future[Opened] | None

    def open(self) -> Opened:
        """What it gives: of the reading under way the first time, of another one after that. Raises as `Source.open`."""
        first, self._first = self._first, None
        return self.source.open() if first is None else first.result()


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
        source = shared.pull_source(shared.own_place(work.repo, work.number), stop, branch=work.base_ref or None)
    except SparkError:
        return None
    began = shared.clock.now()
    reading = Reading(source=source, began=began, _first=_in_a_thread(source.open))
    return Begun(inputs=inputs, work=work, shared=shared, stop=stop, reading=reading)


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


def _in_a_thread(do: Callable[[], Opened]) -> Future[Opened]:
    """A thread that nobody has to wait for: a cancelled run ends while it reads."""
    future: Future[Opened] = Future()

    def work() -> None:
        try:
            future.set_result(do())
        except BaseException as error:  # noqa: BLE001 - outermost of the thread: whoever asks for the result is told
            future.set_exception(error)

    threading.Thread(target=work, name="reading", daemon=True).start()
    return future
