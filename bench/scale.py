"""How far Spark goes on two cores: fifty pull requests at once, changes that grow, two servers on one PostgreSQL.

Stand-ins on loopback, in processes of their own: GitHub at 80 ms a call, an endpoint at 150 ms and 1,000 tokens a second (the `fast` of
bench/reviews.py) or at 500 ms and 70 (`chat`). Growth is measured without either's waiting.

    python bench/scale.py                       # all of it, about four minutes
    python bench/scale.py --part growth
    python bench/scale.py --write               # tables and pictures into docs/
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

import scale_growth
import scale_pulls
from race.model import ANSWER_TOKENS, LATENCY, SPEEDS
from race.picture import Chart, Line, svg
from scale_growth import FILES, KINDS, LINES, SPREAD, Grown, exponent, growth
from scale_pulls import ORGANISATIONS, SHAPE, Crowd, crowd
from webhook_parts import ROOT

from bot.github.limits import FREE_WRITES, SECONDS_BETWEEN_WRITES

PULLS: Final = 50
FAST, CHAT = (next(speed for speed in SPEEDS if speed.name == name) for name in ("fast", "chat"))
BEGIN, END = "<!-- bench/scale.py: begin -->", "<!-- bench/scale.py: end -->"
LINEAR: Final = 1.1
"""An exponent up to this is linear, with what a measurement on a shared machine is off."""


def pulls() -> tuple[str, list[Crowd]]:
    """Fifty at once, with the places that a server has, with twice as many and with one for each."""
    found = [crowd(FAST, pulls=PULLS, places=places) for places in (None, 16, PULLS)]
    one = 2 * LATENCY + FAST.ttft + ANSWER_TOKENS / FAST.tps
    told = [f"{each.places} places {-(-PULLS // each.places) * one:.1f} s" for each in found]
    of_each = PULLS // ORGANISATIONS + 1
    return "\n".join(
        [
            f"{PULLS} pull requests of {SHAPE.files} files, in {ORGANISATIONS} installations, opened in one burst:"
            f" {PULLS * SHAPE.files} streams, {PULLS * SHAPE.files * ANSWER_TOKENS:,} tokens.",
            f"In waves of the limit of one review, {one:.2f} s, they take: {', '.join(told)}. Of an installation's {of_each} reviews in"
            f" this minute {FREE_WRITES} are posted at once, and the others {SECONDS_BETWEEN_WRITES:.0f} s apart, as GitHub wants it:"
            f" the last is posted {of_each - FREE_WRITES} s after the first at the soonest.",
            "",
            scale_pulls.table(found),
        ]
    ), found


def processes() -> tuple[str, list[Crowd]]:
    """One server and two, on PostgreSQL, with places always full."""
    found: list[Crowd] = []
    for speed, number in ((FAST, PULLS), (CHAT, 32)):
        found += [crowd(speed, pulls=number, servers=servers, kind="postgres") for servers in (1, 2)]
    gains = [f"{speed}: {two.a_minute / one.a_minute:.2f} ×" for speed, one, two in _pairs(found)]
    told = f"Two servers against one, reviews a minute: {'; '.join(gains)}."
    return "\n".join([scale_pulls.table(found), "", told]), found


def _pairs(found: Sequence[Crowd]) -> list[tuple[str, Crowd, Crowd]]:
    return [(one.speed, one, two) for one, two in zip(found[::2], found[1::2], strict=True)]


def grown(runs: int) -> tuple[str, list[Grown], dict[str, str]]:
    """The tables, what is in them, and the pictures by name."""
    parts: list[str] = []
    every: list[Grown] = []
    lines: list[Line] = []
    memory: list[Line] = []
    for kind, sizes in (("files", FILES), ("lines", LINES), ("spread", SPREAD)):
        found = growth(kind, sizes, runs=runs)
        every += found
        slopes = [exponent(found, value) for value in ("cpu", "memory")]
        told = "linear or better" if max(slopes) <= LINEAR else "worse than linear"
        parts += [
            scale_growth.table(found),
            "",
            f"Exponent, beyond the fixed cost: CPU {slopes[0]:.2f}, memory {slopes[1]:.2f}: {told}.",
            *_short(found),
            "",
        ]
        name = KINDS[kind]
        lines.append(Line(name=name, points=[(one.size, one.cpu) for one in found]))
        memory.append(Line(name=name, points=[(one.size, one.memory) for one in found]))
    pictures = {
        "scale-cpu.svg": _chart("CPU of a review, cold process", "seconds of a processor", lines),
        "scale-memory.svg": _chart("Peak memory of a review, cold process", "MB", memory),
    }
    return "\n".join(parts).rstrip(), every, pictures


def _short(found: Sequence[Grown]) -> list[str]:
    skipped = [f"{one.size:,}: {skip}" for one in found for skip in one.fallen_short[:2]]
    return [f"Fell short: {'; '.join(skipped)}."] if skipped else []


def _chart(title: str, up: str, lines: Sequence[Line]) -> str:
    ends = [
        f"{line.name}: {line.points[0][1]:.3g} at {line.points[0][0]:,}, {line.points[-1][1]:.3g} at {line.points[-1][0]:,}"
        for line in lines
    ]
    return svg(
        Chart(title=title, description="; ".join(ends), across="changed files, or added lines", up=up, lines=lines)
    )


def _write(text: str, pictures: dict[str, str]) -> None:
    page = ROOT / "docs" / "measured.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    for name, picture in pictures.items():
        (ROOT / "docs" / "images" / name).write_text(picture, encoding="utf-8")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--part", nargs="+", choices=["pulls", "growth", "processes"], default=["pulls", "growth", "processes"]
    )
    parser.add_argument("--runs", type=int, default=5, help="of each size of the growth; %(default)s by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--write", action="store_true", help="put tables and pictures into docs/: of all parts")
    given = parser.parse_args()
    if given.write and len(set(given.part)) < 3:
        parser.error("--write takes all parts: what is not measured would be lost")
    parts: list[str] = []
    pictures: dict[str, str] = {}
    figures: dict[str, list[dict[str, object]]] = {}
    for title, part in (
        ("Many at once", "pulls"),
        ("Growth", "growth"),
        ("Two servers on one PostgreSQL", "processes"),
    ):
        if part not in given.part:
            continue
        print(f"{title} …", file=sys.stderr)
        found: Sequence[Crowd | Grown]
        if part == "growth":
            text, found, pictures = grown(given.runs)
            text += "".join(f"\n\n![{name}](images/{name})" for name in pictures)
        else:
            text, found = pulls() if part == "pulls" else processes()
        figures[part] = [asdict(each) for each in found]
        parts += [f"### {title}", "", text, ""]
        print("\n".join(parts[-4:]), flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if given.write:
        _write("\n".join(parts).rstrip(), pictures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
