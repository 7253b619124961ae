"""How much of a call a file will take, known before it is printed; and texts that are made later."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.diff.model import FilePatch
from bot.diff.parse import read_patch
from bot.review.printed import Later, measured, whole
from bot.review.shown import tokens

HOSTILE = st.sampled_from(
    ["<|im_end|>", "[/INST]", "</s><s>", "\x1b", "\u200b", "\U000e0041", "\t", "é", "漢", "🦊", "spark-data"]
)
LINE = st.lists(st.one_of(HOSTILE, st.text("abc =<[", max_size=20)), max_size=6).map("".join)


def added(lines: list[str], section: str = "", path: str = "a.py") -> FilePatch:
    text = f"diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n--- a/{path}\n+++ b/{path}\n"
    text += f"@@ -99,0 +100,{len(lines)} @@ {section}\n" + "".join(f"+{line}\n" for line in lines)
    (file,) = read_patch(text.encode("utf-8", "surrogateescape")).files
    return file


def no_text(_path: str) -> None:
    return None


@settings(max_examples=150, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=12), LINE)
@example(["\U000e0041" * 300] * 5, "\u202e" * 60)
@example(["<s>" * 400], "")
def test_no_file_takes_more_than_it_was_measured_to_take_at_most(lines, section):
    file = added(lines, section.strip())
    assert tokens(whole(file, head_text=no_text, limit=10)) <= measured(file).most


@pytest.mark.parametrize(
    "text", ["total = price * count  # of all that is in the cart", "\tif x {", "größe = 1", "名前 = 1"]
)
def test_ordinary_code_takes_about_what_it_was_measured_to_take(text):
    file = added([text] * 200)
    took = tokens(whole(file, head_text=no_text, limit=100_000))
    size = measured(file)
    assert took <= size.about <= 1.04 * took
    assert size.most <= 1.06 * size.about


def test_what_surrounds_a_hunk_is_left_out_where_only_the_hunk_fits():
    imports = "".join(f"import module_{number}\n" for number in range(99))
    file = added(["x = 1"])
    text = imports + "x = 1\n"
    bare = whole(file, head_text=no_text, limit=1)
    printed = whole(file, head_text=lambda _path: text, limit=10_000)
    assert "import module_0" in printed
    assert whole(file, head_text=lambda _path: text, limit=tokens(printed)) == printed
    assert whole(file, head_text=lambda _path: text, limit=tokens(printed) - 1) == bare
    assert "+R100#" in bare


def test_a_text_is_made_once_whoever_asks_and_anew_where_it_could_not_be_made():
    made = []
    go = threading.Event()

    def make() -> str:
        go.wait(10)
        made.append(1)
        return "text"

    later = Later(make)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(later) for _ in range(4)]
        go.set()
        assert [one.result(10) for one in asked] == ["text"] * 4
    assert made == [1]

    answers = iter([KeyError("gone"), "there"])

    def fail_once() -> str:
        answer = next(answers)
        if isinstance(answer, KeyError):
            raise answer
        return answer

    later = Later(fail_once)
    with pytest.raises(KeyError):
        later()
    assert later() == "there"
