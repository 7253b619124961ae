"""Settings: the environment and a `.env` file, read once and strictly, then passed on as values.

Refuses to guess: a value that cannot be meant is an error that names its variable. Refuses to show a key. Refuses to
send a key of the environment to an address that a `.env` file names: the file may have come with somebody's repository.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values

from bot.errors import ConfigError
from bot.review.model import Effort

DEFAULT_MODEL: Final = "codex-spark-preview"
DEFAULT_BASE_URL: Final = "openai"

KEY_VARIABLES: Final = (
    "SPARK_API_KEY",
    "OPENAI_API_KEY",
    "CEREBRAS_API_KEY",
    "GROQ_API_KEY",
    "OLLAMA_API_KEY",
)
"""Where a key may stand. The endpoint decides which of them may be sent to it."""

VARIABLES: Final[Mapping[str, str]] = {
    "SPARK_API_KEY": "key of the endpoint; OPENAI_API_KEY, or a preset's own such as GROQ_API_KEY, works too",
    "SPARK_BASE_URL": "an OpenAI-compatible URL, or openai (default), cerebras, groq, ollama; or OPENAI_BASE_URL",
    "SPARK_MODEL": f"the model, {DEFAULT_MODEL} by default",
    "SPARK_API": "chat (default) or responses",
    "SPARK_EFFORT": "instant, standard or deep; the repository's configuration by default",
    "SPARK_DEADLINE": "seconds that a review may take, 120 by default",
    "SPARK_STREAMS": "streams open at once, 64 by default",
    "SPARK_PRICES": "model=IN/OUT[/CACHED],..., in US dollars per million tokens",
    "SPARK_MAX_USD_PER_REVIEW": "the most one review may cost; no limit by default",
    "SPARK_MAX_USD_PER_DAY": "the most a server may spend in a day; no limit by default",
    "GITHUB_TOKEN": "for --pr and --post",
    "GITHUB_API_URL": "the API of a GitHub Enterprise Server",
    "GITHUB_GRAPHQL_URL": "its GraphQL endpoint, when it is not beside the API",
    "GITHUB_SERVER_URL": "its web address",
    "SPARK_APP_ID": "the GitHub App that a server acts as",
    "SPARK_APP_PRIVATE_KEY": "the App's private key: PEM text, or the path of a file with it",
    "SPARK_WEBHOOK_SECRET": "one secret, or two separated by a comma while rotating",
    "SPARK_DATABASE_URL": "a SQLite file by default, or a PostgreSQL URL",
    "SPARK_ALLOWED_REPOS": "owner/name globs a server works for, separated by commas; all by default",
    "SPARK_PUBLIC_URL": "the address people and GitHub reach the server at, for the links in its checks",
    "SPARK_PAGE_TOKEN": "what people type to see the pages of a server that is not on loopback",
    "SPARK_REVIEWS": "reviews a server runs at once, 8 by default",
    "SPARK_REVIEWS_PER_INSTALLATION": "of these, at most so many of one installation, 4 by default",
    "SPARK_QUEUE": "jobs that may wait, 1000 by default; above it deliveries are answered 503",
    "SPARK_KEEP_DAYS": "days that the history is kept, 30 by default",
}
"""Every variable with what it means: the help text is made from this."""

_SAME: Final = {"SPARK_BASE_URL": "OPENAI_BASE_URL"}
"""Variables with a second name, which counts when the first is not set."""

_MISSPELT: Final = 0.84
"""How alike two names are that are taken for one; other programs own names that begin with SPARK_, too."""

Value = TypeVar("Value")


class Secret(str):
    """A text that does not show itself in a `repr`, and so in no trace or dump of the settings."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


