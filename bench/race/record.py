"""What a race measured, as it is kept: runs, failures, products, the machine. To JSON and back; several joined to one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from race.model import SHAPES, SPEEDS, Run

FORMAT: Final = 1
_STOPPED: Final = "stopped after"
"""How the note of a run begins that was ended from outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A product that took part."""

    name: str
    kind: str
    """`server`, `action` or `process`."""
    version: str
    rival: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run that came to nothing. It is told, and in no average."""

    product: str
    speed: str
    shape: str
    effort: str
    why: str
    """One line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Everything of one measurement, or of several that were joined."""

    machine: Sequence[str]
    """A line for each machine and day."""
    entries: Sequence[Entry]
    runs: Sequence[Run]
    """Those that put something onto their pull by themselves."""
    failures: Sequence[Failure]


def sort_out(run: Run) -> Run | Failure:
    """A run that was ended from outside, or left nothing on the pull, is a failure whatever its seconds are."""
    why = next((note for note in run.notes if note.startswith(_STOPPED)), "" if run.posted else "nothing was posted")
    if not why:
        return run
    return Failure(product=run.product, speed=run.speed, shape=run.shape, effort=run.effort, why=why)


def dump(race: Race) -> dict[str, Any]:
    """As JSON values."""
    return {"format": FORMAT, **asdict(race)}


def load(values: Mapping[str, Any]) -> Race:
    """Of what `dump` gave. ValueError for another format."""
    if values.get("format") != FORMAT:
        raise ValueError(f"format {values.get('format')!r} is not {FORMAT}: measure again")
    return Race(
        machine=tuple(values["machine"]),
        entries=tuple(Entry(**each) for each in values["entries"]),
        runs=tuple(Run(**{**each, "notes": tuple(each["notes"])}) for each in values["runs"]),
        failures=tuple(Failure(**each) for each in values["failures"]),
    )


def join(races: Sequence[Race]) -> Race:
    """One of several: what two of them measured counts together; of a product the last version is told."""
    entries = {entry.name: entry for race in races for entry in race.entries}
    return Race(
        machine=tuple(dict.fromkeys(line for race in races for line in race.machine)),
        entries=tuple(entries.values()),
        runs=tuple(run for race in races for run in race.runs),
        failures=tuple(failure for race in races for failure in race.failures),
    )


def settings_of(race: Race) -> list[tuple[str, str]]:
    """Speeds and efforts that were measured, in the order of the model; `instant` first."""
    seen = {(each.speed, each.effort) for each in _all(race)}
    order = [speed.name for speed in SPEEDS]
    return sorted(seen, key=lambda pair: (order.index(pair[0]), pair[1]))


def shapes_of(race: Race) -> list[str]:
    """Shapes that were measured, in the order of the model."""
    seen = {each.shape for each in _all(race)}
    return [shape.name for shape in SHAPES if shape.name in seen]


def _all(race: Race) -> list[Run | Failure]:
    return [*race.runs, *race.failures]
