"""Is this body a request that the real endpoint would take? If not, OpenAI's own error.

Knows the parameters of `POST /v1/chat/completions` and `POST /v1/responses` with their types, ranges and closed sets of
values; a parameter that is not listed is refused. Nested objects are checked where Spark sends them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bot.sandbox.endpoint.answers import Api

_EFFORT = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiError:
    """An answer with OpenAI's error object."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None

    def body(self) -> bytes:
        """The JSON to send."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode()


@dataclass(frozen=True, slots=True)
class _Type:
    names: str
    """JSON types that are allowed, in OpenAI's words, separated by `|`."""
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()


_STRING, _BOOLEAN, _OBJECT, _ARRAY = _Type("string"), _Type("boolean"), _Type("object"), _Type("array")
_SAME: Mapping[str, _Type] = {
    "metadata": _OBJECT,
    "model": _STRING,
    "moderation": _OBJECT,
    "parallel_tool_calls": _BOOLEAN,
    "prompt_cache_key": _STRING,
    "prompt_cache_options": _OBJECT,
    "prompt_cache_retention": _Type("string", values=("in_memory", "24h")),
    "safety_identifier": _STRING,
    "service_tier": _Type("string", values=("auto", "default", "flex", "scale", "priority", "fast")),
    "store": _BOOLEAN,
    "stream": _BOOLEAN,
    "stream_options": _OBJECT,
    "temperature": _Type("decimal", 0, 2),
    "tool_choice": _Type("string|object"),
    "tools": _ARRAY,
    "top_logprobs": _Type("integer", 0, 20),
    "top_p": _Type("decimal", 0, 1),
    "user": _STRING,
}
CHAT: Mapping[str, _Type] = {
    **_SAME,
    "audio": _OBJECT,
    "frequency_penalty": _Type("decimal", -2, 2),
    "function_call": _Type("string|object"),
    "functions": _ARRAY,
    "logit_bias": _OBJECT,
    "logprobs": _BOOLEAN,
    "max_completion_tokens": _Type("integer", 1),
    "max_tokens": _Type("integer", 1),
    "messages": _ARRAY,
    "modalities": _ARRAY,
    "n": _Type("integer", 1, 128),
    "prediction": _OBJECT,
    "presence_penalty": _Type("decimal", -2, 2),
    "reasoning_effort": _Type("string", values=_EFFORT),
    "response_format": _OBJECT,
    "seed": _Type("integer"),
    "stop": _Type("string|array"),
    "verbosity": _Type("string", values=("low", "medium", "high")),
    "web_search_options": _OBJECT,
}
RESPONSES: Mapping[str, _Type] = {
    **_SAME,
    "access_programs": _OBJECT,
    "background": _BOOLEAN,
    "background_options": _OBJECT,
    "context_management": _ARRAY,
    "conversation": _Type("string|object"),
    "image": _OBJECT,
    "include": _ARRAY,
    "input": _Type("string|array"),
    "instructions": _STRING,
    "max_output_tokens": _Type("integer", 16),
    "max_tool_calls": _Type("integer", 1),
    "previous_response_id": _STRING,
    "prompt": _OBJECT,
    "reasoning": _OBJECT,
    "service_tier": _Type("string", values=("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")),
    "text": _OBJECT,
    "truncation": _Type("string", values=("auto", "disabled")),
}
_INSIDE: Mapping[Api, Mapping[str, Mapping[str, _Type]]] = {
    Api.CHAT: {
        "stream_options": {"include_usage": _BOOLEAN, "include_obfuscation": _BOOLEAN},
        "response_format": {"type": _STRING, "json_schema": _OBJECT},
    },
    Api.RESPONSES: {
        "stream_options": {"include_obfuscation": _BOOLEAN},
        "reasoning": {
            "effort": _Type("string", values=_EFFORT),
            "summary": _Type("string", values=("auto", "concise", "detailed")),
            "generate_summary": _STRING,
            "context": _STRING,
            "mode": _STRING,
        },
        "text": {"format": _OBJECT, "verbosity": _Type("string", values=("low", "medium", "high"))},
    },
}
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_NEEDED = {Api.CHAT: ("model", "messages"), Api.RESPONSES: ("model", "input")}
_PARTS = {"text", "input_text", "output_text", "refusal"}