class Api(StrEnum):
    """How the endpoint is spoken to."""

    CHAT = "chat"
    RESPONSES = "responses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. None or an empty value is what was not set and has no default."""

    keys: Mapping[str, Secret] = field(default_factory=dict)
    """The keys there are, by the variable each came from."""
    base_url: str = DEFAULT_BASE_URL
    """A URL, or a preset's name, as it was written."""
    model: str = DEFAULT_MODEL
    api: Api = Api.CHAT
    effort: Effort | None = None
    deadline: float = 120.0
    """Seconds."""
    streams: int = 64
    prices: str = ""
    max_usd_per_review: float | None = None
    max_usd_per_day: float | None = None
    github_token: Secret | None = None
    github_api_url: str = "https://api.github.com"
    github_graphql_url: str | None = None
    github_server_url: str = "https://github.com"
    app_id: str | None = None
    app_private_key: Secret | None = None
    webhook_secrets: tuple[Secret, ...] = ()
    database_url: Secret | None = None
    """May have a password in it."""
    allowed_repos: tuple[str, ...] = ()
    public_url: str | None = None
    page_token: Secret | None = None
    reviews: int = 8
    """At once, in one process."""
    reviews_per_installation: int = 4
    """At once, in all processes."""
    queue: int = 1000
    """Jobs that may wait, in all processes."""
    keep_days: int = 30
    notices: tuple[str, ...] = ()
    """What looks like a mistake but may be none: a variable whose name is nearly one of ours."""


def read_settings(env: Mapping[str, str], *, dotenv: Path | None = None) -> Settings:
    """The settings of `env` and of the file `dotenv`, where there is one; a variable of `env` goes before the file's.

    An empty value counts as not set. Raises ConfigError naming the variable, or the file that cannot be read.
    """
    values = _Values(env, _read_dotenv(dotenv) if dotenv is not None else {})
    settings = Settings(
        keys={name: Secret(key) for name in KEY_VARIABLES if (key := values.text(name))},
        base_url=values.text("SPARK_BASE_URL") or DEFAULT_BASE_URL,
        model=values.text("SPARK_MODEL") or DEFAULT_MODEL,
        api=values.read("SPARK_API", Api, "one of chat, responses") or Api.CHAT,
        effort=values.read("SPARK_EFFORT", Effort, "one of instant, standard, deep"),
        deadline=values.read("SPARK_DEADLINE", seconds, "a number of seconds above 0, such as 120") or 120.0,
        streams=values.read("SPARK_STREAMS", _count(1, 1000), "a whole number from 1 to 1000") or 64,
        prices=values.text("SPARK_PRICES"),
        max_usd_per_review=values.read("SPARK_MAX_USD_PER_REVIEW", dollars, "an amount in US dollars, such as 0.50"),
        max_usd_per_day=values.read("SPARK_MAX_USD_PER_DAY", dollars, "an amount in US dollars, such as 20"),
        github_token=values.secret("GITHUB_TOKEN"),
        github_api_url=values.url("GITHUB_API_URL") or "https://api.github.com",
        github_graphql_url=values.url("GITHUB_GRAPHQL_URL"),
        github_server_url=values.url("GITHUB_SERVER_URL") or "https://github.com",
        app_id=values.read("SPARK_APP_ID", _app_id, "the App's id or client id, letters and digits alone"),
        app_private_key=values.secret("SPARK_APP_PRIVATE_KEY"),
        webhook_secrets=values.read("SPARK_WEBHOOK_SECRET", _secrets, "one secret, or two separated by a comma") or (),
        database_url=values.secret("SPARK_DATABASE_URL"),
        allowed_repos=values.read("SPARK_ALLOWED_REPOS", _repos, "owner/name globs separated by commas") or (),
        public_url=values.url("SPARK_PUBLIC_URL"),
        page_token=values.secret("SPARK_PAGE_TOKEN"),
        reviews=values.read("SPARK_REVIEWS", _count(1, 200), "a whole number from 1 to 200") or 8,
        reviews_per_installation=values.read(
            "SPARK_REVIEWS_PER_INSTALLATION", _count(1, 200), "a whole number from 1 to 200"
        )
        or 4,
        queue=values.read("SPARK_QUEUE", _count(1, 100_000), "a whole number from 1 to 100000") or 1000,
        keep_days=values.read("SPARK_KEEP_DAYS", _count(1, 3_650), "a whole number of days from 1 to 3650") or 30,
        notices=_misspelt(values.names()),
    )
    values.refuse_foreign("SPARK_BASE_URL", KEY_VARIABLES)
    for name in ("GITHUB_API_URL", "GITHUB_GRAPHQL_URL"):
        values.refuse_foreign(name, ("GITHUB_TOKEN",))
    return settings


