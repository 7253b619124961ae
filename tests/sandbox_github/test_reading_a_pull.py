from __future__ import annotations

import base64
import subprocess

import pytest

from bot.sandbox.github import Beyond, Limits

REPO = "/repos/octo/demo"


def by_name(answer):
    return {entry["filename"]: entry for entry in answer.json}


def test_the_files_of_a_pull_have_their_statuses_counts_and_patches(desk, numbered) -> None:
    desk.pull(
        {
            "a.py": numbered(30),
            "gone.txt": "x\ny\n",
            "moved.txt": numbered(20),
            "kept name.bin": b"\0\1",
            "mode.sh": "x\n",
        },
        {
            "a.py": numbered(30, _15="changed"),
            "gone.txt": None,
            "moved.txt": None,
            "moved here.txt": numbered(20),
            "kept name.bin": b"\0\2",
            "new.py": "one\ntwo",
            "mode.sh": ("100755", b"x\n"),
        },
    )
    files = by_name(desk.client.get(f"{REPO}/pulls/1/files"))
    assert {name: entry["status"] for name, entry in files.items()} == {
        "a.py": "modified",
        "gone.txt": "removed",
        "kept name.bin": "modified",
        "mode.sh": "modified",
        "moved here.txt": "renamed",
        "new.py": "added",
    }
    assert files["a.py"]["patch"].startswith("@@ -12,7 +12,7 @@ line 11\n line 12\n")
    assert (files["a.py"]["additions"], files["a.py"]["deletions"], files["a.py"]["changes"]) == (1, 1, 2)
    assert files["new.py"]["patch"] == "@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file"
    assert files["moved here.txt"]["previous_filename"] == "moved.txt"
    for name in ("kept name.bin", "mode.sh", "moved here.txt"):
        assert "patch" not in files[name]
        assert files[name]["changes"] == 0


@pytest.mark.parametrize(
    "name", ["x b/y", 'quo"te', "tab\there", "日本.py", "back\\slash", "new\nline", " lead", "a/b c/d"]
)
def test_a_hostile_name_is_given_as_it_is(desk, name) -> None:
    desk.pull({name: "one\n", "other": "1\n"}, {name: "two\n"})
    (entry,) = desk.client.get(f"{REPO}/pulls/1/files").json
    assert entry["filename"] == name
    assert entry["patch"] == "@@ -1 +1 @@\n-one\n+two"


def test_content_that_looks_like_a_header_does_not_shift_the_patches(desk) -> None:
    nasty = "diff --git a/z b/z\n--- a/z\n+++ b/z\n@@ -1 +1 @@\n-x\n+y\n"
    desk.pull({"a": nasty, "b": "1\n"}, {"a": nasty.replace("-x", "-w"), "b": "2\n", "c": nasty})
    files = by_name(desk.client.get(f"{REPO}/pulls/1/files"))
    assert files["b"]["patch"] == "@@ -1 +1 @@\n-1\n+2"
    assert files["c"]["additions"] == 6
    assert files["c"]["patch"].count("\n") == 6


def test_a_type_change_and_a_submodule_are_one_entry_each(desk) -> None:
    desk.pull({"link": "x\n", "sub": ("160000", b"1" * 40)}, {"link": ("120000", b"a"), "sub": ("160000", b"2" * 40)})
    files = by_name(desk.client.get(f"{REPO}/pulls/1/files"))
    assert files["link"]["status"] == "changed"
    assert files["sub"]["patch"] == f"@@ -1 +1 @@\n-Subproject commit {'1' * 40}\n+Subproject commit {'2' * 40}"


def test_the_diff_is_git_s_own_three_dot_diff(desk, numbered) -> None:
    pull = desk.pull({"a.py": numbered(30)}, {"a.py": numbered(30, _15="changed"), "n b/é": "x\n"})
    desk.repo.commit("main", {"only-on-main.txt": "x\n"})
    answer = desk.client.get(f"{REPO}/pulls/1", accept="application/vnd.github.diff")
    assert answer.status == 200
    expected = subprocess.run(
        ["git", "-C", desk.repo.git.path, "diff", f"main...{pull.head_sha}"], capture_output=True, check=True
    ).stdout
    assert answer.raw == expected


