"""How many rounds of requests a large pull costs, counted at the stand-in over real HTTP, and what is never asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import OutsideError
from bot.git.compare import compare_blobs, diff_blobs
from bot.github import limits
from bot.github.fallback import Chance, chance_of_diff
from bot.github.known_texts import KnownTexts
from bot.github.patches import whole
from bot.github.pulls import PullSource
from bot.github.records import FileRecord, PullRecord
from bot.review.model import Totals
from bot.review.ports import Opened
from bot.sandbox.github import Fault, Limits

EDIT = {10: "ten = 'changed'", 40: "forty = 'changed'"}
LATENCY = 0.15


def numbered(count: int, changed: dict[int, str] | None = None) -> str:
    return "".join(f"{(changed or {}).get(n, f'line_{n} = {n}')}\n" for n in range(1, count + 1))


def never(pairs: object) -> list[str]:
    raise AssertionError("the blobs were compared, which was not needed")


def rounds(desk: Any) -> list[list[str]]:
    """What was asked for, by round: a request that began after an answer waited for it."""
    found: list[list[Any]] = []
    for one in sorted(desk.server.requests, key=lambda one: one.started):
        if not found or one.started >= min(other.started + other.seconds for other in found[-1]):
            found.append([])
        found[-1].append(one)
    return [sorted(_kind(one) for one in group) for group in found]


def _kind(seen: Any) -> str:
    if seen.path.endswith("/graphql"):
        return "graphql"
    if "diff" in seen.headers.get("Accept", ""):
        return "diff"
    if "/compare/" in seen.path:
        return "compare"
    return f"page {seen.query['page']}" if seen.path.endswith("/files") else seen.path.rpartition("/")[2]


def read(desk: Any, *, compare: Any = compare_blobs, texts: KnownTexts | None = None) -> Opened:
    desk.server.requests.clear()
    desk.server.latency = LATENCY
    # What is not waited for is over when the client is closed.
    with desk.client() as client:
        source = PullSource(client, desk.repo.full_name, 1, compare=compare, stop=desk.clock.stop(), texts=texts)
        return source.open()


FIRST = ["1", "graphql", "page 1"]


@pytest.fixture
def small(make_desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """GitHub's limit of 20,000 lines, made one of so many; on both sides of the wire."""

    def made(lines: int, **more: int) -> Any:
        monkeypatch.setattr(limits, "MAX_DIFF_LINES", lines)
        return make_desk(limits=Limits(diff_lines=lines, **{"file_lines": 5, **more}))

    return made


def test_added_files_beyond_the_limit_of_a_diff_cost_two_rounds_and_no_process(small: Any) -> None:
    desk = small(50, list_lines=60, file_lines=20_000)
    desk.pull({f"f{n}.py": numbered(20) for n in range(4)} | {"end.py": "x = 1"})
    change = read(desk, compare=never).change
    assert rounds(desk) == [FIRST, ["graphql"]]
    assert {file.path: file.added for file in change.patch.files} == {f"f{n}.py": 20 for n in range(4)} | {"end.py": 1}
    assert change.gaps == ()


def test_changed_files_beyond_the_limit_cost_two_rounds_where_the_base_has_not_moved(small: Any) -> None:
    desk = small(5)
    desk.pull({"a.py": numbered(60, EDIT)})
    change = read(desk).change
    assert rounds(desk) == [FIRST, ["compare", "graphql", "graphql"]]
    assert (change.patch.added, change.patch.removed, change.gaps) == (2, 2, ())


def _edited(desk: Any, count: int) -> None:
    """A pull of so many files that were there before."""
    base, changed = (
        {f"f{n:03}.py": numbered(60, {**edit, 1: f"n = {n}"}) for n in range(count)} for edit in ({}, EDIT)
    )
    desk.pull(changed, base=base)


