"""Threads of ours that only carry a suggestion for another thread: whose they are, and when they are over. Pure.

`/spark fix` puts a suggestion on other lines than its thread's where the change belongs there. That comment is no finding of its
own: it names its parent thread in a mark, and is resolved with it, without a word. A mark in a thread that we did not begin is
nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bot.review.memory import CommentId, KnownFinding, Recall, Thread
from bot.review.ports import Then, ThreadStep
from bot.review.render.markers import NOTE_LINES, NOTE_SUGGESTION, child_marker, read_child_marker

_ROOM: Final = 16_000
"""Characters of a mark from which on it carries no suggestion: a letter may take twelve in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What a suggestion beside its thread says about itself."""

    parent: CommentId
    """The first comment of the thread that it belongs to."""
    lines: tuple[str, ...] = ()
    """Digests of the lines that it replaces (`recall.line_digests`)."""
    suggestion: str | None = None
    """Their new text; None where it is too long to carry."""


def child_mark(child: Child) -> str:
    """The mark at the end of the comment. Of a long suggestion it has the parent alone."""
    alone = {"parent": child.parent}
    if child.suggestion is None or len(child.suggestion) > NOTE_SUGGESTION:
        return child_marker(alone)
    mark = child_marker({**alone, "lines": list(child.lines[:NOTE_LINES]), "suggestion": child.suggestion})
    return mark if len(mark) <= _ROOM else child_marker(alone)


def read_child(thread: Thread) -> Child | None:
    """What a thread of ours carries for another one; None for every other thread."""
    found = read_child_marker(thread.comments[0].body) if thread.is_ours else None
    if found is None or type(parent := found.get("parent")) is not int:
        return None
    lines, suggestion = found.get("lines"), found.get("suggestion")
    whole = isinstance(suggestion, str) and isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    return Child(
        parent=CommentId(parent),
        lines=tuple(lines) if whole and isinstance(lines, list) else (),
        suggestion=suggestion if whole and isinstance(suggestion, str) else None,
    )


def parent_of(recall: Recall, thread: Thread) -> Thread | None:
    """The thread that this one carries a suggestion for, if it is still there."""
    child = read_child(thread)
    if child is None:
        return None
    return next((one for one in recall.threads if one.comments[0].id == child.parent and one.id != thread.id), None)


def children_of(recall: Recall, parent: Thread) -> list[Thread]:
    """Our threads that carry a suggestion for this one."""
    root = parent.comments[0].id
    return [
        one
        for one in recall.threads
        if one.id != parent.id and (child := read_child(one)) is not None and child.parent == root
    ]


def known_in(recall: Recall, thread: Thread) -> KnownFinding | None:
    """The finding of ours that a thread is about."""
    return next((known for known in recall.findings if known.thread.id == thread.id), None)


def over_with(recall: Recall, steps: Sequence[ThreadStep]) -> tuple[ThreadStep, ...]:
    """The children that end with their parents: those that are resolved, and those that `steps` resolve now.

    One in which somebody waits for an answer stays open.
    """
    return tuple(_over(recall, {step.thread: step.then for step in steps}))


def _over(recall: Recall, then: dict[str, Then]) -> Iterator[ThreadStep]:
    for thread in recall.threads:
        if thread.is_resolved or thread.unanswered:
            continue
        parent = parent_of(recall, thread)
        if parent is None:
            continue
        now = then.get(parent.id, Then.NOTHING)
        if now is Then.RESOLVE or (parent.is_resolved and now is not Then.REOPEN):
            yield ThreadStep(
                thread=thread.id, root=thread.comments[0].id, body="", then=Then.RESOLVE, follows=parent.id
            )
