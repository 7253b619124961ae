"""`.github/spark.yml` as a value, with every mistake in it named by line and key.

This module reads text alone: where the text comes from (the base branch, never the head) is the caller's business. It
refuses tags, duplicate keys, deep nesting and texts that grow when their aliases are written out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.errors import ConfigError
from bot.review.config_keys import (
    CommandKeys,
    DismissRule,
    FailOn,
    RepoConfig,
    ReviewKeys,
    Role,
    glob_spec,
    shown,
)
from bot.review.config_names import CONFIG_PATH, Trigger

if TYPE_CHECKING:
    from bot.review.marked_yaml import YamlText

__all__ = [
    "CONFIG_PATH",
    "CommandKeys",
    "DismissRule",
    "FailOn",
    "RepoConfig",
    "ReviewKeys",
    "Role",
    "Trigger",
    "config_schema",
    "glob_spec",
    "read_config",
]


def read_config(text: str, *, name: str) -> RepoConfig:
    """The config in `text`; `name` is the file's name for the messages.

    Raises ConfigError with every mistake, a line each: `.github/spark.yml:4: review.efort: unknown key, did you mean
    effort?`. An empty text is the default config.
    """
    if not text:
        return RepoConfig()
    from bot.review.marked_yaml import YamlMistake, read_yaml  # noqa: PLC0415 - where there is no file, none waits for it

    try:
        read = read_yaml(text)
    except YamlMistake as mistake:
        raise ConfigError(f"{name}:{mistake.line}: {mistake.problem}") from mistake
    if read.data is None:
        return RepoConfig()
    if not isinstance(read.data, dict):
        raise ConfigError(f"{name}:1: the file must be a mapping of keys such as `review:`")
    try:
        return RepoConfig.model_validate(_without_empty(read.data))
    except ValidationError as error:
        found = _mistakes(error.errors(include_url=False), read)
        raise ConfigError("\n".join(f"{name}:{line}: {what}" for line, what in found)) from error


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the file; `docs/spark.schema.json` is this, written out."""
    schema = RepoConfig.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Spark's repository config, .github/spark.yml",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _without_empty(data: dict[str, object]) -> dict[str, object]:
    """`paths:` with nothing behind it means its defaults."""
    return {key: value for key, value in data.items() if value is not None or key not in RepoConfig.model_fields}


def _mistakes(errors: Iterable[ErrorDetails], read: YamlText) -> list[tuple[int, str]]:
    """Each mistake once, in the order of the file: its line and what to read about it."""
    found: dict[tuple[int, str], None] = {}
    for error in errors:
        path = _path_of(error["loc"], read)
        where = ".".join(str(part) for part in path)
        found[read.line(path), f"{where}: {_problem(error, path)}"] = None
    return sorted(found)


def _path_of(loc: tuple[int | str, ...], read: YamlText) -> tuple[int | str, ...]:
    """The place in the file that a location of pydantic's names; behind it pydantic puts names of union members."""
    path = tuple(loc)
    while path and path not in read.lines:
        path = path[:-1]
    return path


def _problem(error: ErrorDetails, path: tuple[int | str, ...]) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "enum":
        given = error.get("input")
        options = str(error.get("ctx", {}).get("expected", ""))
        known = options.replace("'", "").replace(" or ", ", ").split(", ")
        near = difflib.get_close_matches(str(given), known, n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        return f"{shown(given)} is not one of {', '.join(known)}{hint}"
    if kind in _PROBLEMS:
        return f"must be {_PROBLEMS[kind]}, not {shown(error.get('input'))}"
    if kind == "value_error":
        return str(error.get("ctx", {}).get("error", error["msg"]))
    return error["msg"][:1].lower() + error["msg"][1:]


_PROBLEMS = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "model_type": "a mapping of keys",
}


def _unknown_key(path: tuple[int | str, ...]) -> str:
    known = _known_keys(path[:-1])
    key = str(path[-1])
    near = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=1)
    if near:
        return f"unknown key, did you mean {near[0]}?"
    elsewhere = [f"{top}.{key}" for top in RepoConfig.model_fields if key in _known_keys((top,))]
    if elsewhere:
        return f"unknown key here, did you mean {elsewhere[0]}?"
    return f"unknown key; known are {', '.join(known)}"


def _known_keys(path: tuple[int | str, ...]) -> tuple[str, ...]:
    model: type[BaseModel] = RepoConfig
    for part in path:
        if isinstance(part, int):  # An entry of the list that the part before it named.
            continue
        inner = _model_of(model.model_fields[part].annotation) if part in model.model_fields else None
        if inner is None:
            return ()
        model = inner
    return tuple(model.model_fields)


def _model_of(annotation: object) -> type[BaseModel] | None:
    """The keys that stand below one; of a list, those of its entries."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
