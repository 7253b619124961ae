"""What a stream says besides its text: how it ended, what it used, the endpoint's own timing, its words of trouble.

Shared by the two wire APIs. It reads values that were already parsed; text goes elsewhere, and nothing here is logged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeGuard

from bot.review.ports import StreamEnd

LONGEST_DETAIL: Final = 300
"""Characters of an endpoint's words that are kept for people."""

_SECRETS: Final = re.compile(
    r"""\b[Bb]earer\s+[^\s"',]+                                # an echoed header
    |\b(?:sk|csk|gsk|pk|rk|xai|key|api)[-_][A-Za-z0-9_*.\-]{6,}  # what providers' keys look like, starred or not
    |\b(?:gh[a-z]|github_pat)_[A-Za-z0-9._-]{20,}              # a GitHub token that strayed here
    |\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9._-]{10,}              # a JSON Web Token
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the endpoint says it used. `cached` is part of `input`, `reasoning` of `output`; None where it is not told."""

    input: int
    output: int
    cached: int = 0
    reasoning: int | None = None


@dataclass(slots=True, kw_only=True)
class Answer:
    """What is known of an answer so far. Filled by a decoder while the stream runs."""

    end: StreamEnd | None = None
    """How it ended; None while it has not."""
    detail: str = ""
    over: bool = False
    """Nothing of use will follow, so that the rest need not be waited for."""
    events: int = 0
    """Events that were understood."""
    tokens: Tokens | None = None
    thought: int = 0
    """Characters of reasoning: no text, but a sign of life, and billed."""
    seconds: dict[str, float] = field(default_factory=dict)

    def ended(self, end: StreamEnd, detail: str = "", *, over: bool = True) -> None:
        """The stream ended like this. The first such word counts."""
        if self.end is None:
            self.end, self.detail = end, detail
        self.over = self.over or over


class StreamDecoder(Protocol):
    """Reads the events of one stream. Never raises, whatever it is fed."""

    @property
    def answer(self) -> Answer:
        """What is known so far."""
        ...

    def feed(self, payload: bytes) -> str:
        """The text in the data of one event; often empty."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An endpoint's words about what went wrong, in whichever of the usual shapes they came."""

    message: str
    code: str = ""
    kind: str = ""
    param: str = ""

    @property
    def about_rate(self) -> bool:
        """Whether this is a rate limit or a used-up quota."""
        return bool(
            re.search(r"rate.?limit|too many requests|quota|\b429\b", f"{self.code} {self.kind}", re.IGNORECASE)
        )

    @property
    def end(self) -> StreamEnd:
        """What it means inside a stream."""
        return StreamEnd.RATE_LIMITED if self.about_rate else StreamEnd.SERVER_ERROR


def read_trouble(value: object) -> Trouble | None:
    """The trouble in a JSON value; None when the value tells of none.

    Shapes: `{"error": {...}}`, `{"error": "words"}`, `{"message": ..., "code": ...}`, `{"detail": ...}`, and a
    Responses API `error` event.
    """
    if not is_object(value):
        return None
    inner = value.get("error", value)
    if isinstance(inner, str):
        return Trouble(message=inner)
    if not is_object(inner):
        return None
    message = inner.get("message", inner.get("detail", inner.get("msg")))
    if not message:
        return Trouble(message="no reason given", **_marks(inner)) if "error" in value else None
    return Trouble(message=message if isinstance(message, str) else str(message), **_marks(inner))


def _marks(value: Mapping[str, object]) -> dict[str, str]:
    found = {"code": value.get("code"), "kind": value.get("type"), "param": value.get("param")}
    return {name: str(mark) for name, mark in found.items() if isinstance(mark, str | int)}


def shown(text: str, *, secret: str | None = None) -> str:
    """An endpoint's words made fit for people: one line, short, no control characters, no secrets."""
    if secret:
        text = text.replace(secret, "[key]")
    text = "".join(char if char.isprintable() else " " for char in text[: LONGEST_DETAIL * 20])
    text = " ".join(_SECRETS.sub("[key]", text).split())
    return text if len(text) <= LONGEST_DETAIL else text[: LONGEST_DETAIL - 1] + "…"


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def whole_number(value: object) -> int:
    """A count as an endpoint gave it; 0 for anything that is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def reasoning_tokens(details: object) -> int | None:
    """Tokens of reasoning in the details of a usage; None where they are not told."""
    return whole_number(details["reasoning_tokens"]) if is_object(details) and "reasoning_tokens" in details else None


def timing(value: object) -> dict[str, float]:
    """Seconds by name from an endpoint's own timing: `queue`, `prompt`, `completion`, `total`.

    Cerebras and Groq give `queue_time` and so on in seconds, llama.cpp `prompt_ms` and `predicted_ms`.
    """
    if not is_object(value):
        return {}
    found: dict[str, float] = {}
    for name, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            continue
        if name.endswith("_time"):
            found[name.removesuffix("_time")] = float(number)
        elif name in {"prompt_ms", "predicted_ms"}:
            found["prompt" if name == "prompt_ms" else "completion"] = number / 1000
    return found
