"""The memory of a merge group: that of the pull it adds, with what was seen in the other pulls that are in it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.review.memory import Recall


def together(pull: Recall, others: Iterable[Recall]) -> Recall:
    """What is known of `pull`, and as seen also what was seen in `others` by the same rules.

    Findings of the others do not count here: each has a check of its own that must have passed. Verdicts are of other heads.
    """
    last = pull.last
    if last is not None and last.seen is not None:
        seen = set(last.seen)
        for other in others:
            if other.last is not None and other.last.rules == last.rules:
                seen |= other.last.seen or frozenset()
        last = replace(last, seen=frozenset(seen))
    return replace(pull, last=last, verdicts={}, paused_by="")
