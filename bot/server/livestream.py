"""A review's events as a stream of server-sent events, in two shapes: as they are, and as pieces of our own page.

Each message carries its number, which a browser names when it comes again. A stream holds one of the places that there are
for live pages, and gives it back however it ends.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from flask import Response

from bot.engine.database import DatabaseAwayError
from bot.engine.model import JobState
from bot.html import live_parts
from bot.live.events import LiveEvent, LiveKind, Numbered

BEAT: Final = 15.0
"""Seconds of silence after which a stream says that it is alive: proxies cut silent ones, and a dead reader is noticed."""
RETRY: Final = 1_000
"""Milliseconds after which a browser that lost the stream asks again."""
_EVENTS: Final = "text/event-stream; charset=utf-8"

Shape = Callable[[LiveEvent], Mapping[str, Any] | None]
"""Makes the data of a message; None for an event that is not sent."""


class Watched(Protocol):
    """The event log, as `bot.engine.eventlog`."""

    def read(self, job_id: str, after: int = 0) -> list[Numbered]:
        """What is stored."""
        ...

    def watch(self, job_id: str, after: int = 0, *, beat: float = 15.0) -> Iterator[Numbered | None]:
        """What comes; None for each `beat` seconds of silence."""
        ...


class Stream(Response):
    """A stream that gives its place back when it is over, read to its end or not."""

    def __init__(self, messages: Iterator[str], places: threading.BoundedSemaphore) -> None:
        super().__init__(messages, content_type=_EVENTS)
        # Proxies that keep answers until they are whole are asked not to.
        self.headers["X-Accel-Buffering"] = "no"
        # Given back once: when the answer is closed, or at the latest when nobody has it any more.
        self.call_on_close(weakref.finalize(self, places.release))


def messages(events: Watched, job_id: str, after: int, shape: Shape, *, beat: float) -> Iterator[str]:
    """What comes after the number `after`, in words of the protocol; `over` is the last one of a job."""
    yield f"retry: {RETRY}\n\n"
    try:
        for numbered in events.watch(job_id, after, beat=beat):
            if numbered is None:
                yield ": still here\n\n"
                continue
            after = numbered.seq
            told = shape(numbered.event)
            if told is not None:
                yield _message(numbered.event.kind.value, told, after)
            if _is_end(numbered.event):
                yield _message("over", {}, after)
                return
        # Who was cut off between the end and these words would ask for more for ever.
        if after and any(_is_end(last.event) for last in events.read(job_id, after - 1)[-1:]):
            yield _message("over", {}, after)
    except DatabaseAwayError:
        # The reader comes again, and is told so with a status then.
        return


def _is_end(event: LiveEvent) -> bool:
    return event.kind is LiveKind.STATE and JobState(event.data["state"]).is_over


def _message(kind: str, data: Mapping[str, Any], seq: int) -> str:
    # JSON has no line break in it, so one `data:` line is enough.
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def plain_message(event: LiveEvent) -> Mapping[str, Any]:
    """For programs: the event as it is."""
    return event.data


def page_message(event: LiveEvent) -> Mapping[str, Any] | None:
    """For our own page: ready HTML, and where it goes. What is large the page fetches instead."""
    data = event.data
    match event.kind:
        case LiveKind.FOUND:
            card, entry = live_parts.finding_html(data)
            return {
                "id": data["id"],
                "severity": data["severity"],
                "html": card,
                "entry": entry,
                "say": live_parts.announcement(data),
                "at": data["at"],
                "marked": live_parts.marked_rows(data),
                **live_parts.place(data),
            }
        case LiveKind.LOST:
            return {"html": live_parts.lost_entry(data)}
        case LiveKind.NOTE:
            return {"html": live_parts.note_entry(data)}
        case LiveKind.PROGRESS:
            return {
                "rate": f"{data['tokens_per_second']:,}",
                "tokens": f"{data['output_tokens']:,}",
                "chunks": f"{data['chunks_done']}/{data['chunks']}",
                "done": data["chunks_done"],
                "of": data["chunks"],
            }
        case LiveKind.STATE:
            return {"state": data["state"]}
        case LiveKind.STARTED:
            return {"chunks": data["chunks"]}
        case LiveKind.FINISHED:
            return None
