"""What is in force for a repository, as Markdown: every key, its value, and where that came from.

Values are shown as they are, untrusted: long ones shortened, secrets masked. Of the server only what is no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

from pydantic import BaseModel

from bot.commands import answers
from bot.errors import SparkError
from bot.review.config import CONFIG_PATH, read_config
from bot.review.marked_yaml import YamlMistake, YamlText, read_yaml
from bot.review.model import Effort
from bot.review.render.redact import Redactor
from bot.review.render.safe import code

_LONGEST: Final = 160
"""Characters of one value; instructions may have thousands."""

_Path = tuple[str | int, ...]

Row = tuple[str, str, str]
"""Key, value, where it came from; the value is Markdown already."""


def view(text: str, *, settings: Sequence[Row], effort: Effort | None, redactor: Redactor) -> str:
    """The configuration in `text` (of the base branch; empty for no file), and the server's settings.

    `effort`: the server's, which goes before the repository's. Raises ConfigError for a text with mistakes.
    """
    config = read_config(text, name=CONFIG_PATH)
    try:
        read = read_yaml(text)
    except YamlMistake:  # `read_config` has read it, so there is none.
        read = YamlText(data=None)
    rows = [
        _of_server(effort)
        if effort is not None and path == ("review", "effort")
        else (f"`{'.'.join(map(str, path))}`", _value(value, redactor), _origin(path, read))
        for path, value in _leaves(config, ())
    ]
    return f"{_head(text)}\n\n{_table(rows)}{_server(settings, redactor)}"


def broken(error: SparkError, *, settings: Sequence[Row], redactor: Redactor) -> str:
    """A configuration with mistakes: all of them, and what that means."""
    return (
        f"`{CONFIG_PATH}` of the base branch has mistakes, so nothing is reviewed until they are mended there:\n\n"
        f"{answers.mistakes(error, redactor)}{_server(settings, redactor)}"
    )


def _head(text: str) -> str:
    if not text.strip():
        return f"There is no `{CONFIG_PATH}` on the base branch, so the defaults are in force."
    return f"What is in force, by `{CONFIG_PATH}` of the base branch:"


def _leaves(model: BaseModel, path: _Path) -> Iterator[tuple[_Path, object]]:
    """Every key with its value. A list of mappings is a row for each, so that each can say where it stands."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*path, name))
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            yield from (((*path, name, at), each) for at, each in enumerate(value))
        else:
            yield (*path, name), value


def _of_server(effort: Effort) -> Row:
    return "`review.effort`", code(effort.value), "the server's setting `SPARK_EFFORT`"


def _origin(path: _Path, read: YamlText) -> str:
    line = read.lines.get(path)
    return "default" if line is None else f"`{CONFIG_PATH}` line {line}"


def _value(value: object, redactor: Redactor) -> str:
    """As YAML would have it on one line."""
    plain = json.dumps(_plain(value), ensure_ascii=False)
    if isinstance(value, str):
        plain = value or '""'
    if value is None:
        return "none"
    flat = " ".join(redactor.redact(plain).split())
    return code(flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…")


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields if getattr(value, name)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _server(settings: Sequence[Row], redactor: Redactor) -> str:
    if not settings:
        return ""
    rows = [
        (f"`{name}`", code(redactor.redact(value)) if value else "not set", origin) for name, value, origin in settings
    ]
    return f"\n\nThe server:\n\n{_table(rows, 'setting')}"


def _table(rows: Sequence[Row], what: str = "key") -> str:
    lines = [f"| {what} | value | from |", "|---|---|---|"]
    # A pipe ends a cell even inside a code span.
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
