"""The openai SDK as we use it: it builds, authorises and sends the requests; the bytes that come back are ours to read.

This is the only module that imports the SDK, which takes 0.7 s: `SparkModel` loads it when it is first needed, or
early and aside through `SparkModel.warm`. Foreign errors become values here, by one table. No retries and no redirects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import httpx2
import openai

from bot.diff.model import printable
from bot.model.endpoint import Api, Endpoint, HttpOptions
from bot.model.faults import Refusal
from bot.model.wire import Backend, Guard, Transport
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

_IDENTITY: Final = {"Accept-Encoding": "identity"}
"""A compressing proxy would hold tokens back until its buffer is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The connection failed before or while the answer came."""

    end: StreamEnd
    detail: str


class _Raw(Protocol):
    """What the SDK hands out for either API when it is told not to read the answer itself."""

    @property
    def http_response(self) -> httpx2.Response: ...


class Reply:
    """An answer with a success status, whose body is still to come."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.broken: Broken | None = None
        """Why the bytes ended early; None while they flow and after a clean end."""

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters."""
        return self._response.headers.get("content-type", "").split(";")[0].strip().lower()

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they arrive. Never raises: a failure is left in `broken`."""
        plain = "content-encoding" not in self._response.headers
        try:
            yield from self._response.iter_raw() if plain else self._response.iter_bytes()
        except httpx2.RequestError as error:
            self.broken = _broken(error)


class Sdk:
    """One client for one endpoint, built once and used by all threads."""

    def __init__(self, endpoint: Endpoint, options: HttpOptions) -> None:
        self._endpoint = endpoint
        self._options = options
        self._backend = Backend()
        self._client = openai.OpenAI(
            # A server that needs no key still gets a header; the SDK insists.
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(options.stall_seconds, connect=options.connect_seconds),
            http_client=httpx2.Client(
                transport=Transport(endpoint.base_url, options, self._backend), follow_redirects=False
            ),
        )
        if endpoint.preset != "openai":
            # The SDK reads these from OPENAI_* variables; they are nobody else's business.
            self._client.organization = None
            self._client.project = None

    def warm(self) -> None:
        """Do now what the SDK puts off until the first request: imports of 0.3 s and more."""
        _ = self._client.chat.completions.with_streaming_response
        _ = self._client.responses.with_streaming_response
        _ = self._client.models

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()

    @contextmanager
    def open(
        self, prompt: Prompt, parameters: Mapping[str, object], guard: Guard
    ) -> Iterator[Reply | Refusal | Broken]:
        """Send one request and hand out what came. Within the block, this thread's waits are under `guard`."""
        with self._backend.guarded(guard), ExitStack() as stack:
            yield self._entered(stack, self._request(prompt, parameters))

    def models(self, guard: Guard) -> list[str] | Refusal | Broken:
        """The names that `/v1/models` lists."""
        with self._backend.guarded(guard):
            try:
                page = self._client.models.list(extra_headers=_IDENTITY)
            except openai.APIStatusError as error:
                return _refusal(error)
            except (openai.APIError, httpx2.RequestError, ValueError) as error:
                return _broken(error)
        # The SDK does not validate: a compatible server may have answered anything.
        listed: object = getattr(page, "data", None)
        names = (getattr(model, "id", None) for model in (listed if isinstance(listed, list) else ()))
        return sorted(name for name in names if isinstance(name, str))

    def _entered(self, stack: ExitStack, request: AbstractContextManager[_Raw, None]) -> Reply | Refusal | Broken:
        try:
            return Reply(stack.enter_context(request).http_response)
        except openai.APIStatusError as error:
            return _refusal(error)
        except (openai.APIError, httpx2.RequestError) as error:
            return _broken(error)

    def _request(self, prompt: Prompt, parameters: Mapping[str, object]) -> AbstractContextManager[_Raw, None]:
        # The texts go in as `extra_body`: the SDK walks through its own arguments by their types, 0.35 ms a call.
        system, user = printable(prompt.system), printable(prompt.user)
        if self._endpoint.api is Api.RESPONSES:
            return self._client.responses.with_streaming_response.create(
                model=self._endpoint.model,
                stream=True,
                extra_body={"instructions": system, "input": user, **parameters},
                extra_headers=_IDENTITY,
            )
        return self._client.chat.completions.with_streaming_response.create(
            model=self._endpoint.model,
            messages=(),
            stream=True,
            # The static part of the prompt first, so that endpoints can cache it.
            extra_body={
                "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
                **parameters,
            },
            extra_headers=_IDENTITY,
        )


def _refusal(error: openai.APIStatusError) -> Refusal:
    response = error.response
    return Refusal(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=response.content,
    )


def _broken(error: Exception) -> Broken:
    """A failure of the transport, by the table. The SDK wraps such failures; what it wrapped says more."""
    cause = error.__cause__ if isinstance(error, openai.APIError) and isinstance(error.__cause__, Exception) else error
    end = next((end for kind, end in _ENDS if isinstance(cause, kind)), StreamEnd.CUT)
    return Broken(end=end, detail=str(cause) or type(cause).__name__)
