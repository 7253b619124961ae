"""The set-up's pages over real HTTP, as a browser goes through them."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, request
from werkzeug.serving import make_server

from bot.errors import OutsideError, UserError
from bot.github import manifest
from bot.github.manifest import NewApp
from bot.server import setup
from bot.server.setup_server import SetUpServer
from bot.settings import Settings, read_settings

PUBLIC = "https://spark.example.org"


@pytest.fixture(scope="session")
def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


@dataclass
class GitHub:
    """What turns a code into keys: once for each code, or with an error that was put here before."""

    pem: str
    errors: list[Exception] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    html_url: str = "https://github.com/apps/spark-example"
    webhook_secret: str | None = "a1b2c3d4"

    def __call__(self, code: str, *, api_url: str) -> NewApp:
        self.calls.append((code, api_url))
        if self.errors:
            raise self.errors.pop(0)
        return NewApp(
            id=4711,
            slug="spark-example",
            html_url=self.html_url,
            client_id="Iv1.x",
            pem=self.pem,
            webhook_secret=self.webhook_secret,
        )


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if tag == "form":
            self.forms.append({"action": values["action"], "method": values["method"], "fields": {}})
        if tag == "input" and values.get("type") != "radio":
            self.forms[-1]["fields"][values["name"]] = values.get("value") or ""
        if tag == "a":
            self.links.append(values.get("href") or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@dataclass
class Answer:
    status: int
    headers: HTTPMessage
    html: str

    @property
    def page(self) -> _Page:
        return _Page(self.html)

    @property
    def form(self) -> dict[str, Any]:
        (form,) = self.page.forms
        return form


class Browser:
    """Keeps cookies and follows redirects, with the addresses of one server."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar), urllib.request.ProxyHandler({})
        )

    def __call__(
        self, path: str, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        asked = urllib.request.Request(self.base + path, body, dict(headers or {}))
        try:
            with self._opener.open(asked, timeout=10) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode())

    def wish(self, **fields: str) -> Answer:
        """The first page's form filled in and sent."""
        given = self("/setup").form["fields"]
        return self("/setup", {**given, "owner": "account", "public_url": PUBLIC, **fields})

    def state(self, **fields: str) -> str:
        """As far as GitHub: the state that it gets."""
        action = self.wish(**fields).form["action"]
        (state,) = urllib.parse.parse_qs(urllib.parse.urlsplit(action).query)["state"]
        return state

    def back(self, state: str, code: str = "c0de") -> Answer:
        """GitHub sends the browser back."""
        return self("/setup/done?" + urllib.parse.urlencode({"code": code, "state": state}))


@dataclass
class Site:
    """The pages of a running set-up."""

    file: Path
    github: GitHub
    server: SetUpServer

    def browser(self) -> Browser:
        base, _, key = self.server.url.partition("/setup?key=")
        browser = Browser(base)
        assert browser(f"/setup?key={key}").status == 200
        return browser


Start = Callable[..., Site]


@pytest.fixture
def start(tmp_path: Path, pem: str) -> Iterator[Start]:
    running: list[SetUpServer] = []

    def begin(*, file: Path = tmp_path / ".env", env: Mapping[str, str] | None = None, **settings: Any) -> Site:
        github = GitHub(pem)
        server = SetUpServer(settings_file=file, settings=Settings(**settings), env=env or {}, convert=github)
        server.__enter__()
        running.append(server)
        return Site(file, github, server)

    yield begin
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def site(start: Start) -> Site:
    return start()


