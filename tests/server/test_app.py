"""What holds for every answer of the server, whichever room it comes from."""

from __future__ import annotations

import logging

import pytest
from flask import Blueprint, Flask, Response, abort, request
from flask.testing import FlaskClient

from bot.server.app import HEADERS, MOST_BYTES, create_app


class Counted:
    def __init__(self) -> None:
        self.acknowledged: list[float] = []
        self.failed: list[str] = []
        routes = Blueprint("some", __name__)
        routes.get("/page", endpoint="page")(
            lambda: Response("<p>", headers={"Content-Security-Policy": "default-src 'self'"})
        )
        routes.post("/webhook", endpoint="hook")(lambda: str(len(request.get_data())))
        routes.get("/broken")(self._broken)
        routes.get("/away", endpoint="away")(lambda: abort(503))
        self.app: Flask = create_app([routes], acknowledged=self.acknowledged.append, failed=self.failed.append)

    def _broken(self) -> str:
        raise KeyError("the-code-of-somebody")


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def client(counted: Counted) -> FlaskClient:
    return counted.app.test_client()


@pytest.mark.parametrize("path", ["/webhook", "/broken", "/nowhere", "/away"])
def test_every_answer_has_the_strict_headers(client, path):
    answer = client.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_a_page_may_have_a_policy_of_its_own(client):
    answer = client.get("/page")
    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_errors_are_a_line_for_people_and_json_for_machines(client):
    page = client.get("/nowhere", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/plain")
    assert page.text == "404: There is nothing at this address.\n"
    machine = client.get("/nowhere", headers={"Accept": "application/json"})
    assert (machine.status_code, machine.json) == (404, {"error": "There is nothing at this address."})
    hook = client.put("/webhook")
    assert (hook.status_code, hook.mimetype) == (405, "application/json")
    assert "POST" in hook.headers["Allow"]


def test_what_nobody_caught_is_a_number_for_the_reader_and_a_trace_in_the_log(client, counted, caplog):
    with caplog.at_level(logging.ERROR, logger="spark"):
        answer = client.get("/broken?token=abc")
    assert answer.status_code == 500
    assert "the-code-of-somebody" not in answer.text
    (record,) = caplog.records
    assert record.getMessage() == "request.failed"
    assert record.fields["number"] in answer.text
    assert record.fields["path"] == "/broken"
    assert counted.failed == ["KeyError"]


def test_a_large_body_is_refused_where_nobody_said_that_it_may_come(client):
    answer = client.post("/webhook", data=b"x" * (MOST_BYTES + 1))
    assert (answer.status_code, answer.json) == (413, {"error": "That is too much."})


def test_the_time_of_each_delivery_is_told_and_of_nothing_else(client, counted):
    client.post("/webhook", data=b"x")
    client.get("/page")
    client.get("/webhook")
    assert len(counted.acknowledged) == 1
    assert 0 <= counted.acknowledged[0] < 5
