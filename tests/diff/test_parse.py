"""Reading a diff: one test for each defect that a parser of diffs is known for, and for what is refused."""

from __future__ import annotations

import pytest

from bot.diff.model import FileStatus, HunkKey, LineKind
from bot.diff.parse import read_patch
from bot.errors import DiffUnreadableError

ONE = b"diff --git a/x b/x\nindex 1111111..2222222 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@ def f():\n one\n-two\n+three\n"
OTHER = b"diff --git a/y b/y\nindex 1111111..2222222 100644\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"


def only(data: bytes):
    patch = read_patch(data)
    assert not patch.bad
    (file,) = patch.files
    return file


def test_a_plain_change_is_read_with_its_numbers():
    file = only(ONE)
    (hunk,) = file.hunks
    assert (file.path, file.old_path, file.status) == ("x", None, FileStatus.MODIFIED)
    assert (file.old_sha, file.new_sha, file.old_mode, file.new_mode) == ("1111111", "2222222", "100644", "100644")
    assert (hunk.key, hunk.section, file.added, file.removed) == ((0, 0), "def f():", 1, 1)
    assert [(line.kind, line.old, line.new, line.text) for line in hunk.lines] == [
        (LineKind.CONTEXT, 1, 1, "one"),
        (LineKind.REMOVED, 2, None, "two"),
        (LineKind.ADDED, None, 2, "three"),
    ]


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\n", b"\0\0"])
def test_empty_input_is_an_empty_patch(data):
    patch = read_patch(data)
    assert (patch.files, patch.bad) == ((), ())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"message": "Not Found"}', "JSON"),
        (b'[{"a": 1}]', "JSON"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n<html><body>502 Bad Gateway", "web page"),
        (b"fatal: not a git repository\n", "no diff"),
        (b"\x1b[1mdiff --git a/x b/x\x1b[m\n", "coloured"),
        (b"\xff\xfed", "UTF-16"),
    ],
)
def test_what_is_no_diff_is_refused_by_name(data, words):
    with pytest.raises(DiffUnreadableError, match=words):
        read_patch(data)


@pytest.mark.parametrize(
    "name", [b"x b/y", b" b/", b"a b/a b/a", b"b/x b/x", b"x  b/y ", b"-- x", b"a/b/c", b"--- a/x", b"dev/null"]
)
def test_a_path_with_b_slash_in_it_is_read_whole(diff_of, name):
    path = name.rstrip(b"/")
    for old, new in [(b"1\n", b"2\n"), (None, b"2\n"), (b"1\n", None), (None, b""), (b"", None), (b"\0", b"\1\0")]:
        for options in ((), ("--no-prefix",)):
            before = {} if old is None else {path: old}
            after = {} if new is None else {path: new}
            file = only(diff_of(before, after, *options))
            assert file.path == path.decode()
            assert file.old_path is None


def test_quoted_names_are_decoded_to_their_bytes(diff_of):
    path = b'caf\xc3\xa9 "\\\t\n\x01\x7f\xff.py'
    file = only(diff_of({path: b"1\n"}, {path: b"2\n"}))
    assert file.path == path.decode("utf-8", "surrogateescape")


def test_an_empty_file_that_gets_content_is_modified_and_not_added(diff_of):
    assert only(diff_of({b"x": b""}, {b"x": b"1\n"})).status is FileStatus.MODIFIED


def test_a_file_that_is_emptied_is_modified_and_not_removed(diff_of):
    assert only(diff_of({b"x": b"1\n"}, {b"x": b""})).status is FileStatus.MODIFIED


def test_a_copy_is_no_rename(diff_of):
    text = b"".join(b"line %d\n" % n for n in range(20))
    file = only(diff_of({b"x": text}, {b"x": text, b"y": text + b"more\n"}, "-C", "--find-copies-harder"))
    assert (file.path, file.old_path, file.status) == ("y", "x", FileStatus.COPIED)


def test_a_renamed_binary_is_a_rename_without_hunks(diff_of):
    file = only(diff_of({b"x": b"\0\1" * 50}, {b"y": b"\0\1" * 50}, "-M"))
    assert (file.path, file.old_path, file.status, file.hunks) == ("y", "x", FileStatus.RENAMED, ())


