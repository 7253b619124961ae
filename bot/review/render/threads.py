"""What Spark says in its own threads in later rounds: fixed, still there, back, moved. One function for each situation.

Each note is a sentence or two and carries the marks by which the next round knows what was said. What a model or the diff
says goes through the redactor and `safe` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.diff.model import Anchor
from bot.review.memory import FindingNote
from bot.review.model import CommitSha
from bot.review.recall import BACK, FIXED, MOVED, STILL, line_digest
from bot.review.render import words
from bot.review.render.markers import (
    ReviewMarker,
    finding_marker,
    note_marker,
    read_keys,
    review_marker,
    step_marker,
)
from bot.review.render.safe import Redactor, code, one_line

_WHY = 400
"""Characters of a reason."""
_KINDS = {FIXED: "fixed", STILL: "still there", BACK: "back", MOVED: "moved"}
THREADS_RUN = "threads"
"""As the run of a review that has notes alone."""


def fixed_note(head: CommitSha, why: str, redactor: Redactor, *, stays_open: bool = False) -> str:
    """It is mended; the thread is resolved after this, unless it `stays_open` because somebody waits for an answer in it."""
    text = _said(f"Fixed in {_short(head)}.", why, redactor)
    if stays_open:
        text = f"{text} I leave this thread open: the last reply is not answered."
    return _note(text, step_marker(f"{FIXED}{head[:12]}"))


def still_key(note: FindingNote | None) -> str:
    """The key of a note that says that a defect is still there: one for each text that it stands on."""
    if note is None:
        return f"{STILL}there"
    return f"{STILL}{line_digest(' '.join((note.path, *note.lines)))}"


def still_note(
    head: CommitSha,
    why: str,
    redactor: Redactor,
    *,
    near: int,
    at: Anchor | None = None,
    note: FindingNote | None = None,
) -> str:
    """The code changed and the defect is still there: at `at`, or somewhere near line `near`. `note` is what it is now."""
    around = f", now around line {near}" if near > 0 else ""
    where = around if at is None else f", now at {_lines(at)}"
    return _note(
        _said(f"Still there in {_short(head)}{where}.", why, redactor),
        *_marks(note, redactor),
        step_marker(still_key(note)),
    )


def back_note(head: CommitSha, why: str, redactor: Redactor, *, at: Anchor, note: FindingNote) -> str:
    """A defect that was mended was found again; the thread is opened again after this."""
    why = why if not why or why.endswith((".", "!", "?", "…")) else f"{why}."
    text = _said(f"It is back in {_short(head)}, at {_lines(at)}.", why, redactor)
    return _note(text, *_marks(note, redactor), step_marker(f"{BACK}{head[:12]}"))


def moved_note(head: CommitSha, redactor: Redactor, *, at: Anchor, note: FindingNote) -> str:
    """The lines were moved to another file, and the defect with them."""
    place = code(redactor.redact(words.place(at)))
    text = f"This code moved to {place} in {_short(head)}. What is said here still holds there."
    return _note(text, *_marks(note, redactor), step_marker(f"{MOVED}{still_key(note).removeprefix(STILL)}"))


def round_note(notes: Sequence[str]) -> str:
    """The text of the review that several of these notes are sent in. Its mark names no head: it is no memory of a round."""
    keys = [key for note in notes for key in read_keys(note, "step")]
    counts = [(sum(key.startswith(kind) for key in keys), word) for kind, word in _KINDS.items()]
    told = ", ".join(f"{number} {word}" for number, word in counts if number)
    text = f"Followed up on {words.count(len(notes), 'thread')}{f': {told}' if told else ''}."
    return _note(text, review_marker(ReviewMarker(head=CommitSha(""), base=CommitSha(""), run=THREADS_RUN)))


def shown_note(note: FindingNote, redactor: Redactor, *, suggestion: bool = True) -> FindingNote:
    """A note without secrets. Its mark is not to be read by people, but anybody can. `suggestion`: whether it carries one."""
    carried = note.suggestion if suggestion and note.suggestion is not None else None
    return replace(
        note,
        title=redactor.redact(note.title),
        text=redactor.redact(note.text),
        suggestion=carried if carried is not None and not redactor.has_secret(carried) else None,
    )


def _marks(note: FindingNote | None, redactor: Redactor) -> list[str]:
    if note is None:
        return []
    return [note_marker(shown_note(note, redactor)), finding_marker(note.fingerprint)]


def _lines(at: Anchor) -> str:
    return f"line {words.lines(at)}" if at.start_line == at.line else f"lines {words.lines(at)}"


def _said(sentence: str, why: str, redactor: Redactor) -> str:
    reason = one_line(redactor.redact(why), _WHY)
    return f"{sentence} {reason}" if reason else sentence


def _short(head: CommitSha) -> str:
    """Seven digits, which GitHub makes a link to the commit."""
    return head[:7]


def _note(text: str, *marks: str) -> str:
    return "\n\n".join((text, "\n".join(marks)))
