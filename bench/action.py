"""Seconds of a whole run of the Action against the physical limit, on pull requests of several sizes, warm and cold.

Each run is a process as the runner starts it: the step of `action.yml`, an environment of its own, a bare interpreter without
packages. GitHub (this process) takes 80 ms a call; the endpoint, another process on loopback, takes 150 ms to the first token and
then streams 1,000 tokens a second. Warm runs find the packages in the runner's tool cache. Cold ones find it empty: uv installs
the lock out of its own cache, so what they do not pay is the download. The limit is that of bench/review.py: what no client can
beat once it runs, so it has no start in it.

    python bench/action.py                # the tables
    python bench/action.py --runs 9
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from review import ANSWER_TOKENS, LATENCY, LIMIT, SIZES, TPS, TTFT, module, process

from bot.sandbox.github import GitHubOptions, GitHubServer
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.payloads import payload_of

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

import action_machine  # type: ignore[import-not-found]  # noqa: E402 - it lies beside the tests
import action_runner  # type: ignore[import-not-found]  # noqa: E402 - as above

AUTHOR: Final = "mona"
TOKEN: Final = "ghs_bench"
FIRST_LIMIT: Final = LATENCY + TTFT
"""Seconds until the first token can be there: one read and the endpoint's own time."""
AIM: Final = 0.7
"""Seconds from the start of the process to the first call to GitHub, warm."""
PARTS: Final = """
import gc, sys, time
at = [time.monotonic()]
action, cache, began = sys.argv[1:]
sys.path.insert(0, action + "/action")
import spark_ready
from pathlib import Path
sys.path[:0] = map(str, spark_ready.make_ready(Path(action), {"RUNNER_TOOL_CACHE": cache}, print))
at.append(time.monotonic())
gc.set_threshold(spark_ready.OBJECTS)
import bot.__main__
import bot.cli.action
at.append(time.monotonic())
print(at[0] - float(began), *(after - before for before, after in zip(at, at[1:])))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's figures, in seconds from the start of the step's shell."""

    files: int
    cold: bool
    first_call: float
    """GitHub is first asked."""
    first_finding: float
    """It is in the job's log; as the run's own output says, from the start of its process."""
    first_post: float
    """GitHub is handed the review."""
    done: float
    """The step has ended."""
    cpu: float
    """Seconds of a processor, of all processes of the step."""
    findings: int


