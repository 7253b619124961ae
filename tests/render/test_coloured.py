from __future__ import annotations

import threading
from typing import Any

import pytest

from bot.html import coloured
from bot.html.coloured import ColouredHunks
from bot.html.highlight import colour

ROWS: list[list[Any]] = [
    [" ", 1, 1, "def f():"],
    ["-", 2, None, '    return """a'],
    ["+", None, 2, "    return 1  # <b>"],
    [" ", 3, 3, "x = 2"],
]


def test_each_row_is_coloured_in_its_own_version_and_escaped() -> None:
    html = ColouredHunks().of("src/a.py", ROWS)
    assert len(html) == 4
    assert html[0].startswith('<span class="k">def</span>')
    # The open quotation mark is in the version before alone: what follows in the version after is code.
    assert '<span class="n">2</span>' in html[3]
    assert "&lt;b&gt;" in html[2]


def test_what_was_coloured_is_not_coloured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counting(lexer: Any, lines: Any) -> Any:
        asked.append(len(lines))
        return colour(lexer, lines)

    monkeypatch.setattr(coloured, "colour", counting)
    hunks = ColouredHunks()
    threads = [threading.Thread(target=hunks.of, args=("a.py", ROWS)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The version before and the version after, once.
    assert asked == [3, 3]
    # The line numbers are no part of it; the name, the signs and the text are.
    hunks.of("lib/a.py", [[sign, 9, 9, text] for sign, _, _, text in ROWS])
    assert len(asked) == 2
    for path, rows in (("a.js", ROWS), ("a.py", ROWS[:2]), ("a.py", [["+", *row[1:]] for row in ROWS])):
        before = len(asked)
        hunks.of(path, rows)
        assert len(asked) == before + 2, path


def test_what_was_longest_not_asked_for_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(map(len, ColouredHunks().of("a.py", ROWS)))
    hunks = ColouredHunks(most_kept=2 * size + size // 2)
    first = hunks.of("a.py", ROWS)
    second = hunks.of("b.py", ROWS)
    assert hunks.of("a.py", ROWS) is first
    hunks.of("c.py", ROWS)
    assert hunks.of("a.py", ROWS) is first
    assert hunks.of("b.py", ROWS) is not second
    # Longer than all that is kept: given, and not kept.
    tiny = ColouredHunks(most_kept=1)
    assert tiny.of("a.py", ROWS) == first
    assert tiny.of("a.py", ROWS) is not tiny.of("a.py", ROWS)
