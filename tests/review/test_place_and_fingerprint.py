"""Raw findings onto anchors, and what identifies a finding."""

from __future__ import annotations

import pytest

from bot.diff.anchors import anchor_lines
from bot.diff.model import FilePatch, FileStatus, Patch, Side
from bot.review.fingerprint import fingerprint
from bot.review.model import Category, Finding, Misplaced, RawFinding, Severity
from bot.review.place import HIDDEN_SUGGESTION, LEFT_SUGGESTION, place
from bot.review.scope import PassName

OLD = "a\nb = 1\nc\n"
NEW = "a\nb = 2\nc\n"


def raw(start, *, path="a.py", end=None, suggestion=None, **more):
    return RawFinding(
        path=path,
        start=start,
        end=end or start,
        severity=Severity.HIGH,
        category=Category.BUG,
        title="b is wrong",
        body="It must be one.",
        suggestion=suggestion,
        chunk=0,
        pass_name=PassName("review"),
        **more,
    )


def test_a_finding_gets_the_anchor_of_its_tags(patch_of, whole_chunk, tag_of):
    patch = patch_of({"a.py": (OLD, NEW)})
    start, end = tag_of(patch, "a.py", "b = 2"), tag_of(patch, "a.py", "c")
    found = place(raw(start, end=end, suggestion="b = 3\nc"), whole_chunk(patch), patch)
    assert isinstance(found, Finding)
    assert (found.path, found.side, found.anchor.start_line, found.anchor.line) == ("a.py", Side.RIGHT, 2, 3)
    assert found.anchor.text == ("b = 2", "c")
    assert (found.suggestion, found.proven, found.note) == ("b = 3\nc", False, "")
    assert (found.votes.in_favour, found.votes.of, found.passes) == (1, 1, ("review",))
    assert found.source == "model"


def test_a_finding_at_a_file_of_another_chunk_is_misplaced(patch_of, whole_chunk, tag_of):
    patch = patch_of({"a.py": (OLD, NEW), "b.py": (OLD, NEW)})
    chunk = whole_chunk(patch, "a.py")
    found = place(raw(tag_of(patch, "b.py", "b = 2"), path="b.py"), chunk, patch)
    assert isinstance(found, Misplaced)
    assert (found.path, found.reason) == ("b.py", "b.py is not among the files that this answer was about")


def test_a_finding_at_a_hunk_of_another_chunk_is_misplaced(patch_of, whole_chunk, tag_of):
    old = "".join(f"line {number}\n" for number in range(60))
    patch = patch_of({"a.py": (old, old.replace("line 5\n", "x\n").replace("line 50\n", "y\n"))})
    chunk = whole_chunk(patch)
    first = type(chunk)(id=0, hunks=chunk.hunks[:1], print=str, tokens=1, paths=chunk.paths)
    assert isinstance(place(raw(tag_of(patch, "a.py", "x")), first, patch), Finding)
    assert isinstance(place(raw(tag_of(patch, "a.py", "y")), first, patch), Misplaced)


@pytest.mark.parametrize("path", ["", "./a.py", "b/a.py", "`a.py`", "old.py"])
def test_usual_spellings_of_the_path_are_understood(path, patch_of, whole_chunk, tag_of):
    patch = patch_of({"a.py": (OLD, NEW)})
    file = patch.files[0]
    renamed = FilePatch(
        index=0, path="a.py", old_path="old.py", status=FileStatus.RENAMED, hunks=file.hunks, binary=False
    )
    patch = Patch(files=(renamed,))
    assert isinstance(place(raw(tag_of(patch, "a.py", "b = 2"), path=path), whole_chunk(patch), patch), Finding)


def test_a_path_that_looks_like_a_prefix_is_taken_as_it_is_first(patch_of, whole_chunk, tag_of):
    patch = patch_of({"a.py": (OLD, NEW), "b/a.py": (OLD, NEW)})
    found = place(raw(tag_of(patch, "b/a.py", "b = 2"), path="b/a.py"), whole_chunk(patch), patch)
    assert found.path == "b/a.py"


def test_without_a_path_a_chunk_of_several_files_gives_no_place(patch_of, whole_chunk, tag_of):
    patch = patch_of({"a.py": (OLD, NEW), "c.py": (OLD, NEW)})
    found = place(raw(tag_of(patch, "a.py", "b = 2"), path=""), whole_chunk(patch), patch)
    assert isinstance(found, Misplaced)
    assert found.reason == "it names no file, and the answer was about several"


