"""The inputs of `action.yml`, read strictly: a value that cannot be meant is an error that names its input.

A composite action gets no `INPUT_*` variables of its own, so `action.yml` maps every input to `SPARK_INPUT_<NAME>`. One test
holds the file, that mapping and `INPUTS` together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from bot.errors import ConfigError
from bot.review.config_names import CONFIG_PATH
from bot.review.model import Effort, Severity
from bot.settings.values import Secret, dollars

INPUTS: Final = (
    "api-key",
    "base-url",
    "model",
    "api",
    "github-token",
    "fail-on",
    "effort",
    "config",
    "paths-ignore",
    "post",
    "sarif-file",
    "analyzer-sarif",
    "max-usd",
    "require-coverage",
    "require-key",
    "pull",
)
"""Every input, in the order of `action.yml`."""
NEVER: Final = "never"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the workflow asks for. None leaves a choice to the repository's configuration."""

    api_key: Secret | None = None
    base_url: str = ""
    model: str = ""
    api: str = ""
    github_token: Secret | None = None
    fail_on: Severity | None = None
    never_fail: bool = False
    """`fail-on: never`."""
    effort: Effort | None = None
    config: str = CONFIG_PATH
    """Where the configuration is on the base branch."""
    paths_ignore: tuple[str, ...] = ()
    """Patterns as in `paths.ignore`, beside those of the configuration."""
    post: bool = True
    sarif_file: Path | None = None
    """Where the review is written as SARIF."""
    analyzer_sarif: tuple[Path, ...] = ()
    max_usd: float | None = None
    require_coverage: bool = False
    require_key: bool = False
    pull: int | None = None
    """The pull to review whatever the event is."""


def variable(name: str) -> str:
    """The variable that `action.yml` puts an input into: `SPARK_INPUT_FAIL_ON` for `fail-on`."""
    return f"SPARK_INPUT_{name.upper().replace('-', '_')}"


def read_inputs(env: Mapping[str, str]) -> Inputs:
    """The inputs; an empty one counts as not given. Raises ConfigError naming the input and what it may be."""

    def text(name: str) -> str:
        return env.get(variable(name), "").strip()

    def read(name: str, reader: Callable[[str], Value], wanted: str) -> Value | None:
        value = text(name)
        if not value:
            return None
        try:
            return reader(value)
        except ValueError:
            raise ConfigError(f"the input {name} is {value[:60]!r}", remedy=f"Set it to {wanted}.") from None

    levels = ", ".join(severity.value for severity in Severity)
    gate = read("fail-on", _gate, f"one of {levels}, {NEVER}")
    post = read("post", _flag, "true or false")
    sarif_file = text("sarif-file")
    return Inputs(
        api_key=Secret(key) if (key := text("api-key")) else None,
        base_url=text("base-url"),
        model=text("model"),
        api=text("api"),
        github_token=Secret(token) if (token := text("github-token")) else None,
        fail_on=gate if isinstance(gate, Severity) else None,
        never_fail=gate == NEVER,
        effort=read("effort", Effort, f"one of {', '.join(effort.value for effort in Effort)}"),
        config=read("config", _repository_path, f"a path in the repository, such as {CONFIG_PATH}") or CONFIG_PATH,
        paths_ignore=read("paths-ignore", _globs, "patterns as in .gitignore, one a line") or (),
        post=True if post is None else post,
        sarif_file=Path(sarif_file) if sarif_file else None,
        analyzer_sarif=tuple(Path(line) for line in _lines(text("analyzer-sarif"))),
        max_usd=read("max-usd", dollars, "an amount in US dollars, such as 0.50"),
        require_coverage=read("require-coverage", _flag, "true or false") or False,
        require_key=read("require-key", _flag, "true or false") or False,
        pull=read("pull", _number, "the number of a pull request"),
    )


def _flag(value: str) -> bool:
    if value not in {"true", "false"}:
        raise ValueError(value)
    return value == "true"


def _gate(value: str) -> Severity | str:
    return value if value == NEVER else Severity(value)


def _globs(value: str) -> tuple[str, ...]:
    from bot.review.config import glob_spec  # noqa: PLC0415 - brings pydantic and YAML

    globs = _lines(value)
    glob_spec(globs)
    return globs


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ValueError(value)
    return int(value)


def _repository_path(value: str) -> str:
    if value.startswith("/") or "\\" in value or any(part in {"", ".", ".."} for part in value.split("/")):
        raise ValueError(value)
    return value


def _lines(value: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in value.splitlines() if line.strip())
