"""A merge group as a source: two commits compared, the pull that the queue's branch names, and what other pulls bring in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.diff.model import Side
from bot.git.compare import compare_blobs
from bot.github import limits
from bot.github.groups import MOST_PULLS, Group, GroupSource, base_of_queue
from bot.review.memory import Dismissal, FindingNote, KnownFinding, Recall, Said, Thread
from bot.review.model import Category, CommitSha, Fingerprint, RepoName, Severity
from bot.review.recall import PastNote, assemble
from bot.review.render.markers import ReviewMarker, RoundMarker, review_marker, round_marker
from bot.review.scope import SkipReason
from bot.review.together import together
from bot.sandbox.github import Fault, Limits
from bot.sandbox.github.gestures import queue_merge

SHA = "a1" * 20


def group(head_ref: str, **more: Any) -> Group:
    named: dict[str, Any] = {
        "repo": RepoName("o/r"),
        "base_sha": CommitSha("b" * 40),
        "head_sha": CommitSha("c" * 40),
        "head_ref": head_ref,
        "base_ref": "refs/heads/main",
    }
    return Group(**{**named, **more})


@pytest.mark.parametrize(
    ("ref", "number", "base"),
    [
        (f"refs/heads/gh-readonly-queue/main/pr-12-{SHA}", 12, SHA),
        (f"gh-readonly-queue/release/1.0/pr-7-{SHA}", 7, SHA),
        (f"refs/heads/gh-readonly-queue/pr-5-{SHA}/pr-6-{SHA}", 6, SHA),
        (f"refs/heads/mine/gh-readonly-queue/main/pr-12-{SHA}", None, None),
        ("refs/heads/gh-readonly-queue/main/pr-12", None, None),
        (f"refs/heads/gh-readonly-queue/main/pr-x-{SHA}", None, None),
        ("", None, None),
    ],
)
def test_a_group_s_pull_and_base_are_read_from_the_name_that_github_gives_its_branch(
    ref: str, number: int | None, base: str | None
) -> None:
    assert group(ref).number == number
    assert base_of_queue(ref) == base


def past(head: str, rules: str, *seen: int) -> Any:
    marks = [
        review_marker(ReviewMarker(head=CommitSha(head * 40), base=CommitSha("b" * 40), run="r")),
        round_marker(RoundMarker(round=1, rules=rules, seen=frozenset(seen))),
    ]
    note = PastNote(id=1, url="u", body="\n".join(marks), is_ours=True, in_conversation=False, state="COMMENTED")
    return assemble([], [note], may_write=lambda _login: True, author="mona")


def nobody() -> Recall:
    return assemble([], [], may_write=lambda _login: True, author="")


def finding(severity: Severity = Severity.HIGH, *, closed: bool = False, excuses: bool | None = None) -> KnownFinding:
    """With a thread; `excuses`: it was dismissed, by somebody who may take it out of the gate or not."""
    said: dict[str, Any] = {"login": "spark", "is_ours": True, "is_bot": True, "body": "", "url": ""}
    where: dict[str, Any] = {"path": "a.py", "side": Side.RIGHT, "line": 1, "start_line": None, "original_line": 1}
    state: dict[str, Any] = {"is_resolved": closed, "resolved_by": "", "resolved_by_us": closed, "is_outdated": False}
    note = FindingNote(
        fingerprint=Fingerprint("f" * 16),
        path="a.py",
        side=Side.RIGHT,
        severity=severity,
        category=Category.BUG,
        title="t",
        source="model",
    )
    given = None if excuses is None else Dismissal(by="ada", reason="", how="ignored", excuses=excuses)
    thread = Thread(id="t", comments=(Said(id=1, **said),), **where, **state)
    return KnownFinding(note=note, thread=thread, closed=closed, dismissal=given)


def test_what_was_seen_by_the_same_rules_in_other_pulls_counts_and_nothing_else_of_them() -> None:
    first, same, other = past("1", "aa", 1, 2), past("2", "aa", 3), past("3", "bb", 4)
    both = together(first, [same, other, nobody()], level=Severity.LOW)
    assert both.last is not None
    assert (both.last.head, both.last.seen) == ("1" * 40, {1, 2, 3})
    assert both.verdicts == {}


@pytest.mark.parametrize(
    ("found", "level", "taken"),
    [
        (finding(), Severity.HIGH, False),
        (finding(), Severity.CRITICAL, True),
        (finding(), None, True),
        (finding(Severity.LOW), Severity.HIGH, True),
        (finding(closed=True), Severity.HIGH, True),
        (finding(excuses=True), Severity.HIGH, True),
        (finding(excuses=False), Severity.HIGH, False),
    ],
)
def test_a_pull_that_fails_the_gate_has_its_lines_looked_at_again(
    found: KnownFinding, level: Severity | None, *, taken: bool
) -> None:
    # Anybody can name it in the message of a commit: its findings would be waved through with its lines.
    both = together(past("1", "aa", 1), [replace(past("2", "aa", 3), findings=(found,))], level=level)
    assert both.last is not None
    assert (3 in (both.last.seen or ())) is taken
    assert both.findings == ()


def test_a_pull_that_nobody_reviewed_is_not_known_by_what_others_know() -> None:
    assert together(nobody(), [past("2", "aa", 3)], level=None).last is None


# -- read over HTTP ------------------------------------------------------------------------------------------------


def queued(desk: Any, files: dict[str, Any], *, beside: dict[str, Any] | None = None) -> Group:
    """A group of one pull request; `beside`: what main got meanwhile."""
    pull = desk.pull(files)
    if beside:
        desk.repo.commit("main", beside)
    made = queue_merge(desk.repo, pull.number)
    return Group(
        repo=RepoName("acme/shop"),
        base_sha=made.base_sha,
        head_sha=made.head_sha,
        head_ref=made.head_ref,
        base_ref=made.base_ref,
    )


def source(desk: Any, made: Group) -> GroupSource:
    return GroupSource(desk.client(), made, compare=compare_blobs, stop=desk.clock.stop())


def test_a_group_is_what_its_merge_brings_with_its_pull_s_words_and_the_base_s_configuration(desk) -> None:
    config = "review: {effort: deep}\n"
    made = queued(desk, {"b.py": "b = 1\n"}, beside={"c.py": "c = 1\n", ".github/spark.yml": config})
    desk.server.requests.clear()
    reader = source(desk, made)
    opened = reader.open()
    asked = sorted((each.method, each.path.removeprefix("/repos/acme/shop")) for each in desk.server.requests)
    assert asked == [
        ("GET", f"/compare/{made.base_sha}...{made.head_sha}"),
        ("GET", "/pulls/1"),
        ("POST", "/graphql"),
    ]
    change = opened.change
    assert change.pull is not None
    assert [file.path for file in change.patch.files] == ["b.py"]
    assert (change.title, change.description, change.pull.author) == ("A change", "Why", "ann")
    assert (change.head, change.base) == (made.head_sha, made.base_sha)
    assert opened.base_texts == {".github/spark.yml": config}
    # Of the merge commit: the pull's own head has no such file.
    assert opened.files.text("c.py") == "c = 1\n"
    assert (change.gaps, reader.others) == ((), ())


@pytest.mark.parametrize("diff_lines", [20_000, 1])
def test_a_file_that_the_comparison_leaves_out_is_read_from_the_diff_or_from_both_blobs(make_desk, diff_lines) -> None:
    desk = make_desk(limits=Limits(file_lines=2, diff_lines=diff_lines))
    made = queued(desk, {"b.py": "b = 1\n", "big.py": "".join(f"x{n} = {n}\n" for n in range(9))})
    change = source(desk, made).open().change
    assert {file.path: file.added for file in change.patch.files} == {"b.py": 1, "big.py": 9}
    assert change.gaps == ()


def test_files_past_the_end_of_a_comparison_are_a_gap_that_is_told(make_desk, monkeypatch) -> None:
    monkeypatch.setattr(limits, "MAX_COMPARED_FILES", 2)
    desk = make_desk(limits=Limits(compare_files=2))
    change = source(desk, queued(desk, {"b.py": "b = 1\n", "c.py": "c = 1\n", "d.py": "d = 1\n"})).open().change
    assert [file.path for file in change.patch.files] == ["b.py", "c.py"]
    ((reason, detail),) = [(gap.reason, gap.detail) for gap in change.gaps]
    assert (reason, detail) == (SkipReason.NO_PATCH, "GitHub names only the first 2 files of a comparison")


def test_a_pull_that_cannot_be_read_leaves_a_change_without_its_words(desk) -> None:
    made = queued(desk, {"b.py": "b = 1\n"})
    desk.server.faults.add(Fault(match="GET /repos/acme/shop/pulls/1", status=404, times=None))
    change = source(desk, made).open().change
    assert (change.title, change.description) == (f"Merge group {made.head_sha[:7]}", "")
    assert [file.path for file in change.patch.files] == ["b.py"]


def test_other_pulls_are_named_by_the_commits_of_the_group_up_to_a_limit(desk) -> None:
    subjects = ["Tidy (#21)", "Merge pull request #22 from x/y", "About (#23) nothing", "Twice (#21)", "Ours (#1)"]
    for number, subject in enumerate([*subjects, *[f"More (#{n})" for n in range(31, 45)]]):
        desk.repo.commit("work", {f"f{number}.py": "x = 1\n"}, subject)
    reader = source(desk, queued(desk, {"b.py": "b = 1\n"}))
    reader.open()
    assert reader.others == (21, 22, *range(31, 39))
    assert len(reader.others) == MOST_PULLS
