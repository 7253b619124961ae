"""From a webhook to the review on the pull request: a real `spark serve`, seconds against the physical limit.

Two processes stand in for the world on loopback: GitHub at 80 ms a call, which sends the signed webhook itself when a pull
request is opened there, and an endpoint that takes 150 ms to the first token and then streams 1,000 tokens a second. The
server is warm. The limit is what no client can beat: one read, the first token, the longest stream, one post.

    python bench/server.py                          # the tables
    python bench/server.py --runs 9 --json out.json
    python bench/server.py --database postgres
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from webhook_parts import (
    APP_ID,
    SECRET,
    SLUG,
    Child,
    Server,
    child,
    database,
    serve_lines,
    settings,
    spark_serve,
    wait_for,
)

LATENCY = 0.080
TTFT = 0.150
TPS = 1000.0
ANSWER_TOKENS = 600
FINDINGS = 2
SIZES = (1, 5, 20)
LIMIT = LATENCY + TTFT + ANSWER_TOKENS / TPS + LATENCY
AIM = LIMIT * 1.3 + 0.2
LONG_TPS = 100.0
"""Of the streams that a push interrupts."""
REST = 1.1
"""Seconds between two runs: writes to one installation are a second apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One pull from its webhook to its closed check, in seconds from the moment GitHub sent the delivery."""

    files: int
    answered: float
    check: float
    first_finding: float
    """On the live page."""
    posted: float
    closed: float
    done: float
    """The live page says so."""
    cpu: float
    """Of the server."""
    started: float
    """To the job's first step, by its own account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A push in mid-stream, in seconds from the moment GitHub sent it."""

    streams: int
    gone: float
    """The endpoint has seen the last of the old streams closed."""
    page: float
    """The old live page says that it is superseded."""
    check_closed: float
    conclusion: str
    new_check: float
    posted: float
    """The review of the new head."""
    reviews_of_old: int


# -- the world ----------------------------------------------------------------------------------------------------


