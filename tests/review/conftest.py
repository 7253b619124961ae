"""Makers of patches, chunks and findings for the tests of the pure steps. Patches are read from real diff text."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

import pytest

from bot.diff.anchors import tag
from bot.diff.model import Anchor, HunkKey, Line, Patch, Side
from bot.diff.parse import read_patch
from bot.review.memory import CommentId, Said, Thread, ThreadId
from bot.review.model import Category, Change, Finding, Fingerprint, Severity, Votes
from bot.review.scope import Chunk, PassName

ONE_VOTE = Votes(in_favour=1, of=1)

Sources = Mapping[str, tuple[str | None, str | None]]


def diff_text(files: Sources) -> str:
    """A git diff; each file is its text before and after, None where there is none."""
    parts = []
    for path, (old, new) in files.items():
        parts.append(f"diff --git a/{path} b/{path}\n")
        if old is None:
            parts.append("new file mode 100644\n")
        if new is None:
            parts.append("deleted file mode 100644\n")
        before = "/dev/null" if old is None else f"a/{path}"
        after = "/dev/null" if new is None else f"b/{path}"
        old_lines = [f"{line}\n" for line in (old or "").removesuffix("\n").split("\n")] if old else []
        new_lines = [f"{line}\n" for line in (new or "").removesuffix("\n").split("\n")] if new else []
        parts.extend(difflib.unified_diff(old_lines, new_lines, before, after))
    return "".join(parts)


@pytest.fixture
def patch_of() -> Callable[[Sources], Patch]:
    return lambda files: read_patch(diff_text(files).encode("utf-8", "surrogateescape"))


@pytest.fixture
def change_of(patch_of) -> Callable[..., Change]:
    def make(files: Sources, **more) -> Change:
        return Change(patch=patch_of(files), base="base", head="head", **more)

    return make


@pytest.fixture
def whole_chunk() -> Callable[..., Chunk]:
    """A chunk with every hunk of the named files, or of all."""

    def make(patch: Patch, *paths: str, number: int = 0) -> Chunk:
        files = [file for file in patch.files if not paths or file.path in paths]
        return Chunk(
            id=number,
            hunks=tuple(hunk.key for file in files for hunk in file.hunks),
            text="",
            tokens=100,
            paths=tuple(file.path for file in files),
        )

    return make


@pytest.fixture
def tag_of() -> Callable[..., str]:
    """The tag of the first line that has this text."""

    def find(patch: Patch, path: str, text: str, side: Side = Side.RIGHT) -> str:
        lines: list[Line] = [
            line
            for file in patch.files
            if file.path == path
            for hunk in file.hunks
            for line in hunk.on(side)
            if line.text == text
        ]
        return tag(lines[0])

    return find


@pytest.fixture
def finding_of() -> Callable[..., Finding]:
    def make(
        *,
        path="a.py",
        side=Side.RIGHT,
        start=1,
        line=None,
        hunk=(0, 0),
        text=("x = 1",),
        title="total() divides by zero",
        body="With no items the count is zero, so the division raises ZeroDivisionError.",
        severity=Severity.HIGH,
        category=Category.BUG,
        suggestion=None,
        proven=False,
        votes=ONE_VOTE,
        fingerprint="f" * 16,
        source="model",
        passes=("review",),
        **more,
    ) -> Finding:
        return Finding(
            anchor=Anchor(
                path=path, side=side, start_line=start, line=line or start, hunk=HunkKey(*hunk), text=tuple(text)
            ),
            severity=severity,
            category=category,
            title=title,
            body=body,
            suggestion=suggestion,
            proven=proven,
            votes=votes,
            fingerprint=Fingerprint(fingerprint),
            source=source,
            passes=tuple(PassName(name) for name in passes),
            **more,
        )

    return make


@pytest.fixture
def said() -> Callable[..., Said]:
    """A comment of a thread; ours, unless somebody else's login is given."""

    def make(body: str = "", login: str = "spark[bot]", **more) -> Said:
        bot = login.endswith("[bot]")
        given = {"id": CommentId(1), "is_ours": login == "spark[bot]", "is_bot": bot, "url": "https://gh.test/c/1"}
        return Said(login=login, body=body, **(given | more))

    return make


@pytest.fixture
def thread_of() -> Callable[..., Thread]:
    """A thread with these comments; open and on a line, unless said otherwise. `resolved_by="spark[bot]"` is us."""

    def make(*comments: Said, line: int | None = 1, resolved_by: str | None = None, **more) -> Thread:
        given = {
            "id": ThreadId("T1"),
            "path": "a.py",
            "side": Side.RIGHT,
            "start_line": None,
            "original_line": line,
            "is_outdated": line is None,
        }
        return Thread(
            comments=comments,
            line=line,
            is_resolved=resolved_by is not None,
            resolved_by=resolved_by or "",
            resolved_by_us=resolved_by == "spark[bot]",
            **(given | more),
        )

    return make
