"""A stage for whole runs inside Actions, in this process: a repository on the stand-in GitHub with a workflow's token, and an
endpoint. The fixtures are for the conftest.py of the folders that use it.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from runner_log import RunnerCommand, read_log, read_values

from bot.action.begin import begin
from bot.action.run import run
from bot.review.ports import Stop
from bot.sandbox.endpoint import EndpointOptions, EndpointServer
from bot.sandbox.github import GitHubOptions, GitHubServer
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.payloads import payload_of
from bot.wiring import Waits

KEY = "sk-" + "secret-of-the-endpoint" * 2
BEFORE = {"one.py": b"def f(a):\n    return a\n"}
AFTER = {
    "one.py": b"def f(a=[]):\n    if a == None:\n        return eval('a')\n    return a\n",
    "two.py": b"import os\n\n\ndef g(b={}):\n    os.system(f'ls {b}')\n",
}
READ_ONLY = {"metadata": "read", "contents": "read", "pull_requests": "read", "issues": "read"}


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run left behind."""

    code: int
    log: str
    commands: list[RunnerCommand]
    outputs: dict[str, str]
    page: str

    def said(self, level: str) -> list[str]:
        """The annotations of the run (not of a file) with this level."""
        return [each.data for each in self.commands if each.name == level and "file" not in each.properties]

    @property
    def beside(self) -> list[RunnerCommand]:
        """Annotations of files."""
        return [each for each in self.commands if "file" in each.properties]


@dataclass
class Stage:
    """A repository with a workflow's token, and an endpoint."""

    github: GitHubServer
    endpoint: EndpointServer
    name: str
    folder: Path
    token: str = ""
    waits: Waits = field(default_factory=Waits)
    _runs: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.repo = self.github.world.create_repo(self.name)
        self.repo.permission("mona", "write")
        self.token = self.token or f"ghs_{self.name.partition('/')[2]}"
        self.permit()

    def permit(self, permissions: Mapping[str, str] | None = None) -> None:
        """What the workflow's token may do; everything by default."""
        self.github.world.actions_token(self.name, self.token, permissions)

    def open(self, config: str = "", *, fork: str = "", after: Mapping[str, bytes] = AFTER, **more: Any) -> Any:
        """A small pull request; `config` is the base's `.github/spark.yml`, `fork` the owner of the fork it comes from."""
        base = {**BEFORE, **({".github/spark.yml": config.encode()} if config else {})}
        self.repo.commit("main", base, "Books", "mona")
        source = self.repo.fork(f"{fork}/{self.name.partition('/')[2]}") if fork else self.repo
        author = fork or "mona"
        source.branch("topic", "main")
        source.commit("topic", after, "Search", author)
        from_ = {"head_repo": source} if fork else {}
        return self.repo.open_pull(
            "Search", "Adds a search.", head="topic", base="main", author=author, **from_, **more
        )

    def payload(self, event: str, action: str | None, *, by: str = "mona", **subjects: Any) -> dict[str, Any]:
        """As GitHub sends it, and the runner puts it into a file."""
        happening = Happening(
            event=event, action=action, repo=self.repo, sender=self.github.world.user(by), subjects=subjects
        )
        return payload_of(self.github.site.urls, happening, None)

    def run(self, event: str, payload: Mapping[str, Any], **more: Any) -> Ran:
        """Run the step; see `values`."""
        values = self.values(event, payload, **more)
        out = io.StringIO()
        # As `spark action` does it.
        begun = begin(values, waits=self.waits)
        return self.ran(run(values, out, waits=self.waits, begun=begun), out.getvalue(), values)

    def values(
        self,
        event: str,
        payload: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        endpoint: str | None = None,
        **inputs: str,
    ) -> dict[str, str]:
        """The environment of the step. `inputs` as in a workflow, with `_` for `-`; `endpoint`: another one's URL."""
        place = self.folder / f"run-{next(self._runs)}"
        place.mkdir()
        workspace = self.folder / "workspace"
        workspace.mkdir(exist_ok=True)
        (place / "event.json").write_text(json.dumps(payload), encoding="utf-8")
        given = {
            "api_key": KEY,
            "base_url": endpoint or self.endpoint.url,
            "github_token": self.token,
            "post": "true",
            "require_coverage": "false",
            "require_key": "false",
            **inputs,
        }
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "mona",
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_GRAPHQL_URL": self.github.graphql_url,
            "GITHUB_SERVER_URL": self.github.web_url,
            "GITHUB_REPOSITORY": self.name,
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(place / "event.json"),
            "GITHUB_OUTPUT": str(place / "output"),
            "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
            "GITHUB_WORKSPACE": str(workspace),
            "SPARK_PRICES": "codex-spark-preview=0.35/0.75",
            **{f"SPARK_INPUT_{name.upper()}": value for name, value in given.items()},
            **(env or {}),
        }

    def ran(self, code: int, log: str, values: Mapping[str, str]) -> Ran:
        """What a run with this environment left behind."""

        def text(name: str) -> str:
            file = Path(values[name])
            return file.read_text(encoding="utf-8") if file.exists() else ""

        assert KEY not in log
        return Ran(
            code=code,
            log=log,
            commands=read_log(log),
            outputs=read_values(text("GITHUB_OUTPUT")) if text("GITHUB_OUTPUT") else {},
            page=text("GITHUB_STEP_SUMMARY"),
        )

    def on_pull(self, pull: Any, action: str = "opened", event: str = "pull_request", **more: Any) -> Ran:
        """The step on an event of the pull."""
        return self.run(event, self.payload("pull_request", action, pull=pull, **more.pop("subjects", {})), **more)

    def reviews(self) -> list[Any]:
        """What stands on the pull requests, oldest first."""
        return sorted(self.repo.reviews.values(), key=lambda review: review.id)


def _in_no_time(stop: Stop, seconds: float) -> bool:
    return stop.wait(min(seconds, 0.01))


@pytest.fixture(scope="session")
def action_servers() -> Iterator[tuple[GitHubServer, EndpointServer]]:
    """One stand-in of each kind for the folder; each test has a repository of its own."""
    with (
        GitHubServer(GitHubOptions()) as github,
        EndpointServer(EndpointOptions(ttft=0.005, tps=50_000.0, api_key=KEY)) as endpoint,
    ):
        github.world.user("mona")
        yield github, endpoint


@pytest.fixture(scope="session")
def stage_names() -> Iterator[int]:
    """Numbers for repositories."""
    return itertools.count()


@pytest.fixture
def stage(
    action_servers: tuple[GitHubServer, EndpointServer], stage_names: Iterator[int], tmp_path: Path
) -> Iterator[Stage]:
    """A stage; the faults of GitHub end with the test."""
    github, endpoint = action_servers
    name = f"acme/act-{next(stage_names)}"
    yield Stage(github=github, endpoint=endpoint, name=name, folder=tmp_path, waits=Waits(pause=_in_no_time))
    github.faults.clear()


@pytest.fixture
def another_endpoint() -> Iterator[Callable[..., EndpointServer]]:
    """Makes an endpoint with other options."""
    with ExitStack() as stack:

        def make(**options: Any) -> EndpointServer:
            known: dict[str, Any] = {"ttft": 0.005, "tps": 50_000.0, "api_key": KEY}
            return stack.enter_context(EndpointServer(EndpointOptions(**(known | options))))

        yield make
