"""Chunks that cover every hunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.diff.model import FilePatch
from bot.review.model import Change, Plan, Skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBudget:
    """What a plan may use."""

    chunk_tokens: int = 10_000
    """At most this many estimated tokens of diff in one call."""
    streams: int = 64
    """Calls that may run at once."""
    max_tokens: int | None = None
    """Estimated tokens of diff for the whole review; None for no limit."""


def make_plan(
    change: Change,
    kept: Sequence[FilePatch],
    skipped: Sequence[Skip],
    *,
    head_text: Callable[[str], str | None],
    budget: PlanBudget,
) -> Plan:
    """Cut `kept` into chunks."""
    raise NotImplementedError
