"""Replacements that need more than a pattern: each takes the match in the line and gives the new text, or None.

The new text replaces the whole line (or lines), keeps its indentation and parses where the old one did.
"""

from __future__ import annotations

import re

Match = re.Match[str]
_QUOTES = ('"', "'")

_DEFAULT = re.compile(r"(\w+)(\s*:\s*[^=,()]+?)?(\s*=\s*)(\[\]|\{\}|list\(\)|dict\(\)|set\(\))(?=\s*[,)])")


def default_none(found: Match) -> str | None:
    """`def f(a, seen=[]):` gets `seen=None` and two lines that make a new list, behind a docstring of one line.

    None for a def of several lines, a body on the same line, an annotation or a longer docstring.
    """
    head, _, docstring = found[0].partition("\n")
    rest = found.string[found.end() :].strip()
    defaults = _DEFAULT.findall(head)
    if not head.rstrip().endswith(":") or any(annotation for _, annotation, _, _ in defaults) or rest[:1] in _QUOTES:
        return None
    inner = _indent(head) + "    "
    made = [f"{inner}if {name} is None:\n{inner}    {name} = {value}" for name, _, _, value in defaults]
    return "\n".join([_DEFAULT.sub(r"\1\2\3None", head), *([docstring] if docstring else []), *made])


def enumerated(found: Match) -> str:
    """`for i in range(len(items)):` becomes `for i, item in enumerate(items):`; the index keeps its name."""
    index, items = found["index"], found["items"]
    last = items.rsplit(".", 1)[-1]
    item = last[:-1] if last.endswith("s") and last[:-1].isidentifier() and last[:-1] != index else f"{last}_item"
    return _replaced(found, f"for {index}, {item} in enumerate({items}):")


def with_timeout(found: Match) -> str | None:
    """`requests.get(url)` gets `timeout=10`. None when the call does not end on its line."""
    line, depth = found.string, 0
    for at in range(found.end() - 1, len(line)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(line[at], 0)
        if depth == 0:
            inside = line[found.end() : at].rstrip().rstrip(",")
            return f"{line[: found.end()]}{inside}, timeout=10{line[at:]}" if inside else None
    return None


def raised(found: Match) -> str | None:
    """`assert condition, "why"` becomes `if not (condition): raise ValueError("why")`, over two lines."""
    condition, why = found["condition"].strip(), (found["why"] or "").strip()
    if condition.count("(") != condition.count(")") or condition.endswith("\\") or "#" in found.string:
        return None
    text = why or '"a condition that must hold does not"'
    pad = _indent(found.string)
    return f"{pad}if not ({condition}):\n{pad}    raise ValueError({text})"


def strictly(found: Match) -> str:
    """JavaScript's `==` and `!=`, each made strict."""
    return re.sub(r"(?<![=!<>])([=!])=(?!=)", r"\1==", found.string)


def quoted_rm(found: Match) -> str:
    """`rm -rf $DIR/x` becomes `rm -rf "${DIR:?}/x"`: quoted, and an error when the variable is empty."""
    name, rest = found["name"], found["rest"]
    return _replaced(found, f'{found["rm"]} "${{{name}:?}}{rest}"')


def as_text(found: Match) -> str | None:
    """`x.innerHTML = name` becomes `x.textContent = name`; None where the value has markup."""
    value = found.string[found.end() :]
    return None if re.search(r"[<>`]", value) else _replaced(found, ".textContent =")


def deleted(_found: Match) -> str:
    """The line goes away."""
    return ""


def _replaced(found: Match, text: str) -> str:
    return found.string[: found.start()] + text + found.string[found.end() :]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
