"""Which comment of ours in a thread takes the words of a new note, so that nobody is mailed about it again. Pure.

An edit notifies nobody. “Still there” and “moved” are told with a comment once; what they say after that goes into that same comment.
“Fixed” goes into our answer that says that we made the commit. As soon as a person has written below it, a note is a comment of its own:
above their words nobody would see it, and it would read as if they had answered it.
"""

from __future__ import annotations

from typing import Final

from bot.review.memory import Said, Thread
from bot.review.recall import COMMITTED, FIXED, MOVED, STILL
from bot.review.render.markers import (
    finding_marker,
    note_marker,
    read_finding_markers,
    read_keys,
    read_note_marker,
    split_ending,
)

_STATES: Final = (STILL, MOVED)
_NAMES: Final = 20
"""So many of the names that a finding had are kept in one note, the newest."""


def replaced(thread: Thread, body: str) -> Said | None:
    """The comment of ours whose words the note `body` replaces, or is added to; None where it is a comment of its own."""
    last = _last_word(thread)
    if last is None:
        return None
    new, old = read_keys(body, "step"), read_keys(last.body, "step")
    if _is_one(new, _STATES):
        return last if _is_one(old, _STATES) else None
    if _is_one(new, (FIXED,)) and _is_one(old, (COMMITTED,)):
        # Opened again by a person after it was resolved: what is said now must be seen.
        return last if set(new) & set(old) or not _is_one(old, (FIXED,)) else None
    return None


def reworded(old: str, body: str) -> str:
    """The text of the comment `old` with the note `body` in it. What later rounds must know of the finding stays."""
    (text, marks), (new, ending) = split_ending(old), split_ending(body)
    if _is_one(read_keys(old, "step"), (COMMITTED,)):
        return f"{text}\n\n{new}\n\n{marks}\n{ending}"
    names = read_finding_markers(body)
    kept = [finding_marker(name) for name in read_finding_markers(old)[-_NAMES:] if name not in names]
    note = read_note_marker(old)
    if note is not None and read_note_marker(body) is None:
        kept.insert(0, note_marker(note))
    return "\n\n".join((new, "\n".join([*kept, ending])))


def _last_word(thread: Thread) -> Said | None:
    """Our newest comment below the first, where no person wrote after it. What other bots say counts for nothing."""
    for said in reversed(thread.comments[1:]):
        if said.is_ours:
            return said if said.node else None
        if not said.is_bot:
            return None
    return None


def _is_one(keys: list[str], kinds: tuple[str, ...]) -> bool:
    return any(key.startswith(kinds) for key in keys)
