"""`spark serve` as a whole: it refuses what it must, starts, reviews a pull request, survives its worker, and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import warm

from bot.hooks.signature import sign
from bot.sandbox import example
from bot.sandbox.endpoint import EndpointOptions

ROOT = Path(__file__).parents[2]


def spark_serve(folder: Path, *arguments: str, cold: bool = False, **env: str) -> tuple[int, str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "OPENAI_", "GITHUB_"))}
    ours = {**kept, "PYTHONPATH": str(ROOT), **env}
    process = warm.start("serve", *arguments, cwd=folder, env=ours, text=True, cold=cold)
    out, err = process.communicate(timeout=60)
    return process.wait(), out, err


def test_without_a_secret_it_refuses_to_start_and_names_the_way_out(tmp_path):
    code, out, err = spark_serve(tmp_path, cold=True, SPARK_APP_ID="7")
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith("spark: SPARK_WEBHOOK_SECRET is not set")
    assert "spark setup" in first
    assert second.startswith("spark: SPARK_APP_ID is set and SPARK_APP_PRIVATE_KEY is not")
    assert not [*tmp_path.iterdir()]


def test_a_port_that_is_taken_is_one_line(tmp_path):
    (tmp_path / ".env").write_text("SPARK_WEBHOOK_SECRET=s3cret\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = spark_serve(tmp_path, "--port", str(port))
    assert code == 2
    (line,) = err.splitlines()
    assert f"127.0.0.1 port {port} cannot be listened on (Address already in use)" in line


def test_a_pull_request_is_reviewed_from_its_webhook_and_the_server_survives_its_worker(outside, serve):
    server = serve(SPARK_PAGE_TOKEN="the-token-of-the-pages")
    assert server.get("/readyz").json["ready"] is True
    assert server.get("/healthz").json == {"healthy": True}
    assert server.get("/metrics").status == 401

    pull = outside.open_pull(example.AFTER, before=example.BEFORE)
    assert outside.github.webhooks.wait()
    opened = next(each for each in outside.github.webhooks.deliveries if each.event == "pull_request")
    assert opened.status_code == 202, opened.answer
    job = json.loads(opened.answer)["job"]
    server.wait_for(lambda: server.events("job.ended", job=job))
    assert server.events("job.ended", job=job, state="done", delivery=opened.guid)
    (review,) = outside.reviews(pull)
    assert review.commit_id == pull.head_sha
    assert outside.threads(pull)
    (check,) = outside.checks(pull.head_sha)
    assert (check.name, check.status, check.external_id) == ("spark", "completed", job)
    assert {path.name for path in server.folder.glob("spark.db*") if path.stat().st_mode & 0o077} == set()
    assert (server.folder / "spark.db").exists()

    first = server.kill_worker()
    body = json.dumps({"zen": "Keep it logically awesome.", "hook_id": 1}).encode()
    answer = server.get("/webhook", method="POST", body=body, **signed(body, "11111111-2222-3333-4444-555555555555"))
    assert answer.status == 200, answer.text
    assert server.worker != first
    again = server.get("/webhook", method="POST", body=opened.raw, **opened.headers)
    assert (again.status, again.json["job"], again.json["state"]) == (200, job, "done")

    metrics = server.get("/metrics", Authorization="Bearer the-token-of-the-pages")
    assert 'spark_deliveries_total{event="pull_request",outcome="known"} 1.0' in metrics.text
    assert len(outside.reviews(pull)) == 1
    secrets = (outside.key.splitlines()[1], "the-token-of-the-pages", outside.env["SPARK_WEBHOOK_SECRET"])
    assert server.terminate() == 0
    assert not [secret for secret in secrets if secret in server.told]
    assert oct((server.folder / "spark.db").stat().st_mode)[-3:] == "600"


def test_sigterm_ends_live_pages_parks_what_does_not_finish_and_the_next_start_takes_it_up(make_outside, serve):
    slow = make_outside(endpoint=EndpointOptions(ttft=1.2))
    server = serve(slow, grace=0.5)
    pull = slow.open_pull(example.AFTER, before=example.BEFORE)
    (started,) = server.wait_for(lambda: server.events("job.started"))
    with server.stream(f"/reviews/{started['job']}/events") as live:
        assert live.readline()
        assert "spark_live_streams 1.0" in server.get("/metrics").text
        asked = time.monotonic()
        server.signal(signal.SIGTERM)
        live.read()
        assert time.monotonic() - asked < 5
    assert server.ended() == 0
    assert time.monotonic() - asked < 15
    assert server.events("job.ended", state="queued")
    assert not slow.reviews(pull)

    server.start()
    server.wait_for(lambda: server.events("job.ended", job=started["job"], state="done"))
    assert len(slow.reviews(pull)) == 1
    assert [check.status for check in slow.checks(pull.head_sha)] == ["completed"]
    assert server.terminate() == 0


def signed(body: bytes, guid: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": guid,
        "X-Hub-Signature-256": sign("the-secret-of-the-webhook", body),
    }
