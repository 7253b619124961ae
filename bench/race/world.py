"""The stage of the race: the stand-ins' processes, fresh pulls on demand, and what the stand-ins saw of a run.

One GitHub for the whole race; an endpoint for each product and speed, started when it is first asked for. Moments are
`time.monotonic()`, which all processes of a Linux machine share. Refuses to measure products: they do that with what is told here.

    with Stage() as stage:
        world = stage.world(SPEEDS[0], scripts={"gito, process": "race.answers:gito"})
        place = stage.fresh(SHAPES[0], "gito, process")
        ...                                        # the product's own process, with world.github and world.endpoints[name]
        log = stage.log(place)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from webhook_parts import Child, child

from race.model import Place, Product, Shape, Speed, World

APP_ID: Final = 4711
SLUG: Final = "spark"
SECRET: Final = "the-secret-of-the-webhook"
AUTHOR: Final = "mona"
"""Opens the pulls."""
USER: Final = "race-bot"
USER_TOKEN: Final = "token-of-the-race"
"""A classic token of `USER`, who may write: for a terminal, and for tools that take a user's token."""
MODEL: Final = "codex-spark-preview"
"""The endpoint takes every name; this one is Spark's."""


def actions_token(repo: str) -> str:
    """The GITHUB_TOKEN of workflows in `owner/name`."""
    return f"ghs_race_{re.sub('[^a-z0-9]', '_', repo.lower())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that GitHub answered. `body`: of a write, its beginning."""

    method: str
    path: str
    started: float
    ended: float
    status: int
    write: bool
    """It may change something; a login is none, nor a GraphQL query."""
    body: str

    @property
    def good(self) -> bool:
        """Whether it was answered with success."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What GitHub saw since a pull was made, and what stands on that pull now."""

    calls: tuple[Call, ...]
    """Oldest first."""
    reviews: int
    comments: int
    """On lines, of submitted reviews."""
    talk: int
    """Comments in the conversation."""

    @property
    def reads(self) -> int:
        """Calls that change nothing, logins included."""
        return sum(not call.write for call in self.calls)

    @property
    def writes(self) -> int:
        """Calls that may change something."""
        return sum(call.write for call in self.calls)

    @property
    def posted(self) -> bool:
        """Whether anybody wrote onto the pull, whatever it says."""
        return bool(self.reviews or self.comments or self.talk)

    def first(self, shows: Callable[[Call], bool]) -> float | None:
        """When the first write that succeeded and `shows` a finding was answered."""
        return next((call.ended for call in self.calls if call.write and call.good and shows(call)), None)

    def last_write(self) -> float | None:
        """When the last write was answered."""
        return max((call.ended for call in self.calls if call.write), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call that an endpoint got. `prompt`: characters of its JSON."""

    started: float
    first: float | None
    ended: float | None
    status: int | None
    tokens: int
    prompt: int
    gone: bool
    """The client hung up before the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A webhook that was sent and answered."""

    sent: float
    """Of several: the moment the first was."""
    answered: float
    """Of several: the moment the last was."""
    seconds: float
    """Of this one's own request."""
    status: int
    answer: str

    def json(self) -> Any:
        """The answer's body."""
        return json.loads(self.answer)


class Stage:
    """The stand-ins, from the beginning of its block to the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._endpoints: dict[tuple[str, str], Child] = {}
        self._about: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._github = self._stack.enter_context(child("race/stand_in.py", "github"))
        try:
            self._about = self._github.ask("about")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def world(self, speed: Speed, *, scripts: Mapping[str, str] | None = None) -> World:
        """What a product is told. `scripts`: `module:name` of a product's answers, importable from `bench/`; Spark's by default.

        `github` has `api`, `graphql`, `web`, `app_id`, `app_key` (PEM), `app_slug`, `webhook_secret`, `user`, `user_token`.
        """
        more = {
            "app_id": str(APP_ID),
            "app_slug": SLUG,
            "webhook_secret": SECRET,
            "user": USER,
            "user_token": USER_TOKEN,
        }
        return World(github={**self._about, **more}, endpoints=_Endpoints(self, speed, scripts or {}))

    def fresh(self, shape: Shape, product: str, *, files: Mapping[str, str] | None = None) -> Place:
        """A new pull, in the repository of this shape and product; the log begins anew.

        `files`: more of the base, such as a configuration; the first pull of a shape and product settles them.
        """
        owner = re.sub("[^a-z0-9]+", "-", product.lower()).strip("-")
        return Place(**self._github.ask("fresh", shape=shape.name, owner=owner, files=dict(files or {})))

    def event(self, place: Place) -> dict[str, Any]:
        """The payload of its `pull_request` event, action `opened`, as a workflow's run gets it: without an installation."""
        payload: dict[str, Any] = self._github.ask("event", repo=place.repo, number=place.number)
        return payload

    def deliver(self, place: Place, url: str, *, secret: str = SECRET) -> Delivered:
        """Send the App's signed webhook for it, and wait for the answer: `pull_request`, action `opened`."""
        told = self._github.ask("deliver", repo=place.repo, number=place.number, url=url, secret=secret)
        return Delivered(**told)

    def burst(self, places: Sequence[tuple[Place, str]], *, secret: str = SECRET) -> list[Delivered]:
        """The same for many at once, each to a URL of its own; back when all are answered."""
        pulls = [{"repo": place.repo, "number": place.number, "url": url} for place, url in places]
        return [Delivered(**each) for each in self._github.ask("burst", pulls=pulls, secret=secret)]

    def folder(self, place: Place) -> str:
        """The bare repository on the disk, for a checkout that is made before a run begins."""
        found: str = self._github.ask("folder", repo=place.repo)
        return found

    def log(self, place: Place) -> Log:
        """What GitHub saw since the pull was made."""
        told = self._github.ask("log", repo=place.repo, number=place.number)
        return Log(**{**told, "calls": tuple(Call(**each) for each in told["calls"])})

    def asked(self, product: str, speed: str, *, since: float) -> tuple[Asked, ...]:
        """What a product's endpoint was asked since then."""
        return tuple(Asked(**each) for each in self._endpoints[product, speed].ask("calls", since=since))

    def prompts(self, product: str, speed: str, *, since: float) -> list[Any]:
        """The bodies of the same calls, as JSON values."""
        found: list[Any] = self._endpoints[product, speed].ask("bodies", since=since)
        return found

    def endpoint(self, product: str, speed: Speed, script: str) -> str:
        """The base URL of a product's endpoint, ending in `/v1`; started when it is not there."""
        key = (product, speed.name)
        if key not in self._endpoints:
            arguments = ("endpoint", str(speed.ttft), str(speed.tps), script)
            self._endpoints[key] = self._stack.enter_context(child("race/stand_in.py", *arguments))
        url: str = self._endpoints[key].ask("url")
        return url


class _Endpoints(Mapping[str, str]):
    """The URL of each product's endpoint at one speed, started when it is first asked for."""

    def __init__(self, stage: Stage, speed: Speed, scripts: Mapping[str, str]) -> None:
        self._stage = stage
        self._speed = speed
        self._scripts = scripts

    def __getitem__(self, product: str) -> str:
        return self._stage.endpoint(product, self._speed, self._scripts.get(product, ""))

    def __iter__(self) -> Iterator[str]:
        return iter(self._scripts)

    def __len__(self) -> int:
        return len(self._scripts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A product before its start, as the command lists it. `start(stage, world, effort)` gives it for one speed and effort.

    What runs over several reviews, such as a server, is started by `start` and ends with its block.
    """

    name: str
    kind: str
    """`server`, `action` or `process`: like is set beside like."""
    start: Callable[[Stage, World, str], AbstractContextManager[Product]]
    rival: bool = False
    script: str = ""
    """`module:name` of its endpoint's answers; empty for Spark's own form."""
    efforts: tuple[str, ...] = ("instant", "standard")
    """A product without efforts has `("instant",)`, and is told of once."""
