"""Where log events go: one line each on standard error, JSON for machines or text for people.

No line has a secret in it: the settings' own are masked by value, others' by their shape. No line is longer than a few
thousand characters, has a payload in it, or is more than one line: a trace is a field of its event.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, TextIO

from bot import log
from bot.github.faults import redact as without_github_tokens
from bot.settings import Settings

LONGEST_FIELD: Final = 1_000
"""Characters of one field; the rest is cut."""
_FRAMES: Final = 12
"""Innermost frames of a trace that are told."""
_SHORTEST_SECRET: Final = 6
"""Shorter ones are not masked by value: a secret `a` would make every line unreadable."""
_SHAPES: Final = re.compile(
    r"\b(?:sk|gsk|csk)[-_][A-Za-z0-9_-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----.*|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",
    re.DOTALL,
)
"""Keys of endpoints, private keys, and the user and password of an address."""
_ROOT: Final = Path(__file__).parents[2]


class Style(StrEnum):
    """How a line looks."""

    JSON = "json"
    TEXT = "text"


class Mask:
    """Masks secrets in text."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        # The longest first: one may be part of another.
        parts = {part for secret in secrets for part in (secret, *secret.splitlines()) if len(part) >= _SHORTEST_SECRET}
        self._values = tuple(sorted(parts, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """`text` with `***` in the place of every secret."""
        for value in self._values:
            text = text.replace(value, "***")
        return _SHAPES.sub("***", without_github_tokens(text))


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret of the settings."""
    single = (settings.github_token, settings.app_private_key, settings.database_url, settings.page_token)
    return (*settings.keys.values(), *settings.webhook_secrets, *(secret for secret in single if secret))


class JsonLines(logging.Formatter):
    """`{"at": RFC 3339, "level", "event", …fields}`."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """The event as one line of ASCII."""
        head = {"at": _time(record), "level": record.levelname.lower(), "event": _event(record)}
        fields = {name: self._plain(value) for name, value in _fields(record).items() if name not in head}
        return json.dumps({**head, **fields})

    def _plain(self, value: object) -> object:
        return _cut(self._mask(str(value))) if not isinstance(value, int | float | None) else value


class TextLines(logging.Formatter):
    """`12:34:56 info  job.started job=… repo=…`, for people."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """The event as one line without control characters."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = "".join(
            f" {name}={_cut(self._mask(str(value)))}" for name, value in _fields(record).items() if value is not None
        )
        line = f"{at} {record.levelname.lower():<7} {_event(record)}{fields}"
        return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def set_up(style: Style, *, secrets: Sequence[str] = (), stream: TextIO | None = None) -> None:
    """Send every log event of this process to `stream` (standard error), and what a thread dies of as well.

    Our own events from INFO on, those of libraries from WARNING on; of urllib3 errors alone, because what its tries come to is
    told by an event of ours. Call it again to change it.
    """
    mask = Mask(secrets)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(mask) if style is Style.JSON else TextLines(mask))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    log.LOGGER.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_died


def _thread_died(died: threading.ExceptHookArgs) -> None:
    if died.exc_type is not SystemExit:
        log.error("thread.died", exc=died.exc_value, thread=died.thread.name if died.thread else "")


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event(record: logging.LogRecord) -> str:
    """Our event's name; a library's is its own name."""
    return record.getMessage() if record.name == log.LOGGER.name else record.name


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields: dict[str, object] = dict(getattr(record, "fields", {}))
    if "event" in fields:
        # The line's own event has that name.
        fields["github_event"] = fields.pop("event")
    if record.name != log.LOGGER.name:
        fields["text"] = " ".join(record.getMessage().split())
    if record.exc_info and record.exc_info[1] is not None:
        fields["error"] = _told(record.exc_info[1])
        fields["trace"] = _trace(record.exc_info[1])
    return fields


def _told(error: BaseException) -> str:
    """The error and what it came from, without the text of any code."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    own = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return own if cause is None else f"{own}, from {type(cause).__name__}: {' '.join(str(cause).split())[:300]}"


def _trace(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " > ".join(f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames)


def _short(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(_ROOT / "bot"):
        return path.relative_to(_ROOT).as_posix()
    return "/".join(path.parts[-2:])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_FIELD else text[:LONGEST_FIELD] + "…"
