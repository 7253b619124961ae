"""What goes over the wire, held against OpenAI's own description and read by OpenAI's own client."""

from __future__ import annotations

import json

import openai
import pytest

from bot.sandbox.endpoint import Answer, FinishReason, parse_fault

ANSWERS = {
    "text": Answer(text='{"path": "a.py", "body": "Grüße — 你好 😀"}\n{"end": true}\n'),
    "nothing": Answer(text=""),
    "refusal": Answer(text="I'm sorry, I can't help with that.", refusal=True),
    "reasoning": Answer(text="Forty-two.", reasoning="Let me think about it for a moment."),
    "length": Answer(text="Cut off here", finish_reason=FinishReason.LENGTH),
    "filtered": Answer(text="Cut off here", finish_reason=FinishReason.CONTENT_FILTER),
}
every_answer = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)


@every_answer
@pytest.mark.parametrize("usage", [True, False])
def test_chat_chunks_are_valid_by_openais_description(serve, post, chat, events, valid, answer, usage):
    server = serve(answer, time_info=True, obfuscates=True)
    body = chat(stream=True, stream_options={"include_usage": usage})
    status, headers, data = post(f"{server.url}/chat/completions", body)
    *chunks, done = events(data)
    assert (status, headers["content-type"], done) == (200, "text/event-stream; charset=utf-8", "[DONE]")
    for chunk in chunks:
        valid("CreateChatCompletionStreamResponse", chunk)
    if usage:
        *chunks, last = chunks
        assert last["choices"] == []
        assert last["usage"]["completion_tokens"] == server.requests[0].tokens or answer.text == ""
    finished = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert finished == [None] * (len(chunks) - 1) + [str(answer.finish_reason)]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    kind = "refusal" if answer.refusal else "content"
    said = "".join(chunk["choices"][0]["delta"].get(kind) or "" for chunk in chunks)
    thought = "".join(chunk["choices"][0]["delta"].get("reasoning") or "" for chunk in chunks)
    assert (said, thought) == (answer.text, answer.reasoning)
    assert all("obfuscation" in chunk for chunk in chunks)
    assert "total_time" in (last if usage else chunks[-1])["time_info"]


@every_answer
def test_a_whole_chat_answer_is_valid_by_openais_description(serve, post, chat, valid, answer):
    status, _, data = post(f"{serve(answer).url}/chat/completions", chat())
    whole = json.loads(data)
    valid("CreateChatCompletionResponse", whole)
    message = whole["choices"][0]["message"]
    assert (status, message["refusal"] if answer.refusal else message["content"]) == (200, answer.text)


@every_answer
def test_responses_events_are_valid_by_openais_description(serve, post, respond, events, valid, answer):
    server = serve(answer, obfuscates=True)
    status, _, data = post(f"{server.url}/responses", respond(stream=True))
    sent = events(data)
    for event in sent:
        valid("ResponseStreamEvent", event)
    kinds = [event["type"] for event in sent]
    ending = "completed" if answer.finish_reason is FinishReason.STOP else "incomplete"
    assert status == 200
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == f"response.{ending}"
    assert [event["sequence_number"] for event in sent] == list(range(len(sent)))
    delta = "refusal" if answer.refusal else "output_text"
    said = [event for event in sent if event["type"] == f"response.{delta}.delta"]
    assert "".join(event["delta"] for event in said) == answer.text
    assert [line for line in data.decode().split("\n") if line.startswith("event: ")] == [
        f"event: {kind}" for kind in kinds
    ]
    assert all("obfuscation" in event for event in said)
    usage = sent[-1]["response"]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens_details"]["reasoning_tokens"] == (9 if answer.reasoning else 0)


@every_answer
def test_a_whole_responses_answer_is_valid_by_openais_description(serve, post, respond, valid, answer):
    status, _, data = post(f"{serve(answer).url}/responses", respond(max_output_tokens=500, user="me"))
    whole = json.loads(data)
    valid("Response", whole)
    assert status == 200
    assert whole["status"] == ("completed" if answer.finish_reason is FinishReason.STOP else "incomplete")