def seconds(text: str) -> float:
    """A number of seconds above 0. ValueError for anything else."""
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(text)
    return value


def dollars(text: str) -> float:
    """An amount of US dollars, 0 or more; a `$` in front may stay. ValueError for anything else."""
    value = float(text.removeprefix("$"))
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(text)
    return value


class _Values:
    """Variables from two places, and which place each came from."""

    def __init__(self, env: Mapping[str, str], file: Mapping[str, str]) -> None:
        self._env = env
        self._file = file

    def names(self) -> set[str]:
        return {*self._env, *self._file}

    def text(self, name: str) -> str:
        return self._found(name)[1]

    def _found(self, name: str) -> tuple[str, str, bool]:
        """The variable's name, its value, and whether the file has it; the value is empty where there is none."""
        names = [name, _SAME[name]] if name in _SAME else [name]
        for values, from_file in ((self._env, False), (self._file, True)):
            for candidate in names:
                if value := values.get(candidate, "").strip():
                    return candidate, value, from_file
        return name, "", False

    def read(self, name: str, reader: Callable[[str], Value], wanted: str) -> Value | None:
        found, text, _ = self._found(name)
        if not text:
            return None
        try:
            return reader(text)
        except ValueError:
            raise ConfigError(
                f"{found} is {text[:60]!r}" if _may_be_shown(name) else f"{found} is malformed",
                remedy=f"Set it to {wanted}.",
            ) from None

    def secret(self, name: str) -> Secret | None:
        text = self.text(name)
        return Secret(text) if text else None

    def url(self, name: str) -> str | None:
        return self.read(name, _url, "a URL with https:// (or http:// on this machine)")

    def refuse_foreign(self, address: str, secrets: tuple[str, ...]) -> None:
        """Refuse an address from the file beside a secret from the environment. This machine and presets are no threat."""
        found, text, from_file = self._found(address)
        if not from_file or "://" not in text or _is_local(text):
            return
        exposed = next((name for name in secrets if self._env.get(name, "").strip()), None)
        if exposed is not None:
            raise ConfigError(
                f"{found} comes from the .env file but {exposed} from the environment, and a .env file may be a stranger's",
                remedy="Put both in the same place.",
            )


def _may_be_shown(name: str) -> bool:
    return not name.endswith(("_KEY", "_SECRET", "_TOKEN"))


def _read_dotenv(path: Path) -> dict[str, str]:
    try:
        if not path.is_file():
            return {}
        # No interpolation: a key may have a "$" in it.
        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({type(error).__name__})", remedy="Mend it or move it away."
        ) from error
    return {name: value for name, value in values.items() if value is not None}


def _count(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return read


def _app_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.]{1,100}", text):
        raise ValueError(text)
    return text


def _secrets(text: str) -> tuple[Secret, ...]:
    parts = tuple(Secret(part.strip()) for part in text.split(","))
    if len(parts) > 2 or not all(parts):
        raise ValueError(text)
    return parts


def _repos(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[^/\s]+/[^/\s]+", part) for part in parts):
        raise ValueError(text)
    return parts


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ValueError(text)
    return text.rstrip("/")


def _is_local(url: str) -> bool:
    try:
        return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
    except ValueError:
        return False


def _misspelt(names: set[str]) -> tuple[str, ...]:
    known = {*VARIABLES, *KEY_VARIABLES, *_SAME.values()}
    return tuple(
        f"{name} is no setting of Spark; did you mean {near[0]}?"
        for name in sorted(names - known)
        if name.startswith("SPARK_") and (near := difflib.get_close_matches(name, known, 1, _MISSPELT))
    )
