"""Duplicates become one finding."""

from __future__ import annotations

from bot.review.model import Finding


def same(one: Finding, other: Finding) -> bool:
    """Whether both say the same."""
    raise NotImplementedError


def combine(first: Finding, other: Finding) -> Finding:
    """One finding out of two that are the same; votes grow when they come from different passes."""
    raise NotImplementedError
