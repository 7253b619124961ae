"""The page of one review, while it is written and ever after: the diff with the findings under their lines. A command in a
comment has the same page without these: what was asked, by whom, and what came of it.

Made of live events alone, which are redacted text; every text is escaped here, by Jinja or by the pieces. The same functions
make the whole page and the fragments that a live page is sent, so nothing looks different for having come later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from markupsafe import Markup

from bot.html import live_parts
from bot.html.live_parts import marked_rows, place
from bot.html.pieces import inline, sentence, static_url, templates
from bot.html.snapshot import Snapshot
from bot.review.model import Severity
from bot.review.render import words
from bot.review.render.safe import clean

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "queued": ("Waiting", "waits for its turn"),
    "running": ("Reviewing", "the model is writing"),
    "done": ("Reviewed", ""),
    "skipped": ("Not reviewed", ""),
    "superseded": ("Superseded", ""),
    "failed": ("Failed", ""),
}
"""A job's state in words: the badge, and what to say while there is no better sentence."""
COMMAND_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "queued": ("Waiting", "waits for its turn"),
    "running": ("Answering", "it is being done"),
    "done": ("Answered", ""),
    "skipped": ("Not answered", ""),
    "superseded": ("Withdrawn", ""),
    "failed": ("Failed", ""),
}
"""The same of a command in a comment."""
_TONES: Final = {"failed": "fail", "running": "busy", "queued": "busy"}
_COMMAND_TONES: Final = {"answered": "pass", "committed": "pass", "suggested": "pass", "refused": "neutral"}
_READING: Final = "the change is being read"
"""Said of a running job while there is no diff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """What a page says of the job itself."""

    id: str
    repo: str
    number: int | None
    title: str
    author: str
    head: str
    state: str
    why: str
    attempt: int
    url: str
    """The pull request on GitHub."""
    review_url: str
    """The posted review; empty where there is none."""
    created_at: float
    """Seconds since 1970."""
    seconds: float | None
    """From the delivery to the end; None while it is not over."""
    verdict: str = ""
    findings: int = 0
    usd: float | None = None
    error: str = ""
    delivery: str = ""
    """GitHub's id of the delivery that asked for it."""
    waited: float = 0.0
    """Seconds from the delivery to the beginning of the review, which is what events count from."""
    timing: Mapping[str, float] = field(default_factory=dict)
    """Of an ended job: seconds from the delivery."""
    is_command: bool = False
    """Whether this answers a comment, and reviews nothing; `title` is what was asked then, `author` who asked."""
    outcome: str = ""
    """What came of a command, in one word."""

    @property
    def badge(self) -> str:
        """The job's state in a word or two."""
        if self.state == "done" and (self.verdict or self.outcome):
            return self.verdict or self.outcome
        return self.said[0]

    @property
    def said(self) -> tuple[str, str]:
        """The job's state: the badge, and what to say while there is no better sentence."""
        return (COMMAND_STATES if self.is_command else STATES)[self.state]

    @property
    def tone(self) -> str:
        """The colour of both."""
        if self.state == "done" and self.is_command:
            return _COMMAND_TONES.get(self.outcome, "quiet")
        if self.state == "done" and self.verdict:
            return self.verdict
        return _TONES.get(self.state, "quiet")

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in {"queued", "running"}


def review_page(job: JobView, snapshot: Snapshot, *, now: float, signed_in: bool) -> str:
    """The whole page. `now`: the server's clock, which the seconds of a running review are counted by."""
    common = {"style_url": static_url("spark.css"), "script_url": static_url("live.js"), "signed_in": signed_in}
    return templates().get_template("live_review.html").render(**common, **_view(job, snapshot, now))


def review_main(job: JobView, snapshot: Snapshot, *, now: float) -> str:
    """Its `<main>` alone, for a live page that begins anew or is over."""
    return templates().get_template("live_main.html").render(**_view(job, snapshot, now))


