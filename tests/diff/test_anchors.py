"""Tags: shown, read back, forgiven where exactly one line can be meant, refused everywhere else."""

from __future__ import annotations

import pytest

from bot.diff.anchors import LONG_LINE, Unresolved, anchor_lines, line_hash, parse_tag, resolve, show, tag
from bot.diff.model import Anchor, HunkKey, Side
from bot.diff.parse import read_patch

DIFF = """diff --git a/old.py b/new.py
similarity index 60%
rename from old.py
rename to new.py
index 1111111..2222222 100644
--- a/old.py
+++ b/new.py
@@ -10,7 +10,7 @@ def f():
 same
-gone one
-gone two
+came one
+came two
+came three
 middle
-gone three
 twin
 twin
@@ -40,2 +40,3 @@
 other
+came one
 end
"""


@pytest.fixture
def file():
    return read_patch(DIFF.encode()).files[0]


def name(side: str, number: int, text: str) -> str:
    return f"{side}{number}#{line_hash(text)}"


def reason(found):
    assert isinstance(found, Unresolved)
    return found.reason


def test_lines_are_shown_with_diff_character_tag_and_code(file):
    shown = show(file.hunks[1])
    assert shown == (
        f" R40#{line_hash('other')}|other",
        f"+R41#{line_hash('came one')}|came one",
        f" R42#{line_hash('end')}|end",
    )
    assert show(file.hunks[0])[1] == f"-L11#{line_hash('gone one')}|gone one"


def test_a_hash_is_three_characters_that_trailing_space_does_not_change():
    assert line_hash("    return x") == line_hash("    return x  \r")
    assert line_hash("    return x") != line_hash("return x")
    hashes = {line_hash(f"line {number}") for number in range(2_000)}
    assert len(hashes) > 1_900
    assert all(len(one) == 3 and one.isalnum() and one == one.lower() for one in hashes)


def test_what_cannot_be_seen_is_shown_as_a_stand_in():
    data = "--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+\ta\x0cb\u2028c\u202ed\r".encode() + b"\xff\r\n"
    (text,) = show(read_patch(data).files[0].hunks[0])
    assert text.partition("|")[2] == "\ta␌b␤c<U+202E>d␍\ufffd"


def test_only_a_very_long_line_is_shortened_and_says_so():
    for length in (LONG_LINE, LONG_LINE + 1):
        (text,) = show(read_patch(f"--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+{'x' * length}\n".encode()).files[0].hunks[0])
        assert ("characters not shown" in text) == (length > LONG_LINE)
        assert text.count("x") == (length if length == LONG_LINE else 1_700)


@pytest.mark.parametrize(
    "written",
    [
        "R42#k3f",
        "r42#K3F",
        " R42#k3f ",
        "+R42#k3f",
        "+R42#k3f|    return x",
        " R42 # k3f | a|b",
        "R42#k3f|",
        "-R42#k3f|x\ny",
    ],
)
def test_a_tag_is_read_however_it_was_copied(written):
    found = parse_tag(written)
    assert found is not None
    assert (found.side, found.number, found.hash) == (Side.RIGHT, 42, "k3f")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "42",
        "R42",
        "R42#",
        "R42#k3",
        "R42#k3ff",
        "X42#k3f",
        "R#k3f",
        "return x",
        "R42#k3f R43#k3f",
        "R9999999999#k3f",
    ],
)
def test_what_is_no_tag_is_none(written):
    assert parse_tag(written) is None


def test_letters_that_look_like_digits_are_read_as_digits():
    assert parse_tag("L7#oIl") == parse_tag("L7#011")


def test_a_right_hash_gives_the_line(file):
    found = resolve(file, name("R", 12, "came two"), name("R", 12, "came two"))
    assert found == Anchor(
        path="new.py", side=Side.RIGHT, start_line=12, line=12, hunk=HunkKey(0, 0), text=("came two",)
    )


