"""A race as markdown: a table for each speed and effort, the aims with their figures, and the lines of a chart. Pure.

Medians over runs; `p90` of done is the value that nine of ten runs do not exceed. A run that failed is told and in no median.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from webhook_parts import percentile

from race.limit import limit, told
from race.model import SHAPES, SPEEDS, Limit, Run, Shape, Speed
from race.picture import Chart, Line
from race.record import Entry, Race, settings_of, shapes_of

SERVER: Final = "Spark server"
ACTION: Final = "Spark Action"
SIZES: Final = ("1 file", "5 files", "20 files", "60 files")
"""The shapes for which the aims are set."""
_RIVAL: Final = "PR-Agent"
_FASTER: Final = 8.0
_START: Final = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One aim at one speed: a figure for each shape."""

    what: str
    speed: str
    figures: dict[str, float | None]
    """By shape; None where it was not measured, or every run failed."""
    bound: float | None
    """None: for comparison alone, and no aim."""
    least: bool = False
    """The figure shall be at least the bound, not at most."""
    judged: Sequence[str] = SIZES
    """The shapes that the aim is for."""

    def verdict(self) -> str:
        """`met`, `missed`, or `–` for what is no aim or was not measured."""
        judged = [figure for shape in self.judged if (figure := self.figures.get(shape)) is not None]
        if self.bound is None or not judged:
            return "–"
        good = min(judged) >= self.bound if self.least else max(judged) <= self.bound
        return "met" if good else "missed"


def markdown(race: Race) -> str:
    """Everything: a table for each speed and effort, notes, failures, the aims, the machine."""
    parts = [part for speed, effort in settings_of(race) for part in _table(race, _speed(speed), effort)]
    parts += [
        "**The aims.** Ratios of medians; the limit is the one of the same speed, effort and pull request.",
        "",
    ]
    parts += [*_aim_rows(race), "", *_remarks(race), *(f"- {line}" for line in race.machine)]
    return "\n".join(parts)


def line_of(run: Run, *, number: int, of: int) -> str:
    """One run in one line, for who waits."""
    ratio = run.done / limit(_speed(run.speed), _shape(run.shape), run.effort).done
    first = "no first finding" if run.first_finding is None else f"first finding {run.first_finding:.2f} s"
    return (
        f"{run.speed} {run.effort}  {run.shape:<12}  {run.product:<24} {number}/{of}  done {run.done:.2f} s "
        f"({ratio:.2f} × limit)  {first}  CPU {run.cpu:.2f} s  {run.memory:.0f} MB"
    )


def aims(race: Race) -> list[Aim]:
    """Every aim at every speed that was measured."""
    found = []
    for speed in (each for each in SPEEDS if each.name in {run.speed for run in race.runs}):
        found += [
            _to_limit(race, speed, "warm server, done ÷ limit, `instant`", "instant", "done", 1.15),
            _to_limit(race, speed, "the same, review posted", "instant", "first_post", None),
            _to_limit(race, speed, "warm server, done ÷ limit with its checks, `standard`", "standard", "done", 1.3),
            _to_limit(race, speed, "the same ÷ limit without checks", "standard", "done", None, against="instant"),
            _to_limit(
                race, speed, "warm server, first finding ÷ its limit, `instant`", "instant", "first_finding", 1.1
            ),
            _to_limit(race, speed, "the same, `standard`, with its check", "standard", "first_finding", None),
            _start(race, speed),
        ]
        found += _against_rivals(race, speed)
    return [aim for aim in found if any(figure is not None for figure in aim.figures.values())]


def charts(race: Race) -> dict[str, Chart]:
    """By the speed's name: seconds against files, at `instant`. Pulls of one file alone make no line, and so no chart."""
    found = {}
    for speed in SPEEDS:
        lines = [line for entry in race.entries if (line := _line(race, entry.name, speed)).points]
        xs = sorted({x for line in lines for x, _ in line.points})
        if len(xs) < 2:
            continue
        flat = [(x, limit(speed, SHAPES[0], "instant").done) for x in xs]
        found[speed.name] = Chart(
            title=f"Seconds of a review; endpoint {_setting(speed)}",
            description="; ".join(
                f"{line.name}: " + ", ".join(f"{x:g} files {y:.2f} s" for x, y in line.points) for line in lines
            ),
            across="files of the pull request, 24 added lines each",
            up="seconds from the start to the last write, medians",
            lines=[*lines, Line(name="what no client can beat", points=flat, dashed=True)],
        )
    return found


