"""What the end of a review needs and the change alone decides: made while the model writes, so that nobody waits for it then.

It reads every line of the change, some milliseconds a thousand. Belongs to the review's thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from bot.diff.model import HunkKey, Patch
from bot.review.render.redact import Redactor
from bot.review.seen import digests_by_hunk


class Ready:
    """Each part is made when it is first asked for, or by `prepare`."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self._is_new = True

    @cached_property
    def redactor(self) -> Redactor:
        """For everything that is said of the change."""
        return Redactor(self._patch)

    @cached_property
    def digests(self) -> Mapping[HunkKey, frozenset[int]]:
        """The numbers of each hunk's changed lines; see `seen.digests`."""
        return digests_by_hunk(self._patch)

    def prepare(self) -> None:
        """Make all of it, once. For a moment in which there is nothing else to do."""
        if self._is_new:
            self._is_new = False
            _ = self.redactor, self.digests
