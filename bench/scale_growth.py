"""What a review costs as the change grows: the part of bench/scale.py that has one process and no waiting in it.

`spark review --pr` in a process of its own for each size, against a GitHub without latency and an endpoint without a pace,
so what is left is Spark's own work (and, in the seconds by the clock, the stand-ins', which share the two cores). Every size must be
reviewed whole, or the run fails.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from race.meter import Meter
from race.model import Shape
from race.sources import source
from webhook_parts import ROOT

from bot.sandbox.endpoint import endpoint_process
from bot.sandbox.github import GitHubOptions, GitHubServer
from bot.sandbox.github.repo import Repo

FILES: Final = (1, 3, 10, 30, 100, 200, 300, 500, 700, 1000)
"""Changed files, 24 added lines in each."""
LINES: Final = (10, 100, 1000, 3000, 6000, 10_000, 15_000, 20_000)
"""Added lines, all in one file."""
SPREAD: Final = (100, 1000, 3000, 6000, 10_000, 15_000, 20_000)
"""Added lines, over `SPREAD_FILES` files."""
SPREAD_FILES: Final = 20
KINDS: Final = {
    "files": "changed files",
    "lines": "added lines in one file",
    "spread": f"added lines in {SPREAD_FILES} files",
}
TOKEN: Final = "token-of-the-growth"
LONGEST: Final = 120.0
GROWN: Final = 0.1
"""Of the fixed cost."""
FEWEST: Final = 3
"""Points that a slope is drawn through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """One size."""

    kind: str
    """Of `KINDS`."""
    size: int
    seconds: float
    """Of the whole process."""
    cpu: float
    memory: float
    """MB at most."""
    hunks: int
    calls: int
    """To the endpoint."""
    fallen_short: tuple[str, ...] = ()
    """What was skipped, as the review says itself."""


def growth(kind: str, sizes: Sequence[int], *, runs: int) -> list[Grown]:
    """Each size, the run with the least CPU of `runs`: what else the machine did only ever adds to it.

    Round by round, not size by size: a slow minute of a shared machine then costs every size a run, and none its figure.
    """
    with ExitStack() as stack:
        github = stack.enter_context(GitHubServer(GitHubOptions()))
        endpoint = stack.enter_context(endpoint_process(["--tps", "1000000", "--ttft", "0", "--script", "tokens:60"]))
        github.world.user("mona", TOKEN)
        repo = github.world.create_repo("growth/service")
        repo.permission("mona", "write")
        opened = {size: _opened(repo, kind, size) for size in sizes}
        rounds = [[_review(github, endpoint, opened[size], kind, size) for size in sizes] for _ in range(runs)]
        return [min(tried, key=lambda one: one.cpu) for tried in zip(*rounds, strict=True)]


def _opened(repo: Repo, kind: str, size: int) -> int:
    shapes = {"files": (size, 24), "lines": (1, size), "spread": (SPREAD_FILES, size // SPREAD_FILES)}
    shape = Shape(name="", files=shapes[kind][0], added=shapes[kind][1])
    texts = [
        {f"src/part_{at:04}.py": source(at, shape, changed=changed).encode() for at in range(shape.files)}
        for changed in (False, True)
    ]
    base, topic = f"base-{kind}-{size}", f"topic-{kind}-{size}"
    start = repo.commit(base, texts[0], "Start", "mona")
    repo.branch(topic, start)
    repo.commit(topic, texts[1], "More", "mona")
    return repo.open_pull("More", "Adds lines.", head=topic, base=base, author="mona").number


def _review(github: GitHubServer, endpoint: str, number: int, kind: str, size: int) -> Grown:
    """Look at the pull, without posting: every run then finds it as it was."""
    with tempfile.TemporaryDirectory(prefix="spark-bench-") as folder:
        out = Path(folder) / "review.json"
        foreign = ("SPARK_", "OPENAI_", "GITHUB_", "GIT_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
            "PYTHONPATH": str(ROOT),
            "HOME": folder,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": github.api_url,
            "GITHUB_GRAPHQL_URL": github.graphql_url,
            "SPARK_BASE_URL": endpoint,
            "SPARK_API_KEY": "bench",
            "SPARK_EFFORT": "instant",
        }
        command = ["-m", "bot", "review", "--pr", f"growth/service#{number}", "--format", "json", "--output", str(out)]
        with (Path(folder) / "log").open("w+") as log:
            began = time.monotonic()
            process = subprocess.Popen([sys.executable, *command], cwd=folder, env=env, stdout=log, stderr=log)
            # Of this process alone: the stand-in's children are this one's, too.
            with Meter(process.pid) as meter:
                ending = threading.Timer(LONGEST, process.kill)
                ending.start()
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                seconds = time.monotonic() - began
                ending.cancel()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = code = os.waitstatus_to_exitcode(status)
            if code or not out.exists():
                log.seek(0)
                raise RuntimeError(f"{size} {kind}: exit code {code}\n{log.read()[-2000:]}")
        review = json.loads(out.read_text())
    coverage = review["coverage"]
    if coverage["holes"] or coverage["reviewed"] != coverage["hunks"]:
        raise RuntimeError(f"{size} {kind}: {coverage['reviewed']} of {coverage['hunks']} hunks; {coverage['holes']}")
    return Grown(
        kind=kind,
        size=size,
        seconds=seconds,
        cpu=used.ru_utime + used.ru_stime,
        memory=meter.memory,
        hunks=coverage["hunks"],
        calls=review["usage"]["calls"],
        fallen_short=tuple(f"{skip['path']}: {skip['reason']}" for skip in coverage["skipped"]),
    )


def exponent(found: Sequence[Grown], value: str) -> float:
    """How a figure grows beyond the fixed cost, the least of all sizes': the slope in a log-log plot, 1 is linear.

    Of the sizes at which it has grown by `GROWN`: below, the growth is less than what a run is off. 0 where fewer than `FEWEST` have.
    """
    fixed = min(float(getattr(one, value)) for one in found)
    points = [
        (math.log(one.size), math.log(more)) for one in found if (more := getattr(one, value) - fixed) >= GROWN * fixed
    ]
    if len(points) < FEWEST:
        return 0.0
    x0, y0 = (sum(column) / len(points) for column in zip(*points, strict=True))
    slope: float = sum((x - x0) * (y - y0) for x, y in points) / sum((x - x0) ** 2 for x, _ in points)
    return slope


def table(found: Sequence[Grown]) -> str:
    """One row for each size."""
    rows = [
        f"| {KINDS[found[0].kind]} | hunks | calls | whole process | CPU | CPU beyond the fixed, each | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    fixed = min(one.cpu for one in found)
    for one in found:
        each = (one.cpu - fixed) / one.size * 1e3
        rows.append(
            f"| {one.size:,} | {one.hunks:,} | {one.calls:,} | {one.seconds:.2f} s | {one.cpu:.2f} s | {each:.2f} ms | {one.memory:.0f} MB |"
        )
    return "\n".join(rows)
