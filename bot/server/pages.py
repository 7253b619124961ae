"""The pages for people: the list of reviews and commands, and each of them while it is worked on.

A page is made on the server from what is stored, and then follows the review's events (SSE) from where it was made; a
connection that was lost is taken up at the last number that the browser has seen. Nobody sees anything here whom `access`
refuses, and what is shown was redacted before it was stored.
"""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Final, Protocol
from urllib.parse import urlencode

from flask import Blueprint, Request, Response, abort, request

from bot.engine.database import DatabaseAwayError
from bot.engine.history import Figures, History
from bot.engine.model import Job, JobState
from bot.html.list_page import Head, list_main, list_page
from bot.html.live_page import review_main, review_page
from bot.html.pieces import static_files
from bot.html.snapshot import Snapshot
from bot.server.job_view import command_json, job_view
from bot.server.livestream import BEAT, Stream, Watched, messages, page_message, plain_message

MOST_LIVE: Final = 120
"""Streams that are open at once: each has a thread, and the door needs the others (200 in all)."""
A_PAGE: Final = 50
_BUSY_SECONDS: Final = 5
_JOB: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FOR_EVER: Final = "public, max-age=31536000, immutable"


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
    beat: float = BEAT,
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
        shown = [job_view(job, github_url) for job in found[:A_PAGE]]
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
        job, snapshot = _known(history, events, job_id)
        view = job_view(job, github_url, history.ended(job_id) if job.state.is_over else None)
        if _part():
            return _page(review_main(view, snapshot, now=time.time()))
        return _page(review_page(view, snapshot, now=time.time(), signed_in=access.signed_in(request)))

    @routes.get("/reviews/<job_id>.json")
    def review_data(job_id: str) -> Response:
        job, snapshot = _known(history, events, job_id)
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
            "command": command_json(job),
        }
        return Response(json.dumps(told), mimetype="application/json")

    @routes.get("/reviews/<job_id>/events")
    def stream(job_id: str) -> Response:
        _found(history, job_id)
        after = _number(request.headers.get("Last-Event-ID") or request.args.get("after", ""))
        if not places.acquire(blocking=False):
            return _busy("Too many live pages are open.")
        shape = page_message if request.args.get("for") == "page" else plain_message
        return Stream(messages(events, job_id, after, shape, beat=beat), places)

    return routes


def _found(history: History, job_id: str) -> Job:
    job = history.job(job_id) if _JOB.fullmatch(job_id) else None
    if job is None:
        abort(404)
    return job


def _known(history: History, events: Watched, job_id: str) -> tuple[Job, Snapshot]:
    """The job, and what was told of it. The events are read first: the end is told after the job has ended, so that a page
    with the last event of a job is never made for a job that runs.
    """
    if not _JOB.fullmatch(job_id):
        abort(404)
    snapshot = Snapshot.of(events.read(job_id))
    return _found(history, job_id), snapshot


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
