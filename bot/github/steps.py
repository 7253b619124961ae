"""What becomes of our threads after a review: a note in each, and the thread resolved or opened again.

All notes first, in few requests, then all resolutions: a thread whose note GitHub refused is not resolved. A note that may take the
place of an earlier one's words does (`rewording`); several others go out as one review (`bundle`); what fails of that is a reply.
A note that is there is not said twice, whatever happened to an earlier run. A thread in which somebody has written since it was
judged is not resolved: that person comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.github import limits
from bot.github.bodies import fit
from bot.github.bundle import Bundle
from bot.github.graph import unsettled
from bot.github.mutations import NO_TIME, Batches, Change, Verb
from bot.github.notes import Kind, Notes
from bot.github.pace import OutOfTimeError
from bot.github.sending import NEEDS, PENDING_IN_THE_WAY, Sender
from bot.github.threads import Threads
from bot.review.memory import Said, Thread, ThreadId
from bot.review.ports import Then, ThreadStep
from bot.review.render.markers import read_keys
from bot.review.rewording import replaced, reworded

_ANSWERED: Final = "somebody has written there since"
_GONE: Final = "the thread is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What came of the steps."""

    followed: int
    unfollowed: tuple[str, ...]


class Steps:
    """Takes the steps of one draft."""

    def __init__(self, *, notes: Notes, threads: Threads, sender: Sender, batches: Batches, bundle: Bundle) -> None:
        self._notes = notes
        self._threads = threads
        self._sender = sender
        self._batches = batches
        self._bundle = bundle

    def walk(self, steps: Sequence[ThreadStep]) -> Walked:
        """Take each of them. Raises OutsideError while GitHub is away: asked again, it finds what was done and goes on."""
        if not steps:
            return Walked(followed=0, unfollowed=())
        reviews = self._notes.begin(Kind.REVIEWS)
        first = self._read(steps)
        named = {f"s{at}": step for at, step in enumerate(steps)}
        told = {name: why for name, step in named.items() if (why := _refused(step, first.get(step.thread)))}
        unsaid = [name for name, step in named.items() if name not in told and not _is_said(step, first[step.thread])]

        unsaid = self._edited({name: named[name] for name in unsaid}, first)
        if unsaid:
            (listed,) = self._notes.read(Kind.REVIEWS, firsts=reviews)
            if self._sender.is_free(listed):
                said = self._said({name: named[name] for name in unsaid}, first)
            else:
                said = dict.fromkeys(unsaid, PENDING_IN_THE_WAY)
            told |= {name: why for name, why in said.items() if why}
        stuck = {named[name].thread for name in told}
        ends = [
            change
            for name, step in named.items()
            if name not in told and step.follows not in stuck and (change := _end(name, step, first))
        ]
        if ends:
            ended = self._batches.make(ends, doing="resolving threads", refusal=unsettled)
            told |= {name: why for name, why in ended.items() if why}
        unfollowed = tuple(sentence(step, first, told[name]) for name, step in named.items() if name in told)
        return Walked(followed=len(steps) - len(unfollowed), unfollowed=unfollowed)

    def _edited(self, named: Mapping[str, ThreadStep], there: Mapping[ThreadId, Thread]) -> list[str]:
        """Put into an earlier note's place what may be put there. Gives those that are still to be said."""
        found = {name: replaced(there[step.thread], step.body) for name, step in named.items()}
        edits = [_edit(name, named[name], note) for name, note in found.items() if note is not None]
        # The same text twice is the same as once. What GitHub refuses becomes a reply, as where there is no earlier note.
        made = self._batches.make(edits, doing="editing notes in threads", needs=NEEDS) if edits else {}
        return [name for name in named if made.get(name) != ""]

    def _said(self, named: Mapping[str, ThreadStep], first: Mapping[ThreadId, Thread]) -> dict[str, str]:
        """Say these as new comments: "" for each that is said, or why not."""

        def look(names: Collection[str]) -> Mapping[str, str]:
            now = self._read([named[name] for name in names])
            found = {name: _since(named[name], first, now) for name in names}
            return {name: why for name, why in found.items() if why is not None}

        replies = [_reply(name, step) for name, step in named.items()]
        told: dict[str, str] = {}
        if len(replies) > 1:
            try:
                told = dict.fromkeys(self._bundle.say(replies), "")
            except OutOfTimeError:
                return dict.fromkeys(named, NO_TIME)
            if len(told) < len(replies):
                told |= look([name for name in named if name not in told])
        rest = [reply for reply in replies if reply.alias not in told]
        return told | (self._batches.make(rest, doing="writing in threads", needs=NEEDS, look=look) if rest else {})

    def _read(self, steps: Sequence[ThreadStep]) -> dict[ThreadId, Thread]:
        ids = list(dict.fromkeys(step.thread for step in steps))
        return self._threads.some(ids, self._notes.viewer)


