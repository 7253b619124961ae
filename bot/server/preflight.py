"""What must be right before a server opens a port: everything that the settings can get wrong, told at once.

Opens no connection. Light, so that a mistake is told at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from bot.errors import ConfigError, CredentialsError, UserError
from bot.github.app_key import read_key
from bot.model.endpoint import read_endpoint
from bot.model.prices import PriceTable
from bot.settings import Settings
from bot.settings.values import is_local

DATABASE_FILE: Final = "spark.db"
"""In the working directory, where no SPARK_DATABASE_URL is set."""
_SETUP: Final = "Run spark setup: it makes the GitHub App and writes the settings file."
_SQLITE: Final = "sqlite:///"
_SHORT: Final = 16
"""Characters; a shorter secret is found by trying."""


def check(settings: Settings) -> None:
    """Raise ConfigError that names every problem, one a line, each with its remedy."""
    problems = [str(problem) for problem in _problems(settings)]
    if problems:
        raise ConfigError("\n".join(problems))


def notices(settings: Settings) -> tuple[str, ...]:
    """What stops nothing, and is perhaps not meant."""
    told = list(settings.notices)
    if not settings.app_id:
        told.append("No GitHub App is set: deliveries are answered 503 until one is made, at /setup or by spark setup.")
    elif not settings.public_url:
        told.append(
            "SPARK_PUBLIC_URL is not set: the links in checks lead to this machine, and nobody else can follow them."
        )
    if any(len(secret) < _SHORT for secret in settings.webhook_secrets):
        told.append(
            f"SPARK_WEBHOOK_SECRET is shorter than {_SHORT} characters: who sees one delivery can guess it, and send others."
        )
    try:
        read_endpoint(settings.base_url, model=settings.model, api=settings.api, keys=settings.keys)
    except CredentialsError:
        told.append("No API key is set (SPARK_API_KEY): analyzers alone will review.")
    else:
        if settings.max_usd_per_day is None:
            told.append(
                "SPARK_MAX_USD_PER_DAY is not set: whoever may open a pull request, on a public repository anybody, spends "
                "without a limit."
            )
    return tuple(told)


def database_url(settings: Settings) -> str:
    """Where the jobs are kept."""
    return settings.database_url or f"{_SQLITE}{DATABASE_FILE}"


def is_private(settings: Settings, host: str) -> bool:
    """Whether the server is meant for this machine alone: it listens on loopback and has no public address.

    A public address means that something forwards to us, and then loopback proves nothing about who asks.
    """
    public = settings.public_url
    return _is_loopback(host) and (public is None or is_local(public))


def what_is_open(settings: Settings, host: str) -> str:
    """Who may see what, in a sentence."""
    always = "POST /webhook (signed), /healthz and /readyz are open"
    if settings.page_token:
        return f"{always}; the pages and /metrics need SPARK_PAGE_TOKEN"
    if is_private(settings, host):
        return f"{always}; so are the pages and /metrics, to whoever is on this machine (SPARK_PAGE_TOKEN closes them)"
    return f"{always}; the pages and /metrics are closed to everybody until SPARK_PAGE_TOKEN is set"


def _problems(settings: Settings) -> Iterator[UserError]:
    if not settings.webhook_secrets:
        yield ConfigError(
            "SPARK_WEBHOOK_SECRET is not set, and without it anybody could send webhooks",
            remedy=f"{_SETUP} Or set it to the webhook secret of the App that you have.",
        )
    yield from _app_problems(settings)
    yield from _database_problems(settings)
    try:
        endpoint = read_endpoint(settings.base_url, model=settings.model, api=settings.api, keys=settings.keys)
        PriceTable.read(settings.prices, preset=endpoint.preset)
    except CredentialsError as error:
        # No key at all is allowed: analyzers review alone, and every check says so.
        if any(settings.keys.values()):
            yield error
    except UserError as error:
        yield error


def _app_problems(settings: Settings) -> Iterator[UserError]:
    key = settings.app_private_key
    if settings.app_id and not key:
        yield ConfigError("SPARK_APP_ID is set and SPARK_APP_PRIVATE_KEY is not", remedy=f"Set both. {_SETUP}")
    if key and not settings.app_id:
        yield ConfigError("SPARK_APP_PRIVATE_KEY is set and SPARK_APP_ID is not", remedy=f"Set both. {_SETUP}")
    if key:
        try:
            read_key(key)
        except ConfigError as error:
            yield error


def _database_problems(settings: Settings) -> Iterator[UserError]:
    url = database_url(settings)
    if url in {_SQLITE, f"{_SQLITE}:memory:"}:
        yield ConfigError("SPARK_DATABASE_URL names no file", remedy="Use sqlite:///PATH.")
    elif url.startswith(_SQLITE):
        folder = Path(url.removeprefix(_SQLITE)).parent
        if not folder.is_dir():
            yield ConfigError(
                f"SPARK_DATABASE_URL names a file in {folder}, and there is no such folder", remedy="Make it first."
            )
    elif not url.startswith(("postgresql:", "postgres:", "postgresql+psycopg:")):
        # The value may have a password in it.
        yield ConfigError(
            "SPARK_DATABASE_URL is neither a SQLite file nor PostgreSQL",
            remedy="Use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
