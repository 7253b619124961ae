"""What the stand-in is asked and what it says: requests, answers and the scripts that turn one into the other.

Nothing here knows of sockets or of the wire's JSON. A script must not block: it runs on the server's one thread.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.sandbox.endpoint.faults import Fault


class Api(StrEnum):
    """The two wire protocols."""

    CHAT = "chat"
    RESPONSES = "responses"


class FinishReason(StrEnum):
    """How an answer ends, in Chat Completions' words."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRequest:
    """One call for text, validated. `system` and `user` are the texts of all such messages, joined by a blank line."""

    number: int
    """Counts calls for text from 0, in the order of arrival."""
    api: Api
    body: Mapping[str, object]
    headers: Mapping[str, str]
    """Lower-case names; the key is left out."""
    model: str
    stream: bool
    system: str
    user: str
    max_tokens: int | None

    @property
    def digest(self) -> str:
        """A hash of model-independent content (the messages): the same for a repeated call."""
        return hashlib.sha256(json.dumps([self.system, self.user]).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerUsage:
    """Token counts to report instead of the stand-in's own."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to say and how. None means: as the server's options say."""

    text: str
    ttft: float | None = None
    """Seconds from the request to the first token."""
    tps: float | None = None
    """Tokens per second."""
    finish_reason: FinishReason = FinishReason.STOP
    usage: AnswerUsage | None = None
    fault: Fault | None = None
    reasoning: str = ""
    """Streamed before the text, at the same speed, as the `reasoning` of a delta."""
    refusal: bool = False
    """Say `text` as a refusal."""


Script = Callable[[EndpointRequest], Answer]


def fixed(text: str, *, fault: Fault | None = None) -> Script:
    """Always the same text."""
    answer = Answer(text=text, fault=fault)
    return lambda _request: answer


def sequence(answers: Sequence[Answer | str]) -> Script:
    """One answer a call, in the order of arrival; the last one stays. ValueError when there is none."""
    if not answers:
        raise ValueError("sequence() needs at least one answer")
    ready = [Answer(text=answer) if isinstance(answer, str) else answer for answer in answers]
    lock = threading.Lock()
    used = 0

    def script(_request: EndpointRequest) -> Answer:
        nonlocal used
        with lock:
            answer = ready[min(used, len(ready) - 1)]
            used += 1
        return answer

    return script


def first_tries(script: Script, fault: Fault, *, tries: int = 1) -> Script:
    """`script`, with `fault` on the first `tries` calls of each distinct prompt: what a retry should get over."""
    lock = threading.Lock()
    seen: dict[str, int] = {}

    def faulty(request: EndpointRequest) -> Answer:
        answer = script(request)
        with lock:
            count = seen[request.digest] = seen.get(request.digest, 0) + 1
        return replace(answer, fault=fault) if count <= tries else answer

    return faulty


def when(script: Script, condition: Callable[[EndpointRequest], bool], fault: Fault) -> Script:
    """`script`, with `fault` on each request for which `condition` holds."""

    def faulty(request: EndpointRequest) -> Answer:
        answer = script(request)
        return replace(answer, fault=fault) if condition(request) else answer

    return faulty