# -- tables ------------------------------------------------------------------------------------------------------


def _table(race: Race, speed: Speed, effort: str) -> list[str]:
    shapes = [_shape(name) for name in shapes_of(race)]
    bounds = dict.fromkeys(told(speed, shape, effort) for shape in shapes)
    without = effort != "instant"
    more = "without checks | " if without else ""
    rows = [
        f"**Endpoint {_setting(speed)}; `{effort}`.** Limit: {'; beyond what GitHub gives as one diff '.join(bounds)}.",
        "",
        f"| pull request | product | first finding | first post | done | p90 | × limit | {more}CPU | peak memory "
        "| GitHub: reads, writes | endpoint | line comments |",
        "|" + "---|" * (13 if without else 12),
    ]
    for shape in shapes:
        for entry in race.entries:
            row = _row(race, entry, speed, shape, effort)
            rows += [row] if row else []
    return [*rows, ""]


def _row(race: Race, entry: Entry, speed: Speed, shape: Shape, effort: str) -> str:
    runs = _runs(race, entry.name, speed.name, shape.name, effort)
    failed = [each for each in race.failures if _place(each) == (entry.name, speed.name, shape.name, effort)]
    if not runs and not failed:
        return ""
    head = f"| {shape.name} | {entry.name} |"
    broken = f"failed {len(failed)} of {len(runs) + len(failed)}: {failed[0].why.replace('|', '/')}" if failed else ""
    width = 9 if effort == "instant" else 10
    if not runs:
        return f"{head} **{broken}** {'|' * (width + 1)}"
    bound = limit(speed, shape, effort)
    done = _median(runs, _done)
    firsts = [run.first_finding for run in runs if run.first_finding is not None]
    cells = [
        f"{statistics.median(firsts):.2f} s" if firsts else "–",
        f"{_median(runs, lambda run: run.first_post):.2f} s",
        f"{done:.2f} s" + (f" (**{broken}**)" if broken else ""),
        f"{percentile([run.done for run in runs], 0.9):.2f} s",
        f"{done / bound.done:.2f}",
        *([f"{done / limit(speed, shape, 'instant').done:.2f}"] if effort != "instant" else []),
        f"{_median(runs, lambda run: run.cpu):.2f} s",
        f"{_median(runs, lambda run: run.memory):.0f} MB",
        f"{_median(runs, lambda run: run.reads):.0f}, {_median(runs, lambda run: run.writes):.0f}",
        f"{_median(runs, lambda run: run.calls):.0f}",
        f"{_median(runs, lambda run: run.comments):.0f}",
    ]
    return f"{head} {' | '.join(cells)} |"


def _aim_rows(race: Race) -> Iterator[str]:
    shapes = shapes_of(race)
    yield "| aim | endpoint | " + " | ".join(shapes) + " | bound | |"
    yield "|---|---|" + "---|" * (len(shapes) + 2)
    for aim in aims(race):
        figures = [f"{figure:.2f}" if (figure := aim.figures.get(shape)) is not None else "–" for shape in shapes]
        bound = "–" if aim.bound is None else f"{'≥' if aim.least else '≤'} {aim.bound:g}"
        yield f"| {aim.what} | {aim.speed} | {' | '.join(figures)} | {bound} | {aim.verdict()} |"


