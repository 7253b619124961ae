"""What GitHub leaves out of a pull, and each way it is found again. Every test fails when its fallback does nothing."""

from __future__ import annotations

import pytest

from bot.diff.model import BadSection, FileStatus
from bot.github import limits
from bot.github.patches import from_blobs, from_diff, from_records
from bot.github.records import FileRecord
from bot.review.scope import SkipReason
from bot.sandbox.github import Beyond, Fault, Limits

EDIT = {10: "ten = 'changed'", 40: "forty = 'changed'"}


def numbered(count, changed=None):
    return "".join(f"{(changed or {}).get(n, f'line_{n} = {n}')}\n" for n in range(1, count + 1))


def hunks_of(file) -> list[tuple[int, int, int, int, list[str]]]:
    return [
        (
            hunk.old_start,
            hunk.old_count,
            hunk.new_start,
            hunk.new_count,
            [f"{line.kind}{line.text}" for line in hunk.lines],
        )
        for hunk in file.hunks
    ]


def never(pairs: object) -> list[str]:
    raise AssertionError("the blobs were compared, which was not needed")


@pytest.fixture
def whole(make_desk):
    """The hunks that a stand-in without small limits gives for `EDIT`."""
    desk = make_desk()
    desk.pull({"a.py": numbered(60, EDIT)})
    return hunks_of(desk.read().change.patch.files[0])


def test_a_file_whose_patch_is_left_out_is_filled_from_the_diff_of_the_whole_pull(make_desk, whole) -> None:
    desk = make_desk(limits=Limits(file_lines=5))
    desk.pull({"a.py": numbered(60, EDIT), "b.py": "x = 1\n"})
    change = desk.read(compare=never).change
    assert [file.path for file in change.patch.files] == ["a.py", "b.py"]
    assert hunks_of(change.patch.files[0]) == whole
    assert [hunk.key for hunk in change.patch.files[0].hunks] == [(0, 0), (0, 1)]
    assert change.gaps == ()


def test_past_the_lines_of_a_diff_both_blobs_are_compared_here(make_desk, whole) -> None:
    # GitHub's 20,000 lines, made small: no patch in the list and 406 for the diff.
    desk = make_desk(limits=Limits(file_lines=5, diff_lines=5))
    desk.pull({"a.py": numbered(60, EDIT), "b.py": "x = 1\n"})
    change = desk.read().change
    assert hunks_of(change.patch.files[0]) == whole
    assert change.gaps == ()
    assert [seen.status for seen in desk.sent("GET", "/pulls/1") if "diff" in seen.headers.get("Accept", "")] == [406]


def test_past_the_files_of_a_diff_both_blobs_are_compared_here(make_desk, whole) -> None:
    # GitHub's 300 files, made small.
    desk = make_desk(limits=Limits(file_lines=5, diff_files=1))
    desk.pull({"a.py": numbered(60, EDIT), "b.py": "x = 1\n"})
    change = desk.read().change
    assert hunks_of(change.patch.files[0]) == whole
    assert change.gaps == ()


def test_a_real_pull_of_more_than_three_hundred_files_asks_for_no_diff_and_loses_nothing(make_desk) -> None:
    desk = make_desk(limits=Limits(list_lines=300))
    desk.pull({f"f{n:03}.py": f"x = {n}\n" for n in range(301)})
    change = desk.read().change
    assert [(file.path, file.added) for file in change.patch.files] == [(f"f{n:03}.py", 1) for n in range(301)]
    assert change.gaps == ()
    assert not [seen for seen in desk.server.requests if "diff" in seen.headers.get("Accept", "")]


def test_a_real_file_of_more_than_twenty_thousand_lines_is_read_whole(desk) -> None:
    desk.pull({"big.py": numbered(20_500)})
    change = desk.read().change
    (file,) = change.patch.files
    assert file.added == 20_500
    assert change.totals is not None
    assert change.totals.added == 20_500
    assert change.gaps == ()


