"""The ways an endpoint can misbehave, as values. What each does to the bytes is in `timeline.py` and `service.py`.

Each fault can be written as text, for the command line and the `x-sandbox-fault` request header:
`429`, `429:2` (Retry-After in seconds), `429:500ms`, `429:2date`, `500`, `cut:20` (after 20 tokens), `stall:0`,
`stall:5:2.5` (after 5 tokens, for 2.5 s), `slow-drip:0.2` (a token each 0.2 s), `html`, ...
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """An HTTP error with OpenAI's error JSON."""
    HTML = "html"
    """200 with a web page: a captive portal, a proxy's login."""
    JSON = "json"
    """200 with a whole JSON answer although a stream was asked for."""
    HANG_UP = "hang-up"
    """The connection is closed before any header."""
    STALL = "stall"
    """Silence after `after` tokens, for `seconds`."""
    CUT = "cut"
    """A TCP reset after `after` tokens."""
    EARLY_END = "early-end"
    """A clean end after `after` tokens, without finish reason and `[DONE]`."""
    GARBAGE = "garbage"
    """A `data:` line after `after` tokens that is not JSON; the rest follows."""
    ERROR_EVENT = "error-event"
    """An `error` object inside the stream after `after` tokens; the stream ends there."""
    FAILED = "failed"
    """Responses: `response.failed` after `after` tokens. In chat the same as an error event."""
    REFUSAL = "refusal"
    """The text is said as a refusal."""
    LENGTH = "length"
    """The answer ends after `after` tokens with finish reason `length`."""
    CONTENT_FILTER = "content-filter"
    """The answer ends after `after` tokens with finish reason `content_filter`."""
    SLOW_DRIP = "slow-drip"
    """One token each `seconds`: never silent long enough for a read timeout."""
    EMPTY = "empty"
    """A whole stream without a token."""
    NO_USAGE = "no-usage"
    """No usage although it was asked for."""
    CRLF = "crlf"
    """Lines end in CR LF, which SSE allows."""
    SHREDDED = "shredded"
    """The bytes come in pieces of 1 to 7, borders inside of characters, lines and events."""


class RetryForm(StrEnum):
    """How a 429 or 503 tells the client to wait."""

    SECONDS = "seconds"
    """`retry-after: 2`"""
    MILLISECONDS = "ms"
    """`retry-after-ms: 2000`"""
    DATE = "date"
    """`retry-after: Wed, 21 Oct 2026 07:28:00 GMT`"""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One misbehaviour. Which fields matter depends on the kind."""

    kind: FaultKind
    after: int = 0
    """Tokens that come before it."""
    seconds: float = math.inf
    """STALL: how long. SLOW_DRIP: between tokens."""
    status: int = 500
    retry_after: float | None = None
    """Seconds that the client is asked to wait."""
    retry_form: RetryForm = RetryForm.SECONDS
    text: str = "I'm sorry, but I can't help with that."
    """What a refusal says."""

    def __str__(self) -> str:
        match self.kind:
            case FaultKind.STATUS:
                wait = "" if self.retry_after is None else f" retry-after {self.retry_after:g} s ({self.retry_form})"
                return f"{self.status}{wait}"
            case FaultKind.SLOW_DRIP:
                return f"{self.kind} {self.seconds:g} s"
            case kind if kind in _AFTER:
                return f"{kind} after {self.after}"
            case kind:
                return str(kind)


_AFTER = {
    FaultKind.STALL,
    FaultKind.CUT,
    FaultKind.EARLY_END,
    FaultKind.GARBAGE,
    FaultKind.ERROR_EVENT,
    FaultKind.FAILED,
    FaultKind.LENGTH,
    FaultKind.CONTENT_FILTER,
}


def status(code: int, *, retry_after: float | None = None, form: RetryForm = RetryForm.SECONDS) -> Fault:
    """An HTTP error, for instance `status(429, retry_after=0.5, form=RetryForm.MILLISECONDS)`."""
    return Fault(kind=FaultKind.STATUS, status=code, retry_after=retry_after, retry_form=form)


def stall(after: int = 0, *, seconds: float = math.inf) -> Fault:
    """Silence after `after` tokens; for ever unless `seconds` says how long."""
    return Fault(kind=FaultKind.STALL, after=after, seconds=seconds)


def cut(after: int) -> Fault:
    """A TCP reset after `after` tokens."""
    return Fault(kind=FaultKind.CUT, after=after)


def early_end(after: int) -> Fault:
    """A clean end after `after` tokens, without finish reason."""
    return Fault(kind=FaultKind.EARLY_END, after=after)


def slow_drip(seconds: float) -> Fault:
    """One token each `seconds`."""
    return Fault(kind=FaultKind.SLOW_DRIP, seconds=seconds)


def after(kind: FaultKind, tokens: int = 0) -> Fault:
    """A fault of `kind` after `tokens` tokens."""
    return Fault(kind=kind, after=tokens)


def parse_fault(text: str) -> Fault:
    """The fault that `text` names (see the module's docstring). ValueError, saying what is known, when none."""
    name, *rest = text.strip().lower().split(":")
    try:
        if name.isdigit():
            return _status(int(name), rest[0] if rest else "")
        kind = FaultKind(name)
        if kind is FaultKind.STATUS:
            return _status(int(rest[0]), rest[1] if len(rest) > 1 else "")
        if kind is FaultKind.SLOW_DRIP:
            return slow_drip(float(rest[0]) if rest else 0.2)
        tokens = int(rest[0]) if rest else 0
        return Fault(kind=kind, after=tokens, seconds=float(rest[1]) if len(rest) > 1 else math.inf)
    except (ValueError, IndexError):
        known = ", ".join(kind for kind in FaultKind if kind is not FaultKind.STATUS)
        raise ValueError(f"no fault {text!r}; there are HTTP statuses (429:2) and {known}") from None


def _status(code: int, wait: str) -> Fault:
    if not 400 <= code <= 599:
        raise ValueError(code)
    if not wait:
        return status(code)
    for suffix, form in (("ms", RetryForm.MILLISECONDS), ("date", RetryForm.DATE)):
        if wait.endswith(suffix):
            seconds = float(wait.removesuffix(suffix))
            return status(code, retry_after=seconds / 1000 if suffix == "ms" else seconds, form=form)
    return status(code, retry_after=float(wait))
