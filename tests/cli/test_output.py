from __future__ import annotations

import json

from bot.cli.output import as_json


def test_no_character_that_a_terminal_obeys_stands_in_the_json_and_none_is_lost():
    document = {"a\x9b": ["\x1b[31m \x9b31m \x07 \x7f \u202eevil\u202c \u2028 \ufeff", "日本 é 😀"]}
    text = as_json(document)
    assert json.loads(text) == document
    assert "日本 é 😀" in text
    assert all(char == "\n" or char.isprintable() for char in text)