@pytest.mark.parametrize(
    ("limits", "words"),
    [(Limits(diff_files=2), "number of files (2)"), (Limits(diff_lines=10), "number of lines (10)")],
)
def test_a_diff_beyond_the_limits_is_refused_with_406(make_desk, limits, words) -> None:
    desk = make_desk(limits=limits)
    desk.pull({"x": "1\n"}, dict.fromkeys("abc", "1\n2\n3\n"))
    answer = desk.client.get(f"{REPO}/pulls/1", accept="application/vnd.github.v3.diff")
    assert answer.status == 406
    assert answer.json["message"].startswith(f"Sorry, the diff exceeded the maximum {words}. Consider using")
    assert answer.json["errors"] == [{"resource": "PullRequest", "field": "diff", "code": "too_large"}]


def test_a_file_that_is_too_large_has_its_counts_but_no_patch(make_desk, numbered) -> None:
    desk = make_desk(limits=Limits(file_lines=10))
    desk.pull({"x": "1\n"}, {"big": numbered(11), "small": numbered(5)})
    files = by_name(desk.client.get(f"{REPO}/pulls/1/files"))
    assert files["big"]["additions"] == 11
    assert "patch" not in files["big"]
    assert "patch" in files["small"]


@pytest.mark.parametrize(("beyond", "changes"), [(Beyond.COUNTS, 8), (Beyond.ZEROS, 0)])
def test_files_beyond_the_limit_of_all_together_have_no_patch(make_desk, numbered, beyond, changes) -> None:
    desk = make_desk(limits=Limits(list_lines=20), beyond=beyond)
    desk.pull({"x": "1\n"}, {name: numbered(8) for name in "abcd"})
    files = by_name(desk.client.get(f"{REPO}/pulls/1/files"))
    assert ["patch" in files[name] for name in "abcd"] == [True, True, False, False]
    assert files["d"]["changes"] == changes
    assert desk.client.get(f"{REPO}/pulls/1").json["additions"] == 32


def test_no_more_files_are_listed_than_the_limit_but_the_count_is_true(make_desk) -> None:
    desk = make_desk(limits=Limits(list_files=7))
    desk.pull({"x": "1\n"}, {f"f{at:02}": "1\n" for at in range(12)})
    listed = []
    for page in (1, 2, 3):
        listed += desk.client.get(f"{REPO}/pulls/1/files?per_page=3&page={page}").json
    assert [entry["filename"] for entry in listed] == [f"f{at:02}" for at in range(7)]
    assert desk.client.get(f"{REPO}/pulls/1").json["changed_files"] == 12


@pytest.mark.wrong_requests
def test_pages_are_linked_as_github_links_them(desk) -> None:
    desk.pull({"x": "1\n"}, {f"f{at:02}": "1\n" for at in range(45)})
    first = desk.client.get(f"{REPO}/pulls/1/files")
    assert len(first.json) == 30
    url = f"{desk.server.api_url}/repositories/{desk.repo.id}/pulls/1/files"
    assert first.headers["link"] == f'<{url}?page=2>; rel="next", <{url}?page=2>; rel="last"'
    assert len(desk.client.get(url.removeprefix(desk.server.api_url) + "?page=2").json) == 15
    assert desk.client.get("/repositories/1/pulls/1/files").status == 404
    middle = desk.client.get(f"{REPO}/pulls/1/files?per_page=20&page=2")
    rels = [part.split("; ")[1] for part in middle.headers["link"].split(", ")]
    assert rels == ['rel="prev"', 'rel="next"', 'rel="last"', 'rel="first"']
    assert len(desk.client.get(f"{REPO}/pulls/1/files?per_page=1000").json) == 45
    assert "link" not in desk.client.get(f"{REPO}/pulls/1/files?per_page=100").headers


def test_a_pull_from_a_fork_has_its_own_head_repository(desk) -> None:
    desk.repo.commit("main", {"a": "1\n"})
    fork = desk.repo.fork("eve/demo")
    fork.commit("topic", {"a": "2\n"}, "In the fork")
    desk.repo.open_pull("From a fork", head="topic", head_repo=fork)
    pull = desk.client.get(f"{REPO}/pulls/1").json
    assert (pull["head"]["label"], pull["head"]["repo"]["full_name"]) == ("eve:topic", "eve/demo")
    assert pull["head"]["repo"]["fork"] is True
    sha = pull["head"]["sha"]
    assert desk.client.get(f"{REPO}/contents/a?ref={sha}").json["size"] == 2
    fork.commit("topic", {"a": "3\n"})
    assert desk.client.get(f"{REPO}/pulls/1").json["head"]["sha"] != sha
    desk.world.delete_repo("eve/demo")
    pull = desk.client.get(f"{REPO}/pulls/1").json
    assert pull["head"]["repo"] is None
    assert desk.client.get(f"{REPO}/pulls/1/files").json[0]["patch"] == "@@ -1 +1 @@\n-1\n+3"


