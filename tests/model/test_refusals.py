"""HTTP refusals: what they mean, how long they make us wait, which parameter they blame, and what people get to see."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from bot.model.answer import LONGEST_DETAIL, Trouble, read_trouble, shown
from bot.model.endpoint import Api, Endpoint
from bot.model.faults import Refusal, Remedy, retry_after
from bot.model.shape import Shape, ShapeMemory, adjusted, parameters
from bot.review.ports import Prompt, StreamEnd

Ask = Callable[..., Prompt]

URL = "http://127.0.0.1:1/v1"
PLAIN = Endpoint(base_url=URL, model="m")
OPENAI = Endpoint(base_url=URL, model="m", preset="openai")


def refusal(status: int, body: object = "", **headers: str) -> Refusal:
    return Refusal(
        status=status, headers=headers, body=body.encode() if isinstance(body, str) else json.dumps(body).encode()
    )


@pytest.mark.parametrize(
    ("status", "body", "remedy", "end"),
    [
        (401, "", Remedy.KEY, StreamEnd.REJECTED),
        (403, "<html><body>Forbidden</body></html>", Remedy.KEY, StreamEnd.REJECTED),
        (
            404,
            {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}},
            Remedy.MODEL,
            StreamEnd.REJECTED,
        ),
        (404, "404 page not found", Remedy.MODEL, StreamEnd.REJECTED),
        (400, {"error": {"message": "model 'm' not found", "param": "model"}}, Remedy.MODEL, StreamEnd.REJECTED),
        (400, {"error": {"message": "nope", "code": "model_not_found"}}, Remedy.MODEL, StreamEnd.REJECTED),
        (
            400,
            {"error": {"message": "temperature is not supported with this model"}},
            Remedy.ADJUST,
            StreamEnd.REJECTED,
        ),
        (422, {"detail": [{"loc": ["body", "stream_options"], "msg": "extra"}]}, Remedy.ADJUST, StreamEnd.REJECTED),
        (429, "", Remedy.WAIT, StreamEnd.RATE_LIMITED),
        (429, {"error": {"message": "x", "code": "insufficient_quota"}}, Remedy.GIVE_UP, StreamEnd.RATE_LIMITED),
        (402, "pay", Remedy.GIVE_UP, StreamEnd.REJECTED),
        (413, "", Remedy.GIVE_UP, StreamEnd.REJECTED),
        (307, "", Remedy.GIVE_UP, StreamEnd.REJECTED),
        (408, "", Remedy.GIVE_UP, StreamEnd.SERVER_ERROR),
        (500, "", Remedy.GIVE_UP, StreamEnd.SERVER_ERROR),
        (503, "", Remedy.GIVE_UP, StreamEnd.SERVER_ERROR),
        (529, "", Remedy.GIVE_UP, StreamEnd.SERVER_ERROR),
    ],
)
def test_each_status_has_one_meaning(status: int, body: object, remedy: Remedy, end: StreamEnd) -> None:
    found = refusal(status, body)
    assert (found.remedy, found.end) == (remedy, end)


def test_the_wait_is_read_in_every_form() -> None:
    assert retry_after({}) is None
    assert retry_after({"retry-after": "2"}) == 2
    assert retry_after({"retry-after": "0.5"}) == 0.5
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after({"retry-after-ms": "soon", "retry-after": "9"}) == 9
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "-3"}) is None
    assert retry_after({"retry-after": "nan"}) is None


def test_a_date_to_wait_for_is_held_against_the_servers_own_clock() -> None:
    wrong = time.time() - 86_400
    assert retry_after({"retry-after": formatdate(wrong + 7, usegmt=True), "date": formatdate(wrong, usegmt=True)}) == 7
    assert retry_after({"retry-after": formatdate(time.time() - 9, usegmt=True)}) == 0
    in_ten = retry_after({"retry-after": formatdate(time.time() + 10, usegmt=True)})
    assert in_ten is not None
    assert 8 < in_ten <= 10


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"error": {"message": "a"}}, "a"),
        ({"error": "a"}, "a"),
        ({"error": {}}, "no reason given"),
        ({"message": "a", "code": "wrong_api_format"}, "a"),
        ({"object": "error", "message": "a"}, "a"),
        ({"detail": "a"}, "a"),
        ({"detail": [{"msg": "a"}]}, "[{'msg': 'a'}]"),
    ],
)
def test_an_endpoints_words_are_found_in_every_usual_shape(value: object, message: str) -> None:
    found = read_trouble(value)
    assert found is not None
    assert found.message == message


@pytest.mark.parametrize("value", [{}, [], 7, None, {"error": None}, {"error": 7}, {"choices": []}])
def test_a_value_without_trouble_tells_of_none(value: object) -> None:
    assert read_trouble(value) is None


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF123456_78", "sk-abc***********wxyz", "csk-1234567890ab", "gsk_1234567890ab", "Bearer abcdef123456",
        "bearer xyz.123", "ghp_abcdefghijklmnopqrstuvwx", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.sig",
    ],
)  # fmt: skip
def test_what_looks_like_a_key_is_not_shown(secret: str) -> None:
    words = shown(f"Incorrect API key provided: {secret}. Find yours at https://example.com")
    assert secret not in words
    assert secret[-6:] not in words
    assert words.startswith("Incorrect API key provided: [key]")


def test_words_are_shown_short_in_one_line_and_without_our_key() -> None:
    assert shown("a\n\tb\x1b[31m  c\u202e") == "a b [31m c"
    assert shown("key hunter2 is wrong", secret="hunter2") == "key [key] is wrong"
    assert len(shown("x" * 5000)) == LONGEST_DETAIL
    assert shown("task-oriented ask-me") == "task-oriented ask-me"


def test_a_page_is_shown_as_its_words() -> None:
    page = (
        "<html><head><style>p{}</style><script>evil()</script></head><body><h1>502</h1><p>Bad gateway</p></body></html>"
    )
    assert refusal(502, page).detail == "HTTP 502 502 Bad gateway"


def sent(endpoint: Endpoint, shape: Shape, prompt: Prompt) -> dict[str, object]:
    return parameters(prompt, endpoint, shape)


def test_chat_parameters_ask_for_usage_and_little_reasoning(prompt: Ask) -> None:
    assert sent(PLAIN, Shape(), prompt(reason=False)) == {
        "max_tokens": 900,
        "temperature": 0.2,
        "stream_options": {"include_usage": True},
        "reasoning_effort": "none",
    }
    assert "reasoning_effort" not in sent(PLAIN, Shape(), prompt(reason=True))


def test_only_openai_gets_a_cache_key_and_the_request_for_unpadded_chunks(prompt: Ask) -> None:
    first, other = sent(OPENAI, Shape(), prompt()), sent(OPENAI, Shape(), prompt(system="Other"))
    assert first["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert first["max_completion_tokens"] == 900
    assert str(first["prompt_cache_key"]).startswith("spark-review-")
    assert first["prompt_cache_key"] != other["prompt_cache_key"]
    assert "prompt_cache_key" not in sent(PLAIN, Shape(), prompt())


def test_responses_parameters_leave_nothing_with_the_endpoint(prompt: Ask) -> None:
    found = sent(Endpoint(base_url=URL, model="m", api=Api.RESPONSES), Shape(), prompt(reason=False))
    assert found == {"max_output_tokens": 900, "store": False, "temperature": 0.2, "reasoning": {"effort": "none"}}


@pytest.mark.parametrize(
    ("message", "param", "shape"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "max_tokens",
            Shape(renamed=True),
        ),
        ("Unsupported parameter: max_tokens", "", Shape(renamed=True)),
        ("max_tokens must be less than or equal to 512 for this model", "max_tokens", Shape(cap=512)),
        (
            "Unsupported value: 'temperature' does not support 0.2 with this model.",
            "temperature",
            Shape(dropped=frozenset({"temperature"})),
        ),
        (
            "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options')}]",
            "",
            Shape(dropped=frozenset({"stream_options"})),
        ),
        (
            "Unknown parameter: 'stream_options.include_usage'",
            "stream_options.include_usage",
            Shape(dropped=frozenset({"stream_options"})),
        ),
        ("Unrecognized request argument supplied: stream_options", "", Shape(dropped=frozenset({"stream_options"}))),
        ("reasoning_effort must be one of low, medium, high", "", Shape(effort=1)),
    ],
)
def test_the_blamed_parameter_is_left_out_renamed_or_lowered(
    message: str, param: str, shape: Shape, prompt: Ask
) -> None:
    trouble = Trouble(message=message, param=param)
    found = adjusted(Shape(), trouble, sent=sent(PLAIN, Shape(), prompt(reason=False)), words=PLAIN.efforts)
    assert found is not None
    assert found[0] == shape
    assert found[1].startswith("The endpoint ")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("This model's maximum context length is 8192 tokens. However, you requested max_tokens 9000", ""),
        ("'max_tokens' is too large", "context_length_exceeded"),
        ("Invalid value for 'messages'", ""),
        ("max_tokens is too large", ""),
    ],
)
def test_a_refusal_that_leaving_something_out_would_not_mend_is_none_of_ours(
    message: str, code: str, prompt: Ask
) -> None:
    trouble = Trouble(message=message, code=code)
    assert adjusted(Shape(), trouble, sent=sent(PLAIN, Shape(), prompt()), words=PLAIN.efforts) is None


def test_an_ordinary_word_is_no_parameters_name(prompt: Ask) -> None:
    endpoint = Endpoint(base_url=URL, model="m", api=Api.RESPONSES)
    request = sent(endpoint, Shape(), prompt(reason=False))
    trouble = Trouble(message="reasoning models cannot store this temperature")
    found = adjusted(Shape(), trouble, sent=request, words=endpoint.efforts)
    assert found is not None
    assert found[0] == Shape(dropped=frozenset({"temperature"}))


def test_both_names_of_the_limit_refused_means_no_limit(prompt: Ask) -> None:
    shape = Shape(renamed=True)
    request = sent(PLAIN, shape, prompt())
    assert request["max_completion_tokens"] == 900
    trouble = Trouble(message="no", param="max_completion_tokens")
    found = adjusted(shape, trouble, sent=request, words=PLAIN.efforts)
    assert found is not None
    assert not {"max_tokens", "max_completion_tokens"} & sent(PLAIN, found[0], prompt()).keys()


def test_the_last_word_for_reasoning_refused_means_none_is_sent(prompt: Ask) -> None:
    shape = Shape(effort=1)
    request = sent(PLAIN, shape, prompt(reason=False))
    assert request["reasoning_effort"] == "low"
    found = adjusted(shape, Trouble(message="x", param="reasoning_effort"), sent=request, words=PLAIN.efforts)
    assert found is not None
    assert "reasoning_effort" not in sent(PLAIN, found[0], prompt(reason=False))


def test_what_two_threads_learned_is_kept_together_and_is_news_once() -> None:
    memory = ShapeMemory()
    assert memory.keep(Shape(renamed=True, cap=900))
    assert memory.keep(Shape(dropped=frozenset({"temperature"}), cap=500))
    assert not memory.keep(Shape(renamed=True))
    assert memory.shape == Shape(renamed=True, dropped=frozenset({"temperature"}), cap=500)
