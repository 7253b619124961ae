"""Which lines are new: the pull's diff of now against its diff of then."""

from __future__ import annotations

import difflib
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.model import FileStatus, Patch, Side
from bot.diff.parse import read_patch
from bot.review.seen import digests, fresh_lines

BASE = [f"line {number}" for number in range(60)]


def patch_between(old: list[str], new: list[str], path: str = "a.py", context: int = 3) -> Patch:
    diff = difflib.unified_diff(
        [f"{line}\n" for line in old], [f"{line}\n" for line in new], f"a/{path}", f"b/{path}", n=context
    )
    body = "".join(diff)
    return read_patch(f"diff --git a/{path} b/{path}\n{body}".encode() if body else b"")


def new_texts(patch: Patch, seen: frozenset[int]) -> list[str]:
    """The text of every fresh line, with its diff character, in order."""
    fresh = fresh_lines(patch, seen)
    return [
        f"{line.kind}{line.text}"
        for hunk in patch.hunks()
        for line in hunk.lines
        if (line.side, line.number) in fresh.get(hunk.key, frozenset()) and line.kind != " "
    ]


def edited(base: list[str], edits: dict[int, list[str]]) -> list[str]:
    """`base` with lines (by index) replaced by others."""
    return list(chain.from_iterable(edits.get(at, [line]) for at, line in enumerate(base)))


edits = st.dictionaries(
    st.integers(3, len(BASE) - 4),
    st.lists(st.sampled_from(["return None", "x = 1", "pass", "y = f(x)", "raise Oops"]), max_size=3),
    max_size=8,
)
"""With three lines of the base above the first and below the last."""


@settings(derandomize=True, max_examples=60, deadline=None)
@given(edits)
def test_the_same_change_has_nothing_new(changes: dict[int, list[str]]) -> None:
    patch = patch_between(BASE, edited(BASE, changes))
    assert fresh_lines(patch, digests(patch)) == {}
    assert len(new_texts(patch, frozenset())) == patch.added + patch.removed


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    edits,
    st.lists(st.sampled_from(["from main", "return None", "line 7", ""]), min_size=1, max_size=40),
    st.integers(3, 10),
)
def test_a_merge_or_rebase_that_leaves_the_pulls_lines_alone_has_nothing_new(
    changes: dict[int, list[str]], main: list[str], context: int
) -> None:
    """Lines that main got above and below; the context, the numbers and the borders of hunks change with them."""
    old = patch_between(BASE, edited(BASE, changes))
    moved = [*main, *BASE, *main]
    # Built by hand: where the pull's lines are is what matters here, not which of two equal diffs a program picks.
    shifted = {at + len(main): lines for at, lines in changes.items()}
    now = exact_patch(moved, shifted, context)
    assert fresh_lines(now, digests(exact_patch(BASE, changes, 3))) == {}
    assert old.added - old.removed == now.added - now.removed


def exact_patch(base: list[str], changes: dict[int, list[str]], context: int) -> Patch:
    """The diff in which exactly these lines are replaced, each with as much context, hunks joined where they meet."""
    if not changes:
        return read_patch(b"")
    rows: list[tuple[str, str, int, int]] = []
    new = 1
    for at, line in enumerate(base):
        if at in changes:
            rows.append(("-", line, at + 1, new))
            for text in changes[at]:
                rows.append(("+", text, at + 2, new))
                new += 1
        else:
            rows.append((" ", line, at + 1, new))
            new += 1
    keep = {near for at, row in enumerate(rows) if row[0] != " " for near in range(at - context, at + context + 1)}
    out: list[str] = []
    run: list[tuple[str, str, int, int]] = []
    for at, row in enumerate([*rows, (" ", "", 0, 0)]):
        if at in keep and at < len(rows):
            run.append(row)
        elif run:
            olds, news = sum(r[0] != "+" for r in run), sum(r[0] != "-" for r in run)
            start, to = run[0][2] - (olds == 0), run[0][3] - (news == 0)
            out.append(f"@@ -{start},{olds} +{to},{news} @@\n")
            out += [f"{sign}{text}\n" for sign, text, _, _ in run]
            run = []
    return read_patch(("diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n" + "".join(out)).encode())


def test_main_that_puts_lines_between_two_changes_splits_their_hunk_and_makes_nothing_new() -> None:
    then = exact_patch(BASE, {20: ["x = 1"], 27: ["y = 2"]}, 3)
    between = [*BASE[:24], *[f"main {number}" for number in range(20)], *BASE[24:]]
    now = exact_patch(between, {20: ["x = 1"], 47: ["y = 2"]}, 3)
    assert (len(then.files[0].hunks), len(now.files[0].hunks)) == (1, 2)
    assert fresh_lines(now, digests(then)) == {}


def test_main_that_changes_the_lines_beside_a_change_has_its_edge_looked_at_again_and_no_other() -> None:
    lines = {20: ["a", "b", "c"], 40: ["d"]}
    now = exact_patch(edited(BASE, {18: ["main"]}), lines, 3)
    assert new_texts(now, digests(exact_patch(BASE, lines, 3))) == ["-line 20"]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(edits, st.integers(0, len(BASE) - 1))
