"""Asks the model for edits of one file until they hold, at most twice.

It decides nothing about where the edits go. What the model's port raises goes through, and a process that stops raises
too, for the job runs again; all else is a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.commands.edits import Edited, Unedited, read_edit, source_lines
from bot.commands.prompt_fix import OUTPUT_MOST, Failed, Problem, fix_prompt, shown_lines
from bot.errors import OutsideError
from bot.review.model import Effort, Usage
from bot.review.ports import Model, Stop, StreamEnd

TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done in one file."""

    path: str
    text: str
    """The file at the head."""
    place: str
    """Tagged lines that the comment stands on; may be empty."""
    near: tuple[int, int] | None
    """First and last line (from 1) that it is about, where that is known."""
    problems: tuple[Problem, ...]
    conversation: str = ""
    instruction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of it."""

    result: Edited | Unedited
    usage: Usage


def accept_all(_edited: Edited) -> str:
    """No further condition."""
    return ""


def ask(model: Model, task: Task, *, effort: Effort, stop: Stop, accept: Callable[[Edited], str] = accept_all) -> Asked:
    """Edits that apply and parse no worse. `accept` gives why an edit is not wanted, or the empty string."""
    lines = source_lines(task.text)
    shown = shown_lines(lines, task.near)
    usage = Usage()
    failed: Failed | None = None
    result: Edited | Unedited = Unedited(reason="there was no time to ask the model")
    room = 1
    for _ in range(TRIES):
        if stop.left() <= 0:
            break
        prompt = fix_prompt(
            path=task.path,
            lines=lines,
            shown=shown,
            place=task.place,
            problems=task.problems,
            conversation=task.conversation,
            instruction=task.instruction,
            effort=effort,
            failed=failed,
        )
        prompt = replace(prompt, max_output_tokens=max(prompt.max_output_tokens, min(OUTPUT_MOST, room)))
        pieces: list[str] = []
        report = model.stream(prompt, sink=pieces.append, stop=stop)
        usage += report.usage
        if stop.cancelled:
            raise OutsideError("The edit was stopped")
        if report.end is not StreamEnd.WHOLE:
            result = Unedited(reason=f"{report.end.value} ({report.detail})" if report.detail else report.end.value)
            if not report.end.worth_retrying:
                break
            room = 4 * prompt.max_output_tokens if report.end is StreamEnd.LENGTH else 1
            continue
        answer = "".join(pieces)
        result = read_edit(answer, task.text, task.path, shown=shown)
        if isinstance(result, Edited) and (unwanted := accept(result)):
            result = Unedited(reason=unwanted)
        if isinstance(result, Edited) or result.declined:
            break
        failed = Failed(answer=answer, reason=result.reason)
    return Asked(result=result, usage=usage)
