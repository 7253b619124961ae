"""What becomes of our threads after a review: a note in each, and the thread resolved or opened again.

A note that is there is not said twice, whatever happened to an earlier run. A thread in which somebody has written since it was
judged is not resolved: that person comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.github.faults import Reply, error_for
from bot.github.graph import Graph
from bot.github.notes import Kind, Notes
from bot.github.pace import OutOfTimeError
from bot.github.sending import NEEDS, Sender, reply_json
from bot.github.threads import Threads
from bot.review.memory import Thread, ThreadId
from bot.review.model import CommitSha
from bot.review.ports import Then, ThreadStep
from bot.review.render.markers import read_keys

NO_TIME = "there was no time left for it"
_DOING = "writing in a thread"
_ANSWERED = "somebody has written there since"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What came of the steps."""

    followed: int
    unfollowed: tuple[str, ...]


class Steps:
    """Takes the steps of one draft."""

    def __init__(self, *, notes: Notes, threads: Threads, sender: Sender, graph: Graph) -> None:
        self._notes = notes
        self._threads = threads
        self._sender = sender
        self._graph = graph

    def walk(self, steps: Sequence[ThreadStep], commit: CommitSha) -> Walked:
        """Take each of them, as of a review of `commit`. Raises OutsideError while GitHub is away: asked again, it finds what was done and goes on."""
        if not steps:
            return Walked(followed=0, unfollowed=())
        there = self._threads.some([step.thread for step in steps], self._notes.viewer)
        followed, unfollowed = 0, []
        for step in steps:
            thread = there.get(step.thread)
            try:
                why = self._take(step, thread, commit) if thread is not None else "the thread is gone"
            except OutOfTimeError:
                why = NO_TIME
            if not why:
                followed += 1
                continue
            unfollowed.append(sentence(step, there, why))
        return Walked(followed=followed, unfollowed=tuple(unfollowed))

    def _take(self, step: ThreadStep, thread: Thread, commit: CommitSha) -> str:
        if not thread.is_ours:
            return "it is not ours"
        closes = step.then is Then.RESOLVE and not thread.is_resolved
        if closes and thread.unanswered:
            return _ANSWERED
        if not _is_said(step, thread):
            answer = self._sender.comment(
                Kind.COMMENTS,
                reply_json(step.body, root=step.root, path=thread.path, commit=commit),
                is_it=lambda note: note.root == step.root and _same_note(step.body, note.body),
                doing=_DOING,
            )
            if isinstance(answer, Reply):
                return error_for(answer, doing=_DOING, needs=NEEDS).what
        if closes:
            return self._graph.resolve(thread)
        if step.then is Then.REOPEN and thread.is_resolved:
            return self._graph.unresolve(thread)
        return ""


def unwalked(steps: Sequence[ThreadStep], why: str) -> Walked:
    """None of them was taken."""
    return Walked(followed=0, unfollowed=tuple(sentence(step, {}, why) for step in steps))


def sentence(step: ThreadStep, there: Mapping[ThreadId, Thread], why: str) -> str:
    """Why one step was not taken, for people."""
    thread = there.get(step.thread)
    name = f"The thread at {thread.url}" if thread is not None else f"The thread of comment {step.root}"
    done = {Then.RESOLVE: "was not resolved", Then.REOPEN: "was not opened again", Then.NOTHING: "was not answered"}
    return f"{name} {done[step.then]}: {why}"


def _is_said(step: ThreadStep, thread: Thread) -> bool:
    return any(said.is_ours and _same_note(step.body, said.body) for said in thread.comments)


def _same_note(body: str, other: str) -> bool:
    """Whether both have the same step's mark; the same text, where there is no mark."""
    keys = set(read_keys(body, "step"))
    return bool(keys & set(read_keys(other, "step"))) if keys else body.split() == other.split()
