"""Who may see the pages: the rules of loopback and of Bearer tokens, with routes of the test's own behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, request
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from bot.server.access import MOST_WRONG, WINDOW, Access
from bot.server.app import create_app
from bot.server.asker import own_path

TOKEN = "the-token-of-the-pages"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Make = Callable[..., FlaskClient]


class Clock:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Make:
    def client(token: str | None = None, *, loopback: bool = True, **more: Any) -> FlaskClient:
        access = Access(
            page_token=token,
            secret_key=b"k" * 32,
            bound_to_loopback=loopback,
            **{"now": clock, "monotonic": clock, **more},
        )
        pages = Blueprint("pages", __name__)
        pages.before_request(access.refuse)
        pages.get("/", endpoint="home")(lambda: "the list")
        pages.get("/reviews/<job>", endpoint="review")(lambda job: f"review {job}")
        pages.post("/act", endpoint="act")(lambda: "acted")
        ops = Blueprint("ops", __name__)
        ops.get("/metrics", endpoint="metrics")(
            lambda: Response("numbers") if access.allowed(request) else Response(status=401)
        )
        app: Flask = create_app([access.blueprint(), pages, ops], acknowledged=lambda _: None, failed=lambda _: None)
        return app.test_client()

    return client


def test_without_a_token_whoever_sits_at_this_machine_sees_the_pages(make):
    client = make()
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"):
        for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
            asked = {"headers": {"Host": host}, "environ_overrides": {"REMOTE_ADDR": address}}
            assert client.get("/reviews/x", **asked).text == "review x"
            assert client.get("/metrics", **asked).text == "numbers"


def test_a_server_that_others_reach_is_closed_until_it_has_a_token(make):
    client = make(loopback=False)
    machine = client.get("/reviews/x", headers=BEARER)
    assert (machine.status_code, machine.mimetype) == (403, "text/plain")
    assert "SPARK_PAGE_TOKEN is not set" in machine.text
    for path in ("/reviews/x", "/signin"):
        person = client.get(path, headers=BROWSER)
        assert (person.status_code, person.mimetype) == (403, "text/html")
        assert "SPARK_PAGE_TOKEN" in person.text
        assert "<form" not in person.text
    assert client.get("/metrics").status_code == 401


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_an_empty_token_is_none_and_matches_nothing(make, token):
    client = make(token, loopback=False)
    assert client.get("/", headers={"Authorization": "Bearer "}).status_code == 403
    assert client.get("/", headers={"Authorization": "Bearer"}).status_code == 403
    assert client.post("/signin", data={"token": token}).status_code == 403
    assert "Set-Cookie" not in client.post("/signin", data={"token": token}).headers


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "x-forwarded-anything",
        "Via",
        "X-Real-IP",
        "CF-Connecting-IP",
        "True-Client-IP",
        "X-Original-Forwarded-For",
    ],
)
def test_what_came_through_a_proxy_on_this_machine_is_not_from_this_machine(make, header):
    answer = make().get("/", headers={header: "127.0.0.1"})
    assert answer.status_code == 403
    assert "SPARK_PAGE_TOKEN" in answer.text


def test_a_proxy_that_adds_no_header_gives_itself_away_by_its_old_protocol(make):
    assert make().get("/", environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", ""]
)
def test_a_name_that_was_made_to_point_to_this_machine_opens_nothing(make, host):
    assert make().get("/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("address", ["10.0.0.7", "::ffff:10.0.0.7", "", "nonsense"])
def test_another_machine_is_not_this_one(make, address):
    assert make().get("/", environ_overrides={"REMOTE_ADDR": address}).status_code == 403


@pytest.mark.parametrize("loopback", [True, False])
def test_a_token_that_is_set_is_needed_everywhere(make, loopback):
    client = make(TOKEN, loopback=loopback)
    for path in ("/reviews/x", "/metrics"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=BEARER).status_code == 200
        assert client.get(path, headers={"Authorization": f"bearer   {TOKEN} "}).status_code == 200


def test_machines_are_told_how_and_people_are_led_to_the_form(make):
    client = make(TOKEN)
    for accept in ("text/event-stream", "*/*", "application/json"):
        machine = client.get("/reviews/x", headers={"Accept": accept})
        assert (machine.status_code, machine.mimetype) == (401, "text/plain")
        assert machine.headers["WWW-Authenticate"] == 'Bearer realm="spark"'
        assert "Authorization: Bearer TOKEN" in machine.text
    person = client.get("/reviews/x?only=high&q=%C3%BC", headers=BROWSER)
    assert (person.status_code, person.headers["Location"]) == (
        303,
        "/signin?next=%2Freviews%2Fx%3Fonly%3Dhigh%26q%3D%25C3%25BC",
    )
    assert client.get("/", headers=BROWSER).headers["Location"] == "/signin"
    assert client.post("/act", headers=BROWSER).headers["Location"] == "/signin"
    wrong = client.get("/reviews/x", headers={**BROWSER, "Authorization": "Bearer nearly"})
    assert (wrong.status_code, "is not the page token" in wrong.text) == (401, True)


def test_a_token_in_an_address_or_in_another_header_opens_nothing(make):
    client = make(TOKEN)
    assert client.get(f"/?token={TOKEN}&page_token={TOKEN}&access_token={TOKEN}").status_code == 401
    assert client.get("/", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert client.get("/", headers={"Authorization": TOKEN}).status_code == 401
    assert client.get(f"/signin?token={TOKEN}").status_code == 200
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("token", ["a=b,c", "mit Grüßen", "trailing==", "\u2603 snow"])
def test_any_text_may_be_a_token(make, token):
    client = make(token)
    header = token.encode().decode("latin-1")
    assert client.get("/", headers={"Authorization": f"Bearer {header}"}).text == "the list"
    assert client.get("/", headers={"Authorization": f"Bearer {header}x"}).status_code == 401
    assert client.post("/signin", data={"token": f" {token}\n"}).status_code == 303
    assert client.get("/").text == "the list"


def test_machines_that_guess_are_stopped_and_people_can_still_sign_in(make, clock):
    client = make(TOKEN)
    for guess in range(MOST_WRONG):
        assert client.get("/", headers={"Authorization": f"Bearer {guess}"}).status_code == 401
    clock.at += WINDOW - 5
    stopped = client.get("/", headers=BEARER)
    assert (stopped.status_code, stopped.headers["Retry-After"]) == (429, "5")
    assert client.get("/metrics", headers=BEARER).status_code == 401
    assert client.post("/signin", data={"token": TOKEN}).status_code == 303
    clock.at += 5
    client.delete_cookie("spark_session")
    assert client.get("/", headers=BEARER).text == "the list"


def test_right_tokens_are_no_guesses(make):
    client = make(TOKEN)
    assert {client.get("/", headers=BEARER).status_code for _ in range(3 * MOST_WRONG)} == {200}
    assert {client.get("/").status_code for _ in range(3 * MOST_WRONG)} == {401}
    assert client.get("/", headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    "told",
    ["//evil.example", "/\\evil.example", "\\/evil", "https://evil.example", "", "evil", "/a\tb", "/\n/evil", "/a\r"],
)
def test_a_way_on_leads_nowhere_else(told):
    assert own_path(told) == "/"


@given(st.text(alphabet="/\\:.@?#%a\t\n\r \u2028é", max_size=12))
def test_a_way_on_is_a_path_whatever_is_told(told):
    path = own_path(told)
    assert path == "/" or (path == told and path[0] == "/" and path[1:2] != "/" and "\\" not in path)
    assert not set(path) & set("\t\n\r\u2028")


def test_strangers_who_guess_do_not_shut_out_whoever_has_a_long_token(make):
    token = "5a" * 24
    client = make(token, loopback=False)
    wrong = [client.get("/", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(MOST_WRONG + 2)]
    assert wrong == [401] * MOST_WRONG + [429] * 2
    assert client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text == "numbers"
    for n in range(MOST_WRONG + 2):
        client.post("/signin", data={"token": f"wrong {n}"})
    assert client.post("/signin", data={"token": f"{token}x"}).status_code == 429
    assert client.post("/signin", data={"token": token}).status_code == 303
