"""Signing in and out: with a Flask client, and once over real HTTP as a browser does it."""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from bot.server.access import MOST_WRONG, SESSION_DAYS, WINDOW, Access
from bot.server.app import create_app

TOKEN = "the-token-of-the-pages"
BROWSER = {"Accept": "text/html"}
DAY = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_app(clock: Clock) -> Callable[..., Flask]:
    def app(token: str | None = TOKEN, *, key: bytes = b"k" * 32, loopback: bool = False, **more: Any) -> Flask:
        access = Access(
            page_token=token, secret_key=key, bound_to_loopback=loopback, **{"now": clock, "monotonic": clock, **more}
        )
        pages = Blueprint("pages", __name__)
        pages.before_request(access.refuse)
        pages.get("/", endpoint="home")(lambda: "the list")
        pages.get("/reviews/<job>", endpoint="review")(lambda job: f"review {job}")
        return create_app([access.blueprint(), pages], acknowledged=lambda _: None, failed=lambda _: None)

    return app


@pytest.fixture
def client(make_app) -> FlaskClient:
    return make_app().test_client()


def cookie_of(answer: Any) -> tuple[str, str, set[str]]:
    """Name, value, attributes."""
    (line,) = answer.headers.getlist("Set-Cookie")
    pair, *rest = line.split("; ")
    name, _, value = pair.partition("=")
    return name, value, {each for each in rest if not each.startswith("Expires=")}


