from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.action.commands import MAX_MESSAGE, MAX_TITLE, Level, Quiet, annotation, command, plain_line, write
from bot.diff.model import printable
from bot.review.render.safe import clean

Reads = Callable[[str], list[Any]]

HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(
            ["::", "::error::x", "::warning file=a,line=1::", "::stop-commands::t", "##[error]", "##[", "]", "%0A", "%", ",",
             "\n", "\r", "\r\n", "\x85", "\u2028", "\u200b", "\ufeff", "\t", " ", "=", ":", "::add-mask::e", "\ud800", "\x1b[31m"]
        ),
    ),
    max_size=8,
).map("".join)  # fmt: skip
"""Text with pieces of commands in every order."""

QUICK = settings(max_examples=150, deadline=None, derandomize=True)


def printable_log(text: str) -> str:
    """As bytes in a pipe: no lone surrogate comes through."""
    return text.encode("utf-8", "replace").decode()


@QUICK
@given(said=st.lists(HOSTILE, max_size=5), inside=st.lists(HOSTILE, max_size=5))
def test_nothing_that_is_printed_inside_is_a_command_and_what_comes_after_it_is(
    runner_reads: Reads, said: list[str], inside: list[str]
) -> None:
    out = io.StringIO()
    with Quiet(out) as quiet:
        for text in inside:
            out.write(printable_log(text))  # Past us, as a library would, and without a line's end.
        for text in said:
            quiet.line(text)
            out.write(printable_log(text))
    write(out, f"{annotation(Level.NOTICE, 'after it')}\n")
    assert [(one.name, one.data) for one in runner_reads(out.getvalue())] == [("notice", "after it")]


@QUICK
@given(HOSTILE)
def test_a_plain_line_is_one_line_and_no_command_even_where_commands_are_obeyed(runner_reads: Reads, text: str) -> None:
    line = plain_line(text)
    assert runner_reads(f"{line}\n") == []
    assert len(line.splitlines()) <= 1
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in line)
    assert len(line) <= 2_000


def test_the_reader_of_these_tests_obeys_what_a_runner_would(runner_reads: Reads) -> None:
    # Without this the tests above would pass with a reader that sees nothing.
    log = (
        "  ::error file=a%2Cb.py,line=3::one%0Atwo\r"
        "text ##[warning]old form\n"
        "\u200b::notice::hidden\n"
        "text ::error::not at the start\n"
        "::unknown::x\n"
        "::stop-commands::word\n::error::inert\n##[error]inert\n::WORD::\n::debug::%250A\n"
    )
    assert [(one.name, dict(one.properties), one.data) for one in runner_reads(log)] == [
        ("error", {"file": "a,b.py", "line": "3"}, "one\ntwo"),
        ("warning", {}, "old form"),
        ("notice", {}, "hidden"),
        ("debug", {}, "%0A"),
    ]
    with pytest.raises(AssertionError, match="never resumed"):
        runner_reads("::stop-commands::word\n")


def test_commands_are_obeyed_again_where_the_inside_ends_in_an_error(runner_reads: Reads) -> None:
    out = io.StringIO()

    def breaks() -> None:
        with Quiet(out) as quiet:
            quiet.line("::error::inert")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    write(out, f"{command('error', 'it broke')}\n")
    assert [one.data for one in runner_reads(out.getvalue())] == ["it broke"]


def test_the_word_that_ends_it_is_new_each_time_and_cannot_be_guessed() -> None:
    words = set()
    for _ in range(5):
        out = io.StringIO()
        with Quiet(out):
            pass
        word = out.getvalue().splitlines()[0].removeprefix("::stop-commands::")
        assert len(word) == 32
        words.add(word)
    assert len(words) == 5


def test_one_inside_of_another_changes_nothing(runner_reads: Reads) -> None:
    out = io.StringIO()
    with Quiet(out):
        with Quiet(out):
            write(out, "::error::inert\n")
        write(out, "::error::inert still\n")
    assert runner_reads(out.getvalue()) == []


@QUICK
@given(
    message=HOSTILE,
    path=HOSTILE,
    title=HOSTILE,
    line=st.integers(-2, 9) | st.none(),
    end=st.integers(-2, 9) | st.none(),
)
def test_an_annotation_is_read_back_as_exactly_one_with_its_values(
    runner_reads: Reads, message: str, path: str, title: str, line: int | None, end: int | None
) -> None:
    text = annotation(Level.WARNING, message, path=path, line=line, end_line=end, title=title)
    (one,) = runner_reads(f"{text}\n")
    assert one.name == "warning"
    shown = " ".join(clean(title).split())
    assert one.data == (printable(message.strip()) or shown or "(no text)")
    assert one.properties.get("title", "") == shown
    file, wanted = one.properties.get("file", ""), printable(path)
    assert file == wanted if len(one.properties) > 1 else file.rstrip() == wanted.rstrip()
    assert int(one.properties.get("line", 1)) <= int(one.properties.get("endLine", 9))
    assert set(one.properties) <= {"file", "line", "endLine", "title"}
    assert bool(path and line is not None) == ("line" in one.properties)


def test_what_is_too_long_is_cut_with_a_sign_and_counted_as_the_runner_counts(runner_reads: Reads) -> None:
    (one,) = runner_reads(annotation(Level.ERROR, "🚀" * 5_000, title="ä" * 300))
    assert len(one.data.encode("utf-16-le")) // 2 <= MAX_MESSAGE
    assert one.data.endswith("🚀 …")
    assert len(one.properties["title"]) == MAX_TITLE
    assert one.properties["title"].endswith("ä …")


@pytest.mark.parametrize(("end", "told"), [(None, True), (3, True), (4, False)])
def test_a_column_is_told_of_a_single_line_alone(runner_reads: Reads, end: int | None, told: bool) -> None:
    (one,) = runner_reads(annotation(Level.ERROR, "x", path="a", line=3, end_line=end, col=7))
    assert ("col" in one.properties) is told


def test_a_name_that_is_not_ours_is_no_command() -> None:
    with pytest.raises(ValueError, match="no workflow command"):
        command("error::x")
    with pytest.raises(ValueError, match="no workflow command"):
        command("error", "x", **{"file=a,line": "1"})


def test_an_output_without_utf_8_gets_every_line() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="cp1252")
    with Quiet(out) as quiet:
        quiet.line("日本 costs 3 €")
    assert "?? costs 3 €" in raw.getvalue().decode("cp1252").splitlines()
