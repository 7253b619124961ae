"""Commits on a pull's branch over real HTTP: on the head that was expected or not at all, once, and nothing else touched."""

from __future__ import annotations

import json

import pytest

from bot.commands.ports import CommitDraft, Committed, NotCommitted
from bot.errors import OutsideError
from bot.github.branch import PullBranch
from bot.github.faults import Reply
from bot.github.records import read_commits
from bot.review.model import CommitSha, RepoName
from bot.sandbox.github import Fault, Kind

MUTATION = {"match": "POST /graphql", "contains": "createCommitOnBranch"}
TREE = {"new.py": "a = 1\n", "run.sh": ("100755", b"echo\n"), "old.txt": "gone soon\n", "sub/x.bin": b"\xff\x00\n"}


@pytest.fixture(scope="module")
def bot(hall, key):
    """A client of the App, whose account is `spark-app[bot]`."""
    return hall.app(key).client(hall.install(key).id, hall.repo.full_name)


@pytest.fixture
def pull(quiet):
    return quiet.new_pull(TREE)


@pytest.fixture
def branch(quiet, bot, pull):
    return at(quiet, bot, pull)


def at(desk, client, pull, **more) -> PullBranch:
    return PullBranch(
        client, RepoName("acme/shop"), pull.number, pace=desk.pace, stop=more.pop("stop", desk.clock.stop()), **more
    )


def draft(pull, files=None, *, head: str = "", command: str = "thread-7") -> CommitDraft:
    return CommitDraft(
        expected_head=CommitSha(head or pull.head_sha),
        headline="Fix what Spark found",
        body=f"One finding.\n\nSpark-Command: {command}",
        files=files or {"new.py": b"a = 2\n"},
    )


def test_files_are_changed_added_and_deleted_in_one_commit_with_their_modes(quiet, branch, pull) -> None:
    before = pull.head_sha
    files = {"new.py": b"a = 2\r\n", "run.sh": b"echo hi\n", "old.txt": None, "sub/x.bin": b"\xfe\xff", "add.py": b""}
    done = branch.commit(draft(pull, files))
    assert isinstance(done, Committed)
    assert done.sha == pull.head_sha == branch.head()
    assert done.sha in done.url
    git = quiet.repo.git
    assert {path: git.read(f"{done.sha}:{path}")[2] for path, data in files.items() if data is not None} == {
        path: data for path, data in files.items() if data is not None
    }
    assert git.read(f"{done.sha}:old.txt") is None
    assert git.read(f"{done.sha}:README.md") is not None
    assert git.text("ls-tree", done.sha, "run.sh").startswith("100755 ")
    assert sorted(branch.changed_paths(done.sha)) == sorted(files)
    first, second = branch.commits()
    assert (first.sha, first.is_ours) == (before, False)
    assert (second.sha, second.parents, second.is_ours, second.is_signed) == (done.sha, (before,), True, True)
    assert "Spark-Command: thread-7" in second.message.splitlines()
    assert branch.file("new.py", done.sha) == b"a = 2\r\n"
    assert branch.file("new.py", CommitSha(before)) == b"a = 1\n"
    assert branch.file("old.txt", done.sha) is None


@pytest.mark.parametrize("path", ["link.py", "deep/er/link.py"])
def test_a_link_is_never_committed_to(quiet, bot, path) -> None:
    """Nothing in a pull's list of files says that one is a link; its text is where it leads."""
    pull = quiet.new_pull({path: ("120000", b"README.md"), "new.py": "a = 1\n"})
    before = pull.head_sha
    done = at(quiet, bot, pull).commit(draft(pull, {"new.py": b"a = 2\n", path: b"/etc/passwd"}))
    assert done == NotCommitted(reason=f"{path} is a symbolic link")
    assert pull.head_sha == before


def test_a_branch_that_has_moved_is_left_alone(quiet, branch, pull) -> None:
    wanted = draft(pull)
    moved = quiet.repo.commit(pull.head_ref, {"late.py": "x = 1\n"}, author="ann")
    done = branch.commit(wanted)
    assert isinstance(done, NotCommitted)
    assert (done.reason, done.moved_to) == ("the branch has moved", moved)
    assert pull.head_sha == moved


@pytest.mark.parametrize("kind", [Kind.STATUS, Kind.CUT])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_answer_was_lost_is_made_once(quiet, branch, pull, kind, when) -> None:
    quiet.server.faults.add(Fault(**MUTATION, status=502, kind=kind, when=when))
    done = branch.commit(draft(pull))
    assert isinstance(done, Committed)
    assert done.sha == pull.head_sha
    assert len(branch.commits()) == 2
    assert quiet.repo.git.read(f"{done.sha}:new.py")[2] == b"a = 2\n"


def test_a_commit_of_a_run_that_died_is_found_by_its_trailer_though_others_came_after_it(quiet, bot, pull) -> None:
    first = at(quiet, bot, pull).commit(draft(pull))
    quiet.repo.commit(pull.head_ref, {"late.py": "x = 1\n"}, author="ann")
    again = at(quiet, bot, pull)
    assert again.commit(draft(pull)) == first
    other = again.commit(draft(pull, command="thread-77"))
    assert isinstance(other, Committed)
    assert other != first


def test_the_trailer_in_a_person_s_commit_is_not_ours(quiet, branch, pull) -> None:
    quiet.repo.commit(pull.head_ref, {"late.py": "x = 1\n"}, "Sly\n\nSpark-Command: thread-7", author="ann")
    done = branch.commit(draft(pull))
    assert isinstance(done, Committed)
    assert done.sha == pull.head_sha


