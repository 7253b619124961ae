"""Seconds of a whole review against the physical limit, on pull requests of several sizes.

Two processes stand in for the world on loopback: GitHub at 80 ms a call, and an endpoint that takes 150 ms to the first
token and then streams 1,000 tokens a second. Spark runs in this process, warm. The limit is what no client can beat:
one read, the first token, the longest stream, one post.

    python bench/review.py                     # the table
    python bench/review.py --json out.json     # and the figures
    python bench/review.py --seen              # only files that this process has read before, or --unseen

Files that were seen before are those of an earlier pull: their texts follow from the diff, and one read is all there is before
the model is asked. Of files that nobody has seen the texts are read first, which is a second read, one that the limit does not
count. A pull's first review has the one, each push to it the other.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LATENCY = 0.080
TTFT = 0.150
TPS = 1000.0
ANSWER_TOKENS = 600
FINDINGS = 2
"""Findings in each answer; the rest of its tokens is prose in their bodies."""
SIZES = (1, 5, 20, 60)
LIMIT = LATENCY + TTFT + ANSWER_TOKENS / TPS + LATENCY
REST = 0.3
"""Seconds between two reviews: writes of one account are a second apart, and a review takes less."""
TOKEN = "bench-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One review's figures, in seconds."""

    files: int
    effort: str
    seen: bool
    """Whether the process had read these files before, as another pull's."""
    diff: float
    first_token: float
    first_finding: float
    first_post: float
    done: float
    cpu: float
    tokens: int
    findings: int
    holes: int


def module(number: int, *, changed: bool, of: str = "") -> str:
    """A small Python module, another one for each `of`; the change adds functions in two places."""
    lines = [f'"""Part {number}{of}."""', "", "import math", ""]
    for at in range(12):
        lines += ["", f"def step_{at}(value):", f'    """Step {at}."""', f"    return math.sqrt(value + {at})", ""]
        if changed and at in {3, 9}:
            lines += ["", f"def more_{at}(values):", "    total = 0"]
            lines += [f"    total += values[{index}]" for index in range(8)]
            lines += ["    return total", ""]
    return "\n".join(lines) + "\n"


def serve_github(runs: int) -> int:
    """In a process of its own: repositories and pulls, then serve until standard input ends."""
    from bot.sandbox.github import GitHubOptions, GitHubServer  # noqa: PLC0415 - only this process needs it

    with GitHubServer(GitHubOptions()) as server:
        server.world.user("spark-bench", TOKEN, bot=True)
        author = server.world.user("mona", "author-token")

        def opened(repo: Any, name: str, folder: str, size: int) -> int:
            """One pull that changes all the modules of a folder, which `main` has."""
            paths = {index: f"{folder}/part_{index}.py" for index in range(size)}
            after = {path: module(index, changed=True, of=folder).encode() for index, path in paths.items()}
            repo.branch(name, "main")
            repo.commit(name, after, "More steps", author.login)
            return int(repo.open_pull("More steps", "Adds steps.", head=name, base="main", author=author.login).number)

        def base(repo: Any, folder: str, size: int) -> None:
            before = {f"{folder}/part_{at}.py": module(at, changed=False, of=folder).encode() for at in range(size)}
            repo.commit("main", before, "Start", author.login)

        pulls: dict[str, list[int]] = {}
        for size in SIZES:
            repo = server.world.create_repo(f"bench/files-{size}")
            repo.permission("spark-bench", "write")
            base(repo, "src", size)
            pulls[f"seen {size}"] = [opened(repo, f"seen-{run}", "src", size) for run in range(runs + 1)]
            for run in range(runs):
                base(repo, f"new_{run}", size)
            pulls[f"unseen {size}"] = [opened(repo, f"unseen-{run}", f"new_{run}", size) for run in range(runs)]
        server.latency = LATENCY
        print(json.dumps({"api": server.api_url, "graphql": server.graphql_url, "pulls": pulls}), flush=True)
        sys.stdin.read()
    return 0


def serve_endpoint() -> int:
    """In a process of its own: the endpoint, until standard input ends."""
    from bot.sandbox.endpoint import EndpointOptions, EndpointServer, tokens  # noqa: PLC0415 - as above

    script = tokens(ANSWER_TOKENS, findings=FINDINGS)
    with EndpointServer(EndpointOptions(ttft=TTFT, tps=TPS, script=script)) as server:
        print(json.dumps({"url": server.url}), flush=True)
        sys.stdin.read()
    return 0


