"""What the end of a review needs and is known before: made while the model writes, so that nobody waits for it then.

That is what the change alone decides, for which every line of it is read, some milliseconds a thousand; and the line comments of
findings that are there already, a third of a millisecond each. Belongs to the review's thread.
"""

from __future__ import annotations

from functools import cached_property

from bot.diff.model import Patch
from bot.review.model import Finding
from bot.review.ports import DraftComment
from bot.review.render.comments import comment_body, entry
from bot.review.render.redact import Redactor
from bot.review.seen import Numbered


class Ready:
    """Each part is made when it is first asked for, or by `prepare`."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self._comments: dict[Finding, DraftComment] = {}
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

    def comment(self, finding: Finding) -> DraftComment:
        """The line comment of a finding, written once. One that has changed since is another finding here."""
        written = self._comments.get(finding)
        if written is None:
            written = self._comments[finding] = DraftComment(
                anchor=finding.anchor,
                body=comment_body(finding, self.redactor, patch=self._patch),
                entry=entry(finding, self.redactor),
                fingerprint=finding.fingerprint,
            )
        return written
