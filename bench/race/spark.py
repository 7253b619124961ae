"""Spark's three ways of reviewing a pull request, as the race runs them. Each is the real program in processes of its own.

- server: `spark serve` on SQLite, as it comes, warm; a signed webhook is sent to it, a person watches the live page.
- Action: the step of `action.yml` as a runner starts it, on a machine whose tool cache an earlier job left; a person watches the log.
- terminal: `spark review --pr OWNER/REPO#N --post`, a cold process with everything on the disk's cache; a person watches its output.

Only what the stand-ins need is set: URLs, keys, and the effort. Seconds count from the webhook, from the start of the step's shell, from
the start of the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server import page
from webhook_parts import ROOT, Server, settings, spark_serve, wait_for

import bot
from race.meter import Meter
from race.model import Place, Product, Run, World
from race.world import AUTHOR, SECRET, Asked, Call, Entrant, Log, Stage, actions_token

LONGEST: Final = 300.0
"""Seconds that a run may take."""
FINDING: Final = "A measured line"
"""The title of each finding that the endpoint tells: the first line with it, in a log or an output, shows the first finding."""
KEY: Final = "race"
_REST: Final = 1.1
"""Seconds between two runs of a server: GitHub wants an installation's writes a second apart, and Spark keeps to that."""
_TAIL: Final = 15
"""Lines of a log that are told of a run that failed."""
_FOREIGN: Final = ("SPARK_", "OPENAI_", "GITHUB_", "GIT_", "PYTHON", "RUNNER_")


def entrants() -> tuple[Entrant, ...]:
    """Spark's three."""
    return (
        Entrant(name="Spark server", kind="server", start=_server),
        Entrant(name="Spark Action", kind="action", start=_action),
        Entrant(name="Spark terminal", kind="process", start=_terminal),
    )


def shows_finding(call: Call) -> bool:
    """Whether a write puts findings onto the pull: a review with comments or a body that names one."""
    return call.path.endswith("/reviews") and FINDING in call.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """What was seen of one run from outside, in moments."""

    began: float
    first_finding: float | None
    ended: float
    cpu: float
    memory: float


def made(name: str, lap: Lap, log: Log, asked: tuple[Asked, ...], *, speed: str, shape: str, effort: str) -> Run:
    """The run of a product of ours. RuntimeError when it posted no finding."""
    first_post = log.first(shows_finding)
    last_write = log.last_write()
    if first_post is None or last_write is None:
        refused = [f"{call.method} {call.path} {call.status}" for call in log.calls if call.write and not call.good]
        raise RuntimeError(f"{name} posted no finding; refused writes: {', '.join(refused) or 'none'}")
    notes = (
        [f"{len(bad)} of {len(asked)} calls to the endpoint failed"]
        if (bad := [a for a in asked if not _whole(a)])
        else []
    )
    failed = [call for call in log.calls if call.status >= 500 or call.status in {0, 422, 429}]
    notes += [f"{call.method} {call.path} was answered {call.status}" for call in failed]
    return Run(
        product=name,
        speed=speed,
        shape=shape,
        effort=effort,
        first_finding=None if lap.first_finding is None else lap.first_finding - lap.began,
        first_post=first_post - lap.began,
        done=max(last_write, lap.ended) - lap.began,
        cpu=lap.cpu,
        memory=lap.memory,
        reads=log.reads,
        writes=log.writes,
        calls=len(asked),
        comments=log.comments,
        posted=log.posted,
        notes=tuple(notes),
        first_call=log.calls[0].started - lap.began,
    )


def _whole(asked: Asked) -> bool:
    return asked.status == 200 and asked.ended is not None and not asked.gone


@dataclass(slots=True, kw_only=True)
class _Ours:
    """What the three have in common."""

    name: str
    stage: Stage
    world: World
    effort: str
    version: str = bot.__version__

    def told(self, lap: Lap, place: Place, speed: str, shape: str) -> Run:
        """The run, with what the stand-ins saw."""
        asked = self.stage.asked(self.name, speed, since=lap.began)
        return made(self.name, lap, self.stage.log(place), asked, speed=speed, shape=shape, effort=self.effort)


# -- the server --------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _WarmServer(_Ours):
    server: Server
    free_at: float = 0.0

    def review(self, place: Place, *, speed: str, shape: str) -> Run:
        """From the webhook to the closed check run."""
        time.sleep(max(0.0, self.free_at - time.monotonic()))
        try:
            with Meter(self.server.process.pid) as meter:
                lap = self._followed(place)
            self.free_at = time.monotonic() + _REST
            return self.told(_with(lap, meter), place, speed, shape)
        except (RuntimeError, OSError) as error:
            log = (self.server.folder / "server.log").read_text()
            raise RuntimeError(_tail(str(error) or type(error).__name__, log)) from error

    def _followed(self, place: Place) -> Lap:
        delivered = self.stage.deliver(place, f"{self.server.url}/webhook")
        if delivered.status != 202:
            raise RuntimeError(f"the webhook was answered {delivered.status}: {delivered.answer}")
        first: float | None = None
        for at, kind, _ in page(self.server.port, delivered.json()["job"]):
            if kind == "found" and first is None:
                first = at
            if at > delivered.sent + LONGEST:
                raise RuntimeError(f"stopped after {LONGEST:.0f} s")
        wait_for(lambda: any(map(_closes_check, self.stage.log(place).calls)), 30.0, "the check run is closed")
        return Lap(began=delivered.sent, first_finding=first, ended=delivered.answered, cpu=0.0, memory=0.0)


def _closes_check(call: Call) -> bool:
    return call.method == "PATCH" and "/check-runs/" in call.path and '"conclusion"' in call.body and call.good