@contextmanager
def process(*arguments: str) -> Iterator[dict[str, object]]:
    """Run the script again as another process; gives the line it prints when it is ready."""
    with subprocess.Popen(
        [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.stdin.close()
            child.wait(timeout=30)


def measure(efforts: Sequence[str], sizes: Sequence[int], runs: int, kinds: Sequence[bool]) -> list[Run]:
    """Every size and effort, `runs` times each, of files that were seen and of files that were not (`kinds`).

    Before them comes one review of each size, which warms the process and sees the files.
    """
    with process("--serve-github", str(runs * len(efforts))) as github, process("--serve-endpoint") as endpoint:
        reviews = Reviews(github, endpoint)
        for size in sizes:
            reviews.one(size, "instant", seen=True)
        return [
            reviews.one(size, effort, seen=seen)
            for effort in efforts
            for size in sizes
            for seen in kinds
            for _ in range(runs)
        ]


class Reviews:
    """Reviews of fresh pulls with one warm set of clients."""

    def __init__(self, github: dict[str, object], endpoint: dict[str, object]) -> None:
        from bot.settings import read_settings  # noqa: PLC0415 - after the servers are up, to keep their start apart

        env = {
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": str(github["api"]),
            "GITHUB_GRAPHQL_URL": str(github["graphql"]),
            "SPARK_BASE_URL": str(endpoint["url"]),
            "SPARK_API_KEY": "bench",
        }
        from bot.server.station import load  # noqa: PLC0415 - as above
        from bot.wiring import Shared  # noqa: PLC0415 - as above

        # As `spark serve` does before it takes anything.
        load()
        gc.collect()
        gc.freeze()
        self._settings = read_settings(env, dotenv=None)
        self._shared = Shared(self._settings)
        pulls = github["pulls"]
        assert isinstance(pulls, dict)
        self._pulls: dict[str, list[int]] = {name: list(numbers) for name, numbers in pulls.items()}

    def one(self, files: int, effort: str, *, seen: bool, begins: Callable[[], object] = lambda: None) -> Run:
        """Review the next pull of this size and post the review; `begins` is called when that begins."""
        from bot.request import PullAsk, ReviewRequest  # noqa: PLC0415 - as above
        from bot.review.model import Effort  # noqa: PLC0415 - as above

        number = self._pulls[f"{'seen' if seen else 'unseen'} {files}"].pop()
        name = f"bench/files-{files}#{number}"
        request = ReviewRequest(ask=PullAsk(name=name, post=True), effort=Effort(effort))
        time.sleep(REST)
        begins()
        before = time.process_time()
        review = self._shared.job(request).run()
        cpu = time.process_time() - before
        assert review.failure is None, review.failure
        timing = review.timing
        assert timing.done is not None
        assert timing.first_post is not None
        assert timing.diff is not None
        assert timing.first_token is not None
        assert timing.first_finding is not None
        return Run(
            files=files,
            effort=effort,
            seen=seen,
            diff=timing.diff,
            first_token=timing.first_token,
            first_finding=timing.first_finding,
            first_post=timing.first_post,
            done=timing.done,
            cpu=cpu,
            tokens=review.usage.output_tokens,
            findings=len(review.findings),
            holes=len(review.coverage.holes),
        )


def table(runs: Sequence[Run]) -> str:
    """Medians as a markdown table."""
    rows = [
        f"Limit: {LIMIT:.2f} s = one read {LATENCY:.2f} + first token {TTFT:.2f} + longest stream "
        f"{ANSWER_TOKENS / TPS:.2f} + one post {LATENCY:.2f}. Medians; in brackets the ratio to the limit.",
        "",
        "| effort | files | seen before | planned | first token | first finding | first post | done | findings | CPU s "
        "| CPU ms per 1,000 tokens |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for effort, files, seen in dict.fromkeys((run.effort, run.files, run.seen) for run in runs):
        chosen = [run for run in runs if (run.effort, run.files, run.seen) == (effort, files, seen)]
        assert not any(run.holes for run in chosen)
        diff, token, first, post, done = (
            statistics.median(getattr(run, name) for run in chosen)
            for name in ("diff", "first_token", "first_finding", "first_post", "done")
        )
        cpu = statistics.median(run.cpu for run in chosen)
        per_token = statistics.median(run.cpu / run.tokens * 1e6 for run in chosen)
        rows.append(
            f"| {effort} | {files} | {'yes' if seen else 'no'} | {diff:.2f} s | {token:.2f} s | {first:.2f} s ({first / LIMIT:.2f}) | {post:.2f} s ({post / LIMIT:.2f}) "
            f"| {done:.2f} s ({done / LIMIT:.2f}) | {chosen[0].findings} | {cpu:.2f} | {per_token:.0f} |"
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows += ["", f"Peak memory of the reviewing process: {memory:.0f} MB. {len(os.sched_getaffinity(0))} cores."]
    return "\n".join(rows)


def main() -> int:
    """The table, or one of the stand-ins."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--effort", action="append", choices=["instant", "standard"])
    parser.add_argument("--files", type=int, action="append", help="a size; again for more")
    parser.add_argument("--seen", action="store_true", help="only files that were seen before")
    parser.add_argument("--unseen", action="store_true", help="only files that were not")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve-github", type=int, metavar="RUNS", help=argparse.SUPPRESS)
    parser.add_argument("--serve-endpoint", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_github is not None:
        return serve_github(given.serve_github)
    if given.serve_endpoint:
        return serve_endpoint()
    kinds = [True] * given.seen + [False] * given.unseen or [True, False]
    runs = measure(given.effort or ["instant", "standard"], given.files or SIZES, given.runs, kinds)
    print(table(runs))
    if given.json:
        given.json.write_text(json.dumps({"limit": LIMIT, "runs": [asdict(run) for run in runs]}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
