"""What is on the pull from earlier rounds, read out of the marks in our own notes and of what people did with them.

The state of a finding is on the pull alone: its thread, our notes in it, who resolved it, who put a thumb down. So a lost
database, a rebase, a force-push and another base branch change nothing. What people say in words is not read here, and
nothing is written: `follow` decides what becomes of each thread.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Final

from bot.diff.model import FilePatch, Patch
from bot.review.fingerprint import normal
from bot.review.memory import Dismissal, FindingNote, KnownFinding, PastReview, Recall, StoredVerdict, Thread
from bot.review.model import Category, Finding, Fingerprint, Severity
from bot.review.render.markers import (
    NOTE_LINES,
    read_dismissal_marker,
    read_finding_markers,
    read_keys,
    read_note_marker,
    read_review_marker,
    read_round_marker,
    read_state_marker,
    split_ending,
)
from bot.review.render.verdict_mark import read_verdict_markers
from bot.review.vouched import Witnesses, is_believed, of_threads

NOTE_TEXT: Final = 1_500
"""Characters of the anchored lines that a note carries."""
FIXED, CLOSED, BACK, STILL, MOVED = "fixed-", "closed-", "back-", "still-", "moved-"
"""How the keys of our notes in a thread begin (`markers.step_marker`)."""
COMMITTED = "committed-"
"""How the key of an answer begins that says that we committed a change for the thread's finding: no word yet that it is mended."""

_HEADING = re.compile(r"\*\*(?:\W{1,4} )?(\w{3,10}) · (?:(\w{3,20}) · )?(.*?)\*\*")
_BOT = "[bot]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastNote:
    """A review, or a comment of the conversation."""

    id: int
    url: str
    body: str
    is_ours: bool
    in_conversation: bool
    state: str
    """Of a review, as GitHub says it; empty for a comment."""
    login: str = ""
    """Who wrote it."""


class Standing(StrEnum):
    """What our newest note in a thread says has become of its finding."""

    OPEN = "open"
    FIXED = "fixed"
    CLOSED = "closed"
    """Somebody had it resolved."""
    DISMISSED = "dismissed"


def line_digest(line: str) -> str:
    """20 hex digits of a line; runs of white space and those at its ends do not count.

    So many that nobody finds a line with the digest of one that was dismissed: by 6 digits that took seconds.
    """
    return hashlib.sha256(normal(line).encode("utf-8", "surrogatepass")).hexdigest()[:20]


_BLANK: Final = line_digest("")


def line_digests(lines: Sequence[str]) -> tuple[str, ...]:
    """The digests that a note carries: of the first 60 lines."""
    return tuple(line_digest(line) for line in lines[:NOTE_LINES])


def around(digests: Sequence[str], at: int, size: int) -> tuple[str, str]:
    """The digests above and below a run of lines; empty where there is none, or a blank line."""
    above = digests[at - 1] if at > 0 else ""
    below = digests[at + size] if at + size < len(digests) else ""
    return above if above != _BLANK else "", below if below != _BLANK else ""


def note_of(finding: Finding, patch: Patch | None = None) -> FindingNote:
    """What a later round must know of a finding. With its `patch`, also how many places of the file have the same lines."""
    text = "\n".join(line.removesuffix("\r") for line in finding.anchor.text)
    return FindingNote(
        fingerprint=finding.fingerprint,
        path=finding.path,
        side=finding.side,
        severity=finding.severity,
        category=finding.category,
        title=finding.title,
        source=finding.source,
        rule=finding.rule,
        lines=line_digests(finding.anchor.text),
        suggestion=finding.suggestion if finding.proven else None,
        votes=finding.votes,
        text=text if len(text) <= NOTE_TEXT else f"{text[:NOTE_TEXT]}…",
        twins=0 if patch is None else _twins(finding, patch.file(finding.anchor.hunk.file)),
        around=("", "") if patch is None else _around(finding, patch),
    )


