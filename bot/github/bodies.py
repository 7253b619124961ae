"""What is sent to GitHub for a draft: bodies inside the limits, comments as JSON, a draft cut into parts.

What people read is made in `bot.review.render`; here it is only cut where GitHub would refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.diff.model import Anchor, printable
from bot.github import limits
from bot.review.model import CommitSha
from bot.review.ports import DraftComment, ReviewDraft
from bot.review.render.comments import with_refused
from bot.review.render.markers import (
    ReviewMarker,
    finding_marker,
    read_review_marker,
    review_marker,
    split_ending,
)
from bot.review.render.verdict_mark import without_passes

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_RUN_LENGTH = 90
"""A marker's run has at most 100 characters; the rest is for the number of the part."""
_NOTE = "*(cut here: the text is longer than GitHub allows)*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One POST of a draft. `run` is what the marker in `body` says, different for each part."""

    run: str
    body: str
    comments: tuple[DraftComment, ...]
    base: CommitSha
    """As the draft's marker has it."""


def parts_of(draft: ReviewDraft) -> list[Part]:
    """The draft in parts that GitHub bears. The first has the summary; each has a marker of its own."""
    size = limits.MAX_REVIEW_COMMENTS
    groups = [draft.comments[start : start + size] for start in range(0, len(draft.comments), size)] or [()]
    found = read_review_marker(draft.body)
    run = (found.run if found is not None and found.run else draft.run)[:_RUN_LENGTH]
    base = found.base if found is not None else CommitSha("")
    parts = []
    for number, comments in enumerate(groups, start=1):
        if number == 1 and found is not None and found.run == run:
            parts.append(Part(run=run, body=draft.body, comments=comments, base=base))
            continue
        name = run if number == 1 else f"{run}.{number}"
        text = draft.body if number == 1 else f"Part {number} of {len(groups)} of this review: {_count(len(comments))}."
        mark = review_marker(ReviewMarker(head=draft.commit, base=base, run=name))
        parts.append(Part(run=name, body=f"{text}\n\n{mark}", comments=comments, base=base))
    return parts


def review_json(
    *,
    commit: CommitSha | None,
    body: str,
    comments: Sequence[DraftComment],
    event: str | None,
    limit: int = limits.SAFE_BODY,
) -> dict[str, Any]:
    """The body of `POST .../reviews`. Without `event` the review stays pending: nobody else sees it."""
    data: dict[str, Any] = {"body": fit(body, limit)}
    if commit:
        data["commit_id"] = commit
    if event:
        data["event"] = event
    if comments:
        data["comments"] = [comment_json(comment, limit) for comment in comments]
    return data


def comment_json(comment: DraftComment, limit: int = limits.SAFE_BODY) -> dict[str, Any]:
    """One comment of a review. GitHub refuses a `start_line` that equals `line`."""
    return {"body": fit(comment.body, limit), **place_json(comment.anchor)}


def place_json(anchor: Anchor) -> dict[str, Any]:
    """Where a comment stands."""
    data: dict[str, Any] = {"path": printable(anchor.path), "line": anchor.line, "side": str(anchor.side)}
    if anchor.start_line < anchor.line:
        data["start_line"] = anchor.start_line
        data["start_side"] = str(anchor.side)
    return data


def tell(summary: str, refused: Sequence[tuple[DraftComment, str]], *, limit: int = limits.SAFE_BODY) -> str:
    """`summary` with the comments that GitHub refused, each with its reason; at most `limit` characters.

    Those that stand in it are marked, so that the next review knows them and does not say them again. A review of which
    comments were refused was no pass, so it loses the mark of one.
    """
    if refused:
        summary = without_passes(summary)
    marks = [finding_marker(comment.fingerprint) for comment, _ in refused]
    room = limit - sum(len(mark) + 1 for mark in marks)
    body = fit(with_refused(summary, [(comment.entry, reason) for comment, reason in refused]), room)
    heads = [printable(comment.entry).partition("\n")[0] for comment, _ in refused]
    return "\n".join([body, *(mark for mark, head in zip(marks, heads, strict=True) if head in body)])


def fit(body: str, limit: int = limits.SAFE_BODY) -> str:
    """`body` as GitHub takes it: valid Unicode, not too long, its markers kept.

    A text that is too long is cut between lines, never inside a code block (half a suggestion would be a wrong one).
    """
    body = printable(body)
    if len(body) <= limit:
        return body
    text, marks = split_ending(body)
    room = limit - len(marks) - len(_NOTE) - 40
    kept: list[str] = []
    length = 0
    fence = ""
    whole = 0
    for line in text.split("\n"):
        length += len(line) + 1
        if length > room:
            break
        kept.append(line)
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and found[1].startswith(fence) and not line[found.end() :].strip():
            fence = ""
        if not fence:
            whole = len(kept)
    shown = kept[:whole] or [text[:room]]
    details = sum(line.count("<details") - line.count("</details>") for line in shown)
    return "\n".join([*shown, *["</details>"] * max(0, details), "", _NOTE, "", marks]).rstrip()


def _count(comments: int) -> str:
    return "1 more comment" if comments == 1 else f"{comments} more comments"