def test_many_changed_files_beyond_the_limit_are_compared_a_group_at_a_time(small: Any) -> None:
    """A process for each file would cost more than all else that a large pull takes."""
    desk = small(5)
    _edited(desk, 100)
    asked: list[int] = []

    def counted(pairs: Sequence[tuple[bytes, bytes]]) -> list[str]:
        asked.append(len(pairs))
        return compare_blobs(pairs)

    change = read(desk, compare=counted).change
    assert sorted(asked) == [36, 64]
    assert {(file.added, file.removed) for file in change.patch.files} == {(2, 2)}
    assert (len(change.patch.files), change.gaps) == (100, ())


def test_where_one_of_many_cannot_be_compared_it_alone_is_a_gap(small: Any) -> None:
    desk = small(5)
    _edited(desk, 4)

    def choosy(pairs: Sequence[tuple[bytes, bytes]]) -> list[str]:
        if any(b"n = 2\n" in new for _, new in pairs):
            raise OutsideError("git diff did not finish within 60 s")
        return compare_blobs(pairs)

    change = read(desk, compare=choosy).change
    assert [file.path for file in change.patch.files] == ["f000.py", "f001.py", "f003.py"]
    (gap,) = change.gaps
    assert (gap.path, "did not finish" in gap.detail) == ("f002.py", True)


def test_where_the_base_has_moved_its_own_version_is_not_taken_for_the_old_one(small: Any) -> None:
    desk = small(5)
    desk.repo.branch("work")
    desk.repo.commit("work", {"a.py": numbered(60, EDIT)})
    desk.repo.commit("main", {"a.py": numbered(60, {20: "twenty = 'moved'"})})
    desk.repo.open_pull("A change", "Why", head="work", author="ann")
    change = read(desk).change
    assert rounds(desk) == [FIRST, ["compare", "graphql", "graphql"], ["graphql"]]
    texts = {line.text for hunk in change.patch.files[0].hunks for line in hunk.lines}
    assert (change.patch.added, change.patch.removed) == (2, 2)
    assert "twenty = 'moved'" not in texts


@pytest.mark.parametrize("step", [1, 7], ids=["the diff is given", "the diff is refused"])
def test_near_the_limit_the_diff_is_asked_for_beside_the_blobs(small: Any, step: int) -> None:
    # Sixteen lines and their headers, or many more with context, in thirty: nobody can know beforehand.
    desk = small(30)
    edits = {n: f"line_{n} = 'changed'" for n in range(2, 2 + 8 * step, step)}
    desk.pull({"a.py": numbered(60, edits)})
    change = read(desk).change
    assert rounds(desk) == [FIRST, ["compare", "diff", "graphql", "graphql"]]
    assert [one.status for one in desk.server.requests if _kind(one) == "diff"] == [200 if step == 1 else 406]
    assert (change.patch.added, change.patch.removed, change.gaps) == (8, 8, ())


def test_a_diff_that_is_sure_to_be_given_is_asked_for_alone(make_desk: Any) -> None:
    desk = make_desk(limits=Limits(file_lines=5))
    desk.pull({"a.py": numbered(60, EDIT)})
    change = read(desk, compare=never).change
    assert rounds(desk) == [FIRST, ["diff", "graphql"]]
    assert (change.patch.added, change.patch.removed) == (2, 2)


def test_added_files_are_there_although_nobody_says_where_the_histories_part(small: Any) -> None:
    desk = small(5)
    desk.pull({"a.py": numbered(60, EDIT), "new.py": numbered(30)})
    desk.server.faults.add(Fault(match="GET */compare/*", status=502, times=None))
    change = desk.read().change
    assert {file.path: file.added for file in change.patch.files} == {"new.py": 30}
    (gap,) = change.gaps
    assert gap.path == "a.py"
    assert "502" in gap.detail


def test_the_pages_of_a_long_list_are_asked_for_together_and_at_once_from_the_second_time_on(desk: Any) -> None:
    desk.pull({f"f{n:03}.py": f"x = {n}\n" for n in range(201)})
    texts = KnownTexts()
    assert len(read(desk, texts=texts).change.patch.files) == 201
    assert rounds(desk) == [FIRST, ["page 2", "page 3"]]
    assert len(read(desk, texts=texts).change.patch.files) == 201
    assert rounds(desk) == [[*FIRST, "page 2", "page 3"]]
    # A push made it shorter: what was remembered is a hint, and what is not there is left out.
    desk.repo.commit("work", {f"f{n:03}.py": None for n in range(150)})
    change = read(desk, texts=texts).change
    assert [file.path for file in change.patch.files] == [f"f{n:03}.py" for n in range(150, 201)]
    assert change.gaps == ()
    read(desk, texts=texts)
    assert rounds(desk) == [FIRST]