def test_the_whole_way_ends_with_a_file_that_a_server_can_read(site: Site, pem: str) -> None:
    browser = site.browser()
    first = browser("/setup")
    assert first.form["fields"]["name"].startswith("Spark ")
    for name, (level, reason) in manifest.PERMISSIONS.items():
        assert f"{name} {level} {reason}" in first.page.text
    for name, reason in {**manifest.EVENTS, **manifest.AUTOMATIC_EVENTS}.items():
        assert f"{name} {reason}" in first.page.text
    second = browser.wish(name="Spark of ours")
    assert second.form["method"] == "post"
    address = urllib.parse.urlsplit(second.form["action"])
    assert address._replace(query="").geturl() == "https://github.com/settings/apps/new"
    (state,) = urllib.parse.parse_qs(address.query)["state"]
    sent = json.loads(second.form["fields"]["manifest"])
    assert sent["name"] == "Spark of ours"
    assert sent["hook_attributes"] == {"url": f"{PUBLIC}/webhook", "active": True}
    assert sent["redirect_url"] == f"{browser.base}/setup/done"
    assert sent["default_permissions"] == {name: level for name, (level, _) in manifest.PERMISSIONS.items()}
    assert not site.file.exists()
    last = browser.back(state)
    assert last.status == 200
    assert "https://github.com/apps/spark-example/installations/new" in last.page.links
    assert site.server.wait(5)
    assert site.github.calls == [("c0de", "https://api.github.com")]
    assert stat.S_IMODE(site.file.stat().st_mode) == 0o600
    read = read_settings({}, dotenv=site.file)
    assert (read.app_id, read.public_url, read.webhook_secrets) == ("4711", PUBLIC, ("a1b2c3d4",))
    assert read.app_private_key is not None
    key = serialization.load_pem_private_key(read.app_private_key.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert pem.strip() not in last.html
    assert "a1b2c3d4" not in last.html


def test_an_enterprise_server_and_an_organisation_are_asked_where_they_are(start: Start) -> None:
    site = start(
        github_api_url="https://ghe.example/api/v3",
        github_graphql_url="https://ghe.example/api/graphql",
        github_server_url="https://ghe.example",
    )
    browser = site.browser()
    second = browser.wish(owner="organisation", organisation="acme-inc")
    assert second.form["action"].startswith("https://ghe.example/organizations/acme-inc/settings/apps/new?state=")
    assert "form-action 'self' https://ghe.example;" in second.headers["Content-Security-Policy"]
    state = second.form["action"].rpartition("=")[2]
    assert browser.back(state).status == 200
    assert site.github.calls == [("c0de", "https://ghe.example/api/v3")]
    read = read_settings({}, dotenv=site.file)
    assert read.github_api_url == "https://ghe.example/api/v3"
    assert read.github_graphql_url == "https://ghe.example/api/graphql"
    assert read.github_server_url == "https://ghe.example"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 35),
        ("name", "Spark\r\nX-Evil: 1"),
        ("name", "..."),
        ("public_url", ""),
        ("public_url", "http://spark.example.org"),
        ("public_url", "ftp://spark.example.org"),
        ("public_url", "https://user:pw@spark.example.org"),
        ("public_url", "https://spark.example.org/?a=b"),
        ("public_url", "https://spark.example.org/webhook"),
        ("public_url", "https://spark.example.org/a\r\nSet-Cookie: a=b"),
        ("public_url", "https://spark.example.org\t.evil.example"),
        ("public_url", "https://[::1"),
        ("public_url", "https://spark.example.org:99999"),
        ("public_url", "https://spärk.example"),
        ("organisation", ""),
        ("organisation", "acme/../../evil"),
        ("organisation", "-acme"),
        ("organisation", "acme?x=1"),
    ],
)
def test_a_wrong_field_is_shown_with_its_reason_and_goes_nowhere(site: Site, field: str, value: str) -> None:
    browser = site.browser()
    answer = browser.wish(**{"owner": "organisation", "organisation": "acme", field: value})
    assert answer.status == 422
    assert f'aria-describedby="{field}-hint {field}-problem" aria-invalid="true"' in answer.html
    assert answer.html.count('aria-invalid="true"') == 1
    assert "Set-Cookie" not in answer.headers.get("Location", "")
    assert answer.headers["X-Evil"] is None
    assert "manifest" not in answer.form["fields"]
    # What was typed in the other fields is still there.
    assert browser.wish().status == 200


def test_what_was_typed_is_text_and_never_markup(site: Site) -> None:
    browser = site.browser()
    evil = '"><script>alert(1)</script>'
    assert "script" not in browser.wish(name=evil).page.tags
    answer = browser.wish(public_url=evil, organisation=evil, owner="organisation")
    assert answer.status == 422
    assert "script" not in answer.page.tags


