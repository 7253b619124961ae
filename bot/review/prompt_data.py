"""What every call to the model is put together from: data between boundary lines, numbered lines, a window of a file.

A boundary has a code of 16 hex digits: a hash over what is between its two lines. A text that wanted to close its boundary
would have to contain a hash of itself, so nobody can write one; no randomness is needed, and the same text is bounded the
same way in every call, so that endpoints can cache what calls begin with. Beyond that, no line of data begins like a line
of ours (see `shown.py`). What the calls ask for is not here: `prompt.py` and its neighbours.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

from bot.review.model import Effort
from bot.review.ports import CallKind, Prompt
from bot.review.shown import BOUNDARY, tokens, visible

CR = "\r"
FILE_TOKENS = 12_000
"""A file up to this size is given whole; of a larger one the lines around the place."""
REASONING_TOKENS = 2_000
"""Added to the output limit where the model may reason first: endpoints count that as output."""


class Data:
    """Named texts, each between boundary lines with a code made from it."""

    def __init__(self) -> None:
        self._named: list[tuple[str, str]] = []

    def add(self, name: str, text: str) -> None:
        """`text` is printed as it is: the caller has made its lines harmless. An empty one is left out."""
        if text:
            self._named.append((name, text))

    def text(self) -> str:
        """All of it, wrapped."""
        return "\n".join(_bounded(name, text) for name, text in self._named)


def _bounded(name: str, text: str) -> str:
    code = hashlib.sha256(f"{name}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"[[{BOUNDARY} {name} {code} begin]]\n{text}\n[[{BOUNDARY} {name} {code} end]]"


def numbered(number: int, line: str) -> str:
    """One line of a file as `42| code`."""
    return f"{number}| {visible(line.removesuffix(CR))}"


def window(text: str, *, near: int) -> str:
    """Numbered lines: all of them where they fit, else as many around line `near` as do."""
    whole = _whole(text)
    if whole is not None:
        return whole
    lines = text.removesuffix("\n").split("\n")
    shown: deque[str] = deque()
    start = end = min(max(0, near - 1), len(lines) - 1)
    used = 0
    # Above and below in turn, so that the finding stays in the middle until one end is reached.
    for index in _outwards(near - 1, len(lines)):
        line = numbered(index + 1, lines[index])
        used += tokens(line)
        if used > FILE_TOKENS and shown:
            break
        if index < start:
            shown.appendleft(line)
        else:
            shown.append(line)
        start, end = min(start, index), max(end, index)
    if start:
        shown.appendleft(f"({start} lines above are not shown)")
    if end < len(lines) - 1:
        shown.append(f"({len(lines) - end - 1} lines below are not shown)")
    return "\n".join(shown)


@lru_cache(maxsize=128)
def _whole(text: str) -> str | None:
    """Every line, numbered; None where they don't fit. Kept, since each finding of a file is checked with the same text."""
    if tokens(text) > FILE_TOKENS:
        return None
    lines = [numbered(number, line) for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1)]
    return "\n".join(lines) if sum(map(tokens, lines)) <= FILE_TOKENS else None


def _outwards(middle: int, count: int) -> Iterator[int]:
    """Every index below `count`, from the middle outwards, so that what came so far is always one range."""
    middle = min(max(0, middle), count - 1)
    yield middle
    for distance in range(1, count):
        if middle - distance >= 0:
            yield middle - distance
        if middle + distance < count:
            yield middle + distance


def cut(text: str, cap: int) -> str:
    """At most `cap` characters of `text`; a longer one says that it goes on."""
    return text if len(text) <= cap else f"{text[:cap]}\n(the rest is not shown)"


def make_prompt(kind: CallKind, system: str, parts: list[str], *, output: int, effort: Effort) -> Prompt:
    """One call: its parts with a blank line between them, empty ones left out. `output`: tokens of the answer itself."""
    user = "\n\n".join(part for part in parts if part)
    reason = effort is not Effort.INSTANT
    return Prompt(
        kind=kind,
        system=system,
        user=user,
        max_output_tokens=output + (REASONING_TOKENS if reason else 0),
        reason=reason,
        tokens=tokens(system) + tokens(user),
    )
