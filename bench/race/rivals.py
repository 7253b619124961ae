"""Other tools in the race. Each is the real program from its lock, configured as its users do; installed when it is first started.

PR-Agent 0.49 (Python 3.12 or newer), four ways:

- `PR-Agent review, process`: `python -m pr_agent.cli --pr_url=... review`, a person at a terminal.
- `PR-Agent, its three tools, process`: what its Action runs for a new pull request, the entry point
  `pr_agent.servers.github_action_runner` with the event's file and a runner's environment. The image that a real run pulls and
  starts first is not counted.
- `PR-Agent, warm server`: gunicorn as its image starts it, with its own configuration, as a GitHub App; signed webhooks
  from the stand-in; its default commands for a new pull request (describe, review, improve). Two reviews warm it before.
- `PR-Agent review, warm server`: the same, told to run `/review` alone.

Its settings, by its documented environment variables `SECTION__KEY`:

| setting | why |
|---|---|
| `CONFIG__MODEL=openai/NAME`, `OPENAI__API_BASE`, `OPENAI__KEY` | litellm's way to an OpenAI-compatible endpoint |
| `CONFIG__CUSTOM_MODEL_MAX_TOKENS=128000` | it wants to be told the context of a model that it does not know; the stand-in's |
| `GITHUB__BASE_URL` | the stand-in, as for a GitHub Enterprise |
| `GITHUB__USER_TOKEN` | process; the Action reads `GITHUB_TOKEN` |
| `GITHUB__APP_ID`, `GITHUB__PRIVATE_KEY`, `GITHUB__WEBHOOK_SECRET` | server |
| `GITHUB_APP__PR_COMMANDS=["/review"]` | the last of the four alone |
| `LITELLM_LOCAL_MODEL_COST_MAP=True` | as in its image: litellm fetches a price list otherwise (without internet: 3 tries with pauses) |

All else is as it comes: findings are in tables of comments in the conversation, at most 3 in a review; it clips what the model
sees to 32,000 tokens. gito: see `rival_gito.py`.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from race.detour import Detour
from race.install import PR_AGENT, install
from race.meter import Meter
from race.model import SHAPES, Place, Product, Run, World
from race.rival_gito import gito
from race.rival_run import KEY, LONGEST, Lap, Rival, base_env, end_group, tail
from race.world import AUTHOR, MODEL, Entrant, Log, Stage, actions_token

SCRIPT: Final = "race.answers:script"
CONTEXT: Final = 128_000
_QUIET: Final = 2.0
"""Seconds without a call to GitHub, behind the last tool's result, after which a server has done its work."""
_POLL: Final = 0.25
_RESULT: Final = re.compile(r"<!-- pr-agent:(review|improve):")
_HOOK: Final = "/api/v1/github_webhooks"


def _entrants() -> tuple[Entrant, ...]:
    make = partial(Entrant, rival=True, script=SCRIPT, efforts=("instant",))
    return (
        make(name=_NAMES["review"], kind="process", start=_review),
        make(name=_NAMES["tools"], kind="action", start=_tools),
        make(name=_NAMES["server"], kind="server", start=partial(_server, review_alone=False)),
        make(name=_NAMES["review server"], kind="server", start=partial(_server, review_alone=True)),
        make(name="gito, process", kind="process", start=gito),
    )


_NAMES: Final = {
    "review": "PR-Agent review, process",
    "tools": "PR-Agent, its three tools, process",
    "server": "PR-Agent, warm server",
    "review server": "PR-Agent review, warm server",
}


def model_settings(endpoint: str) -> dict[str, str]:
    """PR-Agent's, for an endpoint of the user's own."""
    return {
        "CONFIG__MODEL": f"openai/{MODEL}",
        "CONFIG__CUSTOM_MODEL_MAX_TOKENS": str(CONTEXT),
        "OPENAI__API_BASE": endpoint,
        "OPENAI__KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


def runner_settings(place: Place, github: dict[str, str], folder: Path) -> dict[str, str]:
    """What GitHub's runner sets for a step, and the workflow's token. `folder` has the event's file."""
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": AUTHOR,
        "GITHUB_API_URL": github["api"],
        "GITHUB_BASE_REF": "main",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_GRAPHQL_URL": github["graphql"],
        "GITHUB_HEAD_REF": f"topic-{place.number}",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_REF": f"refs/pull/{place.number}/merge",
        "GITHUB_REPOSITORY": place.repo,
        "GITHUB_RUN_ID": "1",
        "GITHUB_SERVER_URL": github["web"],
        "GITHUB_SHA": place.head,
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_TOKEN": actions_token(place.repo),
        "GITHUB_WORKSPACE": str(folder),
        "RUNNER_TEMP": str(folder),
    }


@dataclass(slots=True, kw_only=True)
class _Process(Rival):
    """PR-Agent from the shell: a review alone, or its Action's entry point."""

    home: Path
    action: bool

    def review(self, place: Place, *, speed: str, shape: str) -> Run:
        """From the start of the process to its end."""
        github = dict(self.world.github)
        env = base_env(self.way, self.home) | model_settings(self.world.endpoints[self.name])
        env["GITHUB__BASE_URL"] = github["api"]
        command: list[str | Path] = [PR_AGENT.interpreter, "-m"]
        if self.action:
            env |= runner_settings(place, github, self.home)
            (self.home / "event.json").write_text(json.dumps(self.stage.event(place)), encoding="utf-8")
            for name in ("output", "summary"):
                (self.home / name).write_bytes(b"")
            command += ["pr_agent.servers.github_action_runner"]
        else:
            env["GITHUB__USER_TOKEN"] = github["user_token"]
            url = f"{github['web']}/{place.repo}/pull/{place.number}"
            command += ["pr_agent.cli", f"--pr_url={url}", "review"]
        return self.raced(command, env=env, cwd=self.home, place=place, speed=speed, shape=shape)


