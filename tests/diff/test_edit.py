"""Edits: what may be suggested, how a model's replacement is mended, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.edit import Proven, Unproven, prove, splice
from bot.diff.mend import join_lines, replacement_lines
from bot.diff.model import Anchor, HunkKey, Side

PYTHON = """import os


def f(a, b):
    if a:
        x = a + b
        return x
    for i in range(3):
        print(i)
    return None
"""
GO = "package main\n\nfunc f(a int) int {\n\tif a > 1 {\n\t\treturn a\n\t}\n\treturn 0\n}\n"
SCRIPT = "function f(a) {\n  if (a) {\n    return a;\n  }\n  return 0;\n}\n"


def at(head: str, start: int, end: int | None = None, *, path: str = "x.py", side: Side = Side.RIGHT) -> Anchor:
    end = start if end is None else end
    text = tuple(head.removesuffix("\n").split("\n")[start - 1 : end])
    return Anchor(path=path, side=side, start_line=start, line=end, hunk=HunkKey(0, 0), text=text)


def proven(head: str, anchor: Anchor, replacement: str) -> Proven:
    result = prove(head, anchor, replacement)
    assert isinstance(result, Proven), result
    assert splice(head, anchor.start_line, anchor.line, result.suggestion) == result.text
    return result


def refused(head: str, anchor: Anchor, replacement: str) -> str:
    result = prove(head, anchor, replacement)
    assert isinstance(result, Unproven), result
    return result.reason


@pytest.mark.parametrize(
    ("text", "place", "replacement", "expected"),
    [
        ("a\nb\nc\n", (2, 2), "x", "a\nx\nc\n"),
        ("a\nb\nc\n", (2, 2), "x\n", "a\nx\nc\n"),
        ("a\nb\nc\n", (1, 3), "x\ny", "x\ny\n"),
        ("a\nb\nc\n", (2, 2), "", "a\nc\n"),
        ("a\nb\nc\n", (2, 2), "\n", "a\n\nc\n"),
        ("a\nb\nc", (3, 3), "x", "a\nb\nx"),
        ("a\nb\nc", (3, 3), "x\n", "a\nb\nx"),
        ("a\nb\nc", (3, 3), "", "a\nb"),
        ("a\nb\nc", (1, 1), "x\ny", "x\ny\nb\nc"),
        ("a\r\nb\r\nc\r\n", (2, 2), "x\ny", "a\r\nx\r\ny\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", (2, 2), "x\r\ny\r\n", "a\r\nx\r\ny\r\nc\r\n"),
        ("a\r\nb", (2, 2), "x\ny", "a\r\nx\r\ny"),
        ("a\r\nb", (1, 1), "x\ny", "x\r\ny\r\nb"),
        ("a", (1, 1), "", ""),
        ("a\n", (1, 1), "", ""),
        ("a\fb\u2028c\n", (1, 1), "x", "x\n"),
    ],
)
def test_splice_replaces_exactly_its_lines(text, place, replacement, expected):
    assert splice(text, *place, replacement) == expected


@pytest.mark.parametrize("place", [(0, 1), (2, 1), (1, 4), (4, 4)])
def test_splice_refuses_lines_that_are_not_there(place):
    with pytest.raises(ValueError, match="3 lines"):
        splice("a\nb\nc\n", *place, "x")


_lines = st.lists(st.text(st.characters(exclude_characters="\n\r"), max_size=4), min_size=1, max_size=6)


@settings(derandomize=True, deadline=None)
@given(_lines, _lines, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.data())
def test_splice_touches_nothing_but_its_lines_and_keeps_the_newlines(old, new, ending, final, data):
    text = ending.join(old) + (ending if final else "")
    count = text.count("\n") + (not text.endswith("\n") and text != "")
    if not count:
        return
    start = data.draw(st.integers(1, count))
    end = data.draw(st.integers(start, count))
    edited = splice(text, start, end, join_lines(new))
    assert replacement_lines(join_lines(new)) == new
    before = text.split("\n")[: start - 1]
    after = text.split("\n")[end:]
    assert edited.split("\n")[: start - 1] == before
    assert edited.split("\n")[len(edited.split("\n")) - len(after) :] == after
    assert "\r\n" not in edited or ending == "\r\n"
    if new[-1] or end < count:
        assert edited.endswith("\n") == text.endswith("\n")


def test_a_good_replacement_is_proven_as_it_is():
    result = proven(PYTHON, at(PYTHON, 6), "        x = a - b")
    assert (result.suggestion, result.parsed) == ("        x = a - b", True)
    assert result.text == PYTHON.replace("a + b", "a - b")


def test_a_deletion_is_proven():
    assert proven(PYTHON, at(PYTHON, 6), "").text == PYTHON.replace("        x = a + b\n", "")


def test_a_deletion_that_breaks_the_syntax_is_refused():
    assert refused(PYTHON, at(PYTHON, 9), "") == "the file does not parse with it"


@pytest.mark.parametrize(
    "replacement", ["        x = a + b", "        x = a + b\n", "x = a + b", "```python\nx = a + b\n```"]
)
def test_what_changes_nothing_is_refused(replacement):
    assert refused(PYTHON, at(PYTHON, 6), replacement) == "it changes nothing"


@pytest.mark.parametrize(
    ("place", "replacement", "expected"),
    [
        # All of the indentation was lost.
        ((6, 6), "x = a - b", "        x = a - b"),
        ((6, 7), "if b:\n    x = b\nreturn a", "        if b:\n            x = b\n        return a"),
        ((6, 6), "if b:\n    x = b", "        if b:\n            x = b"),
        # The first line alone lost it.
        ((6, 7), "x = a - b\n        return x", "        x = a - b\n        return x"),
        # Too much of it.
        ((6, 6), "                x = a - b", "        x = a - b"),
        # Tabs instead of spaces.
        ((6, 6), "\t\tif b:\n\t\t\tx = b", "        if b:\n            x = b"),
        # A level that encloses the place is meant.
        ((9, 9), "        pass\n    i = 1", "        pass\n    i = 1"),
    ],
)
def test_indentation_is_mended(place, replacement, expected):
    assert proven(PYTHON, at(PYTHON, *place), replacement).suggestion == expected


def test_spaces_become_tabs_in_a_file_of_tabs():
    result = proven(GO, at(GO, 4, 6, path="x.go"), "if a > 2 {\n    if a > 3 {\n        return 3\n    }\n}")
    assert result.suggestion == "\tif a > 2 {\n\t\tif a > 3 {\n\t\t\treturn 3\n\t\t}\n\t}"


@pytest.mark.parametrize(
    "replacement",
    [
        "```suggestion\n        x = a - b\n```",
        "```python\nx = a - b\n```\n",
        "~~~~\n        x = a - b\n~~~~",
        "+R6#k3f|        x = a - b",
        " R6#k3f|        x = a - b",
        "R6#k3f|        x = a - b",
        "-L6#zzz|        x = a + b\n+R6#k3f|        x = a - b",
        "+        x = a - b",
        "-        x = a + b\n+        x = a - b",
        "```diff\n-        x = a + b\n+        x = a - b\n```",
        "        x = a - b\r\n",
    ],
)
def test_what_a_model_wraps_around_a_replacement_is_taken_off(replacement):
    assert proven(PYTHON, at(PYTHON, 6), replacement).suggestion == "        x = a - b"


def test_a_fence_that_belongs_to_the_file_stays():
    head = "text\n\n```sh\nls\n```\n"
    result = proven(head, at(head, 3, 5, path="README.md"), "```bash\nls\n```")
    assert (result.suggestion, result.parsed) == ("```bash\nls\n```", False)


def test_tags_inside_a_replacement_are_never_posted():
    assert "tags of the prompt" in refused("a\nb\n", at("a\nb\n", 1, path="x.txt"), "+R1#abc|+R1#abc|x")


def test_lines_repeated_from_around_the_place_are_trimmed():
    after = proven(PYTHON, at(PYTHON, 6), "        x = a - b\n        return x")
    assert after.suggestion == "        x = a - b"
    before = proven(PYTHON, at(PYTHON, 9), "    for i in range(3):\n        print(i + 1)")
    assert before.suggestion == "        print(i + 1)"
    short = "def f():\n    a = 1\n    return a\n"
    assert proven(short, at(short, 1), "def f() -> int:\n    a = 1").suggestion == "def f() -> int:"
    both = proven(SCRIPT, at(SCRIPT, 3, path="x.js"), "  if (a) {\n    return a + 1;\n  }\n  return 0;")
    assert both.suggestion == "    return a + 1;"


def test_a_closing_brace_that_is_needed_is_not_taken_for_a_repetition():
    replacement = "    if (a > 1) {\n      return a;\n    }"
    assert proven(SCRIPT, at(SCRIPT, 3, path="x.js"), replacement).suggestion == replacement


def test_a_line_that_code_repeats_everywhere_is_not_taken_for_a_repetition():
    head = "def f(a):\n    if a:\n        return None\n    return None\n"
    replacement = "    if a is None:\n        a = 1\n    return None"
    assert proven(head, at(head, 2, 3), replacement).suggestion == replacement


def test_a_closing_brace_too_many_is_trimmed():
    assert proven(SCRIPT, at(SCRIPT, 3, path="x.js"), "    return a + 1;\n  }").suggestion == "    return a + 1;"


def test_an_anchored_line_that_equals_its_neighbour_is_kept():
    head = "first_line()\nfirst_line()\nlast()\n"
    result = proven(head, at(head, 2), "first_line()\nsecond_line()")
    assert result.suggestion == "first_line()\nsecond_line()"


def test_new_errors_are_refused_and_old_ones_forgiven():
    assert refused(PYTHON, at(PYTHON, 6), "        x = (a - b") == "the file does not parse with it"
    broken = PYTHON + "\n\ndef g(:\n    pass\n"
    assert proven(broken, at(broken, 6), "        x = a - b").parsed


@pytest.mark.parametrize("replacement", ["        if a:\n        x = 1", "        x = 1\n      y = 2"])
def test_indentation_that_python_refuses_is_refused(replacement):
    assert refused(PYTHON, at(PYTHON, 6), replacement) == "the file does not parse with it"


def test_a_language_without_grammar_is_applied_and_says_so():
    head = "a ((\nb\n"
    result = proven(head, at(head, 2, path="notes.unknown"), "c")
    assert (result.text, result.parsed) == ("a ((\nc\n", False)


def test_a_removed_line_takes_no_suggestion():
    assert "removed line" in refused(PYTHON, at(PYTHON, 6, side=Side.LEFT), "x")


def test_a_file_that_has_other_lines_than_the_diff_is_refused():
    moved = at(PYTHON, 6)
    assert refused("\n" + PYTHON, moved, "        x = 1") == "the lines of the file are not those of the diff"
    assert refused("a\n", at(PYTHON, 6), "x") == "the lines of the file are not those of the diff"
    assert refused("", at("", 1), "x") == "the file is empty"


@pytest.mark.parametrize("line", ["\udcff", "\ufffd", "a\x0cb", "a\rb", "\x1b[31m", "x" * 2_001])  # noqa: PT014 - it sees no difference in surrogates
def test_a_line_that_cannot_be_carried_in_a_comment_is_refused(line):
    head = f"one\n{line}\nthree\n"
    assert "its lines" in refused(head, at(head, 2, path="x.txt"), "two") or len(line) > 2_000
    assert isinstance(prove(head, at(head, 1, path="x.txt"), "two"), Proven)


@pytest.mark.parametrize("replacement", ["\udcff", "\ud800", "\ufffd", "a\0b", "a\x0cb", "a\rb", "\x1b[31m"])  # noqa: PT014 - as above
def test_a_replacement_that_cannot_be_committed_is_refused(replacement):
    assert "cannot be committed" in refused(PYTHON, at(PYTHON, 6), replacement)


def test_mixed_line_endings_are_refused():
    head = "a\r\nb\nc\r\n"
    assert "mixes" in refused(head, at(head, 1, path="x.txt"), "x")


def test_crlf_is_kept_and_not_suggested():
    head = PYTHON.replace("\n", "\r\n")
    result = proven(head, at(head, 6), "        x = a - b\n        y = 1")
    assert result.suggestion == "        x = a - b\n        y = 1"
    assert result.text == head.replace("x = a + b\r\n", "x = a - b\r\n        y = 1\r\n")


def test_a_diff_translated_to_crlf_still_proves_on_the_file():
    anchor = at(PYTHON.replace("\n", "\r\n"), 6)
    assert anchor.text[0].endswith("\r")
    assert proven(PYTHON, anchor, "        x = a - b").text == PYTHON.replace("a + b", "a - b")


def test_the_newline_at_the_end_of_the_file_cannot_be_suggested():
    head = "a\nb"
    assert "newline of the line before" in refused(head, at(head, 2, path="x.txt"), "")
    assert "newline at the end" in refused(head, at(head, 2, path="x.txt"), "b\n\n")
    assert refused(head, at(head, 2, path="x.txt"), "b\n") == "it changes nothing"


def test_one_empty_line_is_a_newline_and_not_a_deletion():
    result = proven(PYTHON, at(PYTHON, 1), "\n")
    assert result.suggestion == "\n"
    assert result.text.startswith("\n\n\ndef")


def test_a_blank_line_does_not_tell_how_its_replacement_is_indented():
    head = "def f():\n    a = 1\n\n    return a\n"
    assert proven(head, at(head, 3), "    a = 2").suggestion == "    a = 2"


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.integers(1, 10),
    st.integers(0, 3),
    st.text(st.sampled_from(list(" \t\n`+-|#(){}:=abRL1x")), max_size=40),
)
def test_whatever_is_proven_changes_the_anchored_lines_and_no_others(start, more, replacement):
    end = min(10, start + more)
    result = prove(PYTHON, at(PYTHON, start, end), replacement)
    if isinstance(result, Unproven):
        assert result.reason
        return
    lines = PYTHON.split("\n")
    edited = result.text.split("\n")
    assert edited[: start - 1] == lines[: start - 1]
    assert edited[len(edited) - len(lines[end:]) :] == lines[end:]
    assert result.text != PYTHON
    assert result.text.endswith("\n") or result.text == ""
