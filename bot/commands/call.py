"""One command while it is carried out: what was asked, by whom, and the desk with everything it may use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bot import log
from bot.commands.model import Command, CommentKind, CommentRef, Outcome, Reaction
from bot.commands.ports import Desk
from bot.diff.model import Patch
from bot.errors import SparkError
from bot.review.config import RepoConfig, Role, Trigger
from bot.review.memory import KnownFinding, Recall, Thread
from bot.review.render.characters import shorten
from bot.review.render.markers import split_ending
from bot.review.render.redact import Redactor

_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
LONGEST: Final = 60_000
"""Characters of an answer; GitHub takes 65,536, and the marker of the answer comes on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command that its sender may give, or (without a command) a reply in a thread of ours."""

    command: Command | None
    ref: CommentRef
    sender: str
    """Login of whoever wrote the comment."""
    text: str = ""
    """Of a reply without a command; empty for a command, whose words are in `command.rest`."""
    desk: Desk
    recall: Recall
    """What is on the pull, read once; empty for the commands that need none of it (`CommandSpec.recalls`)."""
    thread: Thread | None
    """Where it was said; None in the conversation and in the text of a review."""
    known: KnownFinding | None
    """The finding of ours that the thread is about."""
    parent: Thread | None = None
    """Of `fix` in a thread that only carries a suggestion for another one: that one, and `known` is its finding."""
    role: Role | None
    may_write: bool
    """Whether GitHub lets the sender write to the repository, and the configuration lets them give such commands."""
    config: RepoConfig
    """Of the base branch; the defaults for `help`, and for `config` when the file is broken."""
    fields: Mapping[str, log.Field] = field(default_factory=dict)
    """For the log."""
    shapes: Redactor = field(default_factory=lambda: Redactor(Patch(files=())))
    """Masks secrets by their shape, for where the change is not read. Who has read it makes one of its patch."""

    @property
    def rest(self) -> str:
        """What was said with the command, or the reply."""
        return self.text if self.command is None else self.command.rest

    def answer(self, body: str, *, ref: CommentRef | None = None) -> str:
        """Answer the comment (or, for the conversation, another one) as `addressed` has it; the URL."""
        ref = ref or self.ref
        return self.desk.talk.answer(ref, addressed(body, ref=ref, sender=self.sender))

    def react(self, reaction: Reaction) -> bool:
        """Put a reaction on the comment; False when GitHub does not let us, or is away."""
        return reacted(self.desk, self.ref, reaction, self.fields)


def addressed(body: str, *, ref: CommentRef, sender: str) -> str:
    """An answer as it is sent: in the conversation the asker is named, so that they hear of it.

    What is too long loses the end of its text, never its marks.
    """
    text, marks = split_ending(body)
    if ref.kind is not CommentKind.THREAD and _LOGIN.fullmatch(sender):
        text = f"@{sender} {text}" if text[:1].isalnum() else f"@{sender}\n\n{text}"
    text = shorten(text, LONGEST - len(marks))
    return f"{text}\n\n{marks}" if marks else text


def reacted(desk: Desk, ref: CommentRef, reaction: Reaction, fields: Mapping[str, log.Field]) -> bool:
    """Put a reaction on a comment; False when GitHub does not let us, or is away: it is told in the log alone."""
    try:
        desk.talk.react(ref, reaction)
    except SparkError as error:
        log.warning("command.not_reacted", reaction=reaction.value, why=error.what, **fields)
        return False
    return True


def judged_anew(call: Call) -> None:
    """Have the check of the head decided anew, when what its gate goes by was just dismissed by somebody who may write.

    After the answer alone: the review reads the dismissal from it. A failure is told in the log: the next push decides.
    """
    if not call.recall.paused_by and verdict_due(call):
        judge(call)


def verdict_due(call: Call) -> bool:
    """Whether the verdict of the pull may be another one when the finding of the thread is dismissed by this person."""
    return call.may_write and call.desk.pull.is_open and call.known is not None and at_gate(call, call.known)


def verdict_waits(call: Call) -> bool:
    """Whether the verdict may be another one by this dismissal, and is not decided anew because reviews are paused."""
    return bool(call.recall.paused_by) and verdict_due(call)


def at_gate(call: Call, known: KnownFinding) -> bool:
    """Whether a finding is grave enough for the gate."""
    level = call.config.gate.fail_on.severity
    return level is not None and known.note.severity.rank >= level.rank


def looked_at(call: Call) -> None:
    """Have the commit that we just made reviewed where a push is not: a head that nobody looked at would pass for a green one."""
    review = call.config.review
    comes_by_itself = Trigger.SYNCHRONIZE in review.on and (review.drafts or not call.desk.pull.draft)
    if not comes_by_itself and call.recall.last is not None and not call.recall.paused_by:
        judge(call)


def judge(call: Call) -> None:
    """Order the verdict. A failure is told in the log alone."""
    try:
        call.desk.reviews.judge()
    except SparkError as error:
        log.warning("command.not_judged", why=error.what, **call.fields)


Handler = Callable[[Call], Outcome]
"""Carries out one command. It ends in an answer or a reaction, or raises a SparkError, which `serve` then answers."""
