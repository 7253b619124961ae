"""The index: what `git commit` would commit, in all the states an index can be in."""

from __future__ import annotations

import pytest

from bot.errors import UserError
from bot.git import Repository, StagedSource


def staged(sandbox):
    return StagedSource(Repository(sandbox.path)).open()


def test_only_what_is_staged_is_reviewed(sandbox):
    sandbox.commit(a__py="1\n", b__py="1\n")
    sandbox.write("a.py", "staged\n")
    sandbox.git("add", "a.py")
    sandbox.write("a.py", "edited again\n")
    sandbox.write("b.py", "not staged\n")
    sandbox.write("c.py", "untracked\n")
    sandbox.git("add", "--intent-to-add", "c.py")
    opened = staged(sandbox)
    assert [file.path for file in opened.change.patch.files] == ["a.py"]
    assert opened.files.text("a.py") == "staged\n"
    assert opened.change.base == sandbox.git("rev-parse", "HEAD")


def test_the_index_of_a_running_commit_is_the_one_that_counts(sandbox, monkeypatch):
    """`git commit FILE` runs its hooks with an index of its own in GIT_INDEX_FILE."""
    sandbox.commit(a__py="1\n", b__py="1\n")
    sandbox.write("b.py", "2\n")
    sandbox.git("add", "b.py")
    other = sandbox.path / ".git/next-index"
    sandbox.git("read-tree", "HEAD", GIT_INDEX_FILE=str(other))
    sandbox.write("a.py", "2\n")
    sandbox.git("add", "a.py", GIT_INDEX_FILE=str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other))
    assert [file.path for file in staged(sandbox).change.patch.files] == ["a.py"]
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/next-index")
    monkeypatch.chdir(sandbox.path)
    assert [file.path for file in staged(sandbox).change.patch.files] == ["a.py"]


def test_a_locked_index_can_be_read(sandbox):
    sandbox.commit(a__py="1\n")
    sandbox.write("a.py", "2\n")
    sandbox.git("add", "a.py")
    (sandbox.path / ".git/index.lock").touch()
    assert len(staged(sandbox).change.patch.files) == 1


def test_conflicts_are_named_with_the_way_out(sandbox):
    sandbox.commit(a__py="1\n")
    sandbox.git("checkout", "-q", "-b", "other")
    sandbox.commit(a__py="2\n")
    sandbox.git("checkout", "-q", "main")
    sandbox.commit(a__py="3\n")
    sandbox.git("merge", "other", check=False)
    with pytest.raises(UserError, match=r"conflicts \(a\.py.*Resolve"):
        staged(sandbox)


def test_a_broken_index_is_the_users_to_mend(sandbox):
    sandbox.commit(a__py="1\n")
    (sandbox.path / ".git/index").write_bytes(b"DIRC garbage")
    with pytest.raises(UserError, match="index cannot be read"):
        staged(sandbox)


@pytest.mark.parametrize(
    "how", [("update-index", "--split-index"), ("sparse-checkout", "set", "--cone", "--sparse-index", "kept")]
)
def test_split_and_sparse_indexes_are_read_whole(sandbox, how):
    sandbox.write("kept/a.py", "1\n")
    sandbox.write("hidden/b.py", "1\n")
    sandbox.commit()
    sandbox.git(*how)
    sandbox.write("kept/a.py", "2\n")
    sandbox.git("add", "kept/a.py")
    change = staged(sandbox).change
    assert [file.path for file in change.patch.files] == ["kept/a.py"]
    assert (change.totals.files, change.totals.added, change.totals.removed) == (1, 1, 1)


def test_nothing_staged_is_an_empty_change(sandbox):
    sandbox.commit(a__py="1\n")
    change = staged(sandbox).change
    assert change.patch.files == ()
    assert change.totals.files == 0


def test_a_repository_path_with_colons_and_quotes_is_no_list_of_directories(new_sandbox):
    repo = new_sandbox('odd:dir "q"').init()
    repo.commit(a__py="1\n")
    repo.write("a.py", "2\n")
    repo.git("add", "a.py")
    opened = staged(repo)
    assert opened.change.totals.added == 1
    assert opened.files.text("a.py") == "2\n"
