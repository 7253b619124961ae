"""An answer made ready to be said: cut into tokens, limited, counted. Both wire protocols are written from this."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring

from bot.sandbox.endpoint.answers import Answer, AnswerUsage, EndpointRequest, FinishReason
from bot.sandbox.endpoint.faults import Fault, FaultKind
from bot.sandbox.endpoint.tokens import pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One answer, in tokens."""

    id: str
    created: int
    request: EndpointRequest
    text: tuple[str, ...]
    reasoning: tuple[str, ...]
    refusal: bool
    finish_reason: FinishReason
    usage: AnswerUsage | None
    """None for an endpoint that tells none."""
    time_info: Mapping[str, float] | None
    padding: str
    """Goes into every chunk."""

    @property
    def tokens(self) -> int:
        """How many tokens are streamed."""
        return len(self.text) + len(self.reasoning)


def speak(
    answer: Answer,
    request: EndpointRequest,
    *,
    id_: str,
    created: int,
    prompt: tuple[int, int],
    fault: Fault | None,
    time_info: Mapping[str, float] | None,
    padding: str = "",
) -> Spoken:
    """Cut `answer` into tokens, obeying the request's limit and the faults that change what is said.

    `prompt` is the number of input tokens and how many of them were cached. Reasoning counts against the limit.
    """
    text, finish, refusal = answer.text, answer.finish_reason, answer.refusal
    limit = request.max_tokens
    if fault is not None:
        if fault.kind is FaultKind.REFUSAL:
            text, refusal = fault.text, True
        elif fault.kind is FaultKind.EMPTY:
            text = ""
    reasoning, said = pieces(answer.reasoning), pieces(text)
    if fault is not None and fault.kind in {FaultKind.LENGTH, FaultKind.CONTENT_FILTER}:
        finish = FinishReason.LENGTH if fault.kind is FaultKind.LENGTH else FinishReason.CONTENT_FILTER
        said = said[: fault.after]
    if limit is not None and len(reasoning) + len(said) > limit:
        finish = FinishReason.LENGTH
        reasoning = reasoning[:limit]
        said = said[: limit - len(reasoning)]
    counted = answer.usage or AnswerUsage(
        input_tokens=prompt[0],
        cached_tokens=prompt[1],
        output_tokens=len(reasoning) + len(said),
        reasoning_tokens=len(reasoning),
    )
    silent = fault is not None and fault.kind is FaultKind.NO_USAGE
    return Spoken(
        id=id_,
        created=created,
        request=request,
        text=tuple(said),
        reasoning=tuple(reasoning),
        refusal=refusal,
        finish_reason=finish,
        usage=None if silent else counted,
        time_info=time_info,
        padding=padding,
    )


def dumps(value: object) -> bytes:
    """Compact JSON in UTF-8, as real endpoints send it: characters are not escaped unless they must be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def quoted(text: str) -> bytes:
    """`text` as a JSON string. Lone surrogates, which UTF-8 cannot carry, become question marks."""
    return encode_basestring(text).encode("utf-8", "replace")


def around(value: Mapping[str, object], hole: str) -> tuple[bytes, bytes]:
    """The JSON of `value` before and behind the place where the string `hole` stands in it."""
    before, behind = dumps(value).split(quoted(hole))
    return before, behind
