"""What the App's set-up knows and does between its pages: the wish, the new App, the settings file.

A code of GitHub's is turned into an App once; its keys stay in memory until they are in the file, so a file that cannot be
written loses nothing. Knows nothing of HTTP. Refuses an answer to a question that was not asked here within the hour.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bot import log
from bot.errors import ConfigError, SparkError
from bot.github.manifest import NewApp
from bot.server import settings_file
from bot.server.settings_file import SettingsFileError
from bot.server.setup_wish import Wish
from bot.settings import Settings, read_settings

SECONDS: Final = 3600.0
"""GitHub's code is good for an hour (docs: registering a GitHub App from a manifest)."""
_MOST_BEGUN: Final = 50
"""Set-ups begun and not ended; somebody may press the button often."""
APP_VARIABLES: Final = ("SPARK_APP_ID", "SPARK_APP_PRIVATE_KEY", "SPARK_WEBHOOK_SECRET", "SPARK_PUBLIC_URL")


class Convert(Protocol):
    """Turns GitHub's code into the App's keys, once."""

    def __call__(self, code: str, *, api_url: str) -> NewApp:
        """Raises SparkError: UserError when GitHub does not take the code, OutsideError when it may be tried again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The keys are in the file."""

    app: NewApp
    wish: Wish
    backup: Path | None
    notices: tuple[str, ...]
    """What the server will stumble over when it reads the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsaved:
    """GitHub has made the App, and the file could not be written."""

    app: NewApp
    wish: Wish
    problem: str
    lines: str
    """The settings, for somebody who saves them by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBegun:
    """Nobody asked for this here, or too long ago, or it was used up."""

    why: str


@dataclass(frozen=True, slots=True)
class _Begun:
    wish: Wish
    at: float


class SetUp:
    """The set-up of one process. Everything may be called from several threads."""

    def __init__(
        self,
        *,
        file: Path,
        settings: Settings,
        env: Mapping[str, str],
        convert: Convert,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.file = file.absolute()
        self.settings = settings
        self._env = env
        self._convert = convert
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: dict[str, _Begun] = {}
        self._made: tuple[str, Wish, NewApp] | None = None
        self._saved: Saved | None = None

    @property
    def is_over(self) -> bool:
        """Whether an App is set, or was written by this process."""
        return self.settings.app_id is not None or self._saved is not None

    @property
    def is_made(self) -> bool:
        """Whether GitHub has made the App, saved or not."""
        return self._made is not None

    def blocked(self) -> str:
        """Why the file could not be written now; empty when it could."""
        try:
            if settings_file.read(self.file).get("SPARK_APP_ID", "").strip():
                return f"{self.file} has an App already (SPARK_APP_ID). Remove that line, or name another file with spark setup --file."
            settings_file.check(self.file)
        except SettingsFileError as error:
            return str(error)
        return ""

    def shadowed(self) -> tuple[str, ...]:
        """Variables of the environment that go before what the file will say."""
        return tuple(name for name in APP_VARIABLES if self._env.get(name, "").strip())

    def begin(self, state: str, wish: Wish) -> None:
        """Remember what was asked for under `state`, for an hour."""
        with self._lock:
            self._begun.pop(state, None)
            while len(self._begun) >= _MOST_BEGUN:
                self._begun.pop(next(iter(self._begun)))
            self._begun[state] = _Begun(wish, self._clock())

    def finish(self, state: str, code: str) -> Saved | Unsaved | NotBegun:
        """Exchange GitHub's code for the App's keys and write them. Raises what `convert` raises; then it may be tried again."""
        with self._lock:
            if (again := self._earlier(state)) is not None:
                return again
            begun = self._begun.get(state)
            if begun is None or self._clock() - begun.at > SECONDS:
                return NotBegun(why="This set-up was not begun here, or more than an hour ago")
            try:
                app = self._convert(code, api_url=self.settings.github_api_url)
            except SparkError as error:
                log.warning("setup.refused", error=type(error).__name__)
                raise
            self._begun.clear()
            self._made = (state, begun.wish, app)
            log.info("setup.made", app=app.id, slug=app.slug)
            return self._save(begun.wish, app)

    def write_again(self, state: str) -> Saved | Unsaved | NotBegun:
        """Try once more to write what could not be written."""
        with self._lock:
            return self._earlier(state) or NotBegun(why="There are no keys here that wait to be saved")

    def _earlier(self, state: str) -> Saved | Unsaved | NotBegun | None:
        """What stands already, when an App was made before: a page that is loaded again must not convert again."""
        if self._made is None:
            return None
        made_by, wish, app = self._made
        if not hmac.compare_digest(made_by.encode(), state.encode()):
            return NotBegun(why="Another set-up has made an App here meanwhile")
        return self._saved or self._save(wish, app)

    def _save(self, wish: Wish, app: NewApp) -> Saved | Unsaved:
        values = self._values(wish, app)
        backup = None
        # Somebody else's set-up may have been quicker, or the folder is not what it was when the form was shown.
        problem = self.blocked()
        if not problem:
            try:
                backup = settings_file.write(self.file, values).backup
            except SettingsFileError as error:
                problem = str(error)
        if problem:
            log.error("setup.unwritten")
            return Unsaved(app=app, wish=wish, problem=problem, lines=_lines(values))
        self._saved = Saved(app=app, wish=wish, backup=backup, notices=self._doubts(values))
        log.info("setup.written", replaced=backup is not None)
        return self._saved

    def _values(self, wish: Wish, app: NewApp) -> dict[str, str]:
        known, default = self.settings, Settings()
        values = {
            "SPARK_APP_ID": str(app.id),
            "SPARK_APP_PRIVATE_KEY": app.pem,
            "SPARK_PUBLIC_URL": wish.public_url,
        }
        if app.webhook_secret is not None:
            values["SPARK_WEBHOOK_SECRET"] = app.webhook_secret
        places = {
            "GITHUB_API_URL": (known.github_api_url, default.github_api_url),
            "GITHUB_GRAPHQL_URL": (known.github_graphql_url, default.github_graphql_url),
            "GITHUB_SERVER_URL": (known.github_server_url, default.github_server_url),
        }
        return values | {name: url for name, (url, usual) in places.items() if url is not None and url != usual}

    def _doubts(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """What will keep the server from what the file says."""
        doubts = [
            f"{name} is set in the environment of this process, too, and goes before the file: remove it there."
            for name, value in values.items()
            if (shadow := self._env.get(name, "").strip()) and shadow != value.strip()
        ]
        try:
            settings = read_settings(self._env, dotenv=self.file)
        except ConfigError as error:
            return (*doubts, f"With this file the server will not start: {error}")
        if not settings.webhook_secrets:
            doubts.append(
                "GitHub gave the App no webhook secret. Set one in the App's settings there, and the same as "
                "SPARK_WEBHOOK_SECRET in the file."
            )
        if not settings.keys:
            doubts.append(
                "No key of a model's endpoint is set. Unless yours needs none, add SPARK_API_KEY to the file: without it "
                "only the analyzers review."
            )
        return tuple(doubts)


def _lines(values: Mapping[str, str]) -> str:
    lines = []
    for name, value in values.items():
        try:
            lines.append(settings_file.line(name, value))
        except SettingsFileError:
            # Shown as it is: a value that no file can hold must not be lost either.
            lines.append(f"{name}={value}")
    return "\n".join(lines) + "\n"
