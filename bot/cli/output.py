"""Where a finished review goes: standard output, or a file that is whole or not there at all.

Refuses to find out at the end that the file cannot be written: `check` comes before the review.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from bot.errors import UserError

_OBEYED = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""Characters that `json` leaves as they are and some terminals obey. They stand in strings alone."""


def as_json(document: dict[str, Any]) -> str:
    """A document as the text of a file: indented, in UTF-8, with a final newline.

    Control and direction characters are escapes: a terminal that the text is printed on must not obey them.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return _OBEYED.sub(lambda match: f"\\u{ord(match.group()):04x}", text) + "\n"


def check(path: Path) -> None:
    """UserError when `path` cannot become a file of ours."""
    folder = path.parent
    if path.is_dir():
        raise UserError(f"--output {path} is a directory", remedy="Name a file in it.")
    if not folder.is_dir():
        raise UserError(f"--output {path}: there is no directory {folder}", remedy="Make it first.")
    if not os.access(path if _is_special(path) else folder, os.W_OK):
        raise UserError(f"--output {path} cannot be written", remedy="Choose a place that you may write to.")


def write(path: Path, text: str) -> None:
    """Put `text` at `path` in one step: a reader sees the old file or the whole new one."""
    data = _encoded(text)
    try:
        if _is_special(path):
            # A pipe or a device cannot be replaced.
            path.write_bytes(data)
            return
        target = path.resolve()
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(
            f"--output {path} cannot be written ({error.strerror})", remedy="Choose another place."
        ) from error


def put(text: str) -> None:
    """`text` to standard output, as UTF-8 whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(_encoded(text))
    sys.stdout.buffer.flush()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _umask() -> int:
    """The process's umask, which cannot be asked for without setting it; nothing else creates files at this moment."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
