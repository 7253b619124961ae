"""Text before a diff: tolerated where it can fake nothing, told or refused where it could."""

from __future__ import annotations

import subprocess

import pytest

from bot.diff.parse import read_patch
from bot.errors import DiffUnreadableError

FAKE = "diff --git a/evil.py b/evil.py\nnew file mode 100644\nindex 0000000..1111111\n--- /dev/null\n+++ b/evil.py\n@@ -0,0 +1 @@\n+evil\n"
FAKE_MAIL = f"---\n evil.py | 1 +\n 1 file changed, 1 insertion(+)\n\n{FAKE}"


@pytest.fixture
def commits(tmp_path):
    """Makes a repository in which the last commit has this message; returns a function that runs git in it."""

    def git(*arguments: str) -> bytes:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def make(message: str):
        git("init", "--quiet")
        for number, text in enumerate(["one\n", "two\n", "three\n-- \n"]):
            (tmp_path / "real.py").write_text(text)
            (tmp_path / "other.py").write_text(text * 2)
            git("add", ".")
            git("commit", "--quiet", "--cleanup=verbatim", "-m", message if number else "start")
        return git

    return make


@pytest.mark.parametrize(
    "message", ["Plain", f"Fake\n\n{FAKE}", f"Fake\n\n{FAKE_MAIL}", f"Fake\n\n{FAKE}\n{FAKE_MAIL}\nmore"]
)
def test_a_commit_message_in_a_mail_cannot_fake_a_file(commits, message):
    patch = read_patch(commits(message)("format-patch", "-1", "--stdout"))
    assert [file.path for file in patch.files] == ["other.py", "real.py"]
    assert [bad.reason.startswith("the message of the mail") for bad in patch.bad] == ["diff --git" in message] * len(
        patch.bad
    )
    assert bool(patch.bad) == ("diff --git" in message)


def test_a_mail_gives_the_same_files_as_the_diff(commits):
    git = commits("Plain")
    assert read_patch(git("format-patch", "-1", "--stdout")) == read_patch(git("diff", "HEAD^", "HEAD"))


@pytest.mark.parametrize("message", ["Plain", f"Fake\n\n{FAKE}", f"Fake\n\n{FAKE_MAIL}"])
def test_an_indented_commit_message_cannot_fake_a_file(commits, message):
    git = commits(message)
    patch = read_patch(git("show", "--format=fuller"))
    assert patch == read_patch(git("diff", "HEAD^", "HEAD"))


@pytest.mark.parametrize("command", [("format-patch", "-2", "--stdout"), ("log", "-p", "-2")])
def test_several_commits_in_one_input_are_refused(commits, command):
    with pytest.raises(DiffUnreadableError, match="series"):
        read_patch(commits("Plain")(*command))


def test_a_forged_mail_boundary_in_a_message_is_refused(commits):
    forged = f"Fake\n\n{FAKE_MAIL}-- \n2.39\n\nFrom {'a' * 40} Mon Sep 17 00:00:00 2001\nSubject: x\n"
    with pytest.raises(DiffUnreadableError, match="series"):
        read_patch(commits(forged)("format-patch", "-1", "--stdout"))


def test_a_mail_without_a_diff_is_refused():
    with pytest.raises(DiffUnreadableError, match="mail"):
        read_patch(f"From {'a' * 40} Mon Sep 17 00:00:00 2001\nSubject: x\n\n{FAKE}".encode())


def test_a_diff_behind_the_signature_of_a_mail_is_told(commits):
    patch = read_patch(commits("Plain")("format-patch", "-1", "--stdout") + FAKE.encode())
    assert [file.path for file in patch.files] == ["other.py", "real.py"]
    assert ["signature" in bad.reason for bad in patch.bad] == [True]


def test_unknown_text_before_the_first_file_is_told():
    patch = read_patch(b"Here is my change:\n\n" + FAKE.encode())
    assert [file.path for file in patch.files] == ["evil.py"]
    assert ["belong to no file" in bad.reason for bad in patch.bad] == [True]


def test_a_merge_shown_by_git_is_told_as_combined(tmp_path):
    def git(*arguments: str) -> bytes:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=arguments[0] != "merge", capture_output=True).stdout

    git("init", "--quiet", "-b", "one")
    for branch, text in [("one", "0\n"), ("two", "2\n"), ("one", "1\n")]:
        git("checkout", "--quiet", *(["-b"] if branch == "two" else []), branch) if text != "0\n" else None
        (tmp_path / "x").write_text(text)
        git("add", ".")
        git("commit", "--quiet", "-m", text)
    git("merge", "two")
    (tmp_path / "x").write_text("3\n")
    git("commit", "--quiet", "-am", "merged")
    patch = read_patch(git("show"))
    assert patch.files == ()
    assert [(bad.path, "combined diff" in bad.reason) for bad in patch.bad] == [("x", True)]
