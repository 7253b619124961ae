"""The default script: a rule-based reviewer that answers in the form a model is asked for. It is no model.

It reads the tagged lines that the prompt shows, finds the mistakes of `smells.py` in added ones and answers the same
prompt with the same text, always. A check call is answered by looking again, more strictly than the first time: a line
in a comment, in a string or in a test refutes the finding. What kind of call it is, is read from the JSON asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import StrEnum

from bot.sandbox.endpoint.answers import Answer, EndpointRequest, Script
from bot.sandbox.endpoint.shown import Shown, read_shown
from bot.sandbox.endpoint.smells import SMELLS, Smell

_TEST_PATH = re.compile(r"(?:^|/)(?:tests?|spec|__tests__)/|(?:^|/)test_[^/]*$|[._]test\.\w+$|\.spec\.\w+$")
_HASH_COMMENTS = (".py", ".pyi", ".sh", ".bash")
_PREFIX = re.compile(r"^(?:[ +-][RL]\d+#\w+\||\s*>?\s*\d+\s?[|:] ?|[|>] )")
"""What stands before the code of a line: a tag, a number, a quotation mark."""
_PATH = re.compile(r"[\w@.+-]+(?:/[\w@.+-]+)*\.(?:pyi?|[mc]?jsx?|tsx?|vue|go|sh|bash)\b")
_MOST_LINES = max(smell.lines for smell in SMELLS)
_RANK = {"critical": 3, "high": 2, "medium": 1, "low": 0}


class Asked(StrEnum):
    """The kinds of calls."""

    REVIEW = "review"
    CHECK = "check"
    REPAIR = "repair"


def reviewer() -> Script:
    """Reviews, checks and repairs by rules."""

    def script(request: EndpointRequest) -> Answer:
        match asked(request.system or request.user):
            case Asked.CHECK:
                return Answer(text=_check(request.user))
            case Asked.REPAIR:
                return Answer(text=_repair(request.user))
            case Asked.REVIEW:
                return Answer(text=_review(request.user))

    return script


def asked(instructions: str) -> Asked:
    """Which answer the instructions describe: findings have `"at"`, a check has `"verdict"`, a repair neither."""
    if '"at"' in instructions or '"end"' in instructions:
        return Asked.REVIEW
    if '"verdict"' in instructions:
        return Asked.CHECK
    return Asked.REPAIR if '"suggestion"' in instructions else Asked.REVIEW


def _review(prompt: str) -> str:
    lines = read_shown(prompt)
    answer = [
        json.dumps(finding, ensure_ascii=False) + "\n"
        for at, line in enumerate(lines)
        if line.added and (finding := _finding(_run(lines, at))) is not None
    ]
    return "".join(answer or ['{"none": true}\n']) + '{"end": true}\n'


def _run(lines: Sequence[Shown], at: int) -> list[Shown]:
    """The added lines of one file from `at` on, as many as any pattern looks at."""
    run: list[Shown] = []
    for line in lines[at : at + _MOST_LINES]:
        if not line.added or line.path != lines[at].path:
            break
        run.append(line)
    return run


def _finding(run: Sequence[Shown]) -> dict[str, object] | None:
    """The worst mistake that begins on the first line of `run`, as a model tells it."""
    path = run[0].path
    found = [
        (smell, spot)
        for smell in SMELLS
        if path.endswith(smell.suffixes)
        and (spot := smell.look("\n".join(line.code for line in run[: smell.lines]))) is not None
    ]
    if not found:
        return None
    smell, spot = max(found, key=lambda each: _RANK[each[0].severity])
    place = {"path": path, "at": run[0].tag} | ({"to": run[spot.lines - 1].tag} if spot.lines > 1 else {})
    return place | {
        "body": smell.body,
        "category": smell.category,
        "severity": smell.severity,
        "title": smell.title,
        "suggestion": spot.suggestion,
    }


def _check(prompt: str) -> str:
    smell = next((smell for smell in SMELLS if smell.title in prompt), None)
    if smell is None:
        return _verdict("unsure", "This finding is none that the rules know.")
    path = _path(prompt)
    if _TEST_PATH.search(path):
        return _verdict("refuted", "The line is in a test, where this does no harm.")
    spots = _spots(prompt, smell)
    if not spots:
        return _verdict("unsure", "The line that is meant is not shown.")
    if not any(smell.pattern.search(_bare(spot, path, keep_strings=smell.in_strings)) for spot in spots):
        return _verdict("refuted", "The line only speaks of it, in a comment or a string.")
    return _verdict("real", "The code does what the finding says, and nothing near it makes up for that.")


def _verdict(verdict: str, analysis: str) -> str:
    return json.dumps({"analysis": analysis, "verdict": verdict}) + "\n"


def _repair(prompt: str) -> str:
    smell = next((smell for smell in SMELLS if smell.title in prompt), None)
    spots = [smell.look(code) for code in _spots(prompt, smell)] if smell is not None else []
    mended = (spot.suggestion for spot in spots if spot is not None and spot.suggestion is not None)
    return json.dumps({"suggestion": next(mended, None)}) + "\n"


def _spots(prompt: str, smell: Smell) -> list[str]:
    """The places of the prompt's code that have the mistake, each as the lines that the pattern looks at."""
    lines = [_PREFIX.sub("", line) for line in prompt.split("\n")]
    windows = ["\n".join(lines[at : at + smell.lines]) for at in range(len(lines))]
    return [window for window in windows if smell.look(window) is not None and smell.title not in window]


def _path(prompt: str) -> str:
    found = _PATH.search(prompt)
    return found[0] if found else ""


def _bare(code: str, path: str, *, keep_strings: bool) -> str:
    """`code` without its comments and, unless `keep_strings`, without what its strings say."""
    marks = ("#",) if path.endswith(_HASH_COMMENTS) else ("//", "/*", "*")
    return "\n".join(
        _without_tail(line, marks, keep_strings=keep_strings)
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
        elif line.startswith(marks[:2], at):
            break
        else:
            quote = char if char in "\"'`" else ""
            out += char
        at += 1
    return out
