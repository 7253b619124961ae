"""The `spark` command, one verb a file, and what a terminal shows."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb. Its modules are imported when it is used: `spark --version` must not wait for any of them."""

    summary: str
    module: str
    """Has `run(options: argparse.Namespace) -> int`, which returns the exit code."""
    arguments: str = ""
    """Has `configure_<verb>(parser)`; the verb's own module when empty."""


VERBS: Final[Mapping[str, Verb]] = {
    "review": Verb(
        summary="review a local change, a diff or a pull request",
        module="bot.cli.review",
        arguments="bot.cli.arguments",
    ),
    "demo": Verb(
        summary="the whole job on this machine: a pull request is opened, reviewed and shown",
        module="bot.cli.demo",
    ),
    "config": Verb(
        summary="check a repository's .github/spark.yml",
        module="bot.cli.config",
        arguments="bot.cli.arguments",
    ),
}
"""Every verb there is, in the order in which the help lists them."""


def configure(name: str, parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of a verb."""
    verb = VERBS[name]
    function: Callable[[argparse.ArgumentParser], None] = getattr(
        importlib.import_module(verb.arguments or verb.module), f"configure_{name}"
    )
    function(parser)


def run(name: str, options: argparse.Namespace) -> int:
    """Run a verb; returns its exit code."""
    function: Callable[[argparse.Namespace], int] = importlib.import_module(VERBS[name].module).run
    return function(options)