class Bench:
    """A machine, GitHub, and an endpoint."""

    def __init__(self, home: Path, github: GitHubServer, endpoint: str) -> None:
        self._home = home
        self._github = github
        self._endpoint = endpoint
        self._action = action_machine.copy_action(home / "_actions" / "spark")
        self._python = action_machine.bare_python(home / "python")
        self._tools = home / "tools"
        self._tools.mkdir()
        (self._tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
        self._warm = home / "tool-cache"
        self._number = itertools.count()
        github.world.user(AUTHOR)

    def one(self, files: int, *, cold: bool = False) -> Run:
        """Review a fresh pull of this size."""
        number = next(self._number)
        name = f"bench/files-{files}-{number}"
        payload = self._pull(name, files)
        runner = action_runner.Runner(
            action=self._action,
            home=self._home / f"job-{number}",
            python=self._python,
            tools=[self._tools],
            cache=self._home / f"empty-{number}" if cold else self._warm,
            env={"UV_OFFLINE": "1", "UV_CACHE_DIR": _uv_cache()},
        )
        runner.home.mkdir()
        self._github.requests.clear()
        before, began = os.times(), time.monotonic()
        job = runner.run(
            "pull_request",
            payload,
            token=TOKEN,
            inputs={"api-key": "bench", "base-url": self._endpoint, "effort": "instant"},
            github={
                "repository": name,
                "actor": AUTHOR,
                "api_url": self._github.api_url,
                "graphql_url": self._github.graphql_url,
                "server_url": self._github.web_url,
            },
        )
        after = os.times()
        assert job.code == 0, job.log
        assert job.outputs["verdict"] == "pass", job.log
        asked = sorted(self._github.requests, key=lambda seen: seen.started)
        posts = [seen for seen in asked if seen.method == "POST" and seen.path.endswith("/reviews")]
        return Run(
            files=files,
            cold=cold,
            first_call=asked[0].started - began,
            first_finding=float(job.outputs["seconds-to-first-finding"]),
            first_post=posts[0].started - began,
            done=job.seconds,
            cpu=(after.children_user - before.children_user) + (after.children_system - before.children_system),
            findings=int(job.outputs["findings"]),
        )

    def parts(self) -> tuple[float, float, float]:
        """Seconds until the interpreter runs our first line, to find the packages, and to import what a run begins with."""
        command = [self._python / "python3", "-I", "-c", PARTS, self._action, self._warm, str(time.monotonic())]
        told = subprocess.run(command, env={}, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        interpreter, ready, imports = map(float, told)
        return interpreter, ready, imports

    def _pull(self, name: str, files: int) -> dict[str, Any]:
        """Open a pull of so many files; gives the payload of its event."""
        world = self._github.world
        repo = world.create_repo(name)
        repo.permission(AUTHOR, "write")
        world.actions_token(name, TOKEN)
        for branch, changed in (("main", False), ("topic", True)):
            texts = {f"src/part_{at}.py": module(at, changed=changed).encode() for at in range(files)}
            repo.commit(branch, texts, "Steps", AUTHOR)
        pull = repo.open_pull("More steps", "Adds steps.", head="topic", base="main", author=AUTHOR)
        happening = Happening(
            event="pull_request", action="opened", repo=repo, sender=world.user(AUTHOR), subjects={"pull": pull}
        )
        return payload_of(self._github.site.urls, happening, None)


def _uv_cache() -> str:
    uv = Path(sys.executable).with_name("uv")
    return subprocess.run([uv, "cache", "dir"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def median(runs: Sequence[Run], name: str) -> float:
    """Of one figure."""
    return statistics.median(float(getattr(run, name)) for run in runs)


def table(runs: Sequence[Run]) -> str:
    """Medians as a markdown table."""
    rows = [
        f"Limit: {LIMIT:.2f} s = one read {LATENCY:.2f} + first token {TTFT:.2f} + longest stream {ANSWER_TOKENS / TPS:.2f} + "
        f"one post {LATENCY:.2f}; of a first finding {FIRST_LIMIT:.2f} s. Medians; in brackets the ratio to the limit.",
        "",
        "| cache | files | first call | first finding | first post | exit | findings | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cold, files in sorted({(run.cold, run.files) for run in runs}):
        chosen = [run for run in runs if (run.cold, run.files) == (cold, files)]
        call, first, post, done = (
            median(chosen, name) for name in ("first_call", "first_finding", "first_post", "done")
        )
        rows.append(
            f"| {'cold' if cold else 'warm'} | {files} | {call:.2f} s | {first:.2f} s ({first / FIRST_LIMIT:.1f}) "
            f"| {post:.2f} s ({post / LIMIT:.2f}) | {done:.2f} s ({done / LIMIT:.2f}) | {chosen[0].findings} "
            f"| {median(chosen, 'cpu'):.2f} |"
        )
    return "\n".join(rows)


def start_table(parts: Sequence[tuple[float, float, float]], runs: Sequence[Run]) -> str:
    """The start split: medians, and what is left up to the first call."""
    interpreter, ready, imports = (statistics.median(column) for column in zip(*parts, strict=True))
    call = median([run for run in runs if not run.cold], "first_call")
    rest = call - interpreter - ready - imports
    verdict = "kept" if call < AIM else "missed"
    return "\n".join(
        [
            "| part of a warm start | seconds |",
            "|---|---|",
            f"| interpreter | {interpreter:.3f} |",
            f"| find the packages | {ready:.3f} |",
            f"| import what a run begins with | {imports:.3f} |",
            f"| shell, settings, event, client, connection | {rest:.3f} |",
            f"| **first call to GitHub** | **{call:.3f}** (aim below {AIM}: {verdict}) |",
        ]
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="warm runs of each size")
    parser.add_argument("--cold", type=int, default=1, help="cold runs of each size")
    parser.add_argument("--files", type=int, action="append", help="a size; again for more")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    sizes = given.files or SIZES
    with (
        tempfile.TemporaryDirectory(prefix="spark-bench-") as home,
        GitHubServer(GitHubOptions()) as github,
        process("--serve-endpoint") as endpoint,
    ):
        github.latency = LATENCY
        bench = Bench(Path(home), github, str(endpoint["url"]))
        bench.one(sizes[0])  # It fills the tool cache of the warm ones.
        runs = [bench.one(size) for size in sizes for _ in range(given.runs)]
        parts = [bench.parts() for _ in range(max(given.runs, 3))]
        runs += [bench.one(size, cold=True) for size in sizes for _ in range(given.cold)]
    print(table(runs))
    print()
    print(start_table(parts, runs))
    if given.json:
        given.json.write_text(json.dumps({"limit": LIMIT, "runs": [asdict(run) for run in runs]}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
