"""Where a review's time goes: its milestones in a warm process, by the clock and by the processor, against the limit.

Between the same stand-ins as bench/review.py: GitHub at 80 ms a call, 150 ms to the first token, 1,000 tokens a second, 600 tokens an
answer. Milestones are taken from the outside, by wrapping the functions that pass them.

    python bench/timeline.py                       # the tables
    python bench/timeline.py --files 60 --unseen
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

from review import ANSWER_TOKENS, LATENCY, LIMIT, SIZES, TPS, TTFT, Reviews, process

STEPS: Final[Mapping[str, str]] = {
    "read": "the pull, its threads, the diff, the texts are here",
    "planned": "the chunks are made",
    "asked": "the last of the requests is begun",
    "streamed": "the last answer is read",
    "tried": "the last finding is checked and proven",
    "assembled": "the verdict is there",
    "drafted": "the comments are written",
    "posted": "the post is answered",
}
SHARES: Final[Mapping[str, float]] = {"read": LATENCY, "streamed": TTFT + ANSWER_TOKENS / TPS, "posted": LATENCY}
"""Seconds of each step that are the limit's."""

Moments = dict[str, tuple[float, float]]
"""Of each step: the clock, and the seconds of processor that the process had used."""


class Watch:
    """Notes when a review passes its milestones; the last time counts."""

    def __init__(self) -> None:
        self.moments: Moments = {}

    def note(self, step: str) -> None:
        """Now."""
        self.moments[step] = time.monotonic(), time.process_time()

    def after(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, which notes that it has ended."""

        def noted(*positional: Any, **named: Any) -> Any:
            try:
                return function(*positional, **named)
            finally:
                self.note(step)

        return noted

    def before(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, which notes that it begins."""

        def noted(*positional: Any, **named: Any) -> Any:
            self.note(step)
            return function(*positional, **named)

        return noted


@contextmanager
def watched() -> Iterator[Watch]:
    """Milestones of the reviews within this block."""
    from bot.review import finish, run  # noqa: PLC0415 - after the stand-ins are up
    from bot.review.docket import Docket  # noqa: PLC0415 - as above
    from bot.review.looks import Looking, Looks  # noqa: PLC0415 - as above

    watch = Watch()
    places: Sequence[tuple[Any, str, str, Callable[[str, Callable[..., Any]], Callable[..., Any]]]] = (
        (run, "sort_out", "read", watch.before),
        (run, "make_plan", "planned", watch.after),
        (Looking, "look", "asked", watch.before),
        (Looks, "close", "streamed", watch.before),
        (Docket, "close", "tried", watch.after),
        (finish, "assemble", "assembled", watch.after),
        (finish, "draft", "drafted", watch.after),
        (finish, "publish", "posted", watch.after),
    )
    with ExitStack() as stack:
        for home, name, step, wrap in places:
            real = getattr(home, name)
            setattr(home, name, wrap(step, real))
            stack.callback(setattr, home, name, real)
        yield watch


def measure(reviews: Reviews, files: int, effort: str, *, seen: bool, runs: int) -> Mapping[str, tuple[float, float]]:
    """Medians of what each step took: seconds by the clock, seconds of processor."""
    took: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
    with watched() as watch:
        for _ in range(runs):
            watch.moments.clear()
            reviews.one(files, effort, seen=seen, begins=lambda: watch.note("begun"))
            at, used = watch.moments["begun"]
            for step in STEPS:
                # What has come already when the step before ended took nothing.
                then, cpu = watch.moments.get(step, (at, used))
                took[step].append((max(0.0, then - at), max(0.0, cpu - used)))
                at, used = max(at, then), max(used, cpu)
    return {
        step: (statistics.median(wall for wall, _ in each), statistics.median(cpu for _, cpu in each))
        for step, each in took.items()
    }


def table(found: Mapping[int, Mapping[str, tuple[float, float]]]) -> str:
    """Steps down, sizes across: milliseconds by the clock, in brackets those of a processor."""
    rows = [
        f"| until | limit | {' | '.join(f'files: {files}' for files in found)} |",
        f"|---|---|{'---|' * len(found)}",
    ]
    for step, told in STEPS.items():
        cells = [f"{1e3 * each[step][0]:.0f} ({1e3 * each[step][1]:.0f})" for each in found.values()]
        share = f"{1e3 * SHARES[step]:.0f}" if step in SHARES else ""
        rows.append(f"| {told} | {share} | {' | '.join(cells)} |")
    sums = [tuple(sum(pair[at] for pair in each.values()) for at in (0, 1)) for each in found.values()]
    cells = [f"**{1e3 * wall:.0f}** ({1e3 * cpu:.0f}), {wall / LIMIT:.2f} ×" for wall, cpu in sums]
    rows.append(f"| all | {1e3 * LIMIT:.0f} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--files", type=int, nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--effort", nargs="+", choices=["instant", "standard"], default=["instant", "standard"])
    parser.add_argument(
        "--unseen", action="store_true", help="files that were not seen before: a second round of reading"
    )
    given = parser.parse_args()
    number = str(given.runs * len(given.effort))
    with process("--serve-github", number) as github, process("--serve-endpoint") as endpoint:
        reviews = Reviews(github, endpoint)
        for files in given.files:
            reviews.one(files, "instant", seen=True)
        for effort in given.effort:
            found = {
                files: measure(reviews, files, effort, seen=not given.unseen, runs=given.runs) for files in given.files
            }
            print(
                f"`{effort}`; milliseconds that each step took, in brackets those of a processor. Medians of {given.runs}.\n"
            )
            print(table(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
