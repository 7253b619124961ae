"""Which of our marks are believed where our account is not ours alone.

The token of a workflow writes as `github-actions[bot]`, and so does every other workflow of the repository. One that repeats
what somebody wrote (a title, a plan, the output of a test) may be made to repeat a mark. So there a mark must stand in a text
that begins as ours do, and what lets something go must answer a person's own words: a comment by that very person, who may still
do it. What is not believed loses its marks and stays a comment. An account that is ours alone is believed as it is.

This narrows it down and proves nothing: a workflow that posts foreign text from its first character on can say anything in this
account's name. A token of an App of one's own ends that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from bot.review.memory import Said, Thread
from bot.review.render.markers import (
    read_dismissal_marker,
    read_finding_markers,
    read_keys,
    read_note_marker,
    read_state_marker,
    split_ending,
)

SHARED: Final = "github-actions"
"""The account of workflows, as GraphQL names it; REST adds `[bot]`."""
_BOT: Final = "[bot]"
_SUMMARY: Final = re.compile(
    r"\*\*(?:\d[\d,]* (?:new )?findings?:|No (?:new )?findings\b)|Part \d+ of \d+ of this review:", re.ASCII
)
_TALK: Final = re.compile(r"<!-- spark:(?:answer|state|step|child|dismissed|note) ")
"""Marks of what is no review; all others stand in one, those to come among them."""
_HEADING: Final = re.compile(r"\*\*(?:\W{1,4} )?(?:Critical|High|Medium|Low)\b")
_FOLLOWS: Final = re.compile(r"(?:Fixed in|Still there in|It is back in|This code moved to) ")


class Note(Protocol):
    """A review, or a comment of the conversation: see `recall.PastNote`."""

    @property
    def id(self) -> int:
        """REST's id."""
        ...

    @property
    def body(self) -> str:
        """Its text, with its marks."""
        ...

    @property
    def is_ours(self) -> bool:
        """Whether our account wrote it."""
        ...

    @property
    def login(self) -> str:
        """Who wrote it."""
        ...


def is_shared(login: str) -> bool:
    """Whether others write with this account, too."""
    return login.removesuffix(_BOT) == SHARED


class Witnesses:
    """The comments of people that an answer of ours may name, by their ids."""

    def __init__(self, threads: Sequence[Thread], notes: Sequence[Note], *, may_write: Callable[[str], bool]) -> None:
        said = [one for thread in threads for one in thread.comments if not one.is_ours and not one.is_bot]
        self._by: Mapping[int, str] = {
            **{note.id: note.login.lower() for note in notes if not note.is_ours and not note.login.endswith(_BOT)},
            **{one.id: one.login.lower() for one in said},
        }
        self._may_write = may_write

    def asked(self, body: str, by: str) -> bool:
        """Whether the answer `body` answers a comment of `by`."""
        named = [key.rpartition("-")[2] for key in read_keys(body, "answer")]
        return any(self._by.get(int(number)) == by.lower() for number in named if number.isascii() and number.isdigit())

    def excused(self, body: str, by: str) -> bool:
        """Likewise, and that person may write."""
        return self.asked(body, by) and self._may_write(by)


def of_threads(threads: Sequence[Thread], witnesses: Witnesses) -> list[Thread]:
    """Threads whose comments carry only marks that are believed."""
    return [_thread(one, witnesses) if any(map(_is_in_doubt, one.comments)) else one for one in threads]


def is_believed(note: Note, witnesses: Witnesses) -> bool:
    """Whether the marks of a note of ours count."""
    if not is_shared(note.login):
        return True
    state = read_state_marker(note.body) or {}
    by = state.get("paused_by")
    if isinstance(by, str) and by and not witnesses.excused(note.body, by):
        return False
    of_review = [mark for mark in split_ending(note.body)[1].splitlines() if not _TALK.match(mark)]
    return not of_review or _SUMMARY.match(note.body) is not None


def _is_in_doubt(said: Said) -> bool:
    return said.is_ours and is_shared(said.login) and bool(split_ending(said.body)[1])


def _thread(thread: Thread, witnesses: Witnesses) -> Thread:
    first, *later = thread.comments
    if _is_in_doubt(first) and read_finding_markers(first.body) and not _HEADING.match(first.body):
        first = _bare(first)
    kept = [one if not _is_in_doubt(one) or _holds(one, thread, witnesses) else _bare(one) for one in later]
    return replace(thread, comments=(first, *kept))


def _holds(said: Said, thread: Thread, witnesses: Witnesses) -> bool:
    dismissal = read_dismissal_marker(said.body)
    if dismissal is not None:
        known = witnesses.excused if dismissal.excuses else witnesses.asked
        if not known(said.body, dismissal.by):
            return False
    by = (read_state_marker(said.body) or {}).get("closed_by")
    if isinstance(by, str) and by and not witnesses.asked(said.body, by):
        return False
    if _FOLLOWS.match(said.body):
        # Resolved by a person it is that person's word, whatever stands above it.
        return not thread.is_resolved or thread.resolved_by_us
    steps = read_keys(said.body, "step")
    if any(key.startswith(("fixed-", "closed-")) for key in steps) and thread.is_resolved and not thread.resolved_by_us:
        return False
    note, first = read_note_marker(said.body), read_note_marker(thread.comments[0].body)
    return note is None or first is None or note.severity.rank >= first.severity.rank


def _bare(said: Said) -> Said:
    return replace(said, body=split_ending(said.body)[0])
