"""Each way to misbehave, as it is on the wire, and as OpenAI's own client takes it."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.endpoint import Answer, Fault, FaultKind, RetryForm, first_tries, fixed, parse_fault, when
from bot.sandbox.endpoint.faults import status

TEXT = "one two three four five six seven eight nine ten"


def contents(events):
    return "".join(e["choices"][0]["delta"].get("content", "") for e in events if e != "[DONE]" and e.get("choices"))


@pytest.mark.parametrize("code", [401, 404, 429, 500, 503])
def test_a_status_comes_with_openais_error(serve, post, chat, valid, code):
    server = serve(TEXT, parse_fault(str(code)))
    got, _, data = post(f"{server.url}/chat/completions", chat(stream=True))
    valid("ErrorResponse", json.loads(data))
    assert got == code
    assert post(f"{server.url}/chat/completions", chat())[0] == 200


def test_a_429_asks_to_wait_in_each_of_the_ways_there_are(serve, post, chat):
    server = serve(TEXT, *(parse_fault(text) for text in ("429:2", "429:250ms", "429:3date", "429")))
    headers = [post(f"{server.url}/chat/completions", chat())[1] for _ in range(4)]
    assert headers[0]["retry-after"] == "2"
    assert headers[1]["retry-after-ms"] == "250"
    wait = parsedate_to_datetime(headers[2]["retry-after"]) - datetime.now(UTC)
    assert 2 < wait.total_seconds() <= 4.1
    assert not {name for name in headers[3] if name.startswith("retry-after")}


def test_a_web_page_instead_of_a_stream(serve, post, chat):
    got, headers, data = post(f"{serve(TEXT, parse_fault('html')).url}/chat/completions", chat(stream=True))
    assert (got, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert data.startswith(b"<!doctype html>")


def test_json_instead_of_a_stream(serve, post, chat, valid):
    _, headers, data = post(f"{serve(TEXT, parse_fault('json')).url}/chat/completions", chat(stream=True))
    valid("CreateChatCompletionResponse", json.loads(data))
    assert headers["content-type"] == "application/json"


def test_a_connection_closed_before_any_header(serve, raw, chat):
    server = serve(TEXT, parse_fault("hang-up"))
    assert raw(f"{server.url}/chat/completions", chat()) == (b"", "closed")
    assert server.requests[0].status is None


def test_a_cut_is_a_reset_after_the_tokens_said(serve, raw, chat):
    server = serve(TEXT, parse_fault("cut:3"))
    data, end = raw(f"{server.url}/chat/completions", chat(stream=True))
    assert end == "reset"
    assert re.findall(rb'"content":"([^"]+)"', data) == [b"one", b" two", b" three"]
    assert not data.endswith(b"0\r\n\r\n")
    assert server.requests[0].tokens == 3


def test_an_early_end_is_clean_but_not_finished(serve, post, chat, events):
    data = post(f"{serve(TEXT, parse_fault('early-end:3')).url}/chat/completions", chat(stream=True))[2]
    sent = events(data)
    assert contents(sent) == "one two three"
    assert all(event["choices"][0]["finish_reason"] is None for event in sent)


def test_garbage_is_one_line_that_is_not_json(serve, post, chat, respond):
    for path, body in (("chat/completions", chat(stream=True)), ("responses", respond(stream=True))):
        data = post(f"{serve(TEXT, parse_fault('garbage:2')).url}/{path}", body)[2]
        broken = [line for line in data.split(b"\n") if line.startswith(b"data: {") and not _is_json(line[6:])]
        assert len(broken) == 1


@pytest.mark.parametrize("after", [0, 9, 10, 50])
def test_garbage_comes_wherever_it_is_asked_for(serve, post, chat, after):
    server = serve(TEXT, Fault(kind=FaultKind.GARBAGE, after=after))
    data = post(f"{server.url}/chat/completions", chat(stream=True))[2]
    lines = [line for line in data.split(b"\n") if line.startswith(b"data: {")]
    [at] = [index for index, line in enumerate(lines) if not _is_json(line[6:])]
    assert at == 1 + min(after, 10)
    assert data.endswith(b"data: [DONE]\n\n")


def test_an_error_event_ends_a_chat_stream(serve, post, chat, events):
    sent = events(post(f"{serve(TEXT, parse_fault('error-event:2')).url}/chat/completions", chat(stream=True))[2])
    assert contents(sent[:-1]) == "one two"
    assert sent[-1]["error"]["type"] == "server_error"


def test_length_and_filter_end_with_their_reason(serve, post, chat, events):
    for text, reason in (("length:4", "length"), ("content-filter:4", "content_filter")):
        sent = events(post(f"{serve(TEXT, parse_fault(text)).url}/chat/completions", chat(stream=True))[2])
        assert contents(sent) == "one two three four"
        assert sent[-2]["choices"][0]["finish_reason"] == reason


def test_a_refusal_an_empty_answer_and_missing_usage(serve, post, chat, events):
    server = serve(TEXT, *(parse_fault(text) for text in ("refusal", "empty", "no-usage")))
    body = chat(stream=True, stream_options={"include_usage": True})
    refused, empty, silent = (events(post(f"{server.url}/chat/completions", body)[2]) for _ in range(3))
    said = "".join(e["choices"][0]["delta"].get("refusal") or "" for e in refused[:-2])
    assert said == parse_fault("refusal").text
    assert contents(refused) == ""
    assert contents(empty) == ""
    assert empty[-2]["usage"]["completion_tokens"] == 0
    assert contents(silent) == TEXT
    assert all(event == "[DONE]" or not event.get("usage") for event in silent)


def test_crlf_changes_line_ends_alone(serve, post, chat, events):
    server = serve("α\nβ", parse_fault("crlf"))
    data = post(f"{server.url}/chat/completions", chat(stream=True))[2]
    assert data.count(b"\n") == data.count(b"\r\n") > 6
    assert contents(events(data)) == "α\nβ"


def test_shredded_bytes_come_in_chunks_that_split_characters(serve, raw, post, chat, events):
    server = serve("Grüße 你好 😀 " * 5, parse_fault("shredded"), parse_fault("shredded"))
    data, _ = raw(f"{server.url}/chat/completions", chat(stream=True))
    sizes = [int(size, 16) for size in re.findall(rb"\r\n([0-9a-f]+)\r\n", data)]
    assert max(sizes) <= 7
    chunks = re.split(rb"\r\n[0-9a-f]+\r\n", data.split(b"\r\n\r\n", 1)[1])
    assert any(not _is_utf8(chunk) for chunk in chunks)
    assert contents(events(post(f"{server.url}/chat/completions", chat(stream=True))[2])) == "Grüße 你好 😀 " * 5


def test_a_stall_says_nothing_until_its_time_is_over(serve, post, chat, events):
    server = serve(TEXT, parse_fault("stall:3:0.3"))
    began = time.monotonic()
    sent = events(post(f"{server.url}/chat/completions", chat(stream=True))[2])
    assert time.monotonic() - began >= 0.3
    assert contents(sent) == TEXT


@pytest.mark.parametrize(("fault", "tokens"), [("stall:0", 0), ("stall:4", 4)])
def test_an_endless_stall_stays_until_the_client_leaves(serve, client, fault, tokens):
    server = serve(TEXT, parse_fault(fault))
    api = client(server).with_options(timeout=0.3)
    with pytest.raises(openai.APITimeoutError):
        list(ask(api))
    assert server.wait_until(lambda log: log[0].client_gone)
    assert (server.requests[0].tokens, server.requests[0].ended is not None) == (tokens, True)


def test_a_slow_drip_is_never_silent_for_long(serve, client):
    server = serve("one two three four five", parse_fault("slow-drip:0.1"))
    began = time.monotonic()
    text = "".join(chunk.choices[0].delta.content or "" for chunk in ask(client(server).with_options(timeout=0.3)))
    assert text == "one two three four five"
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("cut:3", openai.APIConnectionError),
        ("hang-up", openai.APIConnectionError),
        ("error-event:3", openai.APIError),
        ("garbage:3", json.JSONDecodeError),
        ("early-end:3", None),
        ("html", None),
    ],
)
def test_openais_client_meets_the_fault_that_it_is_known_to_meet(serve, client, fault, error):
    stream = ask(client(serve(TEXT, parse_fault(fault)))) if fault != "hang-up" else None
    if error is None:
        assert TEXT not in "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        return
    with pytest.raises(error):
        list(stream or ask(client(serve(TEXT, parse_fault(fault)))))


def test_a_client_that_leaves_is_noticed(serve, client):
    server = serve(TEXT * 200, tps=100.0)
    stream = ask(client(server))
    next(iter(stream))
    stream.close()
    assert server.wait_until(lambda log: log[0].client_gone, timeout=5)
    assert server.requests[0].tokens < 200


def test_a_fault_can_be_named_in_a_header(serve, post, chat):
    server = serve(TEXT)
    assert post(f"{server.url}/chat/completions", chat(), x_sandbox_fault="503:1")[0] == 503
    got, _, data = post(f"{server.url}/chat/completions", chat(), x_sandbox_fault="no-such")
    assert (got, "no-such" in json.loads(data)["error"]["message"]) == (400, True)
    assert post(f"{server.url}/chat/completions", chat())[0] == 200


def test_a_script_can_fault_the_first_try_of_each_prompt(serve, post, chat):
    server = serve(first_tries(fixed(TEXT), status(500)))

    def ask_for(text):
        messages = [{"role": "user", "content": text}]
        return post(f"{server.url}/chat/completions", chat(messages=messages))[0]

    assert [ask_for("a"), ask_for("b"), ask_for("a"), ask_for("b"), ask_for("a")] == [500, 500, 200, 200, 200]


def test_a_script_can_fault_some_requests(serve, post, chat):
    server = serve(when(fixed(TEXT), lambda request: "bad" in request.user, status(503)))
    for text, code in (("good", 200), ("bad", 503), ("good", 200)):
        messages = [{"role": "user", "content": text}]
        assert post(f"{server.url}/chat/completions", chat(messages=messages))[0] == code


def test_an_answers_own_fault_comes_before_the_options(serve, post, chat):
    server = serve(Answer(text=TEXT, fault=status(503)), status(500))
    assert post(f"{server.url}/chat/completions", chat())[0] == 503


def test_chance_draws_the_same_faults_for_the_same_seed(serve, post, chat):
    def run(seed):
        server = serve(TEXT, fault_rate=0.5, fault_pool=(status(500), status(503)), seed=seed)
        return [post(f"{server.url}/chat/completions", chat())[0] for _ in range(20)]

    assert run(1) == run(1)
    assert set(run(1)) == {200, 500, 503}
    assert run(1) != run(2)


@given(st.text(max_size=12) | st.from_regex(r"[a-z0-9-]{1,9}:[0-9a-z.]{0,4}", fullmatch=True))
def test_reading_a_faults_name_gives_a_fault_or_a_value_error(text):
    with suppress(ValueError):
        assert isinstance(parse_fault(text), Fault)


def test_an_unknown_fault_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"no fault 'stal'; .*stall, cut"):
        parse_fault("stal")


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.STATUS])
def test_every_kind_has_a_name_that_is_read(kind):
    assert parse_fault(kind).kind is kind


def test_the_ways_to_wait_are_read():
    assert parse_fault("429:1.5") == status(429, retry_after=1.5)
    assert parse_fault("429:500ms") == status(429, retry_after=0.5, form=RetryForm.MILLISECONDS)
    assert parse_fault("503:2date") == status(503, retry_after=2, form=RetryForm.DATE)


def ask(api):
    return api.chat.completions.create(
        model="codex-spark-preview", messages=[{"role": "user", "content": "Hi"}], stream=True
    )


def _is_json(data):
    if data == b"[DONE]":
        return True
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_nothing_listens_outside_of_loopback(serve):
    assert urlsplit(serve().url).hostname == "127.0.0.1"
