"""A check run's parts as values, and as GitHub's JSON, cut to its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.diff.model import printable
from bot.errors import OutsideError
from bot.github import limits
from bot.github.bodies import fit


class Conclusion(StrEnum):
    """How a check run ends. `stale` is GitHub's alone."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    TIMED_OUT = "timed_out"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A button on a closed check run. ValueError for what GitHub would refuse."""

    label: str
    description: str
    identifier: str
    """What the webhook says when it is pressed."""

    def __post_init__(self) -> None:
        for text, most in (
            (self.label, limits.MAX_ACTION_LABEL),
            (self.description, limits.MAX_ACTION_DESCRIPTION),
            (self.identifier, limits.MAX_ACTION_IDENTIFIER),
        ):
            if not 0 < len(text) <= most:
                raise ValueError(f"{text!r} is empty or has more than {most} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """A check run on GitHub."""

    id: int
    url: str
    """Of its page."""


def output_json(title: str, summary: str, text: str) -> dict[str, Any]:
    """What a check run shows, inside GitHub's limits. It takes none without a title and a summary."""
    heading = printable(title)[: limits.MAX_CHECK_TITLE].strip() or "…"
    output: dict[str, Any] = {"title": heading, "summary": _within(summary).strip() or heading}
    if text:
        output["text"] = _within(text)
    return output


def _within(text: str) -> str:
    """`text`, cut between lines with a note when it is longer than GitHub allows."""
    limit = limits.MAX_CHECK_TEXT
    kept = fit(text, limit)
    while (size := len(kept.encode())) > limits.MAX_CHECK_TEXT:
        limit = limit * limits.MAX_CHECK_TEXT // size - 1
        kept = fit(text, limit)
    return kept


def read_run(entry: Any) -> CheckRun:
    """A check run of GitHub's. OutsideError when it is none."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), int):
        raise OutsideError("GitHub's answer has no check run", remedy="Check GITHUB_API_URL")
    return CheckRun(id=entry["id"], url=str(entry.get("html_url") or ""))


def entries(data: Any, name: str | None = None) -> list[Mapping[str, Any]]:
    """The objects of a list, or of the list `name` in an envelope."""
    found = data.get(name) if name is not None and isinstance(data, Mapping) else data
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []
