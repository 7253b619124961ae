"""Where earlier findings are now, which new ones are theirs, and what becomes of their threads."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.anchors import anchor_lines
from bot.diff.model import Anchor, FileStatus, Patch, Side
from bot.diff.parse import read_patch
from bot.review import follow
from bot.review.fingerprint import fingerprint
from bot.review.follow import Fate, Placed, may_be_resolved, place_known
from bot.review.memory import KnownFinding, Said, Thread, ThreadId
from bot.review.model import Category, Finding, FindingStatus, Severity
from bot.review.recall import line_digest, note_of
from bot.review.whereabouts import UNREAD

OLD = "".join(f"line {number}\n" for number in range(1, 41))


def with_lines(edits: Mapping[int, str], text: str = OLD) -> str:
    """`text` with lines (from 1) replaced; an edit may be several lines, or none."""
    lines = text.removesuffix("\n").split("\n")
    return "".join(
        f"{line}\n"
        for at, old in enumerate(lines, 1)
        for line in edits.get(at, old).split("\n")
        if at not in edits or edits[at]
    )


def fates(placed: list[Placed]) -> list[Fate]:
    return [each.fate for each in placed]


# -- one finding ---------------------------------------------------------------------------------------------------

THEN = {"a.py": (OLD, with_lines({20: "divide(total, n)"}))}


def test_text_that_is_as_it_was_stands_whatever_github_says_of_the_thread(posted, place) -> None:
    known = posted(THEN, "a.py", 20, now=None)  # Outdated by a force-push.
    moved = {"a.py": (OLD, with_lines({2: "new\nnew\nnew", 20: "divide(total, n)"}))}
    (placed,) = place(known, moved)
    assert (placed.fate, placed.near, placed.problem) == (Fate.STANDS, 22, "")
    finding = placed.finding
    assert finding is not None
    assert (finding.anchor.start_line, finding.anchor.text) == (22, ("divide(total, n)",))
    assert (finding.status, finding.fingerprint) == (FindingStatus.KNOWN, known.note.fingerprint)
    assert finding.body == "With no items the count is zero, so the division raises ZeroDivisionError."


def test_white_space_alone_leaves_it_standing(posted, place) -> None:
    known = posted(THEN, "a.py", 20)
    (placed,) = place(known, {"a.py": (OLD, with_lines({20: "    divide(total,  n)\r"}))})
    assert placed.fate is Fate.STANDS


def test_a_finding_on_a_line_of_context_stands_while_the_diff_shows_it(posted, place) -> None:
    known = posted(THEN, "a.py", 22)
    assert fates(place(known, THEN)) == [Fate.STANDS]
    outside = {"a.py": (OLD, with_lines({2: "elsewhere"}))}
    (placed,) = place(known, outside)
    assert (placed.fate, placed.near, placed.finding) == (Fate.OUTSIDE, 22, None)


def test_of_several_lines_one_that_changed_is_enough(posted, place) -> None:
    then = {"a.py": (OLD, with_lines({20: "first = 1\nsecond = 2\nthird = 3"}))}
    known = posted(then, "a.py", 20, 22)
    assert fates(place(known, then)) == [Fate.STANDS]
    (placed,) = place(known, {"a.py": (OLD, with_lines({1: "new\nnew", 20: "first = 1\nsecond = 0\nthird = 3"}))})
    assert (placed.fate, placed.near) == (Fate.CHANGED, 21)
    (placed,) = place(known, {"a.py": (OLD, with_lines({20: "first = 1\nsecond = 2\nnew = 0\nthird = 3"}))})
    assert placed.fate is Fate.CHANGED


def test_text_that_moved_to_another_hunk_of_its_file_stands(posted, place) -> None:
    known = posted(THEN, "a.py", 20)
    (placed,) = place(known, {"a.py": (OLD, with_lines({3: "x", 38: "divide(total, n)"}))})
    assert placed.finding is not None
    assert placed.finding.anchor.start_line == 38
    assert placed.finding.anchor.hunk.hunk == 1


def test_a_file_with_another_name_is_followed(posted, place) -> None:
    known = posted(THEN, "a.py", 20)
    head = with_lines({20: "divide(total, n)"})
    text = "diff --git a/a.py b/b.py\nsimilarity index 90%\nrename from a.py\nrename to b.py\n--- a/a.py\n+++ b/b.py\n"
    patch = read_patch(f"{text}@@ -19,3 +19,3 @@\n line 19\n-line 20\n+divide(total, n)\n line 21\n".encode())
    assert patch.files[0].status is FileStatus.RENAMED
    (placed,) = place_known([known], patch, {"b.py": head}.get)
    assert (placed.fate, placed.path, placed.moved) == (Fate.STANDS, "b.py", False)
    changed = read_patch(f"{text}@@ -19,3 +19,3 @@\n line 19\n-line 20\n+divide(total, max(n, 1))\n line 21\n".encode())
    (placed,) = place_known([known], changed, {"b.py": head.replace("total, n", "total, max(n, 1)")}.get)
    assert (placed.fate, placed.path, placed.near) == (Fate.CHANGED, "b.py", 20)


def test_a_file_that_was_removed_takes_its_findings_with_it(posted, place) -> None:
    known = posted(THEN, "a.py", 20)
    (placed,) = place(known, {"a.py": (OLD, None)})
    assert (placed.fate, placed.near, placed.problem) == (Fate.CHANGED, 0, "")
    (placed,) = place(known, {"other.py": ("x\n", "y\n")})  # Added by the pull, and deleted again.
    assert (placed.fate, placed.near, placed.problem) == (Fate.CHANGED, 0, "")


def test_a_file_that_was_put_back_has_changed(posted, place) -> None:
    known = posted(THEN, "a.py", 20)
    (placed,) = place(known, {"other.py": ("x\n", "y\n")}, heads={"a.py": OLD})
    assert (placed.fate, placed.near) == (Fate.CHANGED, 20)


def test_what_cannot_be_read_is_never_called_gone(posted, place, patch_of) -> None:
    known = posted(THEN, "a.py", 20)
    patch = patch_of({"a.py": (OLD, with_lines({30: "x"}))})
    (placed,) = place_known([known], patch, lambda _: None)
    assert (placed.fate, placed.problem, may_be_resolved(placed)) == (Fate.CHANGED, UNREAD, UNREAD)
    (placed,) = place(known, {"other.py": ("x\n", "y\n")}, unread={"a.py"})
    assert placed.problem == UNREAD
    assert not follow.is_worth_asking(placed)


def test_a_finding_without_digests_stands_where_github_shows_it_and_is_never_called_gone(
    posted, place, said, thread_of
) -> None:
    known = posted(THEN, "a.py", 20, now=20)
    bare = replace(known, note=replace(known.note, lines=(), text=""))
    assert fates(place(bare, THEN)) == [Fate.STANDS]
    outdated = replace(bare, thread=replace(bare.thread, line=None, is_outdated=True))
    assert fates(place(outdated, {"a.py": (OLD, with_lines({20: "x"}))})) == [Fate.OUTSIDE]


def test_the_place_of_changed_text_is_found_by_the_lines_beside_it(posted, place) -> None:
    """Main put 300 lines above it, so that its old line number says nothing."""
    known = posted(THEN, "a.py", 20)
    above = "main\n" * 300
    (placed,) = place(known, {"a.py": (above + OLD, above + with_lines({20: "divide(total, n or 1)"}))})
    assert (placed.fate, placed.near) == (Fate.CHANGED, 320)


# -- removed lines -------------------------------------------------------------------------------------------------

REMOVED = {"a.py": (OLD, with_lines({20: "", 21: "", 30: "x"}))}


def test_removed_lines_stand_while_they_are_removed(posted, place) -> None:
    known = posted(REMOVED, "a.py", 20, 21, side=Side.LEFT)
    (placed,) = place(known, {"a.py": (f"main\n{OLD}", "main\n" + with_lines({20: "", 21: "", 30: "y"}))})
    assert placed.finding is not None
    assert (placed.fate, placed.finding.anchor.start_line) == (Fate.STANDS, 21)


@pytest.mark.parametrize("edits", [{30: "x"}, {20: "", 30: "x"}], ids=["both lines are back", "one of them is back"])
def test_removed_lines_that_are_back_have_changed(posted, place, edits) -> None:
    known = posted(REMOVED, "a.py", 20, 21, side=Side.LEFT)
    (placed,) = place(known, {"a.py": (OLD, with_lines(edits))})
    assert placed.fate is Fate.CHANGED
    assert 18 <= placed.near <= 21


def test_removed_lines_that_the_base_does_not_have_any_more_are_outside(posted, place) -> None:
    known = posted(REMOVED, "a.py", 20, 21, side=Side.LEFT)
    (placed,) = place(known, {"other.py": ("x\n", "y\n")}, heads={"a.py": with_lines({20: "", 21: ""})})
    assert placed.fate is Fate.OUTSIDE


# -- equal text at several places -----------------------------------------------------------------------------------

TWINS = {"a.py": (OLD, with_lines({5: "one\nreturn None", 15: "two\nreturn None", 35: "three\nreturn None"}))}


def test_of_twins_the_one_that_was_changed_is_the_one_that_is_gone(posted, place) -> None:
    """Each has a thread; GitHub follows those whose lines are there."""
    gone, stays, other = (
        posted(TWINS, "a.py", 6),
        posted(TWINS, "a.py", 17, now=16),
        posted(TWINS, "a.py", 38, now=37),
    )
    now = {"a.py": (OLD, with_lines({5: "one", 15: "two\nreturn None", 35: "three\nreturn None"}))}
    placed = place([gone, stays, other], now)
    assert fates(placed) == [Fate.CHANGED, Fate.STANDS, Fate.STANDS]
    assert [each.finding.anchor.line for each in placed if each.finding] == [16, 37]


def test_of_twins_whose_threads_are_all_outdated_each_keeps_its_place(posted, place) -> None:
    known = [posted(TWINS, "a.py", line) for line in (6, 17, 38)]
    now = {
        "a.py": (
            f"main\n{OLD}",
            "main\n" + with_lines({5: "one\nreturn None", 15: "two\nreturn None", 35: "three\nreturn None"}),
        )
    }
    placed = place(known, now)
    assert [each.finding.anchor.line for each in placed if each.finding] == [7, 18, 39]


def test_a_twin_without_a_thread_does_not_keep_a_mended_finding_alive(posted, place) -> None:
    known = posted(TWINS, "a.py", 6)
    now = {"a.py": (OLD, with_lines({5: "one", 15: "two\nreturn None", 35: "three\nreturn None"}))}
    assert fates(place(known, now)) == [Fate.CHANGED]


def test_a_twin_that_nobody_touched_does_not_keep_a_mended_finding_alive(posted, place) -> None:
    old = with_lines({38: "return None"})
    then = {"a.py": (old, with_lines({10: "x\nreturn None\ny"}, old))}
    known = posted(then, "a.py", 11)
    assert fates(place(known, {"a.py": (old, with_lines({10: "x\ny"}, old))})) == [Fate.CHANGED]


def test_a_settled_finding_takes_no_place_from_an_open_one(posted, place) -> None:
    closed = posted(TWINS, "a.py", 6, closed=True)
    still = posted(TWINS, "a.py", 17)
    now = {"a.py": (OLD, with_lines({5: "one", 15: "two\nreturn None"}))}
    assert fates(place([closed, still], now)) == [Fate.CHANGED, Fate.STANDS]


def test_an_open_finding_takes_a_place_before_a_settled_one_that_came_first(posted, place) -> None:
    """Nothing is known of neighbours and twins, as in notes of before."""
    both = [posted(TWINS, "a.py", 6, closed=True), posted(TWINS, "a.py", 17)]
    bare = [replace(known, note=replace(known.note, twins=0, around=("", ""))) for known in both]
    now = {"a.py": (OLD, with_lines({5: "one", 15: "two\nreturn None"}))}
    assert fates(place(bare, now)) == [Fate.CHANGED, Fate.STANDS]


def test_two_threads_about_one_finding_stand_together(posted, place) -> None:
    assert fates(place([posted(THEN, "a.py", 20), posted(THEN, "a.py", 20)], THEN)) == [Fate.STANDS, Fate.STANDS]


def test_a_new_twin_above_does_not_take_a_findings_place(posted, place) -> None:
    """Identity counts twins from the top, so the new one has the old one's name; its neighbours tell them apart."""
    then = {"a.py": (OLD, with_lines({15: "two\nreturn None"}))}
    now = {"a.py": (OLD, with_lines({5: "one\nreturn None", 15: "two\nreturn None"}))}
    (placed,) = place(posted(then, "a.py", 16), now)
    assert placed.finding is not None
    assert placed.finding.anchor.line == 17


