from __future__ import annotations

import re
from collections.abc import Callable

from bot.commands.grammar import MOST_REST, parse
from bot.commands.model import Command
from bot.commands.registry import COMMANDS, table
from bot.commands.serve import LOOP_ANSWERS, LOOP_ANSWERS_TO_WRITERS, LOOP_MINUTES
from bot.worker.answer import FLOOD, FLOOD_MINUTES, FLOOD_OF_WRITERS

Read = Callable[[str], str]
Section = Callable[[str, str], str]


def test_the_reference_has_the_table_of_the_registry(read: Read, section: Section) -> None:
    assert table() in section(read("docs/reference.md"), "## Commands")


def test_the_figures_of_the_commands_are_the_real_ones(read: Read, section: Section) -> None:
    told = " ".join(section(read("docs/reference.md"), "## Commands").split())
    assert f"up to {MOST_REST:,} characters" in told
    assert f"After {LOOP_ANSWERS} answers on a pull request in {LOOP_MINUTES} minutes" in told
    assert f"({LOOP_ANSWERS_TO_WRITERS} for those who may write)" in told
    flood = f"after {FLOOD} comments for Spark in {FLOOD_MINUTES} minutes ({FLOOD_OF_WRITERS} for those who may write)"
    assert flood in told


def test_every_command_that_a_document_names_is_one(read: Read) -> None:
    named: set[str] = set()
    for document in (
        "README.md",
        "docs/reference.md",
        "docs/design.md",
        "docs/self-hosting.md",
        "docs/threat-model.md",
    ):
        for text in re.findall(r"`(/spark[^`\n]*)`", read(document)):
            found = parse(text)
            assert isinstance(found, Command), f"{document}: {text}"
            named.add(found.verb)
    assert named == set(COMMANDS)
