"""One call from request to report: repeats before the first byte of text, the reading, and the judgement of the end.

It keeps no books about money (`client.py` does) and opens no connection itself (`sdk.py` does).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import jiter

from bot.model.answer import Answer, StreamDecoder, Tokens, shown
from bot.model.chat import ChatDecoder
from bot.model.endpoint import Api, Endpoint, HttpOptions
from bot.model.faults import Refusal, Remedy, page_words, retry_after
from bot.model.guard import Guard
from bot.model.responses import ResponsesDecoder
from bot.model.sdk import Broken, Reply, Sdk
from bot.model.shape import ShapeMemory, adjusted, parameters
from bot.model.sse import SseSplitter
from bot.review.ports import Clock, Prompt, Stop, StreamEnd

MOST_WAITS: Final = 5
"""Repeats after a 429 within one call."""
MOST_ADJUSTMENTS: Final = 8
"""Repeats without a refused parameter within one call: more than there are parameters."""
FIRST_WAIT: Final = 0.5
"""Seconds to wait after a 429 that names none; doubled each time."""
LEAST_WAIT: Final = 0.05
"""Seconds between two tries, also where a 429 asks for none."""

_AFTER_FINISH: Final = 1.0
"""Seconds that we wait for the usage once the answer is complete."""
_AFTER_ALL: Final = 0.1
"""Seconds that we wait for the end of the body, so that the connection can be used again."""
_LONGEST_PLAIN: Final = 4 * 1024 * 1024
"""Bytes that we read of an answer that is no stream."""
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one call, in the endpoint's terms. `chars` counts text and reasoning."""

    end: StreamEnd
    detail: str = ""
    sent: float
    """`Clock.now()` of the last request."""
    written: float | None = None
    """`Clock.now()` when that request was handed to the network whole; None when it was not."""
    first_text: float | None = None
    first_thought: float | None = None
    """`Clock.now()` at the first reasoning that was streamed before any text."""
    thought: int = 0
    """Characters of reasoning that were streamed; part of `chars`."""
    answered: bool = False
    """Whether an answer began, so that it may have to be paid."""
    chars: int = 0
    tokens: Tokens | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    refusal: Refusal | None = None
    """A refusal that only the user can mend."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One call. `run` is used once."""

    sdk: Sdk
    endpoint: Endpoint
    options: HttpOptions
    memory: ShapeMemory
    clock: Clock
    prompt: Prompt
    sink: Callable[[str], None]
    stop: Stop
    _guard: Guard = field(init=False)
    _sent: float = field(init=False, default=0.0)
    _first: float | None = field(init=False, default=None)
    _mused: float | None = field(init=False, default=None)
    _chars: int = field(init=False, default=0)
    _quiet: bool = field(init=False, default=True)
    _notices: list[str] = field(init=False, default_factory=list)

    def run(self) -> Outcome:
        """Do it. Raises nothing for what the endpoint does; what `sink` raises goes through."""
        self._guard = Guard(self.stop, patience=self.options.stall_seconds, clock=self.clock)
        self._sent = self.clock.now()
        forget = self.stop.on_stop(self._guard.end)
        try:
            return self._attempts()
        finally:
            forget()

    def _attempts(self) -> Outcome:
        shape = self.memory.shape
        waits = adjustments = 0
        told: list[str] = []
        while True:
            if self.stop.left() <= 0:
                return self._out(self._without_time())
            sent = parameters(self.prompt, self.endpoint, shape)
            self._guard.patience = self._patience(spoken=False)
            self._sent = self.clock.now()
            with self.sdk.open(self.prompt, sent, self._guard) as came:
                if isinstance(came, Reply):
                    if self.memory.keep(shape):
                        self._notices += told
                    return self._read(came)
            if isinstance(came, Broken):
                return self._out(self._judge(came), came.detail)
            match came.remedy:
                case Remedy.WAIT if waits < MOST_WAITS and self._wait(came, waits):
                    waits += 1
                case Remedy.ADJUST if adjustments < MOST_ADJUSTMENTS:
                    adjustments += 1
                    change = adjusted(shape, came.trouble, sent=sent, words=self.endpoint.efforts)
                    if change is None:
                        return self._refused(came)
                    shape = change[0]
                    told.append(change[1])
                case _:
                    return self._refused(came)

    def _wait(self, refusal: Refusal, waits: int) -> bool:
        """Wait as a 429 or 503 asks. False, at once, when that is longer than what is left."""
        asked = retry_after(refusal.headers)
        seconds = FIRST_WAIT * 2**waits if asked is None else max(asked, LEAST_WAIT)
        if seconds >= self.stop.left():
            return False
        self._notices.append(f"The endpoint made us wait {seconds:.1f} s (HTTP {refusal.status})")
        self.stop.wait(seconds)
        return True

    def _refused(self, refusal: Refusal) -> Outcome:
        if self.stop.cancelled:
            return self._out(StreamEnd.CANCELLED)
        users = refusal if refusal.remedy in {Remedy.KEY, Remedy.MODEL} else None
        return self._out(refusal.end, refusal.detail, refusal=users)

    def _read(self, reply: Reply) -> Outcome:
        if reply.content_type in _PAGES:
            page = self._plain(reply).decode("utf-8", "replace")
            return self._out(self._judge(reply.broken) or StreamEnd.NOT_A_STREAM, page_words(page), answered=True)
        decoder = ChatDecoder() if self.endpoint.api is Api.CHAT else ResponsesDecoder()
        if reply.content_type == "application/json":
            return self._read_whole(reply, decoder)
        return self._read_stream(reply, decoder)

    def _read_stream(self, reply: Reply, decoder: StreamDecoder) -> Outcome:
        splitter = SseSplitter()
        answer = decoder.answer
        read = 0

        def take(data: bytes) -> bool:
            nonlocal read
            if answer.over:
                return True
            read += len(data)
            self._say(_fed(decoder, splitter.feed(data)))
            if splitter.overflowed:
                answer.ended(StreamEnd.GARBLED, "an event without an end")
            self._look(answer)
            return False

        reply.pump(take)
        if not answer.over:
            self._say(_fed(decoder, [rest for rest in splitter.finish() if _is_json(rest)]))
        if answer.end is not None:
            return self._out(answer.end, answer.detail, answer=answer, answered=True)
        end, detail = self._unfinished(reply, answer, read)
        return self._out(end, detail, answer=answer, answered=True)

    def _look(self, answer: Answer) -> None:
        """How patient the next wait is, and who reads."""
        guard = self._guard
        if answer.over:
            # One more round, so that the connection sees the end of the body and can be used again.
            guard.patience, guard.flows_since = _AFTER_ALL, None
        elif answer.end is not None:
            guard.patience, guard.flows_since = _AFTER_FINISH, None
        elif self._quiet and (self._chars or answer.thought):
            self._quiet = False
            if self._first is None:
                self._mused = self.clock.now()
            guard.patience = self._patience(spoken=True)

    def _unfinished(self, reply: Reply, answer: Answer, read: int) -> tuple[StreamEnd, str]:
        """Why a stream has no end of its own."""
        if answer.over:
            return StreamEnd.CUT, "it ended without a finish reason"
        if reply.broken is not None or self.stop.left() <= 0:
            return self._judge(reply.broken) or self._without_time(), reply.broken.detail if reply.broken else ""
        if read and not answer.events:
            return StreamEnd.NOT_A_STREAM, f"no events in {read} bytes of {reply.content_type or 'no media type'}"
        return StreamEnd.CUT, "it closed before the answer was complete"

    def _read_whole(self, reply: Reply, decoder: ChatDecoder | ResponsesDecoder) -> Outcome:
        """An answer in one piece: some compatible servers cannot stream, and that is no reason to lose it."""
        body = self._plain(reply)
        answer = decoder.answer
        broken = self._judge(reply.broken)
        if broken is not None:
            return self._out(broken, "", answered=True)
        try:
            value = jiter.from_json(body)
        except ValueError:
            return self._out(StreamEnd.NOT_A_STREAM, body[:500].decode("utf-8", "replace"), answered=True)
        text = decoder.read_whole(value)
        if text is None:
            trouble = Refusal(status=200, headers={}, body=body).trouble
            end = trouble.end if isinstance(value, dict) and "error" in value else StreamEnd.NOT_A_STREAM
            return self._out(end, trouble.message, answered=True)
        self._say(text)
        return self._out(answer.end or StreamEnd.CUT, answer.detail, answer=answer, answered=True)

    def _plain(self, reply: Reply) -> bytes:
        parts: list[bytes] = []
        size = 0
        for data in reply.chunks():
            parts.append(data)
            size += len(data)
            if size > _LONGEST_PLAIN:
                break
        return b"".join(parts)

    def _say(self, text: str) -> None:
        if text:
            if self._first is None:
                self._first = self.clock.now()
                self._guard.flows_since = time.monotonic()
            self._chars += len(text)
            self.sink(text)

    def _patience(self, *, spoken: bool) -> float:
        silent = self.prompt.reason and not spoken
        return max(self.options.stall_seconds, self.options.reasoning_seconds) if silent else self.options.stall_seconds

    def _judge(self, broken: Broken | None) -> StreamEnd | None:
        """What a failure means once cancelling and the deadline, which look the same, are told apart."""
        if broken is None:
            return None
        return self._without_time() if self.stop.left() <= 0 else broken.end

    def _without_time(self) -> StreamEnd:
        return StreamEnd.CANCELLED if self.stop.cancelled else StreamEnd.DEADLINE

    def _out(
        self,
        end: StreamEnd | None,
        detail: str = "",
        *,
        answer: Answer | None = None,
        answered: bool = False,
        refusal: Refusal | None = None,
    ) -> Outcome:
        assert end is not None
        return Outcome(
            end=end,
            detail=shown(detail, secret=self.endpoint.key),
            sent=self._sent,
            written=self._guard.wrote,
            first_text=self._first,
            first_thought=self._mused,
            thought=answer.thought if answer else 0,
            answered=answered,
            chars=self._chars + (answer.thought if answer else 0),
            tokens=answer.tokens if answer else None,
            seconds=answer.seconds if answer else {},
            notices=tuple(self._notices),
            refusal=refusal,
        )


def _fed(decoder: StreamDecoder, payloads: list[bytes]) -> str:
    """The text of these events. What follows a last one is left unread: behind a gap, lines would run together."""
    texts: list[str] = []
    answer = decoder.answer
    for payload in payloads:
        if answer.over:
            break
        texts.append(decoder.feed(payload))
    return "".join(texts)


def _is_json(payload: bytes) -> bool:
    """Whether the rest behind the last blank line is a whole event: half of one means a cut, not garbage."""
    try:
        jiter.from_json(payload)
    except ValueError:
        return False
    return True
