"""Reviews of the same pull requests by Spark's server, Action and terminal, and by other tools: seconds, CPU, memory, the limit.

GitHub and the endpoint stand in on loopback, in processes of their own: 80 ms a call; so many ms to the first token, so many
tokens a second; 600 tokens an answer. Each run reviews a fresh pull, and posts. Progress goes to standard error, tables to standard output.

    python bench/reviews.py                                   # Spark, fast endpoint, instant: about five minutes
    python bench/reviews.py --runs 1                          # the same in about one
    python bench/reviews.py --speed fast near chat --effort instant standard --write     # all of Spark's: about an hour
    python bench/reviews.py --rivals --runs 3                 # the other tools too: half an hour; the first time installs them
    python bench/reviews.py --product "Spark server" --shape "60 files" --json one.json
    python bench/reviews.py --from one.json --join other.json --write      # tables and pictures of what was measured before
    python bench/reviews.py --list

Ctrl-C ends it; what was measured until then is shown and written.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from race.course import Course
from race.model import SHAPES, SPEEDS
from race.picture import svg
from race.record import Race, dump, join, load
from race.report import charts, markdown
from race.spark import entrants
from race.world import Entrant

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = ROOT / "docs" / "measured.md"
IMAGES: Final = ROOT / "docs" / "images"
BEGIN: Final = "<!-- bench/reviews.py: begin -->"
END: Final = "<!-- bench/reviews.py: end -->"
EFFORTS: Final = ("instant", "standard")
_INTERRUPTED: Final = 130


def main() -> int:
    """Measure, or read what was measured; show it, and write it where that is asked for. 1 when a run failed."""
    parser = _parser()
    given = parser.parse_args()
    if given.list:
        print(_listed())
        return 0
    earlier = [_read(file) for file in (*given.earlier, *given.join)]
    interrupted = False
    if given.earlier:
        race = join(earlier)
    else:
        course = Course(
            entrants=_chosen(parser, given.product, rivals=given.rivals),
            shapes=[shape for shape in SHAPES if not given.shape or shape.name in given.shape],
            speeds=[speed for speed in SPEEDS if speed.name in (given.speed or ["fast"])],
            efforts=list(dict.fromkeys(given.effort or ["instant"])),
            number=given.runs,
        )
        interrupted = _run(course)
        race = join([*earlier, course.race()])
    if given.json:
        given.json.write_text(json.dumps(dump(race), indent=1) + "\n")
    if not race.runs and not race.failures:
        print("nothing was measured", file=sys.stderr)
        return _INTERRUPTED if interrupted else 1
    print(markdown(race))
    if given.write:
        _write(race)
    return _INTERRUPTED if interrupted else 1 if race.failures else 0


def _run(course: Course) -> bool:
    """Whether somebody ended it."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        course.run()
    except KeyboardInterrupt:
        print("ended; what was measured until now:", file=sys.stderr)
        for thread in threading.enumerate():
            # A run that was cut short leaves the timer that would have ended it; the process would wait for that.
            if isinstance(thread, threading.Timer):
                thread.cancel()
        return True
    return False


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt(number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [shape.name for shape in SHAPES]
    speeds = [speed.name for speed in SPEEDS]
    parser.add_argument("--runs", type=_number, default=5, help="of each; %(default)s by default")
    parser.add_argument(
        "--shape",
        nargs="+",
        action="extend",
        choices=names,
        metavar="NAME",
        help=f"of {', '.join(names)}; all by default",
    )
    parser.add_argument("--speed", nargs="+", action="extend", choices=speeds, help="of the endpoint; fast by default")
    parser.add_argument("--effort", nargs="+", action="extend", choices=EFFORTS, help="instant by default")
    parser.add_argument(
        "--product",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="these alone, by name or its beginning; see --list",
    )
    parser.add_argument("--rivals", action="store_true", help="race the other tools too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every run, for --from and --join")
    parser.add_argument(
        "--from", type=Path, nargs="+", action="extend", default=[], metavar="FILE", dest="earlier", help="run nothing"
    )
    parser.add_argument(
        "--join", type=Path, action="append", default=[], metavar="FILE", help="add what was kept there"
    )
    parser.add_argument("--write", action="store_true", help="put tables and pictures into docs/")
    parser.add_argument("--list", action="store_true", help="show products, shapes and speeds")
    return parser


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("one run at least")
    return number


def _rivals() -> Sequence[Entrant]:
    found: Sequence[Entrant] = importlib.import_module("race.rivals").RIVALS
    return found


def _chosen(parser: argparse.ArgumentParser, names: Sequence[str] | None, *, rivals: bool) -> Sequence[Entrant]:
    there = [*entrants(), *(_rivals() if rivals else ())]
    if names is None:
        return there
    unknown = [name for name in names if not any(each.name.startswith(name) for each in there)]
    if unknown:
        parser.error(
            f"no product is named {unknown[0]!r}; see --list" + ("" if rivals else ", and --rivals for other tools")
        )
    return [each for each in there if each.name.startswith(tuple(names))]


def _listed() -> str:
    lines = ["products:"]
    there = (*entrants(), *_rivals())
    lines += [f"  {each.name:<36} {each.kind}{', with --rivals' if each.rival else ''}" for each in there]
    lines.append("shapes:")
    lines += [f"  {shape.name:<14} {shape.files} files, {shape.added} added lines each" for shape in SHAPES]
    lines.append("speeds:")
    lines += [
        f"  {each.name:<14} {each.ttft * 1000:.0f} ms to the first token, {each.tps:,.0f} tokens/s" for each in SPEEDS
    ]
    return "\n".join(lines)


def _read(file: Path) -> Race:
    try:
        return load(json.loads(file.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{file} is nothing that --json wrote: {error}", file=sys.stderr)
        raise SystemExit(2) from error


def _write(race: Race) -> None:
    shown = []
    IMAGES.mkdir(exist_ok=True)
    for speed, chart in charts(race).items():
        (IMAGES / f"reviews-{speed}.svg").write_text(svg(chart))
        shown += [f"![{chart.title}](images/reviews-{speed}.svg)", ""]
    text = DOCUMENT.read_text()
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        print(f"{DOCUMENT} needs one pair of the lines {BEGIN} and {END}", file=sys.stderr)
        raise SystemExit(2)
    body = "\n".join([BEGIN, *shown, markdown(race), END])
    DOCUMENT.write_text(pattern.sub(lambda _: body, text))
    print(f"wrote {DOCUMENT} and {len(charts(race))} pictures", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
