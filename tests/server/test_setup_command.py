"""`spark setup` as a process, against the stand-in GitHub's own pages."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
import warm
from warm import Process

from bot.github.app import App
from bot.hooks.signature import sign
from bot.sandbox.github import GitHubOptions, GitHubServer
from bot.settings import read_settings

Run = Callable[..., "Process | subprocess.Popen[str]"]


class _Form(HTMLParser):
    """The first form of a page that is sent by POST."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = values["action"]
        if tag == "input" and "name" in values and values.get("type") != "radio":
            self.fields[values["name"]] = values.get("value", "")


class RealClock:
    def now(self) -> float:
        return time.monotonic()


class Browser:
    """Cookies, redirects, forms."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({})
        )
        self.url = ""
        self.html = ""

    def get(self, url: str, data: dict[str, str] | None = None) -> None:
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        with self._opener.open(urllib.request.Request(url, body), timeout=20) as answer:
            self.url, self.html = answer.url, answer.read().decode()

    def press(self, **changed: str) -> None:
        """Send the form that is shown."""
        form = _Form(self.html)
        self.get(urllib.parse.urljoin(self.url, form.action), {**form.fields, **changed})


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    running: list[Process | subprocess.Popen[str]] = []

    def start(*arguments: str, **env: str) -> Process | subprocess.Popen[str]:
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SPARK_", "GITHUB_", "OPENAI_", "DISPLAY", "WAYLAND"))
        }
        process = warm.start("setup", *arguments, cwd=tmp_path, env={**ours, **env}, stdin=warm.DEVNULL, text=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def address(process: Process | subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/setup\?key=\S+", process.stdout.readline())
    assert found, process.communicate(timeout=10)
    return found[0]


def test_the_app_of_the_written_file_is_the_one_that_github_made(run: Run, tmp_path: Path) -> None:
    with GitHubServer(GitHubOptions()) as github:
        process = run(
            "--file",
            "ours.env",
            GITHUB_API_URL=github.api_url,
            GITHUB_SERVER_URL=github.web_url,
            SPARK_API_KEY="k",
        )
        browser = Browser()
        browser.get(address(process))
        browser.press(
            name="Spark of ours",
            public_url="https://spark.example.org/",
            owner="organisation",
            organisation="acme",
        )
        assert "Create the App on GitHub" in browser.html
        browser.press()
        assert browser.url.startswith(f"{github.web_url}/")
        assert "Create GitHub App for" in browser.html
        browser.press()
        assert "The App is there" in browser.html
        assert "/installations/new" in browser.html
        assert process.wait(20) == 0
        assert process.stdout is not None
        assert "add SPARK_API_KEY to the file, and start spark serve" in process.stdout.read()
        settings = read_settings({}, dotenv=tmp_path / "ours.env")
        assert settings.github_api_url == github.api_url
        assert settings.app_id is not None
        assert settings.app_private_key is not None
        made = github.world.apps[int(settings.app_id)]
        assert made.owner is not None
        assert (made.name, made.owner.login) == ("Spark of ours", "acme")
        assert made.hook is not None
        assert made.hook.url == "https://spark.example.org/webhook"
        assert settings.webhook_secrets == (made.hook.secret,)
        app = App(
            app_id=settings.app_id,
            private_key=settings.app_private_key,
            api_url=settings.github_api_url,
            clock=RealClock(),
            user_agent="test",
        )
        facts = app.facts()
        app.close()
        assert (facts.id, facts.slug) == (made.id, made.slug)


def test_ctrl_c_ends_it_and_leaves_no_file(run: Run, tmp_path: Path) -> None:
    process = run()
    address(process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert told == "spark: interrupted\n"
    assert [*tmp_path.iterdir()] == []


def test_a_port_that_is_taken_is_the_users_mistake(run: Run) -> None:
    taken = urllib.parse.urlsplit(address(run())).port
    process = run("--port", str(taken), "--no-browser")
    _, told = process.communicate(timeout=20)
    assert process.returncode == 2
    assert told == f"spark: Port {taken} of 127.0.0.1 cannot be used. Give another --port.\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [("SPARK_APP_ID=1\n", "has an App already"), ("SPARK_STREAMS=x\n", "SPARK_STREAMS")],
)
def test_a_file_that_stands_in_the_way_is_told_before_anything_starts(
    run: Run, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / ".env").write_text(text)
    process = run()
    _, told = process.communicate(timeout=20)
    assert process.returncode == 2
    assert said in told
    assert len(told.splitlines()) == 1
    assert (tmp_path / ".env").read_text() == text


def test_a_server_without_an_app_makes_one_and_goes_on_as_it(serve, outside) -> None:
    away = dict.fromkeys(("SPARK_APP_ID", "SPARK_APP_PRIVATE_KEY", "SPARK_WEBHOOK_SECRET"), "")
    server = serve(wait=False, **away)
    assert server.ended() == 2, "not even the set-up is open without a secret"
    (server.folder / ".env").write_text("SPARK_WEBHOOK_SECRET=any-long-random-text\n# ours\n")
    server.start()
    assert "open /setup" in server.get("/readyz").text
    early = server.get("/webhook", method="POST", body=b"{}", X_GitHub_Delivery="00000000-early")
    assert early.status == 503
    assert json.loads(early.text)["delivery"] == "00000000-early"
    assert server.wait_for(lambda: server.events("delivery.closed", delivery="00000000-early"))
    assert 'spark_deliveries_total{event="other",outcome="closed"} 1.0' in server.get("/metrics").text
    worker = server.worker
    browser = Browser()
    browser.get(f"{server.url}/")
    browser.press(name="Spark of a server", public_url=server.url)
    browser.press()
    browser.press()
    assert "reads the file by itself" in browser.html
    server.wait_for(lambda: server.events("server.ready", app=True))
    assert server.worker != worker
    file = server.folder / ".env"
    settings = read_settings({}, dotenv=file)
    assert settings.app_id is not None
    made = outside.github.world.apps[int(settings.app_id)]
    assert made.name == "Spark of a server"
    assert "# ours" in file.read_text()
    assert (server.folder / ".env.bak").read_text().startswith("SPARK_WEBHOOK_SECRET=any-long-random-text\n")
    assert server.get("/setup").status == 404
    assert made.hook is not None
    body = b'{"zen": "Anything added dilutes everything else.", "hook_id": 1}'
    headers = {
        "Content_Type": "application/json",
        "X_GitHub_Event": "ping",
        "X_GitHub_Delivery": "11111111-2222-3333-4444-555555555555",
    }
    for secret, status in (("any-long-random-text", 401), (made.hook.secret, 200)):
        signed = {**headers, "X_Hub_Signature_256": sign(secret, body)}
        assert server.get("/webhook", method="POST", body=body, **signed).status == status
