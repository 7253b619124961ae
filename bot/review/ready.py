"""What the end of a review needs and the change alone decides: made while the model writes, so that nobody waits for it then.

It reads every line of the change, some milliseconds a thousand. Belongs to the review's thread.
"""

from __future__ import annotations

from functools import cached_property

from bot.diff.model import Patch
from bot.review.render.redact import Redactor
from bot.review.seen import Numbered


class Ready:
    """Each part is made when it is first asked for, or by `prepare`."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self.is_prepared = False

    @cached_property
    def redactor(self) -> Redactor:
        """For everything that is said of the change."""
        return Redactor(self._patch)

    @cached_property
    def numbered(self) -> Numbered:
        """The changed lines; their numbers are made when they are asked for."""
        return Numbered(self._patch)

    def prepare(self) -> None:
        """Make all of it, once. For a moment in which there is nothing else to do."""
        self.is_prepared = True
        _ = self.redactor, self.numbered.by_hunk