def test_two_findings_of_different_kinds_stand_on_one_line(posted, place) -> None:
    both = [posted(THEN, "a.py", 20), posted(THEN, "a.py", 20, category=Category.SECURITY)]
    assert fates(place(both, THEN)) == [Fate.STANDS, Fate.STANDS]


# -- moved to another file -------------------------------------------------------------------------------------------


def test_lines_that_vanished_here_and_newly_appeared_in_another_file_were_moved(posted, place) -> None:
    known = posted(THEN, "a.py", 20)
    now = {"a.py": (OLD, with_lines({1: "x"})), "b.py": ("b\n", "b\ndivide(total, n)\n")}
    (placed,) = place(known, now, then=THEN)
    assert (placed.fate, placed.path, placed.moved) == (Fate.STANDS, "b.py", True)


def test_a_copy_in_another_file_that_was_there_before_is_not_the_finding(posted, place) -> None:
    then = THEN | {"b.py": ("b\n", "b\ndivide(total, n)\n")}
    known = posted(then, "a.py", 20)
    now = {"a.py": (OLD, with_lines({1: "x"})), "b.py": then["b.py"]}
    assert fates(place(known, now, then=then)) == [Fate.CHANGED]


def test_lines_that_nobody_added_are_not_where_a_finding_was_moved_to(posted, place) -> None:
    known = posted({"a.py": (None, with_lines({20: "divide(total, n)"}))}, "a.py", 20)
    assert fates(place(known, {"b.py": ("divide(total, n)\nb\n", "divide(total, n)\nc\n")})) == [Fate.CHANGED]


