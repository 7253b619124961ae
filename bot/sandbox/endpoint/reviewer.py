"""The default script: a rule-based reviewer that answers in the form a model is asked for. It is no model.

It reads the tagged lines that the prompt shows, finds the mistakes of `smells.py` in added ones and answers the same
prompt with the same text, always. A check call is answered by looking again, more strictly than the first time: a line
in a comment, in a string or in a test refutes the finding. Later calls about a pull are answered by rules as well: a look
back, edits, a reply, a question. An order to write code gets code of the length that it aims at. What kind of call it is,
is read from the form of the answer that it asks for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from bot.sandbox.endpoint.answers import Answer, EndpointRequest, Script
from bot.sandbox.endpoint.conversation import answer, reply
from bot.sandbox.endpoint.fixes import fix
from bot.sandbox.endpoint.follow_up import follow_up
from bot.sandbox.endpoint.second_look import check, repair
from bot.sandbox.endpoint.shown import Shown, read_shown
from bot.sandbox.endpoint.smells import SMELLS
from bot.sandbox.endpoint.writing import write

_MOST_LINES = max(smell.lines for smell in SMELLS)
_RANK = {"critical": 3, "high": 2, "medium": 1, "low": 0}


class Asked(StrEnum):
    """The kinds of calls."""

    REVIEW = "review"
    CHECK = "check"
    REPAIR = "repair"
    FOLLOW_UP = "follow-up"
    FIX = "fix"
    REPLY = "reply"
    ANSWER = "answer"
    WRITE = "write"


def reviewer() -> Script:
    """Reviews, checks, repairs, looks back, edits and talks by rules."""

    def script(request: EndpointRequest) -> Answer:
        return Answer(text=_SAYS[asked(request.system or request.user)](request.user))

    return script


def asked(instructions: str) -> Asked:
    """Which answer the instructions describe, by its keys; Markdown has none, and what says nothing is a review.

    Edits go `"from"` a tag, a reply `"asks"`, a look back says `"fixed"`, findings have `"at"`, a check a `"verdict"`.
    """
    for key, kind in _KEYS:
        if key in instructions:
            return kind
    return Asked.REVIEW


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


_KEYS = (
    ('"from"', Asked.FIX),
    ('"asks"', Asked.REPLY),
    ('"fixed"', Asked.FOLLOW_UP),
    ('"at"', Asked.REVIEW),
    ('"end"', Asked.REVIEW),
    ('"verdict"', Asked.CHECK),
    ('"suggestion"', Asked.REPAIR),
    ("Answer in Markdown", Asked.ANSWER),
    ("Answer with code alone", Asked.WRITE),
)
"""What stands in the instructions, the first that fits counts."""
_SAYS: Mapping[Asked, Callable[[str], str]] = {
    Asked.REVIEW: _review,
    Asked.CHECK: check,
    Asked.REPAIR: repair,
    Asked.FOLLOW_UP: follow_up,
    Asked.FIX: fix,
    Asked.REPLY: reply,
    Asked.ANSWER: answer,
    Asked.WRITE: write,
}
