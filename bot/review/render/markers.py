"""The hidden marks by which Spark knows its own comments and reviews again. Strict: what is not exactly ours is nobody's.

Only the marks at the very end of a body count. Text of others stands before them and has had its `<!-- spark:` broken by
`safe`, so that it can't carry one. Who wrote the body must be checked by the caller: anybody may copy a mark.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.diff.model import Side
from bot.review.memory import Dismissal, FindingNote
from bot.review.model import Category, CommitSha, Fingerprint, Severity, Votes

_FINDING = re.compile(r"<!-- spark:finding v1 ([A-Za-z0-9._:=+/-]{1,200}) -->")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?|")
_RUN = re.compile(r"[A-Za-z0-9._:-]{0,100}")
_REVIEW = re.compile(
    rf'<!-- spark:review v1 \{{"head": "({_COMMIT.pattern})", "base": "({_COMMIT.pattern})", "run": "({_RUN.pattern})"\}} -->'
)

_PACKED = re.compile(r"<!-- spark:(note|dismissed|state|child|verdict) v1 ([A-Za-z0-9+/]{2,60000}) -->")
_ANSWER = re.compile(r"<!-- spark:(answer|step) v1 ([A-Za-z0-9._:-]{1,100}) -->")
_ROUND = re.compile(r"<!-- spark:round v1 ([1-9][0-9]{0,5})\.([0-9a-f]{1,16})\.([A-Za-z0-9+/]*|!) -->")
_ALL = (_FINDING, _REVIEW, _PACKED, _ANSWER, _ROUND)

NOTE_LINES: Final = 60
"""So many lines of an anchor does a note carry."""
NOTE_SUGGESTION: Final = 6_000
"""A longer suggestion is not carried: it would be twice in the comment."""
_NOTE_ROOM: Final = 16_000
"""Characters of a note's mark from which on it carries neither suggestion nor text: a letter may take twelve in JSON."""
MOST_SEEN: Final = 2_400
"""So many changed lines, or hunks of a larger change, does a round carry (13 characters each)."""
_SEEN_BYTES: Final = 10
"""Of one of those (`seen.BYTES`)."""


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
    found = [mark[1] for line in _ending(body) if (mark := _FINDING.fullmatch(line))]
    # What could not be written again is none of ours.
    return [Fingerprint(name) for name in found if "--" not in name]