def test_whoever_signs_in_goes_on_to_where_they_wanted(client):
    form = client.get("/signin?next=%2Freviews%2Fx%3Fa%3D1", headers=BROWSER)
    assert form.status_code == 200
    assert 'name="next" value="/reviews/x?a=1"' in form.text
    answer = client.post("/signin", data={"token": TOKEN, "next": "/reviews/x?a=1"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/reviews/x?a=1")
    assert client.get("/reviews/x").text == "review x"
    assert client.get("/signin?next=/reviews/y").headers["Location"] == "/reviews/y"


@pytest.mark.parametrize(
    "onward", ["//evil.example/", "https://evil.example", "/\\evil.example", "/signin?next=/", None]
)
def test_a_sign_in_leads_to_no_other_server(client, onward):
    data = {"token": TOKEN, **({"next": onward} if onward else {})}
    assert client.post("/signin", data=data).headers["Location"] == "/"


def test_the_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(client):
    name, value, attributes = cookie_of(client.post("/signin", data={"token": TOKEN}))
    assert name == "spark_session"
    assert TOKEN not in value
    assert attributes == {"HttpOnly", "Path=/", "SameSite=Lax", f"Max-Age={SESSION_DAYS * 86_400}"}


@pytest.mark.parametrize("how", ["told", "https", "proxy"])
def test_over_https_the_cookie_belongs_to_this_host_alone(make_app, how):
    client = make_app(secure=how == "told").test_client()
    asked: dict[str, Any] = {}
    if how == "https":
        asked["base_url"] = "https://localhost/"
    if how == "proxy":
        asked["headers"] = {"X-Forwarded-Proto": "https, http"}
    name, value, attributes = cookie_of(client.post("/signin", data={"token": TOKEN}, **asked))
    assert name == "__Host-spark_session"
    assert {"Secure", "HttpOnly", "Path=/"} <= attributes
    assert not any(each.startswith("Domain") for each in attributes)
    stranger = make_app(secure=how == "told").test_client(use_cookies=False)
    with_cookie = {**asked, "headers": {**asked.get("headers", {}), "Cookie": f"{name}={value}"}}
    assert stranger.get("/", **with_cookie).text == "the list"
    without_prefix = {**asked, "headers": {**asked.get("headers", {}), "Cookie": f"spark_session={value}"}}
    assert stranger.get("/", **without_prefix).status_code == 401


def test_a_session_ends_after_thirty_days(make_app, clock):
    client = make_app().test_client(use_cookies=False)
    name, value, _ = cookie_of(client.post("/signin", data={"token": TOKEN}))
    asked = {"headers": {"Cookie": f"{name}={value}"}}
    clock.at += SESSION_DAYS * DAY
    assert client.get("/", **asked).text == "the list"
    clock.at += 1
    assert client.get("/", **asked).status_code == 401


def test_a_session_is_good_in_every_process_and_only_for_this_token_and_key(make_app, client):
    name, value, _ = cookie_of(client.post("/signin", data={"token": TOKEN}))

    def status(app: Flask, session: str = value) -> int:
        return app.test_client(use_cookies=False).get("/", headers={"Cookie": f"{name}={session}"}).status_code

    assert status(make_app()) == 200
    assert status(make_app("a-new-token")) == 401
    assert status(make_app(key=b"l" * 32)) == 401
    assert status(make_app(None)) == 403
    middle = len(value) // 2
    for forged in (value[:-1], value[:middle] + "A" + value[middle + 1 :], "signed in", "", "\u00ff", value.swapcase()):
        assert forged == value or status(make_app(), forged) == 401


def test_a_wrong_token_is_told_beside_its_field_and_never_shown(client, caplog):
    answer = client.post("/signin", data={"token": "hunter2-guess", "next": '/reviews/"><script>'})
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert 'aria-invalid="true"' in answer.text
    assert 'id="token-problem" role="alert"' in answer.text
    assert "<script" not in answer.text
    assert "hunter2-guess" not in answer.text + caplog.text
    assert [record.message for record in caplog.records] == ["access.wrong_token"]
    empty = client.post("/signin", data={"token": " "})
    assert (empty.status_code, "Type the page token." in empty.text) == (422, True)


def test_guessing_ends_after_ten_tries_a_minute_from_all_addresses_together(client, clock):
    def sign_in(token: str, address: int = 1) -> Any:
        return client.post("/signin", data={"token": token}, environ_overrides={"REMOTE_ADDR": f"10.0.0.{address}"})

    for guess in range(MOST_WRONG):
        assert sign_in(f"guess-{guess}", guess).status_code == 401
        clock.at += 1
    stopped = sign_in(TOKEN, 99)
    assert (stopped.status_code, stopped.headers["Retry-After"]) == (429, str(int(WINDOW) - MOST_WRONG))
    assert "Try again in 50 seconds" in stopped.text
    clock.at += WINDOW - MOST_WRONG
    assert sign_in("one-more").status_code == 401
    assert sign_in("and-one-more").status_code == 429
    clock.at += 1
    assert sign_in(TOKEN).status_code == 303


def test_guesses_that_are_sent_at_once_are_all_counted(make_app):
    app = make_app()
    statuses: list[int] = []
    begin = threading.Barrier(2 * MOST_WRONG)

    def guess() -> None:
        begin.wait(10)
        statuses.append(app.test_client().post("/signin", data={"token": "wrong"}).status_code)

    threads = [threading.Thread(target=guess) for _ in range(2 * MOST_WRONG)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(statuses) == [401] * MOST_WRONG + [429] * MOST_WRONG


@pytest.mark.parametrize("path", ["/signin", "/signout"])
@pytest.mark.parametrize(
    ("headers", "is_foreign"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://as.the.proxy.says"}, False),
        ({"Origin": "http://localhost"}, False),
        ({"Origin": "https://LOCALHOST"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, True),
        ({"Origin": "http://localhost:81"}, True),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://["}, True),
    ],
)
def test_a_form_of_another_site_does_nothing(client, path, headers, is_foreign):
    answer = client.post(path, data={"token": TOKEN}, headers=headers)
    assert answer.status_code == (403 if is_foreign else 303)
    assert ("Set-Cookie" in answer.headers) is not is_foreign


def test_signing_out_is_a_post_and_takes_the_cookie_away(client):
    client.post("/signin", data={"token": TOKEN})
    assert client.get("/signout").status_code == 405
    assert client.get("/").status_code == 200
    answer = client.post("/signout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signin")
    assert client.get("/").status_code == 401


def test_a_page_without_a_referrer_can_sign_out_if_the_session_comes_with_its_form(client):
    assert client.post("/signout", headers={"Origin": "null"}).status_code == 403
    client.post("/signin", data={"token": TOKEN})
    assert client.post("/signout", headers={"Origin": "null", "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/signout", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/").text == "the list"
    assert client.post("/signout", headers={"Origin": "null"}).headers["Location"] == "/signin"
    assert client.get("/").status_code == 401
    assert client.post("/signin", data={"token": TOKEN}, headers={"Origin": "null"}).status_code == 403


def test_where_nobody_need_sign_in_the_form_leads_on(make_app):
    client = make_app(None, loopback=True).test_client()
    assert client.get("/signin?next=/reviews/x").headers["Location"] == "/reviews/x"
    answer = client.post("/signin", data={"token": ""})
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (303, False)


def test_the_page_runs_no_script_and_is_kept_nowhere(client):
    answer = client.get("/signin")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    # With no-referrer a browser sends "Origin: null" with the form.
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert not re.search(r"<script|\son\w+=|\sstyle=|https?://", answer.text)


def test_a_form_that_is_too_large_is_refused(client):
    assert client.post("/signin", data={"token": "x" * 10_000}).status_code == 413


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def url(make_app) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, make_app(), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_browser_is_led_to_the_form_and_back_to_its_page_over_http(url):
    opener = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({})
    )

    def go(path: str, data: dict[str, str] | None = None, **headers: str) -> tuple[str, str]:
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        asked = urllib.request.Request(url + path, body, {**BROWSER, "Connection": "close", **headers})
        with opener.open(asked, timeout=10) as answer:
            return answer.url.removeprefix(url), answer.read().decode()

    at, html = go("/reviews/abc?only=high")
    assert at == "/signin?next=%2Freviews%2Fabc%3Fonly%3Dhigh"
    onward = re.search(r'name="next" value="([^"]*)"', html)
    assert onward
    with pytest.raises(urllib.error.HTTPError) as refused:
        go("/signin", {"token": "wrong", "next": onward[1]}, Origin=url)
    with refused.value as answer:
        assert answer.code == 401
        assert b"is not the page token" in answer.read()
    assert go("/signin", {"token": TOKEN, "next": onward[1]}, Origin=url) == ("/reviews/abc?only=high", "review abc")
    assert go("/") == ("/", "the list")
    assert go("/signout", {}, Origin=url)[0] == "/signin"
    assert go("/")[0] == "/signin"
