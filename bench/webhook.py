"""The webhook server under load: how fast deliveries are acknowledged, whether any is lost, whether memory stays flat.

A real `spark serve` on loopback; beside it, each in a process of its own: a GitHub with a dozen installations (80 ms a call),
an endpoint (150 ms to the first token, 1,000 tokens a second), the sender, and a hundred live pages.

    python bench/webhook.py                          # 10,000 paced deliveries, then floods and bursts: about four minutes
    python bench/webhook.py --quick                  # 1,000
    python bench/webhook.py --paced                  # without the floods and bursts
    python bench/webhook.py --database postgres      # the same on a real PostgreSQL
    python bench/webhook.py --json out.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from webhook_parts import Server, child, database, percentile, serve_lines, settings, spark_serve, wait_for

RATE = 100.0
BURST = 1_000
CONNECTIONS = 50
PAGES = 100
FOLLOWERS = 10
"""Pages more, which are opened anew whenever their review is over."""
PULLS = 40
HEADS = BURST // PULLS
QUIET = 12
REDELIVERED = 0.01
SLOW_TOKENS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Deliveries of one kind of load. Milliseconds."""

    name: str
    sent: int
    statuses: dict[str, int]
    kinds: dict[str, int]
    p50: float
    p90: float
    p99: float
    most: float
    late_p99: float
    """What the sender itself was behind its own plan."""
    seconds: float
    sender_cpu: float
    server_cpu: float = 0.0
    jobs: dict[str, int] = field(default_factory=dict)
    """How its jobs ended."""
    started: int = 0
    """Of these, how many were begun."""
    dispatch_p50: float = math.nan
    dispatch_p99: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything that was measured."""

    database: str
    phases: list[Phase]
    idle: float
    """Of one core, at rest."""
    lag_p50: float
    lag_p99: float
    lag_events: int
    pages: dict[str, Any]
    memory: list[tuple[float, float, int]]
    """Seconds, MB of the worker, its threads."""
    slope: float
    """MB per 1,000 deliveries, over the second half of the paced run."""
    memory_end: float
    delivered: int
    lost: int
    unfinished: int
    audit: dict[str, Any]
    load: float


# -- stand-ins of our own -----------------------------------------------------------------------------------------


def serve_endpoint(slow_tps: float) -> None:
    """In a process of its own: fast for everything but one file, of which a page has long to watch."""
    from bot.sandbox.endpoint import Answer, EndpointOptions, EndpointRequest, EndpointServer, tokens  # noqa: PLC0415

    fast, slow = tokens(600, findings=2), tokens(SLOW_TOKENS)

    def script(request: EndpointRequest) -> Answer:
        if "src/slow.py" in request.user:
            return replace(slow(request), tps=slow_tps)
        return fast(request)

    with EndpointServer(EndpointOptions(ttft=0.150, tps=1000.0, script=script)) as server:
        serve_lines({"url": lambda: server.url})


@contextmanager
def floor() -> Iterator[int]:
    """A server whose application does nothing; its port."""
    command = [sys.executable, str(Path(__file__).parent / "webhook_floor.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


# -- the run ------------------------------------------------------------------------------------------------------


class Run:
    """One run of everything."""

    def __init__(
        self, kind: str, count: int, reviews: float, note: Callable[[str], None], *, paced_alone: bool = False
    ) -> None:
        self._kind = kind
        self._paced_alone = paced_alone
        self._count = count
        self._reviews = reviews
        self._note = note
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="spark-bench-load-")))
        self._done: list[dict[str, Any]] = []
        self._memory: list[tuple[float, float, int]] = []
        self._phases: list[Phase] = []

    def __enter__(self) -> Run:
        start = self._stack.enter_context
        seconds = self._count / RATE
        self._world = start(child("webhook_world.py"))
        self._endpoint = start(child("webhook.py", "--serve-endpoint", str(SLOW_TOKENS / (seconds + 8.0))))
        self._sender = start(child("webhook_load.py"))
        self._watcher = start(child("webhook_pages.py"))
        live = math.ceil(seconds * self._reviews) + 1
        github = self._world.ask(
            "prepare", quiet=QUIET, slow=2, live=live, live_heads=2, flood=PULLS, flood_heads=HEADS
        )
        url, self._read = start(database(self._kind))
        keep = Path(log) if (log := os.environ.get("BENCH_SERVER_LOG")) else None
        env = settings(github, self._endpoint.ask("url")) | {"SPARK_DATABASE_URL": url, "SPARK_EFFORT": "instant"}
        self._server: Server = start(spark_serve(env, keep=keep))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self) -> Result:
        """All phases, then the audit."""
        load_before = os.getloadavg()[0]
        self._warm()
        idle = self._idle(20.0 if self._count >= 10_000 else 5.0)
        self._floor()
        pages, lags = self._paced()
        if not self._paced_alone:
            self._orders()
            self._bursts()
        self._settle(120.0)
        jobs = self._jobs()
        phases = [self._with_jobs(phase, jobs) for phase in self._phases]
        lag = self._lags(lags, jobs)
        acknowledged = {each["guid"] for each in self._done if each["status"] in {200, 202}}
        stored = {row[0] for row in self._read("SELECT id FROM spark_deliveries")}
        paced = [sample for sample in self._memory if sample[0] >= self._memory[-1][0] / 2]
        return Result(
            database=self._kind,
            phases=phases,
            idle=idle,
            lag_p50=percentile(lag, 0.5) * 1000,
            lag_p99=percentile(lag, 0.99) * 1000,
            lag_events=len(lag),
            pages=pages,
            memory=self._memory,
            slope=_slope(paced) / RATE * 1000,
            memory_end=self._server.memory(),
            delivered=len(self._done),
            lost=len(acknowledged - stored),
            unfinished=sum(1 for job in jobs if job["state"] in {"queued", "running"}),
            audit=self._world.ask("audit"),
            load=load_before,
        )

    # -- phases

    def _warm(self) -> None:
        """The pulls that noise is about are reviewed, and two slow ones begin: that is what pages watch."""
        quiet = self._file("quiet")
        number = self._world.ask("open", kind="quiet", into=quiet)
        self._send("warm", quiet, number, rate=10.0, kept=False)
        self._settle(60.0)

    def _idle(self, seconds: float) -> float:
        time.sleep(2.0)
        before = self._server.cpu()
        time.sleep(seconds)
        share = (self._server.cpu() - before) / seconds
        self._note(f"at rest: {share:.2%} of a core")
        return share

    def _floor(self) -> None:
        """The same with a server that does nothing."""
        noise = self._file("noise")
        self._world.ask("noise", into=noise, orders=0, number=1000)
        with floor() as port:
            self._send("warm", noise, 100, rate=RATE, port=port, kept=False)
            self._send("nothing done, paced", noise, 1000, rate=RATE, port=port, counts=False)
            self._send("nothing done, burst", noise, BURST, most=CONNECTIONS, port=port, counts=False)

    def _paced(self) -> tuple[dict[str, Any], list[Any]]:
        seconds = self._count / RATE
        slow, told, live = self._file("slow"), self._file("told"), self._file("live")
        number = self._world.ask("open", kind="slow", into=slow)
        self._send("slow", slow, number, rate=10.0, kept=False)
        jobs = [each["job"] for each in self._done[-number:]]
        wait_for(lambda: self._states(jobs) == {"running"}, 10.0, "the slow reviews run")
        over = self._read("SELECT id FROM spark_jobs WHERE state = 'done'")[0][0]
        self._watcher.ask("start", port=self._server.port, number=PAGES + FOLLOWERS, slow=jobs, over=over, told=told)
        time.sleep(2.0)
        ended = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(ended, 10.0 if seconds > 50 else 2.0), daemon=True)
        sampler.start()
        self._world.ask("play", to=live, rate=self._reviews, seconds=seconds - 2.0)
        self._send(
            f"{RATE:.0f} a second, {PAGES} pages open, reviews running",
            self._file("noise"),
            self._count,
            rate=RATE,
            live=live,
            told=told,
            again=REDELIVERED,
        )
        ended.set()
        sampler.join()
        lags = self._file("lags")
        pages: dict[str, Any] = self._watcher.ask("stop", into=lags)
        pages["open"] = statistics.median(pages.pop("standing") or [0])
        self._settle(60.0)
        return pages, json.loads(Path(lags).read_text())

    def _orders(self) -> None:
        """Each delivery is an order."""
        flood = self._file("flood")
        number = self._world.ask("flood", kind="flood", into=flood, mixed_up=False)
        self._send(f"{RATE:.0f} a second, each an order", flood, number, rate=RATE)
        self._settle(120.0)

    def _bursts(self) -> None:
        mixed, burst = self._file("mixed"), self._file("burst")
        number = self._world.ask("noise", into=mixed, orders=PULLS // 2, number=BURST)
        self._send(f"burst of {BURST:,}", mixed, number, most=CONNECTIONS)
        self._settle(120.0)
        number = self._world.ask("flood", kind="burst", into=burst, mixed_up=True)
        self._send(f"burst of {BURST:,}, each an order, in no order", burst, number, most=CONNECTIONS)

    # -- steps

    def _send(
        self,
        name: str,
        file: str,
        count: int,
        *,
        rate: float = 0.0,
        most: int = 64,
        port: int = 0,
        live: str | None = None,
        told: str | None = None,
        again: float = 0.0,
        kept: bool = True,
        counts: bool = True,
    ) -> None:
        """Have deliveries sent. `kept`: as a phase of its own; `counts`: they went to the server."""
        into = self._file("answers")
        cpu = self._server.cpu()
        began = time.time()
        told_of = self._sender.ask(
            "run",
            port=port or self._server.port,
            file=file,
            count=count,
            rate=rate,
            most=most,
            live=live,
            told=told,
            again=again,
            into=into,
        )
        cpu = self._server.cpu() - cpu
        done = json.loads(Path(into).read_text())
        for each in done:
            each["phase"], each["began"] = name, began
        if counts and not port:
            self._done += done
        if kept:
            phase = _phase(name, done, told_of, cpu, paced=rate > 0)
            self._phases.append(phase)
            self._note(f"{name}: p50 {phase.p50:.1f} ms, p99 {phase.p99:.1f} ms, {phase.statuses}")

    def _settle(self, seconds: float) -> None:
        """Until every job has ended."""
        under_way = "SELECT count(*) FROM spark_jobs WHERE state IN ('queued', 'running')"
        try:
            wait_for(lambda: self._read(under_way)[0][0] == 0, seconds, "every job has ended")
        except TimeoutError as error:
            self._note(str(error))

    def _sample(self, ended: threading.Event, every: float) -> None:
        began = time.monotonic()
        while True:
            sample = (time.monotonic() - began, self._server.memory(), self._server.threads())
            self._memory.append(sample)
            self._note(f"{sample[0]:.0f} s: {sample[1]:.0f} MB, {sample[2]} threads")
            if ended.wait(every):
                return

    # -- what the database says

    def _states(self, jobs: Sequence[str]) -> set[str]:
        rows = self._read("SELECT id, state FROM spark_jobs")
        return {state for job, state in rows if job in jobs}

    def _jobs(self) -> list[dict[str, Any]]:
        columns = ("id", "delivery", "state", "attempt", "created_at", "started_at", "ended_at", "ended")
        rows = self._read(f"SELECT {', '.join(columns)} FROM spark_jobs")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _with_jobs(self, phase: Phase, jobs: Sequence[dict[str, Any]]) -> Phase:
        guids = {each["guid"] for each in self._done if each["phase"] == phase.name}
        own = [job for job in jobs if job["delivery"] in guids]
        begun = [job for job in own if job["started_at"] is not None]
        starts = [start for job in begun if (start := _started(job)) is not None]
        return replace(
            phase,
            jobs=dict(Counter(job["state"] for job in own)),
            started=len(begun),
            dispatch_p50=percentile(starts, 0.5) * 1000,
            dispatch_p99=percentile(starts, 0.99) * 1000,
        )

    def _lags(self, seen: Sequence[Any], jobs: Sequence[dict[str, Any]]) -> list[float]:
        """From the moment that an event tells to the moment it was on the page; of those that came after it was opened."""
        starts = {job["id"]: job["created_at"] + start for job in jobs if (start := _started(job)) is not None}
        happened = [(starts[job] + at, opened, came) for job, _, at, opened, came in seen if job in starts]
        return [came - at for at, opened, came in happened if at > opened + 0.5]

    def _file(self, name: str) -> str:
        return str(self._folder / name)


def _started(job: dict[str, Any]) -> float | None:
    """Seconds from the delivery to the review's first step."""
    if job["attempt"] != 1 or not job["ended"]:
        return None
    started: float | None = json.loads(job["ended"]).get("timing", {}).get("started")
    return started


