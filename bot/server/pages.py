"""The pages for people: the list of reviews, and each review while it is written.

A page is made on the server from what is stored, and then follows the review's events (SSE) from where it was made; a
connection that was lost is taken up at the last number that the browser has seen. Nobody sees anything here whom `access`
refuses, and what is shown was redacted before it was stored.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from flask import Blueprint, Request, Response, abort, request

from bot.engine.database import DatabaseAwayError
from bot.engine.history import Figures, History
from bot.engine.model import Job, JobState
from bot.html import live_page
from bot.html.list_page import Head, list_main, list_page
from bot.html.live_page import JobView, review_main, review_page
from bot.html.pieces import static_files
from bot.html.snapshot import Snapshot
from bot.live.events import LiveEvent, LiveKind, Numbered

MOST_LIVE: Final = 120
"""Streams that are open at once: each has a thread, and the door needs the others (200 in all)."""
BEAT: Final = 15.0
"""Seconds of silence after which a stream says that it is alive: proxies cut silent ones, and a dead reader is noticed."""
RETRY: Final = 1_000
"""Milliseconds after which a browser that lost the stream asks again."""
A_PAGE: Final = 50
_BUSY_SECONDS: Final = 5
_JOB: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Watched(Protocol):
    """The event log, as `bot.engine.eventlog`."""

    def read(self, job_id: str, after: int = 0) -> list[Numbered]:
        """What is stored."""
        ...

    def watch(self, job_id: str, after: int = 0, *, beat: float = 15.0) -> Iterator[Numbered | None]:
        """What comes; None for each `beat` seconds of silence."""
        ...


class Guard(Protocol):
    """Who may see the pages."""

    def refuse(self) -> Response | None:
        """The answer to who may not; None for who may."""
        ...

    def signed_in(self, asked: Request) -> bool:
        """Whether this is a session, which can be ended."""
        ...


def blueprint(
    *,
    history: History,
    events: Watched,
    access: Guard,
    github_url: str = "https://github.com",
    most_live: int = MOST_LIVE,
) -> Blueprint:
    """The routes. `github_url`: where links to pull requests lead."""
    routes = Blueprint("pages", __name__)
    places = threading.BoundedSemaphore(most_live)

    @routes.before_request
    def guard() -> Response | None:
        return None if request.endpoint == "pages.static_file" else access.refuse()

    @routes.errorhandler(DatabaseAwayError)
    def away(_: DatabaseAwayError) -> Response:
        return _busy("The database does not answer; try again in a moment.")

    @routes.get("/static/<name>")
    def static_file(name: str) -> Response:
        if name not in static_files():
            abort(404)
        content, kind = static_files()[name]
        return Response(content, content_type=kind, headers={"Cache-Control": _FOR_EVER})

    @routes.get("/")
    def reviews() -> Response:
        asked = request.args.get("state", "")
        state = JobState(asked) if asked in {*JobState} else None
        repo = request.args.get("repo", "")[:200]
        before = request.args.get("before", type=float)
        found = history.jobs(state=state, repo=repo or None, before=before, limit=A_PAGE + 1)
        shown = [_view(job, github_url) for job in found[:A_PAGE]]
        filters = {"state": state.value if state else "", "repo": repo}
        more = {name: value for name, value in filters.items() if value}
        older = f"/?{urlencode({**more, 'before': shown[-1].created_at})}" if len(found) > A_PAGE else ""
        head = _head(history)
        if _part():
            return _page(list_main(shown, head, now=time.time(), filters=filters, older=older))
        return _page(
            list_page(shown, head, now=time.time(), filters=filters, older=older, signed_in=access.signed_in(request))
        )

    @routes.get("/reviews/<job_id>")
    def review(job_id: str) -> Response:
        job, snapshot = _found(history, job_id), Snapshot.of(events.read(job_id))
        view = _view(job, github_url)
        if _part():
            return _page(review_main(view, snapshot))
        return _page(review_page(view, snapshot, signed_in=access.signed_in(request)))

    @routes.get("/reviews/<job_id>.json")
    def review_data(job_id: str) -> Response:
        job, snapshot = _found(history, job_id), Snapshot.of(events.read(job_id))
        ended = history.ended(job_id)
        told = {
            "id": job.id,
            "delivery": job.delivery,
            "state": job.state.value,
            "why": job.why,
            "attempt": job.attempt,
            "url": job.url,
            "timing": dict(ended.timing) if ended is not None else {},
            "review": snapshot.review,
        }
        return Response(json.dumps(told), mimetype="application/json")

    @routes.get("/reviews/<job_id>/events")
    def stream(job_id: str) -> Response:
        _found(history, job_id)
        after = _number(request.headers.get("Last-Event-ID") or request.args.get("after", ""))
        if not places.acquire(blocking=False):
            return _busy("Too many live pages are open.")
        shape = page_message if request.args.get("for") == "page" else plain_message
        return _Stream(_messages(events, job_id, after, shape), places)

    return routes


class _Stream(Response):
    """A stream that gives its place back when it is over, read to its end or not."""

    def __init__(self, messages: Iterator[str], places: threading.BoundedSemaphore) -> None:
        super().__init__(messages, content_type="text/event-stream; charset=utf-8")
        # Proxies that keep answers until they are whole are asked not to.
        self.headers["X-Accel-Buffering"] = "no"
        self.call_on_close(places.release)


def _messages(events: Watched, job_id: str, after: int, shape: Shape) -> Iterator[str]:
    yield f"retry: {RETRY}\n\n"
    for numbered in events.watch(job_id, after, beat=BEAT):
        if numbered is None:
            yield ": still here\n\n"
            continue
        told = shape(numbered.event)
        if told is not None:
            yield _message(numbered.event.kind.value, told, numbered.seq)
        if _is_end(numbered.event):
            yield _message("over", {}, numbered.seq)
            return


def _is_end(event: LiveEvent) -> bool:
    return event.kind is LiveKind.STATE and JobState(event.data["state"]).is_over


def _message(kind: str, data: Mapping[str, Any], seq: int) -> str:
    # JSON has no line break in it, so one `data:` line is enough.
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


Shape = Callable[[LiveEvent], Mapping[str, Any] | None]
"""Makes the data of a message; None for an event that is not sent."""


def plain_message(event: LiveEvent) -> Mapping[str, Any]:
    """For programs: the event as it is."""
    return event.data


def page_message(event: LiveEvent) -> Mapping[str, Any] | None:
    """For our own page: ready HTML, and where it goes. What is large the page fetches instead."""
    data = event.data
    match event.kind:
        case LiveKind.FOUND:
            return {
                "id": data["id"],
                "severity": data["severity"],
                "html": live_page.card(data),
                "entry": live_page.index_entry(data),
                "say": live_page.announcement(data),
                "at": live_page.seconds(data["at"]),
                "marked": live_page.marked_rows(data),
                **live_page.place(data),
            }
        case LiveKind.LOST:
            return {"html": live_page.lost_entry(data)}
        case LiveKind.NOTE:
            return {"html": live_page.note_entry(data)}
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


def _found(history: History, job_id: str) -> Job:
    job = history.job(job_id) if _JOB.fullmatch(job_id) else None
    if job is None:
        abort(404)
    return job


def _view(job: Job, github_url: str) -> JobView:
    work = job.work
    number = job.number
    return JobView(
        id=job.id,
        repo=job.repo,
        number=number,
        title=getattr(work, "title", ""),
        author=getattr(work, "author", ""),
        head=work.head_sha,
        state=job.state.value,
        why=job.why,
        attempt=job.attempt,
        url=f"{github_url}/{job.repo}/pull/{number}" if number else f"{github_url}/{job.repo}/commit/{work.head_sha}",
        review_url=job.url,
        created_at=job.created_at,
        seconds=job.ended_at - job.created_at if job.ended_at is not None else None,
        verdict=job.verdict,
        findings=job.findings,
        usd=job.usd,
        error=job.error,
    )


def _head(history: History) -> Head:
    figures: Figures = history.figures()
    standing = history.standing()
    return Head(
        days=figures.days,
        reviews=figures.counts.get(JobState.DONE, 0),
        failed=figures.counts.get(JobState.FAILED, 0),
        waiting=standing.waiting,
        running=standing.running,
        first_finding=figures.first_finding,
        done=figures.done,
        usd=figures.usd,
    )


def _part() -> bool:
    """Whether a script asks for the inside of the page."""
    return request.headers.get("X-Spark-Part") == "main"


def _page(html: str) -> Response:
    return Response(html, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})


def _busy(why: str) -> Response:
    return Response(f"{why}\n", 503, headers={"Retry-After": str(_BUSY_SECONDS)}, mimetype="text/plain")


def _number(text: str) -> int:
    """A number of an event; 0, from the beginning, for anything that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
