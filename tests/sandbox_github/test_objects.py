"""What the stand-in writes without git must be what git would have written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.github import objects
from bot.sandbox.github.git import EMPTY_TREE, GitError, GitRepo, Person

NAMES = st.sampled_from(["a", "a.b", "a-b", "a0", "B", ".spark.yml", ".github"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.sampled_from([None, b"", b"x\n", ("100755", b"run"), ("120000", b"a"), ("160000", b"1" * 40)])
LAYERS = st.lists(st.dictionaries(PATHS, CONTENTS, max_size=5), min_size=1, max_size=3)
AUTHOR = Person(name="bob[bot]", email="7+bob[bot]@users.example.org", when="1700000000 +0000")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory):
    repo = GitRepo.create(tmp_path_factory.mktemp("bare") / "one.git")
    yield repo
    repo.close()


def _by_git(bare: GitRepo, base: str | None, files) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "write_tree", lambda *args: None)
        return bare.write_tree(base, files)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(layers=LAYERS)
def test_files_laid_over_a_tree_make_the_tree_that_git_makes(bare, layers) -> None:
    base = None
    for files in layers:
        made = bare.write_tree(base, files)
        assert made == _by_git(bare, base, files)
        base = made


@pytest.mark.parametrize(
    "path", [".git/config", "a/.GIT/b", "..", "a//b", "/a", "git~1", "a/../b", ".gitmodules", "a\\b"]
)
def test_a_path_that_git_looks_twice_at_is_left_to_git(bare, path: str) -> None:
    assert objects.write_tree(bare.path, None, {path: b"x"}, lambda _: None) is None


def test_a_path_that_git_never_takes_is_not_taken(bare) -> None:
    assert bare.write_tree(None, {".git/config": b"x"}) == EMPTY_TREE


@pytest.mark.parametrize("message", ["", "one", "one\n", "one\n\nmore\n\n", "größer\n"])
def test_a_commit_is_the_commit_that_git_makes(bare, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = bare.write_tree(None, {"a": b"x"})
    root = bare.write_commit(tree=tree, parents=[], message="root", author=AUTHOR)
    made = bare.write_commit(tree=tree, parents=[root, root], message=message, author=AUTHOR)
    monkeypatch.setattr(objects, "write_commit", lambda *args, **more: None)
    assert made == bare.write_commit(tree=tree, parents=[root, root], message=message, author=AUTHOR)
    assert bare.run("fsck", "--strict", "--no-dangling", made) == b""


def test_an_author_that_git_would_mend_is_left_to_git(bare) -> None:
    tree = bare.write_tree(None, {"a": b"x"})
    odd = Person(name=" <b>. ", email="b@example.org", when=AUTHOR.when)
    assert bare.commit_info(bare.write_commit(tree=tree, parents=[], message="m", author=odd)).author.name == "b"


def test_a_branch_beside_inside_and_in_the_way_of_others(bare) -> None:
    tree = bare.write_tree(None, {"a": b"x"})
    one = bare.write_commit(tree=tree, parents=[], message="one", author=AUTHOR)
    two = bare.write_commit(tree=tree, parents=[one], message="two", author=AUTHOR)
    bare.set_branch("deep/er", one)
    bare.set_branch("deep/er", two)
    bare.set_branch("v1.0", one)
    assert bare.branches() == {"deep/er": two, "v1.0": one}
    for name, sha in (("deep", one), ("deep/er/still", one), ("a..b", one), ("new", "1" * 40)):
        with pytest.raises(GitError):
            bare.set_branch(name, sha)
    bare.run("pack-refs", "--all")
    with pytest.raises(GitError):
        bare.set_branch("deep", one)
    bare.delete_branch("deep/er")
    bare.set_branch("deep", one)
    assert bare.branches() == {"deep": one, "v1.0": one}


def test_an_empty_repository_is_one_that_git_can_clone(bare, tmp_path: Path) -> None:
    new = GitRepo.create(tmp_path / "new.git", default_branch="trunk")
    subprocess.run(["git", "clone", "--quiet", str(new.path), str(tmp_path / "copy")], capture_output=True, check=True)
    assert (tmp_path / "copy" / ".git" / "HEAD").read_text() == "ref: refs/heads/trunk\n"
