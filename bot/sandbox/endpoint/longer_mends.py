"""Mends of Python that a suggestion on the line alone cannot make, because the file needs an import or the rest must fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_MEAN = re.compile(r"^(\s*(?:return|[\w.]+\s*=)\s+)(\S.*/\s*len\(([\w.]+)\)\)?)\s*$")
_SECRET = re.compile(r"""^(\s*)([\w.]+)(\s*=\s*)(["'])[^"']+\4\s*$""")
_QUERY = re.compile(r"""^(\s*.*\bexecute\()f(["'])((?:(?!\2).)*)\2\)(.*)$""")
_VALUE = re.compile(r"""(["']?)\{([\w.\[\]]+)\}\1""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """New text of one line, and the modules it needs."""

    text: str
    imports: tuple[str, ...] = ()


def _guarded(line: str) -> Mend | None:
    """`return a / len(b)` gets ` if b else 0`."""
    found = _MEAN.match(line)
    return None if found is None else Mend(text=f"{found[1]}{found[2]} if {found[3]} else 0")


def _from_environment(line: str) -> Mend | None:
    """`password = "…"` reads the environment instead."""
    found = _SECRET.match(line)
    if found is None:
        return None
    name = found[2].rpartition(".")[2].upper()
    return Mend(text=f'{found[1]}{found[2]}{found[3]}os.environ["{name}"]', imports=("os",))


def _parameters(line: str) -> Mend | None:
    """`execute(f"… = {a}")` becomes `execute("… = ?", (a,))`."""
    found = _QUERY.match(line)
    if found is None or "{" in _VALUE.sub("", found[3]):
        return None
    names = [name for _, name in _VALUE.findall(found[3])]
    quote = found[2]
    return Mend(text=f"{found[1]}{quote}{_VALUE.sub('?', found[3])}{quote}, ({', '.join(names)},)){found[4]}")


def _literal(line: str) -> Mend | None:
    """`eval(` becomes `ast.literal_eval(`; what `exec` does has no such form."""
    text = re.sub(r"(?<![\w.])eval\(", "ast.literal_eval(", line)
    return None if text == line else Mend(text=text, imports=("ast",))


def _unpredictable(line: str) -> Mend | None:
    """`random.choice(` becomes `secrets.choice(`."""
    text = re.sub(r"\brandom\.choice\(", "secrets.choice(", line)
    return None if text == line else Mend(text=text, imports=("secrets",))


LONGER_MENDS: Mapping[str, Callable[[str], Mend | None]] = {
    "Division by the length of something that may be empty": _guarded,
    "A secret is written into the code": _from_environment,
    "SQL is put together from strings": _parameters,
    "Text is run as code": _literal,
    "A secret comes from a predictable generator": _unpredictable,
}
"""By the title of the mistake."""


def with_imports(codes: Sequence[str], modules: Sequence[str]) -> list[str]:
    """`codes` with these modules imported: above the first import, or below the docstring and what belongs to the top."""
    missing = [f"import {name}" for name in modules if f"import {name}" not in codes]
    at = import_place(codes)
    return [*codes[:at], *missing, *codes[at:]] if missing else list(codes)


def import_place(codes: Sequence[str]) -> int:
    """The index at which an import may be put: behind a docstring, top comments and imports from `__future__`."""
    at = 0
    while at < len(codes) and (not codes[at].strip() or codes[at].startswith("#")):
        at += 1
    if at < len(codes) and codes[at].startswith(('"""', "'''")):
        quote = codes[at][:3]
        if codes[at].count(quote) == 1:
            at += 1
            while at < len(codes) and quote not in codes[at]:
                at += 1
        at = min(at + 1, len(codes))
    for index in range(at, len(codes)):
        if codes[index].startswith("from __future__"):
            at = index + 1
    while at + 1 < len(codes) and not codes[at].strip():
        at += 1
    return at
