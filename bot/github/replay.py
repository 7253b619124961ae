"""A file's text out of another version of it and the hunks between the two: exactly, or not at all. Pure.

Works on bytes, as git does: a line ends with `\n` alone, and a last line may have none. Says nothing about which versions
belong together: whoever asks holds the result against git's name for it (`blob_id`).
"""

from __future__ import annotations

import hashlib
import io
import re
from typing import Final

from bot.diff.model import FilePatch, Hunk, LineKind

_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NO_FILE: Final = frozenset({"120000", "160000"})
"""Modes of a link and of a submodule."""


def is_blob_id(name: str | None) -> bool:
    """Whether this is git's whole name for something: 40 hexadecimal digits, or 64 in a repository with SHA-256."""
    return name is not None and _ID.fullmatch(name) is not None


def blob_id(data: bytes, *, like: str) -> str:
    """Git's name for a file of these bytes, by the hash that `like` is made with."""
    make = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return make(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def is_plain(file: FilePatch) -> bool:
    """Whether nothing says that this is no plain file on one of its sides. GitHub's list of files tells no modes."""
    return not (file.binary or file.submodule or file.old_mode in _NO_FILE or file.new_mode in _NO_FILE)


def after(old: bytes, file: FilePatch) -> bytes | None:
    """`old` with the hunks applied; None where they are not of this text. An added file is the empty text with its hunks."""
    return _replayed(old, file, backwards=False)


def before(new: bytes, file: FilePatch) -> bytes | None:
    """`new` with the hunks taken back; None where they do not lead to this text."""
    return _replayed(new, file, backwards=True)


def _replayed(data: bytes, file: FilePatch, *, backwards: bool) -> bytes | None:
    lines = io.BytesIO(data).readlines()
    made: list[bytes] = []
    at = 0
    for hunk in file.hunks:
        start, count = (hunk.new_start, hunk.new_count) if backwards else (hunk.old_start, hunk.old_count)
        # A side without lines is named by the line that it comes behind.
        begin = start - 1 if count else start
        try:
            there, instead = _sides(hunk, backwards=backwards)
        except UnicodeEncodeError:
            # JSON can have half a surrogate pair, which is no bytes at all.
            return None
        if begin < at or lines[begin : begin + len(there)] != there:
            return None
        made += lines[at:begin]
        made += instead
        at = begin + len(there)
    made += lines[at:]
    return b"".join(made)


def _sides(hunk: Hunk, *, backwards: bool) -> tuple[list[bytes], list[bytes]]:
    """The lines that must be there, and those that come in their place."""
    gone = LineKind.ADDED if backwards else LineKind.REMOVED
    there: list[bytes] = []
    instead: list[bytes] = []
    for line in hunk.lines:
        data = line.text.encode("utf-8", "surrogateescape") + (b"\n" if line.newline else b"")
        if line.kind is LineKind.CONTEXT:
            there.append(data)
            instead.append(data)
        elif line.kind is gone:
            there.append(data)
        else:
            instead.append(data)
    return there, instead