def test_zero_changes_past_the_limit_are_not_taken_for_no_change(make_desk) -> None:
    desk = make_desk(limits=Limits(list_lines=3, diff_lines=3), beyond=Beyond.ZEROS)
    desk.pull({"a.py": numbered(60, EDIT), "b.py": "x = 1\n"})
    change = desk.read().change
    assert {file.path: (file.added, file.removed) for file in change.patch.files} == {"a.py": (2, 2), "b.py": (1, 0)}
    assert change.gaps == ()


@pytest.mark.parametrize("diff_lines", [20_000, 1])
def test_no_patch_is_not_taken_for_binary_and_binary_not_for_text(make_desk, diff_lines: int) -> None:
    desk = make_desk(limits=Limits(file_lines=2, diff_lines=diff_lines))
    desk.pull(
        {"text.py": numbered(60, EDIT), "image.png": b"\x89PNG\0new", "new.bin": b"\0\1\2"},
        base={"text.py": numbered(60), "image.png": b"\x89PNG\0old"},
    )
    files = {file.path: file for file in desk.read().change.patch.files}
    assert {path: file.binary for path, file in files.items()} == {"text.py": False, "image.png": True, "new.bin": True}
    assert (files["text.py"].added, files["text.py"].removed) == (2, 2)
    assert files["image.png"].hunks == ()


@pytest.mark.parametrize("diff_lines", [20_000, 1])
def test_a_pure_rename_and_a_mode_change_are_told_from_a_lost_patch(make_desk, diff_lines: int) -> None:
    desk = make_desk(limits=Limits(file_lines=2, diff_lines=diff_lines))
    desk.pull(
        {
            "old name.py": None,
            "new b/name.py": numbered(30),
            "run.sh": ("100755", b"#!/bin/sh\n"),
            "edited.py": numbered(60, EDIT),
        },
        base={"old name.py": numbered(30), "run.sh": "#!/bin/sh\n", "edited.py": numbered(60)},
    )
    files = {file.path: file for file in desk.read().change.patch.files}
    assert files["new b/name.py"].status is FileStatus.RENAMED
    assert files["new b/name.py"].old_path == "old name.py"
    assert files["new b/name.py"].hunks == ()
    assert files["run.sh"].status is FileStatus.MODE_CHANGED
    assert files["run.sh"].hunks == ()
    assert files["edited.py"].added == 2


@pytest.mark.parametrize("graphql", [True, False])
def test_added_removed_and_renamed_files_are_compared_with_the_right_versions(make_desk, graphql: bool) -> None:
    desk = make_desk(limits=Limits(file_lines=1, diff_lines=1))
    if not graphql:
        desk.server.faults.add(Fault(match="POST /graphql", status=502, times=None))
    desk.pull(
        {"gone.py": None, "added b/new.py": numbered(5), "moved to.py": numbered(60, EDIT), "moved from.py": None},
        base={"gone.py": "one\ntwo\nthree\nfour\n", "moved from.py": numbered(60)},
    )
    # The base moves on: what counts is where the histories part.
    desk.repo.commit("main", {"moved from.py": "something else\n", "gone.py": "other\n"})
    change = desk.read().change
    got = {file.path: (file.status, file.old_path, file.added, file.removed) for file in change.patch.files}
    assert got == {
        "gone.py": (FileStatus.REMOVED, None, 0, 4),
        "added b/new.py": (FileStatus.ADDED, None, 5, 0),
        "moved to.py": (FileStatus.RENAMED, "moved from.py", 2, 2),
    }
    assert change.gaps == ()


def test_a_fork_s_file_without_patch_is_compared_too(make_desk) -> None:
    desk = make_desk(limits=Limits(file_lines=1, diff_lines=1))
    fork = desk.repo.fork("mallory/shop")
    fork.commit("evil", {"a.py": numbered(60, EDIT)})
    desk.repo.open_pull("From a fork", head="evil", head_repo=fork)
    (file,) = desk.read().change.patch.files
    assert (file.added, file.removed) == (2, 2)