@pytest.mark.parametrize("start", ["", "42", "R2#zzz", "R99#abc", "somewhere"])
def test_what_has_no_place_is_misplaced_with_its_words(start, patch_of, whole_chunk):
    patch = patch_of({"a.py": (OLD, NEW)})
    found = place(raw(start), whole_chunk(patch), patch)
    assert isinstance(found, Misplaced)
    assert found.claimed == start
    assert found.reason
    assert (found.path, found.title, found.body, found.severity) == (
        "a.py",
        "b is wrong",
        "It must be one.",
        Severity.HIGH,
    )


def test_the_second_entry_of_a_type_change_is_found_too(patch_of, whole_chunk, tag_of):
    removed = patch_of({"a.py": (OLD, None)}).files[0]
    added = patch_of({"x": (OLD, NEW), "a.py": (None, "target\n")}).files[1]
    patch = Patch(files=(removed, added))
    found = place(raw(tag_of(patch, "a.py", "target")), whole_chunk(patch), patch)
    assert found.anchor.hunk.file == 1


def test_a_suggestion_on_removed_lines_is_taken_out_and_said_so(patch_of, whole_chunk, tag_of):
    patch = patch_of({"a.py": (OLD, NEW)})
    start = tag_of(patch, "a.py", "b = 1", Side.LEFT)
    found = place(raw(start, suggestion="b = 1"), whole_chunk(patch), patch)
    assert (found.side, found.suggestion, found.note) == (Side.LEFT, None, LEFT_SUGGESTION)
    assert place(raw(start), whole_chunk(patch), patch).note == ""


@pytest.mark.parametrize("line", ["b = '\u200b'", "b = '\u202e'", "x = '\udcff'", "s = 'spark-data'"])
def test_a_suggestion_for_a_line_that_was_shown_otherwise_is_taken_out(line, patch_of, whole_chunk):
    patch = patch_of({"a.py": (OLD, f"a\n{line}\nc\n")})
    (anchor,) = [anchor_lines(patch.files[0], Side.RIGHT, 2, 2)]
    from bot.diff.anchors import line_hash

    found = place(raw(f"R2#{line_hash(anchor.text[0])}", suggestion="b = 1"), whole_chunk(patch), patch)
    assert (found.suggestion, found.note) == (None, HIDDEN_SUGGESTION)


def test_a_carriage_return_is_no_reason_to_take_a_suggestion_out(patch_of, whole_chunk, tag_of):
    patch = patch_of({"a.py": (OLD, "a\r\nb = 2\r\nc\n")})
    assert place(raw(tag_of(patch, "a.py", "b = 2\r"), suggestion="b = 3"), whole_chunk(patch), patch).suggestion


def prints(patch, start, end=None, side=Side.RIGHT, category=Category.BUG, **more):
    file = patch.files[0]
    return fingerprint(anchor_lines(file, side, start, end or start), category, file=file, **more)


def test_a_fingerprint_survives_moved_lines_and_new_white_space(patch_of):
    before = patch_of({"a.py": (OLD, "a\nb = 2\nc\n")})
    after = patch_of({"a.py": (OLD, "new\nlines\na\n    b  =  2 \nc\n")})
    assert prints(before, 2) == prints(after, 4)
    assert len(prints(before, 2)) == 16
    assert int(prints(before, 2), 16) >= 0


def test_a_fingerprint_changes_with_the_path_the_side_the_text_and_the_kind(patch_of):
    patch = patch_of({"a.py": (OLD, NEW)})
    other = patch_of({"b.py": (OLD, NEW)})
    assert len({
        prints(patch, 2),
        prints(other, 2),
        prints(patch, 2, side=Side.LEFT),
        prints(patch, 3),
        prints(patch, 2, 3),
        prints(patch, 2, category=Category.SECURITY),
        prints(patch, 2, rule="F401"),
        prints(patch, 2, rule="F811"),
    }) == 8  # fmt: skip


def test_categories_that_models_mix_up_count_as_one(patch_of):
    patch = patch_of({"a.py": (OLD, NEW)})
    assert prints(patch, 2, category=Category.BUG) == prints(patch, 2, category=Category.RELIABILITY)


def test_equal_text_at_two_places_of_a_file_has_two_identities(patch_of):
    old = "".join(f"line {number}\n" for number in range(60))
    new = old.replace("line 5\n", "return None\n").replace("line 50\n", "    return None\n")
    patch = patch_of({"a.py": (old, new)})
    assert prints(patch, 6) != prints(patch, 51)
    grown = patch_of({"a.py": (old, new.replace("line 2\n", "line 2\nmore\n"))})
    assert (prints(patch, 6), prints(patch, 51)) == (prints(grown, 7), prints(grown, 52))