@pytest.mark.parametrize("state", ["", "nope", "ü", "a" * 5000])
def test_an_answer_with_another_state_is_refused_and_github_is_not_asked(site: Site, state: str) -> None:
    browser = site.browser()
    real = browser.state()
    answer = browser.back(state)
    assert answer.status == 400
    assert "does not belong" in answer.page.text
    stranger = site.browser()
    assert stranger.back(real).status == 400, "another browser has not the cookie"
    assert site.github.calls == []
    assert not site.file.exists()


def test_a_state_that_went_to_no_confirmation_is_refused(site: Site) -> None:
    browser = site.browser()
    assert browser.back(browser("/setup").form["fields"]["state"]).status == 400
    assert site.github.calls == []


@pytest.mark.parametrize("code", ["", "../../user", "a b", "x\r\ny", "x" * 201])
def test_a_code_that_is_none_is_refused_before_github_is_asked(site: Site, code: str) -> None:
    browser = site.browser()
    answer = browser.back(browser.state(), code)
    assert answer.status == 400
    assert site.github.calls == []


def test_an_hour_later_it_is_too_late(pem: str, tmp_path: Path) -> None:
    from bot.server.setup_flow import NotBegun, Saved, SetUp
    from bot.server.setup_wish import Wish

    now = [0.0]
    flow = SetUp(file=tmp_path / ".env", settings=Settings(), env={}, convert=GitHub(pem), clock=lambda: now[0])
    flow.begin("one", Wish(name="a", public_url=PUBLIC))
    now[0] = 3601.0
    assert isinstance(flow.finish("one", "c"), NotBegun)
    flow.begin("two", Wish(name="a", public_url=PUBLIC))
    now[0] += 3599.0
    assert isinstance(flow.finish("two", "c"), Saved)
    assert isinstance(flow.finish("one", "c"), NotBegun)


def test_a_cookie_of_an_hour_ago_counts_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = site.browser()
    state = browser.state()
    monkeypatch.setattr(setup, "SECONDS", -1.0)
    assert browser.back(state).status == 400
    assert site.github.calls == []


def test_a_form_from_another_place_is_refused(site: Site) -> None:
    browser = site.browser()
    for state in ("", "wrong"):
        answer = browser("/setup", {"state": state, "name": "x", "public_url": PUBLIC, "owner": "account"})
        assert answer.status == 400
        assert browser("/setup/write", {"state": state}).status == 400
    assert browser("/setup", {"name": "x" * 100_000}).status == 413


def test_a_refused_code_is_told_and_the_same_state_may_be_used_for_another(site: Site) -> None:
    browser = site.browser()
    state = browser.state()
    site.github.errors.append(UserError("GitHub does not know this code", remedy="Begin again"))
    answer = browser.back(state)
    assert answer.status == 400
    assert "GitHub does not know this code. Begin again" in answer.page.text
    assert not site.file.exists()


def test_github_that_is_down_costs_nothing_but_a_second_try(site: Site) -> None:
    browser = site.browser()
    state = browser.state()
    site.github.errors.append(OutsideError("GitHub answered 502", remedy="Try again later"))
    answer = browser.back(state)
    assert answer.status == 502
    (again,) = [link for link in answer.page.links if "code=" in link]
    assert browser(again).status == 200
    assert site.file.exists()


def test_a_page_that_is_loaded_again_makes_no_second_app(tmp_path: Path, pem: str) -> None:
    github = GitHub(pem)
    with served(tmp_path, settings=Settings(), convert=github) as browser:
        state = browser.state()
        for _ in range(2):
            assert browser.back(state).status == 200
        assert "The App is there" in browser("/setup").page.text
        assert len(github.calls) == 1
        stranger = Browser(browser.base)
        assert stranger("/setup").status == 404