def test_a_head_version_that_only_the_fork_has_is_compared_too(make_desk) -> None:
    desk = make_desk(limits=Limits(file_lines=1, diff_lines=1))
    fork = desk.repo.fork("mallory/shop")
    fork.commit("evil", {"a.py": numbered(60, EDIT)})
    desk.repo.open_pull("From a fork", head="evil", head_repo=fork)
    (head,) = [file["sha"] for file in desk.client().get(
        "/repos/acme/shop/pulls/1/files", stop=desk.clock.stop(), doing="asking"
    ).json()]  # fmt: skip
    desk.server.faults.add(Fault(match=f"GET /repos/acme/shop/git/blobs/{head}", status=404, times=None))
    (file,) = desk.read(token=None).change.patch.files
    assert (file.added, file.removed) == (2, 2)


def test_bytes_that_are_no_utf8_survive_the_comparison(make_desk) -> None:
    desk = make_desk(limits=Limits(file_lines=1, diff_lines=1))
    desk.pull({"latin.py": b"a = 1\nname = 'caf\xe9'\n"}, base={"latin.py": b"a = 1\nname = 'cafe'\n"})
    (file,) = desk.read().change.patch.files
    assert [line.text for line in file.hunks[0].lines] == ["a = 1", "name = 'cafe'", "name = 'caf\udce9'"]


@pytest.mark.parametrize(
    ("match", "words"), [("GET */compare/*", "502"), ("GET */git/blobs/*", "502"), ("GET */contents/a.py", "502")]
)
def test_what_cannot_be_had_by_any_way_is_a_gap_with_its_reason(make_desk, match: str, words: str) -> None:
    desk = make_desk(limits=Limits(file_lines=3, diff_lines=3))
    desk.pull({"a.py": numbered(60, EDIT), "b.py": "x = 1\n"})
    desk.server.faults.add(Fault(match="POST /graphql", contains="isBinary", status=403, times=None))
    desk.server.faults.add(Fault(match=match, status=502, times=None))
    change = desk.read().change
    assert [file.path for file in change.patch.files] == ["b.py"]
    (gap,) = change.gaps
    assert (gap.path, gap.reason, gap.is_gap) == ("a.py", SkipReason.NO_PATCH, True)
    assert "GitHub gives no diff of it" in gap.detail
    assert words in gap.detail


def test_a_file_too_large_to_compare_is_a_gap_that_says_so(make_desk, monkeypatch) -> None:
    monkeypatch.setattr(limits, "MAX_COMPARED_BYTES", 500)
    desk = make_desk(limits=Limits(file_lines=3, diff_lines=3))
    desk.pull({"a.py": numbered(60, EDIT), "b.py": "x = 1\n"})
    (gap,) = desk.read(compare=never).change.gaps
    assert (gap.path, gap.reason, gap.is_gap) == ("a.py", SkipReason.TOO_LARGE, True)


def test_a_diff_that_fails_is_no_reason_to_give_up(make_desk, whole) -> None:
    desk = make_desk(limits=Limits(file_lines=5))
    desk.server.faults.add(Fault(match="GET /repos/acme/shop/pulls/1", skip=1, status=500, times=None))
    desk.pull({"a.py": numbered(60, EDIT)})
    assert hunks_of(desk.read().change.patch.files[0]) == whole


def test_files_beyond_the_end_of_the_list_are_told_as_a_gap(make_desk, monkeypatch) -> None:
    monkeypatch.setattr(limits, "MAX_PULL_FILES", 4)
    desk = make_desk(limits=Limits(list_files=4))
    desk.pull({f"f{n}.py": "x = 1\n" for n in range(6)})
    change = desk.read().change
    assert len(change.patch.files) == 4
    assert change.totals is not None
    assert change.totals.files == 6
    (gap,) = change.gaps
    assert gap.is_gap
    assert gap.path == "(2 more files)"
    assert "first 4 files" in gap.detail


def test_a_pull_of_more_than_three_thousand_files_is_read_up_to_the_end_of_the_list(desk) -> None:
    desk.pull({f"d{n % 40}/f{n:04}.py": f"x = {n}\n" for n in range(3_010)})
    change = desk.read().change
    assert len(change.patch.files) == 3_000
    assert change.patch.added == 3_000
    assert [gap.path for gap in change.gaps] == ["(10 more files)"]