@pytest.mark.parametrize("options", [(), ("--binary",)])
def test_a_binary_change_is_binary(diff_of, options):
    patch = read_patch(diff_of({b"x": b"\0\1", b"z": b"1\n"}, {b"x": b"\0\2" * 99, b"z": b"2\n"}, *options))
    assert [(file.path, file.binary) for file in patch.files] == [("x", True), ("z", False)]


@pytest.mark.parametrize("verb", [b"diff --cc x", b"diff --combined x"])
def test_a_combined_diff_is_a_bad_section_with_its_reason(verb):
    hunk = (
        b"\nindex 1,2..3\n--- a/x\n+++ b/x\n@@@ -1,2 -1,2 +1,3 @@@\n  one\n- two\n -three\n++diff --git a/evil b/evil\n"
    )
    patch = read_patch(verb + hunk + OTHER)
    assert [file.path for file in patch.files] == ["y"]
    assert [(bad.index, bad.path) for bad in patch.bad] == [(0, "x")]
    assert "combined diff of a merge" in patch.bad[0].reason


def test_a_type_change_is_two_files_with_one_path():
    data = (
        b"diff --git a/x b/x\ndeleted file mode 100644\nindex 1111111..0000000\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
        b"diff --git a/x b/x\nnew file mode 120000\nindex 0000000..2222222\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+y\n"
        b"\\ No newline at end of file\n"
    )
    patch = read_patch(data)
    assert [(file.index, file.path, file.status) for file in patch.files] == [
        (0, "x", FileStatus.REMOVED),
        (1, "x", FileStatus.ADDED),
    ]
    assert not patch.hunk(HunkKey(1, 0)).lines[0].newline


def test_a_mode_change_alone_has_no_hunks():
    file = only(b"diff --git a/x b/x\nold mode 100644\nnew mode 100755\n")
    assert (file.status, file.hunks, file.old_mode, file.new_mode) == (FileStatus.MODE_CHANGED, (), "100644", "100755")


def test_a_submodule_is_told_by_its_mode():
    data = (
        b"diff --git a/s b/s\nindex 1111111..2222222 160000\n--- a/s\n+++ b/s\n@@ -1 +1 @@\n-Subproject commit "
        + b"1" * 40
        + b"\n+Subproject commit "
        + b"2" * 40
        + b"\n"
    )
    assert only(data).submodule
    assert not only(data.replace(b"160000", b"100644")).submodule


def test_a_submodule_shown_as_a_log_is_read():
    patch = read_patch(b"Submodule lib/sub 1111111..2222222:\n  > one\n  < two\n" + OTHER)
    assert [(file.path, file.submodule) for file in patch.files] == [("lib/sub", True), ("y", False)]


def test_a_diff_translated_to_crlf_as_a_whole_has_the_names_and_lines_of_the_original():
    assert read_patch(ONE.replace(b"\n", b"\r\n") + OTHER.replace(b"\n", b"\r\n")) == read_patch(ONE + OTHER)


def test_the_carriage_returns_of_a_file_stay_in_its_lines(diff_of):
    file = only(
        diff_of({b"x": b"int f() {\r\n1\r\n2\r\n3\r\n4\r\n}\r\n"}, {b"x": b"int f() {\r\n1\r\n2\r\n3\r\n5\r\n}\r\n"})
    )
    assert [line.text for line in file.hunks[0].lines][-3:] == ["4\r", "5\r", "}\r"]
    assert all(line.text.endswith("\r") for line in file.hunks[0].lines)


def test_bytes_that_are_not_utf8_survive():
    file = only(ONE.replace(b"+three", b"+\xff\xfe\xe9"))
    assert file.hunks[0].lines[2].text.encode("utf-8", "surrogateescape") == b"\xff\xfe\xe9"


@pytest.mark.parametrize("inside", ["\f", "\u2028", "\u2029", "\x85", "\r", "\x0b", "\x1c"])
def test_only_a_newline_ends_a_line(inside):
    file = only(ONE.replace(b"+three", f"+thr{inside}ee".encode()))
    assert file.hunks[0].lines[2].text == f"thr{inside}ee"


