"""The list of reviews and commands: what runs, what was done, and how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bot.html.live_page import STATES, JobView
from bot.html.pieces import inline, sentence, static_url, templates
from bot.review.render import words
from bot.review.render.safe import clean

_MARKS: Final = {"pass": "✓", "fail": "✕", "neutral": "!", "failed": "⚠", "running": "●", "queued": "○"}
"""Said in signs too, for those who do not see the colours; the word stands beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The figures above the list."""

    days: int
    reviews: int
    failed: int
    waiting: int
    running: int
    first_finding: float | None
    done: float | None
    usd: float


def list_page(
    jobs: Sequence[JobView],
    head: Head,
    *,
    now: float,
    filters: Mapping[str, str],
    older: str,
    signed_in: bool,
) -> str:
    """The whole page. `older` is the link to the next page; empty where there is none."""
    return (
        templates()
        .get_template("live_list.html")
        .render(
            style_url=static_url("spark.css"),
            script_url=static_url("live.js"),
            signed_in=signed_in,
            **_view(jobs, head, now, filters, older),
        )
    )


def list_main(jobs: Sequence[JobView], head: Head, *, now: float, filters: Mapping[str, str], older: str) -> str:
    """Its `<main>` alone."""
    return templates().get_template("live_list_main.html").render(**_view(jobs, head, now, filters, older))


def _view(jobs: Sequence[JobView], head: Head, now: float, filters: Mapping[str, str], older: str) -> dict[str, Any]:
    return {
        "rows": [_row(job, now) for job in jobs],
        "tiles": _tiles(head),
        "days": head.days,
        "filters": filters,
        "states": [("", "all"), *((state, said[0].lower()) for state, said in STATES.items())],
        "older": older,
        "now": now,
    }


def _tiles(head: Head) -> list[tuple[str, str]]:
    return [
        (f"{head.reviews:,}", "reviews"),
        (words.seconds(head.first_finding) if head.first_finding is not None else "–", "to the first finding, median"),
        (words.seconds(head.done) if head.done is not None else "–", "to the end, median"),
        (words.money(head.usd), "spent"),
        (f"{head.running} · {head.waiting}", "running · waiting"),
    ]


def _row(job: JobView, now: float) -> dict[str, Any]:
    said = job.tone if job.state == "done" else job.state
    at = datetime.fromtimestamp(job.created_at, UTC)
    return {
        "job": job,
        # A command is shown as it was typed, never as the markdown that it may be.
        "title": clean(job.title) if job.is_command else inline(job.title) if job.title else "",
        "mark": _MARKS.get(said, "–"),
        "badge": job.badge.lower(),
        "tone": job.tone,
        "why": sentence(job.why) if job.why else "",
        "findings": words.count(job.findings, "finding") if job.state == "done" and not job.is_command else "",
        "seconds": words.seconds(max(0.0, now - job.created_at) if job.seconds is None else job.seconds),
        "cost": words.money(job.usd) if job.usd is not None else "",
        "when": _ago(now - job.created_at),
        "at": at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "stamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _ago(seconds: float) -> str:
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} ago"
    return "just now"
