"""The Responses API on the wire: how its stream is read.

It knows no HTTP and no SDK. An answer counts as whole only with `response.completed`.
"""

from __future__ import annotations

import jiter

from bot.model.answer import Answer, Tokens, is_object, read_trouble, reasoning_tokens, timing, whole_number
from bot.review.ports import StreamEnd


class ResponsesDecoder:
    """Reads the events of one Responses stream."""

    __slots__ = ("_refusal", "_told", "answer")

    def __init__(self) -> None:
        self.answer = Answer()
        self._refusal = ""
        self._told = False

    def feed(self, payload: bytes) -> str:
        """The text in the data of one event."""
        try:
            event = jiter.from_json(payload)
        except ValueError:
            # Some compatible servers end with the other API's mark.
            if payload.strip() not in {b"", b"[DONE]"}:
                self.answer.ended(StreamEnd.GARBLED, "an event was no JSON")
            return ""
        if not is_object(event):
            self.answer.ended(StreamEnd.GARBLED, "an event was no JSON object")
            return ""
        kind = event.get("type")
        delta = event.get("delta")
        if kind == "response.output_text.delta":
            self.answer.events += 1
            self._told = True
            return delta if isinstance(delta, str) else ""
        return self._other(event, kind if isinstance(kind, str) else "", delta if isinstance(delta, str) else "")

    def read_whole(self, value: object) -> str | None:
        """The text of an answer that came in one piece, from a server that does not stream; None if it is none."""
        if not is_object(value) or value.get("object") != "response" or "output" not in value:
            return None
        return self._close(value)

    def _other(self, event: dict[str, object], kind: str, delta: str) -> str:
        answer = self.answer
        if kind.startswith("response."):
            answer.events += 1
        if kind in {"response.completed", "response.incomplete", "response.failed"}:
            response = event.get("response")
            return self._close(response if is_object(response) else {}, status=kind.removeprefix("response."))
        if kind == "response.refusal.delta":
            self._refusal += delta
        elif kind == "response.refusal.done" and not self._refusal:
            refusal = event.get("refusal")
            self._refusal = refusal if isinstance(refusal, str) and refusal else "refused"
        elif kind.startswith("response.reasoning"):
            answer.thought += len(delta)
        elif kind == "error" or not kind:
            trouble = read_trouble(event)
            if trouble is not None or kind:
                answer.ended(
                    trouble.end if trouble else StreamEnd.SERVER_ERROR,
                    trouble.message if trouble else "no reason given",
                )
        return ""

    def _close(self, response: dict[str, object], *, status: str = "") -> str:
        """The last event, which has the usage. Its text counts only where none was streamed."""
        answer = self.answer
        answer.events += 1
        self._usage(response)
        said = response.get("status")
        status = said if isinstance(said, str) and status in {"", "completed"} else status
        trouble = read_trouble({"error": response.get("error")}) if response.get("error") else None
        text, refusal = _output(response.get("output"))
        self._refusal = self._refusal or refusal
        if trouble is not None or status == "failed":
            answer.ended(
                trouble.end if trouble else StreamEnd.SERVER_ERROR,
                trouble.message if trouble else "the response failed",
            )
        elif self._refusal:
            answer.ended(StreamEnd.REFUSED, self._refusal)
        elif status == "completed":
            answer.ended(StreamEnd.WHOLE)
        else:
            details = response.get("incomplete_details")
            reason = str(details.get("reason", "")) if is_object(details) else ""
            ends = {"max_output_tokens": StreamEnd.LENGTH, "content_filter": StreamEnd.REFUSED}
            answer.ended(ends.get(reason, StreamEnd.CUT), reason or f"status {status or 'missing'}")
        return "" if self._told else text

    def _usage(self, response: dict[str, object]) -> None:
        usage = response.get("usage")
        if is_object(usage):
            details = usage.get("input_tokens_details")
            self.answer.tokens = Tokens(
                input=whole_number(usage.get("input_tokens")),
                output=whole_number(usage.get("output_tokens")),
                cached=whole_number(details.get("cached_tokens")) if is_object(details) else 0,
                reasoning=reasoning_tokens(usage.get("output_tokens_details")),
            )
            self.answer.seconds.update(timing(usage))
        self.answer.seconds.update(timing(response.get("time_info")))


def _output(output: object) -> tuple[str, str]:
    """Text and refusal of a finished response."""
    text = refusal = ""
    for item in output if isinstance(output, list) else []:
        parts = item.get("content") if is_object(item) else None
        for part in parts if isinstance(parts, list) else []:
            if is_object(part) and part.get("type") == "output_text" and isinstance(part.get("text"), str):
                text += str(part["text"])
            elif is_object(part) and part.get("type") == "refusal":
                refusal += str(part.get("refusal") or "refused")
    return text, refusal
