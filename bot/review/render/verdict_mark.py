"""The hidden mark by which a review's verdict is known again: see `markers`, whose rules it keeps, and `bot.review.verdicts`."""

from __future__ import annotations

from typing import Final

from bot.review.memory import Deciding, StoredVerdict
from bot.review.model import Category, Earlier, Fingerprint, Severity
from bot.review.render.markers import pack, split_ending, unpack_all

_PATH: Final = 200
_TITLE: Final = 120
_REASON: Final = 500
"""Characters of a verdict's reason that its mark carries."""
_ROOM: Final = 12_000
"""Characters of a mark from which on it names no finding of the text: a letter may take eight of them."""


def verdict_marker(stored: StoredVerdict) -> str:
    """The mark of a review that carries its verdict to later runs on the same head."""
    value: dict[str, object] = {
        "key": stored.key,
        "passed": stored.passed,
        "reason": stored.reason[:_REASON],
        "deciding": [[one.fingerprint, one.stood] for one in stored.deciding],
        "over_limit": [
            [one.path[:_PATH], one.severity.value, one.category.value, one.title[:_TITLE]] for one in stored.over_limit
        ],
    }
    mark = pack("verdict", value)
    return mark if len(mark) <= _ROOM else pack("verdict", {**value, "over_limit": []})


def read_verdict_markers(body: str, url: str = "") -> list[StoredVerdict]:
    """The verdicts that a review's body carries, its own first; one that is not whole is none."""
    found = []
    for value in unpack_all("verdict", body):
        try:
            deciding = tuple(
                Deciding(fingerprint=Fingerprint(_text(name)), stood=stood is True) for name, stood in value["deciding"]
            )
            verdict = StoredVerdict(
                key=_text(value["key"]),
                passed=value["passed"] is True,
                reason=_text(value["reason"]),
                deciding=deciding,
                over_limit=tuple(
                    Earlier(
                        path=_text(path),
                        severity=Severity(severity),
                        category=Category(category),
                        title=_text(title),
                        url=url,
                        is_certain=True,
                    )
                    for path, severity, category, title in value["over_limit"]
                ),
                url=url,
            )
        except (KeyError, TypeError, ValueError):
            continue
        found.append(verdict)
    return found


def without_passes(body: str) -> str:
    """`body` without its marks of passes: what it says is not all on the pull, so no later run may go by them."""
    marks = split_ending(body)[1].splitlines()
    passes = {mark for mark in marks if any(one.passed for one in read_verdict_markers(mark))}
    if not passes:
        return body
    kept = "\n".join(mark for mark in marks if mark not in passes)
    return f"{split_ending(body)[0]}\n\n{kept}".rstrip()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