@contextmanager
def _process(stage: Stage, world: World, name: str, *, action: bool) -> Iterator[Product]:
    install(PR_AGENT)
    with tempfile.TemporaryDirectory(prefix="spark-race-") as home, Detour(world.github["api"]) as way:
        yield _Process(
            name=name, version=PR_AGENT.version, stage=stage, world=world, way=way, home=Path(home), action=action
        )


def _review(stage: Stage, world: World, _effort: str) -> AbstractContextManager[Product]:
    return _process(stage, world, _NAMES["review"], action=False)


def _tools(stage: Stage, world: World, _effort: str) -> AbstractContextManager[Product]:
    return _process(stage, world, _NAMES["tools"], action=True)


def commands_ended(log: Log) -> frozenset[str]:
    """The commands of PR-Agent's whose result is on the pull: it begins each one with a mark, also where nothing was found."""
    written = (call.body for call in log.calls if call.write and call.good)
    return frozenset(name for body in written for name in _RESULT.findall(body))


# -- the server --------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _WarmServer(Rival):
    """PR-Agent's webhook server between the stand-ins."""

    process: subprocess.Popen[bytes]
    url: str
    commands: frozenset[str]
    """Those that end with a comment which names them."""
    output: Path

    def review(self, place: Place, *, speed: str, shape: str) -> Run:
        """From the webhook to the last write."""
        with Meter(self.process.pid) as meter:
            began = self.deliver(place)
            log = self.followed(place, began)
        last = log.last_write()
        assert last is not None
        text = self.output.read_text(encoding="utf-8", errors="replace")
        lap = Lap(began=began, shown=None, ended=last, cpu=meter.cpu, memory=meter.memory, output=text)
        return self.told(lap, place, speed=speed, shape=shape)

    def deliver(self, place: Place) -> float:
        """Send the webhook; gives the moment. RuntimeError when it is refused."""
        delivered = self.stage.deliver(place, self.url + _HOOK)
        if delivered.status != 200:
            raise RuntimeError(f"the webhook was answered {delivered.status}: {delivered.answer}")
        return delivered.sent

    def followed(self, place: Place, began: float) -> Log:
        """The log, once the last command's result is there and nothing more comes. RuntimeError after `LONGEST`."""
        while True:
            time.sleep(_POLL)
            log = self.stage.log(place)
            ended = commands_ended(log)
            if ended >= self.commands and time.monotonic() - max(call.ended for call in log.calls) > _QUIET:
                return log
            if time.monotonic() - began > LONGEST or self.process.poll() is not None:
                text = self.output.read_text(encoding="utf-8", errors="replace")
                missing = ", ".join(sorted(self.commands - ended))
                why = f"stopped after {time.monotonic() - began:.0f} s without a result of {missing}"
                raise RuntimeError(tail(why, text))


@contextmanager
def _server(stage: Stage, world: World, _effort: str, *, review_alone: bool) -> Iterator[Product]:
    install(PR_AGENT)
    name = _NAMES["review server" if review_alone else "server"]
    github = world.github
    with (
        tempfile.TemporaryDirectory(prefix="spark-race-") as folder,
        Detour(github["api"]) as way,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        home, port = Path(folder), taken.getsockname()[1]
        taken.close()
        env = base_env(way, home) | model_settings(world.endpoints[name])
        env |= {
            "GITHUB__BASE_URL": github["api"],
            "GITHUB__APP_ID": github["app_id"],
            "GITHUB__PRIVATE_KEY": github["app_key"],
            "GITHUB__WEBHOOK_SECRET": github["webhook_secret"],
        }
        if review_alone:
            env["GITHUB_APP__PR_COMMANDS"] = '["/review"]'
        (config,) = PR_AGENT.folder.glob("lib/python*/site-packages/pr_agent/servers/gunicorn_config.py")
        command: list[str | Path] = [
            PR_AGENT.interpreter,
            "-m",
            "gunicorn",
            "-k",
            "uvicorn.workers.UvicornWorker",
            "-c",
            config,
        ]
        command += ["--bind", f"127.0.0.1:{port}", "pr_agent.servers.github_app:app"]
        output = home / "server.log"
        with output.open("wb") as told:
            process = subprocess.Popen(
                command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=told, stderr=told, start_new_session=True
            )
        try:
            server = _WarmServer(
                name=name,
                version=PR_AGENT.version,
                stage=stage,
                world=world,
                way=way,
                process=process,
                url=f"http://127.0.0.1:{port}",
                commands=frozenset({"review"} if review_alone else {"review", "improve"}),
                output=output,
            )
            _wait_until_up(server, port)
            _warm(server)
            yield server
        finally:
            end_group(process)


def _wait_until_up(server: _WarmServer, port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and server.process.poll() is None:
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection,
        ):
            connection.request("GET", "/")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(tail("the server did not start", server.output.read_text(encoding="utf-8", errors="replace")))


def _warm(server: _WarmServer) -> None:
    """Two reviews at once, which its two workers share: the first of a worker imports what a command needs."""
    places = [server.stage.fresh(SHAPES[0], server.name) for _ in range(2)]
    begun = [server.deliver(place) for place in places]
    for place, began in zip(places, begun, strict=True):
        server.followed(place, began)
    server.way.refused.clear()


RIVALS: Final = _entrants()
"""All of them, for the command."""
