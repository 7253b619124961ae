"""`spark bench`: how fast endpoints write, measured and set side by side.

Nothing but data goes to standard output unless the format is text; progress, and what it will cost, go to standard error.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bot.bench import words
from bot.bench.compare import rows
from bot.bench.model import Bench, Lane, Plan, Rate
from bot.bench.page import bench_html
from bot.bench.prompts import PROMPTS, ROOM
from bot.bench.report import bench_json
from bot.bench.run import Runner, Step
from bot.bench.table import show_bench
from bot.cli import output
from bot.errors import OutsideError, UserError
from bot.review.render.safe import visible
from bot.settings import Api, read_settings
from bot.settings.values import dollars
from bot.wiring.endpoints import Connected, Endpoints, Place

ALL: Final = "all"
FORMATS: Final = ("text", "json", "html")
MOST_PARALLEL: Final = 256
"""Streams at once: as many as the pool has connections."""
MOST_RUNS: Final = 1000
_OPTIONS: Final = frozenset({"model", "api", "key"})
_EXAMPLES: Final = """\
examples:
  spark bench                                      the endpoint of the settings, one prompt, three runs
  spark bench --prompt all --parallel 1,4,16       every prompt; one, four and sixteen streams at once
  spark bench --base-url cerebras --model gpt-oss-120b --compare other=openai,model=NAME
  spark bench --compare here=http://127.0.0.1:8001/v1,model=a --compare there=https://llm.example.org/v1,model=b,key=THERE_KEY
  spark bench --format html --output bench.html    the same as a page with plots
  spark bench --list-models                        names for --model

SPARK_API_KEY goes to the endpoint of SPARK_BASE_URL or --base-url alone. Beside it, a preset gets the key of its own variable
(such as GROQ_API_KEY), and any other URL the one that key=VARIABLE names.

exit codes:
  0 measured   2 your mistake   3 an endpoint gave not one whole stream   130 interrupted; what was measured is told
"""


def configure_bench(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spark bench`."""
    parser.description = (
        "Measure how fast an endpoint writes: time to the first token, tokens per second of each stream and of all together, "
        "gaps between tokens, seconds, cost; and set several endpoints side by side."
    )
    parser.epilog = _EXAMPLES
    what = parser.add_argument_group("what is sent")
    prompts = [*PROMPTS, ALL]
    what.add_argument("--prompt", choices=prompts, default="boilerplate", metavar="|".join(prompts),
                      help="%(default)s by default")  # fmt: skip
    what.add_argument(
        "--runs", type=_runs, default=3, metavar="N", help="times that each is sent, %(default)s by default"
    )
    what.add_argument("--parallel", type=_levels, default=(1,), metavar="N[,N...]",
                      help="streams at once, 1 by default; each number is measured by itself")  # fmt: skip
    what.add_argument("--max-tokens", type=_tokens, metavar="N",
                      help=f"limit of each answer; by default {ROOM} times what the prompt aims at")  # fmt: skip
    what.add_argument("--max-usd", type=_dollars, metavar="USD",
                      help="what all of it may cost, instead of SPARK_MAX_USD_PER_REVIEW")  # fmt: skip

    where = parser.add_argument_group("where")
    where.add_argument("--base-url", metavar="URL", help="instead of SPARK_BASE_URL: a URL or a preset's name")
    where.add_argument("--model", metavar="NAME", help="instead of SPARK_MODEL")
    where.add_argument("--compare", metavar="NAME=URL[,model=M][,api=A][,key=VARIABLE]", type=_place, action="append",
                       default=[], help="an endpoint to set beside; several are compared with each other, and with the "
                       "settings' own where --base-url or --model is given")  # fmt: skip
    where.add_argument(
        "--list-models", action="store_true", help="print the models that there are, and measure nothing"
    )

    out = parser.add_argument_group("what comes out")
    out.add_argument("--format", choices=FORMATS, default="text", metavar="|".join(FORMATS), help="text by default")
    out.add_argument("--output", metavar="FILE", type=Path, help="write there; the terminal still shows the table")


def run(options: argparse.Namespace) -> int:
    """Measure, show, write. Returns 0.

    Raises UserError for what the user named wrongly, OutsideError when an endpoint gave no whole stream, and
    KeyboardInterrupt when it was interrupted; in both of these what was measured is told before.
    """
    settings = read_settings(os.environ, dotenv=Path(".env"))
    if options.output is not None:
        output.check(options.output)
    for notice in settings.notices:
        _tell(notice)
    max_usd = options.max_usd if options.max_usd is not None else settings.max_usd_per_review
    with Endpoints(_places(options), settings, os.environ, max_usd=max_usd) as endpoints:
        if options.list_models:
            return _list(endpoints)
        names = list(PROMPTS) if options.prompt == ALL else [options.prompt]
        plan = Plan(
            prompts=tuple(PROMPTS[name] for name in names),
            levels=options.parallel,
            runs=options.runs,
            max_tokens=options.max_tokens,
        )
        lanes = tuple(_lane(each) for each in endpoints.connected)
        _tell(words.beforehand(lanes, plan, max_usd))
        endpoints.warm()
        with _progress() as tell:
            bench = Runner(lanes, plan, clock=endpoints.clock, tell=tell).run()
    _give(bench, options.format, options.output)
    return _ending(bench)


