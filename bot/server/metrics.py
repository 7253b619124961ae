"""What is counted and measured, for Prometheus. Every label has a closed set of values, whoever sends what.

Counters begin at 0 with the process. Queue and money of the day are read when somebody asks (`refresh`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from bot import __version__
from bot.commands.model import Command, NearMiss, Verb
from bot.engine.model import Ended, Job, JobState
from bot.errors import SparkError
from bot.hooks.orders import AnswerComment

EVENTS: Final = frozenset(
    {
        "check_run",
        "check_suite",
        "installation",
        "installation_repositories",
        "issue_comment",
        "merge_group",
        "ping",
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
        "pull_request_review_thread",
        "push",
    }
)
"""Events with a name of their own; all others are `other`, since anybody may send any."""
OUTCOMES: Final = frozenset(
    {"taken", "known", "ignored", "full", "closed", "unsigned", "malformed", "wrong-type", "too-large", "failed"}
)
OTHER: Final = "other"

COMMANDS: Final = frozenset({*map(str, Verb), "near-miss", "reply"})
"""What a comment can be: a command, nearly one, or a reply without one."""
ANSWERS: Final = frozenset(
    {"answered", "refused", "committed", "suggested", "ignored", "nothing", "skipped", "superseded", "failed"}
)
"""What comes of it: `Outcome.what`, or how its job ended where it came to nothing."""

_ACK: Final = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_DISPATCH: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800)
_REVIEW: Final = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120)
_SPEED: Final = (25, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000)
_MOMENTS: Final = ("check", "diff", "first_token", "first_finding", "first_post", "done")
"""Of `Ended.timing`, what is measured."""
_TOKENS: Final = {"input": "input_tokens", "cached": "cached_tokens", "output": "output_tokens"}


class Metrics:
    """All metrics of one process, in a registry of their own. The engine's `Observer`, and the door's `seen`."""

    def __init__(self) -> None:
        # A sample more for each counter, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no type there
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("spark_build", "What runs here.", registry=registry).info({"version": __version__})
        self._deliveries = Counter(
            "spark_deliveries", "Deliveries, by what became of them.", ("event", "outcome"), registry=registry
        )
        self._ack = Histogram(
            "spark_ack_seconds", "From a delivery's first byte to its answer.", buckets=_ACK, registry=registry
        )
        self._depth = Gauge("spark_queue_depth", "Jobs that wait.", registry=registry)
        self._oldest = Gauge("spark_queue_oldest_seconds", "How long the oldest job has waited.", registry=registry)
        self._running = Gauge("spark_jobs_running", "Jobs that run in this process.", registry=registry)
        self._jobs = Counter("spark_jobs", "Runs of jobs that ended, by how.", ("state",), registry=registry)
        self._dispatch = Histogram(
            "spark_dispatch_seconds", "From a delivery to its job's first step.", buckets=_DISPATCH, registry=registry
        )
        self._moments = {
            moment: Histogram(
                f"spark_time_to_{moment}_seconds", f"From a delivery to: {moment}.", buckets=_REVIEW, registry=registry
            )
            for moment in _MOMENTS
        }
        self._tokens = Counter("spark_tokens", "Tokens of the endpoint.", ("kind",), registry=registry)
        self._speed = Histogram(
            "spark_tokens_per_second", "Output of all streams of a review.", buckets=_SPEED, registry=registry
        )
        self._usd = Counter("spark_usd", "Dollars spent since the start.", registry=registry)
        self._usd_today = Gauge("spark_usd_today", "Dollars spent today (UTC), by all processes.", registry=registry)
        self._errors = Counter("spark_errors", "What failed, by kind.", ("kind",), registry=registry)
        self._commands = Counter(
            "spark_commands", "Comments that asked for something.", ("verb", "outcome"), registry=registry
        )
        self._command_ack = Histogram(
            "spark_command_ack_seconds",
            "From a comment's delivery to the reaction that says it was read.",
            buckets=_ACK,
            registry=registry,
        )
        self._live = Gauge("spark_live_streams", "Live pages that are open.", registry=registry)
        self._first_values()

    def _first_values(self) -> None:
        """What can happen is there from the start, with 0: a rate needs a value before the first event."""
        for state in JobState:
            if state.is_over:
                self._jobs.labels(state.value)
        self._jobs.labels("parked")
        for kind in _TOKENS:
            self._tokens.labels(kind)
        for outcome in OUTCOMES:
            self._deliveries.labels("pull_request", outcome)
        for verb in COMMANDS:
            self._commands.labels(verb, "answered")

    # -- the door

    def seen(self, event: str, outcome: str) -> None:
        """A delivery was answered. `event` is whatever the sender wrote, perhaps with an action behind a dot."""
        name = event.partition(".")[0]
        label = name if name in EVENTS else OTHER
        self._deliveries.labels(label, outcome if outcome in OUTCOMES else OTHER).inc()

    def acknowledged(self, seconds: float) -> None:
        """A delivery was answered after so many seconds."""
        self._ack.observe(seconds)

    # -- the engine's observer

    def job_started(self, job: Job, *, waited: float) -> None:
        """A run began `waited` seconds after the delivery was taken. Runs after a kill say nothing about dispatch."""
        if job.attempt <= 1:
            self._dispatch.observe(max(0.0, waited))

    def job_ended(self, job: Job, ended: Ended) -> None:
        """A run ended. Answers to comments say nothing about the times of reviews."""
        self._jobs.labels("parked" if ended.state is JobState.QUEUED else ended.state.value).inc()
        if ended.state is JobState.FAILED:
            self.failed(ended.error)
        if isinstance(job.work, AnswerComment):
            self._answered(job.work, ended)
        elif ended.state is JobState.DONE:
            for moment, histogram in self._moments.items():
                if (seconds := ended.timing.get(moment)) is not None:
                    histogram.observe(seconds)
        for kind, name in _TOKENS.items():
            self._tokens.labels(kind).inc(max(0, ended.usage.get(name, 0)))
        if ended.tokens_per_second is not None:
            self._speed.observe(ended.tokens_per_second)
        if ended.usd is not None:
            self._usd.inc(max(0.0, ended.usd))

    def _answered(self, work: AnswerComment, ended: Ended) -> None:
        if ended.state is JobState.QUEUED:
            # Parked: another run answers.
            return
        carried_out = ended.state in {JobState.DONE, JobState.SKIPPED}
        outcome = (ended.outcome if carried_out else "") or ended.state.value
        self._commands.labels(_verb(work), outcome if outcome in ANSWERS else OTHER).inc()
        if (seconds := ended.timing.get("ack")) is not None:
            self._command_ack.observe(max(0.0, seconds))

    def queue(self, *, waiting: int, oldest: float, running: int) -> None:
        """How the queue stands."""
        self._depth.set(waiting)
        self._oldest.set(oldest)
        self._running.set(running)

    # -- others

    def failed(self, error: str) -> None:
        """Something failed with an exception of this class name: one of ours, or `internal` for everything else."""
        self._errors.labels(error if error in _kinds(SparkError) else "internal").inc()

    def spent_today(self, usd: float) -> None:
        """Dollars of this day, of all processes; not a number while nobody knows."""
        self._usd_today.set(usd)

    def spent_today_is_unknown(self) -> None:
        """The database did not answer."""
        self._usd_today.set(math.nan)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """A live page is open for the length of the `with`."""
        with self._live.track_inprogress():
            yield

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)


def _verb(work: AnswerComment) -> str:
    match work.command:
        case Command():
            return work.command.verb.value
        case NearMiss():
            return "near-miss"
        case None:
            return "reply"


def _kinds(root: type[SparkError]) -> set[str]:
    return {root.__name__}.union(*(_kinds(kind) for kind in root.__subclasses__()))
