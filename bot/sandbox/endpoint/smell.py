"""One mistake that a line or two can show, as a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

PYTHON = (".py", ".pyi")
JAVASCRIPT = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue")
GO = (".go",)
SHELL = (".sh", ".bash")
SECRET = r"(?i:password|passwd|pwd|secret|api_?key|access_?token|auth_?token)"  # noqa: S105 - a pattern for names


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A mistake that was found."""

    lines: int
    """How many lines it spans."""
    suggestion: str | None
    """New text of exactly these lines; None when there is no safe one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smell:
    """One mistake and what to say about it."""

    suffixes: tuple[str, ...]
    pattern: re.Pattern[str]
    severity: str
    category: str
    title: str
    """Unique: a check call is recognised by it."""
    body: str
    becomes: str | Callable[[re.Match[str]], str | None] | None = None
    """A template for the pattern's `sub`, or a function that gives the whole new text."""
    lines: int = 1
    """How many lines the pattern looks at, joined by newlines."""
    in_strings: bool = False
    """Whether it is about what strings say, so that a string is no excuse."""

    def look(self, code: str) -> Spot | None:
        """Whether the mistake begins on the first line of `code`, and what it takes."""
        found = self.pattern.search(code)
        first = code.split("\n", 1)[0]
        if found is None or found.start() > len(first):
            return None
        lines = code[: found.end()].count("\n") + 1
        if self.becomes is None:
            return Spot(lines=lines, suggestion=None)
        text = self.becomes(found) if callable(self.becomes) else self.pattern.sub(self.becomes, code)
        return Spot(lines=lines, suggestion=None if text == code else text)


def smell(
    suffixes: tuple[str, ...],
    pattern: str,
    severity: str,
    category: str,
    title: str,
    body: str,
    becomes: str | Callable[[re.Match[str]], str | None] | None = None,
    *,
    lines: int = 1,
    in_strings: bool = False,
) -> Smell:
    """A smell by position, for the tables."""
    return Smell(
        suffixes=suffixes,
        pattern=re.compile(pattern),
        severity=severity,
        category=category,
        title=title,
        body=body,
        becomes=becomes,
        lines=lines,
        in_strings=in_strings,
    )
