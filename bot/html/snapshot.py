"""A review's live events so far, folded into what a page shows. The one place that knows what replaces what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.live.events import LiveEvent, LiveKind, Numbered


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """What is known by event number `seq`."""

    seq: int = 0
    state: str = "queued"
    why: str = ""
    restarts: int = 0
    """Runs that ended with their process."""
    started: Mapping[str, Any] | None = None
    progress: Mapping[str, Any] | None = None
    found: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By id; a later word about a finding takes the place of an earlier one."""
    lost: list[Mapping[str, Any]] = field(default_factory=list)
    notes: list[Mapping[str, Any]] = field(default_factory=list)
    review: Mapping[str, Any] | None = None
    """The JSON of the finished review."""

    @classmethod
    def of(cls, events: Iterable[Numbered]) -> Snapshot:
        """Of all events that are stored."""
        snapshot = cls()
        for numbered in events:
            snapshot.take(numbered.event)
            snapshot.seq = numbered.seq
        return snapshot

    def take(self, event: LiveEvent) -> None:
        """One more event."""
        data = event.data
        match event.kind:
            case LiveKind.STATE:
                if self.started is not None and data["state"] in {"running", "queued"}:
                    self._begin_anew()
                self.state, self.why = str(data["state"]), str(data.get("why", ""))
            case LiveKind.STARTED:
                self.started = data
            case LiveKind.PROGRESS:
                self.progress = data
            case LiveKind.FOUND:
                self.found[str(data["id"])] = data
            case LiveKind.LOST:
                self.lost.append(data)
            case LiveKind.NOTE:
                self.notes.append(data)
            case LiveKind.FINISHED:
                self.review = data["review"]

    def _begin_anew(self) -> None:
        self.restarts += 1
        self.started = self.progress = self.review = None
        self.found, self.lost, self.notes = {}, [], []
