"""`.github/spark.yml` as a value, with every mistake in it named by line and key.

This module reads text alone: where the text comes from (the base branch, never the head) is the caller's business. It
refuses tags, duplicate keys, deep nesting and texts that grow when their aliases are written out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pathspec import GitIgnoreSpec
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from bot.errors import ConfigError
from bot.review.marked_yaml import YamlMistake, YamlText, read_yaml
from bot.review.model import Effort, Severity

CONFIG_PATH = ".github/spark.yml"
"""Where a repository keeps it."""


class Trigger(StrEnum):
    """What starts a review."""

    OPENED = "opened"
    SYNCHRONIZE = "synchronize"
    READY_FOR_REVIEW = "ready_for_review"
    LABEL = "label"
    COMMAND = "command"


class PostMode(StrEnum):
    """One review at the end, or waves while a long one runs."""

    ONE_REVIEW = "one-review"
    WAVES = "waves"


class FailOn(StrEnum):
    """From which severity on the gate fails."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NEVER = "never"

    @property
    def severity(self) -> Severity | None:
        """None for never."""
        return None if self is FailOn.NEVER else Severity(self.value)


class Role(StrEnum):
    """Who somebody is to a repository; `author` is the pull request's own."""

    ADMIN = "admin"
    MAINTAIN = "maintain"
    WRITE = "write"
    TRIAGE = "triage"
    READ = "read"
    AUTHOR = "author"


def _readable_glob(glob: str) -> str:
    try:
        GitIgnoreSpec.from_lines([glob])
    except ValueError as error:
        raise ValueError(f"{_shown(glob)} is not a glob: {error}") from error
    return glob


Text = Annotated[StrictStr, Field(max_length=8_000)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=500)]
Glob = Annotated[Name, AfterValidator(_readable_glob)]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReviewKeys(_Keys):
    """When and how a pull request is reviewed."""

    on: tuple[Trigger, ...] = Field(
        default=(Trigger.OPENED, Trigger.SYNCHRONIZE, Trigger.READY_FOR_REVIEW, Trigger.COMMAND),
        description="What starts a review.",
    )
    label: Annotated[StrictStr, Field(min_length=1, max_length=50)] = Field(
        default="spark", description="The label that starts a review, when `on` has `label`."
    )
    drafts: StrictBool = Field(default=False, description="Whether drafts are reviewed.")
    branches: tuple[Glob, ...] = Field(
        default=(), description="Base branches to review for, as globs in .gitignore style. Empty: all."
    )
    authors: tuple[Name, ...] = Field(
        default=(), description="Logins whose pull requests are reviewed; a leading `!` leaves one out. Empty: all."
    )
    max_comments: Annotated[StrictInt, Field(ge=0, le=300)] = Field(
        default=30, description="At most this many line comments; the others are told in the summary."
    )
    min_severity: Severity = Field(default=Severity.LOW, description="Findings below this are not posted.")
    effort: Effort = Field(default=Effort.STANDARD, description="How much is spent on being right.")
    post: PostMode = Field(default=PostMode.ONE_REVIEW, description="One review, or waves while a long one runs.")
    language: Annotated[StrictStr, Field(min_length=1, max_length=60)] = Field(
        default="English", description="The language findings are written in."
    )
    instructions: Text = Field(default="", description="What reviewers of this repository look for, in your words.")


class PathKeys(_Keys):
    """Which files are reviewed. Globs are in .gitignore style."""

    include: tuple[Glob, ...] = Field(default=(), description="Only these files are reviewed. Empty: all.")
    ignore: tuple[Glob, ...] = Field(default=(), description="These files are not reviewed; `!` takes one back.")
    instructions: Mapping[Glob, Text] = Field(
        default_factory=dict, description="What to look for in the files of a glob."
    )


class GateKeys(_Keys):
    """When the check fails."""

    fail_on: FailOn = Field(default=FailOn.NEVER, description="Fail when a finding is this severe or more.")
    min_votes: Annotated[StrictInt, Field(ge=0, le=10)] = Field(
        default=0, description="Only findings with this many votes can fail the gate."
    )
    require_coverage: StrictBool = Field(
        default=False, description="Fail, instead of being neutral, when something was not reviewed."
    )


class CommandKeys(_Keys):
    """Who may give commands in comments."""

    allow: tuple[Role, ...] = Field(default=(Role.ADMIN, Role.MAINTAIN, Role.WRITE), description="Who may.")


class AnalyzerKeys(_Keys):
    """Which analyzers run."""

    ruff: StrictBool = Field(default=True, description="ruff, on changed lines of Python.")


class BudgetKeys(_Keys):
    """How much one review may cost."""

    max_usd: Annotated[StrictFloat | StrictInt, Field(gt=0)] | None = Field(
        default=None, description="US dollars per review."
    )
    max_tokens: Annotated[StrictInt, Field(ge=1_000)] | None = Field(
        default=None, description="Tokens of diff per review; files that do not fit are named."
    )
    seconds: Annotated[StrictInt, Field(ge=5, le=3_600)] | None = Field(
        default=None, description="Seconds until a review ends with what it has."
    )


class RepoConfig(_Keys):
    """A repository's wishes. Frozen; `RepoConfig()` has the defaults."""

    review: ReviewKeys = Field(default_factory=ReviewKeys, description="When and how a pull request is reviewed.")
    paths: PathKeys = Field(default_factory=PathKeys, description="Which files are reviewed.")
    guidelines: tuple[Name, ...] = Field(
        default=(), description="Files with rules for reviewers, such as AGENTS.md, read from the base branch."
    )
    gate: GateKeys = Field(default_factory=GateKeys, description="When the check fails.")
    commands: CommandKeys = Field(default_factory=CommandKeys, description="Who may give commands.")
    analyzers: AnalyzerKeys = Field(default_factory=AnalyzerKeys, description="Which analyzers run.")
    budget: BudgetKeys = Field(default_factory=BudgetKeys, description="How much one review may cost.")


def read_config(text: str, *, name: str) -> RepoConfig:
    """The config in `text`; `name` is the file's name for the messages.

    Raises ConfigError with every mistake, a line each: `.github/spark.yml:4: review.efort: unknown key, did you mean
    effort?`. An empty text is the default config.
    """
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


def glob_spec(patterns: Iterable[str]) -> GitIgnoreSpec:
    """Globs of the config as a matcher; `.match_file(path)` says whether a path is in. The last match wins."""
    return GitIgnoreSpec.from_lines(patterns)


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
        return f"{_shown(given)} is not one of {', '.join(known)}{hint}"
    if kind in _PROBLEMS:
        return f"must be {_PROBLEMS[kind]}, not {_shown(error.get('input'))}"
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
        inner = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ()
        model = inner
    return tuple(model.model_fields)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    return repr(value if len(value) <= 60 else value[:57] + "...")
