from __future__ import annotations

from bot.commands.grammar import parse
from bot.commands.model import Command, Verb


def test_a_verb_alone_is_a_command() -> None:
    assert [parse(f"/spark {verb}") for verb in Verb] == [Command(verb=verb) for verb in Verb]