def read_body(data: bytes) -> dict[str, object] | ApiError:
    """The JSON object in `data`."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        message = "We could not parse the JSON body of your request. The body must be a JSON object."
        return ApiError(status=400, message=message)
    if not isinstance(body, dict):
        return ApiError(status=400, message="Invalid type for the body: expected an object.", code="invalid_type")
    return body


def check(api: Api, body: Mapping[str, object], rejects: Collection[str]) -> ApiError | None:
    """What the real endpoint would say against `body`; None when it would take it.

    `rejects` names parameters that this endpoint does not support, `reasoning.effort` for one inside of another.
    """
    known = CHAT if api is Api.CHAT else RESPONSES
    for name in body:
        if name not in known:
            if api is Api.CHAT:
                return ApiError(status=400, message=f"Unrecognized request argument supplied: {name}")
            return ApiError(status=400, message=f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    for name in _NEEDED[api]:
        if body.get(name) is None:
            message = f"Missing required parameter: '{name}'."
            return ApiError(status=400, message=message, param=name, code="missing_required_parameter")
    for name, value in body.items():
        if error := _check_one(name, value, known[name]) or _check_inside(api, name, value, rejects):
            return error
        if name in rejects and value is not None:
            return unsupported(name)
    return _check_together(api, body)


def unsupported(name: str) -> ApiError:
    """OpenAI's refusal of a parameter that this model does not support."""
    instead = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}.get(name)
    hint = f" Use '{instead}' instead." if instead else ""
    message = f"Unsupported parameter: '{name}' is not supported with this model.{hint}"
    return ApiError(status=400, message=message, param=name, code="unsupported_parameter")


def _check_inside(api: Api, name: str, value: object, rejects: Collection[str]) -> ApiError | None:
    allowed = _INSIDE[api].get(name)
    if allowed is None or not isinstance(value, Mapping):
        return None
    for inner, held in value.items():
        path = f"{name}.{inner}"
        if inner not in allowed:
            return ApiError(status=400, message=f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")
        if error := _check_one(path, held, allowed[inner]):
            return error
        if path in rejects or (path == "reasoning.effort" and "reasoning_effort" in rejects):
            return unsupported(path)
    return None


def _check_one(name: str, value: object, wanted: _Type) -> ApiError | None:
    if value is None:
        return None
    got = _json_type(value)
    names = wanted.names.split("|")
    if got not in names and not (got == "integer" and "decimal" in names):
        expected = " or ".join(_article(each) for each in names)
        message = f"Invalid type for '{name}': expected {expected}, but got {_article(got)} instead."
        return ApiError(status=400, message=message, param=name, code="invalid_type")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for bound, bad, word, sign in (
            (wanted.low, wanted.low is not None and value < wanted.low, "below_min", ">="),
            (wanted.high, wanted.high is not None and value > wanted.high, "above_max", "<="),
        ):
            if bad:
                plain = word.replace("_min", " minimum").replace("_max", " maximum")
                message = (
                    f"Invalid '{name}': {names[0]} {plain} value. Expected a value {sign} {bound:g}, "
                    f"but got {value:g} instead."
                )
                return ApiError(status=400, message=message, param=name, code=f"{names[0]}_{word}_value")
    if wanted.values and isinstance(value, str) and value not in wanted.values:
        listed = ", ".join(f"'{each}'" for each in wanted.values)
        message = f"Invalid value: '{value}'. Supported values are: {listed}."
        return ApiError(status=400, message=message, param=name, code="invalid_value")
    return None


def _check_together(api: Api, body: Mapping[str, object]) -> ApiError | None:
    if api is Api.RESPONSES:
        held = body["input"]
        return _check_messages("input", held) if isinstance(held, list) else None
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        return ApiError(status=400, message=message, param="max_tokens", code="invalid_parameter_combination")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return ApiError(status=400, message=message, param="stream_options")
    return _check_messages("messages", body["messages"])


def _check_messages(name: str, messages: object) -> ApiError | None:
    if not isinstance(messages, list) or not messages:
        message = f"Invalid '{name}': empty array. Expected an array with minimum length 1."
        return ApiError(status=400, message=message, param=name, code="empty_array")
    for index, message in enumerate(messages):
        if error := _check_message(f"{name}[{index}]", message):
            return error
    return None


def _check_message(path: str, message: object) -> ApiError | None:
    if not isinstance(message, Mapping):
        text = f"Invalid type for '{path}': expected an object, but got {_article(_json_type(message))} instead."
        return ApiError(status=400, message=text, param=path, code="invalid_type")
    role = message.get("role")
    if role not in _ROLES:
        listed = ", ".join(f"'{each}'" for each in _ROLES)
        text = f"Invalid value: '{role}'. Supported values are: {listed}."
        return ApiError(status=400, message=text, param=f"{path}.role", code="invalid_value")
    content = message.get("content")
    whole = isinstance(content, str) or (role == "assistant" and content is None)
    parts = isinstance(content, list) and all(
        isinstance(part, Mapping) and part.get("type") in _PARTS for part in content
    )
    if not whole and not parts:
        text = f"Invalid value for '{path}.content': expected a string or an array of text parts."
        return ApiError(status=400, message=text, param=f"{path}.content", code="invalid_type")
    return None


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "decimal"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}"
