"""A measurement as one HTML file with inline SVG: no script, no request, and a policy in the page that would forbid both."""

from __future__ import annotations

from bot import __version__
from bot.bench import plot, words
from bot.bench.compare import rows
from bot.bench.model import Bench
from bot.html.pieces import templates


def bench_html(bench: Bench, *, measured_at: str) -> str:
    """The page. Every text in it is escaped by the template."""
    found = rows(bench)
    headlines = [row.headline for row in found if row.headline]
    names = " and ".join(lane.name for lane in bench.lanes)
    return (
        templates()
        .get_template("bench.html")
        .render(
            headline=headlines[0] if headlines else f"How fast {names} writes",
            more=headlines[1:],
            bench=bench,
            rows=found,
            bars=plot.bars(found, bench),
            races=plot.races(found, bench),
            colours=plot.colours_of(bench),
            plot=plot,
            words=words,
            measured_at=measured_at,
            version=__version__,
        )
    )
