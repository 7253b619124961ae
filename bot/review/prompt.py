"""The calls to the model, as text."""

from __future__ import annotations

from collections.abc import Mapping

from bot.review.config import RepoConfig
from bot.review.model import Change, Chunk, Effort, Finding, PassName
from bot.review.ports import Prompt


def passes(effort: Effort) -> tuple[PassName, ...]:
    """The looks at every hunk."""
    raise NotImplementedError


def review_prompt(
    change: Change,
    chunk: Chunk,
    *,
    pass_name: PassName,
    effort: Effort,
    config: RepoConfig,
    guidelines: Mapping[str, str] | None = None,
) -> Prompt:
    """One look at one chunk. `guidelines`: texts of the config's guideline files by name, as the base has them."""
    raise NotImplementedError


def check_prompt(change: Change, finding: Finding, *, file_text: str | None, effort: Effort) -> Prompt:
    """Is this finding real?"""
    raise NotImplementedError


def repair_prompt(
    change: Change, finding: Finding, *, file_text: str, failed: str, reason: str, effort: Effort
) -> Prompt:
    """A suggestion that did not hold (`failed`), why (`reason`): ask for a better one."""
    raise NotImplementedError
