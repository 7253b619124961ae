"""Runs a race: every speed, effort, product and shape in turn, and keeps what was measured, also when somebody ends it.

One review at a time, on stand-ins that do nothing else. A failed run is kept as a failure; one that took long is not tried again
on that shape. Refuses to average or to print tables.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from race.model import Product, Run, Shape, Speed, World
from race.record import Entry, Failure, Race, sort_out
from race.report import line_of
from race.world import Entrant, Stage

_LONG: Final = 60.0
"""Seconds: a run that failed after so many is not tried again."""
_EXPECTED: Final = (RuntimeError, OSError, TimeoutError, AssertionError, ValueError)
"""How a product's failure shows: it says so, a process or a connection is not there, or its answer makes no sense."""


@dataclass(slots=True, kw_only=True)
class Course:
    """What is to be run, and what came of it so far."""

    entrants: Sequence[Entrant]
    shapes: Sequence[Shape]
    speeds: Sequence[Speed]
    efforts: Sequence[str]
    number: int
    """Runs of each."""
    warm: bool = True
    """Begin with a run that is not counted."""
    runs: list[Run] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)

    def run(self) -> None:
        """All of it. KeyboardInterrupt ends it early; what was measured stays."""
        scripts = {entrant.name: entrant.script for entrant in self.entrants}
        with Stage() as stage:
            for speed in self.speeds:
                world = stage.world(speed, scripts=scripts)
                for effort in self.efforts:
                    for entrant in self.entrants:
                        if effort in entrant.efforts:
                            self._product(stage, world, entrant, speed, effort)

    def race(self) -> Race:
        """What was measured."""
        return Race(
            machine=(_machine(),),
            entries=tuple(self.entries.values()),
            runs=tuple(self.runs),
            failures=tuple(self.failures),
        )

    def _product(self, stage: Stage, world: World, entrant: Entrant, speed: Speed, effort: str) -> None:
        with ExitStack() as stack:
            began = time.monotonic()
            product = self._started(stack, entrant.start(stage, world, effort), entrant, speed, effort)
            if product is None:
                return
            _tell(
                f"{speed.name} {effort}  {entrant.name} {product.version} is ready after {time.monotonic() - began:.1f} s"
            )
            version = product.version
            self.entries[entrant.name] = Entry(
                name=entrant.name, kind=entrant.kind, version=version, rival=entrant.rival
            )
            for shape in self.shapes:
                self._shape(stage, entrant, product, speed, shape, effort)

    def _started(
        self, stack: ExitStack, context: AbstractContextManager[Product], entrant: Entrant, speed: Speed, effort: str
    ) -> Product | None:
        try:
            return stack.enter_context(context)
        except _EXPECTED as error:
            self.entries.setdefault(
                entrant.name, Entry(name=entrant.name, kind=entrant.kind, version="?", rival=entrant.rival)
            )
            for shape in self.shapes:
                self._failed(error, entrant, speed, shape, effort, lines=shape is self.shapes[0])
            return None

    def _shape(self, stage: Stage, entrant: Entrant, product: Product, speed: Speed, shape: Shape, effort: str) -> None:
        """Behind one that is not counted: a warm server has seen the repository before, a process's files are in memory."""
        warms = self.warm and (entrant.kind == "server" or shape is self.shapes[0])
        for at in range(0 if warms else 1, self.number + 1):
            began = time.monotonic()
            try:
                place = stage.fresh(shape, entrant.name)
                told = sort_out(product.review(place, speed=speed.name, shape=shape.name))
            except _EXPECTED as error:
                self._failed(error, entrant, speed, shape, effort)
                if time.monotonic() - began > _LONG:
                    _tell(f"{entrant.name} is not tried again on {shape.name}")
                    return
                continue
            if isinstance(told, Failure):
                self._failed(RuntimeError(told.why), entrant, speed, shape, effort)
            elif at:
                self.runs.append(told)
                _tell(line_of(told, number=at, of=self.number))

    def _failed(
        self, error: BaseException, entrant: Entrant, speed: Speed, shape: Shape, effort: str, *, lines: bool = True
    ) -> None:
        said = str(error).splitlines() or [type(error).__name__]
        why = said[0][:160]
        self.failures.append(Failure(product=entrant.name, speed=speed.name, shape=shape.name, effort=effort, why=why))
        _tell(f"{speed.name} {effort}  {shape.name:<12}  {entrant.name:<24} FAILED: {why}")
        for line in said[1:] if lines else ():
            _tell(f"    {line}")


def _machine() -> str:
    """Cores, model, interpreter, load, day."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    load, _, _ = os.getloadavg()
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    cores = len(os.sched_getaffinity(0))
    return f"{day}: {cores} cores ({model}), {platform.system()}, Python {platform.python_version()}; load at the end {load:.1f}."


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
