"""The memory of a merge group: that of the pull it adds, with what was seen in the other pulls that are in it. Pure.

Which others those are is read from messages of commits, which anybody writes. So it refuses whatever one of them could gain by:
of a pull with a finding that fails the gate nothing counts as seen, and its lines are looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.review.gate import counts
from bot.review.memory import Recall
from bot.review.model import Severity
from bot.review.rounds import has_homeless


def together(pull: Recall, others: Iterable[Recall], *, level: Severity | None) -> Recall:
    """What is known of `pull`, and as seen also what was seen by the same rules in those of `others` that pass the gate.

    `level`: the gate's; None for no gate. Findings of the others are not taken over: they are told in their own pulls.
    """
    last = pull.last
    if last is not None and last.seen is not None:
        seen = set(last.seen)
        for other in others:
            if other.last is not None and other.last.rules == last.rules and _passes(other, level):
                seen |= other.last.seen or frozenset()
        last = replace(last, seen=frozenset(seen))
    # Verdicts are of other heads, and a pause holds up the pull and not the queue.
    return replace(pull, last=last, verdicts={}, paused_by="")


def _passes(recall: Recall, level: Severity | None) -> bool:
    if level is None:
        return True
    standing = (
        known.note
        for known in recall.findings
        if not known.closed and (known.dismissal is None or not known.dismissal.excuses)
    )
    return not has_homeless(recall) and not any(counts(note, level, 0) for note in standing)
