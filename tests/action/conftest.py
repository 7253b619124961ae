"""The runner's side: a step's log and its files read as actions/runner reads them, the strict way. A review to tell of. And a
stage for whole runs: a repository on the stand-in GitHub with a workflow's token, and an endpoint.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.action.run import run
from bot.diff.anchors import anchor_lines
from bot.diff.model import Anchor, Patch, Side
from bot.diff.parse import read_patch
from bot.review.model import (
    Category,
    Change,
    CommitSha,
    Effort,
    Finding,
    Fingerprint,
    Misplaced,
    Pull,
    RepoName,
    Review,
    Severity,
    Timing,
    Usage,
    Verdict,
)
from bot.review.ports import Stop
from bot.review.scope import Coverage
from bot.sandbox.endpoint import EndpointOptions, EndpointServer
from bot.sandbox.github import GitHubOptions, GitHubServer
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.payloads import payload_of
from bot.wiring import Waits

REGISTERED = frozenset(
    [
        "add-mask",
        "add-matcher",
        "add-path",
        "debug",
        "echo",
        "endgroup",
        "error",
        "group",
        "internal-set-repo-path",
        "notice",
        "remove-matcher",
        "save-state",
        "set-env",
        "set-output",
        "stop-commands",
        "warning",
    ]
)


@dataclass(frozen=True)
class RunnerCommand:
    """A command that the runner obeyed."""

    name: str
    data: str
    properties: Mapping[str, str] = field(default_factory=dict)


class _Log:
    """Reads a log line by line: `::name k=v,k=v::data` at a line's start, `##[name k=v;k=v]data` anywhere in one.

    Where the runner's reading depends on the machine (its prefix test may skip characters that have no width) this one takes
    more for commands, never less.
    """

    def __init__(self) -> None:
        self.obeyed: list[RunnerCommand] = []
        self._stopped_by = ""

    def line(self, line: str) -> None:
        known = REGISTERED | {self._stopped_by} - {""}
        found = _second_form(line, known) or _first_form(line, known)
        if found is None:
            return
        if self._stopped_by:
            if found.name == self._stopped_by:
                self._stopped_by = ""
        elif found.name == "stop-commands":
            assert found.data, "no word to stop commands by"
            assert found.data.lower() not in {*REGISTERED, "pause-logging"}, (
                "a word that is a command cannot stop commands"
            )
            self._stopped_by = found.data.lower()
        else:
            self.obeyed.append(found)

    def end(self) -> None:
        assert not self._stopped_by, "commands were stopped and never resumed"


def _second_form(line: str, known: frozenset[str]) -> RunnerCommand | None:
    while line and (line[0].isspace() or unicodedata.category(line[0]).startswith("C")):
        line = line[1:]
    if not line.startswith("::") or (end := line.find("::", 2)) < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    if name.lower() not in known:
        return None
    properties = dict(pair.split("=", 1) for pair in rest.strip().split(",") if "=" in pair)
    return RunnerCommand(
        name.lower(),
        _unescaped(line[end + 2 :], "%0D\r", "%0A\n", "%25%"),
        {key: _unescaped(value, "%0D\r", "%0A\n", "%3A:", "%2C,", "%25%") for key, value in properties.items()},
    )


def _first_form(line: str, known: frozenset[str]) -> RunnerCommand | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, rest = line[start + 3 : end].partition(" ")
    if name.lower() not in known:
        return None
    properties = dict(pair.split("=", 1) for pair in rest.strip().split(";") if "=" in pair)
    escapes = ("%3B;", "%0D\r", "%0A\n", "%5D]", "%25%")
    return RunnerCommand(
        name.lower(),
        _unescaped(line[end + 1 :], *escapes),
        {key: _unescaped(value, *escapes) for key, value in properties.items()},
    )


def _unescaped(text: str, *pairs: str) -> str:
    for pair in pairs:
        text = text.replace(pair[:3], pair[3:])
    return text


def _runner_reads(log: str) -> list[RunnerCommand]:
    reader = _Log()
    for line in re.split(r"\r\n|\r|\n", log):
        reader.line(line)
    reader.end()
    return reader.obeyed


def _outputs_file(text: str) -> dict[str, str]:
    out: dict[str, str] = {}
    lines = text.split("\n")
    assert lines.pop() == "", "the last line has no end"
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, _, word = line.partition("<<")
            assert name, f"an output without a name: {line!r}"
            assert word, f"an output without a delimiter: {line!r}"
            end = lines.index(word, at)
            out[name], at = "\n".join(lines[at:end]), end + 1
        else:
            name, sign, value = line.partition("=")
            assert name, f"an output without a name: {line!r}"
            assert sign, f"no output: {line!r}"
            out[name] = value
    return out


@pytest.fixture(scope="session")
def runner_reads() -> Callable[[str], list[RunnerCommand]]:
    """The commands that a runner obeys in a step's log, in order. Fails where commands stay stopped."""
    return _runner_reads


