"""Changes made by git from two versions of some files, without a repository."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import pytest

from bot.diff.parse import read_patch
from bot.review.model import Change


class Texts:
    """The `HeadFiles` port over a mapping."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.prefetched: list[str] = []

    def text(self, path: str) -> str | None:
        return self.texts.get(path)

    def prefetch(self, paths: Sequence[str]) -> None:
        self.prefetched += paths


def as_diff(path: str, old: str | None, new: str, mode: str = "100644") -> str:
    """A section as git prints it. `old` is None for a new file."""
    head = f"diff --git a/{path} b/{path}\n" + (f"new file mode {mode}\n" if old is None else "")
    before = old.splitlines(keepends=True) if old else []
    body = []
    for line in difflib.unified_diff(before, new.splitlines(keepends=True), n=3):
        if line.startswith(("---", "+++")):
            continue
        body.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return head + f"--- {'/dev/null' if old is None else f'a/{path}'}\n+++ b/{path}\n" + "".join(body)


class Made:
    """A change and its head files."""

    def __init__(self, versions: Mapping[str, tuple[str | None, str]], modes: Mapping[str, str] | None = None) -> None:
        text = "".join(
            as_diff(path, old, new, (modes or {}).get(path, "100644")) for path, (old, new) in versions.items()
        )
        patch = read_patch(text.encode("utf-8", "surrogateescape"))
        assert not patch.bad
        self.change = Change(patch=patch, base="a", head="b")
        self.files = Texts({path: new for path, (_, new) in versions.items()})


@pytest.fixture
def made():
    return Made
