from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.action.files import (
    OUTPUTS_LIMIT,
    SUMMARY_LIMIT,
    cut_markdown,
    fitted,
    outputs_text,
    write_outputs,
    write_summary,
)

Reads = Callable[[str], dict[str, str]]

QUICK = settings(max_examples=120, deadline=None, derandomize=True)
NAMES = st.sampled_from(["verdict", "reason", "findings", "usd"])
VALUES = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
        st.sampled_from(["\n", "\r\n", "=", "<<", "reason=x\n", "reason<<EOF\n", "EOF\n", "spark_", "%", "::"]),
    ),
    max_size=6,
).map("".join)


@QUICK
@given(st.dictionaries(NAMES, VALUES))
def test_what_is_written_is_read_back_value_for_value(outputs_file: Reads, values: dict[str, str]) -> None:
    assert outputs_file(outputs_text(values)) == values


def test_a_delimiter_that_is_in_a_value_is_not_used(monkeypatch: pytest.MonkeyPatch, outputs_file: Reads) -> None:
    drawn = iter(["aa", "bb"])
    monkeypatch.setattr("bot.action.files.secrets.token_hex", lambda size: next(drawn))
    values = {"reason": "x\nspark_aa\nverdict=pass"}
    text = outputs_text(values)
    assert text.startswith("reason<<spark_bb\n")
    assert outputs_file(text) == values


@QUICK
@given(st.dictionaries(NAMES, st.text(max_size=60)), st.integers(0, 150))
def test_values_fit_whatever_they_are_and_short_ones_stay_whole(values: dict[str, str], limit: int) -> None:
    out = fitted(values, limit)
    assert list(out) == list(values)
    whole = "".join(out.values())
    assert len(whole.encode("utf-8", "replace")) <= limit
    assert len(whole.encode("utf-16-le", "replace")) <= limit
    share = limit // max(1, len(values))
    for name, value in values.items():
        if 4 * len(value) <= share:
            assert out[name] == value
        elif out[name] not in {value, ""}:
            assert out[name].endswith(f"… (cut, of {len(value)} characters)")


def test_a_long_output_is_cut_with_a_word_and_the_others_are_not(tmp_path: Path, outputs_file: Reads) -> None:
    file = tmp_path / "outputs"
    file.write_text("earlier=1")
    assert write_outputs(str(file), {"reason": "日本" * 600_000, "verdict": "fail"}) == ""
    values = outputs_file(file.read_text(encoding="utf-8"))
    assert (values["earlier"], values["verdict"]) == ("1", "fail")
    assert values["reason"].endswith("日… (cut, of 1,200,000 characters)")
    assert 0.9 * OUTPUTS_LIMIT < file.stat().st_size <= OUTPUTS_LIMIT


def test_a_value_that_is_not_utf_8_is_written_as_far_as_it_can_be_shown(tmp_path: Path, outputs_file: Reads) -> None:
    file = tmp_path / "outputs"
    assert write_outputs(str(file), {"reason": "a\udcffb\ud800"}) == ""
    assert outputs_file(file.read_text(encoding="utf-8")) == {"reason": "a\ufffdb\ufffd"}


PARTS = st.lists(
    st.sampled_from(
        ["text\n", "日本語のテキスト\n", "\n", "```py\n", "````\n", "```\n", "<details><summary>x</summary>\n", "</details>\n",
         "<details open><summary>y</summary>\n", "a line without an end"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@QUICK
@given(PARTS, st.integers(0, 600))
def test_a_page_is_never_larger_than_the_limit_and_says_when_it_is_cut(text: str, limit: int) -> None:
    cut = cut_markdown(text, limit)
    assert len(cut.encode()) <= limit
    whole = text if text.endswith("\n") else f"{text}\n"
    if len(whole.encode()) <= limit:
        assert cut == whole
    elif cut:
        kept, _, sentence = cut.rpartition("**Cut here:** ")
        assert sentence.endswith(" lines are not shown, for GitHub takes no larger summary of a step.\n")
        left_out = int(sentence.split()[0])
        lines = whole.count("\n")
        head = whole.split("\n")[: lines - left_out]
        assert kept.split("\n")[: len(head)] == head
    else:
        assert limit < 260


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("```py\nx = 1\n" + "y\n" * 200, "```"),
        ("````py\n```\n" + "y\n" * 200, "````"),
        ("<details><summary>a</summary>\n\n" + "y\n" * 200, "</details>"),
        ("<details open><summary>a</summary>\n\n```\n</details>\n" + "y\n" * 200, "```\n\n</details>"),
    ],
)
def test_what_is_open_where_a_page_is_cut_is_closed_before_the_sentence(text: str, closed: str) -> None:
    cut = cut_markdown(text, 300)
    before = cut[: cut.index("**Cut here:**")]
    assert before.rstrip().endswith(f"\n{closed}")


def test_a_summary_is_cut_to_what_earlier_text_of_the_step_leaves(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_bytes(b"x" * 400_000)
    assert write_summary(str(file), "## ä\n" * 300_000) == ""
    text = file.read_text(encoding="utf-8")
    assert SUMMARY_LIMIT - 100 < file.stat().st_size <= SUMMARY_LIMIT
    assert text.startswith("x" * 400_000 + "\n## ä\n")
    assert "lines are not shown" in text.splitlines()[-1]


def test_a_summary_without_room_is_said_and_not_written(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_bytes(b"x" * (SUMMARY_LIMIT - 10))
    assert write_summary(str(file), "## a page\n") == (
        "the summary was not written: 1,048,566 bytes of other text leave no room for it"
    )
    assert file.stat().st_size == SUMMARY_LIMIT - 10


@pytest.mark.parametrize("path", [None, ""])
def test_outside_of_actions_nothing_is_written_and_that_is_said(path: str | None) -> None:
    assert write_outputs(path, {"verdict": "pass"}) == "GITHUB_OUTPUT names no file, so the outputs were not written"
    assert write_summary(path, "x") == "GITHUB_STEP_SUMMARY names no file, so the summary was not written"


def test_a_file_that_cannot_be_written_is_said_with_its_reason(tmp_path: Path) -> None:
    there = str(tmp_path / "no" / "such" / "folder")
    assert write_outputs(there, {"verdict": "pass"}) == "the outputs were not written: No such file or directory"
    assert write_summary(there, "x") == "the summary was not written: No such file or directory"
    assert write_summary(str(tmp_path), "x") == "the summary was not written: Is a directory"
