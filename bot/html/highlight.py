"""Code coloured for the HTML report, line by line, with Pygments.

Colour is decoration: what cannot be lexed, or is too long to be worth it, is shown plain, never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from markupsafe import Markup, escape
from pygments.lexer import Lexer  # type: ignore[import-untyped]  # rich brings it, without types.
from pygments.lexers import get_lexer_for_filename  # type: ignore[import-untyped]
from pygments.token import Comment, Keyword, Name, Number, Operator, String  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

LONGEST_LINE = 1_000
MOST_LINES = 5_000
"""A file with more changed lines is shown plain: lexing takes about a second for 30,000."""

_CLASSES: tuple[tuple[Any, str], ...] = (
    (Comment, "c"),
    (String, "s"),
    (Number, "n"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "b"),
    (Name.Builtin, "b"),
    (Name.Tag, "k"),
    (Name.Attribute, "b"),
)


def lexer_for(path: str) -> Lexer | None:
    """Pygments' lexer for a file's name; None when it has none."""
    try:
        return get_lexer_for_filename(path.rpartition("/")[2], stripnl=False, ensurenl=True)
    except ClassNotFound:
        return None


def colour(lexer: Lexer | None, lines: Sequence[str]) -> list[Markup]:
    """HTML of each line, escaped; exactly as many as went in."""
    plain = [escape(line) for line in lines]
    if lexer is None or len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        return plain
    out: list[list[str]] = [[]]
    for token, text in lexer.get_tokens("\n".join(lines)):
        name = _class_of(token)
        for at, piece in enumerate(text.split("\n")):
            if at:
                out.append([])
            if piece:
                out[-1].append(f'<span class="{name}">{escape(piece)}</span>' if name else str(escape(piece)))
    if len(out) < len(lines):
        return plain
    return [Markup("".join(parts)) for parts in out[: len(lines)]]  # noqa: S704 - each piece was escaped above.


@cache
def _class_of(token: Any) -> str:
    """There are about a hundred kinds of tokens, and a long diff asks a hundred thousand times."""
    return next((name for kind, name in _CLASSES if token in kind), "")
