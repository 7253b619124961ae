"""What a file's syntax tells about a change: does it parse, what encloses a hunk, what does the file import.

A file is parsed once for each text and the answers are plain values, so that threads share no parser. It refuses to spend
long on a file: a text over 1 MB, or one that sends a grammar astray, counts as one without a grammar.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from bot.diff.languages import IMPORTS, SCOPES, language
from bot.diff.model import Hunk, LineKind, printable

if TYPE_CHECKING:
    import tree_sitter
    from tree_sitter_language_pack import SupportedLanguage

__all__ = ["Surroundings", "error_count", "language", "surroundings"]

MAX_BYTES = 1_000_000
"""Bytes up to which a file is parsed."""
MAX_IMPORTS = 30
MAX_SCOPES = 12
_SHOWN = 200
"""Characters shown of a header line or an import."""

# The grammar's progress call comes about once for every 200 bytes of ordinary source. Random bytes in a .ts file would
# take an hour for 1 MB; with this much fuel it is about 3 s.
_FUEL, _BYTES_FOR_ONE_FUEL = 2_000, 20

_IMPORT_LINE = re.compile(
    r"\s{0,4}(?:import\b|from\s+\S+\s+import\b|#\s*include\b|use\s+\S|using\s+\S|require(?:_relative)?[\s(]|source\s+\S"
    r"|load\(|open\s+\S|alias\s+\S|library\(|Import-Module\b|@import\b|include\s+\S"
    r"|(?:const|let|var|local)\s[^=]{1,80}=\s*(?:require\b|@import\b|await import\b))"
)
_NO_IMPORTS = frozenset({"json", "yaml", "toml", "xml", "html", "sql", "css", None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a reader of a hunk needs from outside it: pairs of line number in the new file (from 1) and printable text."""

    scopes: tuple[tuple[int, str], ...]
    """The header lines of what encloses the changed lines, outermost first; those that the hunk shows are left out."""
    imports: tuple[tuple[int, str], ...]
    """The first `MAX_IMPORTS` import lines of the file, wherever the hunk is."""


@dataclass(frozen=True, slots=True)
class _Outline:
    """A parsed file as plain values. Scopes are (first row, header row, last row), rows from 0, in order."""

    scopes: tuple[tuple[int, int, int], ...]
    imports: tuple[int, ...]
    knows_scopes: bool


def error_count(text: str, path: str) -> int | None:
    """How many places of `text` do not parse as the kind of file that `path` names; None when no grammar can tell."""
    name = language(path)
    return None if name is None else _error_count(text, name)


def surroundings(text: str, path: str, hunk: Hunk) -> Surroundings:
    """What encloses the changed lines of `hunk`, and the imports of the file whose text after the change is `text`.

    Where no grammar fits, indentation tells what encloses a line. Both are empty for a file over `MAX_BYTES`.
    """
    if len(text) > MAX_BYTES:
        return Surroundings(scopes=(), imports=())
    name = language(path)
    outline = None if name is None else _outline(text, name)
    lines = _rows(text)
    changed = _changed_rows(hunk)
    if outline is not None and outline.knows_scopes:
        rows = [header for first, header, last in outline.scopes if _any_between(changed, first, last)]
    else:
        rows = _indentation_scopes(lines, changed[0]) if changed else []
    shown = {line.new - 1 for line in hunk.lines if line.new is not None}
    scopes = [row for row in sorted(set(rows)) if row not in shown and row < len(lines)]
    imports: Sequence[int] = outline.imports if outline is not None else ()
    if not imports:
        imports = [] if name in _NO_IMPORTS else [row for row, line in enumerate(lines) if _IMPORT_LINE.match(line)]
    return Surroundings(
        scopes=_listed(lines, scopes[-MAX_SCOPES:]),
        imports=_listed(lines, [row for row in imports if row < len(lines)][:MAX_IMPORTS]),
    )


@lru_cache(maxsize=4)
def _rows(text: str) -> Sequence[str]:
    """The lines of a file, kept while its hunks are looked at one after the other."""
    return text.split("\n")


def _listed(lines: Sequence[str], rows: Sequence[int]) -> tuple[tuple[int, str], ...]:
    shown = ((row, printable(lines[row]).rstrip()) for row in rows)
    return tuple((row + 1, line if len(line) <= _SHOWN else f"{line[:_SHOWN]} …") for row, line in shown)


def _changed_rows(hunk: Hunk) -> list[int]:
    """Rows of the new file at which something was added or removed, in order; a removal counts for the line it left."""
    rows = []
    at = hunk.new_start - 1 + (hunk.new_count == 0)
    for line in hunk.lines:
        if line.kind is not LineKind.CONTEXT:
            rows.append(max(0, at if line.kind is LineKind.ADDED else at - 1))
        at += line.kind is not LineKind.REMOVED
    return rows


def _any_between(rows: list[int], first: int, last: int) -> bool:
    at = bisect_left(rows, first)
    return at < len(rows) and rows[at] <= last


def _indentation_scopes(lines: Sequence[str], row: int) -> list[int]:
    """The rows above `row` that are indented less than everything below them: its parents, innermost first."""
    row = min(row, len(lines) - 1)
    while row > 0 and not lines[row].strip():
        row -= 1
    width = _width(lines[row])
    found: list[int] = []
    for above in range(row - 1, -1, -1):
        if width == 0 or len(found) >= MAX_SCOPES:
            break
        if lines[above].strip() and _width(lines[above]) < width:
            width = _width(lines[above])
            found.append(above)
    return found


