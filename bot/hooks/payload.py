"""A payload's JSON, reached for by name and type; whatever is not as it must be is told by its path. Knows no events.

Everything read here goes into addresses, database columns and pages, so each kind of value has its alphabet and its size.
What nobody asks for is not looked at: GitHub adds members whenever it likes.
"""

from __future__ import annotations

import re
from typing import Any, Final

import jiter

from bot.errors import UserError
from bot.review.model import CommitSha, RepoName

_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# Wider than today's rules for new accounts: old ones begin or end with a hyphen, managed ones have underscores.
_REPO: Final = re.compile(r"[A-Za-z0-9_-]{1,64}/[A-Za-z0-9._-]{1,100}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# GraphQL's ids, old (base64 with padding) and new (`IC_kwDO...`).
_NODE_ID: Final = re.compile(r"[A-Za-z0-9_=+/-]{1,200}")
_NOT_IN_PROSE: Final = dict.fromkeys((*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)), " ")
# What git itself forbids in the name of a ref (git-check-ref-format), and what would cheat a reader.
_NOT_IN_REFS: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|[/.]$")
_MOST_ID: Final = 2**63 - 1
_MOST_NUMBER: Final = 2**31 - 1
"""GraphQL's `Int`, which is what GitHub gives for the number of a pull."""
_MOST_REF: Final = 255
"""GitHub takes no longer names of branches."""
_KINDS: Final = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


class MalformedDeliveryError(UserError):
    """A payload is not what its event promises; names the place as a JSON path."""


def read_object(body: bytes) -> Node:
    """The payload. Raises MalformedDeliveryError for everything that is not one JSON object in UTF-8.

    Refuses also what JSON leaves open and two readers could read differently: NaN, a member given twice, half of a
    surrogate pair, numbers of thousands of digits, hundreds of levels.
    """
    try:
        value = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as exc:
        raise MalformedDeliveryError(f"The body is not JSON: {exc}") from None
    if type(value) is not dict:
        raise MalformedDeliveryError(f"The body is {_kind(value)}, not a JSON object")
    return Node(value, "$")


class Node:
    """One JSON object of the payload and the path to it."""

    __slots__ = ("_members", "path")

    def __init__(self, members: dict[str, Any], path: str) -> None:
        self._members = members
        self.path = path

    def part(self, name: str) -> Node:
        """The object there."""
        return self._object(self._members.get(name), f"{self.path}.{name}")

    def part_or_none(self, name: str) -> Node | None:
        """The object there; None where it is missing or null."""
        return None if self._members.get(name) is None else self.part(name)

    def parts(self, name: str) -> list[Node]:
        """The objects of the list there; none where it is missing or null."""
        value = self._members.get(name)
        if value is None:
            return []
        if type(value) is not list:
            raise self._wrong(name, value, "a list")
        return [self._object(each, f"{self.path}.{name}[{at}]") for at, each in enumerate(value)]

    def text(self, name: str, *, most: int = 200, default: str | None = None) -> str:
        """The text there, without control characters and cut to `most` characters, for people to read.

        `default` is for a text that is missing or null; without one that is an error.
        """
        value = self._members.get(name, default)
        if value is None and default is not None:
            return default
        if type(value) is not str:
            raise self._wrong(name, value, "a text")
        # Beside what they do to a terminal: PostgreSQL stores no text with a NUL in it.
        return _CONTROL.sub(" ", value[:most])

    def prose(self, name: str, *, most: int) -> str:
        """The text there as its writer laid it out, cut to `most` characters; empty where it is missing or null.

        Lines end with `\\n`; tabs stay, other control characters become blanks.
        """
        value = self._members.get(name)
        if value is None:
            return ""
        if type(value) is not str:
            raise self._wrong(name, value, "a text")
        return value[:most].replace("\r\n", "\n").translate(_NOT_IN_PROSE)

    def node_id(self, name: str) -> str:
        """GraphQL's id of a thing."""
        value = self._members.get(name)
        if type(value) is not str or not _NODE_ID.fullmatch(value):
            raise self._wrong(name, value, "a node id")
        return value

    def id(self, name: str) -> int:
        """A positive number of 63 bits."""
        return self._whole(name, _MOST_ID)

    def number(self, name: str) -> int:
        """The number of a pull: positive, 31 bits."""
        return self._whole(name, _MOST_NUMBER)

    def sha(self, name: str) -> CommitSha:
        """A full commit id, of SHA-1 or SHA-256."""
        value = self._members.get(name)
        if type(value) is not str or not _SHA.fullmatch(value):
            raise self._wrong(name, value, "a commit id of 40 or 64 digits")
        return CommitSha(value)

    def ref(self, name: str, *, most: int = _MOST_REF) -> str:
        """The name of a branch of at most `most` characters, never cut: a shorter name would be another branch."""
        value = self._members.get(name)
        if type(value) is not str or not 0 < len(value) <= most or _NOT_IN_REFS.search(value):
            raise self._wrong(name, value, "the name of a branch")
        return value

    def repo(self, name: str) -> RepoName:
        """`owner/name` in GitHub's alphabet; it goes into addresses."""
        value = self._members.get(name)
        if type(value) is not str or not _REPO.fullmatch(value) or value.endswith(("/.", "/..")):
            raise self._wrong(name, value, "a repository's owner/name")
        return RepoName(value)

    def is_null(self, name: str) -> bool:
        """Whether nothing is there: missing or null."""
        return self._members.get(name) is None

    def flag(self, name: str) -> bool:
        """True or false; false where it is missing or null."""
        value = self._members.get(name)
        if value is not None and type(value) is not bool:
            raise self._wrong(name, value, "true or false")
        return bool(value)

    def _whole(self, name: str, most: int) -> int:
        value = self._members.get(name)
        # `type`, because True is an int to isinstance.
        if type(value) is not int or not 0 < value <= most:
            raise self._wrong(name, value, f"a number from 1 to {most}")
        return value

    def _object(self, value: object, path: str) -> Node:
        if type(value) is not dict:
            raise MalformedDeliveryError(f"{path} is {_kind(value)}, not an object")
        return Node(value, path)

    def _wrong(self, name: str, value: object, wanted: str) -> MalformedDeliveryError:
        given = _kind(value)
        told = f"not {wanted}" if not wanted.startswith(given) else f"but not {wanted}"
        return MalformedDeliveryError(f"{self.path}.{name} is {given}, {told}")


def _kind(value: object) -> str:
    """What a value is, without showing it: it may be long or somebody's secret."""
    return "missing or null" if value is None else _KINDS[type(value)]