def test_a_file_that_cannot_be_written_is_told_before_anything_is_made(start: Start, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("A=b\n")
    (tmp_path / ".env").symlink_to(tmp_path / "there")
    site = start()
    browser = site.browser()
    page = browser("/setup").page
    assert "symbolic link" in page.text
    assert page.forms == []
    assert (tmp_path / "there").read_text() == "A=b\n"


def test_a_file_with_an_app_in_it_is_not_changed(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SPARK_APP_ID=1\n")
    page = start().browser()("/setup").page
    assert "has an App already" in page.text
    assert page.forms == []


def test_keys_that_cannot_be_saved_are_not_lost(site: Site, pem: str) -> None:
    browser = site.browser()
    state = browser.state()
    site.file.symlink_to(site.file.parent / "elsewhere")
    answer = browser.back(state)
    assert answer.status == 500
    assert "symbolic link" in answer.page.text
    assert answer.headers["Cache-Control"] == "no-store"
    (block,) = re.findall(r'<pre class="lines"[^>]*>(.*?)</pre>', answer.html, re.DOTALL)
    shown = site.file.parent / "by-hand"
    shown.write_text("".join(_Page(block).words))
    saved = read_settings({}, dotenv=shown)
    assert saved.app_private_key == pem.strip()
    assert saved.webhook_secrets == ("a1b2c3d4",)
    # Nobody else sees them, and a second App is not begun over them.
    key = site.server.url.partition("?")[2]
    stranger = Browser(browser.base)(f"/setup?{key}")
    assert stranger.status == 409
    assert pem.splitlines()[1] not in stranger.html
    assert "keys are not saved" in browser("/setup").html
    assert browser("/setup/write", answer.form["fields"]).status == 500
    site.file.unlink()
    last = browser("/setup/write", answer.form["fields"])
    assert last.status == 200
    assert read_settings({}, dotenv=site.file).app_private_key == pem.strip()
    assert len(site.github.calls) == 1
    assert site.server.wait(5)


def test_variables_of_the_environment_that_go_before_the_file_are_named(start: Start) -> None:
    env = {"SPARK_WEBHOOK_SECRET": "other", "SPARK_PUBLIC_URL": PUBLIC}
    browser = start(env=env).browser()
    assert "SPARK_WEBHOOK_SECRET, SPARK_PUBLIC_URL are set in the environment" in browser("/setup").page.text
    told = browser.back(browser.state()).page.text
    assert "SPARK_WEBHOOK_SECRET is set in the environment" in told
    assert "SPARK_PUBLIC_URL is set" not in told, "it says the same as the file"


def test_settings_that_a_server_will_not_take_are_told_on_the_last_page(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SPARK_STREAMS=many\nSPARK_API_KEY=k\n")
    site = start()
    browser = site.browser()
    assert "SPARK_STREAMS is 'many'" in browser.back(browser.state()).page.text
    assert read_lines(site.file)[:2] == ["SPARK_STREAMS=many", "SPARK_API_KEY=k"]


def test_an_app_without_a_webhook_secret_is_told(site: Site) -> None:
    site.github.webhook_secret = None
    browser = site.browser()
    assert "no webhook secret" in browser.back(browser.state()).page.text
    assert "SPARK_WEBHOOK_SECRET" not in site.file.read_text()


def test_an_address_that_github_names_is_a_link_only_if_it_is_one(site: Site) -> None:
    site.github.html_url = "javascript:alert(1)"
    browser = site.browser()
    assert not any("javascript" in link for link in browser.back(browser.state()).page.links)


def test_a_loopback_address_is_allowed_and_warned_about(site: Site) -> None:
    answer = site.browser().wish(public_url="http://127.0.0.1:8000/")
    assert answer.status == 200
    assert "http://127.0.0.1:8000 is this machine alone" in answer.page.text
    assert json.loads(answer.form["fields"]["manifest"])["hook_attributes"]["url"] == "http://127.0.0.1:8000/webhook"


def test_every_page_is_without_script_and_keeps_to_itself(site: Site) -> None:
    browser = site.browser()
    pages = [
        browser("/setup"),
        browser.wish(name=""),
        browser.wish(),
        browser.back("wrong"),
        browser.back(browser.state()),
    ]
    for answer in pages:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert "noreferrer" not in answer.headers["Referrer-Policy"]
        assert not {"script", "img", "link", "iframe"} & {*answer.page.tags}
        assert " style=" not in answer.html
        assert "{{" not in answer.html


def test_nobody_gets_in_without_the_key_of_the_address(site: Site) -> None:
    base = site.server.url.partition("/setup")[0]
    for path in ("/setup", "/setup?key=wrong", "/setup/done?code=a&state=b"):
        assert Browser(base)(path).status == 403
    assert Browser(base)("/setup", {"state": "x"}).status == 403
    browser = site.browser()
    assert browser("/setup", headers={"Host": "evil.example"}).status == 421
    assert all(cookie.has_nonstandard_attr("HttpOnly") for cookie in browser.jar)


# -- as part of a server ---------------------------------------------------------------------------------------------


class served:  # noqa: N801 - read as a verb
    """The blueprint in an application of its own, over real HTTP."""

    def __init__(self, folder: Path, *, settings: Settings, convert: GitHub, **more: Any) -> None:
        app = Flask("test")
        app.register_blueprint(
            setup.blueprint(
                settings_file=folder / ".env",
                settings=settings,
                env={},
                convert=convert,
                **{"refuse": lambda: None, **more},
            )
        )
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Browser:
        self._thread.start()
        return Browser(f"http://127.0.0.1:{self._server.server_port}")

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_with_an_app_there_is_no_set_up(tmp_path: Path, pem: str) -> None:
    github = GitHub(pem)
    with served(tmp_path, settings=Settings(app_id="1"), convert=github) as browser:
        for path in ("/setup", "/setup/done?code=a&state=b"):
            assert browser(path).status == 404
        for path in ("/setup", "/setup/write"):
            assert browser(path, {"state": "x"}).status == 404
    assert github.calls == []


def test_who_may_not_see_the_pages_is_asked_for_each_of_them(tmp_path: Path, pem: str) -> None:
    def refuse() -> Response | None:
        return None if request.headers.get("X-Token") == "t" else Response("no", 401)

    with served(tmp_path, settings=Settings(), convert=GitHub(pem), refuse=refuse) as browser:
        for path in ("/setup", "/setup/done?code=a&state=b"):
            assert browser(path).status == 401
        for path in ("/setup", "/setup/write"):
            assert browser(path, {"state": "x"}).status == 401
        assert browser("/setup", headers={"X-Token": "t"}).status == 200


def test_behind_tls_github_is_sent_back_to_https_and_the_cookie_stays_there(tmp_path: Path, pem: str) -> None:
    with served(tmp_path, settings=Settings(public_url=PUBLIC), convert=GitHub(pem)) as browser:
        proxied = {"X-Forwarded-Proto": "https", "Host": "spark.example.org"}
        first = browser("/setup", headers=proxied)
        assert "Secure" in first.headers["Set-Cookie"]
        assert "HttpOnly" in first.headers["Set-Cookie"]
        assert "SameSite=Lax" in first.headers["Set-Cookie"]
        cookie = first.headers["Set-Cookie"].partition(";")[0]
        fields = {**first.form["fields"], "owner": "account"}
        second = Browser(browser.base)("/setup", fields, headers={**proxied, "Cookie": cookie})
        sent = json.loads(second.form["fields"]["manifest"])
        assert sent["redirect_url"] == f"{PUBLIC}/setup/done"
        assert browser("/setup", headers={"Host": "a b"}).status == 400


def test_the_server_is_told_when_the_last_page_has_gone_out(tmp_path: Path, pem: str) -> None:
    written = threading.Event()
    more = {"on_written": written.set, "restart": "The server reads it by itself."}
    with served(tmp_path, settings=Settings(), convert=GitHub(pem), **more) as browser:
        state = browser.state()
        assert not written.is_set()
        assert "The server reads it by itself." in browser.back(state).page.text
        assert written.wait(5)


def read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_folder_that_may_not_be_written_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root, as whom tests may run, may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "may not be written" in start().browser()("/setup").page.text
