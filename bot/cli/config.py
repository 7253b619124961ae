"""`spark config check FILE`: the mistakes of a repository's configuration, a line each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bot.cli.output import put
from bot.errors import ConfigError, UserError
from bot.review.config import read_config

MAX_BYTES = 1024 * 1024


def run(options: argparse.Namespace) -> int:
    """Check one file. Returns 0 when it is valid; 2, with its mistakes on standard output, when it is not."""
    name = "standard input" if options.file == "-" else options.file
    text = _read(options.file, name)
    try:
        read_config(text, name=name)
    except ConfigError as error:
        put(f"{error}\n")
        return error.exit_code
    put(f"{name}: valid\n")
    return 0


def _read(file: str, name: str) -> str:
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "Name a configuration file, such as .github/spark.yml."
        raise UserError(f"{name} cannot be read ({error.strerror})", remedy=remedy) from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{name} is larger than {MAX_BYTES >> 20} MiB", remedy="It is no configuration of Spark.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8 (byte {error.start})", remedy="Save it as UTF-8.") from error
