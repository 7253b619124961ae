"""Workflow commands: what a step prints for the runner to obey, and how all else that it prints is kept from being one.

The runner reads every line of a step's output. What begins with `::name::`, or has `##[name]` anywhere, is a command to it: an
annotation, a masked word, a group. Text of a model or of a diff may say such things on purpose. So it is printed between
`::stop-commands::` and its end (`Quiet`), and no line of it looks like a command to begin with (`plain_line`).

Makes text and writes it. Decides nothing about what is said.

Source of the rules: the documentation of workflow commands, and the runner's own reading of them (github.com/actions/runner).
"""

from __future__ import annotations

import re
import secrets
from enum import StrEnum
from types import TracebackType
from typing import Final, Self, TextIO

from bot.diff.model import printable
from bot.review.render.safe import clean

MAX_TITLE: Final = 255
"""Characters of an annotation's title, as in the API of checks. Counted in UTF-16 units, as the runner counts."""
MAX_MESSAGE: Final = 4_096
"""Characters of an annotation's message that the runner passes on; it cuts a longer one without a word."""
PER_LEVEL: Final = 10
"""Annotations of each level that GitHub shows of one step."""

_CUT: Final = " …"
_MAX_LINE: Final = 2_000
_NAME: Final = re.compile(r"[a-z][a-z-]*")
_KEY: Final = re.compile(r"[A-Za-z]+")
_OLD_FORM: Final = re.compile(r"##(?=\[)")


class Level(StrEnum):
    """How an annotation is shown; the values are the names of the commands."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


def escape_data(text: str) -> str:
    """Text behind the second `::`."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """The value of a property: a colon or a comma would end it."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def command(name: str, message: str = "", /, **properties: str | int | None) -> str:
    """One line without its end: `::error file=a.py,line=3::What is wrong`. A property that is None or empty is left out."""
    if not _NAME.fullmatch(name) or not all(map(_KEY.fullmatch, properties)):
        raise ValueError(f"no workflow command is named so: {name!r} with {list(properties)}")
    given = [
        f"{key}={escape_property(printable(str(value)))}"
        for key, value in properties.items()
        if value not in {None, ""}
    ]
    return f"::{name}{' ' if given else ''}{','.join(given)}::{escape_data(printable(message))}"


def annotation(
    level: Level,
    message: str,
    *,
    path: str = "",
    line: int | None = None,
    end_line: int | None = None,
    col: int | None = None,
    title: str = "",
) -> str:
    """An annotation as one line. Without a `path` it is the run's, with a path alone the file's.

    `path`: from the repository's root. `line`, `end_line` and `col` count from 1; a column counts for a single line only, so it
    is left out of several. Title and message are cut to what is shown, with a sign that they were.
    """
    first = None if line is None or not path else max(1, line)
    last = None if first is None or end_line is None else max(first, end_line)
    title = " ".join(clean(title).split())
    # The title comes last: the runner takes white space from the end of the list, and a path may need its own.
    return command(
        level.value,
        _cut(message.strip() or title or "(no text)", MAX_MESSAGE),
        file=path,
        line=first,
        endLine=last,
        col=col if first is not None and last in {None, first} else None,
        title=_cut(title, MAX_TITLE),
    )


def plain_line(text: str) -> str:
    """Untrusted text as one line that is no command, whatever it says: no control characters, at most 2,000 characters."""
    flat = " ".join(clean(text).split())
    flat = _OLD_FORM.sub("# #", flat)
    if flat.startswith("::"):
        flat = f": :{flat[2:]}"
    return flat if len(flat) <= _MAX_LINE else flat[: _MAX_LINE - len(_CUT)] + _CUT


class Quiet:
    """What is printed inside of the `with` is no command, whatever it says.

    Nothing inside can end it: the word that does is random and printed only before and behind. A command that is printed inside
    is not obeyed either, so annotations come after it. Inside of another one it changes nothing. It covers what goes to `out`
    alone: the runner reads the error output beside it, so nothing untrusted may go there.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._token = secrets.token_hex(16)

    def __enter__(self) -> Self:
        self._write(f"::stop-commands::{self._token}\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was printed last may have had no line end, and behind it the word would be no command and end nothing.
        self._write(f"\n::{self._token}::\n")

    def line(self, text: str) -> None:
        """Print `plain_line(text)` at once."""
        self._write(f"{plain_line(text)}\n")

    def _write(self, text: str) -> None:
        write(self._out, text)


def write(out: TextIO, text: str) -> None:
    """Print at once; what the output's encoding does not have becomes `?`, for not every runner's is UTF-8."""
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()


def _cut(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units."""
    raw = printable(text).encode("utf-16-le")
    if len(raw) <= 2 * limit:
        return printable(text)
    return raw[: 2 * (limit - len(_CUT))].decode("utf-16-le", "ignore") + _CUT
