"""What the demo sees of a review while it happens: the server's live events, and what becomes visible on GitHub.

One queue for both, in the order in which they were seen, each with its moment on one clock. Shows nothing.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

from bot.errors import OutsideError
from bot.live.events import LiveKind
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.records import CheckRun, Comment, IssueComment, Review

_SILENCE: Final = 60.0
"""Seconds without a byte after which a stream is given up; the server beats every 15."""


class OnGitHub(StrEnum):
    """What anybody can see on GitHub."""

    CHECK_OPENED = "check opened"
    POSTED = "posted"
    CHECK_CLOSED = "check closed"
    EDITED = "edited"
    ANSWERED = "answered"
    PUSHED = "pushed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that was seen `at` so many seconds of `time.monotonic()`."""

    at: float
    what: LiveKind | OnGitHub | None
    """None: the stream of live events is over."""
    data: Mapping[str, Any]


class Watch:
    """Collects moments from any thread; one thread takes them."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Moment] = queue.SimpleQueue()

    def next(self, seconds: float) -> Moment | None:
        """The next moment; None when there is none for so long."""
        with suppress(queue.Empty):
            return self._queue.get(timeout=seconds)
        return None

    def happened(self, happening: Happening) -> None:
        """For `Stage.on_happening`."""
        if happening.sender.kind == "Bot":
            self._talked(happening)
        match happening.subjects.get("run"), happening.subjects.get("review"):
            case CheckRun() as run, _ if happening.action == "created":
                self._see(OnGitHub.CHECK_OPENED, {"name": run.name, "id": run.id})
            case CheckRun() as run, _ if happening.action == "completed":
                data = {"name": run.name, "id": run.id, "conclusion": run.conclusion, "title": run.title or ""}
                self._see(OnGitHub.CHECK_CLOSED, data)
            case _, Review() if happening.action == "submitted":
                self._see(OnGitHub.POSTED, {})

    def _talked(self, happening: Happening) -> None:
        """What Spark says and does beside its reviews."""
        match (happening.event, happening.action), happening.subjects.get("comment"):
            case (_, "created"), IssueComment() as comment:
                self._see(OnGitHub.ANSWERED, {"body": comment.body, "in_thread": False})
            case (_, "created"), Comment() as comment if comment.reply_to is not None:
                self._see(OnGitHub.ANSWERED, {"body": comment.body, "in_thread": True})
            case ("pull_request", "synchronize"), _:
                self._see(OnGitHub.PUSHED, {})
            case ("pull_request_review", "edited"), _:
                self._see(OnGitHub.EDITED, {})
            case ("pull_request_review_thread", "resolved"), _:
                self._see(OnGitHub.RESOLVED, {})

    def stream(self, url: str) -> None:
        """Follow the live events at `url` from now on, in a thread of its own."""
        threading.Thread(target=self._follow, args=(url,), name="demo-stream", daemon=True).start()

    def _follow(self, url: str) -> None:
        why = ""
        try:
            for kind, data in live_events(url):
                self._see(kind, data)
        except (OSError, HTTPException, OutsideError) as error:
            why = str(error)
        self._see(None, {"why": why})

    def _see(self, what: LiveKind | OnGitHub | None, data: Mapping[str, Any]) -> None:
        self._queue.put(Moment(at=time.monotonic(), what=what, data=data))


def live_events(url: str) -> Iterator[tuple[LiveKind, Mapping[str, Any]]]:
    """The events of a review's stream (`/reviews/<id>/events`) as they come, until the server ends it.

    Raises OSError and HTTPException as the connection does, OutsideError for any answer but a stream.
    """
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_SILENCE)
    try:
        connection.request("GET", parts.path, headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise OutsideError(f"{url} answered {answer.status}")
        for name, data in _blocks(answer):
            # A page may be told of more than these.
            if name in {kind.value for kind in LiveKind}:
                yield LiveKind(name), json.loads(data)
    finally:
        connection.close()


def _blocks(answer: HTTPResponse) -> Iterator[tuple[str, str]]:
    """Name and data of each event of a stream, as the HTML standard has them."""
    name = "message"
    data: list[str] = []
    for raw in iter(answer.readline, b""):
        line = raw.decode().rstrip("\r\n")
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
