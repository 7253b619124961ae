"""Identity of a finding by content."""

from __future__ import annotations

from bot.diff.model import Anchor, FilePatch
from bot.review.model import Category, Fingerprint


def fingerprint(anchor: Anchor, category: Category, *, rule: str = "", file: FilePatch | None = None) -> Fingerprint:
    """16 hex digits. `file` is the patch's file that `anchor` lies in; `rule` is an analyzer's rule id."""
    raise NotImplementedError
