"""Where the lines of a thread are now, for a call that talks about them: found by their text, not by GitHub's line numbers.

A push above moves lines, a rename moves the file, and a thread that GitHub calls outdated may be about code that stands as it
did. Where the code is gone it is shown as it was, and the model is told so. Reads only; decides nothing about the thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.commands.call import Call
from bot.diff.model import FilePatch, FileStatus, HunkKey, Patch, Side
from bot.review.memory import KnownFinding, Thread
from bot.review.ports import Opened
from bot.review.prompt_data import cut, numbered
from bot.review.shown import visible, visible_lines
from bot.review.whereabouts import Fate, Placed, place_known

HUNK_LINES: Final = 30
"""Of the diff that a thread was begun on, from its end: there are the lines that it was begun on."""
WAS_CAP: Final = 3_000
"""Characters of code that is gone."""
GONE: Final = (
    "The lines that this was written about are not in the change any more. The data named `was` shows them as they were then; "
    "what is there now is in the data named `file`."
)
GONE_UNKNOWN: Final = "The lines that the thread stood on have changed since, and are not known any more."
UNREAD: Final = (
    "Whether the lines that this was written about are still there could not be found out. The data named `was` shows them as "
    "they were then."
)
OUTSIDE: Final = "These lines are in the file, and no part of this pull request's diff any more."
SHIFTED: Final = (
    "The lines stand elsewhere now than when the comment was written, so places named in it are those of then; the data named "
    "`lines` has the place of now."
)
RENAMED: Final = "The file had another name when the comment was written."
WHOLE_FILE: Final = "The thread is about its file as a whole."


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a thread is about, in the change of now."""

    path: str
    """The file's name now."""
    file: FilePatch | None
    """None when the file is no part of the change any more."""
    text: str | None
    """The file at the head; None when it is gone, or cannot be had."""
    near: int
    """The line of the head around which the file is shown."""
    hunk: HunkKey | None = None
    """The part of the diff with the lines."""
    lines: str = ""
    """`path, file` and the lines as they stand now, numbered; empty when they are not there any more."""
    was: str = ""
    """The path and the lines as they were, where they are not there any more."""
    told: tuple[str, ...] = ()
    """Sentences for the model: what is not as it was when the comment was written."""


def place_of(call: Call, thread: Thread, opened: Opened) -> Place:
    """Where a thread is now. A finding of ours is found by its text, any other thread where GitHub has it."""
    placed = _placed(call, call.known, opened) if call.known is not None else None
    if placed is None:
        return _by_thread(call, thread, opened)
    return _by_text(call, thread, opened, placed)


def file_of(patch: Patch, path: str) -> FilePatch | None:
    """The file of that name, or the one that had it before a rename."""
    named = [each for each in patch.files if each.path == path]
    renamed = [each for each in patch.files if each.old_path == path and each.status is FileStatus.RENAMED]
    return next(iter(named or renamed), None)


def _placed(call: Call, known: KnownFinding, opened: Opened) -> Placed | None:
    # Lines that say the same are shared out among all findings of a file, so all of them are placed.
    beside = [one for one in call.recall.findings if one.note.path == known.note.path]
    change = opened.change
    unread = {gap.path for gap in change.gaps}
    found = place_known(beside, change.patch, opened.files.text, unread=unread)
    return next((each for each in found if each.known.thread.id == known.thread.id), None)


def _by_text(call: Call, thread: Thread, opened: Opened, placed: Placed) -> Place:
    note = placed.known.note
    file = file_of(opened.change.patch, placed.path)
    text = opened.files.text(placed.path)
    told = [RENAMED] if placed.path != note.path else []
    lines, last, hunk = "", 0, None
    anchor = placed.finding.anchor if placed.finding is not None else None
    if anchor is not None:
        lines = _shown(placed.path, anchor.side, anchor.start_line, anchor.text)
        last, hunk = anchor.line, anchor.hunk
    elif placed.fate is Fate.OUTSIDE and note.side is Side.RIGHT and placed.near and text is not None:
        last = placed.near
        head = text.split("\n")
        # A note without digests is of the line alone that GitHub shows the thread on.
        first = max(1, last - max(1, len(note.lines)) + 1)
        lines = _shown(placed.path, note.side, first, head[first - 1 : last])
    if lines and placed.fate is Fate.OUTSIDE:
        told.append(OUTSIDE)
    if lines and thread.original_line is not None and last != thread.original_line:
        told.append(SHIFTED)
    was = "" if lines else _was(call, thread, note.path, note.text)
    if not lines:
        told.append((UNREAD if placed.problem else GONE) if was else GONE_UNKNOWN)
    return Place(
        path=placed.path,
        file=file,
        text=text,
        near=placed.near or thread.line or thread.original_line or 1,
        hunk=hunk,
        lines=lines,
        was=was,
        told=tuple(told),
    )


def _by_thread(call: Call, thread: Thread, opened: Opened) -> Place:
    file = file_of(opened.change.patch, thread.path)
    path = thread.path if file is None else file.path
    text = opened.files.text(path)
    told = [RENAMED] if path != thread.path else []
    lines = _on(thread, path, file, text)
    was = ""
    if thread.line is None and thread.original_line is None and not thread.is_outdated:
        told.append(WHOLE_FILE)
    elif not lines:
        was = _was(call, thread, thread.path, "")
        told.append(GONE if was else GONE_UNKNOWN)
    hunk = None
    if file is not None and thread.line is not None:
        on = [each for each in file.hunks if any(line.number == thread.line for line in each.on(thread.side))]
        hunk = on[0].key if on else None
    return Place(
        path=path,
        file=file,
        text=text,
        near=_near(thread, file),
        hunk=hunk,
        lines=lines,
        was=was,
        told=tuple(told),
    )


def _near(thread: Thread, file: FilePatch | None) -> int:
    """The line of the head near a thread."""
    if thread.line is not None and thread.side is Side.LEFT and file is not None:
        for hunk in file.hunks:
            if hunk.old_start <= thread.line < hunk.old_start + hunk.old_count:
                return hunk.new_start
    return thread.line or thread.original_line or 1


def _on(thread: Thread, path: str, file: FilePatch | None, text: str | None) -> str:
    """The lines that GitHub has the thread on."""
    last = thread.line
    if last is None:
        return ""
    first = min(thread.start_line or last, last)
    if thread.side is Side.RIGHT:
        return "" if text is None else _shown(path, thread.side, first, text.split("\n")[first - 1 : last])
    old = {line.number: line.text for hunk in (file.hunks if file else ()) for line in hunk.on(Side.LEFT)}
    rows = [numbered(number, old[number]) for number in range(first, last + 1) if number in old]
    return _headed(path, thread.side, rows)


def _shown(path: str, side: Side, first: int, texts: Sequence[str]) -> str:
    return _headed(path, side, [numbered(first + at, text) for at, text in enumerate(texts)])


def _headed(path: str, side: Side, rows: Sequence[str]) -> str:
    name = "old file" if side is Side.LEFT else "file"
    return "\n".join((f"{visible(path)}, {name}", *rows)) if rows else ""


def _was(call: Call, thread: Thread, path: str, text: str) -> str:
    """The code as it was: what our note kept of it, or the end of the diff that GitHub keeps with the thread."""
    if not text:
        # What it is about is at its end.
        text = "\n".join(call.desk.talk.hunk(thread)[-WAS_CAP:].split("\n")[-HUNK_LINES:])
    return f"{visible(path)}\n{visible_lines(cut(text, WAS_CAP))}" if text.strip() else ""
