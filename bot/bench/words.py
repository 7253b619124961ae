"""Figures in words, the same in the terminal and on the page. Pure."""

from __future__ import annotations

from bot.bench.compare import Entry
from bot.bench.figures import BUSY, Figures, Spread
from bot.bench.model import Bench, Lane, Plan, Rate
from bot.bench.prompts import warm_up
from bot.review.ports import Prompt

NONE = "–"
"""Stands for a figure that there is none of."""


def seconds(value: float | None) -> str:
    """`152 ms`, `1.24 s`."""
    if value is None:
        return NONE
    if value < 0.00995:
        return f"{value * 1000:.2f} ms"
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f} s"


def rate(value: float | None, *, estimated: bool = False) -> str:
    """`998`, `69.9`; `~` before an estimate."""
    if value is None:
        return NONE
    return f"{'~' if estimated else ''}{value:,.0f}" if value >= 99.95 else f"{'~' if estimated else ''}{value:.1f}"


def median(spread: Spread | None) -> float | None:
    """The middle of a spread."""
    return None if spread is None else spread.p50


def usd(value: float | None) -> str:
    """`$0.0012`."""
    return "price not known" if value is None else f"${value:.4f}"


def streams(figures: Figures) -> str:
    """`12`, or `7 of 12` where some failed."""
    return str(figures.measured) if not figures.failed else f"{figures.measured} of {figures.streams}"


def times(value: float | None) -> str:
    """`14.3 ×`."""
    return NONE if value is None else f"{value:.1f} ×"


def at_once(parallel: int) -> str:
    """`1 stream`, `4 streams at once`."""
    return "1 stream" if parallel == 1 else f"{parallel} streams at once"


def remarks(entry: Entry) -> tuple[str, ...]:
    """What has to be said about a row besides its figures, a sentence each."""
    figures, name = entry.figures, entry.lane.name
    told: list[str] = []
    for reason, count in figures.failures:
        told.append(f"{name}: {count} of {figures.streams} streams failed: {reason}")
    if figures.failed and not figures.sound:
        told.append(f"{name}: no ratio, because it failed at half of its streams or more")
    if figures.unasked:
        told.append(f"{name}: {figures.unasked} streams were stopped or not sent, and are in no figure")
    if figures.estimated:
        told.append(f"{name}: figures with ~ are estimated, because the endpoint did not count the tokens of its text")
    if figures.reasoning_tokens:
        sign = f", the first after {seconds(median(figures.first_sign))}" if figures.first_sign is not None else ""
        told.append(
            f"{name}: {figures.reasoning_tokens:,} tokens of reasoning{sign}; they are in the cost and in no tokens/s"
        )
    if figures.measured and figures.rate is None:
        told.append(f"{name}: each answer came in one piece, so it has no tokens/s")
    if figures.cut_by_limit:
        told.append(f"{name}: {figures.cut_by_limit} of {figures.measured} answers ended at their length limit")
    if figures.waited >= 0.5:
        told.append(f"{name}: its rate limit made us wait {figures.waited:.1f} s, which is in no figure")
    if figures.measured and figures.busiest >= BUSY:
        told.append(
            f"{name}: this process used {figures.busiest:.0%} of a core, so this machine may be what was measured"
        )
    return tuple(told)


def money(bench: Bench) -> str:
    """What it did cost, in a sentence."""
    usage = bench.usage
    cost = "its cost is not known (set SPARK_PRICES)" if usage.usd is None else f"it cost {usd(usage.usd)}"
    return f"{usage.calls} calls, {usage.input_tokens:,} tokens in and {usage.output_tokens:,} out; {cost}."


def most_usd(lanes: tuple[Lane, ...], plan: Plan) -> float | None:
    """US dollars that the plan costs at most, with its warm-ups; None where a price is not known."""
    total = 0.0
    for lane in lanes:
        if lane.price is None:
            return None
        for prompt in plan.prompts:
            total += _most(prompt.prompt(plan.max_tokens), lane.price) * sum(plan.levels) * plan.runs
        total += _most(warm_up(), lane.price) * _warm_ups(plan.levels)
    return total


def _most(call: Prompt, price: Rate) -> float:
    """A token has two bytes of text or more, but for the rarest of texts; a message has some tokens of its own."""
    read = len((call.system + call.user).encode()) // 2 + 16
    return (read * price.input + call.max_output_tokens * price.output) / 1_000_000


def _warm_ups(levels: tuple[int, ...]) -> int:
    """Warm-up streams of a lane: one, and for each number of streams that is higher than all before as many."""
    total = highest = 1
    for level in levels:
        total += level if level > highest else 0
        highest = max(highest, level)
    return total


def beforehand(lanes: tuple[Lane, ...], plan: Plan, max_usd: float | None) -> str:
    """What will be sent and what it may cost, in a sentence."""
    most = most_usd(lanes, plan)
    cost = "the price is not known (set SPARK_PRICES)" if most is None else f"{usd(most)} at most"
    limit = "" if max_usd is None else f", and never more than {usd(max_usd)}"
    names = " and ".join(lane.name for lane in lanes)
    return f"{plan.streams} streams from {names}: {cost}{limit}"


def method(bench: Bench) -> str:
    """How it was measured, in a sentence or two."""
    warm = "1 short warm-up stream is" if bench.warm_ups == 1 else f"{bench.warm_ups} short warm-up streams are"
    return (
        f"Medians; {warm} not counted. Tokens are the endpoint's own count without reasoning; tokens/s is from the first "
        "text to the last, a gap is the time between two reads for each token."
    )
