"""Makers of patches, chunks and findings for the tests of the pure steps. Patches are read from real diff text."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from bot.diff.anchors import anchor_lines, tag
from bot.diff.model import Anchor, HunkKey, Line, Patch, Side
from bot.diff.parse import read_patch
from bot.review.fingerprint import fingerprint as fingerprint_of
from bot.review.memory import CommentId, Dismissal, KnownFinding, Said, Thread, ThreadId
from bot.review.model import Category, Change, Finding, Fingerprint, Severity, Votes
from bot.review.recall import assemble
from bot.review.render.comments import comment_body
from bot.review.render.safe import Redactor
from bot.review.scope import Chunk, PassName
from bot.review.seen import digests, fresh_lines
from bot.review.whereabouts import Placed, place_known

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
            print=str,
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


@pytest.fixture
def posted(patch_of, finding_of, thread_of, said) -> Callable[..., KnownFinding]:
    """A finding as a first round posted it on lines of a change, and as the next one reads it from the pull."""
    numbers = count(1)

    def make(
        files: Mapping[str, tuple[str | None, str | None]],
        path: str,
        start: int,
        end: int | None = None,
        *,
        side: Side = Side.RIGHT,
        now: int | None = None,
        notes: tuple[Said, ...] = (),
        dismissal: Dismissal | None = None,
        closed: bool = False,
        thread: Mapping[str, Any] | None = None,
        **more,
    ) -> KnownFinding:
        patch = patch_of(files)
        file = next(file for file in patch.files if file.path == path)
        anchor = anchor_lines(file, side, start, end or start)
        assert isinstance(anchor, Anchor), anchor
        rule, category = more.get("rule", ""), more.get("category", Category.BUG)
        finding = replace(
            finding_of(**more), anchor=anchor, fingerprint=fingerprint_of(anchor, category, rule=rule, file=file)
        )
        number = next(numbers)
        first = said(comment_body(finding, Redactor(patch), patch=patch), url=f"https://gh.test/c/{number}")
        given = {"id": ThreadId(f"T{number}"), "path": path, "side": side, "original_line": end or start}
        if dismissal is not None or closed:
            given["resolved_by"] = "spark[bot]"
        made = thread_of(first, *notes, line=now, **(given | dict(thread or {})))
        (known,) = assemble([made], [], may_write=lambda _: False, author="").findings
        return replace(known, dismissal=dismissal, closed=closed)

    return make


@pytest.fixture
def place(patch_of) -> Callable[..., list[Placed]]:
    """Known findings placed in a change; the head's files are those of the change, and `more`."""

    def make(
        known: KnownFinding | list[KnownFinding], files, *, heads: Mapping[str, str] | None = None, then=None, **more
    ):
        patch = patch_of(files)
        texts = {path: new for path, (_, new) in files.items() if new is not None} | dict(heads or {})
        fresh = None if then is None else fresh_lines(patch, digests(patch_of(then)))
        listed = known if isinstance(known, list) else [known]
        return place_known(listed, patch, texts.get, fresh=fresh, **more)

    return make
