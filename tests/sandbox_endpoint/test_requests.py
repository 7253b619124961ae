"""Which requests are taken, and what is said to the others."""

from __future__ import annotations

import gzip
import json
import socket
from urllib.parse import urlsplit

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from bot.sandbox.endpoint.validate import CHAT, RESPONSES


def test_every_parameter_of_openais_client_is_known():
    assert set(CHAT) - {"stream"} == set(CompletionCreateParamsBase.__annotations__)
    assert set(RESPONSES) - {"stream"} == set(ResponseCreateParamsBase.__annotations__)


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"max_token": 5}, None, None),
        ({"temperature": "0"}, "temperature", "invalid_type"),
        ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"max_tokens": True}, "max_tokens", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"stream": True, "stream_options": {"usage": True}}, "stream_options.usage", "unknown_parameter"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage", "invalid_type"),
        ({"reasoning_effort": "little"}, "reasoning_effort", "invalid_value"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
        ({"messages": ["Hi"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"role": "bot", "content": "Hi"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "invalid_parameter_combination"),
        ({"max_completion_tokens": 200_000}, "messages", "context_length_exceeded"),
    ],
)
def test_a_wrong_chat_request_gets_openais_error(serve, post, chat, valid, more, param, code):
    status, _, data = post(f"{serve().url}/chat/completions", chat(**more))
    valid("ErrorResponse", json.loads(data))
    error = json.loads(data)["error"]
    assert (status, error["type"], error["param"], error["code"]) == (400, "invalid_request_error", param, code)


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"max_tokens": 50}, "max_tokens", "unknown_parameter"),
        ({"max_output_tokens": 5}, "max_output_tokens", "integer_below_min_value"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
        ({"input": []}, "input", "empty_array"),
        ({"input": None}, "input", "missing_required_parameter"),
    ],
)
def test_a_wrong_responses_request_gets_openais_error(serve, post, respond, more, param, code):
    status, _, data = post(f"{serve().url}/responses", respond(**more))
    error = json.loads(data)["error"]
    assert (status, error["param"], error["code"]) == (400, param, code)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 50),
        ("max_completion_tokens", 50),
        ("temperature", 0),
        ("stream_options", {"include_usage": True}),
        ("reasoning_effort", "low"),
    ],
)
def test_a_parameter_can_be_refused(serve, post, chat, name, value):
    server = serve(rejects=frozenset({name}))
    status, _, data = post(f"{server.url}/chat/completions", chat(stream=True, **{name: value}))
    error = json.loads(data)["error"]
    assert (status, error["param"], error["code"]) == (400, name, "unsupported_parameter")
    assert error["type"] == "invalid_request_error"
    assert post(f"{server.url}/chat/completions", chat(stream=True))[0] == 200


def test_a_refused_reasoning_effort_is_refused_inside_of_reasoning_too(serve, post, respond):
    server = serve(rejects=frozenset({"reasoning_effort"}))
    status, _, data = post(f"{server.url}/responses", respond(reasoning={"effort": "low"}))
    assert (status, json.loads(data)["error"]["param"]) == (400, "reasoning.effort")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_400(serve, post, body):
    status, _, data = post(f"{serve().url}/chat/completions", body)
    assert (status, json.loads(data)["error"]["type"]) == (400, "invalid_request_error")


def test_only_the_right_key_is_let_in_and_no_key_is_logged(serve, post, chat):
    server = serve(api_key="sk-right")
    url = f"{server.url}/chat/completions"
    assert post(url, chat())[0] == 401
    assert post(url, chat(), Authorization="Bearer sk-wrong")[0] == 401
    assert post(url, chat(), Authorization="Bearer sk-right")[0] == 200
    assert "sk-" not in repr(server.requests)


@pytest.mark.parametrize(
    ("path", "status"), [("/completions", 404), ("/models/none", 405), ("/models", 405), ("/chat", 404)]
)
def test_other_addresses_are_refused(serve, post, chat, path, status):
    assert post(f"{serve().url}{path}", chat())[0] == status


def test_any_model_is_taken_when_none_is_listed(serve, post, chat):
    assert post(f"{serve(models=()).url}/chat/completions", chat(model="whatever"))[0] == 200


def test_a_gzipped_body_is_read(serve, post, chat):
    server = serve()
    packed = gzip.compress(json.dumps(chat()).encode())
    assert post(f"{server.url}/chat/completions", packed, content_encoding="gzip")[0] == 200
    assert server.requests[0].body == chat()
    assert post(f"{server.url}/chat/completions", b"not gzip", content_encoding="gzip")[0] == 400
    assert post(f"{server.url}/chat/completions", packed, content_encoding="br")[0] == 415


def test_max_tokens_is_obeyed_exactly(serve, post, chat, respond, events):
    server = serve("one two three four five six seven eight nine ten " * 5)
    for name in ("max_tokens", "max_completion_tokens"):
        chunks = events(post(f"{server.url}/chat/completions", chat(stream=True, **{name: 3}))[2])
        said = [chunk["choices"][0] for chunk in chunks[:-1]]
        assert "".join(choice["delta"].get("content", "") for choice in said) == "one two three"
        assert said[-1]["finish_reason"] == "length"
    body = respond(stream=True, max_output_tokens=16)
    last = events(post(f"{server.url}/responses", body)[2])[-1]
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["usage"]["output_tokens"] == 16


def test_a_repeated_beginning_counts_as_cached(serve, post, chat):
    server = serve()
    rules = "Read every line with care. " * 300

    def cached(user, system=rules):
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        usage = json.loads(post(f"{server.url}/chat/completions", chat(messages=messages))[2])["usage"]
        return usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"]

    assert cached("First.")[0] == 0
    again, total = cached("Second.")
    assert total - 128 < again < total
    assert again % 128 == 0
    assert cached("Third.", "X " + rules)[0] == 0
    assert cached("short", "short")[0] == 0
    assert cached("short", "short")[0] == 0


def test_one_connection_carries_many_requests(serve, chat):
    server = serve("Hello")
    where = urlsplit(server.url)
    body = json.dumps(chat()).encode()
    one = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    with socket.create_connection((where.hostname, where.port), timeout=5) as line:
        line.sendall(one * 3)
        got = b""
        while got.count(b'"content":"Hello"') < 3:
            part = line.recv(65536)
            assert part, got
            got += part
    assert got.count(b"HTTP/1.1 200") == 3


def test_broken_http_is_answered_and_ends_the_connection(serve, raw):
    server = serve()
    where = urlsplit(server.url)
    with socket.create_connection((where.hostname, where.port), timeout=5) as line:
        line.sendall(b"this is no http\r\n\r\n")
        got = b""
        while part := line.recv(4096):
            got += part
    assert got.startswith(b"HTTP/1.1 400")


def test_a_script_that_raises_is_told_to_the_client(serve, post, chat):
    def script(request):
        raise KeyError("nothing recorded")

    status, _, data = post(f"{serve(script).url}/chat/completions", chat())
    assert status == 500
    assert "nothing recorded" in json.loads(data)["error"]["message"]


def test_a_taken_port_is_an_error_at_once(serve):
    port = urlsplit(serve().url).port
    with pytest.raises(OSError, match="ddress already in use"):
        serve(port=port)
