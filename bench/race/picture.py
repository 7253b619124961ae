"""A chart as one SVG file: lines over logarithmic axes, readable on light and on dark. Pure; it knows nothing of reviews.

The file has its own ground, which follows the reader's colour scheme, since in an image nothing of the page around it applies.
Text is text, and what the chart shows is told in its title and description for who cannot see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 920
HEIGHT: Final = 470
_LEFT: Final = 64
_RIGHT: Final = 310
_TOP: Final = 62
_BOTTOM: Final = 54
_APART: Final = 17.0
"""Least distance of two names at the right."""
_CHARACTER: Final = 7.0
"""Pixels of one in a label, about."""
_LIGHT: Final = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#6e7781", "#9a6700", "#1b7c83", "#cf222e")
_DARK: Final = ("#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#f778ba", "#8b949e", "#d29922", "#39c5cf", "#ff7b72")
_SHAPES: Final = ("circle", "square", "diamond", "triangle")
_STYLE: Final = """\
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.ground{fill:#fff}.grid{stroke:#d1d9e0;stroke-width:1}.small{fill:#59636e}.head{font-weight:600;font-size:15px}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round}.dashed{stroke-dasharray:6 5}.lead{stroke:#d1d9e0;fill:none}
"""
_STYLE_DARK: Final = """\
text{fill:#f0f6fc}.ground{fill:#0d1117}.grid{stroke:#3d444d}.small{fill:#9198a1}.lead{stroke:#3d444d}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve with its name. Points are (x, y), both above 0, in the order of x."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    """For what was not measured, such as a limit: grey and without marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn. `across` and `up` name the axes, with their units."""

    title: str
    description: str
    across: str
    up: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Where a value of a logarithmic axis is."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return self.start + share * (self.end - self.start)


def svg(chart: Chart) -> str:
    """The file's text. ValueError for a chart without points, or with a value of 0 or below."""
    values = [point for line in chart.lines for point in line.points]
    if not values:
        raise ValueError(f"{chart.title}: nothing to draw")
    if min(min(point) for point in values) <= 0:
        raise ValueError(f"{chart.title}: a logarithmic axis has no place for 0")
    xs = sorted({x for x, _ in values})
    ups = ticks(min(y for _, y in values), max(y for _, y in values))
    across = _Scale(low=xs[0] / 1.15, high=xs[-1] * 1.15, start=_LEFT, end=WIDTH - _RIGHT)
    up = _Scale(low=ups[0], high=ups[-1], start=HEIGHT - _BOTTOM, end=_TOP)
    body = [*_grid(chart, across, up, _kept(xs, across), ups), *_lines(chart.lines, across, up)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            'role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(chart.title)}</title>',
            f'<desc id="desc">{escape(chart.description)}</desc>',
            f"<style>{_STYLE}{_colours(_LIGHT)}@media (prefers-color-scheme:dark){{{_STYLE_DARK}{_colours(_DARK)}}}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
            f'<text class="head" x="{_LEFT}" y="26">{escape(chart.title)}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten, the first at or below `low`, the last at or above `high`; at least two."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = [step * 10.0**power for power in range(first, last + 1) for step in (1, 2, 5)]
    below = max(index for index, step in enumerate(steps) if step <= low * 1.0000001)
    above = min(index for index, step in enumerate(steps) if step >= high * 0.9999999)
    return steps[below : max(above, below + 1) + 1]


def _colours(palette: Sequence[str]) -> str:
    return "".join(f".s{at}{{stroke:{colour}}}.f{at}{{fill:{colour}}}" for at, colour in enumerate(palette)) + "\n"


def _kept(xs: Sequence[float], across: _Scale) -> list[float]:
    """Values that are named under the axis: not two on one another, the last always."""
    kept = [xs[-1]]
    for x in reversed(xs[:-1]):
        characters = (len(f"{x:,g}") + len(f"{kept[-1]:,g}")) / 2
        if across.at(kept[-1]) - across.at(x) > characters * _CHARACTER + 6:
            kept.append(x)
    return kept


def _grid(chart: Chart, across: _Scale, up: _Scale, xs: Sequence[float], ys: Sequence[float]) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    out = []
    for y in ys:
        at = up.at(y)
        out.append(f'<line class="grid" x1="{_LEFT}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}"/>')
        out.append(f'<text class="small" x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in xs:
        at = across.at(x)
        out.append(f'<line class="grid" x1="{at:.1f}" y1="{bottom}" x2="{at:.1f}" y2="{bottom + 5}"/>')
        out.append(f'<text class="small" x="{at:.1f}" y="{bottom + 20}" text-anchor="middle">{x:,g}</text>')
    out.append(
        f'<text class="small" x="{(_LEFT + right) / 2:.0f}" y="{HEIGHT - 14}" text-anchor="middle">{escape(chart.across)}</text>'
    )
    out.append(f'<text class="small" x="{_LEFT - 50}" y="{_TOP - 16}">{escape(chart.up)}</text>')
    return out


def _lines(lines: Sequence[Line], across: _Scale, up: _Scale) -> list[str]:
    drawn = [line for line in lines if line.points]
    numbers = {line.name: at for at, line in enumerate(line for line in drawn if not line.dashed)}
    names = _spread([up.at(line.points[-1][1]) for line in drawn])
    out = []
    for line, name_at in zip(drawn, names, strict=True):
        places = [(across.at(x), up.at(y)) for x, y in line.points]
        colour = 5 if line.dashed else _colour(numbers[line.name])
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dash = " dashed" if line.dashed else ""
        x, y = places[-1]
        edge = WIDTH - _RIGHT + 14
        out.append(f'<polyline class="line s{colour}{dash}" points="{path}"/>')
        if not line.dashed:
            out += [_mark(_SHAPES[numbers[line.name] % len(_SHAPES)], px, py, colour) for px, py in places]
        out.append(f'<path class="lead" d="M{x + 6:.1f} {y:.1f}L{edge - 4} {name_at:.1f}"/>')
        told = f"{escape(line.name)}: {line.points[-1][1]:.3g}"
        out.append(f'<text x="{edge}" y="{name_at + 4:.1f}"><tspan class="f{colour}">■</tspan> {told}</text>')
    return out


def _colour(number: int) -> int:
    """Of a measured line: any but the limit's grey."""
    rest = [at for at in range(len(_LIGHT)) if at != 5]
    return rest[number % len(rest)]


def _spread(wanted: Sequence[float]) -> list[float]:
    """Places as near as can be to those that are wanted, `_APART` from one another, inside of the chart."""
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    placed = [0.0] * len(wanted)
    lowest = _TOP - 20.0
    for at in order:
        placed[at] = lowest = max(wanted[at], lowest + _APART)
    highest = HEIGHT - _BOTTOM + _APART
    for at in reversed(order):
        placed[at] = highest = min(placed[at], highest - _APART)
    return placed


def _mark(shape: str, x: float, y: float, colour: int) -> str:
    match shape:
        case "circle":
            return f'<circle class="f{colour}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        case "square":
            return f'<rect class="f{colour}" x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2"/>'
        case "diamond":
            return f'<path class="f{colour}" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5-5z"/>'
        case _:
            return f'<path class="f{colour}" d="M{x:.1f} {y - 5:.1f}l5 8.6h-10z"/>'
