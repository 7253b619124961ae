"""The one paragraph of a rule's documentation that a reader of a finding needs: why it matters.

Tools put whole manual pages into their rules; a review that repeats those is not read.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 500
"""Characters; a longer paragraph ends with its last whole sentence within them."""

_HEADING: Final = re.compile(r"^#{1,6}[ \t]+(.*)$", re.MULTILINE)


def gist(documentation: str) -> str:
    """The first paragraph below a heading that asks why, else the first one of all; on one line, at most `LONGEST`."""
    text = documentation.replace("\r\n", "\n")
    parts = _HEADING.split(text)
    # Headings stand at the odd places, each before what is below it.
    sections = list(zip(["", *parts[1::2]], parts[0::2], strict=True))
    why = [body for heading, body in sections if re.search(r"\bwhy\b", heading, re.IGNORECASE)]
    bodies = [*why, *(body for _, body in sections)]
    paragraph = next((body.strip().split("\n\n", 1)[0] for body in bodies if body.strip()), "")
    return _shortened(" ".join(paragraph.split()))


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    ends = [found.end() for found in re.finditer(r"[.!?](?=\s)", text[:LONGEST])]
    return text[: ends[-1]] if ends else f"{text[: LONGEST - 1].rstrip()}…"
