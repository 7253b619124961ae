"""The page of one review, while it is written and ever after: the diff with the findings under their lines.

Made of live events alone, which are redacted text; every text is escaped here, by Jinja or by the pieces. The same functions
make the whole page and the fragments that a live page is sent, so nothing looks different for having come later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from bot.html.highlight import colour, lexer_for
from bot.html.pieces import inline, prose, static_url, templates
from bot.html.snapshot import Snapshot
from bot.review.model import Severity
from bot.review.render import words
from bot.review.render.safe import clean

OPEN_ROWS: Final = 400
"""A file without findings is folded when it shows more lines."""
_KINDS: Final = {"+": "add", "-": "del", " ": "ctx"}
_RANKS: Final = {severity.value: severity.rank for severity in Severity}
STATES: Final[Mapping[str, tuple[str, str]]] = {
    "queued": ("Waiting", "waits for its turn"),
    "running": ("Reviewing", "the model is writing"),
    "done": ("Reviewed", ""),
    "skipped": ("Not reviewed", ""),
    "superseded": ("Superseded", ""),
    "failed": ("Failed", ""),
}
"""A job's state in words: the badge, and what to say while there is no better sentence."""


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

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in {"queued", "running"}


def review_page(job: JobView, snapshot: Snapshot, *, signed_in: bool) -> str:
    """The whole page."""
    return templates().get_template("live_review.html").render(**_common(signed_in=signed_in), **_view(job, snapshot))


def review_main(job: JobView, snapshot: Snapshot) -> str:
    """Its `<main>` alone, for a live page that begins anew or is over."""
    return templates().get_template("live_main.html").render(**_view(job, snapshot))


def card(found: Mapping[str, Any]) -> Markup:
    """A finding as it stands under its line."""
    return Markup(templates().get_template("live_card.html").render(card=_card(found)))  # noqa: S704 - Jinja escaped it.


def index_entry(found: Mapping[str, Any]) -> Markup:
    """A finding in the list at the top."""
    return Markup(templates().get_template("live_entry.html").render(card=_card(found)))  # noqa: S704 - as above.


def lost_entry(lost: Mapping[str, Any]) -> Markup:
    """A finding that is not shown, in the list of those."""
    return Markup(templates().get_template("live_lost.html").render(lost=_lost(lost)))  # noqa: S704 - as above.


def note_entry(note: Mapping[str, Any]) -> Markup:
    """One note."""
    return Markup("<li>{}</li>").format(inline(str(note["text"])))


def place(found: Mapping[str, Any]) -> dict[str, Any]:
    """Where a script puts a finding: `{"file", "row"}`, `row` empty where its line is not shown."""
    rows = found["rows"]
    end = rows["end"]
    return {"file": rows["file"], "row": _row_id(rows["hunk"], end["old"], end["new"]) if end else ""}


def marked_rows(found: Mapping[str, Any]) -> list[str]:
    """Ids of the rows that a finding is about."""
    hunk = found["rows"]["hunk"]
    return [_row_id(hunk, old, new) for _, old, new, _, marked in found["frame"] if marked]


def seconds(at: float) -> str:
    """Seconds since the review began, for people."""
    return words.seconds(at)


def announcement(found: Mapping[str, Any]) -> str:
    """What a screen reader is told."""
    return f"Finding: {found['severity']}, {found['title']}, {found['path']} line {found['line']}"


def _common(*, signed_in: bool) -> dict[str, Any]:
    return {"style_url": static_url("spark.css"), "script_url": static_url("live.js"), "signed_in": signed_in}


def _view(job: JobView, snapshot: Snapshot) -> dict[str, Any]:
    review = snapshot.review
    started = snapshot.started or {}
    found = _in_order(snapshot.found.values())
    cards = [_card(each) for each in found]
    by_row: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each, shown in zip(found, cards, strict=True):
        by_row[place(each)["row"]].append(shown)
    marks = {row: str(each["severity"]) for each in reversed(found) for row in marked_rows(each)}
    shown_rows: set[str] = set()
    files = [_file(file, by_row, marks, shown_rows) for file in started.get("files", ()) if file["hunks"]]
    places = {file["id"] for file in files}
    for file in files:
        mine = [(each, shown) for each, shown in zip(found, cards, strict=True) if place(each)["file"] == file["id"]]
        file["loose"] = [shown for each, shown in mine if place(each)["row"] not in shown_rows]
        file["worst"] = mine[0][0]["severity"] if mine else ""
        file["number"] = len(mine)
        file["open"] = file["open"] or bool(mine)
    headline, outcome, tone = _outcome(job, snapshot)
    return {
        "job": job,
        "state": job.state,
        "badge": review["verdict"] if review is not None and job.state == "done" else STATES[job.state][0],
        "tone": tone,
        "headline": headline,
        "outcome": outcome,
        "restarts": snapshot.restarts,
        "seq": snapshot.seq,
        "base": str(started.get("base", "")),
        "model": str(started.get("model") or ""),
        "files": files,
        "file_count": words.count(len(started.get("files", ())), "file"),
        "added": sum(file["added"] for file in started.get("files", ())),
        "removed": sum(file["removed"] for file in started.get("files", ())),
        "has_diff": snapshot.started is not None,
        "cards": cards,
        "counts": [(each.value, sum(one["severity"] == each.value for one in found)) for each in Severity],
        "loose": [shown for each, shown in zip(found, cards, strict=True) if place(each)["file"] not in places],
        "lost": [_lost(each) for each in snapshot.lost],
        "notes": [note_entry(each) for each in snapshot.notes],
        "notices": [inline(text) for text in (review or {}).get("notices", ())],
        "tiles": tiles(job, snapshot),
        "chunks": started.get("chunks", 0),
        "chunks_done": _chunks_done(snapshot),
        "coverage": _coverage(review),
        "skipped": [(skip["path"], skip.get("detail") or skip["reason"]) for skip in started.get("skipped", ())],
        "aside": _aside(review),
    }