def test_a_file_that_got_another_name_unseen_by_git_is_found_by_the_text(posted, place) -> None:
    known = posted({"a.py": (None, with_lines({20: "divide(total, n)"}))}, "a.py", 20)
    (placed,) = place(known, {"new.py": (None, with_lines({20: "divide(total, n)"}))})
    assert (placed.fate, placed.path, placed.moved) == (Fate.STANDS, "new.py", True)
    short = posted({"a.py": (None, "x\ny\n")}, "a.py", 1)
    assert fates(place(short, {"new.py": (None, "x\ny\n")})) == [Fate.CHANGED]


# -- over random changes ----------------------------------------------------------------------------------------------

POOL = ["return None", "pass", "x = 1", "divide(total, n)", "close()", "    return None"]
changes = st.dictionaries(
    st.integers(1, 40), st.lists(st.sampled_from(POOL), min_size=1, max_size=3), min_size=1, max_size=6
)


def text_of(edits: Mapping[int, list[str]], above: int = 0) -> str:
    return "main\n" * above + with_lines({at: "\n".join(lines) for at, lines in edits.items()})


@settings(derandomize=True, max_examples=50, deadline=None)
@given(then=changes, again=changes, above=st.integers(0, 5), data=st.data())
def test_what_stands_has_its_text_and_what_is_gone_has_none_of_its_own(then, again, above, data) -> None:
    """Every added line has a finding; a push changes some of them, and main grows above."""
    files = {"a.py": (OLD, text_of(then))}
    patch = made_patch(files)
    known = [a_known(patch, line.number) for hunk in patch.hunks() for line in hunk.on(Side.RIGHT) if line.kind == "+"]
    now = made_patch({"a.py": ("main\n" * above + OLD, text_of(then | again, above))})
    head = text_of(then | again, above)
    placed = place_known(known, now, {"a.py": head}.get)
    lines = [line_digest(line) for line in head.split("\n")]
    taken = [each.finding.anchor.line for each in placed if each.finding is not None]
    assert len(taken) == len(set(taken))
    for each in placed:
        (wanted,) = each.known.note.lines
        if each.finding is not None:
            assert [line_digest(text) for text in each.finding.anchor.text] == [wanted]
            assert lines[each.finding.anchor.line - 1] == wanted
        elif each.fate is Fate.CHANGED:
            # All that is left of its text belongs to others, or was never the pull's.
            assert sum(wanted == other.known.note.lines[0] for other in placed if other.finding) <= lines.count(wanted)
        assert 1 <= each.near <= len(lines)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(then=changes, above=st.integers(0, 60))
