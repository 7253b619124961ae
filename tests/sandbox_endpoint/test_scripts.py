"""Scripts, tokens, the log, and the endpoint as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.endpoint import Answer, AnswerUsage, endpoint_process, fixed, record, recorded, sequence, tokens
from bot.sandbox.endpoint.__main__ import main
from bot.sandbox.endpoint.scripts import FEWEST
from bot.sandbox.endpoint.tokens import PrefixCache, count, pieces


@given(st.text())
def test_tokens_put_together_are_the_text(text):
    assert "".join(pieces(text)) == text
    assert count(text) == len(pieces(text))


def test_a_token_has_about_four_characters_of_prose_and_of_code():
    code = Path(__file__).read_text(encoding="utf-8")
    assert 3 < len(code) / count(code) < 5


@given(st.lists(st.sampled_from("abcdefgh "), max_size=30).map("".join), st.integers(min_value=0, max_value=3000))
def test_the_cache_never_tells_more_than_the_common_beginning(tail, same):
    cache = PrefixCache()
    common = "word " * same
    cache.look(common + "first one")
    total, cached = cache.look(common + tail)
    assert cached <= min(total, same)
    assert cached % 128 == 0
    assert cached == 0 or cached >= 1024


def said(post, chat, server, text="Hi"):
    data = post(f"{server.url}/chat/completions", chat(messages=[{"role": "user", "content": text}]))[2]
    return json.loads(data)["choices"][0]["message"]["content"]


def test_a_sequence_gives_one_answer_a_call_and_then_the_last(serve, post, chat):
    server = serve(sequence(["a", Answer(text="b"), "c"]))
    assert [said(post, chat, server) for _ in range(5)] == ["a", "b", "c", "c", "c"]
    with pytest.raises(ValueError, match="at least one"):
        sequence([])


def test_recorded_answers_are_given_again_for_the_same_messages(serve, post, chat, tmp_path):
    first = serve(record(tmp_path / "kept", sequence(["für dich 😀", "two"])))
    assert [said(post, chat, first, text) for text in ("A", "B")] == ["für dich 😀", "two"]
    again = serve(recorded(tmp_path / "kept"))
    assert [said(post, chat, again, text) for text in ("B", "A")] == ["two", "für dich 😀"]
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in (tmp_path / "kept").iterdir()]
    assert {entry["user"] for entry in kept} == {"A", "B"}
    status, _, data = post(f"{again.url}/chat/completions", chat())
    assert (status, "no recorded answer" in json.loads(data)["error"]["message"]) == (500, True)


def test_usage_can_be_given_by_the_script(serve, post, chat):
    usage = AnswerUsage(input_tokens=1000, output_tokens=7, cached_tokens=900)
    server = serve(Answer(text="x", usage=usage))
    told = json.loads(post(f"{server.url}/chat/completions", chat())[2])["usage"]
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (1000, 7, 1007)
    assert told["prompt_tokens_details"]["cached_tokens"] == 900


def test_too_short_an_answer_is_refused():
    with pytest.raises(ValueError, match=str(FEWEST)):
        tokens(FEWEST - 1)


@given(st.integers(min_value=FEWEST, max_value=400))
def test_an_answer_without_lines_to_report_has_exactly_n_tokens(n):
    from bot.sandbox.endpoint.scripts import _filled

    text = _filled(n, [])
    assert count(text) == n
    assert text.startswith('{"none":')
    assert text.endswith('{"end": true}\n')


def test_the_log_has_what_was_asked_and_how_it_went(serve, post, chat):
    server = serve("one two three", time_info=False)
    post(f"{server.url}/chat/completions", chat(stream=True), x_test="yes", authorization="Bearer sk-1")
    [entry] = server.requests
    assert (entry.method, entry.path, entry.status, entry.tokens) == ("POST", "/v1/chat/completions", 200, 3)
    assert (entry.body, entry.text) == (chat(stream=True), "one two three")
    assert entry.headers["x-test"] == "yes"
    assert "authorization" not in entry.headers
    assert entry.ended >= entry.started
    assert not entry.client_gone


def test_waiting_for_what_does_not_come_ends(serve):
    assert not serve().wait_until(lambda log: len(log) > 0, timeout=0.05)


def test_the_process_prints_its_url_first_and_obeys_its_arguments(chat, post):
    arguments = ["--ttft", "0", "--tps", "20000", "--model", "mine", "--script", "tokens:50", "--fault", "none"]
    with endpoint_process([*arguments, "--fault", "503", "--reject", "temperature", "--time-info"]) as url:
        with urllib.request.urlopen(f"{url}/models", timeout=5) as answer:
            assert [model["id"] for model in json.load(answer)["data"]] == ["mine"]
        body = chat(model="mine")
        data = json.loads(post(f"{url}/chat/completions", body)[2])
        assert data["usage"]["completion_tokens"] == 50
        assert "time_info" in data
        assert post(f"{url}/chat/completions", body)[0] == 503
        assert post(f"{url}/chat/completions", body | {"temperature": 0})[0] == 400


def test_the_process_ends_with_the_one_who_started_it():
    code = (
        "from bot.sandbox.endpoint import endpoint_process\n"
        "import os\n"
        "with endpoint_process() as url:\n"
        "    print(url, flush=True)\n"
        "    os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    url = done.stdout.strip()
    with pytest.raises(OSError, match=r"refused|reset|closed"):
        ask_until_it_fails(f"{url}/models")


def ask_until_it_fails(url):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        urllib.request.urlopen(url, timeout=5).close()


@pytest.mark.parametrize(
    "arguments", [["--fault", "nonsense"], ["--script", "what"], ["--script", "tokens:x"], ["--tps", "fast"]]
)
def test_wrong_arguments_are_named(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_taken_port_is_told(serve, capsys):
    port = serve(fixed("x")).url.split(":")[2].removesuffix("/v1")
    assert main(["--port", port]) == 2
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
