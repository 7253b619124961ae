"""Git's own numbers, held against ours on every kind of change, and on generated ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.parse import read_fragment, read_patch
from bot.git import RangeSource, Repository, compare_blobs, diff_blobs
from bot.git.trees import read_totals
from bot.review.coverage import difference
from bot.review.model import Totals


def change_of(sandbox, asked="HEAD~1..HEAD"):
    return RangeSource(Repository(sandbox.path), asked).open().change


def ours(change):
    """By name: a type change is one file in two sections."""
    patch = change.patch
    names = {section.path for section in (*patch.files, *patch.bad)}
    assert not difference(change)
    return Totals(files=len(names), added=patch.added, removed=patch.removed)


def test_every_kind_of_change_is_counted_as_git_counts_it(sandbox):
    text = "".join(f"line {number}\n" for number in range(40))
    for name in ("renamed", "edited and renamed", "mode", "removed", "typed", "emptied", "crlf", "no newline"):
        sandbox.write(f"{name}.txt", text)
    sandbox.write("filled.txt", "")
    sandbox.write("binary.bin", bytes(range(256)))
    sandbox.write("latin.txt", b"caf\xe9\n")
    sandbox.commit("before")
    sandbox.git("mv", "renamed.txt", "a b/ x.txt", check=False)
    (sandbox.path / "sub b").mkdir()
    sandbox.git("mv", "renamed.txt", "sub b/b x.txt")
    sandbox.git("mv", "edited and renamed.txt", "näw.txt")
    sandbox.write("näw.txt", text.replace("line 7\n", "seven\n"))
    (sandbox.path / "mode.txt").chmod(0o755)
    (sandbox.path / "removed.txt").unlink()
    (sandbox.path / "typed.txt").unlink()
    (sandbox.path / "typed.txt").symlink_to("mode.txt")
    sandbox.write("emptied.txt", "")
    sandbox.write("filled.txt", "now\n")
    sandbox.write("crlf.txt", text.replace("\n", "\r\n"))
    sandbox.write("no newline.txt", text + "end")
    sandbox.write("binary.bin", bytes(range(255, -1, -1)))
    sandbox.write("latin.txt", b"th\xe9\n")
    sandbox.write('new\n"name"\t.txt', "x\n")
    sandbox.commit("after")
    change = change_of(sandbox)
    assert not change.patch.bad
    assert ours(change) == change.totals
    numstat = sandbox.git("diff", "--no-renames", "--shortstat", "-M", "HEAD~1", "HEAD")
    assert f"{change.totals.added} insertions" in numstat
    assert f"{change.totals.removed} deletions" in numstat


def test_a_submodule_is_one_file_with_its_two_lines(sandbox, new_sandbox):
    inner = new_sandbox("inner").init()
    inner.commit(a__py="1\n")
    sandbox.commit("base", a__py="1\n")
    first = inner.git("rev-parse", "HEAD")
    sandbox.git("update-index", "--add", "--cacheinfo", f"160000,{first},lib")
    sandbox.git("commit", "-q", "-m", "add")
    second = inner.commit(a__py="2\n")
    sandbox.git("update-index", "--add", "--cacheinfo", f"160000,{second},lib")
    sandbox.git("commit", "-q", "-m", "move")
    change = change_of(sandbox)
    (file,) = change.patch.files
    assert (file.path, file.submodule) == ("lib", True)
    assert change.totals == ours(change)


def test_a_renamed_file_has_one_entry_in_gits_count():
    data = (
        b":100644 100644 a b R100\0old.py\0new.py\0"
        b":100644 120000 a b T\0link\0"
        b":100644 100644 a b M\0blob\0"
        b"3\t1\t\0old.py\0new.py\x001\t1\tlink\0-\t-\tblob\0"
    )
    assert read_totals(data) == Totals(files=3, added=4, removed=2)
    assert read_totals(b"") == Totals(files=0, added=0, removed=0)


@pytest.mark.parametrize("seed", range(6))
def test_generated_histories_agree_with_git_and_with_the_blobs(sandbox, seed):
    chance = random.Random(seed)
    names = [
        "a.py",
        "dir b/b c.py",
        'q"uote.txt',
        "tab\tname.md",
        "ünï.rs",
        " lead.c",
        "trail .c",
        "b/a/b.txt",
        "-dash",
        "new\nline",
    ]
    words = [
        "alpha",
        "beta\r",
        "--- a/x",
        "+++ b/y",
        "@@ -1 +1 @@",
        "diff --git a/x b/x",
        "",
        "\x0c",
        "\u2028",
        "\\ No newline",
        "x\x00",
    ]
    for _ in range(2):
        for name in names:
            fate = chance.random()
            target = Path(sandbox.path / name)
            if fate < 0.15:
                target.unlink(missing_ok=True)
                continue
            kept = target.read_bytes().decode().split("\n") if target.exists() else []
            lines = [line for line in kept if chance.random() < 0.8]
            for _ in range(chance.randrange(8)):
                lines.insert(
                    chance.randrange(len(lines) + 1), chance.choice(words[: 11 if chance.random() < 0.1 else 10])
                )
            sandbox.write(name, "\n".join(lines) + ("\n" if chance.random() < 0.7 else ""))
        sandbox.commit("step")
    opened = RangeSource(Repository(sandbox.path), "HEAD~1..HEAD").open()
    change = opened.change
    assert not change.patch.bad
    assert ours(change) == change.totals
    for file in change.patch.files:
        head = opened.files.text(file.path)
        for hunk in file.hunks:
            for line in hunk.on("RIGHT"):
                assert head is not None
                assert head.split("\n")[line.number - 1] == line.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b"a\n"),
        (b"a\n", b""),
        (b"a", b"a\n"),
        (b"a\r\nb\n", b"a\nb\n"),
        (b"caf\xe9\n", b"caf\xe8\n"),
        (b"--- a/x\n+++ b/y\n", b"+++ b/y\n--- a/x\n@@ -1 +1 @@\n"),
        (b"x\n" * 50_000, b"x\n" * 20_000 + b"y\n" + b"x\n" * 30_000),
        (b"\n@@ -1 +1 @@\n", b"\n\n@@ -1 +1 @@\n"),
    ],
)
def test_compared_blobs_read_as_a_fragment_of_the_file(old, new):
    fragment = diff_blobs(old, new)
    file = read_fragment(index=0, path="any b/name.txt", old_path=None, status="modified", fragment=fragment)
    assert file.path == "any b/name.txt"
    before, after = (
        old.decode("utf-8", "surrogateescape").split("\n"),
        new.decode("utf-8", "surrogateescape").split("\n"),
    )
    assert file.hunks
    for hunk in file.hunks:
        for line in hunk.lines:
            assert line.old is None or before[line.old - 1] == line.text
            assert line.new is None or after[line.new - 1] == line.text
    assert file.added - file.removed == new.count(b"\n") + (not new.endswith(b"\n") and new != b"") - old.count(
        b"\n"
    ) - (not old.endswith(b"\n") and old != b"")


@pytest.mark.parametrize(("old", "new"), [(b"same\n", b"same\n"), (b"", b""), (b"a\0b", b"c"), (b"a", b"\0")])
def test_equal_and_binary_blobs_have_no_hunks(old, new):
    assert diff_blobs(old, new) == ""


_LINES = st.sampled_from(
    [
        b"a",
        b"b",
        b"",
        b"\r",
        b"caf\xe9",
        b"@@ -1 +1 @@",
        b"diff --git a/old/0 b/new/0",
        b"--- a/old/1",
        b"+++ b/new/1",
        b"\0",
    ]
)
_BLOBS = st.tuples(st.lists(_LINES, max_size=6), st.booleans()).map(
    lambda parts: b"\n".join(parts[0]) + (b"\n" if parts[1] else b"")
)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.tuples(_BLOBS, _BLOBS), max_size=12))
def test_blobs_compared_together_read_as_when_each_pair_is_compared_alone(pairs):
    """Also where a line looks like what git prints between two files."""
    assert compare_blobs(pairs) == [diff_blobs(old, new) for old, new in pairs]


def test_a_patch_of_the_repository_reads_like_the_one_a_person_prints(sandbox):
    sandbox.commit("before", a__py="1\n2\n3\n")
    sandbox.commit("after", a__py="1\ntwo\n3\n")
    printed = sandbox.git("diff", "--full-index", "HEAD~1", "HEAD").encode() + b"\n"
    assert change_of(sandbox).patch == read_patch(printed)
