"""One version of a file out of another and the hunks between them, as real git makes them: byte for byte, or not at all."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.model import BadSection, FilePatch, FileStatus, Line, LineKind
from bot.diff.parse import read_fragment
from bot.git.compare import diff_blobs
from bot.github.known_texts import KnownTexts, home_of
from bot.github.replay import after, before, blob_id, is_blob_id, is_plain
from bot.review.model import RepoName

HOME = home_of("https://api.github.com", RepoName("acme/shop"))
SHA1 = "0" * 40


def patch(old: bytes, new: bytes, *, status: FileStatus = FileStatus.MODIFIED, **more: object) -> FilePatch:
    """What git says of the two, read as a review reads it."""
    found = read_fragment(index=0, path="a.py", old_path=None, status=status, fragment=diff_blobs(old, new))
    assert not isinstance(found, BadSection), found
    return replace(found, **more)  # type: ignore[arg-type]


PAIRS = {
    "a line in the middle": (b"a\nb\nc\n", b"a\nB\nc\n"),
    "no newline at the end, then one": (b"a\nb", b"a\nb\n"),
    "a newline at the end, then none": (b"a\nb\n", b"a\nb"),
    "no newline at either end": (b"a\nb", b"a\nc"),
    "all gone": (b"a\nb\n", b""),
    "all new": (b"", b"a\nb\n"),
    "all new without a newline": (b"", b"a"),
    "CRLF": (b"a\r\nb\r\nc\r\n", b"a\r\nB\r\nc\r\n"),
    "CRLF to LF": (b"a\r\nb\r\n", b"a\nb\n"),
    "a lone carriage return": (b"a\rb\nc\n", b"a\rb\nd\n"),
    "a mark at the beginning": ("\ufeffa\nb\n".encode(), "\ufeffa\nc\n".encode()),
    "the mark goes": ("\ufeffa\nb\n".encode(), b"a\nb\n"),
    "not UTF-8": (b"caf\xe9\nb\n", b"caf\xe9\nc\n"),
    "separators that are no line ends": ("a\u2028b\x0cc\x85\nd\n".encode(), "a\u2028b\x0cc\x85\ne\n".encode()),
    "two hunks far apart": (
        b"".join(b"%d\n" % n for n in range(40)),
        b"".join(b"%d\n" % (n if n not in {3, 30} else n * 100) for n in range(40)),
    ),
    "lines that look like a diff": (
        b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n",
        b"--- a/x\n+++ b/y\n@@ -1 +1 @@\n\\ No newline\n",
    ),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_each_version_follows_from_the_other_and_git_s_own_hunks(pair: tuple[bytes, bytes]) -> None:
    old, new = pair
    change = patch(old, new)
    assert after(old, change) == new
    assert before(new, change) == old


LINES = st.lists(st.sampled_from([b"a", b"b", b"", b"\r", b"\xe9", b"+", b"-x", b"@@"]), max_size=14)


def text(lines: list[bytes], ends: bool) -> bytes:
    return b"\n".join(lines) + (b"\n" if ends and lines else b"")


TEXTS = st.builds(text, LINES, st.booleans())


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(old=TEXTS, new=TEXTS, other=TEXTS)
def test_a_text_comes_of_the_right_base_and_hunks_or_not_at_all(old: bytes, new: bytes, other: bytes) -> None:
    if old == new:
        return
    change = patch(old, new)
    assert after(old, change) == new
    assert before(new, change) == old
    # Whatever the hunks make of a text that is not theirs, it is used only if it is the very text that was asked for.
    known = KnownTexts()
    known.learn(HOME, replace(change, hunks=()), blob_id(other, like=SHA1), other)
    found = known.text(HOME, change, blob_id(new, like=SHA1))
    assert found in {None, new}


def test_git_s_name_of_a_file_is_git_s() -> None:
    for data in (b"", b"x = 1\r\n", b"caf\xe9"):
        told = subprocess.run(["git", "hash-object", "--stdin"], input=data, capture_output=True, check=True)
        assert blob_id(data, like=SHA1) == told.stdout.decode().strip()
    assert blob_id(b"x", like="0" * 64) == hashlib.sha256(b"blob 1\0x").hexdigest()


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a" * 40, True),
        ("0" * 64, True),
        ("a" * 39, False),
        ("A" * 40, False),
        ("a" * 40 + "\n", False),
        ("", False),
        (None, False),
    ],
)
def test_only_a_whole_name_of_git_s_counts(name: str | None, *, is_one: bool) -> None:
    assert is_blob_id(name) is is_one


def test_hunks_that_do_not_fit_give_nothing() -> None:
    change = patch(b"a\nb\nc\n", b"a\nB\nc\n")
    for wrong in (b"", b"a\nx\nc\n", b"a\nb", b"a\nb\n", b"a\r\nb\r\nc\r\n", b"\na\nb\nc\n"):
        assert after(wrong, change) is None, wrong
    hunk = change.hunks[0]
    twice = replace(change, hunks=(hunk, hunk))
    assert after(b"a\nb\nc\n", twice) is None
    halved = Line(kind=LineKind.CONTEXT, old=1, new=1, text="\ud800")
    assert after(b"a\n", replace(change, hunks=(replace(hunk, lines=(halved,)),))) is None


@pytest.mark.parametrize(
    "odd",
    [{"new_mode": "120000"}, {"old_mode": "120000"}, {"new_mode": "160000"}, {"submodule": True}, {"binary": True}],
)
def test_links_submodules_and_binaries_are_neither_kept_nor_made(odd: dict[str, object]) -> None:
    change = patch(b"a\n", b"b\n", **odd)
    oid = blob_id(b"b\n", like=SHA1)
    assert not is_plain(change)
    known = KnownTexts()
    known.learn(HOME, change, oid, b"b\n")
    assert known.text(HOME, change, oid) is None
    assert known.held == 0
