"""The rule-based reviewer's second look: is a finding real, and what would mend it?

It looks more strictly than the first time. A line in a comment, in a string or in a test refutes the finding, and so does
a guard right above a division. A finding that is none of its own it cannot judge, and says so.
"""

from __future__ import annotations

import json
import re

from bot.sandbox.endpoint.shown import numbered, read_data
from bot.sandbox.endpoint.smell import Smell
from bot.sandbox.endpoint.smells import SMELLS

_TEST_PATH = re.compile(r"(?:^|/)(?:tests?|spec|__tests__)/|(?:^|/)test_[^/]*$|[._]test\.\w+$|\.spec\.\w+$")
_HASH_COMMENTS = (".py", ".pyi", ".sh", ".bash")
_DIVISOR = re.compile(r"/\s*len\((\w+)")
_GUARD_REACH = 5
"""Lines above a division in which a test of the divisor counts as its guard."""


def check(prompt: str) -> str:
    """The answer to a check call: `real`, `refuted` or `unsure`, with a sentence."""
    data = read_data(prompt)
    smell = reported(data)
    path, lines = _place(data)
    if smell is None or not lines:
        return _verdict("unsure", "This finding is none that the rules know.")
    code = "\n".join(lines.values())
    if smell.look(code) is None:
        return _verdict("refuted", "The lines do not say what the report claims.")
    if _TEST_PATH.search(path):
        return _verdict("refuted", "The line is in a test, where this does no harm.")
    whole = numbered(data.get("file", ""))
    if not smell.pattern.search(bare(code, path, keep_strings=smell.in_strings)) or in_docstring(path, lines, whole):
        return _verdict("refuted", "The line only speaks of it, in a comment or a string.")
    if guarded(code, lines, whole):
        return _verdict("refuted", "The lines above leave before the division when there is nothing to divide by.")
    return _verdict("real", "The code does what the report says, and nothing near it makes up for that.")


def repair(prompt: str) -> str:
    """The answer to a repair call: what the rules would write in place of the lines, unless that is what failed."""
    data = read_data(prompt)
    smell = reported(data)
    _, lines = _place(data)
    failed = "\n".join(line.removeprefix("| ") for line in data.get("failed", "").split("\n"))
    spot = smell.look("\n".join(lines.values())) if smell is not None and lines else None
    suggestion = None if spot is None or spot.lines != len(lines) or spot.suggestion == failed else spot.suggestion
    return json.dumps({"suggestion": suggestion}, ensure_ascii=False) + "\n"


def _verdict(verdict: str, analysis: str) -> str:
    return json.dumps({"analysis": analysis, "verdict": verdict}) + "\n"


def reported(data: dict[str, str]) -> Smell | None:
    """The mistake that the data named `report` is about; None for one that is none of ours."""
    report = data.get("report", "")
    return next((smell for smell in SMELLS if smell.title in report), None)


def _place(data: dict[str, str]) -> tuple[str, dict[int, str]]:
    """The path and the reported lines by number."""
    head, _, rest = data.get("lines", "").partition("\n")
    return head.rpartition(", ")[0], numbered(rest)


def in_docstring(path: str, lines: dict[int, str], whole: dict[int, str]) -> bool:
    """Whether the lines of a Python file that is shown from its first line on stand inside of triple quotes."""
    if not path.endswith((".py", ".pyi")) or 1 not in whole:
        return False
    above = "\n".join(text for number, text in whole.items() if number < min(lines))
    return above.count('"""') % 2 == 1 or above.count("'''") % 2 == 1


def guarded(code: str, lines: dict[int, str], whole: dict[int, str]) -> bool:
    """Whether `code`, which stands on `lines` of the file `whole`, divides by a length that is tested right above."""
    divisor = _DIVISOR.search(code)
    if divisor is None:
        return False
    test = re.compile(rf"\bif\b.*\b{re.escape(divisor[1])}\b")
    near = range(min(lines) - _GUARD_REACH, max(lines) + 1)
    return any(test.search(whole.get(number, lines.get(number, ""))) for number in near)


def bare(code: str, path: str, *, keep_strings: bool) -> str:
    """`code` without its comments and, unless `keep_strings`, without what its strings say."""
    marks = ("#",) if path.endswith(_HASH_COMMENTS) else ("//", "/*", "*")
    return "\n".join(
        _without_tail(line, marks[:2], keep_strings=keep_strings)
        for line in code.split("\n")
        if not line.lstrip().startswith(marks)
    )


def _without_tail(line: str, marks: tuple[str, ...], *, keep_strings: bool) -> str:
    out, quote, at = "", "", 0
    while at < len(line):
        char = line[at]
        if quote:
            out += char if keep_strings or char == quote else ""
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif line.startswith(marks, at):
            break
        else:
            quote = char if char in "\"'`" else ""
            out += char
        at += 1
    return out
