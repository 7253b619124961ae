"""Hunk x pass: who saw what."""

from __future__ import annotations

from collections.abc import Sequence

from bot.review.model import Change, Chunk, Coverage, PassName, Plan


class CoverageBook:
    """Kept while the streams run. Not thread-safe: one thread keeps it."""

    def __init__(self, plan: Plan, passes: Sequence[PassName]) -> None:
        raise NotImplementedError

    def chunk(self, chunk_id: int) -> Chunk:
        """The plan's chunk with this id."""
        raise NotImplementedError

    def seen(self, chunk_id: int, pass_name: PassName) -> None:
        """This pass saw this chunk whole."""
        raise NotImplementedError

    def hole(self, chunk_id: int, pass_name: PassName, reason: str) -> None:
        """This pass did not see this chunk whole."""
        raise NotImplementedError

    def close(self, change: Change) -> Coverage:
        """The result."""
        raise NotImplementedError
