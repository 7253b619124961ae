"""What one review is asked to do, as a value. The command line makes it, as every other door does; the wiring reads it.

Also the sources that stand in front of others: one that was opened before, one that is being opened, and one with a configuration
of the user's.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.review.config_names import CONFIG_PATH

if TYPE_CHECKING:
    from bot.review.model import Effort, Severity
    from bot.review.ports import Opened, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeAsk:
    """A range of the local repository; None for what the branch brings on top of the default branch."""

    range: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedAsk:
    """What is staged in the local repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffAsk:
    """A diff file, or `-` for standard input."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullAsk:
    """A pull request, as the user named it. `post`: put the review on it."""

    name: str
    post: bool = False


Ask = RangeAsk | StagedAsk | DiffAsk | PullAsk


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRequest:
    """What one review is asked to do. None leaves a choice to the settings, then to the repository's configuration."""

    ask: Ask = field(default_factory=RangeAsk)
    effort: Effort | None = None
    fail_on: Severity | None = None
    never_fail: bool = False
    """`--fail-on never`: no gate, whatever the configuration says."""
    require_coverage: bool = False
    """Whatever fell short fails the gate, also where the configuration does not say so."""
    paths_ignore: tuple[str, ...] = ()
    """Patterns as in `paths.ignore`, beside those of the configuration."""
    model: str | None = None
    base_url: str | None = None
    no_model: bool = False
    """Analyzers alone, although there may be a key."""
    sarif: tuple[Path, ...] = ()
    max_usd: float | None = None
    deadline: float | None = None
    """Seconds."""
    full: str = ""
    """Why everything is to be reviewed again, in words; empty: on a pull that it is posted on, only what is new."""
    config: Path | None = None
    """A file that stands for the base's `.github/spark.yml`."""

    @property
    def post(self) -> bool:
        """Whether the review goes onto a pull request."""
        return isinstance(self.ask, PullAsk) and self.ask.post


@dataclass(frozen=True, slots=True)
class AlreadyOpen:
    """A source that was opened before the review began."""

    opened: Opened

    def open(self) -> Opened:
        """As it was."""
        return self.opened


class Opening:
    """A source that is opened in a thread of its own from now on, while the program loads what works on it.

    Nobody has to wait for the thread: a cancelled run ends while it reads.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._first: Future[Opened] | None = Future()
        threading.Thread(target=self._open, args=(self._first,), name="opening", daemon=True).start()

    def open(self) -> Opened:
        """What the thread read, the first time; after that the source is opened again. Raises as the source does."""
        first, self._first = self._first, None
        return self._source.open() if first is None else first.result()

    def _open(self, first: Future[Opened]) -> None:
        try:
            first.set_result(self._source.open())
        except BaseException as error:  # noqa: BLE001 - outermost of the thread: whoever asks for the result is told
            first.set_exception(error)


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """A source with the user's own file in the place of the repository's configuration."""

    source: Source
    path: Path

    def open(self) -> Opened:
        """The source's change. ConfigError for a file that cannot be read, or has mistakes."""
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigError(f"{self.path} cannot be read ({why})", remedy="Name a readable file.") from error
        from bot.review.config import read_config  # noqa: PLC0415 - brings pydantic and YAML

        # Its mistakes are told under its own name, and before the change is read.
        read_config(text, name=str(self.path))
        opened = self.source.open()
        return replace(opened, base_texts={**opened.base_texts, CONFIG_PATH: text})