def read_review_marker(body: str) -> ReviewMarker | None:
    """The review's mark at the end of `body`; None when there is none, more than one, or one that is not whole."""
    marks = [found for line in _ending(body) if (found := _REVIEW.fullmatch(line))]
    if len(marks) != 1:
        return None
    head, base, run = marks[0].groups()
    return ReviewMarker(head=CommitSha(head), base=CommitSha(base), run=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundMarker:
    """What the next round must know of this one: which it was, by which rules, and the digests of the lines it has seen."""

    round: int
    rules: str
    """At most 16 hex digits."""
    seen: frozenset[int] | None
    """80-bit numbers; None when they are more than `MOST_SEEN`, and then the next round reviews everything."""


def note_marker(note: FindingNote) -> str:
    """The mark beside `finding_marker` that carries the finding itself into later rounds."""
    carried = note.suggestion if note.suggestion is None or len(note.suggestion) <= NOTE_SUGGESTION else None
    value: dict[str, object] = {
        "fingerprint": note.fingerprint,
        "path": note.path,
        "side": note.side.value,
        "severity": note.severity.value,
        "category": note.category.value,
        "title": note.title[:200],
        "source": note.source,
        "rule": note.rule,
        "lines": list(note.lines[:NOTE_LINES]),
        "suggestion": carried,
        "votes": None if note.votes is None else [note.votes.in_favour, note.votes.of],
        "text": note.text,
        "twins": note.twins,
        "around": list(note.around),
    }
    mark = pack("note", value)
    return mark if len(mark) <= _NOTE_ROOM else pack("note", {**value, "suggestion": None, "text": ""})


def read_note_marker(body: str) -> FindingNote | None:
    """The finding that a line comment of ours is about; None when the body carries none that is whole."""
    found = _unpack("note", body)
    if found is None:
        return None
    try:
        votes = found["votes"]
        return FindingNote(
            fingerprint=Fingerprint(_text(found["fingerprint"])),
            path=_text(found["path"]),
            side=Side(found["side"]),
            severity=Severity(found["severity"]),
            category=Category(found["category"]),
            title=_text(found["title"]),
            source=_text(found["source"]),
            rule=_text(found["rule"]),
            lines=tuple(_text(line) for line in found["lines"][:NOTE_LINES]),
            suggestion=None if found["suggestion"] is None else _text(found["suggestion"]),
            votes=None if votes is None else Votes(in_favour=int(votes[0]), of=int(votes[1])),
            text=_text(found.get("text", "")),
            twins=int(found.get("twins", 0)),
            around=_two(found.get("around", ("", ""))),
        )
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return None


def dismissal_marker(dismissal: Dismissal) -> str:
    """The mark of the answer that confirms that a thread's finding was dismissed."""
    return pack(
        "dismissed",
        {
            "by": dismissal.by,
            "reason": dismissal.reason[:500],
            "how": dismissal.how,
            "excuses": dismissal.excuses,
            "held_open": dismissal.held_open,
        },
    )


def read_dismissal_marker(body: str) -> Dismissal | None:
    """The dismissal that an answer of ours confirms."""
    found = _unpack("dismissed", body)
    if found is None:
        return None
    try:
        return Dismissal(
            by=_text(found["by"]),
            reason=_text(found["reason"]),
            how=_text(found["how"]),
            excuses=found["excuses"] is True,
            held_open=found.get("held_open") is True,
        )
    except (KeyError, TypeError):
        return None


def state_marker(state: Mapping[str, object]) -> str:
    """The mark of a note that changes something for the pull (`{"paused_by": "ada"}`) or for a thread
    (`{"closed_by": "ada"}`); of several the newest counts.
    """
    return pack("state", state)


def read_state_marker(body: str) -> Mapping[str, object] | None:
    """What `state_marker` wrote."""
    return _unpack("state", body)


def child_marker(value: Mapping[str, object]) -> str:
    """The mark of a suggestion that stands on other lines than the thread it was asked for in (`children.Child`)."""
    return pack("child", value)


def read_child_marker(body: str) -> Mapping[str, object] | None:
    """What `child_marker` wrote."""
    return _unpack("child", body)


def answer_marker(key: str) -> str:
    """The mark of the answer to a comment, by `CommentRef.key`."""
    return _mark("answer", key)


def step_marker(key: str) -> str:
    """The mark of a note in a thread that no other note there has, such as `fixed-<head>`."""
    return _mark("step", key)


def read_keys(body: str, kind: str) -> list[str]:
    """The keys of the marks of `kind` (`answer` or `step`) at the end of `body`."""
    return [found[2] for line in _ending(body) if (found := _ANSWER.fullmatch(line)) and found[1] == kind]


def round_marker(marker: RoundMarker) -> str:
    """The mark beside a review's. ValueError for one that could not be read again."""
    seen = "!"
    if marker.seen is not None and len(marker.seen) <= MOST_SEEN:
        seen = _base64(b"".join(number.to_bytes(_SEEN_BYTES, "big") for number in sorted(marker.seen)))
    text = f"<!-- spark:round v1 {marker.round}.{marker.rules}.{seen} -->"
    if not _ROUND.fullmatch(text):
        raise ValueError(f"not a round: {marker.round}.{marker.rules}")
    return text


def read_round_marker(body: str) -> RoundMarker | None:
    """The round of a review's body; None when there is none, more than one, or one that is not whole."""
    marks = [found for line in _ending(body) if (found := _ROUND.fullmatch(line))]
    if len(marks) != 1:
        return None
    number, rules, packed = marks[0].groups()
    if packed == "!":
        return RoundMarker(round=int(number), rules=rules, seen=None)
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    count, filling = divmod(len(data), _SEEN_BYTES)
    if filling > 2 or data[count * _SEEN_BYTES :].strip():
        return None
    starts = range(0, count * _SEEN_BYTES, _SEEN_BYTES)
    seen = frozenset(int.from_bytes(data[at : at + _SEEN_BYTES], "big") for at in starts)
    return RoundMarker(round=int(number), rules=rules, seen=seen)


def _mark(kind: str, key: str) -> str:
    text = f"<!-- spark:{kind} v1 {key} -->"
    if not _ANSWER.fullmatch(text) or "--" in key:
        raise ValueError(f"not a key: {key!r}")
    return text


def _base64(data: bytes) -> str:
    # Three bytes are four characters; what is no multiple of three is filled up with blanks instead of base64's own sign.
    return base64.b64encode(data + b" " * (-len(data) % 3)).decode("ascii")


def pack(kind: str, value: Mapping[str, object]) -> str:
    """The mark of a kind whose value is carried as JSON."""
    # The alphabet has no dash, so nothing in it can end a comment of HTML.
    return f"<!-- spark:{kind} v1 {_base64(json.dumps(value, separators=(',', ':')).encode('ascii'))} -->"


def _unpack(kind: str, body: str) -> dict[str, Any] | None:
    marks = _packed(kind, body)
    return _opened(marks[0]) if len(marks) == 1 else None


def unpack_all(kind: str, body: str) -> list[dict[str, Any]]:
    """What `pack` wrote, of every mark of that kind at the end of `body`; one that is not whole is left out."""
    return [value for mark in _packed(kind, body) if (value := _opened(mark)) is not None]


def _packed(kind: str, body: str) -> list[str]:
    return [found[2] for line in _ending(body) if (found := _PACKED.fullmatch(line)) and found[1] == kind]


def _opened(mark: str) -> dict[str, Any] | None:
    try:
        value = json.loads(base64.b64decode(mark, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _two(value: object) -> tuple[str, str]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise TypeError("not two texts")
    return _text(value[0]), _text(value[1])


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
        if any(mark.fullmatch(line) for mark in _ALL):
            out.append(line)
        elif line.strip():
            break
    return out[::-1]