class World:
    """In a process of its own: GitHub, with the pulls to come."""

    def __init__(self, runs: int) -> None:
        from bot.sandbox.github import GitHubOptions, GitHubServer, new_private_key  # noqa: PLC0415 - only that process needs it

        self.key = new_private_key()
        self.server = GitHubServer(GitHubOptions()).start()
        self.app = self.server.world.app(APP_ID, self.key, SLUG, events=("pull_request", "merge_group"))
        self.server.webhooks.active = frozenset({"pull_request"})
        self.sent = 0.0
        self.server.world.user("mona")
        for size in SIZES:
            self._files(size, runs)
        self._long(runs)
        self.server.world.listeners.append(self._heard)
        self.server.latency = LATENCY

    def _repo(self, name: str) -> Any:
        repo = self.server.world.create_repo(f"{name}-org/service")
        self.server.world.install(self.app, f"{name}-org")
        return repo

    def _files(self, size: int, runs: int) -> None:
        from review import module  # noqa: PLC0415 - as above

        repo = self._repo(f"files-{size}")
        before = {f"src/part_{index}.py": module(index, changed=False) for index in range(size)}
        base = repo.commit("main", before, "Start", "mona")
        after = {f"src/part_{index}.py": module(index, changed=True) for index in range(size)}
        for run in range(runs):
            repo.branch(f"topic-{run}", base)
            repo.commit(f"topic-{run}", after, f"More steps, {run}", "mona")

    def _long(self, runs: int) -> None:
        from review import module  # noqa: PLC0415 - as above

        repo = self._repo("long")
        before = {f"src/long_{index}.py": module(index, changed=False) for index in range(5)}
        base = repo.commit("main", before, "Start", "mona")
        after = {f"src/long_{index}.py": module(index, changed=True) for index in range(5)}
        for run in range(runs):
            repo.branch(f"topic-{run}", base)
            repo.commit(f"topic-{run}", after, f"More steps, {run}", "mona")

    def _heard(self, _: object) -> None:
        # Behind the webhooks in the row of listeners: the delivery is rendered, signed and on its way.
        self.sent = time.monotonic()

    def about(self) -> dict[str, str]:
        """For the server's settings."""
        server = self.server
        return {"key": self.key, "api": server.api_url, "graphql": server.graphql_url, "web": server.web_url}

    def point(self, *, url: str) -> bool:
        """Where deliveries go."""
        self.server.webhooks.point_to(f"{url}/webhook", SECRET)
        return True

    def open(self, *, name: str, run: int) -> dict[str, Any]:
        """Open a pull, and wait for the answer to its webhook."""
        repo = self.server.world.repo(f"{name}-org/service")
        pull = repo.open_pull("More steps", "Adds steps.", head=f"topic-{run}", author="mona")
        return self._answered() | {"number": pull.number, "head": pull.head_sha}

    def push(self, *, name: str, run: int) -> dict[str, Any]:
        """Push to a pull: what took long is taken back, and something short comes."""
        from review import module  # noqa: PLC0415 - as above

        repo = self.server.world.repo(f"{name}-org/service")
        back = {f"src/long_{index}.py": module(index, changed=False) for index in range(5)}
        head = repo.commit(f"topic-{run}", {**back, "src/short.py": module(0, changed=True)}, "Another way", "mona")
        return self._answered() | {"head": head}

    def _answered(self) -> dict[str, Any]:
        self.server.webhooks.wait()
        answered = time.monotonic()
        delivery = self.server.webhooks.deliveries[-1]
        answer = json.loads(delivery.answer)
        return {"sent": self.sent, "answered": answered, "status": delivery.status_code, "job": answer.get("job")}

    def calls(self, *, name: str, number: int, head: str) -> dict[str, Any]:
        """When GitHub had answered what: the check run of `head` opened and closed, the pull's reviews of it."""
        found: dict[str, Any] = {"check": None, "closed": None, "conclusion": None, "posted": None, "reviews": 0}
        repo = self.server.world.repo(f"{name}-org/service")
        with self.server.world.lock:
            suites = [suite for suite in repo.suites.values() if suite.head_sha == head and suite.app is self.app]
            ours = {run.id: run for suite in suites for run in suite.runs}
            found["reviews"] = sum(
                1
                for review in repo.reviews.values()
                if review.pull.number == number and review.commit_id == head and review.state != "PENDING"
            )
        for seen in self.server.requests:
            ended = seen.started + seen.seconds
            if not seen.path.startswith(f"/repos/{name}-org/"):
                continue
            if seen.method == "POST" and seen.path.endswith("/check-runs") and seen.json["head_sha"] == head:
                found["check"] = ended
            elif seen.method == "PATCH" and int(seen.path.rpartition("/")[2] or 0) in ours:
                if seen.json.get("status") == "completed" or "conclusion" in seen.json:
                    found["closed"], found["conclusion"] = ended, seen.json.get("conclusion")
            elif seen.method == "POST" and seen.path.endswith(f"/pulls/{number}/reviews"):
                found["posted"] = ended if seen.json.get("commit_id") == head else found["posted"]
        return found


def serve_github(runs: int) -> None:
    """The process of GitHub."""
    world = World(runs)
    try:
        serve_lines({each.__name__: each for each in (world.about, world.point, world.open, world.push, world.calls)})
    finally:
        world.server.stop()


def serve_endpoint() -> None:
    """The process of the endpoint."""
    from bot.sandbox.endpoint import Answer, EndpointOptions, EndpointRequest, EndpointServer, tokens  # noqa: PLC0415 - as above

    measured = tokens(ANSWER_TOKENS, findings=FINDINGS)

    def script(request: EndpointRequest) -> Answer:
        answer = measured(request)
        return replace(answer, tps=LONG_TPS) if "src/long_" in request.user else answer

    with EndpointServer(EndpointOptions(ttft=TTFT, tps=TPS, script=script)) as server:

        def streams(*, since: float) -> list[Any]:
            return [[each.started, each.ended, each.client_gone] for each in server.requests if each.started >= since]

        serve_lines({"url": lambda: server.url, "streams": streams})