@pytest.mark.parametrize("fault", ["failed:2", "error-event:2"])
def test_failures_inside_a_stream_are_valid_too(serve, post, respond, events, valid, fault):
    sent = events(post(f"{serve('One two three four', parse_fault(fault)).url}/responses", respond(stream=True))[2])
    valid("ResponseStreamEvent", sent[-1])
    assert sent[-1]["type"] == ("response.failed" if fault.startswith("failed") else "error")
    assert [event["type"] for event in sent].count("response.output_text.delta") == 2


def test_padding_is_left_out_when_the_client_says_so(serve, post, chat):
    server = serve(obfuscates=True)
    plain = post(f"{server.url}/chat/completions", chat(stream=True, stream_options={"include_obfuscation": False}))
    padded = post(f"{server.url}/chat/completions", chat(stream=True))
    assert b"obfuscation" not in plain[2]
    assert len(padded[2]) > len(plain[2]) + 100


def test_models_and_errors_are_valid_by_openais_description(serve, client, post, chat, valid):
    server = serve(models=("one", "two"))
    api = client(server)
    assert [model.id for model in api.models.list()] == ["one", "two"]
    assert api.models.retrieve("two").id == "two"
    valid("ListModelsResponse", json.loads(api.models.with_raw_response.list().text))
    status, _, data = post(f"{server.url}/chat/completions", chat(model="three"))
    valid("ErrorResponse", json.loads(data))
    assert (status, json.loads(data)["error"]["code"]) == (404, "model_not_found")


@every_answer
def test_openais_client_reads_a_chat_stream(serve, client, answer):
    stream = client(serve(answer)).chat.completions.create(
        model="codex-spark-preview",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [strictly(chunk) for chunk in stream]
    kind = "refusal" if answer.refusal else "content"
    assert "".join(getattr(c.choices[0].delta, kind) or "" for c in chunks if c.choices) == answer.text
    assert chunks[-1].usage.completion_tokens == chunks[-1].usage.total_tokens - chunks[-1].usage.prompt_tokens


@every_answer
def test_openais_client_reads_a_responses_stream(serve, client, answer):
    events = client(serve(answer)).responses.create(model="codex-spark-preview", input="Hi", stream=True)
    *_, last = [strictly(event) for event in events]
    parts = last.response.output[-1].content
    assert (parts[0].refusal if answer.refusal else parts[0].text) == answer.text


def test_openais_stream_helpers_agree(serve, client):
    api = client(serve("Hello wörld"))
    with api.chat.completions.stream(
        model="codex-spark-preview", messages=[{"role": "user", "content": "Hi"}]
    ) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Hello wörld"
    with api.responses.stream(model="codex-spark-preview", input="Hi") as stream:
        assert stream.get_final_response().output_text == "Hello wörld"


def test_openais_client_raises_its_own_errors(serve, client):
    def ask(server, **more):
        return client(server).chat.completions.create(
            model="codex-spark-preview", messages=[{"role": "user", "content": "Hi"}], **more
        )

    with pytest.raises(openai.AuthenticationError):
        ask(serve(api_key="another"))
    with pytest.raises(openai.RateLimitError) as limited:
        ask(serve("x", parse_fault("429:2")))
    assert limited.value.response.headers["retry-after"] == "2"
    with pytest.raises(openai.InternalServerError):
        ask(serve("x", parse_fault("500")))
    with pytest.raises(openai.BadRequestError) as rejected:
        ask(serve(rejects=frozenset({"temperature"})), temperature=0)
    assert rejected.value.param == "temperature"
    assert rejected.value.code == "unsupported_parameter"


def strictly(value):
    """The same value, built again by pydantic with its types enforced: the client itself checks none."""
    return type(value).model_validate(value.model_dump(mode="json", by_alias=True, warnings="error"))
