"""What a prompt shows: the tagged lines of a diff, with their files. See "Formats" in docs/design.md.

A line is `+R42#k3f|code`: its diff character, its tag, `|`, the code. What stands between such lines (headers of files
and hunks, scopes, imports) is read for file names alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAGGED = re.compile(r"^([ +-])([RL]\d+#[0-9A-Za-z]{2,8})\|(.*)$")
_HEADER = re.compile(r"^(?:#+ |=+ |-{3} |\+{3} |(?:file|path):\s*|<file (?:path=)?)(.*)$", re.IGNORECASE)
_NAME = re.compile(r'^["\'`]?(?:[ab]/(?=.*\bdiff\b))?(.+?)["\'`]?(?:\s+(?:=+|\(.*\)|\[.*\]|—.*|- .*)|/?>)?$')


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One tagged line."""

    path: str
    """The file that the last header before it named; empty where none did."""
    tag: str
    mark: str
    """`+`, `-` or a space."""
    code: str

    @property
    def added(self) -> bool:
        """Whether the change adds it."""
        return self.mark == "+"


def read_shown(prompt: str) -> list[Shown]:
    """The tagged lines of `prompt`, in order."""
    path, found = "", []
    for line in prompt.split("\n"):
        if tagged := _TAGGED.match(line):
            found.append(Shown(path=path, tag=tagged[2], mark=tagged[1], code=tagged[3]))
        elif (header := _HEADER.match(line)) and (named := _NAME.match(header[1].strip())):
            path = named[1]
    return found
