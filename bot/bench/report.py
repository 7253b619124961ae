"""A measurement as a JSON document (schema 1). Pure: what is not known is null, and no figure is rounded into another."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from bot import __version__
from bot.bench.compare import Entry, rows
from bot.bench.figures import Spread, stream_figures
from bot.bench.model import Bench, Lane, Stream
from bot.review.model import Usage

SCHEMA: Final = 1


def bench_json(bench: Bench, *, measured_at: str) -> dict[str, Any]:
    """The document. `measured_at` is a time of day in ISO 8601. Seconds, tokens, US dollars; docs/reference.md has the keys."""
    found = rows(bench)
    plan = bench.plan
    return {
        "schema": SCHEMA,
        "version": __version__,
        "measured_at": measured_at,
        "plan": {
            "prompts": [{"name": prompt.name, "aims_at": prompt.aims_at} for prompt in plan.prompts],
            "parallel": list(plan.levels),
            "runs": plan.runs,
            "max_tokens": plan.max_tokens,
        },
        "endpoints": [_endpoint(lane) for lane in bench.lanes],
        "headlines": [row.headline for row in found if row.headline],
        "series": [_series(entry) for row in found for entry in row.entries],
        "warm_ups": {"streams": bench.warm_ups, "usage": _usage(bench.warm_up_usage)},
        "usage": _usage(bench.usage),
        "stopped": bench.stopped,
        "interrupted": bench.interrupted,
        "notices": list(bench.notices),
    }


def _endpoint(lane: Lane) -> dict[str, Any]:
    return {
        "name": lane.name,
        "base_url": lane.base_url,
        "model": lane.model_name,
        "api": lane.api,
        "price": None if lane.price is None else asdict(lane.price),
    }


def _series(entry: Entry) -> dict[str, Any]:
    figures = entry.figures
    return {
        "endpoint": entry.lane.name,
        "prompt": entry.series.prompt.name,
        "parallel": entry.series.parallel,
        "streams": figures.streams,
        "measured": figures.measured,
        "failures": [{"reason": reason, "count": count} for reason, count in figures.failures],
        "unasked": figures.unasked,
        "cut_by_limit": figures.cut_by_limit,
        "estimated": figures.estimated,
        "first_token_seconds": _spread(figures.first_token),
        "first_sign_seconds": _spread(figures.first_sign),
        "tokens_per_second": _spread(figures.rate),
        "tokens_per_second_together": _spread(figures.together),
        "gap_seconds": {"p50": figures.gap_p50, "p99": figures.gap_p99},
        "longest_pause_seconds": figures.longest_pause,
        "total_seconds": _spread(figures.total),
        "text_tokens": _spread(figures.text_tokens),
        "reasoning_tokens": figures.reasoning_tokens,
        "waited_seconds": figures.waited,
        "usd": figures.usd,
        "client": {
            "cpu_ms_per_1000_tokens": figures.cpu_ms_per_1000_tokens,
            "busiest_core_share": figures.busiest,
        },
        "times_slowest": {"tokens_per_second": entry.faster, "first_token": entry.sooner},
        "runs": [[_stream(stream) for stream in batch.streams] for batch in entry.series.batches],
    }


def _stream(stream: Stream) -> dict[str, Any]:
    document: dict[str, Any] = {
        "end": stream.end.name.lower(),
        "reason": stream.reason,
        "usage": _usage(stream.usage) | {"reasoning_tokens": stream.reasoning_tokens},
        "counted": stream.counted,
        "reads": len(stream.arrivals),
        "endpoint_seconds": dict(stream.endpoint_seconds),
    }
    if stream.measured:
        figures = stream_figures(stream)
        document |= {
            "first_token_seconds": figures.first_token,
            "tokens_per_second": figures.rate,
            "total_seconds": figures.total,
            "text_tokens": figures.text_tokens,
        }
    return document


def _spread(spread: Spread | None) -> dict[str, Any] | None:
    return None if spread is None else asdict(spread)


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "usd": usage.usd,
        "calls": usage.calls,
    }
