"""The openai SDK as we use it: it says what a request to this endpoint is, with its authorisation, headers, URL and texts.

The SDK makes one request for each purpose, which is caught before it is sent; every call is a copy of it with a body of its
own, over our own connections. So the SDK's 0.3 ms of Python are paid once and not for each of sixty calls that begin at
once, and its types, which take 0.3 s to load, are never needed.

This is the only module that imports the SDK, which takes 0.5 s: `SparkModel` loads it when it is first needed, or
early and aside through `SparkModel.warm`. Foreign errors become values here, by one table. No retries and no redirects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import httpx2
import jiter
import openai

from bot.diff.model import printable
from bot.model.endpoint import Api, Endpoint, HttpOptions
from bot.model.exchange import Answer, Message, exchange
from bot.model.faults import Refusal
from bot.model.guard import Guard
from bot.model.pool import Pool, Route
from bot.review.ports import Prompt, StreamEnd

_ENDS: Final[tuple[tuple[type[Exception], StreamEnd], ...]] = (
    (httpx2.ConnectTimeout, StreamEnd.UNREACHABLE),
    (httpx2.ConnectError, StreamEnd.UNREACHABLE),
    (httpx2.PoolTimeout, StreamEnd.UNREACHABLE),
    (httpx2.ProxyError, StreamEnd.UNREACHABLE),
    (httpx2.UnsupportedProtocol, StreamEnd.UNREACHABLE),
    (httpx2.TimeoutException, StreamEnd.STALLED),
    (httpx2.DecodingError, StreamEnd.GARBLED),
    (httpx2.RemoteProtocolError, StreamEnd.CUT),
    (httpx2.RequestError, StreamEnd.CUT),
)
"""What a failure of the transport means; the first class that fits counts."""

_HEADERS: Final = {
    # A compressing proxy would hold tokens back until its buffer is full.
    "Accept-Encoding": "identity",
    # What the SDK itself says of a stream whose bytes its caller reads.
    "X-Stainless-Raw-Response": "stream",
}
_PATHS: Final = {Api.CHAT: "/chat/completions", Api.RESPONSES: "/responses"}
_LONGEST_REFUSAL: Final = 4 * 1024 * 1024
"""Bytes that we read of an answer that is no success, and of a list of models."""
_SYSTEMS: Final = 64
"""Static parts of prompts that are kept as JSON: one for each kind of call, pass and configuration at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The connection failed before or while the answer came."""

    end: StreamEnd
    detail: str


class Reply:
    """An answer with a success status, whose body is still to come."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.broken: Broken | None = None
        """Why the bytes ended early; None while they flow and after a clean end."""

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters."""
        return self._answer.header(b"content-type").decode("latin-1").split(";")[0].strip().lower()

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they arrive. Never raises: a failure is left in `broken`."""
        try:
            yield from _plain(self._answer)
        except httpx2.RequestError as error:
            self.broken = _broken(error)

    def pump(self, take: Callable[[bytes], bool]) -> None:
        """The bytes to `take` as they arrive, until the end or until that says True; not always from this thread.

        Never raises but what `take` raises: a failure is left in `broken`.
        """
        if self._answer.header(b"content-encoding"):
            any(map(take, self.chunks()))
            return
        try:
            self._answer.pump(take)
        except httpx2.RequestError as error:
            self.broken = _broken(error)


