"""Hunks without a header, as GitHub's files API gives them."""

from __future__ import annotations

import pytest

from bot.diff.model import BadSection, FilePatch, FileStatus
from bot.diff.parse import read_fragment


def read(fragment, status=FileStatus.MODIFIED):
    return read_fragment(
        index=3, path="a b/c", old_path="old", status=status, fragment=fragment, old_sha="1", new_sha="2"
    )


def test_a_fragment_takes_everything_but_its_hunks_from_the_arguments():
    file = read("@@ -1,2 +1,2 @@ def f():\n one\n-two\n+three")
    assert isinstance(file, FilePatch)
    assert (file.index, file.path, file.old_path, file.old_sha, file.new_sha) == (3, "a b/c", "old", "1", "2")
    assert (file.hunks[0].key, file.hunks[0].section, file.added, file.removed) == ((3, 0), "def f():", 1, 1)


def test_an_empty_fragment_has_no_hunks():
    file = read("")
    assert isinstance(file, FilePatch)
    assert file.hunks == ()


def test_a_fragment_with_a_missing_final_newline_is_read():
    file = read("@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file")
    assert isinstance(file, FilePatch)
    assert [line.newline for line in file.hunks[0].lines] == [False, False]


@pytest.mark.parametrize(
    ("fragment", "words"),
    [
        ("@@ -1,3 +1,3 @@\n one\n-two", "shorter"),
        ("@@ -1 +1 @@\n-a\n+b\n+c", "beyond"),
        ("@@ -1 +1 @@\n-a\n+b\nwhat is this", "text behind its hunks"),
        ("@@ -1 +1 @@\n-a\n+b\n@@ -x", "cannot be read"),
        ("no hunk", "does not begin with a hunk"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b", "does not begin with a hunk"),
    ],
)
def test_a_fragment_that_does_not_add_up_is_bad(fragment, words):
    bad = read(fragment)
    assert isinstance(bad, BadSection)
    assert (bad.index, bad.path) == (3, "a b/c")
    assert words in bad.reason


def test_a_fragment_of_a_removed_file_must_have_no_new_lines():
    assert isinstance(read("@@ -1 +1 @@\n-a\n+b", FileStatus.REMOVED), BadSection)


def test_a_pointer_of_a_submodule_is_told_by_what_git_writes_for_it():
    one, two = "1" * 40, "2" * 40
    file = read(f"@@ -1 +1 @@\n-Subproject commit {one}\n+Subproject commit {two}")
    assert isinstance(file, FilePatch)
    assert file.submodule
    other = read(f"@@ -1 +1 @@\n-Subproject commit {one}\n+another line")
    assert isinstance(other, FilePatch)
    assert not other.submodule


def test_a_half_surrogate_pair_from_json_becomes_a_replacement_character():
    file = read("@@ -0,0 +1 @@\n+\ud800x\udc80")
    assert isinstance(file, FilePatch)
    assert file.hunks[0].lines[0].text == "\ufffdx\udc80"


def test_a_fragment_translated_to_crlf_reads_like_the_original():
    text = "@@ -1,2 +1,2 @@ def f():\n one\n-two\n+three"
    assert read(text.replace("\n", "\r\n")) == read(text)