def test_lines_beyond_the_count_cost_their_section_alone():
    patch = read_patch(ONE + b"+four\n" + OTHER)
    assert [file.path for file in patch.files] == ["y"]
    assert [(bad.index, bad.path, bad.reason) for bad in patch.bad] == [
        (0, "x", "it has lines beyond the count of its last hunk")
    ]


def test_a_hunk_that_is_too_short_costs_its_section_alone():
    patch = read_patch(OTHER + ONE.replace(b"-1,2 +1,2", b"-1,9 +1,9") + OTHER.replace(b"y", b"z"))
    assert [(file.index, file.path) for file in patch.files] == [(0, "y"), (2, "z")]
    assert patch.bad[0].path == "x"
    assert "is shorter than its 9 old and 9 new lines" in patch.bad[0].reason


@pytest.mark.parametrize("digits", [10, 5_000])
def test_a_number_of_thousands_of_digits_costs_its_section_alone(digits):
    patch = read_patch(ONE.replace(b"-1,2", b"-" + b"1" * digits + b",2") + OTHER)
    assert [file.path for file in patch.files] == ["y"]
    assert patch.bad[0].path == "x"


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (b"-0,2 +1,2", "starts at line 0"),
        (b"-1,2 +0,2", "starts at line 0"),
        (b"-0,0 +0,0", "has no lines|beyond the count"),
        (b"-1,1 +1,2", "does not fit|is shorter"),
    ],
)
def test_impossible_numbers_cost_their_section_alone(numbers, words):
    import re

    patch = read_patch(ONE.replace(b"-1,2 +1,2", numbers) + OTHER)
    assert [file.path for file in patch.files] == ["y"]
    assert re.search(words, patch.bad[0].reason)


def test_hunks_that_overlap_cost_their_section_alone():
    again = ONE[ONE.index(b"@@ ") :]
    patch = read_patch(ONE + again + OTHER)
    assert [file.path for file in patch.files] == ["y"]
    assert "overlaps" in patch.bad[0].reason


def test_a_new_file_with_old_lines_is_not_believed():
    patch = read_patch(ONE.replace(b"index 1111111", b"new file mode 100644\nindex 1111111") + OTHER)
    assert [file.path for file in patch.files] == ["y"]
    assert "new file with old lines" in patch.bad[0].reason


def test_names_that_contradict_each_other_are_not_believed():
    patch = read_patch(ONE.replace(b"--- a/x\n+++ b/x", b"--- a/z\n+++ b/z") + OTHER)
    assert [file.path for file in patch.files] == ["y"]
    assert "contradict" in patch.bad[0].reason