def tiles(job: JobView, snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """`(id, value, what it is)` of the figures at the top."""
    progress, review = snapshot.progress or {}, snapshot.review or {}
    timing, usage = review.get("timing", {}), review.get("usage", {})
    first = timing.get("first_finding") or min((each["at"] for each in snapshot.found.values()), default=None)
    whole = timing.get("done") or job.seconds
    rate = progress.get("tokens_per_second")
    if review and usage.get("output_tokens") and timing.get("first_token") is not None:
        writing = (timing.get("first_post") or timing["done"]) - timing["first_token"]
        rate = round(usage["output_tokens"] / writing) if writing > 0 else None
    cost = usage.get("usd")
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
    return [*known, ("chunks", hunks, "hunks reviewed" if coverage else "parts read")]


def _chunks_done(snapshot: Snapshot) -> int:
    return int((snapshot.progress or {}).get("chunks_done", 0))


def _in_order(found: Any) -> list[Mapping[str, Any]]:
    """Most severe first, then as they came."""
    return sorted(found, key=lambda each: (-_RANKS[each["severity"]], each["at"]))


def _outcome(job: JobView, snapshot: Snapshot) -> tuple[str, Markup, str]:
    """Headline of the findings, the sentence under the title, and the colour of both."""
    review, number = snapshot.review, len(snapshot.found)
    headline = words.count(number, "finding") if number else "No findings" if job.is_over else "No findings yet"
    if job.state == "done" and review is not None:
        return headline, inline(str(review["reason"])), str(review["verdict"])
    why = job.why or STATES[job.state][1]
    tone = {"failed": "fail", "running": "busy", "queued": "busy"}.get(job.state, "quiet")
    return headline, inline(why[:1].upper() + why[1:]), tone


def _card(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": found["id"],
        "severity": found["severity"],
        "rank": _RANKS[found["severity"]],
        "label": str(found["category"]),
        "title": inline(str(found["title"])),
        "body": prose(str(found["body"])),
        "where": clean(_where(found)),
        "small": [clean(str(each)) for each in found["small"] if each],
        "diff": [(sign, clean(text)) for sign, text in found["diff"] or ()],
        "at": words.seconds(found["at"]),
    }


def _where(found: Mapping[str, Any]) -> str:
    start, end = found["start_line"], found["line"]
    lines = f"{end}" if start in {None, end} else f"{start}–{end}"
    return f"{found['path']}:{lines}"


def _lost(lost: Mapping[str, Any]) -> dict[str, Any]:
    line = lost["line"]
    return {
        "severity": lost["severity"],
        "title": inline(str(lost["title"])),
        "where": clean(f"{lost['path']}:{line}" if line else str(lost["path"])),
        "reason": inline(str(lost["reason"])),
    }


def _row_id(hunk: str, old: int | None, new: int | None) -> str:
    return f"{hunk}-{old or ''}-{new or ''}"


def _file(
    file: Mapping[str, Any], by_row: Mapping[str, list[dict[str, Any]]], marks: Mapping[str, str], seen: set[str]
) -> dict[str, Any]:
    lexer = lexer_for(str(file["path"]))
    hunks = []
    for hunk in file["hunks"]:
        code = _coloured(lexer, hunk["rows"])
        rows = []
        for (sign, old, new, _), html in zip(hunk["rows"], code, strict=True):
            row = _row_id(hunk["id"], old, new)
            seen.add(row)
            rows.append(
                {
                    "id": row,
                    "kind": _KINDS[sign],
                    "sign": sign,
                    "old": old,
                    "new": new,
                    "code": html,
                    "mark": marks.get(row, ""),
                    "cards": by_row.get(row, ()),
                }
            )
        hunks.append({"title": clean(str(hunk["title"])), "rows": rows})
    shown = sum(len(hunk["rows"]) for hunk in hunks)
    return {
        "id": file["id"],
        "path": clean(str(file["path"])),
        "old_path": clean(str(file["old_path"] or "")) if file["old_path"] != file["path"] else "",
        "status": file["status"],
        "added": file["added"],
        "removed": file["removed"],
        "hunks": hunks,
        "rows_omitted": file["rows_omitted"],
        "open": shown <= OPEN_ROWS,
    }


def _coloured(lexer: Any, rows: Sequence[Sequence[Any]]) -> list[Markup]:
    """HTML of each line; both versions are lexed, so that each line is coloured in its own context."""
    out: dict[int, Markup] = {}
    for dropped in ("+", "-"):
        at = [number for number, row in enumerate(rows) if row[0] != dropped]
        out.update(zip(at, colour(lexer, [str(rows[number][3]) for number in at]), strict=True))
    return [out[number] for number in range(len(rows))]


def _coverage(review: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if review is None:
        return None
    coverage = review["coverage"]
    return {
        "whole": coverage["whole"],
        "text": f"{coverage['reviewed']} of {words.count(coverage['hunks'], 'hunk')} reviewed.",
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
        ("dismissed", "dismissed"),
    ):
        if number := statuses.count(status):
            told.append(f"{words.count(number, 'finding')} {what}")
    return told
