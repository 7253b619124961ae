"""The runner's side of a step: its log and its files read as actions/runner reads them, the strict way.

Where the runner would only warn, this fails: a command that stops commands for good, a value without an end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

REGISTERED = frozenset(
    [
        "add-mask",
        "add-matcher",
        "add-path",
        "debug",
        "echo",
        "endgroup",
        "error",
        "group",
        "internal-set-repo-path",
        "notice",
        "remove-matcher",
        "save-state",
        "set-env",
        "set-output",
        "stop-commands",
        "warning",
    ]
)


@dataclass(frozen=True)
class RunnerCommand:
    """A command that the runner obeyed."""

    name: str
    data: str
    properties: Mapping[str, str] = field(default_factory=dict)


class _Log:
    """Reads a log line by line: `::name k=v,k=v::data` at a line's start, `##[name k=v;k=v]data` anywhere in one.

    Where the runner's reading depends on the machine (its prefix test may skip characters that have no width) this one takes
    more for commands, never less.
    """

    def __init__(self) -> None:
        self.obeyed: list[RunnerCommand] = []
        self._stopped_by = ""

    def line(self, line: str) -> None:
        known = REGISTERED | {self._stopped_by} - {""}
        found = _second_form(line, known) or _first_form(line, known)
        if found is None:
            return
        if self._stopped_by:
            if found.name == self._stopped_by:
                self._stopped_by = ""
        elif found.name == "stop-commands":
            assert found.data, "no word to stop commands by"
            assert found.data.lower() not in {*REGISTERED, "pause-logging"}, (
                "a word that is a command cannot stop commands"
            )
            self._stopped_by = found.data.lower()
        else:
            self.obeyed.append(found)

    def end(self) -> None:
        assert not self._stopped_by, "commands were stopped and never resumed"


def _second_form(line: str, known: frozenset[str]) -> RunnerCommand | None:
    while line and (line[0].isspace() or unicodedata.category(line[0]).startswith("C")):
        line = line[1:]
    if not line.startswith("::") or (end := line.find("::", 2)) < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    if name.lower() not in known:
        return None
    properties = dict(pair.split("=", 1) for pair in rest.strip().split(",") if "=" in pair)
    return RunnerCommand(
        name.lower(),
        _unescaped(line[end + 2 :], "%0D\r", "%0A\n", "%25%"),
        {key: _unescaped(value, "%0D\r", "%0A\n", "%3A:", "%2C,", "%25%") for key, value in properties.items()},
    )


def _first_form(line: str, known: frozenset[str]) -> RunnerCommand | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, rest = line[start + 3 : end].partition(" ")
    if name.lower() not in known:
        return None
    properties = dict(pair.split("=", 1) for pair in rest.strip().split(";") if "=" in pair)
    escapes = ("%3B;", "%0D\r", "%0A\n", "%5D]", "%25%")
    return RunnerCommand(
        name.lower(),
        _unescaped(line[end + 1 :], *escapes),
        {key: _unescaped(value, *escapes) for key, value in properties.items()},
    )


def _unescaped(text: str, *pairs: str) -> str:
    for pair in pairs:
        text = text.replace(pair[:3], pair[3:])
    return text


def read_log(log: str) -> list[RunnerCommand]:
    reader = _Log()
    for line in re.split(r"\r\n|\r|\n", log):
        reader.line(line)
    reader.end()
    return reader.obeyed


def read_values(text: str) -> dict[str, str]:
    out: dict[str, str] = {}
    lines = text.split("\n")
    assert lines.pop() == "", "the last line has no end"
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, _, word = line.partition("<<")
            assert name, f"an output without a name: {line!r}"
            assert word, f"an output without a delimiter: {line!r}"
            end = lines.index(word, at)
            out[name], at = "\n".join(lines[at:end]), end + 1
        else:
            name, sign, value = line.partition("=")
            assert name, f"an output without a name: {line!r}"
            assert sign, f"no output: {line!r}"
            out[name] = value
    return out