def assemble(
    threads: Sequence[Thread], notes: Sequence[PastNote], *, may_write: Callable[[str], bool], author: str
) -> Recall:
    """Everything together. `notes`: oldest first. `author`: who opened the pull.

    `may_write` may ask GitHub; it is asked about those alone who resolved a thread of ours or put a thumb down.
    """
    may_write = cache(may_write)
    witnesses = Witnesses(threads, notes, may_write=may_write)
    threads = of_threads(threads, witnesses)
    ours = [note for note in notes if note.is_ours and note.state != "PENDING" and is_believed(note, witnesses)]
    for thread in threads:
        # Before those who put a thumb down: anybody can do that, and only so many are asked about.
        if thread.is_ours and (by := _resolver(thread)):
            may_write(by)
    findings = tuple(
        found for thread in threads if (found := _known(thread, may_write=may_write, author=author)) is not None
    )
    known: dict[Fingerprint, str] = {}
    for found in findings:
        for fingerprint in (found.note.fingerprint, *found.aliases):
            known.setdefault(fingerprint, found.thread.url)
    for note in ours:
        for fingerprint in read_finding_markers(note.body):
            known.setdefault(fingerprint, note.url)
    return Recall(
        findings=findings,
        known=known,
        last=_last(ours),
        threads=tuple(threads),
        paused_by=_paused_by(ours),
        verdicts=_verdicts(ours),
    )


def standing(thread: Thread) -> Standing:
    """What our newest note about it says; whether GitHub shows the thread as resolved is another question."""
    now = Standing.OPEN
    for said in thread.comments:
        if not said.is_ours:
            continue
        state = read_state_marker(said.body) or {}
        if read_dismissal_marker(said.body) is not None:
            now = Standing.DISMISSED
        elif "closed_by" in state:
            now = Standing.CLOSED if state["closed_by"] else Standing.OPEN
        for key in read_keys(said.body, "step"):
            now = _STEPS.get(key[: key.find("-") + 1], now)
    return now


_STEPS = {
    FIXED: Standing.FIXED,
    CLOSED: Standing.CLOSED,
    BACK: Standing.OPEN,
    STILL: Standing.OPEN,
}


def _known(thread: Thread, *, may_write: Callable[[str], bool], author: str) -> KnownFinding | None:
    if not thread.is_ours:
        return None
    marks = read_finding_markers(thread.comments[0].body)
    if not marks:
        return None
    note = _note(thread, marks[0])
    aliases = [mark for said in thread.comments[1:] if said.is_ours for mark in read_finding_markers(said.body)]
    now = standing(thread)
    closed_by = _closed_by(thread) if now is Standing.CLOSED else ""
    by_hand = _resolver(thread)
    closed = thread.is_resolved and (now is Standing.FIXED or now is Standing.CLOSED)
    if closed:
        # A person's word that it is settled is to be kept as long as the code is as it was.
        dismissal = _revived(_by_hand(closed_by, may_write), thread, may_write) if closed_by else None
    elif by_hand and now is not Standing.DISMISSED:
        dismissal = _by_hand(by_hand, may_write)
    else:
        dismissal = _confirmed(thread, may_write) if now is Standing.DISMISSED else None
    reopened = now is not Standing.OPEN and not thread.is_resolved
    if dismissal is None and not closed and not reopened:
        dismissal = _thumbs_down(thread, may_write=may_write, author=author)
    return KnownFinding(
        note=note,
        thread=thread,
        aliases=tuple(dict.fromkeys(mark for mark in aliases if mark != note.fingerprint)),
        dismissal=dismissal,
        closed=closed,
    )


def _note(thread: Thread, fingerprint: Fingerprint) -> FindingNote:
    """The newest that our comments say about the finding, under the name that it had first."""
    notes = [note for said in thread.comments if said.is_ours and (note := read_note_marker(said.body)) is not None]
    if notes:
        return replace(notes[-1], fingerprint=fingerprint)
    first_line = split_ending(thread.comments[0].body)[0].partition("\n")[0]
    shown = _HEADING.match(first_line)
    severity, category, title = shown.groups() if shown else ("", "", first_line.strip("* "))
    return FindingNote(
        fingerprint=fingerprint,
        path=thread.path,
        side=thread.side,
        severity=_severity(severity),
        category=_category(category or ""),
        title=title,
        source="model",
    )


def _severity(word: str) -> Severity:
    try:
        return Severity(word.lower())
    except ValueError:
        return Severity.MEDIUM


def _category(word: str) -> Category:
    try:
        return Category(word.lower())
    except ValueError:
        return Category.BUG


def _resolver(thread: Thread) -> str:
    """The person who resolved a thread by hand; empty for us, for a bot, and where nobody did."""
    by_person = thread.is_resolved and not thread.resolved_by_us and not thread.resolved_by.endswith(_BOT)
    return thread.resolved_by if by_person else ""


