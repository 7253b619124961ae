"""The Chat Completions API on the wire: how its stream is read.

It knows no HTTP and no SDK. An answer counts as whole only with the `finish_reason` `stop`; an end without any is no end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jiter

from bot.model.answer import Answer, Tokens, is_object, read_trouble, reasoning_tokens, timing, whole_number
from bot.review.ports import StreamEnd

FINISHED: Final[Mapping[str, StreamEnd]] = {
    "stop": StreamEnd.WHOLE,
    "length": StreamEnd.LENGTH,
    "content_filter": StreamEnd.REFUSED,
}

_DONE: Final = b"[DONE]"


class ChatDecoder:
    """Reads the events of one Chat Completions stream."""

    __slots__ = ("_refusal", "answer")

    def __init__(self) -> None:
        self.answer = Answer()
        self._refusal = ""

    def feed(self, payload: bytes) -> str:
        """The text in the data of one event."""
        try:
            event = jiter.from_json(payload)
        except ValueError:
            if payload.strip() == _DONE:
                self.answer.over = True
            elif payload.strip():
                self.answer.ended(StreamEnd.GARBLED, "an event was no JSON")
            return ""
        answer = self.answer
        try:
            # The shape of nearly all events, read without asking first.
            choice = event["choices"][0]
            delta = choice["delta"]
            text = delta.get("content")
            finish = choice.get("finish_reason")
            answer.events += 1
            if text.__class__ is str and text and finish is None and len(delta) == 1:
                return str(text)
        except (KeyError, IndexError, TypeError, AttributeError):
            return self._unusual(event)
        return self._slowly(event, choice, delta)

    def read_whole(self, value: object) -> str | None:
        """The text of an answer that came in one piece, from a server that does not stream; None if it is none."""
        if not is_object(value) or value.get("object") != "chat.completion":
            return None
        choices = value.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if is_object(choice) else None
        if not is_object(choice) or not is_object(message):
            return None
        self.answer.events += 1
        text = self._slowly(value, choice, message)
        self.answer.over = True
        return text

    def _slowly(self, event: dict[str, object], choice: dict[str, object], delta: object) -> str:
        answer = self.answer
        self._extras(event)
        trouble = read_trouble(event) if event.get("error") else None
        if trouble is not None:
            answer.ended(trouble.end, trouble.message)
            return ""
        text = ""
        if is_object(delta):
            text = _text(delta.get("content"))
            for name in ("reasoning_content", "reasoning"):
                answer.thought += len(_text(delta.get(name)))
            self._refusal += _text(delta.get("refusal"))
        reason = choice.get("finish_reason")
        if reason is not None:
            self._finish(str(reason))
        return text

    def _finish(self, reason: str) -> None:
        if self._refusal:
            self.answer.ended(StreamEnd.REFUSED, self._refusal, over=False)
        elif reason in FINISHED:
            detail = "" if reason == "stop" else f"finish_reason {reason}"
            self.answer.ended(FINISHED[reason], detail, over=False)
        else:
            self.answer.ended(StreamEnd.CUT, f"finish_reason {reason}", over=False)

    def _unusual(self, event: object) -> str:
        """An event without a choice: usage, an error, a ping, or nonsense."""
        if not is_object(event):
            self.answer.ended(StreamEnd.GARBLED, "an event was no JSON object")
            return ""
        self._extras(event)
        trouble = read_trouble(event) if event.get("error") or not event.get("choices") else None
        if trouble is not None:
            self.answer.ended(trouble.end, trouble.message)
        elif "choices" in event or "usage" in event:
            self.answer.events += 1
            choices = event.get("choices")
            choice = choices[0] if isinstance(choices, list) and choices else None
            # A last choice without a delta is seen in the wild.
            if is_object(choice) and choice.get("finish_reason") is not None:
                self._finish(str(choice["finish_reason"]))
        return ""

    def _extras(self, event: dict[str, object]) -> None:
        """Usage and timing, wherever the provider puts them."""
        answer = self.answer
        groq = event.get("x_groq")
        for usage in (event.get("usage"), groq.get("usage") if is_object(groq) else None):
            if is_object(usage) and ("prompt_tokens" in usage or "completion_tokens" in usage):
                details = usage.get("prompt_tokens_details")
                answer.tokens = Tokens(
                    input=whole_number(usage.get("prompt_tokens")),
                    output=whole_number(usage.get("completion_tokens")),
                    cached=whole_number(details.get("cached_tokens")) if is_object(details) else 0,
                    reasoning=reasoning_tokens(usage.get("completion_tokens_details")),
                )
                answer.seconds.update(timing(usage))
        answer.seconds.update(timing(event.get("time_info")))
        answer.seconds.update(timing(event.get("timings")))


def _text(value: object) -> str:
    """Text as a string, or as a list of parts, which some servers send."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if is_object(part))
    return ""
