"""Diffs from files and from stdin: read whole, in the encodings people have, and with head files only where they match."""

from __future__ import annotations

import io

import pytest

from bot.errors import UserError
from bot.git import DiffFileSource


@pytest.fixture
def work(sandbox, monkeypatch):
    """A work tree whose HEAD has `a.py` changed, and the diff of that."""
    sandbox.commit("before", a__py="1\n2\n3\n", **{".github/spark.yml": "base: 1\n"})
    sandbox.write("a.py", "1\ntwo\n3\n")
    monkeypatch.chdir(sandbox.path)
    return sandbox


def diff_of(work, *args):
    return (work.git("diff", *args) + "\n").encode("utf-8", "surrogateescape")


def opened(tmp_path, data):
    path = tmp_path / "x.diff"
    path.write_bytes(data)
    return DiffFileSource(str(path)).open()


def test_a_diff_file_is_a_change_without_commits_and_without_totals(work, tmp_path):
    change = opened(tmp_path, diff_of(work)).change
    assert (change.base, change.head, change.totals, change.title) == (
        "diff file",
        "diff file",
        None,
        "Diff from x.diff",
    )
    assert [(file.path, file.added, file.removed) for file in change.patch.files] == [("a.py", 1, 1)]


def test_stdin_is_a_dash(work, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(diff_of(work))))
    change = DiffFileSource("-").open().change
    assert [file.path for file in change.patch.files] == ["a.py"]
    assert change.title == "Diff from standard input"


@pytest.mark.parametrize("args", [(), ("--full-index",), ("--abbrev=4",)])
def test_the_checked_out_file_is_the_head_when_its_blob_id_fits(work, tmp_path, args):
    data = diff_of(work, *args)
    assert opened(tmp_path, data).files.text("a.py") == "1\ntwo\n3\n"
    work.write("a.py", "1\ntwo\n3\nmore\n")
    assert opened(tmp_path, data).files.text("a.py") is None


def test_without_an_index_line_every_shown_line_must_stand_in_the_file(work, tmp_path):
    data = b"--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"
    assert opened(tmp_path, data).files.text("a.py") == "1\ntwo\n3\n"
    work.write("a.py", "1\nelse\n3\n")
    assert opened(tmp_path, data).files.text("a.py") is None
    removal = b"--- a/a.py\n+++ b/a.py\n@@ -1,3 +0,0 @@\n-1\n-2\n-3\n"
    assert opened(tmp_path, removal).files.text("a.py") is None, (
        "nothing of the file is shown, so nothing is known of it"
    )


def test_a_checkout_with_crlf_is_read_as_the_blob(work, tmp_path):
    data = diff_of(work)
    work.write("a.py", "1\r\ntwo\r\n3\r\n")
    assert opened(tmp_path, data).files.text("a.py") == "1\ntwo\n3\n"


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/hostname", "link/outside.txt", "a\0b"])
def test_a_diff_cannot_name_a_file_outside_of_the_work_tree(work, tmp_path, path):
    (tmp_path / "outside.txt").write_text("secret\n")
    (work.path / "link").symlink_to(tmp_path)
    files = opened(tmp_path, f"--- a/{path}\n+++ b/{path}\n@@ -0,0 +1 @@\n+secret\n".encode()).files
    assert files.text(path) is None
    assert files.text("link/outside.txt") is None


def test_a_file_that_the_diff_does_not_name_is_not_given(work, tmp_path):
    assert opened(tmp_path, diff_of(work)).files.text(".github/spark.yml") is None


def test_configuration_comes_from_head_and_not_from_the_work_tree(work, tmp_path):
    work.write(".github/spark.yml", "edited: 1\n")
    assert dict(opened(tmp_path, diff_of(work)).base_texts) == {".github/spark.yml": "base: 1\n"}


def test_outside_of_a_repository_and_without_git_a_diff_can_be_read(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    data = b"--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+1\n"
    result = opened(tmp_path, data)
    assert result.files.text("a.py") == "1\n"
    assert not result.base_texts
    monkeypatch.setenv("PATH", str(tmp_path))
    assert opened(tmp_path, data).files.text("a.py") == "1\n"


@pytest.mark.parametrize(
    "encode",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.decode().encode("utf-16"),
        lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    ],
)
def test_byte_order_marks_and_utf16_as_powershell_writes_it_are_undone(work, tmp_path, encode):
    data = diff_of(work)
    assert opened(tmp_path, encode(data)).change.patch == opened(tmp_path, data).change.patch


def test_half_a_utf16_file_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="UTF-16"):
        opened(tmp_path, b"\xff\xfea\x00b")


def test_a_missing_diff_file_and_a_directory_are_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.diff cannot be read \(No such file or directory\)"):
        DiffFileSource(str(tmp_path / "gone.diff")).open()
    with pytest.raises(UserError, match="Is a directory"):
        DiffFileSource(str(tmp_path)).open()


def test_an_empty_diff_is_an_empty_change(tmp_path):
    assert opened(tmp_path, b"").change.patch.files == ()
