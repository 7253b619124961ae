"""Coloured hunks, kept for the next page that shows the same: many people open one review, and each at its end anew.

Colouring is nine tenths of the work of a long page. What is kept is bounded; what was longest not asked for goes first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup

from bot.html.highlight import colour, lexer_for

MOST_KEPT: Final = 8_000_000
"""Characters of HTML in all: about ten of the longest pages."""


class ColouredHunks:
    """Thread-safe. Two who ask for the same at once wait for one answer."""

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._kept: OrderedDict[tuple[str, ...], tuple[Markup, ...]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def of(self, path: str, rows: Sequence[Sequence[Any]]) -> tuple[Markup, ...]:
        """HTML of each row `[sign, old, new, text]` of a hunk, as the file's name says that it is to be coloured."""
        key = (path.rpartition("/")[2], *(f"{sign}{text}" for sign, _, _, text in rows))
        # Coloured under the lock: a hundred pages that begin anew at the same moment would else do it a hundred times.
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            made = _coloured(path, rows)
            self._kept[key] = made
            self._size += _size(made)
            while self._size > self._most_kept:
                _, gone = self._kept.popitem(last=False)
                self._size -= _size(gone)
            return made


def _coloured(path: str, rows: Sequence[Sequence[Any]]) -> tuple[Markup, ...]:
    """Both versions are lexed, so that each line is coloured in its own context."""
    lexer = lexer_for(path)
    out: dict[int, Markup] = {}
    for dropped in ("+", "-"):
        at = [number for number, row in enumerate(rows) if row[0] != dropped]
        out.update(zip(at, colour(lexer, [str(rows[number][3]) for number in at]), strict=True))
    return tuple(out[number] for number in range(len(rows)))


def _size(html: Sequence[Markup]) -> int:
    return sum(map(len, html))
