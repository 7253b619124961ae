"""What a request to this endpoint and model may have in it: the parameters beside model, messages and `stream`.

Compatible servers differ in what they take. A `Shape` says how a request is made; when the endpoint names a parameter
in its refusal, `adjusted` gives the shape to try next. What helped is kept in a `ShapeMemory`, so that it is found out once.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bot.model.answer import Trouble
from bot.model.endpoint import Api, Endpoint
from bot.review.ports import Prompt

TEMPERATURE: Final = 0.2
"""Low, since a review wants the likely answer; not 0, where small models fall into loops."""

_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_EFFORTS: Final = frozenset({"reasoning_effort", "reasoning"})
_TOO_LARGE: Final = re.compile(
    r"too large|less than|at most|maximum value|exceed|must be <=|greater than", re.IGNORECASE
)
_CONTEXT: Final = re.compile(
    r"context.{0,3}(length|window|size)|prompt is too long|too many (input )?tokens", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How requests are made at present."""

    dropped: frozenset[str] = frozenset()
    """Parameters that the endpoint does not take."""
    renamed: bool = False
    """The answer's limit goes by its other name."""
    effort: int = 0
    """Which of the endpoint's words for little reasoning is in use."""
    cap: int | None = None
    """The highest limit of an answer that the endpoint takes."""

    def merged(self, other: Shape) -> Shape:
        """What both have learned."""
        caps = [cap for cap in (self.cap, other.cap) if cap is not None]
        return Shape(
            dropped=self.dropped | other.dropped,
            renamed=self.renamed or other.renamed,
            effort=max(self.effort, other.effort),
            cap=min(caps, default=None),
        )


class ShapeMemory:
    """The shape that worked, shared by all threads."""

    def __init__(self) -> None:
        self._shape = Shape()
        self._lock = threading.Lock()

    @property
    def shape(self) -> Shape:
        """How to make the next request."""
        with self._lock:
            return self._shape

    def keep(self, shape: Shape) -> bool:
        """The endpoint took a request of this shape. Whether that was news."""
        with self._lock:
            merged = self._shape.merged(shape)
            news, self._shape = merged != self._shape, merged
        return news


def parameters(prompt: Prompt, endpoint: Endpoint, shape: Shape) -> dict[str, object]:
    """The parameters of one request, by their name in its JSON."""
    limit = prompt.max_output_tokens if shape.cap is None else min(prompt.max_output_tokens, shape.cap)
    effort = None if prompt.reason else endpoint.efforts[min(shape.effort, len(endpoint.efforts) - 1)]
    found: dict[str, object] = {"temperature": TEMPERATURE}
    if endpoint.api is Api.CHAT:
        name = endpoint.quirks.limit_name
        found[_other(name) if shape.renamed else name] = limit
        found["stream_options"] = {"include_usage": True} | _plain(endpoint)
        if effort is not None:
            found["reasoning_effort"] = effort
    else:
        # Without `store`, OpenAI would keep what it was shown for a month.
        found |= {"max_output_tokens": limit, "store": False}
        if _plain(endpoint):
            found["stream_options"] = _plain(endpoint)
        if effort is not None:
            found["reasoning"] = {"effort": effort}
    if endpoint.quirks.cache_key:
        found["prompt_cache_key"] = (
            f"spark-{prompt.kind}-{hashlib.sha256(prompt.system.encode('utf-8', 'replace')).hexdigest()[:12]}"
        )
    return {name: value for name, value in found.items() if name not in shape.dropped}


def adjusted(
    shape: Shape, trouble: Trouble, *, sent: Mapping[str, object], words: Collection[str]
) -> tuple[Shape, str] | None:
    """The shape to try after this refusal, and the sentence that tells of it; None when no parameter is to blame.

    `sent` are the parameters that were refused, `words` the endpoint's words for little reasoning.
    """
    if _CONTEXT.search(f"{trouble.code} {trouble.message}"):
        return None
    name = _blamed(trouble, sent)
    if name is None:
        return None
    if name in {*_LIMITS, "max_output_tokens"}:
        return _adjusted_limit(shape, trouble.message, name=name, asked=sent[name])
    if name in _EFFORTS and shape.effort + 1 < len(words):
        word = list(words)[shape.effort + 1]
        return replace(shape, effort=shape.effort + 1), f"The endpoint refused its reasoning effort; asking for {word}"
    return replace(shape, dropped=shape.dropped | {name}), f"The endpoint refused the parameter {name}; it is left out"


def _adjusted_limit(shape: Shape, message: str, *, name: str, asked: object) -> tuple[Shape, str] | None:
    if _TOO_LARGE.search(message):
        lower = [
            number for number in map(int, re.findall(r"\d{2,9}", message)) if isinstance(asked, int) and number < asked
        ]
        if not lower:
            return None
        return replace(shape, cap=max(lower)), f"The endpoint allows answers of {max(lower)} tokens at most"
    if name in _LIMITS and not shape.renamed:
        return replace(shape, renamed=True), f"The endpoint refused {name}; {_other(name)} is used instead"
    return (
        replace(shape, dropped=shape.dropped | {*_LIMITS, "max_output_tokens"}),
        f"The endpoint refused the parameter {name}; answers have no length limit",
    )


def _blamed(trouble: Trouble, sent: Mapping[str, object]) -> str | None:
    """The parameter among `sent` that the refusal is about."""
    head = re.split(r"[.\[]", trouble.param, maxsplit=1)[0]
    if head in sent:
        return head
    # Longest first: "max_completion_tokens" would else be found as something shorter.
    names = sorted(sent, key=len, reverse=True)
    quoted = next((name for name in names if re.search(rf"""['"`]{name}(?:\.\w+)*['"`]""", trouble.message)), None)
    if quoted is not None:
        return quoted
    # A bare "store" or "reasoning" may be an ordinary word of the sentence.
    distinct = [name for name in names if "_" in name or name == "temperature"]
    return next((name for name in distinct if re.search(rf"(?<!\w){name}(?!\w)", trouble.message)), None)


def _other(limit: str) -> str:
    return _LIMITS[1 - _LIMITS.index(limit)]


def _plain(endpoint: Endpoint) -> dict[str, object]:
    return {"include_obfuscation": False} if endpoint.quirks.obfuscates else {}
