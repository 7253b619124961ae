"""Reads a Dockerfile and a .dockerignore, as far as ours go."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Step:
    """One instruction."""

    keyword: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its arguments: of the JSON form, or split as a shell does."""
        return [str(word) for word in json.loads(self.text)] if self.text.startswith("[") else shlex.split(self.text)


@dataclass
class Stage:
    """From one FROM to the next."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def all(self, keyword: str) -> list[Step]:
        return [step for step in self.steps if step.keyword == keyword]

    def only(self, keyword: str) -> Step:
        (step,) = self.all(keyword)
        return step


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile."""
    found: list[Stage] = []
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", kept).splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base.strip(), name.strip()))
        elif keyword:
            found[-1].steps.append(Step(keyword, rest.strip()))
    return found


def context(root: Path = ROOT) -> Iterator[str]:
    """Every file that a build gets to see, by `.dockerignore`: the last pattern that matches it or a folder above decides."""
    lines = [line.strip() for line in (root / ".dockerignore").read_text().splitlines()]
    patterns = [(line.startswith("!"), _regex(line.removeprefix("!"))) for line in lines if line and line[0] != "#"]
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if name not in {".git", ".venv"}]
        for name in files:
            if _is_in(here / name, patterns):
                yield (here / name).as_posix()


def _is_in(path: Path, patterns: Sequence[tuple[bool, re.Pattern[str]]]) -> bool:
    names = [path.as_posix(), *(parent.as_posix() for parent in path.parents)]
    kept = True
    for keeps, pattern in patterns:
        if any(pattern.fullmatch(name) for name in names if name != "."):
            kept = keeps
    return kept


def _regex(pattern: str) -> re.Pattern[str]:
    parts = {"**/": "(?:.*/)?", "*": "[^/]*"}
    split = re.split(r"(\*\*/|\*|\[\w+\])", pattern)
    return re.compile("".join(parts.get(part) or (part if part.startswith("[") else re.escape(part)) for part in split))
