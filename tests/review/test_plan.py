"""The plan: every line of every kept hunk is shown to some call, and what is not is named."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.anchors import tag
from bot.diff.model import Patch
from bot.review.model import Change
from bot.review.plan import PlanBudget, make_plan
from bot.review.printed import LINE_CAP, OVERLAP
from bot.review.scope import Skip, SkipReason
from bot.review.shown import tokens

WORDS = "def total(items): # sums"


def code(lines, name="f"):
    return "".join(f"{name}_{number} = {number}  # {WORDS}\n" for number in range(lines))


def planned(patch: Patch, heads=None, *, gaps=(), skipped=(), **budget):
    change = Change(patch=patch, base="a", head="b", gaps=tuple(gaps))
    heads = heads or {}
    return make_plan(change, patch.files, skipped, head_text=heads.get, budget=PlanBudget(**budget))


def tags_in(text):
    return set(re.findall(r"^[+\- ]([RL]\d+#[0-9a-z]{3})\|", text, re.MULTILINE))


def test_a_chunk_shows_the_file_its_imports_the_scopes_and_every_line_with_its_tag(patch_of):
    old = "import os\nimport re\n\n\nclass Cart:\n    def total(self):\n" + "        a = 1\n" * 9 + "        return 0\n"
    new = old.replace("return 0", "return 1")
    plan = planned(patch_of({"shop/cart.py": (old, new)}), {"shop/cart.py": new})
    (chunk,) = plan.chunks
    assert chunk.text == (
        'FILE "shop/cart.py" (modified, python)\n'
        "imports:\n"
        "  1| import os\n"
        "  2| import re\n"
        "@@ old lines 13-16, new lines 13-16 @@\n"
        "inside:\n"
        "  5| class Cart:\n"
        "  6|     def total(self):\n"
        " R13#49q|        a = 1\n"
        " R14#49q|        a = 1\n"
        " R15#49q|        a = 1\n"
        "-L16#9y2|        return 0\n"
        "+R16#czf|        return 1"
    ).replace("49q", tag_hash(plan, "a = 1")).replace("9y2", tag_hash(plan, "return 0")).replace(
        "czf", tag_hash(plan, "return 1")
    )
    assert chunk.paths == ("shop/cart.py",)
    assert abs(chunk.tokens - tokens(chunk.text)) <= 20


def tag_hash(plan, text):
    return re.search(rf"#([0-9a-z]{{3}})\|\s+{text}", plan.chunks[0].text)[1]


def test_each_file_has_its_own_chunk_while_there_are_streams_enough(patch_of):
    patch = patch_of({f"f{n}.py": (None, code(n + 1)) for n in range(8)})
    plan = planned(patch, streams=8)
    assert sorted(chunk.paths for chunk in plan.chunks) == [(f"f{n}.py",) for n in range(8)]
    assert [chunk.id for chunk in plan.chunks] == list(range(8))
    assert plan.chunks[0].paths == ("f7.py",), "the largest goes out first"


def test_with_more_files_than_streams_the_smallest_share_a_chunk(patch_of):
    patch = patch_of({f"f{n}.py": (None, code(400 if n == 0 else 3)) for n in range(30)})
    plan = planned(patch, streams=10)
    assert len(plan.chunks) == 10
    assert ("f0.py",) in [chunk.paths for chunk in plan.chunks]
    assert sorted(path for chunk in plan.chunks for path in chunk.paths) == sorted(file.path for file in patch.files)


def test_chunks_do_not_grow_over_the_budget_even_when_streams_are_few(patch_of):
    patch = patch_of({f"f{n}.py": (None, code(40)) for n in range(20)})
    plan = planned(patch, streams=1, chunk_tokens=2_000)
    assert len(plan.chunks) > 1
    assert all(chunk.tokens <= 2_000 for chunk in plan.chunks)


def test_a_large_file_is_cut_between_its_hunks(patch_of):
    old = code(2_000)
    new = (
        "\n".join(f"{line} changed" if number % 40 == 0 else line for number, line in enumerate(old.split("\n")[:-1]))
        + "\n"
    )
    patch = patch_of({"a.py": (old, new)})
    plan = planned(patch, {"a.py": new}, chunk_tokens=1_500)
    assert len(plan.chunks) > 2
    keys = [key for chunk in plan.chunks for key in chunk.hunks]
    assert sorted(keys) == [hunk.key for hunk in patch.hunks()], "each hunk in one chunk"
    assert all(chunk.tokens <= 1_500 for chunk in plan.chunks)
    assert all(chunk.text.startswith('FILE "a.py"') for chunk in plan.chunks)


def test_a_hunk_of_forty_thousand_lines_is_shown_whole_over_several_chunks(patch_of):
    patch = Patch(files=patch_of({"big.py": (None, code(40_000))}).files)
    began = time.process_time()
    plan = planned(patch)
    assert time.process_time() - began < 5
    assert {chunk.hunks for chunk in plan.chunks} == {((0, 0),)}
    shown = set().union(*(tags_in(chunk.text) for chunk in plan.chunks))
    assert shown == {tag(line) for line in patch.files[0].hunks[0].lines}
    assert all(chunk.tokens <= PlanBudget().chunk_tokens for chunk in plan.chunks)
    assert "(part 1 of " in "".join(chunk.text for chunk in plan.chunks)


def test_neighbouring_parts_of_a_cut_hunk_have_lines_in_common(patch_of):
    patch = patch_of({"a.py": (None, code(200))})
    parts = planned(patch, chunk_tokens=1_500).chunks
    ranges = sorted(sorted(int(one[1:].split("#")[0]) for one in tags_in(chunk.text)) for chunk in parts)
    assert len(ranges) > 2
    for before, after in pairwise(ranges):
        assert before[-1] - after[0] + 1 == OVERLAP


def test_a_cut_hunk_tells_each_part_the_scopes_of_its_own_lines(patch_of):
    new = "".join(f"class C{n}:\n    def m(self):\n" + "        x = 1\n" * 150 for n in range(4))
    plan = planned(patch_of({"a.py": (None, new)}), {"a.py": new}, chunk_tokens=1_200)
    for chunk in plan.chunks:
        first = min(int(one[1:].split("#")[0]) for one in tags_in(chunk.text))
        if (first - 1) % 152 > 1:
            assert f"| class C{(first - 1) // 152}:" in chunk.text


def test_a_line_that_no_call_could_take_is_shortened_and_its_file_named(patch_of):
    patch = patch_of({"a.json": ("{}\n", '"' + "x" * (LINE_CAP + 5_000) + '"\n'), "b.py": (None, "y" * 9_000 + "\n")})
    plan = planned(patch)
    (skip,) = plan.skipped
    assert (skip.path, skip.reason, skip.is_gap) == ("a.json", SkipReason.TOO_LARGE, True)
    assert skip.detail == "in part: the middle of line 1, longer than 16,000 characters"
    text = "".join(chunk.text for chunk in plan.chunks)
    assert "[9,002 characters not shown]" in text
    assert "y" * 9_000 in text, "a long line that fits is whole"


def test_over_the_reviews_budget_the_largest_files_are_left_out_and_named(patch_of):
    patch = patch_of({"big.py": (None, code(900)), "a.py": (None, code(10)), "b.py": (None, code(10))})
    plan = planned(patch, max_tokens=2_000)
    assert sorted(path for chunk in plan.chunks for path in chunk.paths) == ["a.py", "b.py"]
    (skip,) = plan.skipped
    assert (skip.path, skip.reason, skip.is_gap) == ("big.py", SkipReason.TOO_LARGE, True)
    assert re.fullmatch(r"about [0-9,]+ tokens of diff, and a review may use 2,000", skip.detail)


def test_skips_and_the_gaps_of_the_source_are_in_the_plan(patch_of):
    lock = Skip(path="yarn.lock", reason=SkipReason.LOCK)
    gap = Skip(path="huge.py", reason=SkipReason.NO_PATCH)
    plan = planned(patch_of({"a.py": (None, "x\n")}), skipped=(lock,), gaps=(gap,))
    assert plan.skipped == (lock, gap)


def test_an_empty_change_is_an_empty_plan():
    assert planned(Patch(files=())) == planned(Patch(files=()), streams=1)
    assert planned(Patch(files=())).chunks == ()


def test_a_removed_file_is_shown_without_asking_for_its_head(patch_of):
    patch = patch_of({"a.py": ("x = 1\n", None)})
    change = Change(patch=patch, base="a", head="b")
    plan = make_plan(change, patch.files, (), head_text=pytest.fail, budget=PlanBudget())
    assert "-L1#" in plan.chunks[0].text
    assert "(removed, python)" in plan.chunks[0].text


def test_the_head_is_asked_once_for_each_file_when_its_text_is_wanted(patch_of):
    asked = []
    patch = patch_of(
        {
            "a.py": (code(100), code(100).replace("f_2 ", "g ").replace("f_90 ", "g ")),
            "b.py": ("x\n", "y\n"),
            "new.py": (None, "import os\n"),
            "large.py": (None, code(200)),
        }
    )
    change = Change(patch=patch, base="a", head="b")
    plan = make_plan(change, patch.files, (), head_text=asked.append, budget=PlanBudget(chunk_tokens=1_500))
    assert asked == ["large.py"], "to cut a file it has to be printed"
    for chunk in [*plan.chunks, *plan.chunks]:
        assert chunk.text
    assert sorted(asked) == ["a.py", "b.py", "large.py"], "of a new file everything is in the diff"


def test_files_that_share_a_chunk_are_printed_with_it(patch_of):
    asked = []
    patch = patch_of({f"f{n}.py": ("x\n", code(3)) for n in range(9)})
    change = Change(patch=patch, base="a", head="b")
    plan = make_plan(change, patch.files, (), head_text=asked.append, budget=PlanBudget(streams=3))
    chunk = plan.chunks[0]
    assert (asked, len(chunk.paths) > 1) == ([], True)
    assert re.findall(r'^FILE "(.*)" \(', chunk.text, re.MULTILINE) == list(chunk.paths) == asked


LINE_TEXT = st.one_of(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30), st.just("x" * 900))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(LINE_TEXT, min_size=1, max_size=25), min_size=1, max_size=6),
    st.integers(60, 1_500),
    st.integers(1, 6),
)
def test_every_line_of_every_hunk_is_shown_whatever_the_budget(patch_of_files, texts, limit, streams):
    patch = patch_of_files({f"f{n}.txt": (None, "\n".join([*lines, "end"]) + "\n") for n, lines in enumerate(texts)})
    plan = planned(patch, chunk_tokens=limit, streams=streams)
    assert plan.hunks == {hunk.key for hunk in patch.hunks()}
    by_key = {}
    for chunk in plan.chunks:
        assert chunk.paths == tuple(dict.fromkeys(patch.file(key.file).path for key in chunk.hunks))
        for path in chunk.paths:
            by_key.setdefault(path, set()).update(tags_in(chunk.text))
    for file in patch.files:
        assert {tag(line) for hunk in file.hunks for line in hunk.lines} <= by_key[file.path]
    assert len({chunk.id for chunk in plan.chunks}) == len(plan.chunks)
    assert not plan.skipped


@pytest.fixture(scope="module")
def patch_of_files():
    from bot.diff.parse import read_patch

    def make(files):
        parts = []
        for path, (_, new) in files.items():
            lines = new.removesuffix("\n").split("\n")
            parts.append(f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n")
            parts.append(f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines))
        return read_patch("".join(parts).encode())

    return make


def test_the_estimate_of_tokens_errs_towards_too_many():
    # 1,000 characters of English or code are about 250 to 300 tokens with common vocabularies.
    assert 300 <= tokens(code(100)[:1_000]) <= 350
    assert tokens("é" * 100) > tokens("e" * 100)
