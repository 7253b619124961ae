"""Answers to an order to write code: as much of it as the order aims at, always the same. It says nothing of use.

So that a measurement of speed has a long stream to measure: a rate out of a dozen tokens is mostly chance.
"""

from __future__ import annotations

import re
from itertools import count as numbers
from typing import Final

from bot.sandbox.endpoint.tokens import count

USUAL: Final = 300
"""Tokens where the order names no number."""
MOST: Final = 20_000
_AIM: Final = re.compile(r"Aim at about ([\d,]{1,9}) tokens")


def write(prompt: str) -> str:
    """Python functions, whole ones, of the first length that is not below the one that `prompt` aims at, in tokens."""
    found = _AIM.search(prompt)
    wanted = min(int(found[1].replace(",", "") or 0), MOST) if found else USUAL
    parts: list[str] = []
    for number in numbers(1):
        if wanted <= 0:
            break
        part = _function(number)
        parts.append(part)
        wanted -= count(part)
    return "\n\n".join(parts)


def _function(number: int) -> str:
    return (
        f"def step_{number}(values: list[int]) -> int:\n"
        f'    """The sum of the values above {number}."""\n'
        "    total = 0\n"
        "    for value in values:\n"
        f"        if value > {number}:\n"
        "            total += value\n"
        "    return total\n"
    )
