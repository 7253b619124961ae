"""The hidden mark by which a review's verdict is known again: see `markers`, whose rules it keeps, and `bot.review.verdicts`."""

from __future__ import annotations

from typing import Final

from bot.review.memory import Deciding, StoredVerdict
from bot.review.model import Fingerprint
from bot.review.render.markers import pack, unpack_all

_REASON: Final = 500
"""Characters of a verdict's reason that its mark carries."""


def verdict_marker(stored: StoredVerdict) -> str:
    """The mark of a review that carries its verdict to later runs on the same head."""
    return pack(
        "verdict",
        {
            "key": stored.key,
            "passed": stored.passed,
            "reason": stored.reason[:_REASON],
            "deciding": [[one.fingerprint, one.stood] for one in stored.deciding],
        },
    )


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
                url=url,
            )
        except (KeyError, TypeError, ValueError):
            continue
        found.append(verdict)
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