def _remarks(race: Race) -> Iterator[str]:
    """What each product's runs had to say, each once, and how many runs a figure stands for."""
    notes: dict[tuple[str, str], dict[str, None]] = {}
    for run in race.runs:
        for note in run.notes:
            notes.setdefault((run.product, note), {})[run.shape] = None
    for (product, note), shapes in notes.items():
        yield f"- {product}, {'; '.join(shapes)}: {note}."
    counts = sorted({len(_runs(race, *place)) for place in dict.fromkeys(map(_place, race.runs))})
    if counts:
        yield f"- Runs of each: {' to '.join(dict.fromkeys(map(str, (counts[0], counts[-1]))))}."
    versions: dict[str, list[str]] = {}
    for entry in race.entries:
        versions.setdefault(entry.version, []).append(entry.name)
    told_versions = (f"{version}: {', '.join(names)}" for version, names in versions.items())
    yield f"- Versions: {'; '.join(told_versions)}."


# -- figures -----------------------------------------------------------------------------------------------------


def _to_limit(
    race: Race, speed: Speed, what: str, effort: str, name: str, bound: float | None, *, against: str = ""
) -> Aim:
    """A figure of the warm server over the limit's."""

    def bound_of(found: Limit) -> float:
        return found.first_finding if name == "first_finding" else found.done

    figures: dict[str, float | None] = {}
    for shape in SHAPES:
        values = [getattr(run, name) for run in _runs(race, SERVER, speed.name, shape.name, effort)]
        values = [value for value in values if value is not None]
        best = bound_of(limit(speed, shape, against or effort))
        figures[shape.name] = statistics.median(values) / best if values else None
    return Aim(what=what, speed=speed.name, figures=figures, bound=bound)


def _start(race: Race, speed: Speed) -> Aim:
    """Seconds until the Action asks GitHub for the first time."""
    figures: dict[str, float | None] = {}
    for shape in SHAPES:
        runs = _runs(race, ACTION, speed.name, shape.name, "instant")
        calls = [run.first_call for run in runs if run.first_call is not None]
        figures[shape.name] = statistics.median(calls) if calls else None
    what = "Action, warm: seconds from its start to its first call"
    return Aim(what=what, speed=speed.name, figures=figures, bound=_START, judged=tuple(figures))


def _against_rivals(race: Race, speed: Speed) -> Iterator[Aim]:
    """How many times the seconds of ours each rival takes, like beside like."""
    ours = {entry.kind: entry.name for entry in race.entries if not entry.rival}
    for rival in (entry for entry in race.entries if entry.rival and entry.kind in ours):
        figures: dict[str, float | None] = {}
        for shape in SHAPES:
            theirs = _runs(race, rival.name, speed.name, shape.name, "instant")
            mine = _runs(race, ours[rival.kind], speed.name, shape.name, "instant")
            figures[shape.name] = _median(theirs, _done) / _median(mine, _done) if theirs and mine else None
        bound = _FASTER if rival.name.startswith(_RIVAL) else None
        what = f"{rival.name}, done ÷ {ours[rival.kind]}'s"
        judged = tuple(shape.name for shape in SHAPES)
        yield Aim(what=what, speed=speed.name, figures=figures, bound=bound, least=True, judged=judged)


def _line(race: Race, product: str, speed: Speed) -> Line:
    points = [
        (float(shape.files), _median(runs, _done))
        for shape in SHAPES
        if shape.added == SHAPES[0].added and (runs := _runs(race, product, speed.name, shape.name, "instant"))
    ]
    return Line(name=product, points=points)


def _runs(race: Race, product: str, speed: str, shape: str, effort: str) -> list[Run]:
    return [run for run in race.runs if _place(run) == (product, speed, shape, effort)]


def _place(each: object) -> tuple[str, str, str, str]:
    product, speed, shape, effort = (str(getattr(each, name)) for name in ("product", "speed", "shape", "effort"))
    return product, speed, shape, effort


def _median(runs: Sequence[Run], of: Callable[[Run], float]) -> float:
    return statistics.median(map(of, runs))


def _done(run: Run) -> float:
    return run.done


def _speed(name: str) -> Speed:
    return next(speed for speed in SPEEDS if speed.name == name)


def _shape(name: str) -> Shape:
    return next(shape for shape in SHAPES if shape.name == name)


def _setting(speed: Speed) -> str:
    return f"{speed.name}, {speed.ttft * 1000:.0f} ms to the first token, {speed.tps:,.0f} tokens/s"
