"""What `.gitattributes` says about generated and vendored files. Reads the root file's text; follows git's own rules.

Git's rules differ from .gitignore's: the last match wins for each attribute by itself, a pattern matches files alone (a
directory's name does not reach into it), and patterns cannot be negated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

_WANTED = frozenset({"linguist-generated", "linguist-vendored", "diff"})
_LINE = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]\S*))(?P<rest>\s.*)')
_OFF = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    pattern: re.Pattern[str]
    values: dict[str, bool | None]


class Attributes:
    """Of the text of a `.gitattributes` file, what concerns a review. Lines that cannot be read count for nothing."""

    def __init__(self, text: str) -> None:
        self._rules = [rule for line in text.split("\n") if (rule := _rule(line))]

    def of(self, path: str) -> dict[str, bool]:
        """The attributes of one file: `linguist-generated`, `linguist-vendored`, `diff`; one not named is missing."""
        found: dict[str, bool] = {}
        for rule in self._rules:
            match = rule.pattern.match(path)
            # The library's patterns also match what is below a directory, and mark that with this group.
            if match is None or match.groupdict().get("ps_d"):
                continue
            for name, value in rule.values.items():
                if value is None:
                    found.pop(name, None)
                else:
                    found[name] = value
        return found


def _rule(line: str) -> _Rule | None:
    match = _LINE.match(line.rstrip("\r"))
    if not match:
        return None
    glob = re.sub(r"\\(.)", r"\1", match["quoted"]) if match["quoted"] is not None else match["plain"]
    if glob.startswith(("#", "!", "[attr]")) or glob.endswith("/"):
        return None
    values: dict[str, bool | None] = {}
    for word in match["rest"].split():
        values.update(_value(word))
    if not values:
        return None
    try:
        regex = GitIgnoreSpecPattern(glob).regex
    except ValueError:
        return None
    return None if regex is None else _Rule(pattern=regex, values=values)


def _value(word: str) -> dict[str, bool | None]:
    """One word of a line: `name`, `-name`, `!name` (as if never named), `name=value`; `binary` stands for `-diff`."""
    name, _, text = word.lstrip("-!").partition("=")
    if name == "binary" and word == name:
        return {"diff": False}
    if name not in _WANTED:
        return {}
    if word.startswith("!"):
        return {name: None}
    return {name: not word.startswith("-") and text.lower() not in _OFF}
