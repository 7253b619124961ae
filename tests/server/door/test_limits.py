"""Sizes, costs, and every example of GitHub's at the door."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from werkzeug.test import TestResponse

from bot.server import door
from bot.server.door import MOST_BYTES


def test_a_body_over_25_megabytes_is_refused_before_it_is_read(station: Any) -> None:
    class Unread:
        def read(self, *_: object) -> bytes:
            raise AssertionError("read")

        readline = read

    sent = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(MOST_BYTES + 1)}
    answer = station.client.post("/webhook", environ_overrides=sent)
    assert station.refused(answer, 413) == "The body is over 25 MB"
    assert station.seen == [("unknown", "too-large")]


def test_a_body_of_exactly_25_megabytes_is_read(station: Any) -> None:
    body = station.body + b" " * (MOST_BYTES - len(station.body))
    assert station.post(body).status_code == 202


def test_a_body_of_unknown_length_is_read_up_to_the_limit(station: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_BYTES", len(station.body))
    endless = {"wsgi.input_terminated": True}

    def chunked(body: bytes) -> TestResponse:
        signed = station.headers(body) | {"Transfer-Encoding": "chunked"}
        return station.client.post("/webhook", data=body, headers=signed, environ_overrides=endless)

    assert chunked(station.body).status_code == 202
    assert station.refused(chunked(station.body + b" "), 413) == "The body is over 25 MB"


def variants(payload: Any) -> list[Any]:
    pull = payload.get("pull_request", {})
    head = pull.get("head", {})
    stranger = {"full_name": "stranger/fork", "id": 9, "fork": True}
    bot = {"login": "autofix[bot]", "type": "Bot", "id": 5}
    return [
        payload,
        payload | {"sender": bot},
        payload | {"sender": None},
        payload | {"installation": None},
        {name: each for name, each in payload.items() if name != "installation"},
        payload | {"pull_request": pull | {"head": head | {"repo": stranger}}},
        payload | {"pull_request": pull | {"head": head | {"repo": None}}},
        payload | {"pull_request": pull | {"user": None}},
        payload | {"pull_request": pull | {"user": bot}},
    ][: None if pull else 5]


def test_every_example_of_githubs_and_its_variants_pass_without_error(station: Any) -> None:
    answers: dict[int, int] = {}
    for event, payloads in station.examples.items():
        for payload in payloads:
            # An installation that is told of is never missing.
            made = variants(payload) if not event.startswith("installation") else variants(payload)[:3]
            for variant in made:
                answer = station.post(variant, event=event)
                assert answer.status_code in {200, 202}, (event, answer.data)
                answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
    assert len(station.examples) == 58
    assert sum(map(len, station.examples.values())) == 329
    assert answers[202] == len(station.accepted) > 80


def test_large_bodies_take_turns(station: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LARGE_BYTES", 10)
    monkeypatch.setattr(door, "_LARGE_WAIT", 0.01)
    going, go = threading.Semaphore(0), threading.Event()

    class Slow:
        def read(self, *_: object) -> bytes:
            going.release()
            go.wait(10)
            return b""

    def slow() -> None:
        station.client.application.test_client().post(
            "/webhook", environ_overrides={"wsgi.input": Slow(), "CONTENT_LENGTH": "1000"}
        )

    threads = [threading.Thread(target=slow) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert all(going.acquire(timeout=10) for _ in threads)
    try:
        answer = station.post()
        assert station.refused(answer, 503) == "Too many large deliveries at once"
        assert "Retry-After" in answer.headers
        assert station.post(b"{}", event="ping").status_code == 200
    finally:
        go.set()
        for thread in threads:
            thread.join(10)
    assert station.post().status_code == 202


def test_a_delivery_costs_less_than_a_millisecond(station: Any) -> None:
    body = json.dumps(station.opened | {"filler": "x" * 8_000}, indent=1).encode()
    assert 28_000 < len(body) < 50_000
    rounds: list[float] = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(30):
            station.post(body)
        rounds.append((time.process_time() - began) / 30)
    assert min(rounds) < 0.001
