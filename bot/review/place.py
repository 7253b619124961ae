"""Raw findings onto anchors."""

from __future__ import annotations

from bot.diff.model import Patch
from bot.review.model import Chunk, Finding, Misplaced, RawFinding


def place(raw: RawFinding, chunk: Chunk, patch: Patch) -> Finding | Misplaced:
    """The finding on its anchor; a suggestion in it is not proven yet."""
    raise NotImplementedError
