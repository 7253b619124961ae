"""Which files of a patch are worth a review."""

from __future__ import annotations

from collections.abc import Callable

from bot.diff.model import FilePatch, Patch
from bot.review.config import RepoConfig
from bot.review.model import Skip


def sort_out(
    patch: Patch, config: RepoConfig, attributes: str, *, head_text: Callable[[str], str | None]
) -> tuple[tuple[FilePatch, ...], tuple[Skip, ...]]:
    """Files to review, and the others with the reason."""
    raise NotImplementedError
