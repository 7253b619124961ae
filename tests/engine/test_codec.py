"""What is stored comes back as it was; anything else is refused by name."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.model import Command, CommentKind, CommentRef, NearMiss, Verb
from bot.engine import codec
from bot.engine.codec import StoredDataError
from bot.engine.model import Checkpoint, Ended, JobState
from bot.hooks.events import InstallationId, Place
from bot.hooks.orders import AnswerComment, AnswerGroup, Cause, ReviewHead, ReviewPull, Work
from bot.review.memory import CommentId
from bot.review.model import CommitSha, Effort, RepoName

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SHAS = st.text("0123456789abcdef", min_size=40, max_size=40).map(CommitSha)
PLACES = st.builds(
    Place,
    repo=TEXT.map(RepoName),
    repo_id=st.integers(0, 2**53),
    installation=st.integers(0, 2**53).map(InstallationId),
)
IDS = st.integers(1, 2**53).map(CommentId)
WORKS = st.one_of(
    st.builds(
        ReviewPull,
        place=PLACES,
        number=st.integers(1, 2**31),
        head_sha=SHAS,
        base_ref=TEXT,
        cause=st.sampled_from(Cause),
        title=TEXT,
        author=TEXT,
        draft=st.booleans(),
        label=TEXT,
        effort=st.none() | st.sampled_from(Effort),
        force=st.booleans(),
    ),
    st.builds(ReviewHead, place=PLACES, head_sha=SHAS, effort=st.none() | st.sampled_from(Effort)),
    st.builds(AnswerGroup, place=PLACES, head_sha=SHAS, head_ref=TEXT, base_sha=st.none() | SHAS, base_ref=TEXT),
    st.builds(
        AnswerComment,
        place=PLACES,
        number=st.integers(1, 2**31),
        comment=st.builds(
            CommentRef,
            kind=st.sampled_from(CommentKind),
            id=IDS,
            node_id=TEXT,
            root=st.none() | IDS,
        ),
        sender=TEXT,
        command=st.one_of(
            st.none(),
            st.builds(Command, verb=st.sampled_from(Verb), rest=TEXT, commit=st.booleans(), everything=st.booleans()),
            st.builds(NearMiss, wrote=TEXT, meant=st.none() | st.sampled_from(Verb)),
        ),
        text=TEXT,
    ),
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ENDS = st.builds(
    Ended,
    state=st.sampled_from(JobState),
    why=TEXT,
    verdict=TEXT,
    error=TEXT,
    findings=st.integers(0, 10**6),
    usd=st.none() | FLOATS,
    url=TEXT,
    timing=st.dictionaries(TEXT, FLOATS, max_size=4),
    tokens_per_second=st.none() | FLOATS,
    usage=st.dictionaries(TEXT, st.integers(0, 2**60), max_size=4),
    outcome=TEXT,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(WORKS)
def test_work_comes_back_as_it_was(work: Work) -> None:
    text = codec.dump_work(work)
    assert text.isascii()
    assert codec.load_work(text) == work


@settings(max_examples=60, derandomize=True, deadline=None)
@given(ENDS)
def test_an_end_comes_back_as_it_was(ended: Ended) -> None:
    assert codec.load_ended(codec.dump_ended(ended)) == ended


@settings(max_examples=60, derandomize=True, deadline=None)
@given(OBJECTS, OBJECTS)
def test_a_checkpoint_comes_back_as_it_was(draft: dict, review: dict) -> None:
    kept = Checkpoint(draft=draft, review=review)
    text = codec.dump_checkpoint(kept)
    assert text.isascii()
    assert codec.load_checkpoint(text) == kept


def test_an_end_that_an_older_version_wrote_is_read() -> None:
    shape = json.loads(codec.dump_ended(Ended(state=JobState.DONE, why="fine")))
    del shape["outcome"]
    assert codec.load_ended(json.dumps(shape)) == Ended(state=JobState.DONE, why="fine")


def test_a_merge_group_that_an_older_version_ordered_is_read() -> None:
    order = AnswerGroup(place=_work().place, head_sha=CommitSha("a" * 40), head_ref="gh-readonly-queue/main/pr-1")
    shape = json.loads(codec.dump_work(order))
    del shape["work"]["base_sha"], shape["work"]["base_ref"]
    assert codec.load_work(json.dumps(shape)) == order


def test_every_kind_of_work_can_be_stored() -> None:
    assert set(get_args(Work)) == set(codec._KINDS)


def _work() -> ReviewPull:
    place = Place(repo=RepoName("o/r"), repo_id=1, installation=InstallationId(2))
    return ReviewPull(
        place=place,
        number=7,
        head_sha=CommitSha("a" * 40),
        base_ref="main",
        cause=Cause.OPENED,
        title="\ud800 \U0001f600",
    )


def test_half_of_a_surrogate_pair_is_replaced_and_a_whole_one_kept() -> None:
    back = codec.load_work(codec.dump_work(_work()))
    assert isinstance(back, ReviewPull)
    assert back.title == "\ufffd \U0001f600"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"number": "7"}, "number"),
        ({"number": True}, "number"),
        ({"cause": "whim"}, "cause"),
        ({"surprise": 1}, "surprise"),
        ({"place": {"repo": "o/r", "repo_id": 1}}, "place.installation"),
        ({"draft": 0}, "draft"),
    ],
)
def test_a_wrong_value_is_refused_by_name(change: dict, named: str) -> None:
    shape = json.loads(codec.dump_work(_work()))
    shape["work"] |= change
    with pytest.raises(StoredDataError, match=named):
        codec.load_work(json.dumps(shape))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind":"dig","work":{}}', '{"kind":["review_pull"],"work":{}}', "nul"]
)
def test_what_is_no_work_is_refused(text: str) -> None:
    with pytest.raises(StoredDataError):
        codec.load_work(text)


def test_a_number_that_json_does_not_know_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        codec.dump_ended(Ended(state=JobState.DONE, timing={"done": float("nan")}))