def test_the_other_pages_do_not_wait_for_the_first_one(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.pull({f"f{n:03}.py": f"x = {n}\n" for n in range(101)})
    client, second = desk.client(), threading.Event()
    get = client.get

    def held(path: str, **more: Any) -> Any:
        page = (more.get("params") or {}).get("page")
        if page == 2:
            second.set()
        assert page != 1 or second.wait(5), "the second page is asked for while the first is under way"
        return get(path, **more)

    monkeypatch.setattr(client, "get", held)
    assert len(desk.source(client=client).open().change.patch.files) == 101


def test_pages_that_were_begun_and_are_not_there_are_left_out_whatever_came_of_them(desk: Any) -> None:
    desk.pull({"a.py": "a = 1\n"})
    client, stop, path = desk.client(), desk.clock.stop(), "/repos/acme/shop/pulls/1/files"
    first = client.submit(client.get, path, stop=stop, doing="asking", params={"per_page": 100, "page": 1})
    failed: Future[Any] = Future()
    failed.set_exception(OutsideError("down"))
    (only,) = client.pages(path, stop=stop, doing="asking", begun=[first, failed])
    assert [file["filename"] for file in only.json()] == ["a.py"]


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"", b" x", b"\xe9", b"\\", b"@@ -1 +1 @@", b"b\r"]), max_size=4), st.booleans())
def test_a_file_that_comes_or_goes_has_the_hunks_that_git_prints(lines: list[bytes], ends: bool) -> None:
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    assert whole(None, data) == diff_blobs(b"", data)
    assert whole(data, None) == diff_blobs(data, b"")


def entry(**more: Any) -> FileRecord:
    values: dict[str, Any] = {
        "path": "a.py", "old_path": None, "status": "added", "added": 500, "removed": 0, "changes": 500,
        "sha": "c" * 40, "patch": None, "head": None,
    }  # fmt: skip
    return FileRecord(**{**values, **more})


def lines(count: int) -> str:
    return "@@ -0,0 +1 @@" + "\n+x" * count


@pytest.mark.parametrize(
    ("files", "chance"),
    [
        ([entry(patch=lines(500))] * 39 + [entry()], Chance.NONE),
        ([entry(patch=lines(500))] * 38 + [entry()], Chance.OPEN),
        ([entry(patch=lines(500))] * 20 + [entry()], Chance.LIKELY),
        ([entry(added=2_000, changes=2_000)], Chance.LIKELY),
        ([entry(added=4_000, changes=4_000)], Chance.OPEN),
        ([entry(added=20_000, changes=20_000)], Chance.NONE),
        # Said to be unchanged, but the pull's own sum has them.
        ([entry(added=0, changes=0)], Chance.LIKELY),
        ([entry()] * 301, Chance.NONE),
    ],
)
def test_headers_and_context_count_for_the_limit_of_a_diff(desk: Any, files: list[FileRecord], chance: Chance) -> None:
    assert chance_of_diff(_record(desk, files, sum(file.changes for file in files)), files) is chance


def test_lines_that_the_list_hides_count_for_the_limit_too(desk: Any) -> None:
    assert (
        chance_of_diff(_record(desk, [entry(added=0, changes=0)], 20_000), [entry(added=0, changes=0)]) is Chance.NONE
    )


def _record(desk: Any, files: list[FileRecord], changed: int) -> PullRecord:
    if not desk.repo.pulls:
        desk.pull({"a.py": "a = 1\n"})
    pull = desk.read().change.pull
    return PullRecord(pull=pull, totals=Totals(files=len(files), added=changed, removed=0))
