"""Commands in a thread of ours that only carries a suggestion for another one, its parent.

What is said there is about the parent's finding. A dismissal is answered in the parent, where its mark is looked for; the rest is
answered where it was asked.
"""

from __future__ import annotations

from dataclasses import replace

from bot import log
from bot.commands.call import Call
from bot.commands.model import Outcome, Reaction, Verb
from bot.review.children import children_of, known_in, parent_of


def spoken_of(call: Call) -> Call:
    """The call with what it is about. `fix` has both threads: the one for its words, the other for its finding."""
    if call.command is None or call.thread is None:
        return call
    parent = parent_of(call.recall, call.thread)
    if parent is None:
        return call
    known = known_in(call.recall, parent)
    match call.command.verb:
        case Verb.FIX:
            return replace(call, parent=parent, known=known)
        case Verb.EXPLAIN:
            return replace(call, thread=parent, known=known)
        case Verb.IGNORE:
            return replace(call, thread=parent, known=known, ref=replace(call.ref, root=parent.comments[0].id))
        case _:
            return call


def settled(said: Call, call: Call, outcome: Outcome) -> None:
    """What follows from `ignore` and `resolve` for the suggestions beside the thread. `said`: the call as it was given.

    They are resolved without a word, but for one in which somebody else waits for an answer. A refusal is told in the log: the next
    review tries again.
    """
    thread = call.thread
    if call.command is None or call.command.verb not in {Verb.IGNORE, Verb.RESOLVE} or thread is None:
        return
    if outcome.what == "refused":
        return
    for child in children_of(call.recall, thread):
        waits = child.unanswered and child.comments[-1].id != call.ref.id
        if child.is_resolved or waits:
            continue
        if refused := call.desk.talk.resolve(child):
            log.info("command.left_open", why=refused, **call.fields)
    if said.thread is not call.thread:
        # The answer stands in the other thread.
        call.react(Reaction.DONE)
