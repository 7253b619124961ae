"""The doors for those who operate the server: states as codes, and metrics for whoever may see them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from bot.server import ops
from bot.server.metrics import Metrics
from bot.server.ops import Health


@pytest.fixture
def client() -> Callable[..., FlaskClient]:
    def make(health: Health, *, allowed: bool = False) -> FlaskClient:
        app = Flask("test")
        app.register_blueprint(
            ops.blueprint(health=lambda: health, metrics=Metrics().text, allowed=lambda request: allowed)
        )
        return app.test_client()

    return make


def test_a_healthy_server_says_so_and_nothing_else(client):
    here = client(Health())
    assert (here.get("/healthz").status_code, here.get("/healthz").json) == (200, {"healthy": True})
    assert (here.get("/readyz").status_code, here.get("/readyz").json) == (200, {"ready": True})


def test_a_server_that_starts_is_healthy_and_not_ready(client):
    here = client(Health(not_ready="starting"))
    assert here.get("/healthz").status_code == 200
    ready = here.get("/readyz")
    assert (ready.status_code, ready.json) == (503, {"ready": False, "why": "starting"})
    assert ready.headers["Retry-After"] == "2"


def test_what_is_ill_is_neither_healthy_nor_ready(client):
    here = client(Health(ill=["the database does not answer"]))
    assert here.get("/healthz").json == {"healthy": False, "why": ["the database does not answer"]}
    assert here.get("/healthz").status_code == here.get("/readyz").status_code == 503
    assert here.get("/readyz").json["why"] == "the database does not answer"


def test_a_note_does_not_make_it_unready(client):
    ready = client(Health(notes=["GitHub was not reached yet"])).get("/readyz")
    assert (ready.status_code, ready.json) == (200, {"ready": True, "notes": ["GitHub was not reached yet"]})


def test_metrics_are_for_those_who_may_see_them(client):
    refused = client(Health()).get("/metrics")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert b"spark_" not in refused.data
    given = client(Health(), allowed=True).get("/metrics")
    assert given.status_code == 200
    assert given.headers["Content-Type"] == ops.METRICS_TYPE
    assert any(family.name == "spark_queue_depth" for family in text_string_to_metric_families(given.text))