@pytest.fixture(scope="session")
def outputs_file() -> Callable[[str], dict[str, str]]:
    """The values in a `GITHUB_OUTPUT` file. Fails where a runner would."""
    return _outputs_file


# -- a review ------------------------------------------------------------------------------------------------------

DIFF = """\
diff --git a/src/cart.py b/src/cart.py
--- a/src/cart.py
+++ b/src/cart.py
@@ -1,5 +1,6 @@
 def total(items):
-    assert items
+    amount = sum(item.price for item in items)
+    print(amount)
     count = len(items)
-    log(count)
+    return amount / count

diff --git a/src/old.py b/src/old.py
deleted file mode 100644
--- a/src/old.py
+++ /dev/null
@@ -1,2 +0,0 @@
-import os
-print(os.environ)
""".replace("\n\n", "\n \n")


@pytest.fixture(scope="session")
def patch() -> Patch:
    """Two files: one changed, one removed."""
    return read_patch(DIFF.encode())


@pytest.fixture(scope="session")
def an_anchor(patch: Patch) -> Callable[..., Anchor]:
    """An anchor in `src/cart.py`, or another file of the patch."""

    def make(line: int = 6, end: int | None = None, *, side: Side = Side.RIGHT, path: str = "src/cart.py") -> Anchor:
        file = next(file for file in patch.files if file.path == path)
        found = anchor_lines(file, side, line, line if end is None else end)
        assert isinstance(found, Anchor), found
        return found

    return make


@pytest.fixture(scope="session")
def a_finding(an_anchor: Callable[..., Anchor]) -> Callable[..., Finding]:
    """A finding of the model on line 6; every field can be set."""

    def make(anchor: Anchor | None = None, **fields: Any) -> Finding:
        known: dict[str, Any] = {
            "severity": Severity.HIGH,
            "category": Category.BUG,
            "title": "Dividing by zero",
            "body": "An empty list has a `count` of 0.",
            "suggestion": None,
            "proven": False,
            "votes": None,
            "fingerprint": Fingerprint("f00d"),
            "source": "model",
        }
        return Finding(anchor=anchor or an_anchor(5), **(known | fields))

    return make


@pytest.fixture(scope="session")
def misplaced() -> Callable[..., Misplaced]:
    """A finding without a line."""

    def make(**fields: Any) -> Misplaced:
        known: dict[str, Any] = {
            "path": "src/cart.py",
            "claimed": "R99#zzz",
            "reason": "line 99 is not part of the diff",
            "severity": Severity.MEDIUM,
            "category": Category.TESTS,
            "title": "No test",
            "body": "Nothing covers an empty list.",
        }
        return Misplaced(**(known | fields))

    return make


@pytest.fixture(scope="session")
def a_review(patch: Patch, a_finding: Callable[..., Finding]) -> Callable[..., Review]:
    """A review of pull 7 with one high finding; every field can be set."""
    base, head = CommitSha("1" * 40), CommitSha("2" * 40)
    pull = Pull(
        repo=RepoName("acme/shop"),
        number=7,
        title="Totals",
        body="",
        author="octocat",
        base_sha=base,
        head_sha=head,
        base_ref="main",
        head_ref="totals",
        head_repo=RepoName("acme/shop"),
        url="https://github.com/acme/shop/pull/7",
    )

    def make(**fields: Any) -> Review:
        known: dict[str, Any] = {
            "change": Change(patch=patch, base=base, head=head, title="Totals", pull=pull),
            "effort": Effort.STANDARD,
            "model": "codex-spark-preview",
            "verdict": Verdict.FAIL,
            "reason": "1 finding of high or above",
            "findings": (a_finding(),),
            "misplaced": (),
            "dropped": (),
            "coverage": Coverage(hunks=2, reviewed=2, holes=(), skipped=()),
            "usage": Usage(input_tokens=1200, output_tokens=90, usd=0.0041, calls=2),
            "timing": Timing(diff=0.2, first_token=0.3, first_finding=0.41, done=0.9),
        }
        return Review(**(known | fields))

    return make


# -- a whole run ---------------------------------------------------------------------------------------------------

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
        return self.ran(run(values, out, waits=self.waits), out.getvalue(), values)

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
            commands=_runner_reads(log),
            outputs=_outputs_file(text("GITHUB_OUTPUT")) if text("GITHUB_OUTPUT") else {},
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
