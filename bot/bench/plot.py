"""The two pictures of the page as coordinates: bars of tokens/s, and text against time. Pure; the template draws them.

Units of the coordinates are those of the SVG's viewBox. It knows no colours but their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.bench.compare import Row
from bot.bench.figures import stream_figures
from bot.bench.model import Bench, Stream

WIDTH: Final = 900.0
LEFT: Final = 215.0
"""Where bars begin; names stand before."""
RIGHT: Final = 120.0
"""Kept free for figures behind the longest bar."""
BAR: Final = 18.0
STEP: Final = 27.0
_HEAD: Final = 30.0
_POINTS: Final = 160
"""A curve is drawn with so many points at most."""
RACE_HEIGHT: Final = 320.0
RACE_LEFT: Final = 64.0
_RACE_RIGHT: Final = 24.0
_RACE_BOTTOM: Final = 44.0
_RACE_TOP: Final = 14.0
_LONGEST_NAME: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One endpoint's median of tokens/s, with a line from p10 to p90."""

    name: str
    colour: int
    y: float
    width: float
    low: float
    high: float
    value: float | None
    estimated: bool
    streams: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The bars of one row of a comparison, under its title."""

    title: str
    y: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The whole picture of bars."""

    height: float
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line of the grid, with what stands at it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One stream: tokens of text so far, against seconds since its request."""

    name: str
    colour: int
    points: str
    end_x: float
    end_y: float
    seconds: float
    tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """The curves of one prompt, one for each endpoint: its median stream."""

    title: str
    parallel: int
    curves: tuple[Curve, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def bars(found: Sequence[Row], bench: Bench) -> Bars:
    """Every row as a group of bars on one scale."""
    colours = colours_of(bench)
    most = max((e.figures.rate.p90 for row in found for e in row.entries if e.figures.rate is not None), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / (most or 1.0)
    groups: list[Group] = []
    y = 0.0
    for row in found:
        top = y
        y += _HEAD
        made: list[Bar] = []
        for entry in row.entries:
            rate = entry.figures.rate
            made.append(
                Bar(
                    name=_short(entry.lane.name),
                    colour=colours[entry.lane.name],
                    y=y,
                    width=rate.p50 * scale if rate is not None else 0.0,
                    low=LEFT + (rate.p10 * scale if rate is not None else 0.0),
                    high=LEFT + (rate.p90 * scale if rate is not None else 0.0),
                    value=rate.p50 if rate is not None else None,
                    estimated=entry.figures.estimated,
                    streams=f"{entry.figures.measured} of {entry.figures.streams}",
                )
            )
            y += STEP
        title = row.prompt.name + (f", {row.parallel} streams at once" if row.parallel > 1 else ", 1 stream")
        groups.append(Group(title=title, y=top, bars=tuple(made)))
        y += 12.0
    return Bars(height=max(y, 1.0), groups=tuple(groups))


def races(found: Sequence[Row], bench: Bench) -> tuple[Race, ...]:
    """For each prompt, at its lowest number of streams: how the text of each endpoint's median stream grew."""
    lowest: dict[str, Row] = {}
    for row in found:
        if row.prompt.name not in lowest or row.parallel < lowest[row.prompt.name].parallel:
            lowest[row.prompt.name] = row
    made = (_race(row, colours_of(bench)) for row in lowest.values())
    return tuple(race for race in made if race is not None)


def colours_of(bench: Bench) -> dict[str, int]:
    """A number from 0 to 5 for each endpoint, the same in every picture."""
    return {lane.name: number % 6 for number, lane in enumerate(bench.lanes)}


def ticks(most: float, *, about: int = 5) -> list[float]:
    """Round numbers from 0 on, the last at or above `most`, about so many."""
    if not (most > 0 and math.isfinite(most)):
        return [0.0, 1.0]
    rough = most / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1.0, 2.0, 5.0, 10.0) if factor * unit >= rough * 0.999999)
    return [number * step for number in range(math.ceil(most / step - 1e-9) + 1)]


def _race(row: Row, colours: dict[str, int]) -> Race | None:
    chosen = [
        (entry.lane.name, stream) for entry in row.entries if (stream := _median(entry.series.streams)) is not None
    ]
    if not chosen:
        return None
    seconds = ticks(max(stream_figures(stream).total for _, stream in chosen), about=8)
    tokens = ticks(max(stream_figures(stream).text_tokens for _, stream in chosen))
    wide = (WIDTH - RACE_LEFT - _RACE_RIGHT) / seconds[-1]
    high = (RACE_HEIGHT - _RACE_TOP - _RACE_BOTTOM) / tokens[-1]
    bottom = RACE_HEIGHT - _RACE_BOTTOM

    def curve(name: str, stream: Stream) -> Curve:
        own = stream_figures(stream)
        places = [(RACE_LEFT + at * wide, bottom - count * high) for at, count in _grown(stream, own.text_tokens)]
        return Curve(
            name=_short(name),
            colour=colours[name],
            points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places),
            end_x=places[-1][0],
            end_y=places[-1][1],
            seconds=own.total,
            tokens=own.text_tokens,
        )

    return Race(
        title=row.prompt.name,
        parallel=row.parallel,
        curves=tuple(curve(name, stream) for name, stream in chosen),
        across=tuple(Tick(at=RACE_LEFT + each * wide, text=f"{each:g} s") for each in seconds),
        up=tuple(Tick(at=bottom - each * high, text=f"{each:,.0f}") for each in tokens),
    )


def _median(streams: Sequence[Stream]) -> Stream | None:
    """The stream in the middle by its tokens/s, or by its seconds where none has a rate."""
    measured = [stream for stream in streams if stream.measured]
    if not measured:
        return None
    ordered = sorted(measured, key=lambda s: (stream_figures(s).rate or 0.0, stream_figures(s).total))
    return ordered[(len(ordered) - 1) // 2]


def _grown(stream: Stream, tokens: float) -> list[tuple[float, float]]:
    """Seconds and tokens so far: from the request, flat until the first text, then at each read, thinned out."""
    chars = sum(arrival.chars for arrival in stream.arrivals)
    first = stream.arrivals[0].at - stream.sent
    grown = [(0.0, 0.0), (first, 0.0)]
    so_far = 0
    for arrival in stream.arrivals:
        so_far += arrival.chars
        grown.append((arrival.at - stream.sent, tokens * so_far / chars))
    every = max(1, math.ceil(len(grown) / _POINTS))
    return [*grown[:3], *grown[3:-1:every], grown[-1]]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