# -- what a person sees -------------------------------------------------------------------------------------------


def page(port: int, job: str) -> Iterator[tuple[float, str, Any]]:
    """The events of a live page as they come: when (monotonic), which, what. Ends when the stream does."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(
            f"GET /reviews/{job}/events?for=page HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        kind = ""
        with sock.makefile("rb") as lines:
            for line in lines:
                if line.startswith(b"event:"):
                    kind = line[6:].strip().decode()
                elif line.startswith(b"data:"):
                    yield time.monotonic(), kind, json.loads(line[5:])


class Measured:
    """A warm server between its stand-ins."""

    def __init__(self, world: Child, endpoint: Child, server: Server, read: Any) -> None:
        self._world = world
        self._endpoint = endpoint
        self._server = server
        self._read = read

    def opened(self, files: int, run: int) -> Opened:
        """Open a pull and follow it to its end."""
        name = f"files-{files}"
        cpu = self._server.cpu()
        told = self._world.ask("open", name=name, run=run)
        assert told["status"] == 202, told
        sent, first, done = told["sent"], 0.0, 0.0
        for at, kind, _ in page(self._server.port, told["job"]):
            if kind == "found" and not first:
                first = at
            if kind == "over":
                done = at
        calls = self._calls(name, told)
        assert calls["reviews"] == 1, calls
        assert calls["conclusion"] in {"success", "neutral", "failure"}, calls
        (ended,) = self._read(f"SELECT ended FROM spark_jobs WHERE id = '{told['job']}'")[0]
        time.sleep(REST)
        return Opened(
            files=files,
            answered=told["answered"] - sent,
            check=calls["check"] - sent,
            first_finding=first - sent,
            posted=calls["posted"] - sent,
            closed=calls["closed"] - sent,
            done=done - sent,
            cpu=self._server.cpu() - cpu,
            started=json.loads(ended)["timing"]["started"],
        )

    def superseded(self, run: int) -> Superseded:
        """Open a pull whose review takes long, push when its first finding is on the page."""
        began = time.monotonic()
        old = self._world.ask("open", name="long", run=run)
        pushed: dict[str, Any] = {}
        over = 0.0
        for at, kind, data in page(self._server.port, old["job"]):
            if kind == "found" and not pushed:
                pushed = self._world.ask("push", name="long", run=run) | {"number": old["number"]}
                assert pushed["status"] == 202, pushed
            if kind == "state" and data["state"] == "superseded":
                over = at
        assert over, "the old page was never told"
        before, after = self._calls("long", old), self._calls("long", pushed)
        streams = [
            each for each in self._endpoint.ask("streams", since=began) if each[0] < pushed["sent"] < (each[1] or 1e9)
        ]
        assert all(gone for _, _, gone in streams), streams
        sent = pushed["sent"]
        time.sleep(REST)
        return Superseded(
            streams=len(streams),
            gone=max(ended for _, ended, _ in streams) - sent,
            page=over - sent,
            check_closed=before["closed"] - sent,
            conclusion=before["conclusion"],
            new_check=after["check"] - sent,
            posted=after["posted"] - sent,
            reviews_of_old=before["reviews"],
        )

    def _calls(self, name: str, told: dict[str, Any]) -> dict[str, Any]:
        """What GitHub saw, once the check run is closed."""
        asked = {"name": name, "number": told["number"], "head": told["head"]}
        last: dict[str, Any] = {}

        def closed() -> bool:
            last.update(self._world.ask("calls", **asked))
            return last["closed"] is not None

        wait_for(closed, 30.0, "the check run is closed")
        return last


def measure(kind: str, runs: int, sizes: Sequence[int]) -> tuple[list[Opened], list[Superseded]]:
    """Everything, after two reviews in each repository that warm the server and its tokens."""
    with ExitStack() as stack:
        start = stack.enter_context
        world = start(child("server.py", "--serve-github", str(runs + 2)))
        endpoint = start(child("server.py", "--serve-endpoint"))
        url, read = start(database(kind))
        env = settings(world.ask("about"), endpoint.ask("url"))
        log = os.environ.get("BENCH_SERVER_LOG")
        env |= {"SPARK_DATABASE_URL": url, "SPARK_EFFORT": "instant"}
        server = start(spark_serve(env, keep=Path(log) if log else None))
        world.ask("point", url=server.url)
        measured = Measured(world, endpoint, server, read)
        opened = []
        for files in sizes:
            runs_of = [measured.opened(files, run) for run in range(runs + 2)]
            opened += runs_of[2:]
        pushes = [measured.superseded(run) for run in range(runs + 1)][1:]
        return opened, pushes


def table(opened: Sequence[Opened], pushes: Sequence[Superseded]) -> str:
    """Medians as markdown; the longest in brackets."""

    def told(values: Sequence[Any], name: str) -> str:
        found = [getattr(each, name) for each in values]
        return f"{statistics.median(found):.2f} s ({max(found):.2f})"

    rows = [
        "| files | 202 | check run there | first finding on the page | review posted | × limit | check closed | server CPU |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for files in dict.fromkeys(each.files for each in opened):
        some = [each for each in opened if each.files == files]
        answered = statistics.median(each.answered for each in some) * 1000
        posted = statistics.median(each.posted for each in some)
        rows.append(
            f"| {files} | {answered:.0f} ms | {told(some, 'check')} | {told(some, 'first_finding')} | {told(some, 'posted')} "
            f"| {posted / LIMIT:.2f} | {told(some, 'closed')} | {statistics.median(each.cpu for each in some):.2f} s |"
        )
    starts = [each.started * 1000 for each in opened]
    rows += [
        "",
        f"Limit {LIMIT:.2f} s, aim {AIM:.2f} s (limit × 1.3 + 0.2). Medians of {len(opened)} runs, the longest in brackets. From "
        f"the delivery to the job's first step: {statistics.median(starts):.1f} ms ({max(starts):.1f}).",
        "",
        "| a push in mid-stream | |",
        "|---|---|",
        f"| {pushes[0].streams} old streams closed | {told(pushes, 'gone')} |",
        f"| the old page says so | {told(pushes, 'page')} |",
        f"| the old check run is closed (`{pushes[0].conclusion}`) | {told(pushes, 'check_closed')} |",
        f"| the new head's check run is there | {told(pushes, 'new_check')} |",
        f"| the new head's review is posted | {told(pushes, 'posted')} |",
        "",
        f"{len(pushes)} pushes; reviews posted of an old head: {sum(each.reviews_of_old for each in pushes)}. Load average "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.",
    ]
    return "\n".join(rows)


def main() -> int:
    """The tables; 1 where an aim is missed by the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--files", type=int, action="append", choices=SIZES, help="a size; again for more")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve-github", type=int, metavar="RUNS", help=argparse.SUPPRESS)
    parser.add_argument("--serve-endpoint", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_github is not None:
        serve_github(given.serve_github)
        return 0
    if given.serve_endpoint:
        serve_endpoint()
        return 0
    opened, pushes = measure(given.database, given.runs, given.files or SIZES)
    print(table(opened, pushes))
    if given.json:
        told = {
            "limit": LIMIT,
            "opened": [asdict(each) for each in opened],
            "pushes": [asdict(each) for each in pushes],
        }
        given.json.write_text(json.dumps(told, indent=1) + "\n")
    closed = statistics.median(each.check_closed for each in pushes)
    slow = (
        statistics.median(each.posted for each in opened) > AIM or statistics.median(each.check for each in opened) > 1
    )
    return 1 if slow or closed > 0.5 else 0


if __name__ == "__main__":
    sys.exit(main())
