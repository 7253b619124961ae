"""The rule-based reviewer's look back: is what was reported once still to be seen, now that its code has changed?

It looks near the place for a line that shows the same mistake and resembles what stood there. Comments and strings do not
count, nor a division that has a guard now.
"""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher

from bot.sandbox.endpoint.second_look import bare, guarded, reported
from bot.sandbox.endpoint.shown import numbered, outside_of_data, read_data
from bot.sandbox.endpoint.smell import Smell

_NEAR = re.compile(r"\blines? (\d+)", re.IGNORECASE)
_CODE = re.compile(r"^(?:\d+\| |[ +-]?[RL]\d+#[0-9A-Za-z]{2,8}\||[|+-] )(.*)$")
_REACH = 12
"""Lines above and below the named one that count as near it."""
_ALIKE = 0.5
"""From this ratio on a line is what has become of another one."""


def follow_up(prompt: str) -> str:
    """The answer to a follow-up: `yes`, `no` or `unsure`, with a sentence."""
    data = read_data(prompt)
    smell = reported(data)
    whole = numbered(data.get("file", ""))
    if not whole:
        return _answer("yes", "The file is gone, and the defect with it.")
    if smell is None:
        return _answer("unsure", "This finding is none that the rules know.")
    path, *rest = data.get("was", "").split("\n")
    was = [found[1].strip() for line in [path, *rest] if (found := _CODE.match(line))]
    near = [int(number) for number in _NEAR.findall(outside_of_data(prompt))]
    named = path if path.endswith(smell.suffixes) else f"x{smell.suffixes[0]}"
    left = _still_there(smell, whole, [line for line in was if line], near[0] if near else None, path=named)
    if left is None:
        return _answer("yes", "The code no longer does what the report says.")
    return _answer("no", f"Line {left} still does what the report says: `{whole[left].strip()}`.", line=left)


def _answer(fixed: str, analysis: str, *, line: int | None = None) -> str:
    return json.dumps({"analysis": analysis, "fixed": fixed, "line": line}, ensure_ascii=False) + "\n"


def _still_there(smell: Smell, whole: dict[int, str], was: list[str], near: int | None, *, path: str) -> int | None:
    """The line nearest to the place on which the mistake still begins."""
    numbers = sorted(whole)
    for number in sorted(numbers, key=lambda each: abs(each - (near or each))):
        if near is not None and abs(number - near) > _REACH:
            break
        run = {at: whole[at] for at in range(number, number + smell.lines) if at in whole}
        code = "\n".join(run.values())
        spot = smell.look(code)
        if spot is None or guarded(code, run, whole):
            continue
        shown = bare(code, path, keep_strings=smell.in_strings)
        if smell.pattern.search(shown) and _resembles(whole[number], was):
            return number
    return None


def _resembles(line: str, was: list[str]) -> bool:
    return not was or any(SequenceMatcher(None, line.strip(), old).ratio() >= _ALIKE for old in was)