def _ending(bench: Bench) -> int:
    if bench.interrupted:
        raise KeyboardInterrupt
    series = [entry for row in rows(bench) for entry in row.entries]
    for lane in bench.lanes:
        own = [entry.figures for entry in series if entry.lane is lane]
        reasons = [reason for figures in own for reason, _ in figures.failures]
        if reasons and not any(figures.measured for figures in own):
            raise OutsideError(
                f"{lane.name}: not one stream could be measured: {reasons[0]}",
                remedy=f"Is {lane.base_url} right, and up?",
            )
    if bench.stopped and not any(entry.figures.measured for entry in series):
        raise UserError(f"Nothing was measured: {bench.stopped}", remedy="Allow more with --max-usd.")
    return 0


def _give(bench: Bench, form: str, target: Path | None) -> None:
    """Data to where it was asked for; the table to standard output wherever that is not taken by data."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    if form == "text" or target is not None:
        show_bench(_console(), bench)
    if form == "json":
        text = output.as_json(bench_json(bench, measured_at=at))
    elif form == "html":
        text = bench_html(bench, measured_at=at)
    elif target is not None:
        file = io.StringIO()
        show_bench(Console(file=file, width=140), bench)
        text = file.getvalue()
    else:
        return
    if target is None:
        output.put(text)
    else:
        output.write(target, text)
        _tell(f"wrote {target}")


def _list(endpoints: Endpoints) -> int:
    listed = endpoints.list_models()
    for name, models in listed:
        for model in models:
            # The names are the endpoint's words.
            shown = visible(model)
            print(shown if len(listed) == 1 else f"{name}\t{shown}")  # noqa: T201 - what was asked for
    return 0


def _places(options: argparse.Namespace) -> list[Place]:
    beside: list[Place] = options.compare
    own = Place(url=options.base_url, model=options.model)
    named = options.base_url is not None or options.model is not None
    return [own, *beside] if named or len(beside) < 2 else beside


def _lane(connected: Connected) -> Lane:
    price = connected.price
    return Lane(
        name=connected.name,
        base_url=connected.endpoint.base_url,
        model_name=connected.endpoint.model,
        api=connected.endpoint.api.value,
        model=connected.model,
        price=None if price is None else Rate(input=price.input, output=price.output),
    )


class _Progress:
    """A bar with what is measured at the moment."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def __call__(self, step: Step) -> None:
        text = f"{visible(step.lane.name)}: {step.what}"
        self._progress.update(self._task, description=text, completed=step.done, total=step.streams)


@contextmanager
def _progress() -> Iterator[_Progress]:
    """Shows each step on standard error where that is a terminal; shows nothing elsewhere."""
    console = Console(file=sys.stderr)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        yield _Progress(progress)


def _console() -> Console:
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 140)
    # Rich would leave with 1, which is the gate's.
    console.on_broken_pipe = _gone  # type: ignore[method-assign]
    return console


def _gone() -> NoReturn:
    raise BrokenPipeError


def _tell(text: str) -> None:
    print(f"spark: {text}", file=sys.stderr)  # noqa: T201 - for people, beside the data


def _place(text: str) -> Place:
    parts = [part.strip() for part in text.split(",")]
    name, equals, url = parts[0].partition("=")
    if not (equals and name.strip() and url.strip() and name.isprintable()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=URL, or NAME=URL,model=M,api=A,key=VARIABLE")
    more: dict[str, str] = {}
    for part in parts[1:]:
        key, equals, value = part.partition("=")
        if key not in _OPTIONS or not value or key in more:
            raise argparse.ArgumentTypeError(f"{part!r} in {text!r} is none of model=M, api=A, key=VARIABLE, once each")
        more[key] = value
    if "api" in more and more["api"] not in set(Api):
        raise argparse.ArgumentTypeError(f"api={more['api']} in {text!r} is neither chat nor responses")
    if "key" in more and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", more["key"]):
        # The text may be the key itself: it is not repeated.
        raise argparse.ArgumentTypeError("key= takes the name of a variable, not the key itself")
    return Place(
        name=name.strip(),
        url=url.strip(),
        model=more.get("model"),
        api=more.get("api"),
        key_variable=more.get("key"),
        beside=True,
    )


def _whole(text: str, most: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {what} from 1 to {most}")
    return int(text)


def _runs(text: str) -> int:
    return _whole(text, MOST_RUNS, "runs")


def _tokens(text: str) -> int:
    return _whole(text, 1_000_000, "tokens")


def _levels(text: str) -> Sequence[int]:
    levels = tuple(_whole(part.strip(), MOST_PARALLEL, "streams") for part in text.split(","))
    if len(set(levels)) < len(levels):
        raise argparse.ArgumentTypeError(f"{text!r} names a number twice")
    return levels


def _dollars(text: str) -> float:
    try:
        return dollars(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of US dollars, such as 0.50") from None