def test_a_line_that_was_changed_again_is_new(changes: dict[int, list[str]], at: int) -> None:
    then = exact_patch(BASE, changes, 3)
    now = exact_patch(BASE, changes | {at: ["a line that nobody wrote before"]}, 3)
    fresh = new_texts(now, digests(then))
    assert "+a line that nobody wrote before" in fresh
    assert len(fresh) <= 8  # Itself, what it replaced, the lines beside it and the edges of the runs that it now meets.


def test_only_the_line_and_the_one_below_it_are_new() -> None:
    then = patch_between(BASE, edited(BASE, {30: ["a", "b", "c", "d"]}))
    now = patch_between(BASE, edited(BASE, {30: ["a", "b2", "c", "d"], 50: ["e"]}))
    assert new_texts(now, digests(then)) == ["+b2", "+c", "-line 50", "+e"]


def test_a_twin_that_came_above_is_told_by_the_lines_around_it() -> None:
    base = edited(BASE, {10: ["if wrong:"], 50: ["if wrong:"]})
    then = exact_patch(base, {50: ["return None"]}, 3)
    now = exact_patch(base, {10: ["return None"], 50: ["return None"]}, 3)
    assert set(fresh_lines(now, digests(then))) == {now.files[0].hunks[0].key}
    assert fresh_lines(then, digests(now)) == {}


def test_a_twin_between_equal_lines_is_new_at_every_place_that_it_could_be() -> None:
    """The same line replaced by the same one: nobody can tell from the text which of both was there before."""
    same = {8: ["a"], 9: ["b"], 10: ["if wrong:"], 11: ["c"], 12: ["d"]}
    base = edited(
        BASE, {7: ["z"], 13: ["e"], 47: ["z"], 53: ["e"], **same, **{at + 40: text for at, text in same.items()}}
    )
    then = exact_patch(base, {50: ["return None"]}, 3)
    now = exact_patch(base, {10: ["return None"], 50: ["return None"]}, 3)
    assert new_texts(now, digests(then)) == ["-if wrong:", "+return None"] * 2
    assert fresh_lines(then, digests(now)) == {}


def test_of_twins_only_the_one_that_was_not_reviewed_is_new() -> None:
    """Two hunks add the same pair; a round saw one of them whole. The other one is new, and it alone."""
    patch = exact_patch(BASE, {10: ["try:", "pass"], 40: ["try:", "pass"]}, 3)
    first, second = (hunk.key for hunk in patch.hunks())
    texts = fresh_lines(patch, digests(patch, hunks=[second]))
    assert {key for key in texts if len(texts[key]) > 1} == {first}


def test_hunks_that_were_not_carried_are_new_and_the_others_are_not() -> None:
    patch = exact_patch(BASE, {10: ["a"], 30: ["b"], 50: ["c"]}, 3)
    one, two, three = (hunk.key for hunk in patch.hunks())
    assert set(fresh_lines(patch, digests(patch, hunks=[one, three]))) == {two}


def test_a_rename_in_a_later_push_makes_nothing_new() -> None:
    then = exact_patch(BASE, {10: ["a"]}, 3)
    text = "diff --git a/a.py b/b.py\nsimilarity index 98%\nrename from a.py\nrename to b.py\n--- a/a.py\n+++ b/b.py\n"
    hunk = "@@ -8,7 +8,7 @@\n line 7\n line 8\n line 9\n-line 10\n+a\n line 11\n line 12\n line 13\n"
    now = read_patch(f"{text}{hunk}".encode())
    assert now.files[0].status is FileStatus.RENAMED
    assert fresh_lines(now, digests(then)) == {}


def test_the_same_lines_of_another_file_are_new() -> None:
    then = patch_between(BASE, edited(BASE, {10: ["a"]}), path="a.py")
    now = patch_between(BASE, edited(BASE, {10: ["a"]}), path="c.py")
    assert new_texts(now, digests(then)) == ["-line 10", "+a"]


@pytest.mark.parametrize(("old", "new"), [("    return x", "return x"), ("x = 1", "x = 1 "), ("x", "x\r")])
def test_white_space_alone_makes_a_line_new(old: str, new: str) -> None:
    """An indentation can be a defect, so it is looked at."""
    then = exact_patch(BASE, {10: [old]}, 3)
    now = exact_patch(BASE, {10: [new]}, 3)
    assert len(fresh_lines(now, digests(then))) == 1


def test_lines_are_told_by_side_and_number_on_that_side() -> None:
    patch = exact_patch(BASE, {10: ["a", "b"], 40: []}, 3)
    first, second = (hunk.key for hunk in patch.hunks())
    assert fresh_lines(patch, frozenset()) == {
        first: frozenset({(Side.LEFT, 11), (Side.RIGHT, 11), (Side.RIGHT, 12)}),
        second: frozenset({(Side.LEFT, 41)}),
    }
