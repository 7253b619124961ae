"""What a prompt shows: the tagged lines of a diff with their files, and its named data.

A line is `+R42#k3f|code`: its diff character, its tag, `|`, the code; a file begins with `FILE "its/path" (...)`. Data stands
between lines such as `[[spark-data lines 0f3a begin]]` and `[[spark-data lines 0f3a end]]`. What a prompt says apart from that
is not read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_TAGGED = re.compile(r"^([ +-])([RL]\d+#[0-9A-Za-z]{2,8})\|(.*)$")
_FILE = re.compile(r'^FILE ("(?:[^"\\]|\\.)*")(?: \(|$)')
_DATA = re.compile(
    r"^\[\[spark-data (\S+) (\S+) begin\]\]\n(.*?)\n\[\[spark-data \1 \2 end\]\]$", re.MULTILINE | re.DOTALL
)
_NUMBERED = re.compile(r"^(\d+)\| (.*)$")


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
        elif header := _FILE.match(line):
            path = str(json.loads(header[1]))
    return found


def read_data(prompt: str) -> dict[str, str]:
    """The named data of `prompt`, by name."""
    return {name: text for name, _code, text in _DATA.findall(prompt)}


def outside_of_data(prompt: str) -> str:
    """What the prompt itself says, without its data."""
    return _DATA.sub("", prompt)


def plain(text: str) -> str:
    """Prose as it was written: without the `| ` that each of its lines is shown behind."""
    return "\n".join(line.removeprefix("| ") for line in text.split("\n"))


def numbered(text: str) -> dict[int, str]:
    """Lines such as `42| code`, by number; others are left out."""
    return {int(found[1]): found[2] for line in text.split("\n") if (found := _NUMBERED.match(line))}
