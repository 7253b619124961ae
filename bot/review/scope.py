"""What of a change is seen, as values: skipped files, the plan that covers every hunk, and what came of it.

Nothing here decides or does anything; `filters`, `plan` and `coverage` do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from bot.diff.model import HunkKey

PassName = NewType("PassName", str)
"""One look at every hunk, such as `review`; `effort deep` makes several."""


class SkipReason(StrEnum):
    """Why a file, or a part of it, was not reviewed. The text is what users read."""

    GENERATED = "generated"
    LOCK = "lock file"
    VENDORED = "vendored"
    MINIFIED = "minified"
    IGNORED = "ignored by the configuration"
    NOT_INCLUDED = "not included by the configuration"
    BINARY = "binary"
    SUBMODULE = "submodule"
    NO_TEXT_CHANGE = "no changed lines"
    TOO_LARGE = "too large"
    UNREADABLE = "its diff could not be read"
    NO_PATCH = "no diff available"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A file that is not reviewed, named with its reason."""

    path: str
    reason: SkipReason
    detail: str = ""

    @property
    def is_gap(self) -> bool:
        """Whether this is a shortfall of ours (the review is then only partial), not a choice or an empty change."""
        return self.reason in {SkipReason.TOO_LARGE, SkipReason.UNREADABLE, SkipReason.NO_PATCH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of the change that goes to the model in one call. Never clipped."""

    id: int
    hunks: tuple[HunkKey, ...]
    print: Callable[[], str] = field(repr=False, compare=False)
    """Makes `text`, or has it; in any thread."""
    tokens: int
    """Estimated tokens of `text`."""
    paths: tuple[str, ...]

    @property
    def text(self) -> str:
        """The hunks with tags, headers, scopes and imports, ready for the prompt."""
        return self.print()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the whole change is covered: every hunk is in a chunk, or its file is in `skipped`.

    A hunk that is larger than a chunk may be is in several, each showing a part of its lines; it counts as reviewed when
    all of them were seen.
    """

    chunks: tuple[Chunk, ...]
    skipped: tuple[Skip, ...]

    @property
    def hunks(self) -> frozenset[HunkKey]:
        """Every hunk that is to be reviewed."""
        return frozenset(key for chunk in self.chunks for key in chunk.hunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Which of a pull's reviews this is, and what of the change it looks at."""

    round: int
    """1 for the first; the same head again has the same number."""
    head: str
    """The head of the last review, when only what is new since then is looked at; empty when everything is."""
    why_all: str = ""
    """Why everything is looked at, in words; empty when only what is new is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A hunk that a pass did not see whole, and why."""

    hunk: HunkKey
    pass_name: PassName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Hunk x pass: what was seen whole by the model, what was not and why."""

    hunks: int
    """Hunks of the change that are to be reviewed, in this round or in an earlier one."""
    reviewed: int
    """Hunks that every pass saw whole, with those of earlier rounds."""
    holes: tuple[Hole, ...]
    skipped: tuple[Skip, ...]
    difference: str = ""
    """How our count differs from git's or GitHub's, in words; empty when they agree."""
    earlier: int = 0
    """Hunks that an earlier round has seen whole, line by line as they are now: part of `reviewed`, and not looked at again."""

    @property
    def whole(self) -> bool:
        """Whether nothing fell short: a deliberate skip is no shortfall, a hole, a gap or a difference is."""
        return not self.holes and not self.difference and not any(skip.is_gap for skip in self.skipped)
