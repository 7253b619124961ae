"""`spark bench` over real HTTP: what it prints, where, with which exit code, and which key goes where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import warm

from bot.__main__ import main
from bot.sandbox.endpoint import EndpointServer, fixed, parse_fault
from bot.settings import read_settings
from bot.wiring.endpoints import Endpoints, Place

Endpoint = Callable[..., EndpointServer]
Captured = pytest.CaptureFixture[str]
SCRIPT = fixed(" word" * 30)
pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def server(endpoint: Endpoint) -> EndpointServer:
    return endpoint(script=SCRIPT, tps=3000.0, ttft=0.01)


def bench(server: EndpointServer, *more: str) -> int:
    return main(["bench", "--base-url", server.url, "--runs", "2", *more])


def test_the_table_goes_to_standard_output_and_the_cost_before_it_to_the_other(
    server: EndpointServer, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_PRICES", "codex*=1/2")
    assert bench(server) == 0
    out, err = capsys.readouterr()
    assert "boilerplate, 1 stream" in out
    assert "codex-spark-preview" in out
    assert "3 calls, " in out
    assert "it cost $0.0" in out
    assert err.startswith("spark: 2 streams from codex-spark-preview: $0.0")
    assert "at most" in err


def test_json_is_nothing_but_data(server: EndpointServer, capsys: Captured) -> None:
    assert bench(server, "--format", "json", "--parallel", "1,2", "--prompt", "all") == 0
    document = json.loads(capsys.readouterr().out)
    assert [(each["prompt"], each["parallel"], each["measured"]) for each in document["series"]] == [
        (name, parallel, 2 * parallel) for name in ("boilerplate", "refactor", "hooks", "review") for parallel in (1, 2)
    ]
    assert document["series"][0]["text_tokens"]["p50"] == 30
    assert document["usage"]["usd"] is None


def test_a_file_gets_the_page_and_the_terminal_the_table(server: EndpointServer, capsys: Captured) -> None:
    assert bench(server, "--format", "html", "--output", "bench.html") == 0
    assert Path("bench.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    out, err = capsys.readouterr()
    assert "boilerplate, 1 stream" in out
    assert "spark: wrote bench.html" in err


def test_a_comparison_by_name(endpoint: Endpoint, capsys: Captured) -> None:
    # Long enough that a busy machine does not read an answer in one piece, which would have no tokens/s.
    script = fixed(" word" * 200)
    fast, slow = endpoint(script=script, tps=1000.0, ttft=0.01), endpoint(script=script, tps=200.0, ttft=0.01)
    both = ("--compare", f"fast={fast.url}", "--compare", f"slow={slow.url},model=spark-stand-in,api=responses")
    assert main(["bench", "--runs", "1", *both]) == 0
    out = capsys.readouterr().out
    assert "fast writes" in out
    assert "times as fast as slow" in out
    assert {entry.path for entry in slow.requests} == {"/v1/responses"}


def test_one_comparison_is_with_the_endpoint_of_the_settings(
    server: EndpointServer, endpoint: Endpoint, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_BASE_URL", server.url)
    other = endpoint(script=SCRIPT, tps=300.0, ttft=0.01)
    assert main(["bench", "--runs", "1", "--compare", f"other={other.url}", "--format", "json"]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)["endpoints"]] == [
        "codex-spark-preview",
        "other",
    ]


def test_the_models_are_listed_and_nothing_is_asked(server: EndpointServer, capsys: Captured) -> None:
    assert bench(server, "--list-models") == 0
    assert capsys.readouterr().out == "codex-spark-preview\nspark-stand-in\n"
    assert {entry.path for entry in server.requests} == {"/v1/models"}


def test_an_endpoint_without_one_whole_stream_is_an_error_of_its_own(endpoint: Endpoint, capsys: Captured) -> None:
    broken = endpoint(script=SCRIPT, faults=[None, *[parse_fault("status:500")] * 2])
    assert bench(broken) == 3
    out, err = capsys.readouterr()
    assert "2 of 2 streams failed" in out
    assert "codex-spark-preview: not one stream could be measured: the endpoint failed: HTTP 500" in err


def test_a_budget_that_allows_nothing_says_what_to_do(
    server: EndpointServer, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_PRICES", "codex*=1/2")
    monkeypatch.setenv("SPARK_MAX_USD_PER_REVIEW", "5")
    assert bench(server, "--max-usd", "0.000001") == 2
    assert "Nothing was measured: the budget is used up" in capsys.readouterr().err
    assert server.requests == ()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--runs", "0"], "'0' is no number of runs from 1 to 1000"),
        (["--parallel", "1,x"], "'x' is no number of streams"),
        (["--parallel", "4,4"], "names a number twice"),
        (["--compare", "https://a.example"], "is not NAME=URL"),
        (["--compare", "a=https://a.example,modle=b"], "'modle=b'"),
        (["--compare", "a=https://a.example,api=grpc"], "neither chat nor responses"),
        (
            ["--compare", "a=https://a.example,key=NO_SUCH_KEY", "--compare", "b=ollama"],
            "the variable NO_SUCH_KEY is not set",
        ),
        (["--compare", "a=groq", "--compare", "b=cerebras"], "--compare a: groq needs a key. Set GROQ_API_KEY."),
        (["--prompt", "poem"], "invalid choice: 'poem'"),
        (["--max-usd", "1", "--base-url", "http://127.0.0.1:9"], "no known price for the model"),
        (["--output", "no/such/folder.json"], "there is no directory no/such"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(arguments: list[str], told: str, capsys: Captured) -> None:
    assert main(["bench", *arguments]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_a_key_in_the_place_of_a_variable_is_not_repeated(capsys: Captured) -> None:
    assert main(["bench", "--compare", "a=https://a.example,key=sk-not-a-name"]) == 2
    assert "sk-not-a-name" not in capsys.readouterr().err


# -- keys ----------------------------------------------------------------------------------------------------------

KEYS = {"SPARK_API_KEY": "spark", "OPENAI_API_KEY": "openai", "GROQ_API_KEY": "groq", "MINE": "mine"}


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (Place(), "spark"),
        (Place(url="https://typed.example/v1"), "spark"),
        (Place(name="a", url="https://own.example/v1/", beside=True), "spark"),
        (Place(name="a", url="https://other.example/v1", beside=True), None),
        (Place(name="a", url="https://own.example.evil.example/v1", beside=True), None),
        (Place(name="a", url="openai", beside=True), "openai"),
        (Place(name="a", url="https://api.groq.com/openai/v1", beside=True), "groq"),
        (Place(name="a", url="https://other.example/v1", key_variable="MINE", beside=True), "mine"),
    ],
)
def test_a_key_goes_to_the_endpoint_that_it_belongs_to(place: Place, key: str | None) -> None:
    env = {**KEYS, "SPARK_BASE_URL": "https://own.example/v1"}
    with Endpoints([place], read_settings(env), env, max_usd=None) as found:
        assert found.connected[0].endpoint.key == key


def test_what_goes_over_the_wire_to_another_endpoint_has_no_key_of_ours(
    server: EndpointServer, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_error(500)

        def log_message(self, *_: object) -> None:
            pass

    stranger = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=stranger.serve_forever)
    thread.start()
    monkeypatch.setenv("SPARK_API_KEY", "our-own-key")
    try:
        assert bench(server, "--compare", f"b=http://127.0.0.1:{stranger.server_port}") == 3
    finally:
        stranger.shutdown()
        thread.join()
        stranger.server_close()
    assert seen
    assert set(seen) == {"Bearer none"}
    assert "our-own-key" not in "".join(capsys.readouterr())


# -- Ctrl-C --------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_it_at_once_and_tells_what_was_measured(endpoint: Endpoint, tmp_path: Path) -> None:
    # The warm-up and the first two streams are quick, the third would take a minute.
    server = endpoint(script=SCRIPT, tps=2000.0, ttft=0.01, faults=[None, None, None, parse_fault("slow-drip:2")])
    process = warm.start(
        "bench", "--base-url", server.url, "--runs", "9",
        cwd=tmp_path, env=dict(os.environ), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert server.wait_until(lambda log: len(log) == 4, timeout=20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Stopped early: interrupted" in out
    assert b"1 streams were stopped or not sent" in out
    assert err.endswith(b"spark: interrupted\n")
    assert server.wait_until(lambda log: log[3].client_gone, timeout=5)
