"""The pieces of a review's page that also come alone, while it is written: a finding and its place, what was left out, notes.

Made of live events, which are redacted text; every text is escaped here, by Jinja or by `pieces`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from markupsafe import Markup

from bot.html.coloured import ColouredHunks
from bot.html.pieces import inline, prose, templates
from bot.review.model import FindingStatus, Severity
from bot.review.render import words
from bot.review.render.safe import clean

OPEN_ROWS: Final = 400
"""A file without findings is folded when it shows more lines."""
_KINDS: Final = {"+": "add", "-": "del", " ": "ctx"}
_RANKS: Final = {severity.value: severity.rank for severity in Severity}
_STATUS: Final = {
    FindingStatus.KNOWN.value: "it has a thread already",
    FindingStatus.DISMISSED.value: "not posted: it was dismissed",
    FindingStatus.BELOW_THRESHOLD.value: "not posted: below the threshold",
    FindingStatus.HELD_BACK.value: "not posted: low, and on code that was reviewed before",
    FindingStatus.OVER_LIMIT.value: "not posted: over the limit of comments",
}
"""What is said of a finding that is not among the new comments."""


def finding_html(found: Mapping[str, Any]) -> tuple[Markup, Markup]:
    """A finding as it stands under its line, and in the list at the top."""
    view = card_view(found)
    card, entry = (templates().get_template(name).render(card=view) for name in ("live_card.html", "live_entry.html"))
    return Markup(card), Markup(entry)  # noqa: S704 - Jinja escaped them.


def lost_entry(lost: Mapping[str, Any]) -> Markup:
    """A finding that is not shown, in the list of those."""
    return Markup(templates().get_template("live_lost.html").render(lost=lost_view(lost)))  # noqa: S704 - as above.


def note_entry(note: Mapping[str, Any]) -> Markup:
    """One note."""
    return Markup("<li>{}</li>").format(inline(str(note["text"])))


def place(found: Mapping[str, Any]) -> dict[str, str]:
    """Where a script puts a finding: `{"file", "row"}`, `row` empty where its line is not shown."""
    rows = found["rows"]
    end = rows["end"]
    return {"file": rows["file"], "row": _row_id(rows["hunk"], end["old"], end["new"]) if end else ""}


def marked_rows(found: Mapping[str, Any]) -> list[str]:
    """Ids of the rows that a finding is about."""
    hunk = found["rows"]["hunk"]
    return [_row_id(hunk, old, new) for _, old, new, _, marked in found["frame"] if marked]


def announcement(found: Mapping[str, Any]) -> str:
    """What a screen reader is told."""
    return (
        f"Finding: {found['severity']}, {clean(str(found['title']))}, {clean(str(found['path']))} line {found['line']}"
    )


def in_order(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Most severe first, then as they came."""
    return sorted(found, key=lambda each: (-_RANKS[each["severity"]], each["at"]))


def of_review(finding: Mapping[str, Any], files: Mapping[str, str], at: float) -> dict[str, Any]:
    """A finding of the review's JSON that was never told alone, as if it had been; `files`: path to id."""
    nowhere = {"file": files.get(str(finding["path"]), ""), "hunk": "", "start": None, "end": None}
    return {
        **finding,
        "id": finding["fingerprint"],
        "at": at,
        "small": [finding["note"]],
        "diff": None,
        "frame": [],
        "rows": nowhere,
    }


def as_it_ended(found: Mapping[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
    """A finding as it was told, with what the finished review says became of it; `last`: the same in the review's JSON."""
    note = str(last["note"])
    small = [*(part for part in found["small"] if not note.startswith(part)), note] if note else found["small"]
    return {**found, "status": last["status"], "small": small}


def card_view(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates of a finding need."""
    status = _STATUS.get(str(found.get("status", "")), "")
    return {
        "id": found["id"],
        "severity": found["severity"],
        "rank": _RANKS[found["severity"]],
        "label": str(found["category"]),
        "title": inline(str(found["title"])),
        "body": prose(str(found["body"])),
        "where": clean(_where(found)),
        "small": [clean(str(each)) for each in (*found["small"], status) if each],
        "diff": [(sign, clean(text)) for sign, text in found["diff"] or ()],
        "at": words.seconds(found["at"]),
    }


def lost_view(lost: Mapping[str, Any]) -> dict[str, Any]:
    """What the template of a finding that is not shown needs."""
    line = lost["line"]
    return {
        "severity": lost["severity"],
        "title": inline(str(lost["title"])),
        "where": clean(f"{lost['path']}:{line}" if line else str(lost["path"])),
        "reason": inline(str(lost["reason"])),
    }


def file_view(
    file: Mapping[str, Any], by_row: Mapping[str, list[dict[str, Any]]], marks: Mapping[str, str], seen: set[str]
) -> dict[str, Any]:
    """What the template of a file needs. `by_row`: cards by the row they stand under; `seen` gets the rows shown."""
    hunks = []
    for hunk in file["hunks"]:
        code = _coloured_hunks().of(str(file["path"]), hunk["rows"])
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


@cache
def _coloured_hunks() -> ColouredHunks:
    """One for the process, as the templates are."""
    return ColouredHunks()


def _where(found: Mapping[str, Any]) -> str:
    start, end = found["start_line"], found["line"]
    lines = f"{end}" if start in {None, end} else f"{start}–{end}"
    return f"{found['path']}:{lines}{' (removed)' if found.get('side') == 'LEFT' else ''}"


def _row_id(hunk: str, old: int | None, new: int | None) -> str:
    return f"{hunk}-{old or ''}-{new or ''}"
