"""What GitHub takes of a SARIF file, and how a review is made to fit.

The limits are GitHub's own, "SARIF support for code scanning": a file above the hard ones is refused whole, so that
nobody would see anything. What is left out is the least severe, and a notification in the file says how much it was.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.review.model import Finding, FindingStatus
from bot.review.render.safe import shorten

MOST_RESULTS: Final = 5_000
"""Of one run: 25,000 are taken and so many of them are kept."""
MOST_BYTES: Final = 10_000_000
"""Of the compressed file: "10 MB", read as the smaller of its meanings."""
MOST_DESCRIPTION: Final = 1_024
"""Characters of a rule's short and full description."""
MOST_NAME: Final = 255
"""Characters of a rule's name."""
MOST_MESSAGE: Final = 8_000
"""Characters of a result's message. GitHub names no limit; a longer one is a model in a loop."""
MOST_NOTES: Final = 1_000
"""Notifications. GitHub shows none of them, so they must not crowd out results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The findings that become results, and how many there were no places for."""

    findings: tuple[Finding, ...]
    left_out: int


def most_severe(findings: Sequence[Finding], most: int = MOST_RESULTS) -> Kept:
    """At most so many findings in the order they came, chosen by severity; dismissed ones go first."""
    if len(findings) <= most:
        return Kept(findings=tuple(findings), left_out=0)
    worst_first = sorted(
        range(len(findings)),
        key=lambda at: (findings[at].status is FindingStatus.DISMISSED, -findings[at].severity.rank, at),
    )
    return Kept(findings=tuple(findings[at] for at in sorted(worst_first[:most])), left_out=len(findings) - most)


def fits(sarif: dict[str, Any]) -> bool:
    """Whether GitHub takes a file of this size."""
    text = json.dumps(sarif, ensure_ascii=False).encode("utf-8", "replace")
    # An upload compresses harder, which outweighs the indentation of the file that is written.
    return len(text) <= MOST_BYTES or len(zlib.compress(text, 1)) <= MOST_BYTES


def description(text: str) -> str:
    """A rule's description of allowed length."""
    return shorten(text, MOST_DESCRIPTION)


def identifier(text: str) -> str:
    """A rule's id of at most 255 characters, a long one with a hash, so that two stay two."""
    if len(text) <= MOST_NAME:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{text[: MOST_NAME - 17]}-{digest}"