@pytest.mark.parametrize(
    "cut_at",
    [
        pytest.param(lambda patch: patch[: len(patch) // 3], id="inside a hunk"),
        pytest.param(lambda patch: patch[: patch.rindex("\n@@ ")], id="between two hunks"),
    ],
)
@pytest.mark.parametrize("most", [20_000, 1])
def test_a_patch_that_is_cut_short_is_replaced_by_the_whole_one(make_desk, whole, monkeypatch, cut_at, most) -> None:
    from bot.sandbox.github import shapes_pulls

    real = shapes_pulls.file_json

    def cut(*args, patch, **more):
        return real(*args, patch=patch and cut_at(patch), **more)

    monkeypatch.setattr(shapes_pulls, "file_json", cut)
    desk = make_desk(limits=Limits(diff_lines=most))
    desk.pull({"a.py": numbered(60, EDIT)})
    change = desk.read().change
    assert hunks_of(change.patch.files[0]) == whole
    assert change.gaps == ()


def record(**more) -> FileRecord:
    values = {
        "path": "a.py", "old_path": None, "status": "modified", "added": 1, "removed": 1, "changes": 2,
        "sha": "c" * 40, "patch": None, "head": None,
    }  # fmt: skip
    return FileRecord(**{**values, **more})


DIFF = b"""diff --git a/a.py b/a.py
index aaaaaaa..ccccccc 100644
--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-x
+y
"""


def test_a_section_of_another_version_or_with_other_counts_is_not_taken() -> None:
    for wrong in (record(sha="d" * 40), record(added=2, changes=3)):
        draft = from_records([wrong])
        from_diff(draft, DIFF)
        assert list(draft.missing) == [0]
    draft = from_records([record()])
    from_diff(draft, DIFF)
    assert draft.missing == {}
    assert draft.patch().added == 1


def test_a_diff_that_is_none_leaves_everything_missing() -> None:
    draft = from_records([record()])
    from_diff(draft, b'{"message": "Server Error"}')
    assert list(draft.missing) == [0]


def test_a_status_that_github_adds_one_day_counts_as_a_modification() -> None:
    draft = from_records([record(status="teleported", patch="@@ -1 +1 @@\n-x\n+y\n")])
    assert draft.patch().files[0].status is FileStatus.MODIFIED


def test_an_unchanged_file_has_no_hunk_and_is_no_gap() -> None:
    draft = from_records([record(status="unchanged", added=0, removed=0, changes=0)])
    assert draft.missing == {}
    assert draft.patch().files[0].hunks == ()


def test_a_comparison_that_gives_nothing_is_a_gap_and_not_an_empty_file() -> None:
    draft = from_records([record()])
    from_blobs(draft, 0, b"x\n", b"y\n", compare=lambda pairs: [""])
    assert draft.patch().files == ()
    assert [gap.path for gap in draft.gaps] == ["a.py"]
    assert not isinstance(draft.patch(), BadSection)


def test_an_empty_file_that_is_added_has_no_hunks_and_is_no_gap() -> None:
    draft = from_records([record(status="added", added=0, removed=0, changes=0)])
    from_blobs(draft, 0, None, b"", compare=lambda pairs: [""])
    assert draft.gaps == []
    assert draft.patch().files[0].status is FileStatus.ADDED


@pytest.mark.parametrize("diff_lines", [20_000, 1])
def test_a_file_that_becomes_a_link_is_read_without_a_gap(make_desk, diff_lines: int) -> None:
    desk = make_desk(limits=Limits(diff_lines=diff_lines))
    desk.pull(
        {"link": ("120000", b"a.py"), "edit.py": "y = 1\n"}, base={"link": "text\nof\na file\n", "edit.py": "x = 1\n"}
    )
    change = desk.read().change
    assert {file.path for file in change.patch.files} == {"link", "edit.py"}
    assert change.gaps == ()
    assert change.totals is not None
    assert (change.patch.added, change.patch.removed) == (change.totals.added, change.totals.removed)
