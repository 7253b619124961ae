"""Headers that do not add up, and hunks on which unidiff and the splitter would not agree."""

from __future__ import annotations

import pytest
from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

import bot.diff.parse
from bot.diff.model import FileStatus
from bot.diff.parse import read_patch

GOOD = b"diff --git a/y b/y\nindex 1111111..2222222 100644\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"
HEAD = b"diff --git a/x b/x\n"
HUNK = b"@@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (HEAD, "says nothing about a change"),
        (HEAD + b"index 1111111..2222222 100644\n", "hunks are missing"),
        (HEAD + b"index 1111111..2222222 100644\n--- a/x\n+++ b/x\n", "hunks are missing"),
        (HEAD + b"old mode 100644\n", "cut off"),
        (HEAD + b"new file mode 100644\nindex 0000000..1111111\n", "hunks are missing"),
        (HEAD + b"similarity index 90%\n", "cut off"),
        (HEAD + b"similarity index 90%\nrename from x\n", "rename lines are broken"),
        (HEAD + b"similarity index 90%\nrename from x\nrename to y\n", "hunks are missing"),
        (HEAD + b'similarity index 100%\ncopy from "x\ncopy to y\n', "copy lines are broken"),
        (HEAD + b"index zzz\n--- a/x\n+++ b/x\n" + HUNK, "cannot be read: index zzz"),
        (HEAD + b"index 1111111..2222222 100644\n--- a/x\n" + HUNK, "names in its header are broken"),
        (HEAD + b"index 1111111..2222222 100644\n--- /dev/null\n+++ /dev/null\n" + HUNK, "both names"),
        (
            HEAD + b"new file mode 100644\nindex 0000000..2222222\n--- /dev/null\n+++ b/z\n@@ -0,0 +1 @@\n+a\n",
            "contradict",
        ),
        (b"diff --git a/x b/z\nold mode 100644\nnew mode 100755\n", "its name cannot be read"),
        (HEAD + b"index 1111111..2222222 100644\nBinary files a/x and b/x diff\n", "cut off"),
        (HEAD + b"index 1111111..2222222 100644\nGIT binary patch\nliteral 5\n", "binary patch is cut off"),
        (HEAD + b"deleted file mode 100644\nindex 1111111..0000000\n--- a/x\n+++ /dev/null\n" + HUNK, "new lines"),
    ],
)
def test_a_header_that_does_not_add_up_costs_its_section_alone(section, words):
    patch = read_patch(section + GOOD)
    assert [(file.index, file.path) for file in patch.files] == [(1, "y")]
    assert [bad.index for bad in patch.bad] == [0]
    assert words in patch.bad[0].reason


def test_two_plain_names_that_are_both_nothing_are_bad():
    patch = read_patch(b"--- /dev/null\n+++ /dev/null\n" + HUNK)
    assert ["both names" in bad.reason for bad in patch.bad] == [True]


def test_a_header_that_other_tools_write_for_an_empty_file_is_read_unless_it_may_be_cut():
    header = HEAD + b"new file mode 100644\n"
    assert [file.status for file in read_patch(header + GOOD).files] == [FileStatus.ADDED, FileStatus.MODIFIED]
    assert [bad.path for bad in read_patch(GOOD + header).bad] == ["x"]


def test_a_change_of_type_in_one_section_is_told_by_its_modes():
    (file,) = read_patch(
        HEAD + b"old mode 100644\nnew mode 120000\nindex 1111111..2222222\n--- a/x\n+++ b/x\n" + HUNK
    ).files
    assert (file.status, file.old_mode, file.new_mode) == (FileStatus.TYPE_CHANGED, "100644", "120000")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Submodule a b 0000000...1111111 (new submodule)\n", FileStatus.ADDED),
        (b"Submodule a b 1111111...0000000 (submodule deleted)\n", FileStatus.REMOVED),
        (b"Submodule a b 1111111..2222222 (rewind):\n", FileStatus.MODIFIED),
        (b"Submodule a b contains modified content\n", FileStatus.MODIFIED),
    ],
)
def test_a_submodule_told_in_one_line_has_its_status(line, status):
    (file,) = read_patch(line).files
    assert (file.path, file.status, file.submodule) == ("a b", status, True)


class Shifted(PatchSet):
    """unidiff, if it were wrong by one line."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        for file in self:
            for hunk in file:
                hunk[-1].target_line_no += 1


class Forgetful(PatchSet):
    """unidiff, if it lost a line."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        for file in self:
            for hunk in file:
                del hunk[-1]


class Blind(PatchSet):
    """unidiff, if it lost a hunk."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        for file in self:
            del file[-1]


class Refusing(PatchSet):
    """unidiff, if it refused."""

    def __init__(self, text: str) -> None:
        raise UnidiffParseError(text[:5])


@pytest.mark.parametrize("wrong", [Shifted, Forgetful, Blind, Refusing])
def test_numbers_of_unidiff_that_do_not_agree_with_the_bytes_are_not_used(monkeypatch, wrong):
    monkeypatch.setattr(bot.diff.parse, "PatchSet", wrong)
    patch = read_patch(GOOD)
    assert patch.files == ()
    assert [bad.path for bad in patch.bad] == ["y"]
