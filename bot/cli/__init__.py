"""The `spark` command, one verb a file, and what a terminal shows."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from bot.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb. Its modules are imported when it is used: `spark --version` must not wait for any of them."""

    summary: str
    module: str
    """Has `run(options: argparse.Namespace) -> int`, which returns the exit code."""
    arguments: str = ""
    """Has `configure_<verb>(parser)`; the verb's own module when empty."""
    lasts: bool = False
    """It runs until somebody stops it."""


VERBS: Final[Mapping[str, Verb]] = {
    "review": Verb(
        summary="review a local change, a diff or a pull request",
        module="bot.cli.review",
        arguments="bot.cli.arguments",
    ),
    "serve": Verb(
        summary="webhook server, workers and live pages in one process",
        module="bot.cli.serve",
        arguments="bot.cli.arguments",
        lasts=True,
    ),
    "action": Verb(
        summary="one run inside GitHub Actions, as its action.yml starts it",
        module="bot.cli.action",
    ),
    "bench": Verb(
        summary="how fast endpoints write: measured, and set side by side",
        module="bot.cli.bench",
    ),
    "setup": Verb(
        summary="make the GitHub App of your own server, and write the settings file",
        module="bot.cli.setup",
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
        _module(name, verb.arguments or verb.module), f"configure_{name}"
    )
    function(parser)


def run(name: str, options: argparse.Namespace) -> int:
    """Run a verb; returns its exit code."""
    function: Callable[[argparse.Namespace], int] = _module(name, VERBS[name].module).run
    return function(options)


def _module(name: str, module: str) -> ModuleType:
    """A verb's module. UserError when a package that comes with an extra is not there."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "bot":
            raise
        raise UserError(
            f"spark {name} needs the package {error.name}, which is not installed",
            remedy="Install Spark with its extras: pip install 'spark-review[cli,server,sandbox]'.",
        ) from error
