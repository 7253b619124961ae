"""POST /v1/chat/completions on the wire: chunks and the whole object, in OpenAI's shapes."""

from __future__ import annotations

from collections.abc import Mapping

from bot.sandbox.endpoint.spoken import Spoken, around, dumps, quoted
from bot.sandbox.endpoint.timeline import Wire

_HOLE = "\x00hole\x00"
FINGERPRINT = "fp_sandbox"


def whole(spoken: Spoken) -> bytes:
    """The answer to a request without `stream`."""
    text = "".join(spoken.text)
    message: dict[str, object] = {
        "role": "assistant",
        "content": None if spoken.refusal else text,
        "refusal": text if spoken.refusal else None,
        "annotations": [],
    }
    if spoken.reasoning:
        message["reasoning"] = "".join(spoken.reasoning)
    body: dict[str, object] = {
        "id": spoken.id,
        "object": "chat.completion",
        "created": spoken.created,
        "model": spoken.request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": str(spoken.finish_reason)}],
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    if spoken.usage is not None:
        body["usage"] = _usage(spoken)
    return dumps(body | _time_info(spoken))


def stream(spoken: Spoken) -> Wire:
    """The answer as chunks: role, deltas, finish, usage where it was asked for, `[DONE]`."""
    asked = _wants_usage(spoken.request.body)
    base: dict[str, object] = {
        "id": spoken.id,
        "object": "chat.completion.chunk",
        "created": spoken.created,
        "model": spoken.request.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    nothing: dict[str, object] = {"usage": None} if asked else {}
    if spoken.padding:
        nothing["obfuscation"] = spoken.padding

    def chunk(delta: Mapping[str, object], finish: str | None = None) -> dict[str, object]:
        choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish}
        return base | {"choices": [choice]} | nothing

    kind = "refusal" if spoken.refusal else "content"
    first: dict[str, object] = {"role": "assistant", "content": "", "refusal": None}
    finish = chunk({}, str(spoken.finish_reason))
    usage_chunk = base | {"choices": [], "usage": _usage(spoken)} if asked and spoken.usage is not None else None
    if usage_chunk is None:
        finish |= _time_info(spoken)
    else:
        usage_chunk |= _time_info(spoken)
    last = b"".join(_event(dumps(each)) for each in (finish, usage_chunk) if each is not None)
    error = _event(
        dumps(
            {
                "error": {
                    "message": "The server had an error while processing your request. Sorry about that!",
                    "type": "server_error",
                    "param": None,
                    "code": None,
                }
            }
        )
    )
    return Wire(
        prelude=b"",
        head=_event(dumps(chunk(first))),
        tokens=(*_deltas(chunk({"reasoning": _HOLE}), spoken.reasoning), *_deltas(chunk({kind: _HOLE}), spoken.text)),
        tail=last + _event(b"[DONE]"),
        error=error,
        failed=error,
    )


def _deltas(template: Mapping[str, object], parts: tuple[str, ...]) -> list[bytes]:
    before, behind = around(template, _HOLE)
    before, behind = b"data: " + before, behind + b"\n\n"
    return [before + quoted(part) + behind for part in parts]


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _wants_usage(body: Mapping[str, object]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def _time_info(spoken: Spoken) -> dict[str, object]:
    return {} if spoken.time_info is None else {"time_info": dict(spoken.time_info)}


def _usage(spoken: Spoken) -> dict[str, object] | None:
    usage = spoken.usage
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
