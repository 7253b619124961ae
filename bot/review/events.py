"""What happens during a review, as it happens: one closed union of values, for everybody who watches one."""

from __future__ import annotations

from dataclasses import dataclass

from bot.review.model import Change, Dropped, Finding, Misplaced, Review
from bot.review.scope import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The diff was read and planned; the streams are about to open."""

    at: float
    """Seconds since the review began, as for every event."""
    change: Change
    plan: Plan
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the streams are. Comes at most about ten times a second."""

    at: float
    chunks_done: int
    chunks: int
    output_tokens: int
    """Tokens of text so far, estimated from its length until the endpoint's usage is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding is kept: placed, its suggestion proven or taken out, checked when the effort asks for it."""

    at: float
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A finding was dropped, or could not be placed."""

    at: float
    what: Dropped | Misplaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something the user should know now: a stream was tried again, the endpoint asked us to wait."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The review is complete."""

    at: float
    review: Review


ReviewEvent = Started | Progress | Found | Lost | Note | Finished
