"""Endpoints side by side: how many times as fast as the slowest. Pure.

Refuses a ratio where one of the two failed at half of its streams or more: it would set the lucky ones against the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.bench.figures import Figures, figures
from bot.bench.model import Bench, Lane, Series
from bot.bench.prompts import BenchPrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One lane in one row of a comparison. Ratios are to the slowest lane of the row; above 1 is better than that one."""

    series: Series
    figures: Figures
    faster: float | None
    """Median tokens/s of a stream, divided by the slowest's; 1 for the slowest itself."""
    sooner: float | None
    """The slowest's median seconds to the first token, divided by its own."""

    @property
    def lane(self) -> Lane:
        """Whose it is."""
        return self.series.lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The same work on every lane."""

    prompt: BenchPrompt
    parallel: int
    entries: tuple[Entry, ...]

    @property
    def headline(self) -> str:
        """The comparison in one sentence; empty where there is nothing to compare."""
        sound = [(entry, entry.figures.rate) for entry in self.entries if entry.faster is not None]
        rated = [(entry, rate.p50) for entry, rate in sound if rate is not None]
        if len(rated) < 2:
            return ""
        (fast, high), (slow, low) = max(rated, key=lambda pair: pair[1]), min(rated, key=lambda pair: pair[1])
        about = "about " if fast.figures.estimated or slow.figures.estimated else ""
        work = f"{self.prompt.name}, {self.parallel} stream{'s' if self.parallel > 1 else ''}"
        return (
            f"{fast.lane.name} writes {about}{high / low:.1f} times as fast as {slow.lane.name}: "
            f"{high:,.0f} against {low:,.0f} tokens/s a stream ({work})"
        )


def rows(bench: Bench) -> tuple[Row, ...]:
    """Every prompt and number of streams, with all lanes that were measured at it."""
    keys = dict.fromkeys((series.prompt.name, series.parallel) for series in bench.series)
    return tuple(_row([s for s in bench.series if (s.prompt.name, s.parallel) == key]) for key in keys)


def _row(series: Sequence[Series]) -> Row:
    found = [(each, figures(each)) for each in series]
    usable = [f for _, f in found if f.sound and f.rate is not None and f.rate.p50 > 0]
    slowest = min(usable, key=lambda f: f.rate.p50 if f.rate is not None else 0.0) if len(usable) > 1 else None

    def entry(each: Series, own: Figures) -> Entry:
        faster = sooner = None
        if slowest is not None and own in usable:
            if own.rate is not None and slowest.rate is not None:
                faster = own.rate.p50 / slowest.rate.p50
            if own.first_token is not None and slowest.first_token is not None and own.first_token.p50 > 0:
                sooner = slowest.first_token.p50 / own.first_token.p50
        return Entry(series=each, figures=own, faster=faster, sooner=sooner)

    return Row(
        prompt=series[0].prompt,
        parallel=series[0].parallel,
        entries=tuple(entry(each, own) for each, own in found),
    )
