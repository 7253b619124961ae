from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.model import Anchor, HunkKey, Side
from bot.review.drafts import dump_draft, load_draft
from bot.review.ports import Amend, DraftComment, ReviewDraft, Then, ThreadStep

# What was not UTF-8 is kept as single surrogates; JSON must bring those back, too.
texts = st.text(st.characters(codec=None), max_size=20)
numbers = st.integers(min_value=0, max_value=10**6)
anchors = st.builds(
    Anchor,
    path=texts,
    side=st.sampled_from(Side),
    start_line=numbers,
    line=numbers,
    hunk=st.builds(HunkKey, numbers, numbers),
    text=st.lists(texts, max_size=3).map(tuple),
)
drafts = st.builds(
    ReviewDraft,
    commit=texts,
    body=texts,
    comments=st.lists(
        st.builds(DraftComment, anchor=anchors, body=texts, entry=texts, fingerprint=texts), max_size=3
    ).map(tuple),
    run=texts,
    amend=st.none() | st.builds(Amend, id=numbers, url=texts, in_conversation=st.booleans()),
    steps=st.lists(
        st.builds(ThreadStep, thread=texts, root=numbers, body=texts, then=st.sampled_from(Then)), max_size=2
    ).map(tuple),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(drafts)
def test_a_kept_draft_is_the_same_when_it_is_read_again(draft: ReviewDraft) -> None:
    assert load_draft(json.loads(json.dumps(dump_draft(draft)))) == draft


def sample() -> dict[str, Any]:
    anchor = Anchor(path="a.py", side=Side.RIGHT, start_line=1, line=1, hunk=HunkKey(0, 0), text=("x",))
    comment = DraftComment(anchor=anchor, body="b", entry="e", fingerprint="f")
    step = ThreadStep(thread="T1", root=7, body="Fixed.", then=Then.RESOLVE, follows="T2")
    amend = Amend(id=3, url="u")
    return dump_draft(ReviewDraft(commit="a" * 40, body="s", comments=(comment,), run="r", amend=amend, steps=(step,)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("body"),
        lambda data: data.update(run=7),
        lambda data: data.update(comments={}),
        lambda data: data["comments"].append("text"),
        lambda data: data["comments"][0].pop("anchor"),
        lambda data: data["comments"][0]["anchor"].update(side="MIDDLE"),
        lambda data: data["comments"][0]["anchor"].update(line=True),
        lambda data: data["comments"][0]["anchor"].update(hunk=[1]),
        lambda data: data.pop("steps"),
        lambda data: data["steps"][0].update(then="delete"),
        lambda data: data.update(amend=7),
        lambda data: data["amend"].update(in_conversation=1),
    ],
)
def test_what_is_not_a_whole_draft_is_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    data = sample()
    load_draft(data)
    spoil(data)
    with pytest.raises(ValueError):
        load_draft(data)
