"""How a variable becomes a value: where it is looked for, and one strict reader for each kind.

A reader takes text and raises ValueError; `Values.read` turns that into an error that names the variable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from bot.errors import ConfigError

SECOND_NAMES: Final = {"SPARK_BASE_URL": "OPENAI_BASE_URL"}
"""Variables with a second name, which counts when the first is not set."""

Value = TypeVar("Value")


class Secret(str):
    """A text that does not show itself in a `repr`, and so in no trace or dump of the settings."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


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


class Values:
    """Variables from two places, and which place each came from."""

    def __init__(self, env: Mapping[str, str], file: Mapping[str, str]) -> None:
        self._env = env
        self._file = file

    def names(self) -> set[str]:
        """Every name in either place, ours or not."""
        return {*self._env, *self._file}

    def text(self, name: str) -> str:
        """The value without white space around it; empty when it is not set."""
        return self._found(name)[1]

    def _found(self, name: str) -> tuple[str, str, bool]:
        """The variable's name, its value, and whether the file has it; the value is empty where there is none."""
        names = [name, SECOND_NAMES[name]] if name in SECOND_NAMES else [name]
        for values, from_file in ((self._env, False), (self._file, True)):
            for candidate in names:
                if value := values.get(candidate, "").strip():
                    return candidate, value, from_file
        return name, "", False

    def read(self, name: str, reader: Callable[[str], Value], wanted: str) -> Value | None:
        """The value through a reader; None when it is not set. ConfigError that says what is wanted instead."""
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
        """The value as a secret; None when it is not set."""
        text = self.text(name)
        return Secret(text) if text else None

    def url(self, name: str) -> str | None:
        """The value as an address without a final slash; None when it is not set."""
        return self.read(name, url, "a URL with https:// (or http:// on this machine)")

    def refuse_foreign(self, address: str, keys: tuple[str, ...]) -> None:
        """Refuse an address from the file beside a secret from the environment. This machine and presets are no threat."""
        found, text, from_file = self._found(address)
        if not from_file or "://" not in text or is_local(text):
            return
        exposed = next((name for name in keys if self._env.get(name, "").strip()), None)
        if exposed is not None:
            raise ConfigError(
                f"{found} comes from the .env file but {exposed} from the environment, and a .env file may be a stranger's",
                remedy="Put both in the same place.",
            )


def _may_be_shown(name: str) -> bool:
    return not name.endswith(("_KEY", "_SECRET", "_TOKEN"))


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env` file; none where there is no file. ConfigError when it cannot be read."""
    try:
        if not path.is_file():
            return {}
        # No interpolation: a key may have a "$" in it.
        from dotenv import dotenv_values  # noqa: PLC0415 - an Action and a server in a container have no such file

        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({type(error).__name__})", remedy="Mend it or move it away."
        ) from error
    return {name: value for name, value in values.items() if value is not None}


def count(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return read


def app_id(text: str) -> str:
    """An App's id, or its client id."""
    if not re.fullmatch(r"[A-Za-z0-9.]{1,100}", text):
        raise ValueError(text)
    return text


def secrets(text: str) -> tuple[Secret, ...]:
    """One secret, or two with a comma between them."""
    parts = tuple(Secret(part.strip()) for part in text.split(","))
    if len(parts) > 2 or not all(parts):
        raise ValueError(text)
    return parts


def repos(text: str) -> tuple[str, ...]:
    """Globs of `owner/name`, with commas between them."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[^/\s]+/[^/\s]+", part) for part in parts):
        raise ValueError(text)
    return parts


def url(text: str) -> str:
    """An address with http or https, without a password in it and without a final slash."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ValueError(text)
    return text.rstrip("/")


def is_local(address: str) -> bool:
    """Whether an address is one of this machine."""
    try:
        return urlsplit(address).hostname in {"localhost", "127.0.0.1", "::1"}
    except ValueError:
        return False
