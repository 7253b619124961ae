"""One comment from its acknowledgement to its end. Whatever happens, the person who wrote it sees that it ended.

The comment gets a reaction before anything else is asked. What a person did wrong, what they may not do and what the
world refuses is answered in words; only where GitHub takes neither an answer nor a reaction the error goes to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from bot import log
from bot.commands import answers
from bot.commands import talk as talking
from bot.commands.beside import settled, spoken_of
from bot.commands.call import Call, addressed, looked_at, reacted
from bot.commands.model import Command, CommentKind, CommentRef, NearMiss, Outcome, Reaction, Verb
from bot.commands.permit import WRITERS, permitted
from bot.commands.ports import Desk, Talk
from bot.commands.registry import COMMANDS, Need, need
from bot.commands.table import HANDLERS
from bot.diff.model import Patch
from bot.errors import ConfigError, NotPermittedError, OutsideError, SparkError
from bot.review.children import known_in
from bot.review.config import CONFIG_PATH, RepoConfig, Role, read_config
from bot.review.memory import Recall, Thread
from bot.review.render.redact import Redactor

LOOP_MINUTES: Final = 10
LOOP_ANSWERS: Final = 20
"""So many answers on one pull in so many minutes are a loop, or somebody who plays with us."""
LOOP_ANSWERS_TO_WRITERS: Final = 60
"""Whoever may write is heard for longer: else strangers could use up the answers of everybody."""


def serve(
    *,
    ref: CommentRef,
    command: Command | NearMiss | None,
    sender: str,
    desk: Desk,
    text: str = "",
    fields: Mapping[str, log.Field] | None = None,
) -> Outcome:
    """Do what a comment asks for, once. `command` None: a reply in a thread, whose words are `text`. `fields`: for the log.

    Raises SparkError only when GitHub takes neither an answer nor a reaction; a bug of ours passes through, after a reaction.
    """
    one = _Serving(ref=ref, sender=sender, desk=desk, fields=fields or {})
    if command is None:
        return one.reply(text)
    one.react(Reaction.SEEN)
    ended = False
    try:
        outcome = one.obey(command)
        ended = True
    finally:
        # After a kill the job runs again, so there is nothing to tell; a bug of ours ends here and must be seen.
        if not ended and not desk.stop.cancelled:
            one.react(Reaction.NO)
    return outcome


def tell_trouble(
    talk: Talk, *, ref: CommentRef, sender: str, error: SparkError, fields: Mapping[str, log.Field] | None = None
) -> None:
    """Tell whoever gave a command that `serve` could not end it: a reaction and an answer are tried. Raises nothing."""
    body = answers.trouble(error, Redactor(Patch(files=())))
    for tell in (
        lambda: talk.react(ref, Reaction.NO),
        lambda: talk.answer(ref, addressed(body, ref=ref, sender=sender)),
    ):
        try:
            tell()
        except SparkError as second:
            log.warning("comment.not_answered", why=second.what, **(fields or {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """Who asks, and by which rules, while it is found out."""

    role: Future[tuple[Role | None, bool]]
    config: Future[RepoConfig]


class _Serving:
    """What one comment's way to its end shares."""

    def __init__(self, *, ref: CommentRef, sender: str, desk: Desk, fields: Mapping[str, log.Field]) -> None:
        self._ref = ref
        self._sender = sender
        self._desk = desk
        self._fields = fields
        self._is_author = bool(sender) and sender.lower() == desk.pull.author.lower()

    def react(self, reaction: Reaction) -> bool:
        """Put a reaction on the comment; False when GitHub does not let us, or is away."""
        return reacted(self._desk, self._ref, reaction, self._fields)

    def obey(self, command: Command | NearMiss) -> Outcome:
        """The way of a command, and of what was meant to be one."""
        # Four questions, none of which needs the answer to another one: each alone is a round to GitHub.
        with ThreadPoolExecutor(max_workers=3, thread_name_prefix="serve") as pool:
            try:
                asks = isinstance(command, Command) and need(command) is not Need.ANYONE
                about = _About(role=pool.submit(self._role), config=pool.submit(self._config)) if asks else None
                # For what anybody may ask it is found out only once there are many answers.
                role = about.role.result if about is not None else self._role
                return self._known_end(pool, role) or self._carried_out(command, about)
            except SparkError as error:
                return self._trouble(error)

    def reply(self, text: str) -> Outcome:
        """The way of a reply. In a thread that is not ours nothing is seen of us. A stranger's word costs next to nothing: who it
        is is asked before the pull's threads are read.
        """
        role, role_known = self._role()
        broken: ConfigError | None = None
        config = RepoConfig()
        try:
            config = self._config()
        except ConfigError as error:
            broken = error
        why = self._refusal(Need.ASK, role, role_known=role_known, config=config)
        if why and broken is None:
            return Outcome(what="nothing", why=why)
        recall = self._desk.talk.recall()
        thread = _thread(recall, self._ref)
        if thread is None or not thread.is_ours:
            return Outcome(what="nothing", why="not in a thread of ours")
        try:
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="serve") as pool:
                end = self._known_end(pool, lambda: (role, role_known))
            if end is not None:
                return end
            if broken is not None:
                raise broken
            return talking.reply(self._call(None, recall, role, role_known=role_known, config=config, text=text))
        except SparkError as error:
            if self._desk.stop.cancelled or not self.react(Reaction.NO):
                raise
            return Outcome(what="failed", why=error.what)

    def _known_end(self, pool: ThreadPoolExecutor, role: Callable[[], tuple[Role | None, bool]]) -> Outcome | None:
        """What ends it before it begins: an earlier run's answer, or a loop."""
        recent = pool.submit(self._desk.talk.recent_answers, LOOP_MINUTES)
        if (url := self._desk.talk.answered(self._ref)) is not None:
            return Outcome(what="answered", why="answered before", url=url)
        count = recent.result()
        if count < LOOP_ANSWERS or (count < LOOP_ANSWERS_TO_WRITERS and role()[0] in WRITERS):
            return None
        self.react(Reaction.NO)
        log.warning("command.loop", answers=count, minutes=LOOP_MINUTES, **self._fields)
        return Outcome(what="refused", why=f"{count} answers in {LOOP_MINUTES} minutes: this looks like a loop")

    def _carried_out(self, command: Command | NearMiss, about: _About | None) -> Outcome:
        if isinstance(command, NearMiss):
            return Outcome(what="answered", why="no such command", url=self._answer(answers.near_miss(command)))
        wants = need(command)
        config, role, role_known = RepoConfig(), None, False
        if about is not None:
            role, role_known = about.role.result()
            try:
                config = about.config.result()
            except ConfigError as error:
                if command.verb is not Verb.CONFIG:
                    return self._refused(answers.broken_config(error, self._redactor()), "a broken configuration")
        if why := self._refusal(wants, role, role_known=role_known, config=config):
            flag = "all" if command.everything else "--commit" if command.commit else ""
            may_ask = not self._refusal(Need.ASK, role, role_known=role_known, config=config)
            return self._refused(answers.not_permitted(command.verb, why, flag=flag, may_ask=may_ask), why)
        recall = self._desk.talk.recall() if COMMANDS[command.verb].recalls else Recall()
        call = self._call(command, recall, role, role_known=role_known, config=config)
        spoken = spoken_of(call)
        outcome = HANDLERS[command.verb](spoken)
        settled(call, spoken, outcome)
        if outcome.commit is not None:
            looked_at(call)
        return outcome

    def _call(
        self,
        command: Command | None,
        recall: Recall,
        role: Role | None,
        *,
        role_known: bool,
        config: RepoConfig,
        text: str = "",
    ) -> Call:
        thread = _thread(recall, self._ref)
        return Call(
            command=command,
            ref=self._ref,
            sender=self._sender,
            text=text,
            desk=self._desk,
            recall=recall,
            thread=thread,
            known=None if thread is None else known_in(recall, thread),
            role=role,
            may_write=not self._refusal(Need.WRITE, role, role_known=role_known, config=config),
            config=config,
            fields=self._fields,
        )

    def _config(self) -> RepoConfig:
        return read_config(self._desk.config_text(), name=CONFIG_PATH)

    def _role(self) -> tuple[Role | None, bool]:
        """What the sender is to the repository, and whether that could be found out."""
        try:
            return self._desk.people.role(self._sender), True
        except (OutsideError, NotPermittedError) as error:
            log.warning("command.role_unknown", why=error.what, **self._fields)
            return None, False

    def _refusal(self, wants: Need, role: Role | None, *, role_known: bool, config: RepoConfig) -> str:
        return permitted(
            wants,
            role,
            is_author=self._is_author,
            allow=config.commands.allow,
            role_known=role_known,
            is_set="allow" in config.commands.model_fields_set,
        )

    def _trouble(self, error: SparkError) -> Outcome:
        """Told in an answer, or else by a reaction. Nothing is told while the process stops: the job runs again."""
        if self._desk.stop.cancelled:
            raise error
        log.warning("command.failed", why=error.what, **self._fields)
        try:
            url = self._answer(answers.trouble(error, self._redactor()))
        except SparkError as second:
            if not self.react(Reaction.NO):
                raise error from second
            return Outcome(what="failed", why=error.what)
        self.react(Reaction.NO)
        return Outcome(what="failed", why=error.what, url=url)

    def _refused(self, body: str, why: str) -> Outcome:
        url = self._answer(body)
        self.react(Reaction.NO)
        return Outcome(what="refused", why=why, url=url)

    def _answer(self, body: str) -> str:
        return self._desk.talk.answer(self._ref, addressed(body, ref=self._ref, sender=self._sender))

    def _redactor(self) -> Redactor:
        """By the shape of secrets alone: the change is not read for a refusal."""
        return Redactor(Patch(files=()))


def _thread(recall: Recall, ref: CommentRef) -> Thread | None:
    """The thread that a comment stands in."""
    if ref.kind is not CommentKind.THREAD:
        return None
    ids = {ref.id, ref.root}
    return next((thread for thread in recall.threads if any(said.id in ids for said in thread.comments)), None)
