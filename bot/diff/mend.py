"""Readings of a replacement that a model wrote: what it may have meant, the likeliest first.

Models wrap a replacement in a fence, copy the tags or diff characters of the prompt, lose the indentation, or repeat the
line next to the place. Nothing here decides which reading is right: `edit.prove` tries them in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r"\s*(`{3,}|~{3,})[^`]*")
_TAGGED = re.compile(r"\s?([+\- ]?)[RL]\d{1,9}#[0-9a-z]{3}\|(.*)", re.DOTALL)
_COMMON = re.compile(
    r"end|else|fi|done|esac|then|do|begin|try|finally|pass|break|continue|default"
    r"|return(?: (?:none|null|nil|true|false|self|this|0|1))?"
)
"""Lines that code repeats everywhere, so that a repetition of one means nothing."""
_OPENERS = (":", "{", "(", "[", "->", "=>", "do", "then")


def replacement_lines(replacement: str) -> list[str]:
    """The lines that `replacement` puts in place of the anchored ones: none for the empty string, which deletes them.

    One newline at the end belongs to the last line, so one empty line is written as a newline alone.
    """
    if not replacement:
        return []
    text = replacement.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n")


def join_lines(lines: list[str]) -> str:
    """The replacement that `replacement_lines` reads as `lines`."""
    return "\n".join(lines) + ("\n" if lines and not lines[-1] else "")


def unwrapped(lines: list[str], anchored: list[str]) -> Iterator[list[str]]:
    """`lines` without a fence, tags or diff characters around them; then as they are."""
    bare = _without_fence(lines, anchored)
    for stripped in (_without_tags(bare, anchored), _without_diff(bare, anchored)):
        if stripped is not None:
            yield stripped
    yield bare
    if bare != lines:
        yield lines


def _without_fence(lines: list[str], anchored: list[str]) -> list[str]:
    trimmed = list(lines)
    while trimmed and not trimmed[-1].strip():
        trimmed.pop()
    if len(trimmed) < 2 or any(_FENCE.fullmatch(line) for line in anchored):
        return lines
    first, last = _FENCE.fullmatch(trimmed[0]), trimmed[-1].strip()
    if first is None or last[:1] != first[1][0] or set(last) != {last[0]} or len(last) < len(first[1]):
        return lines
    return trimmed[1:-1]


def has_tags(lines: list[str]) -> bool:
    """Whether any of `lines` begins as the prompt shows lines."""
    return any(_TAGGED.fullmatch(line) for line in lines)


def _without_tags(lines: list[str], anchored: list[str]) -> list[str] | None:
    if not has_tags(lines) or has_tags(anchored):
        return None
    matches = [_TAGGED.fullmatch(line) for line in lines]
    kept = []
    for line, match in zip(lines, matches, strict=True):
        if match is None:
            kept.append(line.removeprefix("+"))
        elif match[1] != "-":
            kept.append(match[2])
    return kept


def _without_diff(lines: list[str], anchored: list[str]) -> list[str] | None:
    if not any(line.startswith("+") for line in lines) or any(line.startswith(("+", "-")) for line in anchored):
        return None
    if not all(line[:1] in {"+", "-", " ", ""} for line in lines):
        return None
    old = [line[1:] for line in lines if line.startswith("-")]
    if any(line not in anchored for line in old):
        return None
    return [line[1:] for line in lines if not line.startswith("-")]


def reindented(lines: list[str], anchored: list[str], head: list[str], start: int) -> Iterator[list[str]]:
    """`lines` with the indentation of the `anchored` lines (which begin at index `start` of `head`), then as they are."""
    if not any(line.strip() for line in anchored):
        # Blank lines do not tell how their neighbours are indented.
        yield lines
        return
    want, have = common_indent(anchored), common_indent(lines)
    tabs = _uses_tabs(head, want)
    unit = _unit(head)
    if have == want:
        converted = _shifted(lines, have, want, tabs=tabs, unit=unit)
        if _mixes(lines, tabs=tabs):
            yield converted
        yield lines
        return
    meant = have and have in _enclosing(head, start)
    if meant:
        yield lines
    first = _first_line_only(lines, want)
    if first is not None:
        yield first
    yield _shifted(lines, have, want, tabs=tabs, unit=unit)
    if not meant:
        yield lines


def common_indent(lines: list[str]) -> str:
    """The white space that every line which is not blank begins with."""
    found: str | None = None
    for line in lines:
        if line.strip():
            indent = _indent(line)
            if found is None:
                found = indent
            while not indent.startswith(found):
                found = found[:-1]
    return found or ""


def trimmed(
    lines: list[str], anchored: list[str], before: list[str], after: list[str]
) -> Iterator[tuple[list[str], bool]]:
    """`lines` without what they repeat of the lines `before` and `after` the `anchored` ones, with whether what was
    taken away says something (a line such as `}` says nothing). Nothing when they repeat nothing.
    """
    front = back = 0
    # A line that the anchor begins or ends with itself is kept, not repeated.
    if lines and lines[0] != anchored[0]:
        front = max((n for n in range(1, min(len(lines), len(before)) + 1) if lines[:n] == before[-n:]), default=0)
    if lines and lines[-1] != anchored[-1]:
        back = max((n for n in range(1, min(len(lines), len(after)) + 1) if lines[-n:] == after[:n]), default=0)
    for head, tail in dict.fromkeys([(front, back), (front, 0), (0, back)]):
        if (head or tail) and head + tail <= len(lines):
            taken = lines[:head] + lines[len(lines) - tail :]
            yield lines[head : len(lines) - tail], any(_says_something(line) for line in taken)


def _says_something(line: str) -> bool:
    words = " ".join(re.findall(r"\w+", line)).lower()
    return bool(words) and _COMMON.fullmatch(words) is None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _first_line_only(lines: list[str], want: str) -> list[str] | None:
    """`lines` with the first one indented like the rest, when it alone lost its indentation."""
    solid = [line for line in lines if line.strip()]
    if len(solid) < 2 or not lines[0].strip() or _indent(lines[0]).startswith(want):
        return None
    if not all(_indent(line).startswith(want) for line in solid[1:]):
        return None
    if solid[0].rstrip().endswith(_OPENERS) and _indent(solid[1]) == want:
        # The second line belongs inside the first: then all of them lost the same indentation.
        return None
    return [want + lines[0].lstrip(" \t"), *lines[1:]]


def _shifted(lines: list[str], have: str, want: str, *, tabs: bool, unit: int) -> list[str]:
    own = _unit(lines, default=unit)
    shifted = []
    for line in lines:
        if not line.strip():
            shifted.append("" if line.startswith(have) or not line else line)
            continue
        inner = _indent(line)[len(have) :]
        code = line[len(_indent(line)) :]
        if tabs and " " in inner:
            width = len(inner.expandtabs(own))
            inner = "\t" * (width // own) + " " * (width % own)
        elif not tabs and "\t" in inner:
            inner = inner.replace("\t", " " * unit)
        shifted.append(want + inner + code)
    return shifted


def _mixes(lines: list[str], *, tabs: bool) -> bool:
    wrong = " " if tabs else "\t"
    return any(_indent(line).startswith(wrong) for line in lines if line.strip())


def _uses_tabs(head: list[str], want: str) -> bool:
    if want:
        return want.startswith("\t")
    return sum(line.startswith("\t") for line in head) > sum(line.startswith("  ") for line in head)


def _unit(lines: list[str], default: int = 4) -> int:
    """How many spaces one level is: the smallest indentation there is beyond the common one."""
    base = len(common_indent(lines))
    widths = {len(_indent(line)) - base for line in lines if line.strip() and "\t" not in _indent(line)}
    return min((width for width in widths if width > 1), default=default)


def _enclosing(head: list[str], start: int) -> set[str]:
    """The indentations of the lines that enclose the line with index `start`."""
    found: set[str] = set()
    current = _indent(head[start]) if start < len(head) else ""
    for line in reversed(head[:start]):
        if line.strip() and len(_indent(line)) < len(current):
            current = _indent(line)
            found.add(current)
            if not current:
                break
    return found
