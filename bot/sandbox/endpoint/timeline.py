"""When which bytes of an answer are due, with the stream faults built in. Pure: time goes in as a number.

The whole answer is serialised before its first token is due; while it plays, a slice of one blob is written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate, cycle, pairwise

from bot.sandbox.endpoint.faults import Fault, FaultKind


class Ending(StrEnum):
    """What happens to the connection behind the last byte."""

    CLEAN = "clean"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A streamed answer as bytes: what comes at once, with the first token, with each token, and behind the last."""

    prelude: bytes
    head: bytes
    tokens: tuple[bytes, ...]
    tail: bytes
    error: bytes
    """What the protocol sends when it fails in the middle."""
    failed: bytes
    """The same for FaultKind.FAILED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """`marks[k]` bytes of `blob` are due once k tokens are; `marks[0]` at once."""

    blob: bytes
    marks: tuple[int, ...]
    ttft: float
    tps: float
    hold_after: int | None = None
    hold: float = 0.0
    ending: Ending = Ending.CLEAN
    shredded: bool = False

    @property
    def steps(self) -> int:
        """Number of tokens, at least 1: an empty answer has its one step at `ttft`."""
        return len(self.marks) - 1

    def due(self, elapsed: float) -> int:
        """How many steps are due `elapsed` seconds after the request."""
        if (
            self.hold_after is not None
            and elapsed >= self.at(self.hold_after)
            and elapsed < self.at(self.hold_after + 1)
        ):
            return self.hold_after
        late = self.hold if self.hold_after is not None and elapsed >= self.at(self.hold_after + 1) else 0.0
        run = elapsed - self.ttft - late
        # The small sum keeps a step that is due exactly now from being rounded to the next beat.
        return max(0, min(self.steps, math.floor(run * self.tps + 1e-6) + 1)) if run >= -1e-9 else 0

    def at(self, step: int) -> float:
        """Seconds after the request at which this step, counted from 1, is due; 0 for step 0."""
        if step <= 0:
            return 0.0
        late = self.hold if self.hold_after is not None and step > self.hold_after else 0.0
        return self.ttft + (step - 1) / self.tps + late

    def cuts(self, start: int, end: int) -> list[bytes]:
        """The bytes from `start` to `end`, as the pieces in which they are to be sent."""
        if not self.shredded:
            return [self.blob[start:end]]
        sizes = cycle((1, 2, 3, 5, 7))
        borders = [start]
        while borders[-1] < end:
            borders.append(min(end, borders[-1] + next(sizes)))
        return [self.blob[left:right] for left, right in pairwise(borders)]


def play(wire: Wire, *, ttft: float, tps: float, fault: Fault | None) -> Timeline:
    """The timeline of an answer, with `fault` in it. Faults that change the answer's text are not made here."""
    tokens, tail = list(wire.tokens), wire.tail
    if fault is not None:
        tokens, tail = _break(wire, fault)
    parts = [wire.prelude, *tokens] if tokens else [wire.prelude, b""]
    parts[1] = wire.head + parts[1]
    parts[-1] += tail
    line = Timeline(blob=b"".join(parts), marks=tuple(accumulate(len(part) for part in parts)), ttft=ttft, tps=tps)
    return line if fault is None else _pace(line, fault)


def _break(wire: Wire, fault: Fault) -> tuple[list[bytes], bytes]:
    tokens = list(wire.tokens)
    some = tokens[: fault.after]
    match fault.kind:
        case FaultKind.CUT | FaultKind.EARLY_END:
            return some, b""
        case FaultKind.ERROR_EVENT:
            return some, wire.error
        case FaultKind.FAILED:
            return some, wire.failed
        case FaultKind.GARBAGE:
            broken = b'data: {"id":"chatcmpl-sandbox","choices":[{"index":0,"delta":{"content":"\n\n'
            return some + [broken + token for token in tokens[fault.after : fault.after + 1]] + tokens[
                fault.after + 1 :
            ], wire.tail if fault.after < len(tokens) else broken + wire.tail
        case _:
            return tokens, wire.tail


def _pace(line: Timeline, fault: Fault) -> Timeline:
    match fault.kind:
        case FaultKind.CUT:
            return replace(line, ending=Ending.RESET)
        case FaultKind.STALL:
            return replace(line, hold_after=min(fault.after, line.steps - 1), hold=fault.seconds)
        case FaultKind.SLOW_DRIP:
            return replace(line, tps=1 / fault.seconds)
        case FaultKind.SHREDDED:
            return replace(line, shredded=True)
        case FaultKind.CRLF:
            return _with_crlf(line)
        case _:
            return line


def _with_crlf(line: Timeline) -> Timeline:
    parts = [line.blob[left:right].replace(b"\n", b"\r\n") for left, right in pairwise((0, *line.marks))]
    return replace(line, blob=b"".join(parts), marks=tuple(accumulate(len(part) for part in parts)))
