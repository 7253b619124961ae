"""What the rule-based reviewer can be asked to do in a file: rename, document, make a dataclass, rewrite it all."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.sandbox.endpoint.longer_mends import import_place

_RENAME = re.compile(r"\brename\s+`?(\w+)`?\s+(?:in)?to\s+`?(\w+)`?", re.IGNORECASE)
_DOCSTRING = re.compile(r"\bdoc(?:ument|string|s)\b", re.IGNORECASE)
_DATACLASS = re.compile(r"\bdataclass\b", re.IGNORECASE)
_REWRITE = re.compile(r"\b(?:rewrite|reformat|format|clean up|tidy)\b", re.IGNORECASE)
_DEF = re.compile(r"^(\s*)(?:async\s+)?(?:def|class)\s+(\w+)")
_ASSIGNED = re.compile(r"^\s*self\.(\w+)(?:\s*:[^=]+)?\s*=\s*(\w+)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The file's lines after what was asked for."""

    lines: list[str]
    why: str
    whole: bool = False
    """Every line is to be said again."""


def instructed(
    codes: Sequence[str], at: Sequence[int], path: str, instruction: str, *, tidy: Callable[[Sequence[str]], list[str]]
) -> Done | str:
    """The file as asked for, or why not. `at`: indices of the lines it is asked at; `tidy` mends what the rules know."""
    new: Sequence[str] | str
    if found := _RENAME.search(instruction):
        new = [re.sub(rf"\b{re.escape(found[1])}\b", found[2], code) for code in codes]
        why, whole = f"Renames {found[1]} to {found[2]}.", False
    elif _DATACLASS.search(instruction):
        new, why, whole = _dataclass(codes, at, instruction), "Makes it a dataclass.", False
    elif _DOCSTRING.search(instruction):
        new, why, whole = _documented(codes, at, path), "Says what it is for.", False
    elif _REWRITE.search(instruction):
        new, why, whole = _tidied(tidy(codes)), "The whole file, tidied.", True
    else:
        return "The rules can rename, add a docstring, make a dataclass and rewrite a file; this is none of these."
    if isinstance(new, str):
        return new
    return Done(lines=list(new), why=why, whole=whole) if list(new) != list(codes) else "It is so already."


def _documented(codes: Sequence[str], at: Sequence[int], path: str) -> list[str] | str:
    if not path.endswith((".py", ".pyi")):
        return "The rules write docstrings in Python alone."
    start = _enclosing(codes, at, _DEF)
    if start is None:
        return "There is no function or class at the place."
    end = next((index for index in range(start, len(codes)) if codes[index].rstrip().endswith(":")), None)
    if end is None:
        return "The head of the function is not shown whole."
    following = next((code.strip() for code in codes[end + 1 :] if code.strip()), "")
    if following.startswith(('"""', "'''")):
        return "It has a docstring already."
    found = _DEF.match(codes[start])
    assert found is not None
    said = found[2].strip("_").replace("_", " ").capitalize() or "It"
    return [*codes[: end + 1], f'{found[1]}    """{said}."""', *codes[end + 1 :]]


def _enclosing(codes: Sequence[str], at: Sequence[int], head: re.Pattern[str]) -> int | None:
    """The last head at or above the place that is indented less than it, or the first one of the file."""
    heads = [index for index, code in enumerate(codes) if head.match(code)]
    if at:
        depth = min(_indent(codes[index]) for index in at)
        above = [i for i in heads if i in at or (i < min(at) and _indent(codes[i]) < depth)]
        within = [i for i in heads if min(at) <= i <= max(at)]
        return next(iter(within or above[-1:]), None)
    return heads[0] if heads else None


def _dataclass(codes: Sequence[str], at: Sequence[int], instruction: str) -> list[str] | str:
    """A class whose `__init__` only keeps its arguments, as a dataclass with an import where there is none."""
    try:
        tree = ast.parse("\n".join(codes))
    except SyntaxError:
        return "The file does not parse as it is shown."
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    named = [node for node in classes if re.search(rf"\b{re.escape(node.name)}\b", instruction)]
    around = [node for node in classes if any(node.lineno <= i + 1 <= (node.end_lineno or 0) for i in at)]
    chosen = (named or around or (classes if len(classes) == 1 else []))[:1]
    if not chosen:
        return "It is not clear which class is meant."
    return _with_fields(codes, chosen[0])


def _with_fields(codes: Sequence[str], node: ast.ClassDef) -> list[str] | str:
    if any("dataclass" in ast.unparse(each) for each in node.decorator_list):
        return "It is a dataclass already."
    init = next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)
    if init is None or init.args.vararg or init.args.kwarg or init.args.kwonlyargs or init.args.posonlyargs:
        return "Its __init__ is not a plain one."
    body = [ast.unparse(each) for each in init.body if not _is_text(each)]
    names = [arg.arg for arg in init.args.args[1:]]
    kept = [(found[1], found[2]) for line in body if (found := _ASSIGNED.match(line))]
    if len(kept) != len(body) or sorted(kept) != sorted((name, name) for name in names):
        return "Its __init__ does more than keep its arguments."
    if any(not isinstance(default, ast.Constant) for default in init.args.defaults):
        return "A default of its __init__ is no constant."
    pad = " " * init.col_offset
    plain = len(names) - len(init.args.defaults)
    fields = []
    for index, arg in enumerate(init.args.args[1:]):
        kind = ast.unparse(arg.annotation) if arg.annotation else "object"
        default = f" = {ast.unparse(init.args.defaults[index - plain])}" if index >= plain else ""
        fields.append(f"{pad}{arg.arg}: {kind}{default}")
    head, first = node.lineno - 1, init.lineno - 1
    new = [*codes[:head], f"{' ' * node.col_offset}@dataclass", *codes[head:first], *fields]
    new += codes[init.end_lineno or init.lineno :]
    wanted = "from dataclasses import dataclass"
    place = import_place(codes)
    return new if wanted in codes else [*new[:place], wanted, *([] if place < head else ["", ""]), *new[place:]]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _tidied(codes: Sequence[str]) -> list[str]:
    """No white space at line ends, and no more than two empty lines in a row."""
    out: list[str] = []
    for code in codes:
        if code.strip() or out[-2:] != ["", ""]:
            out.append(code.rstrip())
    return out


def _indent(code: str) -> int:
    return len(code) - len(code.lstrip()) if code.strip() else 10_000