def test_a_range_holds_every_line_of_its_side(file):
    found = resolve(file, name("R", 10, "same"), name("R", 14, "middle"))
    assert isinstance(found, Anchor)
    assert found.text == ("same", "came one", "came two", "came three", "middle")


def test_reversed_ends_are_swapped(file):
    forward = resolve(file, name("R", 11, "came one"), name("R", 13, "came three"))
    assert resolve(file, name("R", 13, "came three"), name("R", 11, "came one")) == forward


def test_a_wrong_number_is_mended_by_a_hash_that_one_line_of_the_hunk_has(file):
    found = resolve(file, name("R", 11, "came three"), name("R", 11, "came three"))
    assert isinstance(found, Anchor)
    assert (found.start_line, found.text) == (13, ("came three",))


def test_a_hash_that_only_another_hunk_has_is_not_followed(file):
    assert "no line of its hunk" in reason(resolve(file, name("R", 11, "end"), name("R", 11, "end")))


def test_a_hash_that_two_lines_have_is_not_followed(file):
    assert "2 lines of its hunk" in reason(resolve(file, name("R", 11, "twin"), name("R", 11, "twin")))


def test_a_hash_of_the_other_side_is_not_followed(file):
    assert "no line of its hunk" in reason(resolve(file, name("R", 11, "gone one"), name("R", 11, "gone one")))


def test_a_number_outside_every_hunk_is_refused_even_with_a_hash_that_exists(file):
    assert (
        reason(resolve(file, name("R", 30, "came two"), name("R", 30, "came two"))) == "line 30 is not part of the diff"
    )
    assert "old line 45" in reason(resolve(file, name("L", 45, "gone one"), name("L", 45, "gone one")))


def test_a_removed_line_is_on_the_left(file):
    found = resolve(file, name("L", 11, "gone one"), name("L", 12, "gone two"))
    assert isinstance(found, Anchor)
    assert (found.side, found.start_line, found.line, found.text) == (Side.LEFT, 11, 12, ("gone one", "gone two"))


def test_a_left_range_over_a_context_line_is_refused(file):
    assert "were removed" in reason(resolve(file, name("L", 12, "gone two"), name("L", 14, "gone three")))
    assert "were removed" in reason(anchor_lines(file, Side.LEFT, 11, 14))


def test_a_context_line_cannot_be_named_on_the_left(file):
    assert "was not removed" in reason(resolve(file, name("L", 13, "middle"), name("L", 13, "middle")))


def test_two_sides_or_two_hunks_are_refused(file):
    assert "one side" in reason(resolve(file, name("L", 11, "gone one"), name("R", 11, "came one")))
    assert "one hunk" in reason(resolve(file, name("R", 16, "twin"), name("R", 40, "other")))
    assert "one hunk" in reason(anchor_lines(file, Side.RIGHT, 16, 40))


def test_a_hunk_that_was_not_shown_is_refused(file):
    place = name("R", 41, "came one")
    assert isinstance(resolve(file, place, place, hunks={HunkKey(0, 1)}), Anchor)
    assert "was not part of what was shown" in reason(resolve(file, place, place, hunks={HunkKey(0, 0)}))
    assert isinstance(resolve(file, place, place, hunks=()), Unresolved)


def test_quoted_code_or_a_bare_number_is_refused(file):
    for written in ("came one", "R11", "11"):
        found = resolve(file, written, written)
        assert "not a tag" in reason(found)
        assert found.claimed == written


def test_lines_by_number_give_the_same_anchor(file):
    assert anchor_lines(file, Side.RIGHT, 13, 11) == resolve(
        file, name("R", 11, "came one"), name("R", 13, "came three")
    )
    assert reason(anchor_lines(file, Side.RIGHT, 9, 10)) == "line 9 is not part of the diff"
    assert "one hunk" in reason(anchor_lines(file, Side.RIGHT, 16, 20))


def test_the_tags_of_a_file_are_all_different(file):
    tags = [tag(line) for hunk in file.hunks for line in hunk.lines]
    assert len(set(tags)) == len(tags)