def _width(line: str) -> int:
    return len(line[: len(line) - len(line.lstrip())].expandtabs(4))


@lru_cache(maxsize=32)
def _outline(text: str, name: str) -> _Outline | None:
    """The outline of `text`; None when it is too large or the grammar gave up. Safe to call from several threads."""
    tree = _tree(text, name)
    if tree is None:
        return None
    queries = _queries(name)
    scopes = _captured(queries.scopes, tree.root_node) if queries.scopes else []
    imports = _captured(queries.imports, tree.root_node, depth=4) if queries.imports else []
    import_rows = sorted({row for node in imports for row in range(node.start_point.row, _last_row(node) + 1)})
    return _Outline(
        scopes=tuple(
            sorted(
                (node.start_point.row, _header_row(node), _last_row(node))
                for node in scopes
                if node.id != tree.root_node.id and node.start_point.row != node.end_point.row
            )
        ),
        imports=tuple(import_rows[: MAX_IMPORTS * 2]),
        knows_scopes=queries.scopes is not None,
    )


@lru_cache(maxsize=32)
def _error_count(text: str, name: str) -> int | None:
    """Apart from the outline: a prompt needs the one for every file, a suggestion the other for a few."""
    tree = _tree(text, name)
    return None if tree is None else _errors(tree, name)


def _tree(text: str, name: str) -> tree_sitter.Tree | None:
    source = text.encode("utf-8", "surrogatepass" if _has_other_surrogates(text) else "surrogateescape")
    return _parse(source, name) if len(source) <= MAX_BYTES else None


def _has_other_surrogates(text: str) -> bool:
    return re.search("[\ud800-\udc7f\udd00-\udfff]", text) is not None


@dataclass(frozen=True, slots=True)
class _Queries:
    scopes: tree_sitter.Query | None
    imports: tree_sitter.Query | None


@lru_cache(maxsize=32)
def _grammar(name: str) -> tree_sitter.Language:
    # Imported late: 40 ms that a run without a parsed file does not need.
    from tree_sitter_language_pack import get_language  # noqa: PLC0415

    return get_language(cast("SupportedLanguage", name))


@lru_cache(maxsize=32)
def _queries(name: str) -> _Queries:
    """Queries for those kinds of nodes that the grammar has, since a query that names another one is an error."""
    from tree_sitter import Query  # noqa: PLC0415

    grammar = _grammar(name)
    ids = range(grammar.node_kind_count)
    kinds = {grammar.node_kind_for_id(at) for at in ids if grammar.node_kind_is_named(at)}
    made = []
    for wanted in (SCOPES, IMPORTS):
        known = sorted(kind for kind in kinds if kind in wanted)
        made.append(Query(grammar, f"[{' '.join(f'({kind})' for kind in known)}] @node") if known else None)
    return _Queries(scopes=made[0], imports=made[1])


def _parse(source: bytes, name: str) -> tree_sitter.Tree | None:
    from tree_sitter import Parser  # noqa: PLC0415

    fuel = _FUEL + len(source) // _BYTES_FOR_ONE_FUEL

    def used_up(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001 - the library calls it so
        nonlocal fuel
        fuel -= 1
        return fuel < 0

    try:
        return Parser(_grammar(name)).parse(
            lambda offset, _point: source[offset : offset + 65536], progress_callback=used_up
        )
    except ValueError:
        # What the library raises for a parse that was stopped.
        return None


def _captured(query: tree_sitter.Query, root: tree_sitter.Node, *, depth: int | None = None) -> list[tree_sitter.Node]:
    from tree_sitter import QueryCursor  # noqa: PLC0415

    cursor = QueryCursor(query)
    if depth is not None:
        cursor.set_max_start_depth(depth)
    return cursor.captures(root).get("node", [])


def _header_row(node: tree_sitter.Node) -> int:
    """The row with the name, which decorators and annotations may stand above."""
    name = node.child_by_field_name("name") or node.child_by_field_name("declarator")
    return (name or node).start_point.row


def _last_row(node: tree_sitter.Node) -> int:
    """The last row that has something of `node`: a node that ends with its newline ends in column 0 of the next row."""
    row, column = node.end_point
    return row - 1 if column == 0 and row > node.start_point.row else row


def _errors(tree: tree_sitter.Tree, name: str) -> int:
    count = 0
    nodes = [tree.root_node] if tree.root_node.has_error else []
    while nodes:
        node = nodes.pop()
        count += node.is_error or node.is_missing
        nodes.extend(child for child in node.children if child.has_error or child.is_missing)
    if name in {"python", "starlark", "gdscript"}:
        count += _indentation_errors(tree)
    return count


def _indentation_errors(tree: tree_sitter.Tree) -> int:
    """What Python's grammar lets pass: a block with nothing in it, and statements of a block in different columns."""
    count = 0
    nodes = [tree.root_node]
    while nodes:
        node = nodes.pop()
        nodes.extend(child for child in node.children if child.child_count or child.type == "block")
        if node.type not in {"block", "module", "source_file", "source"}:
            continue
        statements = [child for child in node.named_children if child.type not in {"comment", "ERROR"}]
        count += not statements and node.type == "block"
        row, column = -1, None
        for child in statements:
            if child.start_point.row != row:
                column = child.start_point.column if column is None else column
                count += child.start_point.column != column
            row = child.end_point.row
    return count
