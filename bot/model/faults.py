"""What an HTTP refusal means: the one table from statuses and words to the ends of a call.

It decides and does nothing: no waiting, no request, no clock but the times in the headers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import jiter

from bot.model.answer import Trouble, read_trouble
from bot.review.ports import StreamEnd

_NO_SUCH_MODEL: Final = re.compile(
    r"model\b.{0,120}(not found|does not exist|doesn't exist|not exist)|(no such|unknown|invalid) model|not a valid model",
    re.IGNORECASE | re.DOTALL,
)
_TAGS: Final = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.IGNORECASE | re.DOTALL)


class Remedy(StrEnum):
    """What to do about a refusal."""

    GIVE_UP = "give up"
    WAIT = "wait and repeat"
    ADJUST = "leave a parameter out, or give up"
    KEY = "the user must mend the key"
    MODEL = "the user must mend the model's name or the URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer with an HTTP status that is no success."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes

    @property
    def trouble(self) -> Trouble:
        """The endpoint's words, from JSON, a web page or plain text."""
        try:
            found = read_trouble(jiter.from_json(self.body))
        except ValueError:
            found = None
        if found is not None:
            return found
        text = self.body[:20_000].decode("utf-8", "replace")
        return Trouble(message=page_words(text) if "<" in text else text)

    @property
    def detail(self) -> str:
        """Status and words."""
        if 300 <= self.status < 400:
            return f"HTTP {self.status}: it redirects to {self.headers.get('location', 'nowhere')}"
        return f"HTTP {self.status} {self.trouble.message}".strip()

    @property
    def remedy(self) -> Remedy:
        """What to do about it."""
        if self.status in {401, 403}:
            return Remedy.KEY
        if self.status == 404:
            return Remedy.MODEL
        if self.status == 429:
            # Waiting brings no money back.
            quota = f"{self.trouble.code} {self.trouble.kind}"
            return Remedy.GIVE_UP if "insufficient_quota" in quota or "billing" in quota else Remedy.WAIT
        if self._asks_to_wait:
            return Remedy.WAIT
        if self.status in {400, 422}:
            trouble = self.trouble
            by_code = trouble.code in {"model_not_found", "invalid_model", "model_not_available"}
            by_words = trouble.param in {"", "model"} and _NO_SUCH_MODEL.search(trouble.message)
            return Remedy.MODEL if by_code or by_words else Remedy.ADJUST
        return Remedy.GIVE_UP

    @property
    def end(self) -> StreamEnd:
        """How the call ends when nothing can be done about it."""
        # An overloaded endpoint that names its time must not be tried before: that is a rate limit by another number.
        if self.status == 429 or self._asks_to_wait:
            return StreamEnd.RATE_LIMITED
        if self.status >= 500 or self.status in {408, 409, 425}:
            return StreamEnd.SERVER_ERROR
        return StreamEnd.REJECTED

    @property
    def _asks_to_wait(self) -> bool:
        return self.status >= 500 and retry_after(self.headers) is not None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the endpoint asks us to wait; None when it does not say.

    `retry-after-ms` (OpenAI) goes before `retry-after`, which is seconds or an HTTP date. A date is held against the
    answer's own `date`, so that a wrong clock here does no harm.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    until = _moment(headers.get("retry-after", ""))
    if until is None:
        return None
    now = _moment(headers.get("date", ""))
    return max(0.0, until - (time.time() if now is None else now))


def page_words(page: str) -> str:
    """The readable words of a web page, for an error message."""
    return " ".join(_TAGS.sub(" ", page).split())


def _moment(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
