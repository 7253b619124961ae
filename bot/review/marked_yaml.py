"""YAML into plain values that remember their lines.

YAML 1.2's core types alone: `on`, `yes` and `no` are words here, not booleans. Refused, each with its line: tags,
duplicate keys, keys that are no words, several documents, nesting deeper than 12, and more than 5,000 values after
aliases are written out (a few lines of aliases can stand for billions of values).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

MAX_CHARS = 64 * 1024
MAX_DEPTH = 12
MAX_VALUES = 5_000

_INT = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,3})?\Z")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class YamlMistake(Exception):  # noqa: N818 - caught by its reader, never shown as an error of its own
    """What is wrong, and on which line (from 1)."""

    def __init__(self, *, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlText:
    """A text as plain values, and where each of them stood."""

    data: object
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict)
    """Path of keys and list indexes to the line (from 1) of the key or list entry."""

    def line(self, path: Sequence[str | int]) -> int:
        """The line of `path`, or of the nearest thing around it."""
        at = tuple(path)
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)


def read_yaml(text: str) -> YamlText:
    """Raises YamlMistake for the first thing that is not well-formed or not allowed."""
    if len(text) > MAX_CHARS:
        raise YamlMistake(line=1, problem=f"the file has {len(text):,} characters; at most {MAX_CHARS:,} are read")
    try:
        _check_shape(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "not YAML"
        raise YamlMistake(line=mark.line + 1 if mark else 1, problem=problem) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlMistake(line=line, problem="a control character that YAML does not allow") from error
    reader = _Reader()
    data = None if node is None else reader.value(node, ())
    return YamlText(data=data, lines=reader.lines)


def _check_shape(text: str) -> None:
    """Looks at events only, which needs no recursion, before anything is built."""
    depth = 0
    documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise YamlMistake(line=line, problem="a second document; only one is read")
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlMistake(line=line, problem=f"nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise YamlMistake(line=line, problem=f"the tag {event.tag[:60]!r} is not allowed")


class _Reader:
    def __init__(self) -> None:
        self.lines: dict[tuple[str | int, ...], int] = {}
        self._values = 0

    def value(self, node: yaml.Node, path: tuple[str | int, ...]) -> object:
        line = node.start_mark.line + 1
        self._values += 1
        if self._values > MAX_VALUES:
            raise YamlMistake(line=line, problem=f"more than {MAX_VALUES:,} values, aliases written out")
        if len(path) > MAX_DEPTH:
            raise YamlMistake(line=line, problem=f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            values = []
            for index, item in enumerate(node.value):
                here = (*path, index)
                self.lines[here] = item.start_mark.line + 1
                values.append(self.value(item, here))
            return values
        assert isinstance(node, yaml.ScalarNode)
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlMistake(line=line, problem="a key must be a word")
            key = key_node.value
            if key == "<<" and not key_node.style:
                raise YamlMistake(line=line, problem="merge keys (<<) are not supported; write the keys out")
            here = (*path, key)
            if key in values:
                first = self.lines[here]
                raise YamlMistake(line=line, problem=f"the key {key[:60]!r} stands twice, first on line {first}")
            self.lines[here] = line
            values[key] = self.value(value_node, here)
        return values


def _scalar(node: yaml.ScalarNode) -> object:
    text: str = node.value
    if node.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text
