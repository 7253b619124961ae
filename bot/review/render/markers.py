"""The hidden marks by which Spark knows its own comments and reviews again. Strict: what is not exactly ours is nobody's.

Only the marks at the very end of a body count. Text of others stands before them and has had its `<!-- spark:` broken by
`safe`, so that it can't carry one. Who wrote the body must be checked by the caller: anybody may copy a mark.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from bot.review.model import CommitSha, Fingerprint

_FINDING = re.compile(r"<!-- spark:finding v1 ([A-Za-z0-9._:=+/-]{1,200}) -->")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?|")
_RUN = re.compile(r"[A-Za-z0-9._:-]{0,100}")
_REVIEW = re.compile(
    rf'<!-- spark:review v1 \{{"head": "({_COMMIT.pattern})", "base": "({_COMMIT.pattern})", "run": "({_RUN.pattern})"\}} -->'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewMarker:
    """What a posted review says about itself. Its `head` is the analysed one, which GitHub's `commit_id` need not be."""

    head: CommitSha
    base: CommitSha
    run: str


def finding_marker(fingerprint: Fingerprint) -> str:
    """The mark of a line comment. ValueError for a fingerprint that could end the comment early."""
    text = f"<!-- spark:finding v1 {fingerprint} -->"
    if not _FINDING.fullmatch(text) or "--" in fingerprint:
        raise ValueError(f"not a fingerprint: {fingerprint!r}")
    return text


def review_marker(marker: ReviewMarker) -> str:
    """The mark of a review. Ids that are not commit ids (a diff file) become empty."""
    values = {
        "head": marker.head if _COMMIT.fullmatch(marker.head) else "",
        "base": marker.base if _COMMIT.fullmatch(marker.base) else "",
        "run": marker.run if _RUN.fullmatch(marker.run) and "--" not in marker.run else "",
    }
    return f"<!-- spark:review v1 {json.dumps(values)} -->"


def read_finding_markers(body: str) -> list[Fingerprint]:
    """Fingerprints at the end of `body`, in order; none when anything but marks follows them."""
    return [Fingerprint(found.group(1)) for line in _ending(body) if (found := _FINDING.fullmatch(line))]


def read_review_marker(body: str) -> ReviewMarker | None:
    """The review's mark at the end of `body`; None when there is none, more than one, or one that is not whole."""
    marks = [found for line in _ending(body) if (found := _REVIEW.fullmatch(line))]
    if len(marks) != 1:
        return None
    head, base, run = marks[0].groups()
    return ReviewMarker(head=CommitSha(head), base=CommitSha(base), run=run)


def split_ending(body: str) -> tuple[str, str]:
    """What people read, and the marks at the end with nothing between them but line ends."""
    marks = _ending(body)
    text = body.rstrip()
    for mark in reversed(marks):
        text = text.removesuffix(mark).rstrip()
    return text, "\n".join(marks)


def _ending(body: str) -> list[str]:
    """The lines at the end that are marks of ours and nothing else, from the top."""
    out: list[str] = []
    for line in reversed(body.replace("\r\n", "\n").rstrip().split("\n")):
        if _FINDING.fullmatch(line) or _REVIEW.fullmatch(line):
            out.append(line)
        elif line.strip():
            break
    return out[::-1]