def test_a_commit_that_was_pushed_in_our_name_is_not_signed(quiet, branch, pull) -> None:
    quiet.repo.commit(pull.head_ref, {"late.py": "x = 1\n"}, "Sly\n\nSpark-Command: thread-7", author="spark-app[bot]")
    pushed = branch.commits()[-1]
    assert (pushed.is_ours, pushed.is_signed) == (True, False)


@pytest.mark.parametrize(
    ("verified", "committer", "is_signed"),
    [
        (True, "web-flow", True),
        (True, "spark-app[bot]", True),
        (True, "mallory", False),  # Signed with her own key, and our name written as the author's.
        (True, None, False),
        (False, "web-flow", False),
        (None, "web-flow", False),
    ],
)
def test_a_signature_counts_only_where_it_is_githubs_or_the_authors(verified, committer, is_signed) -> None:
    commit = {"message": "x"} | ({} if verified is None else {"verification": {"verified": verified}})
    found = {
        "sha": "a" * 40,
        "parents": [],
        "commit": commit,
        "author": {"login": "spark-app[bot]", "type": "Bot"},
        "committer": committer and {"login": committer},
    }
    (read,) = read_commits(Reply(status=200, headers={}, text=json.dumps([found])))
    assert read.is_signed is is_signed


def test_while_github_is_away_nothing_is_claimed(quiet, branch, pull) -> None:
    quiet.server.faults.add(Fault(**MUTATION, status=502, times=None))
    before = pull.head_sha
    with pytest.raises(OutsideError, match="502"):
        branch.commit(draft(pull))
    assert pull.head_sha == before


def test_who_may_not_write_is_told_what_is_missing(quiet, pull) -> None:
    token = "ghs_" + "reader" * 6
    quiet.world.actions_token("acme/shop", token, {"contents": "read", "pull_requests": "write"})
    done = at(quiet, quiet.client(token), pull).commit(draft(pull))
    assert isinstance(done, NotCommitted)
    assert "contents: write" in done.reason


def test_what_github_refuses_is_told_in_its_words(branch, pull) -> None:
    done = branch.commit(draft(pull, {"not/there.py": None}))
    assert isinstance(done, NotCommitted)
    assert "does not exist" in done.reason


@pytest.mark.parametrize("status", [403, 422])
def test_a_refusal_by_http_is_a_reason_as_well(quiet, branch, pull, status) -> None:
    quiet.server.faults.add(Fault(**MUTATION, status=status, message="Repository rule violations found"))
    done = branch.commit(draft(pull))
    assert isinstance(done, NotCommitted)
    assert "Repository rule violations found" in done.reason


def test_a_commit_for_which_the_pace_leaves_no_time_is_not_made(quiet, bot, pull) -> None:
    quiet.server.faults.add(Fault(**MUTATION, status=429, headers={"retry-after": "900"}))
    done = at(quiet, bot, pull, stop=quiet.clock.stop(30.0)).commit(draft(pull))
    assert isinstance(done, NotCommitted)
    assert "no time" in done.reason


# Whose branch it is


@pytest.fixture(scope="module")
def fork(hall):
    copy = hall.repo.fork("carol/shop")
    for name in ("shut", "lent", "gone"):
        copy.branch(name)
        copy.commit(name, TREE)
    return copy


def test_a_fork_that_does_not_let_maintainers_edit_is_blocked_and_asked_nothing(quiet, bot, fork) -> None:
    pull = quiet.repo.open_pull("A change", head="shut", head_repo=fork, author="carol", maintainer_can_modify=False)
    branch = at(quiet, bot, pull)
    assert "does not let maintainers edit" in branch.blocked()
    done = branch.commit(draft(pull))
    assert isinstance(done, NotCommitted)
    assert done.reason == branch.blocked()
    assert quiet.sent("POST", "graphql") == []


def test_a_fork_that_lets_maintainers_edit_gets_the_commit_on_its_own_branch(quiet, bot, fork) -> None:
    pull = quiet.repo.open_pull("A change", head="lent", head_repo=fork, author="carol")
    branch = at(quiet, bot, pull)
    assert branch.blocked() == ""
    done = branch.commit(draft(pull))
    assert isinstance(done, Committed)
    assert fork.git.resolve("lent") == done.sha == pull.head_sha
    assert quiet.repo.git.resolve("refs/heads/lent") is None
    assert branch.changed_paths(done.sha) == ["new.py"]


def test_a_branch_or_a_fork_that_is_gone_and_a_closed_pull_are_reasons(quiet, bot, fork, pull) -> None:
    lost = quiet.repo.open_pull("A change", head="gone", head_repo=fork, author="carol")
    fork.git.run("update-ref", "-d", "refs/heads/gone")
    done = at(quiet, bot, lost).commit(draft(lost))
    assert isinstance(done, NotCommitted)
    assert "is gone" in done.reason
    lost.head_repo = None
    assert "was deleted" in at(quiet, bot, lost).blocked()
    quiet.repo.close_pull(pull.number)
    assert at(quiet, bot, pull).blocked() == "the pull request is closed"


def test_the_paths_of_a_renamed_file_are_both_told_and_all_pages_read(quiet, branch, pull) -> None:
    many = {f"many/{n}.txt": f"{n}\n" for n in range(120)}
    sha = quiet.repo.commit(pull.head_ref, {**many, "old.txt": None, "renamed.txt": "gone soon\n"})
    assert sorted(branch.changed_paths(CommitSha(sha))) == sorted([*many, "old.txt", "renamed.txt"])
