"""The two wire APIs: what a stream's events mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.answer import Tokens
from bot.model.chat import ChatDecoder
from bot.model.responses import ResponsesDecoder
from bot.review.ports import StreamEnd


def chunk(content: object = None, *, finish: str | None = None, **more: object) -> dict[str, object]:
    delta = {} if content is None else {"content": content}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def said(decoder: ChatDecoder | ResponsesDecoder, *events: object) -> str:
    return "".join(decoder.feed(event if isinstance(event, bytes) else json.dumps(event).encode()) for event in events)


def test_the_text_of_a_chat_stream_is_joined_and_ends_whole_with_stop() -> None:
    decoder = ChatDecoder()
    assert said(decoder, chunk(""), chunk("Hel"), chunk("lo"), chunk(finish="stop"), b"[DONE]") == "Hello"
    assert decoder.answer.end is StreamEnd.WHOLE
    assert decoder.answer.over


def test_text_in_the_chunk_with_the_finish_reason_is_kept() -> None:
    decoder = ChatDecoder()
    assert said(decoder, chunk("a"), chunk("b", finish="stop")) == "ab"
    assert decoder.answer.end is StreamEnd.WHOLE


def test_a_chat_stream_without_a_finish_reason_has_no_end() -> None:
    decoder = ChatDecoder()
    said(decoder, chunk("a"), b"[DONE]")
    assert decoder.answer.end is None


@pytest.mark.parametrize(
    ("event", "end"),
    [
        (chunk(finish="length"), StreamEnd.LENGTH),
        (chunk(finish="content_filter"), StreamEnd.REFUSED),
        (chunk(finish="tool_calls"), StreamEnd.CUT),
        ({"error": {"message": "boom", "type": "server_error"}}, StreamEnd.SERVER_ERROR),
        ({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, StreamEnd.RATE_LIMITED),
        ({"error": {"message": "slow down", "code": 429}}, StreamEnd.RATE_LIMITED),
        ({"error": "boom"}, StreamEnd.SERVER_ERROR),
        ({"message": "boom", "type": "server_error"}, StreamEnd.SERVER_ERROR),
        ({**chunk("", finish="error"), "error": {"message": "provider down", "code": 502}}, StreamEnd.SERVER_ERROR),
        ({"choices": [{"index": 0, "finish_reason": "stop"}]}, StreamEnd.WHOLE),
        (b'{"choices":[{"delta":{"content":"hal', StreamEnd.GARBLED),
        (b"7", StreamEnd.GARBLED),
        (b"\xff\xfe", StreamEnd.GARBLED),
        ({"type": "ping"}, None),
        (b"", None),
    ],
)
def test_each_way_a_chat_stream_can_end_is_told_apart(event: object, end: StreamEnd | None) -> None:
    decoder = ChatDecoder()
    assert said(decoder, chunk("a"), event) == "a"
    assert decoder.answer.end is end


def test_a_refusal_is_no_whole_answer_even_with_stop() -> None:
    decoder = ChatDecoder()
    delta = {"choices": [{"index": 0, "delta": {"refusal": "I cannot"}, "finish_reason": None}]}
    assert said(decoder, delta, chunk(finish="stop")) == ""
    assert decoder.answer.end is StreamEnd.REFUSED
    assert decoder.answer.detail == "I cannot"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_a_sign_of_life_and_no_text(name: str) -> None:
    decoder = ChatDecoder()
    delta = {"choices": [{"index": 0, "delta": {name: "hmm", "content": None}, "finish_reason": None}]}
    assert said(decoder, delta, delta, chunk("a")) == "a"
    assert decoder.answer.thought == 6


def test_usage_and_timing_are_found_where_each_provider_puts_them() -> None:
    openai, groq, cerebras = ChatDecoder(), ChatDecoder(), ChatDecoder()
    said(
        openai,
        {
            "choices": [],
            "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}},
        },
    )
    said(groq, chunk(finish="stop", x_groq={"usage": {"prompt_tokens": 9, "completion_tokens": 4, "queue_time": 0.25}}))
    said(
        cerebras,
        chunk(
            finish="stop",
            usage={"prompt_tokens": 9, "completion_tokens": 4},
            time_info={"queue_time": 0.5, "completion_time": 1, "created": 1790000000},
        ),
    )
    assert openai.answer.tokens == Tokens(input=9, output=4, cached=5)
    assert groq.answer.tokens == cerebras.answer.tokens == Tokens(input=9, output=4)
    assert groq.answer.seconds == {"queue": 0.25}
    assert cerebras.answer.seconds == {"queue": 0.5, "completion": 1.0}


def test_content_in_parts_is_read_as_text() -> None:
    assert said(ChatDecoder(), chunk([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])) == "ab"


def text(delta: str) -> dict[str, object]:
    return {"type": "response.output_text.delta", "delta": delta}


def test_a_responses_stream_is_whole_with_response_completed_and_brings_its_usage() -> None:
    decoder = ResponsesDecoder()
    usage = {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 5}}
    output = [{"type": "message", "content": [{"type": "output_text", "text": "ab"}]}]
    completed = {"type": "response.completed", "response": {"status": "completed", "usage": usage, "output": output}}
    assert said(decoder, {"type": "response.created"}, text("a"), text("b"), completed) == "ab"
    assert decoder.answer.end is StreamEnd.WHOLE
    assert decoder.answer.tokens == Tokens(input=9, output=4, cached=5)


def test_a_completed_response_that_streamed_no_text_gives_it_from_its_output() -> None:
    output = [{"type": "message", "content": [{"type": "output_text", "text": "ab"}]}]
    completed = {"type": "response.completed", "response": {"status": "completed", "output": output}}
    assert said(ResponsesDecoder(), completed) == "ab"


@pytest.mark.parametrize(
    ("event", "end"),
    [
        (
            {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}},
            StreamEnd.LENGTH,
        ),
        (
            {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "content_filter"}}},
            StreamEnd.REFUSED,
        ),
        ({"type": "response.incomplete", "response": {}}, StreamEnd.CUT),
        ({"type": "response.completed", "response": {"status": "incomplete"}}, StreamEnd.CUT),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "boom"}}},
            StreamEnd.SERVER_ERROR,
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "x"}}},
            StreamEnd.RATE_LIMITED,
        ),
        ({"type": "response.failed"}, StreamEnd.SERVER_ERROR),
        ({"type": "error", "message": "boom", "code": "server_error"}, StreamEnd.SERVER_ERROR),
        ({"type": "error"}, StreamEnd.SERVER_ERROR),
        ({"error": {"message": "boom"}}, StreamEnd.SERVER_ERROR),
        (b"{", StreamEnd.GARBLED),
        (b"[]", StreamEnd.GARBLED),
        ({"type": "response.output_text.done", "text": "a"}, None),
        ({"type": "keepalive"}, None),
        (b"[DONE]", None),
    ],
)
def test_each_way_a_responses_stream_can_end_is_told_apart(event: object, end: StreamEnd | None) -> None:
    decoder = ResponsesDecoder()
    assert said(decoder, text("a"), event) == "a"
    assert decoder.answer.end is end


def test_a_refused_response_is_not_whole() -> None:
    decoder = ResponsesDecoder()
    completed = {"type": "response.completed", "response": {"status": "completed"}}
    assert said(decoder, {"type": "response.refusal.delta", "delta": "No."}, completed) == ""
    assert decoder.answer.end is StreamEnd.REFUSED
    assert decoder.answer.detail == "No."


KEYS = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "finish_reason",
        "error",
        "message",
        "usage",
        "prompt_tokens",
        "type",
        "response",
        "output",
        "refusal",
        "reasoning",
        "time_info",
        "x_groq",
        "status",
        "prompt_tokens_details",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(),
    st.sampled_from(["", "stop", "response.completed", "error", "response.output_text.delta", "completed", "x"]),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.lists(st.one_of(VALUES.map(lambda value: json.dumps(value).encode()), st.binary(max_size=20)), max_size=5))
def test_no_event_whatsoever_makes_a_decoder_raise(payloads: list[bytes]) -> None:
    for decoder in (ChatDecoder(), ResponsesDecoder()):
        for payload in payloads:
            assert isinstance(decoder.feed(payload), str)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(VALUES)
def test_no_plain_answer_whatsoever_makes_a_decoder_raise(value: object) -> None:
    for kind, decoder in (("chat.completion", ChatDecoder()), ("response", ResponsesDecoder())):
        if isinstance(value, dict):
            value["object"] = kind
        text = decoder.read_whole(value)
        assert text is None or isinstance(text, str)
