"""The keys of `.github/spark.yml` as types, with their defaults and limits. How the text is read is in `config`.

Everything here is frozen and strict: no key that is not known, no value of another type than it should have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated

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
    model_validator,
)

from bot.review.config_names import Trigger
from bot.review.model import Category, Effort, Severity


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


def glob_spec(patterns: Iterable[str]) -> GitIgnoreSpec:
    """Globs of the config as a matcher; `.match_file(path)` says whether a path is in. The last match wins."""
    return GitIgnoreSpec.from_lines(patterns)


def words_of(text: str) -> frozenset[str]:
    """The words of a text, in any order and case."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def _readable_glob(glob: str) -> str:
    try:
        GitIgnoreSpec.from_lines([glob])
    except ValueError as error:
        raise ValueError(f"{shown(glob)} is not a glob: {error}") from error
    return glob


def _with_words(title: str) -> str:
    if not words_of(title):
        raise ValueError(f"{shown(title)} has no word in it")
    return title


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


class DismissRule(_Keys):
    """A lasting dismissal: findings that are all of what it says are not told and do not count."""

    rule: Name | None = Field(default=None, description="An analyzer's rule id, such as S311; in any case.")
    category: Category | None = Field(default=None, description="The kind of finding.")
    title: Annotated[StrictStr, Field(min_length=1, max_length=200), AfterValidator(_with_words)] | None = Field(
        default=None, description="Words that must all stand in the finding's title, in any order and case."
    )
    paths: tuple[Glob, ...] = Field(default=(), description="Only in these files, as globs. Empty: all.")
    severity: Severity = Field(
        default=Severity.HIGH, description="Findings more severe than this are told all the same."
    )
    reason: Annotated[StrictStr, Field(max_length=500)] = Field(
        default="", description="Why, for those who read the summary."
    )

    # What `_says_which` asks for, for editors.
    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [key]} for key in ("rule", "category", "title")]}
    )

    @model_validator(mode="after")
    def _says_which(self) -> DismissRule:
        if self.rule is None and self.category is None and self.title is None:
            raise ValueError("needs one of rule, category or title; to leave files out, use paths.ignore")
        return self


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
    dismiss: Annotated[tuple[DismissRule, ...], Field(max_length=200)] = Field(
        default=(), description="Findings that are dismissed for good and everywhere."
    )


def shown(value: object) -> str:
    """A value of the file as a message names it: short, and never a whole list."""
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
