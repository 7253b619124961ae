from __future__ import annotations

import pytest

from bot.analyzers.gist import LONGEST, gist


@pytest.mark.parametrize(
    ("documentation", "found"),
    [
        ("", ""),
        ("It fails.", "It fails."),
        ("It fails\r\nfor an empty list.\r\n\r\nSee the manual.", "It fails for an empty list."),
        ("## What it does\nChecks.\n\n## Why is this bad?\nIt is\nslow.\n\nMore.\n## Example\nx\n", "It is slow."),
        ("# Injection\n\nA query built from input.\n\n## Recommendation\nDo not.", "A query built from input."),
        ("## Why\n\n## What\nChecks.", "Checks."),
        ("# Only a heading", ""),
    ],
)
def test_why_a_rule_matters_is_one_paragraph(documentation, found):
    assert gist(documentation) == found


def test_a_long_paragraph_ends_with_a_whole_sentence():
    assert gist("It is slow. " + "word " * 200) == "It is slow."
    cut = gist("word " * 200)
    assert (len(cut) <= LONGEST, cut[-1]) == (True, "…")
