"""Settings: the environment and a `.env` file, read once and strictly, then passed on as values.

Refuses to guess: a value that cannot be meant is an error that names its variable. Refuses to show a key. Refuses to
send a key of the environment to an address that a `.env` file names: the file may have come with somebody's repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from bot.review.model import Effort
from bot.settings.values import (
    SECOND_NAMES,
    Secret,
    Values,
    app_id,
    count,
    dollars,
    read_dotenv,
    repos,
    seconds,
    secrets,
)

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_MODEL",
    "KEY_VARIABLES",
    "VARIABLES",
    "Api",
    "Secret",
    "Settings",
    "read_settings",
]

_MISSPELT: Final = 0.84
"""How alike two names are that are taken for one; other programs own names that begin with SPARK_, too."""

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
    values = Values(env, read_dotenv(dotenv) if dotenv is not None else {})
    settings = Settings(
        keys={name: Secret(key) for name in KEY_VARIABLES if (key := values.text(name))},
        base_url=values.text("SPARK_BASE_URL") or DEFAULT_BASE_URL,
        model=values.text("SPARK_MODEL") or DEFAULT_MODEL,
        api=values.read("SPARK_API", Api, "one of chat, responses") or Api.CHAT,
        effort=values.read("SPARK_EFFORT", Effort, "one of instant, standard, deep"),
        deadline=values.read("SPARK_DEADLINE", seconds, "a number of seconds above 0, such as 120") or 120.0,
        streams=values.read("SPARK_STREAMS", count(1, 1000), "a whole number from 1 to 1000") or 64,
        prices=values.text("SPARK_PRICES"),
        max_usd_per_review=values.read("SPARK_MAX_USD_PER_REVIEW", dollars, "an amount in US dollars, such as 0.50"),
        max_usd_per_day=values.read("SPARK_MAX_USD_PER_DAY", dollars, "an amount in US dollars, such as 20"),
        github_token=values.secret("GITHUB_TOKEN"),
        github_api_url=values.url("GITHUB_API_URL") or "https://api.github.com",
        github_graphql_url=values.url("GITHUB_GRAPHQL_URL"),
        github_server_url=values.url("GITHUB_SERVER_URL") or "https://github.com",
        app_id=values.read("SPARK_APP_ID", app_id, "the App's id or client id, letters and digits alone"),
        app_private_key=values.secret("SPARK_APP_PRIVATE_KEY"),
        webhook_secrets=values.read("SPARK_WEBHOOK_SECRET", secrets, "one secret, or two separated by a comma") or (),
        database_url=values.secret("SPARK_DATABASE_URL"),
        allowed_repos=values.read("SPARK_ALLOWED_REPOS", repos, "owner/name globs separated by commas") or (),
        public_url=values.url("SPARK_PUBLIC_URL"),
        page_token=values.secret("SPARK_PAGE_TOKEN"),
        reviews=values.read("SPARK_REVIEWS", count(1, 200), "a whole number from 1 to 200") or 8,
        reviews_per_installation=values.read(
            "SPARK_REVIEWS_PER_INSTALLATION", count(1, 200), "a whole number from 1 to 200"
        )
        or 4,
        queue=values.read("SPARK_QUEUE", count(1, 100_000), "a whole number from 1 to 100000") or 1000,
        keep_days=values.read("SPARK_KEEP_DAYS", count(1, 3_650), "a whole number of days from 1 to 3650") or 30,
        notices=_misspelt(values.names()),
    )
    values.refuse_foreign("SPARK_BASE_URL", KEY_VARIABLES)
    for name in ("GITHUB_API_URL", "GITHUB_GRAPHQL_URL"):
        values.refuse_foreign(name, ("GITHUB_TOKEN", "SPARK_APP_PRIVATE_KEY"))
    return settings


def _misspelt(names: set[str]) -> tuple[str, ...]:
    known = {*VARIABLES, *KEY_VARIABLES, *SECOND_NAMES.values()}
    strange = [name for name in sorted(names - known) if name.startswith("SPARK_")]
    if not strange:
        return ()
    import difflib  # noqa: PLC0415 - most environments have no such name

    return tuple(
        f"{name} is no setting of Spark; did you mean {near[0]}?"
        for name in strange
        if (near := difflib.get_close_matches(name, known, 1, _MISSPELT))
    )