def _view(job: JobView, snapshot: Snapshot, now: float) -> dict[str, Any]:
    review = snapshot.review
    started = snapshot.started or {}
    found = live_parts.in_order(_findings(snapshot))
    cards = [live_parts.card_view(each) for each in found]
    files, loose = _files(started, found, cards)
    headline, outcome, tone = _outcome(job, snapshot)
    return {
        "job": job,
        "state": job.state,
        "over": job.is_over and snapshot.is_over,
        "now": now,
        "title": clean(job.title or str(started.get("title", "")) or job.head[:10]),
        "badge": job.badge,
        "tone": tone,
        "headline": headline,
        "outcome": outcome,
        "again": _again(job, snapshot),
        "seq": snapshot.seq,
        "base": clean(str(started.get("base", ""))),
        "model": clean(str(started.get("model") or "")),
        "files": files,
        "file_count": words.count(len(started.get("files", ())), "file"),
        "added": sum(file["added"] for file in started.get("files", ())),
        "removed": sum(file["removed"] for file in started.get("files", ())),
        "has_diff": snapshot.started is not None,
        "forgotten": job.state == "done" and snapshot.started is None and not job.is_command,
        "cards": cards,
        "counts": [(each.value, sum(one["severity"] == each.value for one in found)) for each in Severity],
        "loose": loose,
        "lost": [live_parts.lost_view(each) for each in snapshot.lost],
        "notes": [live_parts.note_entry(each) for each in snapshot.notes],
        "notices": [inline(text) for text in (review or {}).get("notices", ())],
        "tiles": tiles(job, snapshot),
        "chunks": started.get("chunks", 0),
        "chunks_done": _chunks_done(snapshot),
        "coverage": _coverage(review),
        "skipped": [
            (clean(str(skip["path"])), clean(str(skip.get("detail") or skip["reason"])))
            for skip in started.get("skipped", ())
        ],
        "aside": _aside(review),
    }


def _findings(snapshot: Snapshot) -> list[Mapping[str, Any]]:
    """What was told, each with what became of it; and what a finished review has beyond that: a run that was killed may
    have told less than it kept.
    """
    review = snapshot.review
    if review is None:
        return list(snapshot.found.values())
    final = {str(each["fingerprint"]): each for each in review["findings"]}
    # What is not in the review any more was merged with another finding, which has its words.
    told = [live_parts.as_it_ended(each, final[name]) for name, each in snapshot.found.items() if name in final]
    files = {str(file["path"]): str(file["id"]) for file in (snapshot.started or {}).get("files", ())}
    at = review["timing"]["done"]
    untold = [
        live_parts.of_review(each, files, at if isinstance(at, int | float) else 0.0)
        for name, each in final.items()
        if name not in snapshot.found
    ]
    return [*told, *untold]


