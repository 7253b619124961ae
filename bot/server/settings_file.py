"""The settings file as the set-up writes it: some variables are set, every other byte stays as it is.

Refuses a file that it could not keep whole: one that is no UTF-8, has a line that is no setting, is a symbolic link or no
regular file. Never leaves half a file, and never one that others may read: the new text is written beside the old one,
with mode 0600, and takes its place in one step.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dotenv.parser import Binding, parse_stream

from bot.errors import UserError

MODE: Final = 0o600
MOST_BYTES: Final = 1_000_000
"""A settings file is a page long; what is larger is something else."""
_BOM: Final = b"\xef\xbb\xbf"
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+=,-]+")
"""Characters that need no quotes for python-dotenv, for docker compose and for a shell."""


class SettingsFileError(UserError):
    """The file cannot be written, or not without losing something that is in it. Nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of the file."""

    path: Path
    backup: Path | None
    """The file as it was before; None when no value of it was replaced."""


@dataclass(frozen=True, slots=True)
class _Old:
    """A file as it was read. `data` is None where there is none."""

    data: bytes | None
    stamp: tuple[int, int, int] | None = None
    """Inode, size and time of change, to see whether somebody else wrote it meanwhile."""
    owner: tuple[int, int] | None = None
    """User and group."""


def line(name: str, value: str) -> str:
    """`NAME=value` so that python-dotenv and docker compose both read this value. SettingsFileError if there is no such line.

    Newlines become `\\n` inside double quotes: a key stays on one line.
    """
    if not _NAME.fullmatch(name):
        raise SettingsFileError(f"{name[:60]!r} is no name of a variable")
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    if any(not char.isprintable() and char not in "\r\n" for char in value):
        raise SettingsFileError(f"{name} has a control character in it", remedy="Set it by hand.")
    if not any(char in value for char in "'\\\r\n"):
        return f"{name}='{value}'"
    if any(char in value for char in "$\\\"'"):
        raise SettingsFileError(f"{name} has characters that no settings file can hold", remedy="Set it by hand.")
    return f'{name}="{value}"'.replace("\r", "\\r").replace("\n", "\\n")


def read(path: Path) -> dict[str, str]:
    """The variables of the file; empty where there is none. SettingsFileError as `write` would raise it."""
    bindings, _ = _parse(path, _read(path).data or b"")
    return {each.key: each.value for each in bindings if each.key is not None and each.value is not None}


def check(path: Path) -> None:
    """Try, without writing, whether `write` will succeed. SettingsFileError saying what is in the way."""
    read(path)
    folder = path.parent
    if not folder.is_dir():
        raise SettingsFileError(f"{folder} is no folder", remedy="Make it, or name another file.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsFileError(
            f"{folder} may not be written to by this process",
            remedy="Allow it, or name a file elsewhere with spark setup --file.",
        )


def write(path: Path, values: Mapping[str, str]) -> Written:
    """Set `values` in the file, which is made if there is none. What is there of other variables and comments stays.

    SettingsFileError when that cannot be done; the file is then as it was.
    """
    check(path)
    old = _read(path)
    data = _merged(path, old.data or b"", values)
    replaced = _replaces(path, old.data or b"", values)
    try:
        backup = _keep(path, old.data) if replaced and old.data is not None else None
        with _beside(path, data) as fresh:
            _put(fresh, path, old)
    except FileExistsError:
        raise SettingsFileError(f"{path} has just been made by somebody else", remedy="Try again.") from None
    except OSError as error:
        raise SettingsFileError(
            f"{path} cannot be written ({error.strerror or type(error).__name__})",
            remedy="Mend that, or name another file with spark setup --file.",
        ) from error
    return Written(path=path, backup=backup)


def _read(path: Path) -> _Old:
    # Without O_NOFOLLOW somebody who may write into the folder could have us write, and show, a file elsewhere.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return _Old(None)
    except OSError as error:
        if path.is_symlink():
            raise SettingsFileError(f"{path} is a symbolic link", remedy="Name the file it leads to.") from None
        raise SettingsFileError(
            f"{path} cannot be read ({error.strerror or type(error).__name__})", remedy="Mend it or move it away."
        ) from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise SettingsFileError(f"{path} is no regular file", remedy="Name another one.")
    with os.fdopen(handle, "rb") as file:
        if found.st_size > MOST_BYTES:
            raise SettingsFileError(f"{path} is too large for a settings file", remedy="Name another one.")
        if os.geteuid() not in {0, found.st_uid}:
            raise SettingsFileError(f"{path} belongs to another user", remedy="Run this as that user.")
        return _Old(file.read(), (found.st_ino, found.st_size, found.st_mtime_ns), (found.st_uid, found.st_gid))


def _parse(path: Path, data: bytes) -> tuple[list[Binding], bytes]:
    """The lines of a file and its byte order mark, if it has one."""
    mark = _BOM if data.startswith(_BOM) else b""
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError:
        raise SettingsFileError(f"{path} is not UTF-8", remedy="Mend it or move it away.") from None
    bindings = list(parse_stream(io.StringIO(text, newline="")))
    broken = next((each for each in bindings if each.error), None)
    if broken is not None:
        raise SettingsFileError(f"line {broken.original.line} of {path} is no setting", remedy="Mend it.")
    return bindings, mark


def _merged(path: Path, data: bytes, values: Mapping[str, str]) -> bytes:
    bindings, mark = _parse(path, data)
    newline = "\r\n" if b"\r\n" in data else "\n"
    last = {each.key: at for at, each in enumerate(bindings) if each.key in values}
    parts: list[str] = []
    for at, each in enumerate(bindings):
        original = each.original.string
        if each.key is None or each.key not in values:
            parts.append(original)
            continue
        # A reader takes the last of several lines with one name; an older one would only mislead people.
        blank = original[: len(original) - len(original.lstrip())]
        export = "export " if re.match(r"export[ \t]", original.lstrip()) else ""
        parts.append(f"{blank}{export}{line(each.key, values[each.key])}{newline}" if last[each.key] == at else blank)
    missing = [line(name, value) for name, value in values.items() if name not in last]
    text = "".join(parts)
    if missing and text and not text.endswith(("\n", "\r")):
        text += newline
    text += "".join(f"{each}{newline}" for each in missing)
    fresh = mark + text.encode("utf-8")
    _prove(path, bindings, fresh, values)
    return fresh


def _prove(path: Path, before: list[Binding], data: bytes, values: Mapping[str, str]) -> None:
    """Read the new text back: it must say what was asked for, and of everything else what it said before."""
    kept = {each.key: each.value for each in before if each.key is not None and each.key not in values}
    after = {each.key: each.value for each in _parse(path, data)[0] if each.key is not None}
    if after != {**kept, **values}:
        raise SettingsFileError(f"{path} cannot be changed without changing other settings in it", remedy="Mend it.")


def _replaces(path: Path, data: bytes, values: Mapping[str, str]) -> bool:
    bindings, _ = _parse(path, data)
    old = [(each.key, each.value) for each in bindings if each.key is not None and each.value]
    return any(name in values and value != values[name] for name, value in old)


def _keep(path: Path, data: bytes) -> Path:
    """Keep the file as it was as `NAME.bak`, or `NAME.bak2` and so on: an older one stays."""
    number = 1
    while True:
        backup = path.with_name(f"{path.name}.bak{number if number > 1 else ''}")
        try:
            _write_new(backup, data)
        except FileExistsError:
            number += 1
        else:
            return backup


@contextmanager
def _beside(path: Path, data: bytes) -> Iterator[Path]:
    """The text in a file of its own in the same folder; gone at the end unless it was moved."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        _write_new(fresh, data)
        yield fresh
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()


def _write_new(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            # The umask may have taken rights away, from the owner too.
            os.fchmod(file.fileno(), MODE)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _put(fresh: Path, path: Path, old: _Old) -> None:
    """Move the new file to its place, unless somebody else wrote there since it was read."""
    if old.data is None:
        _link(fresh, path)
    else:
        if old.owner is not None and os.geteuid() == 0:
            # Root writes somebody's file: a service that could read it before must be able to after.
            os.chown(fresh, *old.owner, follow_symlinks=False)
        if _read(path).stamp != old.stamp:
            raise SettingsFileError(f"{path} was changed by somebody else meanwhile", remedy="Try again.")
        fresh.replace(path)
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link(fresh: Path, path: Path) -> None:
    """Give the file its name. A link fails where a file has come meanwhile; a rename would lose it."""
    try:
        os.link(fresh, path, follow_symlinks=False)
    except OSError as error:
        # Some file systems know no links (EPERM is how they say it on Linux); a file may have come all the same.
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS} or os.path.lexists(path):
            raise
        fresh.rename(path)