def _confirmed(thread: Thread, may_write: Callable[[str], bool]) -> Dismissal | None:
    """The newest dismissal that we confirmed, while the thread is resolved or could not be."""
    found = [
        mark for said in thread.comments if said.is_ours and (mark := read_dismissal_marker(said.body)) is not None
    ]
    if not found or not (thread.is_resolved or found[-1].held_open):
        return None
    return found[-1] if found[-1].held_open else _revived(found[-1], thread, may_write)


def _revived(said: Dismissal, thread: Thread, may_write: Callable[[str], bool]) -> Dismissal:
    """What somebody said of a thread that we resolved for it. Where it was opened again since and a person resolved it by
    hand, it is that person's doing: a dismissal that was taken back is not had again by somebody who could not give it.
    """
    by = _resolver(thread)
    return said if not by or not said.excuses else replace(said, excuses=may_write(by))


def _closed_by(thread: Thread) -> str:
    """Who had it resolved, by the newest note that says so."""
    for said in reversed(thread.comments):
        state = (read_state_marker(said.body) if said.is_ours else None) or {}
        if isinstance(by := state.get("closed_by"), str) and by:
            return by
    return ""


def _by_hand(login: str, may_write: Callable[[str], bool]) -> Dismissal:
    return Dismissal(by=login, reason="", how="resolved by hand", excuses=may_write(login))


def _thumbs_down(thread: Thread, *, may_write: Callable[[str], bool], author: str) -> Dismissal | None:
    """By somebody who may write, or by the pull's author, whose word does not excuse; a stranger's thumb is nothing."""
    people = thread.comments[0].thumbs_down
    for login in people:
        if may_write(login):
            return Dismissal(by=login, reason="", how="thumbs down", excuses=True)
    own = next((login for login in people if author and login.lower() == author.lower()), None)
    return None if own is None else Dismissal(by=own, reason="", how="thumbs down", excuses=False)


def _last(ours: Sequence[PastNote]) -> PastReview | None:
    """Our newest review with a memory; where none has one, the newest."""
    newest: PastReview | None = None
    for note in reversed(ours):
        mark = read_review_marker(note.body)
        if mark is None or not mark.head:
            continue
        round_mark = read_round_marker(note.body)
        found = PastReview(
            id=note.id,
            url=note.url,
            head=mark.head,
            base=mark.base,
            round=round_mark.round if round_mark else 1,
            rules=round_mark.rules if round_mark else "",
            seen=round_mark.seen if round_mark else None,
            body=note.body,
            in_conversation=note.in_conversation,
        )
        if round_mark:
            return found
        newest = newest or found
    return newest


def _verdicts(ours: Sequence[PastNote]) -> dict[str, StoredVerdict]:
    """Every verdict that a review of ours carries; the newest review's word goes before an older one's."""
    found: dict[str, StoredVerdict] = {}
    for note in reversed(ours):
        if read_review_marker(note.body) is not None:
            for stored in read_verdict_markers(note.body, note.url):
                found.setdefault(stored.key, stored)
    return found


def _paused_by(ours: Sequence[PastNote]) -> str:
    for note in reversed(ours):
        state = (read_state_marker(note.body) if note.in_conversation else None) or {}
        if "paused_by" in state:
            by = state["paused_by"]
            return by if isinstance(by, str) else ""
    return ""


def _around(finding: Finding, patch: Patch) -> tuple[str, str]:
    """The digests beside the finding, on its side of its hunk."""
    lines = list(patch.hunk(finding.anchor.hunk).on(finding.side))
    at = next((at for at, line in enumerate(lines) if line.number == finding.anchor.start_line), None)
    if at is None:
        return "", ""
    first, size = max(0, at - 1), min(len(finding.anchor.text), NOTE_LINES)
    digests = [line_digest(line.text) for line in lines[first : at + size + 1]]
    return around(digests, at - first, size)


def _twins(finding: Finding, file: FilePatch) -> int:
    """How many places of the file's diff have the lines of the finding, on its side."""
    wanted = line_digests(finding.anchor.text)
    if not wanted:
        return 0
    first = normal(finding.anchor.text[0])
    word = first.partition(" ")[0]
    count = 0
    for hunk in file.hunks:
        lines = list(hunk.on(finding.side))
        for index, line in enumerate(lines):
            # The cheap test first: a hunk can have 40,000 lines.
            if word not in line.text or normal(line.text) != first:
                continue
            run = lines[index : index + len(wanted)]
            if line_digests([each.text for each in run]) == wanted:
                count += 1
    return count