def _files(
    started: Mapping[str, Any], found: Sequence[Mapping[str, Any]], cards: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The files with the cards in their places, and the cards of files that are not shown."""
    places = [place(each) for each in found]
    by_row: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for where, shown in zip(places, cards, strict=True):
        by_row[where["row"]].append(shown)
    marks = {row: str(each["severity"]) for each in reversed(found) for row in marked_rows(each)}
    shown_rows: set[str] = set()
    files = [
        live_parts.file_view(file, by_row, marks, shown_rows)
        for file in started.get("files", ())
        if file["hunks"] or (file["rows_omitted"] and not file["skip"])
    ]
    for file in files:
        mine = [at for at, where in enumerate(places) if where["file"] == file["id"]]
        file["loose"] = [cards[at] for at in mine if places[at]["row"] not in shown_rows]
        file["worst"] = found[mine[0]]["severity"] if mine else ""
        file["number"] = len(mine)
        file["open"] = file["open"] or bool(mine)
    known = {file["id"] for file in files}
    return files, [shown for where, shown in zip(places, cards, strict=True) if where["file"] not in known]


def _again(job: JobView, snapshot: Snapshot) -> str:
    """Why this is not the first run, if it is not."""
    if snapshot.resumed:
        return "The process that reviewed this ended before its review was posted; another one posted it."
    if snapshot.restarts or job.attempt > 1:
        return "The process that reviewed this ended in the middle; another one began anew."
    return ""


def tiles(job: JobView, snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """`(id, value, what it is)` of the figures at the top."""
    if job.is_command:
        return _command_tiles(job)
    progress, review = snapshot.progress or {}, snapshot.review or {}
    timing, usage = review.get("timing", {}), review.get("usage", {})
    first = job.timing.get("first_finding")
    if first is None and snapshot.found:
        first = job.waited + min(each["at"] for each in snapshot.found.values())
    whole = job.seconds
    rate = progress.get("tokens_per_second")
    if review and usage.get("output_tokens") and timing.get("first_token") is not None:
        writing = (timing.get("first_post") or timing["done"]) - timing["first_token"]
        rate = round(usage["output_tokens"] / writing) if writing > 0 else None
    cost = usage.get("usd", job.usd)
    known = [
        ("first", words.seconds(first) if first is not None else "–", "to the first finding"),
        ("elapsed", words.seconds(whole) if whole is not None else "–", "in all"),
        ("rate", f"{rate:,}" if rate else "–", "tokens per second"),
        ("tokens", f"{usage.get('output_tokens') or progress.get('output_tokens') or 0:,}", "tokens written"),
        ("cost", words.money(cost) if cost is not None else "–", "cost"),
    ]
    coverage = review.get("coverage")
    hunks = f"{coverage['reviewed']}/{coverage['hunks']}" if coverage else f"{_chunks_done(snapshot)}"
    if coverage is None and snapshot.started is not None:
        hunks = f"{_chunks_done(snapshot)}/{snapshot.started['chunks']}"
    known.append(("chunks", hunks, "hunks reviewed" if coverage else "parts read"))
    # What is not known when all is over never will be.
    return [tile for tile in known if not job.is_over or tile[1] not in {"–", "0"}]


def _command_tiles(job: JobView) -> list[tuple[str, str, str]]:
    seen = job.timing.get("ack")
    known = [
        ("ack", words.seconds(seen) if seen is not None else "–", "to the acknowledgement"),
        ("elapsed", words.seconds(job.seconds) if job.seconds is not None else "–", "in all"),
        ("cost", words.money(job.usd) if job.usd is not None else "–", "cost"),
    ]
    return [tile for tile in known if not job.is_over or tile[1] != "–"]


def _chunks_done(snapshot: Snapshot) -> int:
    return int((snapshot.progress or {}).get("chunks_done", 0))


def _outcome(job: JobView, snapshot: Snapshot) -> tuple[str, Markup, str]:
    """Headline of the findings, the sentence under the title, and the colour of both."""
    number = len(_findings(snapshot)) or (job.findings if job.is_over else 0)
    headline = words.count(number, "finding") if number else "No findings" if job.is_over else "No findings yet"
    if job.is_command:
        return "", sentence(job.why or job.said[1]), job.tone
    if job.state == "done" and job.verdict:
        reason = job.why or str((snapshot.review or {}).get("reason", ""))
        return headline, sentence(reason), job.verdict
    why = job.why or job.said[1]
    if job.state == "running" and snapshot.started is None:
        why = _READING
    return headline, sentence(why), job.tone


def _coverage(review: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if review is None:
        return None
    coverage = review["coverage"]
    # A review that was stored before there were rounds has none.
    earlier = coverage.get("earlier", 0)
    before = f", {earlier} of them in an earlier round" if earlier else ""
    return {
        "whole": coverage["whole"],
        "text": f"{coverage['reviewed']} of {words.count(coverage['hunks'], 'hunk')} reviewed{before}.",
        "difference": clean(str(coverage["difference"])),
        "holes": [(clean(str(hole["path"])), clean(str(hole["reason"]))) for hole in coverage["holes"]],
    }


def _aside(review: Mapping[str, Any] | None) -> list[str]:
    """What else there is to know about a finished review, in small print."""
    if review is None:
        return []
    usage = review["usage"]
    told = [f"{words.count(usage['calls'], 'call')}, {usage['input_tokens']:,} tokens read"] if usage["calls"] else []
    statuses = [str(each["status"]) for each in review["findings"]]
    for status, what in (
        ("known", "with a thread already"),
        ("below-threshold", "below the threshold"),
        ("over-limit", "over the limit of comments"),
        ("held-back", "held back"),
        ("dismissed", "dismissed"),
    ):
        if number := statuses.count(status):
            told.append(f"{words.count(number, 'finding')} {what}")
    return told
