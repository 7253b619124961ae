"""What a range on the command line means, and what is said when it means nothing."""

from __future__ import annotations

import os

import pytest

from bot.errors import OutsideError, UserError
from bot.git import RangeSource, Repository, StagedSource


def opened(sandbox, asked=None):
    return RangeSource(Repository(sandbox.path), asked).open()


def paths(sandbox, asked=None):
    return [file.path for file in opened(sandbox, asked).change.patch.files]


@pytest.fixture
def branched(sandbox):
    """main: base, later.py; feature (checked out): own.py, on base."""
    sandbox.commit("base", a__py="one\n")
    sandbox.git("checkout", "-q", "-b", "feature")
    sandbox.commit("feature work\n\nWhy it is needed.", own__py="own\n")
    sandbox.git("checkout", "-q", "main")
    sandbox.commit("main work", later__py="later\n")
    sandbox.git("checkout", "-q", "feature")
    return sandbox


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, ["own.py"]),
        ("main...HEAD", ["own.py"]),
        ("main...", ["own.py"]),
        ("...main", ["later.py"]),
        ("main..feature", ["later.py", "own.py"]),
        ("main..", ["later.py", "own.py"]),
        ("main", ["own.py"]),
        ("HEAD~1", ["own.py"]),
        ("HEAD~1..HEAD", ["own.py"]),
        (" main...HEAD ", ["own.py"]),
    ],
)
def test_a_range_means_what_git_means_by_it(branched, asked, expected):
    assert paths(branched, asked) == expected


def test_the_change_carries_full_ids_and_the_message_of_its_one_commit(branched):
    change = opened(branched).change
    assert change.base == branched.git("merge-base", "main", "feature")
    assert change.head == branched.git("rev-parse", "feature")
    assert (change.title, change.description) == ("feature work", "Why it is needed.")


def test_several_commits_are_described_by_their_subjects(branched):
    branched.commit("second step", own__py="own\ntwo\n")
    change = opened(branched).change
    assert change.title == "main...HEAD"
    assert change.description == "- second step\n- feature work"


def test_the_remote_default_branch_is_preferred_to_a_stale_local_one(new_sandbox, branched):
    clone = new_sandbox("clone")
    clone.git("clone", "--quiet", "--branch", "feature", str(branched.path), ".")
    clone.git("remote", "set-head", "origin", "main")
    clone.git("branch", "main", "HEAD")
    assert paths(clone) == ["own.py"]
    assert opened(clone, None).change.title == "feature work"


@pytest.mark.parametrize("branch", ["main", "master"])
def test_the_default_branch_may_be_local_and_old_fashioned(new_sandbox, branch):
    repo = new_sandbox("plain").init(branch=branch)
    repo.commit(a__py="1\n")
    repo.git("checkout", "-q", "-b", "work")
    repo.commit(b__py="2\n")
    assert paths(repo) == ["b.py"]


def test_a_tag_named_like_the_branch_does_not_win(branched):
    branched.git("tag", "main", "feature")
    assert paths(branched) == ["own.py"]


def test_without_a_default_branch_everything_that_was_tried_is_told(new_sandbox):
    repo = new_sandbox("odd").init(branch="trunk")
    repo.commit(a__py="1\n")
    with pytest.raises(
        UserError, match=r"tried origin/HEAD, origin/main, origin/master, main, master.*BRANCH\.\.\.HEAD"
    ):
        opened(repo)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("nowhere...HEAD", "no commit named 'nowhere'"),
        ("main..nowhere", "no commit named 'nowhere'"),
        ("HEAD:a.py", "no commit named 'HEAD:a.py'"),
        ("HEAD^{tree}", "no commit named"),
        ("--output=/tmp/x", "no commit named '--output=/tmp/x'"),
        ("-p", "no commit named '-p'"),
        ("a\x1b[31mb", r"no commit named 'a\?\[31mb'"),
        ("", "The range is empty"),
    ],
)
def test_an_unknown_revision_is_named_with_what_to_do(branched, asked, message):
    with pytest.raises(UserError, match=message) as caught:
        opened(branched, asked)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_unrelated_histories_have_no_merge_base_but_can_be_compared(branched):
    branched.git("checkout", "-q", "--orphan", "island")
    branched.commit("alone", own__py="other\n")
    with pytest.raises(UserError, match=r"main and HEAD have no common ancestor here.*main\.\.HEAD"):
        opened(branched)
    assert "own.py" in paths(branched, "main..HEAD")


