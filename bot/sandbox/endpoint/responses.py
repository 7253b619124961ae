"""POST /v1/responses on the wire: its event sequence and the whole object, in OpenAI's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.sandbox.endpoint.answers import AnswerUsage, FinishReason
from bot.sandbox.endpoint.spoken import Spoken, dumps, quoted
from bot.sandbox.endpoint.timeline import Wire

_REASONS = {FinishReason.LENGTH: "max_output_tokens", FinishReason.CONTENT_FILTER: "content_filter"}
_SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"


def whole(spoken: Spoken) -> bytes:
    """The answer to a request without `stream`."""
    return dumps(_response(spoken, _final_status(spoken), _output(spoken), with_usage=True))


def stream(spoken: Spoken) -> Wire:
    """The answer as events, from `response.created` to `response.completed` or `response.incomplete`."""
    writer = _Writer()
    prelude = b"".join(
        writer.event(f"response.{name}", {"response": _response(spoken, "in_progress", [])})
        for name in ("created", "in_progress")
    )
    head, tokens = b"", []
    if spoken.reasoning:
        head, thoughts = _reasoning(spoken, writer)
        tokens += thoughts
    place = {"item_id": _message_id(spoken), "output_index": len(_output(spoken)) - 1}
    part = place | {"content_index": 0}
    opening = writer.event(
        "response.output_item.added",
        {"output_index": place["output_index"], "item": _message(spoken, "in_progress", [])},
    ) + writer.event("response.content_part.added", part | {"part": _part(spoken, "")})
    kind = "refusal" if spoken.refusal else "output_text"
    logprobs: dict[str, object] = {} if spoken.refusal else {"logprobs": []}
    padding = {"obfuscation": spoken.padding} if spoken.padding else {}
    if tokens:
        tokens[-1] += opening
    else:
        head += opening
    tokens += writer.deltas(f"response.{kind}.delta", part | logprobs | padding, spoken.text)
    failing = _Writer(writer.number)
    text = "".join(spoken.text)
    said = {"refusal": text} if spoken.refusal else {"text": text} | logprobs
    status = _final_status(spoken)
    item_status = "completed" if status == "completed" else "incomplete"
    message = _message(spoken, item_status, [_part(spoken, text)])
    tail = (
        writer.event(f"response.{kind}.done", part | said)
        + writer.event("response.content_part.done", part | {"part": _part(spoken, text)})
        + writer.event("response.output_item.done", {"output_index": place["output_index"], "item": message})
        + writer.event(f"response.{status}", {"response": _response(spoken, status, _output(spoken), with_usage=True)})
    )
    return Wire(
        prelude=prelude,
        head=head,
        tokens=tuple(tokens),
        tail=tail,
        error=failing.event("error", {"code": "server_error", "message": _SERVER_ERROR, "param": None}),
        failed=failing.event("response.failed", {"response": _response(spoken, "failed", [])}),
    )


@dataclass(slots=True)
class _Writer:
    """Events, each with its number in the sequence."""

    number: int = 0

    def event(self, kind: str, fields: Mapping[str, object]) -> bytes:
        data = dumps({"type": kind, "sequence_number": self.number, **fields})
        self.number += 1
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"

    def deltas(self, kind: str, fields: Mapping[str, object], parts: tuple[str, ...]) -> list[bytes]:
        before = b'event: %b\ndata: {"type":"%b","sequence_number":' % (kind.encode(), kind.encode())
        behind = b"," + dumps(fields)[1:-1] + b',"delta":'
        start = self.number
        self.number += len(parts)
        return [b"%b%d%b%b}\n\n" % (before, start + at, behind, quoted(part)) for at, part in enumerate(parts)]


def _reasoning(spoken: Spoken, writer: _Writer) -> tuple[bytes, list[bytes]]:
    """The events of the reasoning item: what comes with its first token, and its tokens."""
    text = "".join(spoken.reasoning)
    place = {"item_id": _reasoning_id(spoken), "output_index": 0, "summary_index": 0}
    empty = {"type": "summary_text", "text": ""}
    full = {"type": "summary_text", "text": text}
    head = writer.event(
        "response.output_item.added",
        {"output_index": 0, "item": {"id": _reasoning_id(spoken), "type": "reasoning", "summary": []}},
    ) + writer.event("response.reasoning_summary_part.added", place | {"part": empty})
    tokens = writer.deltas("response.reasoning_summary_text.delta", place, spoken.reasoning)
    tokens[-1] += (
        writer.event("response.reasoning_summary_text.done", place | {"text": text})
        + writer.event("response.reasoning_summary_part.done", place | {"part": full})
        + writer.event("response.output_item.done", {"output_index": 0, "item": _output(spoken)[0]})
    )
    return head, tokens


def _final_status(spoken: Spoken) -> str:
    return "completed" if spoken.finish_reason is FinishReason.STOP else "incomplete"


def _message_id(spoken: Spoken) -> str:
    return spoken.id.replace("resp", "msg", 1)


def _reasoning_id(spoken: Spoken) -> str:
    return spoken.id.replace("resp", "rs", 1)


def _part(spoken: Spoken, text: str) -> dict[str, object]:
    if spoken.refusal:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _message(spoken: Spoken, status: str, content: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": _message_id(spoken),
        "type": "message",
        "status": status,
        "content": content,
        "role": "assistant",
    }


def _output(spoken: Spoken) -> list[dict[str, object]]:
    status = "completed" if _final_status(spoken) == "completed" else "incomplete"
    message = _message(spoken, status, [_part(spoken, "".join(spoken.text))])
    if not spoken.reasoning:
        return [message]
    summary = [{"type": "summary_text", "text": "".join(spoken.reasoning)}]
    return [{"id": _reasoning_id(spoken), "type": "reasoning", "summary": summary}, message]


def _response(
    spoken: Spoken, status: str, output: list[dict[str, object]], *, with_usage: bool = False
) -> dict[str, object]:
    body = spoken.request.body
    reasoning = body.get("reasoning")
    asked = reasoning if isinstance(reasoning, Mapping) else {}
    incomplete = {"reason": _REASONS[spoken.finish_reason]} if status == "incomplete" else None
    response: dict[str, object] = {
        "id": spoken.id,
        "object": "response",
        "created_at": spoken.created,
        "status": status,
        "background": False,
        "error": {"code": "server_error", "message": _SERVER_ERROR} if status == "failed" else None,
        "incomplete_details": incomplete,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": spoken.request.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": asked.get("effort"), "summary": asked.get("summary")},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "metadata": body.get("metadata") or {},
        **{name: body[name] for name in ("prompt_cache_key", "safety_identifier", "user") if body.get(name)},
    }
    if with_usage and spoken.usage is not None:
        response["usage"] = _usage(spoken.usage)
    if with_usage and spoken.time_info is not None:
        response["time_info"] = dict(spoken.time_info)
    return response


def _usage(usage: AnswerUsage) -> dict[str, object]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
