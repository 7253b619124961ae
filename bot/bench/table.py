"""A measurement in the terminal: a table for each prompt and number of streams, then what has to be said about it.

Every text goes in as text and never as markup: an endpoint's words could else colour or hide what stands beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.bench import words
from bot.bench.compare import Entry, Row, rows
from bot.bench.figures import Spread
from bot.bench.model import Bench


def show_bench(console: Console, bench: Bench) -> None:
    """Print it."""
    found = rows(bench)
    for row in found:
        console.print(_table(row, console.width))
        for entry in row.entries:
            for remark in words.remarks(entry):
                console.print(Text(f"  {remark}", style="yellow" if entry.figures.failed else "dim"))
        if row.headline:
            console.print(Text(f"  {row.headline}", style="bold"))
        console.print()
    for notice in bench.notices:
        console.print(Text(notice, style="dim"))
    if bench.stopped:
        console.print(Text(f"Stopped early: {bench.stopped}", style="bold yellow"))
    if found:
        console.print(Text(words.method(bench), style="dim"))
    console.print(Text(words.money(bench), style="dim"))


def _table(row: Row, width: int) -> Table:
    """On a narrow terminal the least needed columns are left out rather than cut: the JSON and the page have them all."""
    several = len(row.entries) > 1
    table = Table(
        title=Text(f"{row.prompt.name}, {words.at_once(row.parallel)}", style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("endpoint", overflow="fold")
    left_out = {name for name, least in _WIDE.items() if width < least}
    left_out |= set() if row.parallel > 1 else {"together"}
    left_out |= set() if several else {"ratio"}
    shown = [name for name in _CELLS if name not in left_out]
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for entry in row.entries:
        table.add_row(Text(entry.lane.name), *(Text(_CELLS[name](entry)) for name in shown))
    return table


def _range(entry: Entry) -> str:
    rate = entry.figures.rate
    return words.NONE if rate is None else f"{words.rate(rate.p10)} to {words.rate(rate.p90)}"


def _rate(entry: Entry, spread: Spread | None) -> str:
    return words.rate(words.median(spread), estimated=entry.figures.estimated)


_CELLS: Final[Mapping[str, Callable[[Entry], str]]] = {
    "first token": lambda entry: words.seconds(words.median(entry.figures.first_token)),
    "tokens/s": lambda entry: _rate(entry, entry.figures.rate),
    "p10 to p90": _range,
    "together": lambda entry: _rate(entry, entry.figures.together),
    "gap p50": lambda entry: words.seconds(entry.figures.gap_p50),
    "gap p99": lambda entry: words.seconds(entry.figures.gap_p99),
    "total": lambda entry: words.seconds(words.median(entry.figures.total)),
    "streams": lambda entry: words.streams(entry.figures),
    "cost": lambda entry: words.NONE if entry.figures.usd is None else words.usd(entry.figures.usd),
    "ratio": lambda entry: words.times(entry.faster),
}
"""The columns behind the name, in their order."""
_WIDE: Final[Mapping[str, int]] = {"p10 to p90": 122, "gap p50": 104, "cost": 92, "total": 80}
"""Columns that need a terminal of so many characters."""