def test_a_shallow_clone_says_that_it_is_shallow_and_still_reviews_what_it_has(new_sandbox, branched):
    clone = new_sandbox("shallow")
    clone.git("clone", "--quiet", "--depth=2", "--branch", "feature", branched.path.as_uri(), ".")
    assert paths(clone, "HEAD~1..HEAD") == ["own.py"]
    with pytest.raises(UserError, match=r"no commit named 'HEAD~5'.*shallow.*fetch-depth: 0"):
        opened(clone, "HEAD~5")


def test_before_the_first_commit_only_staged_makes_sense(sandbox):
    sandbox.write("a.py", "1\n")
    sandbox.git("add", "a.py")
    with pytest.raises(UserError, match=r"no commit yet.*--staged"):
        opened(sandbox)
    change = StagedSource(Repository(sandbox.path)).open().change
    assert [file.path for file in change.patch.files] == ["a.py"]
    assert (change.base, change.head) == ("no commit", "index")


def test_a_detached_head_a_linked_work_tree_a_subfolder_and_a_bare_clone_are_all_fine(new_sandbox, branched, tmp_path):
    branched.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "feature")
    linked = new_sandbox("linked")
    assert paths(linked) == ["own.py"]
    linked.write("deep/down/x.py", "x\n")
    assert [f.path for f in RangeSource(Repository(linked.path / "deep/down"), None).open().change.patch.files] == [
        "own.py"
    ]
    branched.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    assert paths(new_sandbox("bare"), "main...feature") == ["own.py"]


def test_outside_of_a_repository_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match=r"not in a git repository.*--diff FILE"):
        RangeSource(Repository(tmp_path), None).open()


def test_a_missing_directory_and_a_missing_git_are_told_apart(tmp_path, monkeypatch, sandbox):
    with pytest.raises(UserError, match="does not exist"):
        RangeSource(Repository(tmp_path / "gone"), None).open()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutsideError, match="git was not found on PATH") as caught:
        RangeSource(Repository(sandbox.path), None).open()
    assert caught.value.exit_code == 3


def test_sha256_repositories_work(new_sandbox):
    repo = new_sandbox("sha256").init("--object-format=sha256")
    repo.commit(a__py="1\n")
    repo.commit(a__py="2\n")
    opened_change = opened(repo, "HEAD~1")
    assert len(opened_change.change.head) == 64
    assert opened_change.files.text("a.py") == "2\n"
    repo.write("a.py", "3\n")
    repo.git("add", "a.py")
    assert StagedSource(Repository(repo.path)).open().files.text("a.py") == "3\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")
def test_a_repository_of_another_user_is_refused_with_gits_own_remedy(branched):
    os.chown(branched.path, 12345, 12345)
    with pytest.raises(UserError, match=r"belongs to another user.*git config --global --add safe\.directory"):
        opened(branched)


def test_a_partial_clone_without_its_blobs_says_how_to_get_them(new_sandbox, branched):
    branched.commit("more", own__py="own\ntwo\n")
    branched.git("config", "uploadpack.allowFilter", "true")
    clone = new_sandbox("partial")
    clone.git("clone", "--quiet", "--filter=blob:none", "--branch", "feature", branched.path.as_uri(), ".")
    assert paths(clone, "HEAD~2..HEAD~2") == []
    with pytest.raises(OutsideError, match=r"could not be fetched.*run git diff on the same range once"):
        opened(clone, "HEAD~1")
    clone.git("diff", "HEAD~1", "HEAD")
    assert paths(clone, "HEAD~1") == ["own.py"]
