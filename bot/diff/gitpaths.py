"""File names as diffs print them: C-quoted, prefixed, doubled in one line. Bytes in, bytes out.

A name can hold anything but NUL, so nothing here splits at a space or looks for ` b/`: the quoting, the tab behind a name
and the equal halves of a `diff --git` line decide. It refuses to guess: what cannot be known is None.
"""

from __future__ import annotations

import re

NULL = b"/dev/null"

_ESCAPE = re.compile(rb"\\([abtnvfr\"\\]|[0-3][0-7]{2})")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_LETTERS = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
    b'"': b'"',
    b"\\": b"\\",
}
_KNOWN_PREFIX = re.compile(rb"[abciow12]/")
"""Git's own prefixes: a/ b/, the mnemonic c/ i/ o/ w/, and 1/ 2/ of `git diff --no-index`."""


def unquote(raw: bytes) -> bytes | None:
    """The name inside `"..."` with git's C escapes undone (quote.c); None when it is not one whole quoted name."""
    match = _QUOTED.fullmatch(raw)
    if match is None:
        return None
    body = match[1]
    if _ESCAPE.sub(b"", body).count(b"\\"):
        return None
    return _ESCAPE.sub(_unescape, body)


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return _LETTERS[code] if code in _LETTERS else bytes([int(code, 8)])


def read_name(raw: bytes) -> bytes | None:
    """A name that fills its header line, quoted or not, such as the one behind `rename from `. None when broken."""
    return (unquote(raw) if raw.startswith(b'"') else raw) or None


def read_label(raw: bytes) -> bytes | None:
    """The name behind `--- ` or `+++ ` of a git diff: one tab behind it goes away (git adds it to names with spaces)."""
    return read_name(raw.removesuffix(b"\t"))


def read_plain_label(raw: bytes) -> tuple[bytes | None, bytes]:
    """The name and the timestamp behind `--- ` or `+++ ` of a diff that git did not write."""
    match = _QUOTED.match(raw)
    if match is not None:
        return unquote(match[0]), raw[match.end() :].lstrip(b"\t")
    name, _, stamp = raw.partition(b"\t")
    return name or None, stamp


def halves(raw: bytes) -> tuple[bytes, bytes] | None:
    """The two names behind `diff --git `, prefixes still on, for a section that is no rename or copy.

    Both names are then the same behind prefixes of one length, so the space in the very middle parts them, whatever
    spaces the name has itself. None when that does not work out.
    """
    if raw.startswith(b'"'):
        first = _QUOTED.match(raw)
        if first is None or raw[first.end() : first.end() + 1] != b" ":
            return None
        old, new = read_name(first[0]), read_name(raw[first.end() + 1 :])
        return (old, new) if old is not None and new is not None else None
    middle = len(raw) // 2
    if len(raw) % 2 and raw[middle : middle + 1] == b" " and common_path(raw[:middle], raw[middle + 1 :]) is not None:
        return raw[:middle], raw[middle + 1 :]
    # Prefixes of unequal length (`--src-prefix`): good only where one space alone leaves the same path on both sides.
    splits = [at for at in _spaces(raw) if common_path(raw[:at], raw[at + 1 :]) is not None]
    return (raw[: splits[0]], raw[splits[0] + 1 :]) if len(splits) == 1 else None


def _spaces(raw: bytes) -> list[int]:
    # Two paths of 4,096 bytes is what systems allow; beyond that the search would only be slow.
    return [at for at, byte in enumerate(raw) if byte == 0x20] if len(raw) < 9_000 else []


def common_path(old: bytes, new: bytes) -> bytes | None:
    """The one path that both names of a section mean: equal names have no prefix (`--no-prefix`), else the parts behind
    the first slash are equal. None when they are two different paths.
    """
    if old == new:
        return old or None
    tail = old.partition(b"/")[2]
    return tail if tail and tail == new.partition(b"/")[2] else None


def without_prefix(name: bytes) -> bytes:
    """`name` without one of git's own prefixes, where it has one."""
    return name[2:] if _KNOWN_PREFIX.match(name) and len(name) > 2 else name
