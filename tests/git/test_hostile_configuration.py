"""Nothing that a repository brings along is run, and nothing of its configuration changes what is read."""

from __future__ import annotations

import stat

import pytest

from bot.git import RangeSource, Repository, StagedSource, diff_blobs


@pytest.fixture
def trap(tmp_path):
    """A program that leaves a mark when it is run, and the mark."""
    mark = tmp_path / "it-ran"
    program = tmp_path / "trap.sh"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {mark}\necho hostile output\nexit 0\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program, mark


@pytest.fixture
def hostile(sandbox, trap):
    program, _ = trap
    sandbox.commit("before", a__py="one\n\ntwo\n\nthree\n", old__txt="x\n" * 20)
    sandbox.git("mv", "old.txt", 'näme with "quotes".txt')
    sandbox.commit("after", a__py="one\n\n2\n\nthree\n")
    sandbox.write(
        ".gitattributes",
        "*.py filter=evil diff=evil\n*.txt -diff binary\n* ident text=auto eol=crlf working-tree-encoding=UTF-16\n",
    )
    for key, value in {
        "diff.external": str(program),
        "diff.evil.command": str(program),
        "diff.evil.textconv": str(program),
        "diff.evil.binary": "true",
        "filter.evil.clean": str(program),
        "filter.evil.smudge": str(program),
        "filter.evil.process": str(program),
        "filter.evil.required": "true",
        "core.fsmonitor": str(program),
        "core.pager": str(program),
        "pager.diff-tree": str(program),
        "core.sshCommand": str(program),
        "core.askPass": str(program),
        "core.hooksPath": str(sandbox.path / "hooks"),
        "core.quotePath": "true",
        "core.autocrlf": "true",
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.srcPrefix": "x/",
        "diff.renames": "false",
        "diff.context": "0",
        "diff.interHunkContext": "99",
        "diff.suppressBlankEmpty": "true",
        "diff.relative": "true",
        "diff.submodule": "log",
        "diff.orderFile": "/dev/zero/none",
        "diff.colorMoved": "zebra",
        "diff.ignoreSubmodules": "all",
        "color.ui": "always",
        "color.diff": "always",
        "log.showSignature": "true",
        "gpg.program": str(program),
    }.items():
        sandbox.git("config", key, value)
    for hook in ("post-checkout", "post-index-change", "pre-commit", "reference-transaction", "fsmonitor-watchman"):
        target = sandbox.write(f"hooks/{hook}", program.read_text())
        target.chmod(0o755)
    return sandbox


ENVIRONMENT = {
    "GIT_EXTERNAL_DIFF": "{trap}",
    "GIT_PAGER": "{trap}",
    "GIT_ASKPASS": "{trap}",
    "GIT_EDITOR": "{trap}",
    "GIT_DIFF_OPTS": "-u0",
    "GIT_TRACE": "1",
    "GIT_LITERAL_PATHSPECS": "0",
    "LC_ALL": "de_DE.UTF-8",
    "LANGUAGE": "de",
}


def tree_state(path):
    return {
        str(entry.relative_to(path)): (entry.stat().st_size, entry.stat().st_mtime_ns)
        for entry in path.rglob("*")
        if entry.is_file()
    }


def test_no_program_of_the_repository_runs_and_the_patch_is_the_plain_one(hostile, trap, monkeypatch):
    program, mark = trap
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value.format(trap=program))
    before = tree_state(hostile.path)
    opened = RangeSource(Repository(hostile.path), "HEAD~1..HEAD").open()
    change = opened.change
    assert not mark.exists()
    assert [(file.path, file.old_path, file.status) for file in change.patch.files] == [
        ("a.py", None, "modified"),
        ('näme with "quotes".txt', "old.txt", "renamed"),
    ]
    (hunk,) = change.patch.files[0].hunks
    assert [(line.kind.value, line.text) for line in hunk.lines] == [
        (" ", "one"),
        (" ", ""),
        ("-", "two"),
        ("+", "2"),
        (" ", ""),
        (" ", "three"),
    ]
    assert (change.totals.files, change.totals.added, change.totals.removed) == (2, 1, 1)
    assert opened.files.text("a.py") == "one\n\n2\n\nthree\n"
    assert tree_state(hostile.path) == before


def test_the_index_is_read_without_filters_and_without_a_trace_in_the_repository(hostile, trap, monkeypatch):
    program, mark = trap
    blob = hostile.git("hash-object", "-w", "--no-filters", "--stdin-paths", check=False) or None
    assert blob is None
    hostile.write("staged.bin", "staged\n")
    oid = hostile.git("hash-object", "-w", "--no-filters", "staged.bin")
    hostile.git("update-index", "--add", "--cacheinfo", f"100644,{oid},a.py")
    mark.unlink(missing_ok=True)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value.format(trap=program))
    before = tree_state(hostile.path)
    opened = StagedSource(Repository(hostile.path)).open()
    assert opened.files.text("a.py") == "staged\n"
    assert [file.path for file in opened.change.patch.files] == ["a.py"]
    assert not mark.exists()
    assert tree_state(hostile.path) == before


def test_a_change_cannot_hide_its_own_files_by_attributes(sandbox):
    sandbox.commit("before", evil__py="a = 1\n")
    sandbox.write("info", "")
    sandbox.commit("after", evil__py="a = 2\n", **{".gitattributes": "*.py -diff binary\n"})
    change = RangeSource(Repository(sandbox.path), "HEAD~1").open().change
    assert {file.path: (file.added, file.binary) for file in change.patch.files}["evil.py"] == (1, False)
    sandbox.write("evil.py", "a = 3\n")
    sandbox.git("add", "-A")
    (file,) = StagedSource(Repository(sandbox.path)).open().change.patch.files
    assert (file.path, file.added, file.binary) == ("evil.py", 1, False)


def test_a_partial_clone_whose_remote_names_a_command_runs_nothing(sandbox, trap):
    program, mark = trap
    sandbox.commit("before", a__py="one\n")
    sandbox.commit("after", a__py="two\n")
    oid = sandbox.git("rev-parse", "HEAD~1:a.py")
    (sandbox.path / ".git/objects" / oid[:2] / oid[2:]).unlink()
    for key, value in {
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{program} %S",
        "remote.origin.uploadpack": str(program),
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
        "core.repositoryFormatVersion": "1",
    }.items():
        sandbox.git("config", key, value)
    from bot.errors import OutsideError

    with pytest.raises(OutsideError):
        RangeSource(Repository(sandbox.path), "HEAD~1").open()
    assert not mark.exists()


def test_blobs_are_compared_byte_for_byte_whatever_the_users_configuration_says(trap, monkeypatch, tmp_path):
    program, mark = trap
    config = tmp_path / "home" / ".gitconfig"
    config.write_text(
        f"[core]\n\tautocrlf = true\n\tpager = {program}\n[color]\n\tui = always\n"
        f"[diff]\n\texternal = {program}\n\tnoprefix = true\n\tcontext = 0\n\trelative = true\n"
    )
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(program))
    assert diff_blobs(b"a\r\nb\r\n", b"a\nb\r\n") == "@@ -1,2 +1,2 @@\n-a\r\n+a\n b\r\n"
    assert not mark.exists()