class Sdk:
    """One client for one endpoint, built once and used by all threads."""

    def __init__(self, endpoint: Endpoint, options: HttpOptions) -> None:
        self._endpoint = endpoint
        self._options = options
        self._pool = Pool(Route(endpoint.base_url, options), options)
        caught = _Caught()
        client = openai.OpenAI(
            # A server that needs no key still gets a header; the SDK insists.
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(options.stall_seconds, connect=options.connect_seconds),
            http_client=httpx2.Client(transport=caught, follow_redirects=False),
        )
        if endpoint.preset != "openai":
            # The SDK reads these from OPENAI_* variables; they are nobody else's business.
            client.organization = None
            client.project = None
        client.post(_PATHS[endpoint.api], body={}, cast_to=httpx2.Response, options={"headers": _HEADERS})
        self._ask = caught.message()
        client.get("/models", cast_to=httpx2.Response, options={"headers": _HEADERS})
        self._list = caught.message()
        client.close()
        self._texts: Callable[[str], str] = lru_cache(_SYSTEMS)(_text)
        self._start = f'{{"model":{_text(endpoint.model)},"stream":true,'

    def open_ahead(self, make_guard: Callable[[], Guard]) -> None:
        """Have some connections ready, where setting one up takes a while. Returns at once."""
        self._pool.open_ahead(make_guard)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    @contextmanager
    def open(
        self, prompt: Prompt, parameters: Mapping[str, object], guard: Guard
    ) -> Iterator[Reply | Refusal | Broken]:
        """Send one request and hand out what came. Within the block, this thread's waits are under `guard`."""
        with ExitStack() as stack:
            yield self._entered(stack, self._ask, self.content(prompt, parameters), guard)

    def content(self, prompt: Prompt, parameters: Mapping[str, object]) -> bytes:
        """The JSON of one request, as the SDK would write it. The static part of a prompt is written once."""
        # The static part first, so that endpoints can cache it.
        system, user = self._texts(prompt.system), _text(prompt.user)
        if self._endpoint.api is Api.RESPONSES:
            texts = f'"instructions":{system},"input":{user}'
        else:
            texts = f'"messages":[{{"role":"system","content":{system}}},{{"role":"user","content":{user}}}]'
        rest = f",{_json(parameters)[1:]}" if parameters else "}"
        return f"{self._start}{texts}{rest}".encode()

    def models(self, guard: Guard) -> list[str] | Refusal | Broken:
        """The names that `/v1/models` lists."""
        with ExitStack() as stack:
            came = self._entered(stack, self._list, b"", guard)
            if not isinstance(came, Reply):
                return came
            body = _some(came.chunks())
            if came.broken is not None:
                return came.broken
        try:
            page = jiter.from_json(body)
        except ValueError as error:
            return _broken(error)
        # A compatible server may have answered anything.
        listed = page.get("data") if isinstance(page, dict) else None
        names = (model.get("id") for model in listed if isinstance(model, dict)) if isinstance(listed, list) else ()
        return sorted(name for name in names if isinstance(name, str))

    def _entered(self, stack: ExitStack, message: Message, content: bytes, guard: Guard) -> Reply | Refusal | Broken:
        try:
            answer = stack.enter_context(exchange(self._pool, message, content, guard))
            return Reply(answer) if 200 <= answer.status < 300 else _refusal(answer)
        except httpx2.RequestError as error:
            return _broken(error)


class _Caught(httpx2.BaseTransport):
    """Takes the SDK's requests and sends nothing."""

    def __init__(self) -> None:
        self._request: httpx2.Request | None = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._request = request
        return httpx2.Response(200)

    def message(self) -> Message:
        """The latest request, to be sent with any body."""
        request = self._request
        assert request is not None
        return Message(
            method=request.method,
            target=request.url.raw_path,
            headers=tuple((name, value) for name, value in request.headers.raw if name.lower() != b"content-length"),
        )


def _text(text: str) -> str:
    return _json(printable(text))


def _json(value: object) -> str:
    """As the SDK writes JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _plain(answer: Answer) -> Iterator[bytes]:
    """The body's bytes, decompressed where a server compresses although it was not asked to. Raises RequestError."""
    if not answer.header(b"content-encoding"):
        return answer.chunks()
    return httpx2.Response(answer.status, headers=list(answer.headers), content=answer.chunks()).iter_bytes()


def _some(chunks: Iterator[bytes]) -> bytes:
    """So many of the bytes as anybody wants to read."""
    parts: list[bytes] = []
    size = 0
    for data in chunks:
        parts.append(data)
        size += len(data)
        if size > _LONGEST_REFUSAL:
            break
    return b"".join(parts)


def _refusal(answer: Answer) -> Refusal:
    headers = httpx2.Headers(list(answer.headers))
    return Refusal(status=answer.status, headers={**headers}, body=_some(_plain(answer)))


def _broken(error: Exception) -> Broken:
    """A failure of the transport, by the table."""
    end = next((end for kind, end in _ENDS if isinstance(error, kind)), StreamEnd.CUT)
    return Broken(end=end, detail=str(error) or type(error).__name__)
