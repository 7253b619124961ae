"""What the endpoint answers to one HTTP request: a decision, without sockets and without waiting."""

from __future__ import annotations

import gzip
import hmac
import random
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

from bot.sandbox.endpoint import chat, responses
from bot.sandbox.endpoint.answers import Answer, Api, EndpointRequest
from bot.sandbox.endpoint.faults import Fault, FaultKind, RetryForm, parse_fault
from bot.sandbox.endpoint.options import EndpointOptions
from bot.sandbox.endpoint.spoken import Spoken, dumps, speak
from bot.sandbox.endpoint.timeline import Timeline, play
from bot.sandbox.endpoint.tokens import PrefixCache, count
from bot.sandbox.endpoint.validate import ApiError, check, read_body

JSON = ("content-type", "application/json")
_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>\n"
_ROUTES = {"/v1/chat/completions": Api.CHAT, "/v1/responses": Api.RESPONSES}
_PROMPT_SPEED = 20_000.0
"""Input tokens per second, for `time_info` alone."""
_PADDING = "x" * 120
"""The real padding varies; about a chunk's own size is what it costs."""
_MAX_PLAIN = 64 * 1024 * 1024

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A whole body, sent `delay` seconds after the request."""

    status: int
    headers: Headers
    body: bytes
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """Server-sent events along a timeline."""

    headers: Headers
    timeline: Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """The connection is closed without a byte."""


Reply = Plain | Streamed | HangUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A reply with what the log should say about it."""

    reply: Reply
    request: EndpointRequest | None = None
    answer: Answer | None = None
    fault: Fault | None = None


@dataclass(slots=True)
class Service:
    """One endpoint: its options, its cache of prompts and its counters. Used from one thread."""

    options: EndpointOptions
    _cache: PrefixCache = field(default_factory=PrefixCache)
    _calls: int = 0
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.options.seed)  # noqa: S311 - it draws faults, not secrets

    def decide(self, method: str, target: str, headers: Mapping[str, str], data: bytes) -> Decision:
        """The answer to one request. `headers` has lower-case names."""
        path = target.split("?", 1)[0]
        if (refused := self._authorised(headers)) is not None:
            return Decision(reply=_error(refused))
        if path == "/v1/models" or path.startswith("/v1/models/"):
            return Decision(reply=self._models(method, path.removeprefix("/v1/models").strip("/")))
        api = _ROUTES.get(path)
        if api is None or method != "POST":
            message = f"Invalid URL ({method} {path})" if api is None else f"Not allowed to {method} on {path}"
            return Decision(reply=_error(ApiError(status=404 if api is None else 405, message=message)))
        return self._text(api, headers, data)

    def _authorised(self, headers: Mapping[str, str]) -> ApiError | None:
        wanted = self.options.api_key
        given = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if wanted is None or hmac.compare_digest(given.encode(), wanted.encode()):
            return None
        message = "Incorrect API key provided." if given else "You didn't provide an API key."
        return ApiError(status=401, message=message, code="invalid_api_key")

    def _models(self, method: str, name: str) -> Plain:
        if method != "GET":
            return _error(ApiError(status=405, message=f"Not allowed to {method} on /v1/models"))
        listed = [{"id": each, "object": "model", "created": 0, "owned_by": "sandbox"} for each in self.options.models]
        if not name:
            return Plain(status=200, headers=(JSON,), body=dumps({"object": "list", "data": listed}))
        found = [each for each in listed if each["id"] == name]
        return Plain(status=200, headers=(JSON,), body=dumps(found[0])) if found else _error(_no_model(name))

    def _text(self, api: Api, headers: Mapping[str, str], data: bytes) -> Decision:
        number = self._calls
        self._calls += 1
        fault = self._fault(number, headers)
        if isinstance(fault, ApiError):
            return Decision(reply=_error(fault))
        body = _unzipped(headers, data)
        if isinstance(body, ApiError):
            return Decision(reply=_error(body))
        if (wrong := check(api, body, self.options.rejects)) is not None:
            return Decision(reply=_error(wrong))
        model = str(body["model"])
        if self.options.models and model not in self.options.models:
            return Decision(reply=_error(_no_model(model)))
        request = _request(number, api, headers, body)
        prompt = self._cache.look(f"{request.system}\n{request.user}")
        if (long := self._too_long(request, prompt[0])) is not None:
            return Decision(reply=_error(long), request=request)
        try:
            answer = self.options.script(request)
        except Exception as error:  # noqa: BLE001 - a script is somebody else's code; its client is told
            broken = ApiError(status=500, message=f"the script failed: {error!r}", kind="sandbox_script")
            return Decision(reply=_error(broken), request=request)
        fault = answer.fault or fault
        return Decision(reply=self._reply(request, answer, fault, prompt), request=request, answer=answer, fault=fault)

    def _fault(self, number: int, headers: Mapping[str, str]) -> Fault | ApiError | None:
        named = headers.get("x-sandbox-fault")
        if named:
            try:
                return parse_fault(named)
            except ValueError as error:
                return ApiError(status=400, message=str(error), param="x-sandbox-fault")
        if number < len(self.options.faults):
            return self.options.faults[number]
        if self.options.fault_pool and self._dice.random() < self.options.fault_rate:
            return self._dice.choice(self.options.fault_pool)
        return None

    def _too_long(self, request: EndpointRequest, prompt: int) -> ApiError | None:
        wanted = prompt + (request.max_tokens or 0)
        if wanted <= self.options.context:
            return None
        message = (
            f"This model's maximum context length is {self.options.context} tokens. However, you requested {wanted} "
            f"tokens ({prompt} in the messages, {request.max_tokens or 0} in the completion). Please reduce the length."
        )
        return ApiError(status=400, message=message, param="messages", code="context_length_exceeded")

    def _reply(self, request: EndpointRequest, answer: Answer, fault: Fault | None, prompt: tuple[int, int]) -> Reply:
        ttft = self.options.ttft if answer.ttft is None else answer.ttft
        tps = self.options.tps if answer.tps is None else answer.tps
        if (early := _instead(fault)) is not None:
            return early
        prefix = "chatcmpl" if request.api is Api.CHAT else "resp"
        spoken = speak(
            answer,
            request,
            id_=f"{prefix}_sandbox{request.number:06d}",
            created=int(time.time()),
            prompt=prompt,
            fault=fault,
            time_info=self._time_info(prompt[0], count(answer.text), tps) if self.options.time_info else None,
            padding=_PADDING if self.options.obfuscates and not _unpadded(request.body) else "",
        )
        wire = chat if request.api is Api.CHAT else responses
        identity = ("x-request-id", f"req_sandbox{request.number:06d}")
        as_json = fault is not None and fault.kind is FaultKind.JSON
        if not request.stream or as_json:
            return Plain(
                status=200, headers=(JSON, identity), body=wire.whole(spoken), delay=_whole_delay(spoken, ttft, tps)
            )
        timeline = play(wire.stream(spoken), ttft=ttft, tps=tps, fault=fault)
        kind = ("content-type", "text/event-stream; charset=utf-8")
        return Streamed(headers=(kind, ("cache-control", "no-cache"), identity), timeline=timeline)

    def _time_info(self, prompt: int, output: int, tps: float) -> dict[str, float]:
        reading, writing = prompt / _PROMPT_SPEED, output / tps
        return {
            "queue_time": 0.001,
            "prompt_time": round(reading, 6),
            "completion_time": round(writing, 6),
            "total_time": round(0.001 + reading + writing, 6),
        }