def test_a_push_that_leaves_the_lines_alone_leaves_every_finding_standing(then, above) -> None:
    """Every thread is outdated, as after a force-push; the order of equal lines is kept."""
    patch = made_patch({"a.py": (OLD, text_of(then))})
    added = [line.number for hunk in patch.hunks() for line in hunk.on(Side.RIGHT) if line.kind == "+"]
    now = made_patch({"a.py": ("main\n" * above + OLD, text_of(then, above))})
    placed = place_known([a_known(patch, number) for number in added], now, {"a.py": text_of(then, above)}.get)
    assert [each.fate for each in placed] == [Fate.STANDS] * len(added)


def made_patch(files: Mapping[str, tuple[str, str]]) -> Patch:
    out = ""
    for path, (old, new) in files.items():
        hunks = difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
        )
        out += f"diff --git a/{path} b/{path}\n" + "".join(hunks)
    return read_patch(out.encode())


def a_known(patch: Patch, line: int) -> KnownFinding:
    """An outdated thread about one line of the only file."""
    anchor = anchor_lines(patch.files[0], Side.RIGHT, line, line)
    assert isinstance(anchor, Anchor)
    finding = Finding(
        anchor=anchor,
        severity=Severity.HIGH,
        category=Category.BUG,
        title="t",
        body="b",
        suggestion=None,
        proven=False,
        votes=None,
        fingerprint=fingerprint(anchor, Category.BUG, file=patch.files[0]),
        source="model",
    )
    first = Said(id=1, login="spark[bot]", is_ours=True, is_bot=True, body="x", url="u")
    thread = Thread(
        id=ThreadId(f"T{line}"),
        path="a.py",
        side=Side.RIGHT,
        line=None,
        start_line=None,
        original_line=line,
        is_resolved=False,
        resolved_by="",
        resolved_by_us=False,
        is_outdated=True,
        comments=(first,),
    )
    return KnownFinding(note=note_of(finding, patch), thread=thread)
