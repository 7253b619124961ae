"""Characters that a person cannot see but a program obeys: taken out of text, spelled out in code.

Knows nothing of markdown or HTML; see `safe` for that.
"""

from __future__ import annotations

import re

from bot.diff.model import printable

_INVISIBLE_RANGES = (
    (0x00, 0x08),
    (0x0B, 0x1F),
    (0x7F, 0x9F),
    (0xAD, 0xAD),
    (0x61C, 0x61C),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0E),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),
    (0xE0000, 0xE01EF),
)
"""Control, bidirectional, zero-width, tag and variation characters: what a person cannot see but a program obeys."""

_INVISIBLE: dict[int, str] = {point: "" for low, high in _INVISIBLE_RANGES for point in range(low, high + 1)}
_LINE_ENDS = re.compile(r"\r\n?|\x0b|\x0c|\x85|\u2028|\u2029")
_SHOWN: dict[int, str] = {point: f"<U+{point:04X}>" for point in _INVISIBLE}


def clean(text: str) -> str:
    """`text` without invisible and control characters; line ends are `\\n`, tabs four spaces. No escape codes left."""
    return _LINE_ENDS.sub("\n", printable(text)).expandtabs(4).translate(_INVISIBLE)


def visible(text: str) -> str:
    """One line of code to show: invisible characters spelled out, so that a hidden one is seen. Tabs are kept."""
    return printable(text).removesuffix("\r").translate(_SHOWN)


def hides(text: str) -> bool:
    """Whether `text` has invisible characters other than tab and line ends."""
    return text.replace("\r", "").translate(_INVISIBLE) != text.replace("\r", "")


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, with `…` where it was cut."""
    return text if len(text) <= limit else text[: max(0, limit - 1)].rstrip() + "…"