@pytest.mark.parametrize("marker", [b"\\ No newline at end of file", b"\\ Kein Zeilenumbruch am Dateiende."])
def test_a_missing_final_newline_is_known_for_each_side(marker):
    file = only(b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n" + marker + b"\n+b\n" + marker + b"\n")
    assert [line.newline for line in file.hunks[0].lines] == [False, False]


def test_plain_unified_diffs_are_read_without_git_lines():
    data = (
        b"Only in old: gone.bin\ndiff -ruN old/a b.c new/a b.c\n--- old/a b.c\t2024-01-01 00:00:00.0 +0000\n"
        b"+++ new/a b.c\t2024-01-02 00:00:00.0 +0000\n@@ -1 +1 @@\n-1\n+2\n"
        b"--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+1\n"
        b"--- a/old.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"
        b"--- x/epoch\t1970-01-01 01:00:00.000000000 +0100\n+++ y/epoch\t2024-01-02\n@@ -0,0 +1 @@\n+1\n"
        b"--- same.txt\n+++ same.txt\n@@ -1 +1 @@\n-1\n+2\n"
        b"Binary files a/p.png and b/p.png differ\n"
    )
    patch = read_patch(data)
    assert [(file.index, file.path, file.status, file.binary) for file in patch.files] == [
        (1, "a b.c", FileStatus.MODIFIED, False),
        (2, "new.c", FileStatus.ADDED, False),
        (3, "old.c", FileStatus.REMOVED, False),
        (4, "epoch", FileStatus.ADDED, False),
        (5, "same.txt", FileStatus.MODIFIED, False),
        (6, "p.png", FileStatus.MODIFIED, True),
    ]
    assert [(bad.index, "gone.bin" in bad.reason) for bad in patch.bad] == [(0, True)]


def test_a_plain_diff_with_a_short_hunk_does_not_take_the_next_file_with_it():
    short = b"--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n one\n"
    patch = read_patch(short + b"--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n")
    assert [file.path for file in patch.files] == ["y"]
    assert [bad.path for bad in patch.bad] == ["x"]


def test_content_that_looks_like_headers_is_content(diff_of):
    old = b"-- a/evil\n@@ -1 +1 @@\nkeep\n"
    new = b"++ b/evil\n@@ -1 +1 @@\ndiff --git a/evil b/evil\nkeep\n"
    file = only(diff_of({b"x": old}, {b"x": new}))
    assert file.path == "x"
    assert [line.text for line in file.hunks[0].lines if line.kind is LineKind.ADDED] == [
        "++ b/evil",
        "diff --git a/evil b/evil",
    ]


def test_wrong_counts_in_a_git_diff_cannot_make_a_file_out_of_content():
    data = ONE + b"--- a/evil\n+++ b/evil\n@@ -9 +9 @@\n-a\n+b\n" + OTHER
    patch = read_patch(data)
    assert [file.path for file in patch.files] == ["y"]
    assert [bad.path for bad in patch.bad] == ["x"]


def test_a_diff_in_utf16_as_powershell_writes_it_is_read():
    assert read_patch(ONE.decode().replace("\n", "\r\n").encode("utf-16")) == read_patch(ONE)


def test_two_names_without_rename_lines_are_kept_as_given():
    file = only(
        ONE.replace(b"a/x b/x", b"a/old.txt b/longer.txt")
        .replace(b"--- a/x", b"--- a/old.txt")
        .replace(b"+++ b/x", b"+++ b/longer.txt")
    )
    assert (file.path, file.old_path, file.status) == ("longer.txt", "old.txt", FileStatus.MODIFIED)


def test_text_between_files_is_told():
    patch = read_patch(ONE + b"\n* Unmerged path z\n" + OTHER)
    assert [file.path for file in patch.files] == ["x", "y"]
    assert ["belong to no file" in bad.reason for bad in patch.bad] == [True]


def test_a_whitespace_stripped_context_line_is_still_context():
    file = only(b"--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n one\n\n-two\n+three\n")
    assert [(line.kind, line.text) for line in file.hunks[0].lines][1] == (LineKind.CONTEXT, "")


@pytest.mark.parametrize(
    "evil",
    [
        b"Binary files " + b" and " * 20_000 + b"x",
        b"Submodule " + b"a1b2c3d " * 12_000,
        b"diff --git " + b"a " * 50_000,
    ],
)
def test_a_line_made_to_be_slow_is_not_slow(evil):
    import time

    start = time.perf_counter()
    patch = read_patch(ONE + b"\n" + evil + b"\n" + OTHER)
    assert time.perf_counter() - start < 2
    assert {file.path for file in patch.files} >= {"x"}
    assert patch.bad


def test_a_hunk_of_40000_lines_and_a_line_of_5_megabytes_are_read_in_linear_time():
    import time

    def seconds(count: int) -> float:
        numbers = b"@@ -1,%d +1,%d @@\n" % (count, count)
        body = b"-old line of some text here\n" * count + b"+new line of some text here\n" * count
        start = time.process_time()
        file = only(b"--- a/x\n+++ b/x\n" + numbers + body)
        assert (file.added, file.removed) == (count, count)
        return time.process_time() - start

    small, large = min(seconds(2_000) for _ in range(3)), seconds(40_000)
    assert large < max(small, 0.005) * 20 * 8
    long_line = b"y" * 5_000_000
    start = time.process_time()
    file = only(b"--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+" + long_line + b"\n")
    assert len(file.hunks[0].lines[0].text) == 5_000_000
    assert time.process_time() - start < 5
