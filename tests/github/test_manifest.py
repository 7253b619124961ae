"""The App's manifest, sent the way a browser sends it, and what is made of the code that comes back."""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bot.errors import OutsideError, UserError
from bot.github.app_key import read_key
from bot.github.manifest import (
    AUTOMATIC_EVENTS,
    EVENTS,
    PERMISSIONS,
    TOKEN_PERMISSIONS,
    convert,
    manifest,
    registration_url,
)
from bot.sandbox.github import Fault, Kind, manifests

URL = "https://spark.example"


def spark(**more):
    return manifest(**{"name": "Spark", "url": URL, "public_url": URL, "redirect_url": f"{URL}/setup/done"} | more)


def send(url, **fields):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.request("POST", target, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    page, location = answer.read().decode(), answer.headers.get("Location", "")
    connection.close()
    return answer.status, page, location


def register(desk, **more):
    """The code and the state that GitHub sends the browser back with."""
    text = json.dumps(spark(**more))
    status, page, _ = send(registration_url(desk.server.web_url, None, "st/ate"), manifest=text)
    assert status == 200
    state = re.search(r'name="state" value="([^"]*)"', page)[1]
    _, _, location = send(f"{desk.server.web_url}/settings/apps", manifest=text, state=state, name="Spark", org="")
    query = parse_qs(urlsplit(location).query)
    return query["code"][0], query["state"][0]


def test_a_registered_app_comes_back_with_what_the_server_needs(desk, key) -> None:
    code, state = register(desk)
    assert state == "st/ate"
    made = convert(code, api_url=desk.server.api_url)
    app = desk.world.apps[made.id]
    assert (made.slug, made.html_url) == ("spark", f"{desk.server.web_url}/apps/spark")
    assert made.client_id
    assert made.webhook_secret == app.hook.secret
    assert read_key(made.pem).sign("1", now=0.0)
    assert made.pem[40:80] not in repr(made)
    assert made.webhook_secret not in repr(made)
    assert app.permissions == {name: level for name, (level, _) in PERMISSIONS.items()}
    assert app.events == tuple(EVENTS)
    assert app.hook.url == f"{URL}/webhook"
    # The whole way: the new App acts at once.
    desk.world.install(app, "acme")
    ours = desk.app(made.pem, app_id=made.id)
    assert ours.facts().login == "spark[bot]"
    assert ours.client(0, "acme/shop").get("/repos/acme/shop", stop=desk.clock.stop(), doing="reading").ok


def test_a_server_that_the_internet_cannot_reach_has_its_webhook_off(desk) -> None:
    local = spark(url="http://127.0.0.1:8000", public_url=None)
    assert local["hook_attributes"] == {"url": "http://127.0.0.1:8000/webhook", "active": False}
    assert manifests.problems(local) == []
    code, _ = register(desk, url="http://127.0.0.1:8000", public_url=None)
    assert convert(code, api_url=desk.server.api_url).webhook_secret is None


def test_a_code_is_good_for_one_use(desk) -> None:
    code, _ = register(desk)
    convert(code, api_url=desk.server.api_url)
    with pytest.raises(UserError, match="Begin again: the code works once, within an hour"):
        convert(code, api_url=desk.server.api_url)


def test_a_code_that_is_none_is_not_sent(desk) -> None:
    for code in ("", "a/../../user", "a?b", "ä", "x" * 201):
        with pytest.raises(UserError, match="malformed"):
            convert(code, api_url=desk.server.api_url)
    assert list(desk.server.requests) == []


def test_a_conversion_is_never_repeated_and_says_what_happened(desk) -> None:
    match = "POST /app-manifests/*/conversions"
    desk.server.faults.add(Fault(match=match, kind=Kind.CUT))
    with pytest.raises(OutsideError, match="fetching the new GitHub App's key"):
        convert("abc", api_url=desk.server.api_url)
    desk.server.faults.add(Fault(match=match, status=422))
    with pytest.raises(UserError, match="422"):
        convert("abc", api_url=desk.server.api_url)
    desk.server.faults.add(Fault(match=match, status=503))
    with pytest.raises(OutsideError, match="503"):
        convert("abc", api_url=desk.server.api_url)
    assert len(desk.server.faults.struck) == 3


def test_the_form_goes_to_the_account_or_to_the_organisation() -> None:
    assert registration_url("https://ghe.example/", None, "a b") == "https://ghe.example/settings/apps/new?state=a+b"
    assert (
        registration_url("https://github.com", "acme/x", "s")
        == "https://github.com/organizations/acme%2Fx/settings/apps/new?state=s"
    )


def test_every_permission_and_event_is_one_of_github_s_and_has_its_reason(contract_checker) -> None:
    official = contract_checker.contract("openapi")["$defs"]["app-permissions"]["properties"]
    assert set(official) == manifests.PERMISSIONS
    for name, (level, reason) in PERMISSIONS.items():
        assert level in official[name]["enum"]
        assert len(reason) > 20
    assert all(len(reason) > 20 for reason in {**EVENTS, **AUTOMATIC_EVENTS}.values())
    assert set(TOKEN_PERMISSIONS) < set(PERMISSIONS)
    assert manifests.problems(spark()) == []
    assert not set(EVENTS) & set(AUTOMATIC_EVENTS)
    hooks = {name.partition(".")[0] for name in contract_checker.contract("openapi-webhooks")["webhooks"]}
    assert {*EVENTS, *AUTOMATIC_EVENTS} <= hooks


# GitHub tells of comments also an App that may read pull requests.
_WITHOUT_EVENT = {"metadata", "contents", "checks", "issues"}


@pytest.mark.parametrize("name", [name for name in PERMISSIONS if name not in _WITHOUT_EVENT])
def test_an_event_without_its_permission_would_be_refused(name) -> None:
    asked = spark()
    del asked["default_permissions"][name]
    assert any("not supported by permissions" in problem for problem in manifests.problems(asked))