@contextmanager
def _server(stage: Stage, world: World, effort: str) -> Iterator[Product]:
    name = "Spark server"
    github = {**world.github, "key": world.github["app_key"]}
    env = {**settings(github, world.endpoints[name]), "SPARK_WEBHOOK_SECRET": SECRET, "SPARK_EFFORT": effort}
    with spark_serve(env) as server:
        yield _WarmServer(name=name, stage=stage, world=world, effort=effort, server=server)


# -- the Action --------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Step(_Ours):
    run_step: Callable[[Place, Callable[[float, str], None]], tuple[int, str]]

    def review(self, place: Place, *, speed: str, shape: str) -> Run:
        """From the start of the step's shell to its end."""
        first: list[float] = []

        def watch(at: float, line: str) -> None:
            if not first and FINDING in line:
                first.append(at)

        with Meter() as meter, _at_most(LONGEST, meter.kill) as late:
            began = time.monotonic()
            code, log = self.run_step(place, watch)
            ended = time.monotonic()
        _check(code, log, late=late)
        lap = Lap(began=began, first_finding=first[0] if first else None, ended=ended, cpu=0.0, memory=0.0)
        return self.told(_with(lap, meter), place, speed, shape)


@contextmanager
def _action(stage: Stage, world: World, effort: str) -> Iterator[Product]:
    sys.path.insert(0, str(ROOT / "tests" / "helpers"))
    import action_machine  # type: ignore[import-not-found]  # noqa: PLC0415 - it lies beside the tests
    import action_runner  # type: ignore[import-not-found]  # noqa: PLC0415 - as above

    # It ends a step itself, sooner than a run of the race may take.
    action_runner.TIMEOUT = LONGEST
    name = "Spark Action"
    with tempfile.TemporaryDirectory(prefix="spark-race-") as folder:
        home = Path(folder)
        action = action_machine.copy_action(home / "_actions" / "spark")
        python = action_machine.bare_python(home / "python")
        cache = action_machine.warm_cache(home / "tool-cache", action)
        for code in cache.rglob("code/bot"):
            # The bytecode of this checkout may be older than its sources; a job's own never is.
            subprocess.run([python / "python3", "-m", "compileall", "-q", code], check=True)
        (home / "_work").mkdir()
        runner = action_runner.Runner(action=action, home=home / "_work", python=python, cache=cache)
        github = {"actor": AUTHOR} | {f"{key}_url": world.github[key] for key in ("api", "graphql")}

        def step(place: Place, watch: Callable[[float, str], None]) -> tuple[int, str]:
            job = runner.run(
                "pull_request",
                stage.event(place),
                token=actions_token(place.repo),
                inputs={"api-key": KEY, "base-url": world.endpoints[name], "effort": effort},
                github={**github, "server_url": world.github["web"], "repository": place.repo},
                watch=watch,
            )
            return job.code, job.log

        yield _Step(name=name, stage=stage, world=world, effort=effort, run_step=step)


# -- the terminal ------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Command(_Ours):
    folder: Path
    env: dict[str, str]

    def review(self, place: Place, *, speed: str, shape: str) -> Run:
        """From the start of the process to its end."""
        wanted = f"{place.repo}#{place.number}"
        command = [sys.executable, "-m", "bot", "review", "--pr", wanted, "--post", "--effort", self.effort]
        first: float | None = None
        lines: list[str] = []
        with Meter() as meter, _at_most(LONGEST, meter.kill) as late:
            began = time.monotonic()
            with subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    if first is None and FINDING in line:
                        first = time.monotonic()
                    lines.append(line)
            ended = time.monotonic()
        _check(process.returncode, "".join(lines), late=late)
        lap = Lap(began=began, first_finding=first, ended=ended, cpu=0.0, memory=0.0)
        return self.told(_with(lap, meter), place, speed, shape)


@contextmanager
def _terminal(stage: Stage, world: World, effort: str) -> Iterator[Product]:
    name = "Spark terminal"
    with tempfile.TemporaryDirectory(prefix="spark-race-") as folder:
        env = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        env |= {
            "PYTHONPATH": str(ROOT),
            "HOME": folder,
            "SPARK_BASE_URL": world.endpoints[name],
            "SPARK_API_KEY": KEY,
            "GITHUB_TOKEN": world.github["user_token"],
            "GITHUB_API_URL": world.github["api"],
            "GITHUB_GRAPHQL_URL": world.github["graphql"],
            "GITHUB_SERVER_URL": world.github["web"],
        }
        yield _Command(name=name, stage=stage, world=world, effort=effort, folder=Path(folder), env=env)


# -- what they share ---------------------------------------------------------------------------------------------


def _with(lap: Lap, meter: Meter) -> Lap:
    return Lap(
        began=lap.began, first_finding=lap.first_finding, ended=lap.ended, cpu=meter.cpu, memory=meter.memory
    )  # fmt: skip


def _check(code: int, log: str, *, late: threading.Event) -> None:
    if late.is_set():
        raise RuntimeError(_tail(f"stopped after {LONGEST:.0f} s", log))
    if code:
        raise RuntimeError(_tail(f"it ended with {code}", log))


def _tail(why: str, log: str) -> str:
    """A line that names the end of the log, and the log's last lines."""
    lines = [line for line in log.splitlines() if line.strip()]
    return "\n".join([f"{why}: {lines[-1].strip()}" if lines else why, *lines[-_TAIL:]])


@contextmanager
def _at_most(seconds: float, stop: Callable[[], None]) -> Iterator[threading.Event]:
    """Has `stop` called, and the event set, when the block takes longer."""
    late = threading.Event()

    def end() -> None:
        late.set()
        stop()

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
