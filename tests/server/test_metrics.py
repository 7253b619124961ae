"""Metrics, read back with the parser of the format's own library."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import __version__
from bot.commands.model import Command, CommentKind, CommentRef, NearMiss, Verb
from bot.engine.model import Ended, Job, JobId, JobState
from bot.hooks.events import DeliveryId, InstallationId, Place
from bot.hooks.orders import AnswerComment, Cause, ReviewPull
from bot.review.memory import CommentId
from bot.review.model import CommitSha, RepoName
from bot.server.metrics import EVENTS, OUTCOMES, Metrics

WORK = ReviewPull(
    place=Place(repo=RepoName("o/r"), repo_id=1, installation=InstallationId(1)),
    number=7,
    head_sha=CommitSha("a" * 40),
    base_ref="main",
    cause=Cause.OPENED,
)


def job(**more: object) -> Job:
    given = {
        "id": JobId("0" * 16), "delivery": DeliveryId("d"), "work": WORK, "state": JobState.RUNNING, "attempt": 1,
        "created_at": 0.0,
    }  # fmt: skip
    return Job(**{**given, **more})  # type: ignore[arg-type]


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[name, tuple(sorted(labels.items()))]


def test_every_name_is_ours_or_the_process_s_and_every_metric_has_a_help():
    metrics = Metrics()
    families = list(text_string_to_metric_families(metrics.text().decode()))
    assert all(re.fullmatch(r"(spark|process)_[a-z_]+", family.name) and family.documentation for family in families)
    assert {"process_resident_memory_bytes", "spark_queue_oldest_seconds"} <= {family.name for family in families}
    assert value(metrics, "spark_build_info", version=__version__) == 1


def test_deliveries_are_counted_by_event_and_outcome():
    metrics = Metrics()
    metrics.seen("pull_request.opened", "taken")
    metrics.seen("pull_request", "taken")
    metrics.seen("ping", "ignored")
    metrics.acknowledged(0.004)
    assert value(metrics, "spark_deliveries_total", event="pull_request", outcome="taken") == 2
    assert value(metrics, "spark_deliveries_total", event="ping", outcome="ignored") == 1
    assert value(metrics, "spark_ack_seconds_bucket", le="0.005") == 1
    assert value(metrics, "spark_ack_seconds_bucket", le="0.0025") == 0


def test_a_stranger_cannot_make_up_labels():
    metrics = Metrics()
    for number in range(500):
        metrics.seen(f"made_up_{number}\n", f"outcome {number}")
        metrics.job_ended(job(), Ended(state=JobState.FAILED, error=f"Error{number}"))
    labels = {labels for name, labels in samples(metrics) if name == "spark_deliveries_total"}
    assert len(labels) <= (len(EVENTS) + 1) * (len(OUTCOMES) + 1)
    assert value(metrics, "spark_deliveries_total", event="other", outcome="other") == 500
    assert value(metrics, "spark_errors_total", kind="internal") == 500


def test_a_review_leaves_its_times_its_tokens_and_its_cost():
    metrics = Metrics()
    ended = Ended(
        state=JobState.DONE,
        usd=0.02,
        timing={"check": 0.2, "first_finding": 0.9, "first_post": 1.9, "done": 2.2},
        tokens_per_second=940.0,
        usage={"input_tokens": 5000, "cached_tokens": 100, "output_tokens": 700, "calls": 9},
    )
    metrics.job_started(job(), waited=0.004)
    metrics.job_ended(job(), ended)
    assert value(metrics, "spark_jobs_total", state="done") == 1
    assert value(metrics, "spark_dispatch_seconds_bucket", le="0.005") == 1
    assert value(metrics, "spark_time_to_first_finding_seconds_bucket", le="1.0") == 1
    assert value(metrics, "spark_time_to_first_post_seconds_sum") == pytest.approx(1.9)
    assert value(metrics, "spark_time_to_done_seconds_count") == 1
    assert value(metrics, "spark_time_to_first_token_seconds_count") == 0
    assert value(metrics, "spark_tokens_total", kind="input") == 5000
    assert value(metrics, "spark_tokens_per_second_bucket", le="1000.0") == 1
    assert value(metrics, "spark_usd_total") == pytest.approx(0.02)


def test_commands_are_counted_by_verb_and_outcome_and_leave_the_times_of_reviews_alone():
    metrics = Metrics()
    asked: list[Command | NearMiss | None] = [
        Command(verb=Verb.FIX), Command(verb=Verb.FIX), NearMiss(wrote="fixx", meant=Verb.FIX), None, None, None, None,
    ]  # fmt: skip
    ends = [
        Ended(state=JobState.DONE, outcome="committed", timing={"ack": 0.2, "done": 3.0}),
        Ended(state=JobState.DONE, outcome="refused", timing={"ack": 0.3}),
        Ended(state=JobState.DONE, outcome="answered"),
        Ended(state=JobState.DONE, outcome="something new"),
        Ended(state=JobState.FAILED, error="OutsideError", usd=0.5, outcome="answered"),
        Ended(state=JobState.QUEUED, timing={"ack": 0.1}),
        Ended(state=JobState.SKIPPED, outcome="nothing"),
    ]
    for command, ended in zip(asked, ends, strict=True):
        ref = CommentRef(kind=CommentKind.THREAD, id=CommentId(5), node_id="x")
        work = AnswerComment(place=WORK.place, number=7, comment=ref, sender="mona", command=command)
        metrics.job_ended(job(work=work), ended)
    counted = {
        (dict(labels)["verb"], dict(labels)["outcome"]): value
        for (name, labels), value in samples(metrics).items()
        if name == "spark_commands_total" and value
    }
    assert counted == {
        ("fix", "committed"): 1, ("fix", "refused"): 1, ("near-miss", "answered"): 1, ("reply", "other"): 1,
        ("reply", "failed"): 1, ("reply", "nothing"): 1,
    }  # fmt: skip
    assert value(metrics, "spark_command_ack_seconds_count") == 2
    assert value(metrics, "spark_command_ack_seconds_sum") == pytest.approx(0.5)
    assert value(metrics, "spark_time_to_done_seconds_count") == 0
    assert value(metrics, "spark_usd_total") == pytest.approx(0.5)
    assert value(metrics, "spark_jobs_total", state="done") == 4


def test_a_run_that_was_parked_or_taken_over_says_nothing_about_speed():
    metrics = Metrics()
    metrics.job_started(job(attempt=2), waited=300.0)
    metrics.job_ended(job(), Ended(state=JobState.QUEUED, timing={"done": 20.0}))
    assert value(metrics, "spark_dispatch_seconds_count") == 0
    assert value(metrics, "spark_time_to_done_seconds_count") == 0
    assert value(metrics, "spark_jobs_total", state="parked") == 1


def test_errors_are_counted_by_their_kind():
    metrics = Metrics()
    metrics.job_ended(job(), Ended(state=JobState.FAILED, error="NotPermittedError"))
    metrics.failed("ZeroDivisionError")
    assert value(metrics, "spark_errors_total", kind="NotPermittedError") == 1
    assert value(metrics, "spark_errors_total", kind="internal") == 1


def test_gauges_follow_the_queue_the_day_and_the_live_pages():
    metrics = Metrics()
    metrics.queue(waiting=12, oldest=3.5, running=8)
    metrics.spent_today(1.25)
    with metrics.stream(), metrics.stream():
        assert value(metrics, "spark_live_streams") == 2
    assert value(metrics, "spark_live_streams") == 0
    assert value(metrics, "spark_queue_depth") == 12
    assert value(metrics, "spark_queue_oldest_seconds") == 3.5
    assert value(metrics, "spark_jobs_running") == 8
    assert value(metrics, "spark_usd_today") == 1.25
    metrics.spent_today_is_unknown()
    assert str(value(metrics, "spark_usd_today")) == "nan"
