"""Many pull requests at once through one `spark serve`, or through two on one PostgreSQL: what bench/scale.py measures of a server.

Real servers between the race's stand-ins. Every pull is reviewed exactly once and every check run is closed, or the run fails.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from race.meter import Meter
from race.model import SHAPES, Place, Speed
from race.world import Stage
from webhook_parts import SECRET, Server, database, percentile, settings, spark_serve, wait_for

SHAPE: Final = next(shape for shape in SHAPES if shape.name == "5 files")
ORGANISATIONS: Final = 10
"""Installations that the pulls are spread over: GitHub wants the writes of one a second apart, and Spark keeps to that."""
LONGEST: Final = 180.0
LOOK: Final = 0.1
PRODUCT: Final = "Spark server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What came of many pulls at once. Seconds from the first webhook, but for `each`: from the pull's own."""

    servers: int
    database: str
    speed: str
    places: int
    """Reviews that one server runs at once."""
    pulls: int
    acknowledged: float
    """The longest answer to a webhook."""
    each: Mapping[str, Sequence[float]]
    """Of all pulls, sorted: `check`, `first_finding`, `first_post`, `done`."""
    over: float
    """The last review is posted and its check run closed."""
    cpu: float
    """Seconds of a processor, of all servers."""
    memory: float
    """MB, of all servers."""
    threads: int
    busy: float
    """Processors in use on the whole machine, on average: servers, stand-ins, database and sender."""

    @property
    def a_minute(self) -> float:
        """Reviews."""
        return 60 * self.pulls / self.over

    def at(self, moment: str, of: float) -> float:
        """The moment that `of` of the pulls have reached."""
        return percentile(self.each[moment], of)


def crowd(speed: Speed, *, pulls: int, servers: int = 1, places: int | None = None, kind: str = "sqlite") -> Crowd:
    """Open that many pulls at once. `places` None: as a server comes. RuntimeError when one is not reviewed exactly once."""
    with ExitStack() as stack:
        start = stack.enter_context
        stage = start(Stage())
        world = stage.world(speed)
        url, read = start(database(kind))
        env = settings({**world.github, "key": world.github["app_key"]}, world.endpoints[PRODUCT])
        env |= {"SPARK_WEBHOOK_SECRET": SECRET, "SPARK_EFFORT": "instant", "SPARK_DATABASE_URL": url}
        if places is not None:
            env |= {"SPARK_REVIEWS": str(places), "SPARK_REVIEWS_PER_INSTALLATION": str(places)}
        running = [start(spark_serve(env)) for _ in range(servers)]
        for number in range(ORGANISATIONS):
            # Repositories that are known, as they are after a server's first day: tokens and texts are there.
            place = stage.fresh(SHAPE, f"org {number}")
            _deliver(stage, [(place, running[number % servers])])
        _all_over(read, ORGANISATIONS)
        time.sleep(2.0)
        places_of = [stage.fresh(SHAPE, f"org {number % ORGANISATIONS}") for number in range(pulls)]
        threads = [0]
        with ExitStack() as meters:
            used = [meters.enter_context(Meter(server.process.pid)) for server in running]
            began = time.monotonic()
            clock = time.time()
            ran = _processors()
            sent = _deliver(stage, [(place, running[at % servers]) for at, place in enumerate(places_of)])
            _all_over(read, ORGANISATIONS + pulls, each=lambda: threads.append(sum(map(Server.threads, running))))
            busy = (_processors() - ran) / (time.monotonic() - began)
        _checked(stage, places_of)
        rows = read(f"SELECT ended, ended_at FROM spark_jobs WHERE created_at >= {clock - 0.5}")
        timings: list[dict[str, Any]] = [json.loads(ended)["timing"] for ended, _ in rows]
        return Crowd(
            servers=servers,
            database=kind,
            speed=speed.name,
            places=places or _usual_places(),
            pulls=pulls,
            acknowledged=max(sent),
            each={
                moment: sorted(timing[moment] for timing in timings)
                for moment in ("check", "first_finding", "first_post", "done")
            },
            over=max(at for _, at in rows) - clock,
            cpu=sum(meter.cpu for meter in used),
            memory=sum(meter.memory for meter in used),
            threads=max(threads),
            busy=busy,
        )


def _usual_places() -> int:
    from bot.settings import read_settings  # noqa: PLC0415 - after the stand-ins are up

    return read_settings({}, dotenv=None).reviews


def _processors() -> float:
    """Seconds that the machine's processors have worked since it was started."""
    user, nice, system, _, _, interrupts, soft, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def _deliver(stage: Stage, pulls: Sequence[tuple[Place, Server]]) -> list[float]:
    """Open them all at once: the seconds that each webhook's answer took."""
    told = stage.burst([(place, f"{server.url}/webhook") for place, server in pulls])
    for (place, _), each in zip(pulls, told, strict=True):
        if each.status != 202:
            raise RuntimeError(f"{place.repo}#{place.number}: the webhook was answered {each.status}: {each.answer}")
    return [each.seconds for each in told]


def _all_over(read: Any, jobs: int, *, each: Any = None) -> None:
    """Wait until so many jobs have ended."""

    def over() -> bool:
        # Looking costs a connection to the database, of the processors that are measured. The moments are the database's.
        time.sleep(LOOK)
        if each is not None:
            each()
        states = dict(read("SELECT state, COUNT(*) FROM spark_jobs GROUP BY state"))
        wrong = {state: count for state, count in states.items() if state not in {"queued", "running", "done"}}
        if wrong:
            raise RuntimeError(f"jobs that are not to be: {wrong}")
        return bool(states.get("done", 0) >= jobs)

    wait_for(over, LONGEST, f"{jobs} jobs done")


def _checked(stage: Stage, places: Sequence[Place]) -> None:
    """Every pull has one review, and as many check runs were closed as opened."""
    logs = [stage.log(place) for place in places]
    for place, log in zip(places, logs, strict=True):
        if log.reviews != 1:
            raise RuntimeError(f"{place.repo}#{place.number} has {log.reviews} reviews")
    opened = sum(call.method == "POST" and call.path.endswith("/check-runs") for call in logs[-1].calls)
    closed = sum(call.method == "PATCH" and '"completed"' in call.body for call in logs[-1].calls)
    if (opened, closed) != (len(places), len(places)):
        raise RuntimeError(f"{opened} check runs were opened and {closed} closed, for {len(places)} pulls")


def table(crowds: Sequence[Crowd]) -> str:
    """One row each."""
    rows = [
        "| servers | database | endpoint | places | pulls | webhook answered, longest | check there p50 | p90 | first finding p50 | p90 "
        "| review posted p50 | p90 | all done | reviews a minute | CPU | processors in use, by all | peak memory | threads |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in crowds:
        moments = [
            f"{each.at(moment, of):.2f} s" for moment in ("check", "first_finding", "first_post") for of in (0.5, 0.9)
        ]
        rows.append(
            f"| {each.servers} | {each.database} | {each.speed} | {each.places} | {each.pulls} | {each.acknowledged * 1e3:.0f} ms "
            f"| {' | '.join(moments)} | {each.over:.1f} s | {each.a_minute:.0f} | {each.cpu:.1f} s | {each.busy:.1f} | {each.memory:.0f} MB | {each.threads} |"
        )
    return "\n".join(rows)
