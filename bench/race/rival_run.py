"""One run of another tool, seen from outside: its process, what the stand-ins saw, and what a reader must know of it.

Every tool starts from an environment that has nothing of ours: `PATH`, a home that goes with it, the way out (`detour.py`), the
tokenizer's files, and its own settings.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from race.answers import FINDING, files_shown, job_of
from race.detour import Detour
from race.install import PR_AGENT
from race.meter import Meter
from race.model import SHAPES, Place, Run, World
from race.world import Call, Log, Stage

LONGEST: Final = 300.0
"""Seconds that a run may take."""
KEY: Final = "race"
"""The endpoint takes any key."""
_NO_SUGGESTIONS: Final = "pr-agent:improve:no-suggestions"
"""PR-Agent needs a second answer that finds the lines; where the change is too large for that question, it says there are none."""
_TAIL: Final = 15
"""Lines of a log that are told of a run that failed."""


def tokenizer_files() -> Path:
    """Where the tokenizer's files are: litellm brings them along.

    Both tools count with tiktoken, which fetches a file once and then has it on the disk. A tool in a fresh container fetches it
    in each run; with the files there, the tools are as fast as in their second run.
    """
    (found,) = PR_AGENT.folder.glob("lib/python*/site-packages/litellm/litellm_core_utils/tokenizers")
    return found


def base_env(way: Detour, home: Path) -> dict[str, str]:
    """What every tool is started with."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TIKTOKEN_CACHE_DIR": str(tokenizer_files()),
        **way.settings(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """What was seen of one run from outside. Moments are `time.monotonic()`."""

    began: float
    shown: float | None
    """When its output had the first line with a finding."""
    ended: float
    cpu: float
    memory: float
    output: str = ""


def run(command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> Lap:
    """A process from its start to its end. RuntimeError, with its last lines, when it fails or takes too long."""
    lines: list[str] = []
    shown: float | None = None
    with Meter() as meter, at_most(LONGEST, meter.kill) as late:
        began = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if shown is None and FINDING in line:
                        shown = time.monotonic()
                    lines.append(line)
            except BaseException:
                # Somebody ends the race: it leads a session of its own, so nobody else tells it.
                end_group(process)
                raise
        ended = time.monotonic()
    output = "".join(lines)
    if late.is_set():
        raise RuntimeError(tail(f"stopped after {LONGEST:.0f} s", output))
    if process.returncode:
        raise RuntimeError(tail(f"it ended with {process.returncode}", output))
    return Lap(began=began, shown=shown, ended=ended, cpu=meter.cpu, memory=meter.memory, output=output)


def tail(why: str, output: str) -> str:
    """A failure with the last lines of the log."""
    return "\n".join([why, *output.splitlines()[-_TAIL:]])


@contextmanager
def at_most(seconds: float, stop: Callable[[], None]) -> Iterator[threading.Event]:
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


def end_group(process: subprocess.Popen[Any]) -> None:
    """End a process that leads a session, with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def shows_finding(call: Call) -> bool:
    """Whether a write puts a finding onto the pull."""
    return FINDING in call.body


@dataclass(slots=True, kw_only=True)
class Rival:
    """What all other tools have in common. `name` and `version` are a `Product`'s."""

    name: str
    version: str
    stage: Stage
    world: World
    way: Detour

    def raced(
        self, command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, place: Place, speed: str, shape: str
    ) -> Run:
        """A run that is one process. RuntimeError as `run` has it, with what GitHub refused in its first line."""
        try:
            lap = run(command, env=env, cwd=cwd)
        except RuntimeError as error:
            why, _, rest = str(error).partition("\n")
            raise RuntimeError(f"{why}; {refusals(self.stage.log(place))}\n{rest}") from error
        return self.told(lap, place, speed=speed, shape=shape)

    def told(self, lap: Lap, place: Place, *, speed: str, shape: str) -> Run:
        """The run with what the stand-ins saw. RuntimeError when no finding is on the pull."""
        log = self.stage.log(place)
        first_post = log.first(shows_finding)
        last_write = log.last_write()
        if first_post is None or last_write is None:
            raise RuntimeError(tail(f"it posted no finding; {refusals(log)}", lap.output))
        asked = self.stage.asked(self.name, speed, since=lap.began)
        bodies = self.stage.prompts(self.name, speed, since=lap.began)
        failed = sum(each.status != 200 for each in asked)
        refused, self.way.refused[:] = list(self.way.refused), []
        return Run(
            product=self.name,
            speed=speed,
            shape=shape,
            effort="instant",
            first_finding=min(first_post, lap.shown or first_post) - lap.began,
            first_post=first_post - lap.began,
            done=max(last_write, lap.ended) - lap.began,
            cpu=lap.cpu,
            memory=lap.memory,
            reads=log.reads,
            writes=log.writes,
            calls=len(asked),
            comments=log.comments,
            posted=log.posted,
            notes=notes(shape=shape, bodies=bodies, log=log, failed=failed, refused=refused),
        )


def refusals(log: Log) -> str:
    """The writes that GitHub did not take."""
    refused = [f"{call.method} {call.path} {call.status}" for call in log.calls if call.write and not call.good]
    return f"writes that GitHub refused: {', '.join(refused) or 'none'}"


def notes(*, shape: str, bodies: Sequence[Any], log: Log, failed: int, refused: Sequence[str]) -> tuple[str, ...]:
    """What a reader must know: files that the model never saw, findings outside of lines, calls that failed, hosts asked for."""
    files = next(each.files for each in SHAPES if each.name == shape)
    seen: dict[str, set[str]] = {}
    for body in bodies:
        user = texts(body, "user")
        if job := job_of(texts(body, "system"), user):
            seen.setdefault(job, set()).update(files_shown(user))
    told = [f"{job}: {len(paths)} of {files} files shown" for job, paths in seen.items() if len(paths) != files]
    if not log.comments:
        told.append("findings in the conversation, none on a line")
    if any(call.write and _NO_SUGGESTIONS in call.body for call in log.calls):
        told.append("it dropped all of the model's suggestions")
    told += [f"{failed} of {len(bodies)} calls to the endpoint failed"] if failed else []
    told += [
        f"{call.method} {call.path} was answered {call.status}" for call in log.calls if call.write and not call.good
    ]
    told += [f"asked for {host}, which was refused, {times} ×" for host, times in Counter(refused).items()]
    return tuple(told)


def texts(body: Any, role: str) -> str:
    """All texts of one role in a request's messages."""
    found: list[str] = []
    for message in body.get("messages", []):
        if message.get("role") == role:
            content = message.get("content")
            found += [content] if isinstance(content, str) else [part.get("text", "") for part in content or []]
    return "\n\n".join(found)
