"""What a live page is told: small JSON values in order. `bot.live.picture` makes them of a review's events.

Everything in `data` is redacted already (`render.safe.Redactor`) and is text, never HTML: pages escape it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class LiveKind(StrEnum):
    """Of what an event tells."""

    STATE = "state"
    """The job's state: `{"state", "why"}`. A run that begins anew after a kill says `running` again: forget what was shown,
    but where `"resumed": true` stands beside it: then only the post was missing, and what was shown holds."""
    STARTED = "started"
    """The diff was read: `{"at", "model", "title", "chunks", "files": [...], "skipped": [...]}`."""
    PROGRESS = "progress"
    """`{"at", "chunks_done", "chunks", "output_tokens", "tokens_per_second"}`. Only the newest counts."""
    FOUND = "found"
    """A finding as in the JSON of a review, with `"at"` and `"id"`."""
    LOST = "lost"
    """`{"at", "kind": "refuted" | "duplicate" | "misplaced", "path", "line", "title", "severity", "reason"}`."""
    NOTE = "note"
    """`{"at", "text"}`."""
    FINISHED = "finished"
    """`{"at", "review": the JSON of the review}`."""

    @property
    def passes(self) -> bool:
        """Whether only the newest of its kind counts and it need not be kept when the job is over."""
        return self is LiveKind.PROGRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """One event of a job."""

    kind: LiveKind
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """An event with its place in the job's sequence, which is what a page resumes from."""

    seq: int
    event: LiveEvent
