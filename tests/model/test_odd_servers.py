"""Servers that are compatible after their own fashion, and answers that are none: over a raw socket."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable

import pytest

from bot.model.endpoint import Api
from bot.model.sse import MAX_EVENT
from bot.review.ports import StreamEnd

EVENTS = "text/event-stream"
WHOLE = b'data: {"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":"stop"}]}\n\n'
PART = b'data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


def head(kind: str, *more: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *([f"content-type: {kind}"] if kind else []), *more]
    return "\r\n".join([*lines, "", ""]).encode()


def says(*parts: bytes) -> Callable[[socket.socket, bytes], None]:
    """Say it and close."""
    return lambda connection, _request: connection.sendall(b"".join(parts))


def holds(*parts: bytes) -> Callable[[socket.socket, bytes], None]:
    """Say it and wait for the client to go."""

    def answer(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"".join(parts))
        while connection.recv(4096):
            pass

    return answer


def chunked(*parts: bytes) -> bytes:
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "end", "text"),
    [
        pytest.param((head(EVENTS), WHOLE), StreamEnd.WHOLE, "one", id="no [DONE]"),
        pytest.param((head(EVENTS), PART, DONE), StreamEnd.CUT, "one", id="[DONE] without a finish reason"),
        pytest.param((head(EVENTS),), StreamEnd.CUT, "", id="nothing at all"),
        pytest.param((head(EVENTS), WHOLE[:-2]), StreamEnd.WHOLE, "one", id="no blank line at the end"),
        pytest.param((head(EVENTS), PART, PART[:-9]), StreamEnd.CUT, "one", id="half an event at the end"),
        pytest.param((head(EVENTS), b"\xef\xbb\xbf", WHOLE), StreamEnd.WHOLE, "one", id="a byte-order mark"),
        pytest.param((head(""), WHOLE), StreamEnd.WHOLE, "one", id="no media type"),
        pytest.param((head("text/plain"), WHOLE), StreamEnd.WHOLE, "one", id="another media type"),
        pytest.param((head("Text/Event-Stream; charset=utf-8"), WHOLE), StreamEnd.WHOLE, "one", id="media type in capitals"),
        pytest.param((head(EVENTS), b"<html>Sign in</html>"), StreamEnd.NOT_A_STREAM, "", id="a page called a stream"),
        pytest.param((head("text/html"), b"<h1>Sign in</h1>"), StreamEnd.NOT_A_STREAM, "", id="a page"),
        pytest.param((head("application/json"), b"{"), StreamEnd.NOT_A_STREAM, "", id="half a JSON"),
        pytest.param((head("application/json"), b'{"ok":true}'), StreamEnd.NOT_A_STREAM, "", id="another JSON"),
        pytest.param((head("application/json"), b'{"error":{"message":"x"}}'), StreamEnd.SERVER_ERROR, "", id="an error with 200"),
        pytest.param((head("application/json"), b'{"error":{"message":"x","code":"rate_limit_exceeded"}}'), StreamEnd.RATE_LIMITED, "", id="a rate limit with 200"),
        pytest.param((head(EVENTS, "transfer-encoding: chunked"), chunked(PART)[:-5]), StreamEnd.CUT, "one", id="a body without its last chunk"),
        pytest.param((head(EVENTS, "content-length: 900"), PART), StreamEnd.CUT, "one", id="a body shorter than said"),
        pytest.param((head(EVENTS, "transfer-encoding: chunked"), b"zz\r\n"), StreamEnd.CUT, "", id="a broken body"),
        pytest.param((head(EVENTS, "content-encoding: gzip"), gzip.compress(PART + WHOLE)), StreamEnd.WHOLE, "oneone", id="gzip although not asked for"),
        pytest.param((head(EVENTS, "content-encoding: gzip"), b"no gzip"), StreamEnd.GARBLED, "", id="broken gzip"),
        pytest.param((b"SSH-2.0-OpenSSH_9.6\r\n",), StreamEnd.CUT, "", id="no HTTP"),
        pytest.param((head("", "location: http://127.0.0.1:9/", "content-length: 0", status="307 Moved"),), StreamEnd.REJECTED, "", id="a redirect"),
        pytest.param((head(EVENTS), b"data: 7\n\n", WHOLE), StreamEnd.GARBLED, "", id="JSON that is no object"),
        pytest.param((head(EVENTS), PART, b"data: {]\n\n", PART), StreamEnd.GARBLED, "one", id="text behind garbage is not taken"),
        pytest.param((head(EVENTS), WHOLE, PART, DONE), StreamEnd.WHOLE, "oneone", id="text behind the finish reason"),
    ],
)  # fmt: skip
def test_an_odd_answer_is_taken_for_what_it_is(
    raw: Callable, caller: Callable, answer: tuple[bytes, ...], end: StreamEnd, text: str
) -> None:
    seen = caller(raw(says(*answer)).url).ask()
    assert (seen.report.end, seen.text) == (end, text)
    assert seen.seconds < 2.0


def test_a_page_is_told_in_its_own_words(raw: Callable, caller: Callable) -> None:
    page = head("text/html") + b"<html><title>Hotel</title><script>x()</script><p>Please  sign in</p></html>"
    assert caller(raw(says(page)).url).ask().report.detail == "Hotel Please sign in"


def test_a_redirect_is_not_followed_and_told(raw: Callable, caller: Callable) -> None:
    moved = head("", "location: http://127.0.0.1:9/v2", "content-length: 0", status="308 Moved")
    server = raw(says(moved))
    assert "redirects to http://127.0.0.1:9/v2" in caller(server.url).ask().report.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize("last", [WHOLE, WHOLE + DONE], ids=["finish reason", "[DONE]"])
def test_a_server_that_holds_the_connection_does_not_hold_us(raw: Callable, caller: Callable, last: bytes) -> None:
    seen = caller(raw(holds(head(EVENTS), last)).url).ask()
    assert (seen.report.end, seen.text) == (StreamEnd.WHOLE, "one")
    assert seen.seconds < 1.5


def test_an_event_without_an_end_is_garbage_and_not_kept_for_ever(raw: Callable, caller: Callable) -> None:
    def flood(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head(EVENTS) + PART + b"data: ")
        while True:
            connection.sendall(b"x" * 65536)

    seen = caller(raw(flood).url).ask()
    assert (seen.report.end, seen.text) == (StreamEnd.GARBLED, "one")
    assert MAX_EVENT < 2**24


def test_comments_keep_a_call_alive(raw: Callable, caller: Callable) -> None:
    def patient(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head(EVENTS))
        for _ in range(4):
            connection.settimeout(0.2)
            try:
                connection.recv(1)
            except TimeoutError:
                connection.sendall(b": working\n\n")
        connection.sendall(WHOLE)

    assert caller(raw(patient).url).ask().report.end is StreamEnd.WHOLE


@pytest.mark.parametrize("api", list(Api))
def test_a_connection_is_used_again(raw: Callable, caller: Callable, api: Api) -> None:
    completed = b'data: {"type":"response.completed","response":{"status":"completed"}}\n\n'
    body = chunked(WHOLE, DONE) if api is Api.CHAT else chunked(completed)
    server = raw(says(head(EVENTS, "transfer-encoding: chunked"), body), keep=True)
    asker = caller(server.url, api=api)
    for _ in range(5):
        assert asker.ask().report.end is StreamEnd.WHOLE
    assert (server.connections, len(server.requests)) == (1, 5)


def test_a_whole_answer_from_a_server_that_cannot_stream_is_taken(raw: Callable, caller: Callable) -> None:
    value = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "one"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 1},
    }
    server = raw(says(head("application/json"), json.dumps(value).encode()))
    report = caller(server.url).ask().report
    assert report.end is StreamEnd.LENGTH
    assert (report.usage.input_tokens, report.usage.output_tokens) == (7, 1)


def test_the_request_asks_for_uncompressed_bytes_and_tells_nothing_it_need_not(
    raw: Callable, caller: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-private")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-private")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other-private")
    server = raw(says(head(EVENTS), WHOLE))
    caller(server.url).ask()
    request = server.requests[0].lower()
    assert b"accept-encoding: identity" in request
    assert b"private" not in request


def test_keys_in_an_endpoints_words_are_not_shown(raw: Callable, caller: Callable) -> None:
    words = {"error": {"message": "bad key hunter2hunter2 and sk-live-0123456789 from Bearer abcdefgh"}}
    server = raw(says(head("application/json", status="500 Oops"), json.dumps(words).encode()))
    detail = caller(server.url, key="hunter2hunter2").ask().report.detail
    assert detail == "HTTP 500 bad key [key] and [key] from [key]"


def test_a_proxy_from_the_environment_is_used_but_never_for_loopback(
    raw: Callable, caller: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = raw(says(head(EVENTS), WHOLE))
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1").replace("//", "//me:secret@"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    seen = caller("http://model.example/v1").ask()
    assert (seen.report.end, seen.text) == (StreamEnd.WHOLE, "one")
    assert proxy.requests[0].startswith(b"POST http://model.example/v1/chat/completions ")
    assert b"proxy-authorization: basic" in proxy.requests[0].lower()
    direct = raw(says(head(EVENTS), WHOLE))
    assert caller(direct.url).ask().report.end is StreamEnd.WHOLE
    assert len(proxy.requests) == 1
