"""The Python files of the pulls that are measured: modules of small functions, and a change that adds more of them. Pure."""

from __future__ import annotations

from race.model import Shape


def source(number: int, shape: Shape, *, changed: bool) -> str:
    """A small Python module; the change adds `shape.added` lines in functions of a dozen lines or more, far apart."""
    lines = [f'"""Part {number}."""', "", "import math", ""]
    block = max(12, shape.added // 20)
    left = shape.added
    at = 0
    while left > 0 or at < 12:
        lines += ["", f"def step_{at}(value):", f'    """Step {at}."""', f"    return math.sqrt(value + {at})", ""]
        if at % 6 == 3 and left > 0:
            new = min(left, block)
            left -= new
            if changed:
                lines += _added(at, new)
        at += 1
    return "\n".join(lines) + "\n"


def _added(at: int, number: int) -> list[str]:
    """So many lines, as functions of up to 25, each of a name of its own: one that is there twice is a finding."""
    parts = [25] * ((number - 1) // 25)
    parts.append(number - sum(parts))
    return [line for part, of_it in enumerate(parts) for line in _function(f"{at}_{part}" if part else f"{at}", of_it)]


def _function(name: str, number: int) -> list[str]:
    lines = [
        "",
        f"def more_{name}(values):",
        "    total = 0",
        *(f"    total += values[{index}]" for index in range(number - 4)),
    ]
    return [*lines, "    return total"][:number]