def unwalked(steps: Sequence[ThreadStep], why: str) -> Walked:
    """None of them was taken."""
    return Walked(followed=0, unfollowed=tuple(sentence(step, {}, why) for step in steps))


def sentence(step: ThreadStep, there: Mapping[ThreadId, Thread], why: str) -> str:
    """Why one step was not taken, for people."""
    thread = there.get(step.thread)
    name = f"The thread at {thread.url}" if thread is not None else f"The thread of comment {step.root}"
    done = {Then.RESOLVE: "was not resolved", Then.REOPEN: "was not opened again", Then.NOTHING: "was not answered"}
    return f"{name} {done[step.then]}: {why}"


def _refused(step: ThreadStep, thread: Thread | None) -> str:
    """Why it is not even begun; empty where it is."""
    if thread is None:
        return _GONE
    if not thread.is_ours:
        return "it is not ours"
    return _ANSWERED if _closes(step, {thread.id: thread}) and thread.unanswered else ""


def _since(step: ThreadStep, first: Mapping[ThreadId, Thread], now: Mapping[ThreadId, Thread]) -> str | None:
    """What became of a step's note since the threads were read: "" when it stands, why it is to be left, None for nothing."""
    thread = now.get(step.thread)
    if thread is None:
        return _GONE
    if _closes(step, first) and _people(thread) > _people(first[step.thread]):
        return _ANSWERED
    return "" if _is_said(step, thread) else None


def _closes(step: ThreadStep, there: Mapping[ThreadId, Thread]) -> bool:
    return step.then is Then.RESOLVE and not there[step.thread].is_resolved


def _edit(name: str, step: ThreadStep, note: Said) -> Change:
    body = fit(reworded(note.body, step.body), limits.SAFE_BODY)
    return Change(alias=name, verb=Verb.EDIT, given={"pullRequestReviewCommentId": note.node, "body": body})


def _reply(name: str, step: ThreadStep) -> Change:
    given = {"pullRequestReviewThreadId": step.thread, "body": fit(step.body, limits.SAFE_BODY)}
    return Change(alias=name, verb=Verb.REPLY, given=given)


def _end(name: str, step: ThreadStep, there: Mapping[ThreadId, Thread]) -> Change | None:
    """What is done with the thread once its note stands; None where that is nothing."""
    if _closes(step, there):
        return Change(alias=name, verb=Verb.RESOLVE, given={"threadId": step.thread})
    if step.then is Then.REOPEN and there[step.thread].is_resolved:
        return Change(alias=name, verb=Verb.UNRESOLVE, given={"threadId": step.thread})
    return None


def _people(thread: Thread) -> int:
    return sum(not said.is_ours and not said.is_bot for said in thread.comments)


def _is_said(step: ThreadStep, thread: Thread) -> bool:
    if not step.body:
        return True
    note = replaced(thread, step.body)
    notes = [said for said in thread.comments if said.is_ours] if note is None else [note]
    return any(_same_note(step.body, said.body) for said in notes)


def _same_note(body: str, other: str) -> bool:
    """Whether both have the same step's mark; the same text, where there is no mark."""
    keys = set(read_keys(body, "step"))
    return bool(keys & set(read_keys(other, "step"))) if keys else body.split() == other.split()