def test_contents_come_as_base64_raw_or_a_directory(desk) -> None:
    desk.repo.commit("main", {"dir/a b.txt": "grüße\r\n", "dir/sub/x": "1", "run.sh": ("100755", b"#!/bin/sh\n")})
    shown = desk.client.get(f"{REPO}/contents/dir/a b.txt?ref=main").json
    assert base64.b64decode(shown["content"]).decode() == "grüße\r\n"
    raw = desk.client.get(f"{REPO}/contents/dir/a b.txt", accept="application/vnd.github.raw+json")
    assert raw.raw.decode() == "grüße\r\n"
    assert [entry["name"] for entry in desk.client.get(f"{REPO}/contents/dir").json] == ["a b.txt", "sub"]
    assert desk.client.get(f"{REPO}/contents/none").status == 404
    assert desk.client.get(f"{REPO}/contents/run.sh?ref=nope").json["message"] == "No commit found for the ref nope"


def test_a_file_over_the_limit_needs_another_media_type(make_desk) -> None:
    desk = make_desk(limits=Limits(contents_bytes=10))
    desk.repo.commit("main", {"big": "x" * 11})
    refused = desk.client.get(f"{REPO}/contents/big")
    assert refused.status == 403
    assert refused.json["errors"][0]["code"] == "too_large"
    as_object = desk.client.get(f"{REPO}/contents/big", accept="application/vnd.github.object+json").json
    assert (as_object["content"], as_object["encoding"]) == ("", "none")
    sha = as_object["sha"]
    assert base64.b64decode(desk.client.get(f"{REPO}/git/blobs/{sha}").json["content"]) == b"x" * 11


def test_a_comparison_has_its_commits_on_pages_and_its_files_on_the_first_alone(make_desk) -> None:
    desk = make_desk(limits=Limits(compare_files=3))
    desk.repo.commit("main", {"x": "1\n"})
    desk.repo.branch("work")
    for at in range(5):
        desk.repo.commit("work", {f"f{at}": "1\n"}, f"Commit {at}")
    whole = desk.client.get(f"{REPO}/compare/main...work").json
    assert (whole["status"], whole["ahead_by"], whole["total_commits"]) == ("ahead", 5, 5)
    assert len(whole["files"]) == 3
    second = desk.client.get(f"{REPO}/compare/main...work?per_page=2&page=2").json
    assert [each["commit"]["message"] for each in second["commits"]] == ["Commit 2", "Commit 3"]
    assert "files" not in second
    assert desk.client.get(f"{REPO}/compare/work...main").json["status"] == "behind"
    assert desk.client.get(f"{REPO}/compare/main...nope").status == 404


def test_a_tree_can_be_walked_whole_and_is_cut_at_the_limit(make_desk) -> None:
    desk = make_desk(limits=Limits(tree_entries=3))
    desk.repo.commit("main", {"a/b/c": "1", "d": "2", "e": "3"})
    assert [each["path"] for each in desk.client.get(f"{REPO}/git/trees/main").json["tree"]] == ["a", "d", "e"]
    whole = desk.client.get(f"{REPO}/git/trees/main?recursive=1").json
    assert [each["path"] for each in whole["tree"]] == ["a", "a/b", "a/b/c"]
    assert whole["truncated"] is True


def test_a_pull_that_conflicts_says_so(desk) -> None:
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    assert desk.client.get(f"{REPO}/pulls/1").json["mergeable"] is True
    desk.repo.commit("main", {"a": "3\n"})
    desk.repo.commit("work", {"b": "1\n"})
    pull = desk.client.get(f"{REPO}/pulls/1").json
    assert (pull["mergeable"], pull["mergeable_state"]) == (False, "dirty")


def test_an_imported_repository_has_its_history(desk, tmp_path) -> None:
    def git(*args: str) -> None:
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=N", "-c", "user.email=n@e", *args], check=True)

    git("init", "-q", "-b", "trunk")
    for text in ("one", "two"):
        (tmp_path / "a.txt").write_text(text)
        git("add", ".")
        git("commit", "-q", "-m", text)
    git("branch", "old", "HEAD~1")
    desk.repo.import_git(tmp_path)
    assert desk.repo.default_branch == "trunk"
    desk.repo.open_pull("Import", head="trunk", base="old")
    commits = desk.client.get(f"{REPO}/pulls/1/commits").json
    assert [each["commit"]["message"] for each in commits] == ["two"]
    assert commits[0]["commit"]["author"]["name"] == "N"