def _phase(name: str, done: Sequence[dict[str, Any]], told: dict[str, float], cpu: float, *, paced: bool) -> Phase:
    # Paced: from when it was due, so that a server which stands still is not spared the deliveries that pile up.
    acks = [(each["end"] - each["due" if paced else "sent"]) * 1000 for each in done]
    return Phase(
        name=name,
        sent=len(done),
        statuses={str(status): number for status, number in sorted(Counter(each["status"] for each in done).items())},
        kinds=dict(Counter(each["kind"] for each in done)),
        p50=percentile(acks, 0.5),
        p90=percentile(acks, 0.9),
        p99=percentile(acks, 0.99),
        most=max(acks),
        late_p99=percentile([(each["sent"] - each["due"]) * 1000 for each in done], 0.99) if paced else 0.0,
        seconds=max(each["end"] for each in done) - min(each["due"] for each in done),
        sender_cpu=told["cpu"],
        server_cpu=cpu,
    )


def _slope(samples: Sequence[tuple[float, float, int]]) -> float:
    """MB a second, by least squares."""
    if len(samples) < 2:
        return math.nan
    return statistics.linear_regression([each[0] for each in samples], [each[1] for each in samples]).slope


# -- the report ---------------------------------------------------------------------------------------------------


def table(result: Result) -> str:
    """As markdown."""
    rows = [
        "| load | deliveries | answers | ack p50 | p90 | p99 | longest | a second | server CPU, ms each |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for phase in result.phases:
        answers = ", ".join(f"{number:,} × {status}" for status, number in phase.statuses.items())
        rows.append(
            f"| {phase.name} | {phase.sent:,} | {answers} | {phase.p50:.1f} ms | {phase.p90:.1f} ms | {phase.p99:.1f} ms "
            f"| {phase.most:.0f} ms | {phase.sent / phase.seconds:.0f} "
            f"| {'' if phase.name.startswith('nothing') else f'{phase.server_cpu / phase.sent * 1000:.1f}'} |"
        )
    rows += ["", "| load | jobs | begun | dispatch p50 | p99 |", "|---|---|---|---|---|"]
    for phase in (each for each in result.phases if each.jobs):
        jobs = ", ".join(f"{number:,} {state}" for state, number in sorted(phase.jobs.items()))
        rows.append(
            f"| {phase.name} | {jobs} | {phase.started:,} | {phase.dispatch_p50:.1f} ms | {phase.dispatch_p99:.1f} ms |"
        )
    audit, memory = result.audit, result.memory
    rows += [
        "",
        f"- {result.database}. Deliveries: {result.delivered:,}; acknowledged and not in the database: {result.lost}; jobs that "
        f"did not end: {result.unfinished}.",
        f"- Pulls: {audit['pulls']}; newest head without a review: {len(audit['missing'])} {audit['missing'][:5]}; a head "
        f"reviewed twice: {len(audit['twice'])} {audit['twice'][:5]}; check runs left open: {len(audit['open_checks'])}.",
        f"- Memory of the worker: {memory[0][1]:.0f} MB at the start of the paced run, {memory[-1][1]:.0f} MB at its end "
        f"({result.slope:+.2f} MB per 1,000 deliveries over its second half), {result.memory_end:.0f} MB after everything.",
        f"- Live pages: {result.pages['open']:.0f} open, {result.pages['opened']} opened, {result.pages['refused']} refused, "
        f"{result.pages['events']:,} events; lag p50 {result.lag_p50:.0f} ms, p99 {result.lag_p99:.0f} ms "
        f"({result.lag_events:,} events).",
        f"- At rest: {result.idle:.2%} of a core. Load average before: {result.load:.1f} on {os.cpu_count()} cores.",
    ]
    return "\n".join(rows)


def main() -> int:
    """The table. 1 when something was lost, reviewed twice or left undone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--quick", action="store_true", help="1,000 paced deliveries instead of 10,000")
    parser.add_argument("--paced", action="store_true", help="the paced run alone, without floods and bursts")
    parser.add_argument("--reviews", type=float, default=2.0, help="orders a second in the paced run (%(default)s)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve-endpoint", type=float, metavar="TPS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_endpoint is not None:
        serve_endpoint(given.serve_endpoint)
        return 0

    def note(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    count = 1_000 if given.quick else 10_000
    with Run(given.database, count, given.reviews, note, paced_alone=given.paced) as run:
        result = run.measure()
    print(table(result))
    if given.json:
        given.json.write_text(json.dumps(asdict(result), indent=1) + "\n")
    audit = result.audit
    return 1 if result.lost or result.unfinished or audit["missing"] or audit["twice"] or audit["open_checks"] else 0


if __name__ == "__main__":
    sys.exit(main())
