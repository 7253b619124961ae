"""The model's answer, as it streams."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.review.model import Chunk, PassName, RawFinding


class Decoder:
    """One call's answer."""

    def __init__(self, chunk: Chunk, pass_name: PassName) -> None:
        self.garbled = 0
        """Things that look like findings and could not be read."""
        self.ended = False
        """Whether the closing line (or `{"none": true}`) was seen."""

    @property
    def understood(self) -> bool:
        """Whether anything in the answer had the agreed form: a finding, `none` or `end`."""
        raise NotImplementedError

    def feed(self, text: str) -> list[RawFinding]:
        """Findings that this piece completes."""
        raise NotImplementedError

    def finish(self) -> list[RawFinding]:
        """What is left when the stream is over."""
        raise NotImplementedError


class CheckVerdict(StrEnum):
    """What a check says of a finding."""

    REAL = "real"
    REFUTED = "refuted"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """A check's answer."""

    verdict: CheckVerdict
    why: str


def read_check(text: str) -> CheckAnswer:
    """UNSURE when the answer cannot be read."""
    raise NotImplementedError


def read_repair(text: str) -> str | None:
    """The new suggestion; None when there is none."""
    raise NotImplementedError
