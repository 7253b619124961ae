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
    """As it was told last."""
    restarts: int = 0
    """Runs that began anew after one that had begun to show something."""
    resumed: bool = False
    """A further run has only posted what was ready."""
    started: Mapping[str, Any] | None = None
    progress: Mapping[str, Any] | None = None
    found: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By id; a later word about a finding takes the place of an earlier one."""
    lost: list[Mapping[str, Any]] = field(default_factory=list)
    notes: list[Mapping[str, Any]] = field(default_factory=list)
    review: Mapping[str, Any] | None = None
    """The JSON of the finished review."""

    @property
    def is_over(self) -> bool:
        """Whether the end was told: nothing more will come."""
        return self.state not in {"queued", "running"}

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
                self._state(data)
            case LiveKind.STARTED:
                # A diff is told once a run: there was another run before.
                self._forget()
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

    def _state(self, data: Mapping[str, Any]) -> None:
        self.state = str(data["state"])
        if self.state == "running":
            self.resumed = bool(data.get("resumed"))
            if not self.resumed:
                self._forget()

    def _forget(self) -> None:
        if self.started is None:
            return
        self.restarts += 1
        self.started = self.progress = self.review = None
        self.found, self.lost, self.notes = {}, [], []
