"""The commands there are: one literal table, from which the grammar, `/spark help` and docs/reference.md are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from bot.commands.model import Command, Verb


class Need(StrEnum):
    """What somebody must be to give a command; `permit` decides. The value is what people read."""

    ANYONE = "anyone"
    ASK = "who may give commands (`commands.allow`), and the author of the pull request"
    WRITE = "who may write to the repository, unless `commands.allow` leaves them out"


class Where(StrEnum):
    """Where a command makes sense. It is answered everywhere; elsewhere with where to say it."""

    ANYWHERE = "anywhere"
    THREAD = "in a thread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One way to write a command: a line of the help."""

    text: str
    """As it is typed: `/spark fix --commit`."""
    does: str
    """What comes of it, as one sentence without a final stop."""
    need: Need
    where: Where = Where.ANYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """All that is known of a command but what it does."""

    usages: tuple[Usage, ...]
    """The first one is the plain command."""
    examples: tuple[str, ...]
    also: tuple[str, ...] = ()
    """Words that people write when they mean this one; answered with the right word, never obeyed."""
    recalls: bool = True
    """Whether it must know what is on the pull: threads, and whether reviews are paused."""


COMMANDS: Final[Mapping[Verb, CommandSpec]] = MappingProxyType(
    {
        Verb.REVIEW: CommandSpec(
            usages=(
                Usage(
                    text="/spark review",
                    does="reviews the whole pull request again; `instant`, `standard` or `deep` sets the effort",
                    need=Need.ASK,
                ),
            ),
            examples=("/spark review", "/spark review deep"),
            also=("rereview", "re-review", "rerun", "retry", "check", "start", "run"),
            recalls=False,
        ),
        Verb.FIX: CommandSpec(
            usages=(
                Usage(
                    text="/spark fix",
                    does="answers what the thread is about with a suggestion that you can commit",
                    need=Need.ASK,
                    where=Where.THREAD,
                ),
                Usage(
                    text="/spark fix INSTRUCTION",
                    does="does what you ask for in the file of the thread",
                    need=Need.ASK,
                    where=Where.THREAD,
                ),
                Usage(
                    text="/spark fix FILE INSTRUCTION",
                    does="does what you ask for in a file that the pull request changes",
                    need=Need.ASK,
                ),
                Usage(
                    text="/spark fix --commit",
                    does="pushes the fix to the branch, with or without an instruction",
                    need=Need.WRITE,
                ),
                Usage(
                    text="/spark fix all",
                    does="applies every open finding that has a patch, as one commit",
                    need=Need.WRITE,
                ),
            ),
            examples=(
                "/spark fix",
                "/spark fix --commit",
                "/spark fix turn this loop into a generator",
                "/spark fix src/app.py make the retries configurable",
                "/spark fix src/app.py convert it to a class",
                "/spark fix all",
            ),
            also=("apply", "commit", "repair", "patch", "fixit", "fixup", "autofix", "solve"),
        ),
        Verb.UNDO: CommandSpec(
            usages=(
                Usage(
                    text="/spark undo",
                    does="reverts the last commit that `/spark fix` made, unless its lines were changed since",
                    need=Need.WRITE,
                ),
            ),
            examples=("/spark undo",),
            also=("revert", "rollback", "unfix"),
        ),
        Verb.EXPLAIN: CommandSpec(
            usages=(
                Usage(
                    text="/spark explain",
                    does="explains what the thread is about; in the conversation, what the pull request changes",
                    need=Need.ASK,
                ),
            ),
            examples=("/spark explain", "/spark explain why this can be None"),
            also=("why", "describe", "summarize", "summarise", "summary"),
        ),
        Verb.ASK: CommandSpec(
            usages=(
                Usage(
                    text="/spark ask QUESTION",
                    does="answers a question about the thread, or about the pull request",
                    need=Need.ASK,
                ),
            ),
            examples=("/spark ask is this called from anywhere else?",),
            also=("question", "chat", "tell", "what", "how"),
        ),
        Verb.IGNORE: CommandSpec(
            usages=(
                Usage(
                    text="/spark ignore [REASON]",
                    does="dismisses the finding: it is not brought up again in this repository",
                    need=Need.WRITE,
                    where=Where.THREAD,
                ),
            ),
            examples=("/spark ignore", "/spark ignore the caller holds the lock"),
            also=("dismiss", "skip", "wontfix", "mute", "silence", "suppress"),
        ),
        Verb.RESOLVE: CommandSpec(
            usages=(
                Usage(
                    text="/spark resolve",
                    does="resolves the thread; a person's thread only for those who may write",
                    need=Need.ASK,
                    where=Where.THREAD,
                ),
            ),
            examples=("/spark resolve",),
            also=("close", "done", "fixed", "resolved"),
        ),
        Verb.PAUSE: CommandSpec(
            usages=(
                Usage(
                    text="/spark pause",
                    does="stops the reviews of this pull request, the one that runs as well",
                    need=Need.WRITE,
                ),
            ),
            examples=("/spark pause",),
            also=("stop", "cancel", "abort", "off", "disable"),
        ),
        Verb.RESUME: CommandSpec(
            usages=(
                Usage(text="/spark resume", does="goes on with the reviews of this pull request", need=Need.WRITE),
            ),
            examples=("/spark resume",),
            also=("unpause", "continue", "on", "enable"),
        ),
        Verb.CONFIG: CommandSpec(
            usages=(
                Usage(text="/spark config", does="shows the settings in force and where each came from", need=Need.ASK),
            ),
            examples=("/spark config",),
            also=("settings", "configuration", "options", "configure"),
            recalls=False,
        ),
        Verb.HELP: CommandSpec(
            usages=(Usage(text="/spark help", does="shows this list", need=Need.ANYONE),),
            examples=("/spark help",),
            also=("commands", "usage", "hello", "hi"),
            recalls=False,
        ),
    }
)


def need(command: Command) -> Need:
    """What somebody must be for this command with these flags."""
    if command.verb is Verb.FIX:
        return Need.WRITE if command.commit or command.everything else Need.ASK
    return COMMANDS[command.verb].usages[0].need


def table() -> str:
    """Every command as a Markdown table, as docs/reference.md holds it: usage, what it does, where, who may. No final newline."""
    rows = [
        f"| `{usage.text}` | {usage.does} | {usage.where} | {usage.need} |"
        for spec in COMMANDS.values()
        for usage in spec.usages
    ]
    return "\n".join(["| command | what it does | where | who may |", "|---|---|---|---|", *rows])