def _unpadded(body: Mapping[str, object]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_obfuscation") is False


def _whole_delay(spoken: Spoken, ttft: float, tps: float) -> float:
    return ttft + max(0, spoken.tokens - 1) / tps


def _instead(fault: Fault | None) -> Reply | None:
    """The reply to a request that gets no answer at all."""
    if fault is None:
        return None
    match fault.kind:
        case FaultKind.HANG_UP:
            return HangUp()
        case FaultKind.HTML:
            return Plain(status=200, headers=(("content-type", "text/html; charset=utf-8"),), body=_PAGE)
        case FaultKind.STATUS:
            return _error(_status_error(fault.status), _retry_headers(fault))
        case _:
            return None


def _status_error(status: int) -> ApiError:
    match status:
        case 401:
            return ApiError(status=401, message="Incorrect API key provided.", code="invalid_api_key")
        case 404:
            return _no_model("gone")
        case 429:
            message = "Rate limit reached for requests. Please try again later."
            return ApiError(status=429, message=message, kind="requests", code="rate_limit_exceeded")
        case 503:
            message = "The engine is currently overloaded, please try again later."
            return ApiError(status=503, message=message, kind="server_error")
        case _ if status >= 500:
            message = "The server had an error while processing your request. Sorry about that!"
            return ApiError(status=status, message=message, kind="server_error")
        case _:
            return ApiError(status=status, message=f"The request was refused with status {status}.")


def _retry_headers(fault: Fault) -> Headers:
    if fault.retry_after is None:
        return ()
    match fault.retry_form:
        case RetryForm.SECONDS:
            return (("retry-after", f"{fault.retry_after:g}"),)
        case RetryForm.MILLISECONDS:
            return (("retry-after-ms", f"{fault.retry_after * 1000:g}"),)
        case RetryForm.DATE:
            # A date has whole seconds: rounded up, so that it never says less than was meant.
            return (("retry-after", formatdate(int(time.time() + fault.retry_after) + 1, usegmt=True)),)
        case RetryForm.NONE:
            return ()


def _error(error: ApiError, more: Headers = ()) -> Plain:
    return Plain(status=error.status, headers=(JSON, *more), body=error.body())


def _no_model(name: str) -> ApiError:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return ApiError(status=404, message=message, code="model_not_found")


def _unzipped(headers: Mapping[str, str], data: bytes) -> dict[str, object] | ApiError:
    encoding = headers.get("content-encoding", "identity")
    if encoding not in {"identity", "gzip"}:
        return ApiError(status=415, message=f"Unsupported content encoding: {encoding}")
    if encoding == "gzip":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return ApiError(status=400, message="The body is not valid gzip.")
    if len(data) > _MAX_PLAIN:
        return ApiError(status=413, message="The request body is too large.")
    return read_body(data)


def _request(number: int, api: Api, headers: Mapping[str, str], body: Mapping[str, object]) -> EndpointRequest:
    messages = body["messages"] if api is Api.CHAT else body["input"]
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    assert isinstance(messages, list)
    system = [_text_of(each) for each in messages if each["role"] in {"system", "developer"}]
    if api is Api.RESPONSES and isinstance(body.get("instructions"), str):
        system.insert(0, str(body["instructions"]))
    names = ("max_completion_tokens", "max_tokens") if api is Api.CHAT else ("max_output_tokens",)
    limit = next((value for name in names if isinstance(value := body.get(name), int)), None)
    return EndpointRequest(
        number=number,
        api=api,
        body=body,
        headers={name: value for name, value in headers.items() if name != "authorization"},
        model=str(body["model"]),
        stream=body.get("stream") is True,
        system="\n\n".join(system),
        user="\n\n".join(_text_of(each) for each in messages if each["role"] not in {"system", "developer"}),
        max_tokens=limit,
    )


def _text_of(message: Mapping[str, object]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", part.get("refusal", ""))) for part in content)
    return content if isinstance(content, str) else ""
