"""What a repository remembers of dismissed findings, kept true by what people do on this pull.

`/spark ignore` is written down by the command. What people do with GitHub's own buttons tells nobody anything, so it is
seen here, in the next review: a thread that was resolved by hand while its code stayed, a thumb down, and the one or the
other taken back. Only the word of somebody who may write lasts beyond the pull.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.review.memory import KnownFinding, Remembered
from bot.review.ports import Remembrance
from bot.review.whereabouts import Fate, Placed

BY_BUTTON: Final = frozenset({"resolved by hand", "thumbs down"})
"""Ways to dismiss that have no room for a reason; the way is remembered in its place."""


def keep_true(memory: Remembrance, remembered: Sequence[Remembered], placed: Sequence[Placed]) -> list[Remembered]:
    """`remembered` as it is after this pull was looked at; what changed is written down. Raises what `memory` raises.

    `placed`: every finding of this pull that has a thread.
    """
    here = {place.known.thread.url: place.known for place in placed}
    kept = []
    for each in remembered:
        known = here.get(each.url)
        if known is not None and known.dismissal is None and not known.closed:
            memory.forget(known.note)
        else:
            kept.append(each)
    there = {each.fingerprint for each in kept}
    for place in placed:
        if place.fate is Fate.STANDS and place.known.note.fingerprint not in there and _lasts(place.known):
            new = as_remembered(place.known)
            memory.remember(new)
            kept.insert(0, new)
    return kept


def _lasts(known: KnownFinding) -> bool:
    said = known.dismissal
    return said is not None and said.excuses and said.how in BY_BUTTON


def as_remembered(known: KnownFinding) -> Remembered:
    """A dismissed finding as the repository keeps it; where a button gave no reason, the way stands in its place."""
    note, said = known.note, known.dismissal
    assert said is not None
    return Remembered(
        fingerprint=note.fingerprint,
        path=note.path,
        category=note.category,
        source=note.source,
        rule=note.rule,
        title=note.title,
        lines=note.lines,
        severity=note.severity,
        by=said.by,
        reason=said.reason or (said.how if said.how in BY_BUTTON else ""),
        url=known.thread.url,
    )
