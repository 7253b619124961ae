"""Ready-made scripts that need more than a text: answers of an exact length, and answers recorded in files."""

from __future__ import annotations

import json
from pathlib import Path

from bot.sandbox.endpoint.answers import Answer, EndpointRequest, FinishReason, Script
from bot.sandbox.endpoint.reviewer import Asked, asked, reviewer
from bot.sandbox.endpoint.shown import Shown, read_shown
from bot.sandbox.endpoint.tokens import count

_END = '{"end": true}\n'
_NONE = '{"none": true}\n'
_SPACING = 60
"""Fewer spare tokens than this go into the last finding's body instead of another finding."""
_BODY = "Measured"
FEWEST = count(_NONE) + count(_END)
"""The shortest answer that has the agreed form."""


def tokens(n: int, *, findings: int | None = None) -> Script:
    """An answer to a review of exactly `n` tokens: findings on the added lines shown, then the end line.

    `findings` limits their number; by default there are as many as fit, each on its own line of the diff. What is left
    goes into the last finding's body, or into a line of prose where there is none. Checks and repairs are answered as
    `reviewer()` does. ValueError when `n` is below `FEWEST`.
    """
    if n < FEWEST:
        raise ValueError(f"an answer has at least {FEWEST} tokens, not {n}")
    other = reviewer()

    def script(request: EndpointRequest) -> Answer:
        if asked(request.system or request.user) is not Asked.REVIEW:
            return other(request)
        lines = [line for line in read_shown(request.user) if line.added]
        return Answer(text=_filled(n, lines if findings is None else lines[:findings]))

    return script


def _filled(n: int, lines: list[Shown]) -> str:
    room = n - count(_END)
    said: list[str] = []
    for line in lines:
        finding = _finding(line)
        if count(finding) > room:
            break
        said.append(finding)
        room -= count(finding)
        if room < _SPACING:
            break
    if said:
        said[-1] = said[-1].replace(_BODY, _BODY + " more" * room)
        return "".join(said) + _END
    return _empty(room - count(_NONE)) + _END


def _empty(spare: int) -> str:
    """The line for no findings, and `spare` tokens of prose."""
    if spare < 2:
        return _NONE.replace(" true", " " * spare + " true")
    return _NONE + "More" + " more" * (spare - 2) + "\n"


def _finding(line: Shown) -> str:
    value = {"path": line.path} if line.path else {}
    value |= {"at": line.tag, "body": f"{_BODY}.", "category": "style", "severity": "low", "title": "A measured line"}
    return json.dumps(value | {"suggestion": None}, ensure_ascii=False) + "\n"


def recorded(folder: Path) -> Script:
    """Answers from the files that `record` wrote, keyed by the messages. KeyError, naming the file, for a new prompt."""

    def script(request: EndpointRequest) -> Answer:
        file = folder / f"{request.digest}.json"
        if not file.is_file():
            raise KeyError(f"no recorded answer {file}: it starts with {request.user[:80]!r}")
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Answer(
            text=kept["text"],
            reasoning=kept["reasoning"],
            refusal=kept["refusal"],
            finish_reason=FinishReason(kept["finish_reason"]),
        )

    return script


def record(folder: Path, script: Script) -> Script:
    """`script`, each answer of which is kept in `folder` for `recorded`. The file also holds the messages, to be read."""
    folder.mkdir(parents=True, exist_ok=True)

    def recording(request: EndpointRequest) -> Answer:
        answer = script(request)
        kept = {
            "system": request.system,
            "user": request.user,
            "text": answer.text,
            "reasoning": answer.reasoning,
            "refusal": answer.refusal,
            "finish_reason": str(answer.finish_reason),
        }
        text = json.dumps(kept, ensure_ascii=False, indent=1)
        (folder / f"{request.digest}.json").write_text(text + "\n", encoding="utf-8", errors="surrogateescape")
        return answer

    return recording
