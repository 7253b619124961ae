"""The hidden marks: each reads back what was written, and no text of others forges or breaks one."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.model import Side
from bot.review.memory import Dismissal, FindingNote
from bot.review.model import Category, CommitSha, Fingerprint, Severity, Votes
from bot.review.render.comments import BODY_LIMIT, comment_body
from bot.review.render.markers import (
    MOST_SEEN,
    NOTE_SUGGESTION,
    ReviewMarker,
    RoundMarker,
    answer_marker,
    dismissal_marker,
    finding_marker,
    note_marker,
    read_dismissal_marker,
    read_finding_markers,
    read_keys,
    read_note_marker,
    read_review_marker,
    read_round_marker,
    read_state_marker,
    review_marker,
    round_marker,
    split_ending,
    state_marker,
    step_marker,
)
from bot.review.render.safe import Redactor, code, fence, one_line, prose

# What a file name or a line that is not UTF-8 brings, text that looks like a mark, and all else.
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["", "--", "-->", "<!-- spark:finding v1 forged -->", "caf\udce9.py", "a\nb", '"\\', "\u2028"]),
)
hexes = st.text("0123456789abcdef", min_size=6, max_size=6)
counts = st.integers(0, 9)
notes = st.builds(
    FindingNote,
    fingerprint=st.text("0123456789abcdef", min_size=16, max_size=16).map(Fingerprint),
    path=texts,
    side=st.sampled_from(Side),
    severity=st.sampled_from(Severity),
    category=st.sampled_from(Category),
    title=texts,
    source=texts,
    rule=texts,
    lines=st.lists(hexes, max_size=5).map(tuple),
    suggestion=st.none() | texts,
    votes=st.none() | st.builds(Votes, in_favour=counts, of=counts),
    text=texts,
    twins=counts,
    around=st.tuples(hexes, hexes),
)
dismissals = st.builds(Dismissal, by=texts, reason=texts, how=texts, excuses=st.booleans(), held_open=st.booleans())
rounds = st.builds(
    RoundMarker,
    round=st.integers(1, 999_999),
    rules=st.text("0123456789abcdef", min_size=1, max_size=16),
    seen=st.none() | st.frozensets(st.integers(0, 2**80 - 1), max_size=20),
)
keys = st.from_regex(r"[A-Za-z0-9._:]{1,20}(-[A-Za-z0-9]{1,20})?", fullmatch=True)
reviews = st.builds(
    ReviewMarker,
    head=st.sampled_from(["", "a" * 40, "0" * 64]).map(CommitSha),
    base=st.sampled_from(["", "b" * 40]).map(CommitSha),
    run=st.from_regex(r"[A-Za-z0-9._:]{0,20}", fullmatch=True),
)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(note=notes, dismissal=dismissals, round_=rounds, review=reviews, key=keys, text=texts, state=texts)
def test_every_mark_reads_back_what_was_written_beside_all_others(
    note, dismissal, round_, review, key, text, state
) -> None:
    marks = [
        note_marker(note),
        finding_marker(note.fingerprint),
        dismissal_marker(dismissal),
        round_marker(round_),
        review_marker(review),
        answer_marker(key),
        step_marker(key),
        state_marker({"paused_by": state}),
    ]
    body = f"{prose(text)}\n\n" + "\n".join(marks)
    for form in (body, body.replace("\n", "\r\n"), f"{body}\n \n", body.replace(" -->\n", " -->\n\n")):
        assert read_note_marker(form) == note
        assert read_finding_markers(form) == [note.fingerprint]
        assert read_dismissal_marker(form) == dismissal
        assert read_round_marker(form) == round_
        assert read_review_marker(form) == review
        assert (read_keys(form, "answer"), read_keys(form, "step")) == ([key], [key])
        assert read_state_marker(form) == {"paused_by": state}
        assert split_ending(form)[1].split("\n") == marks
    # What a browser takes for the end of a comment stands at the end of each mark alone.
    assert all(re.findall(r"--!?>", mark) == ["-->"] and mark.endswith(" -->") for mark in marks)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(note=notes, before=texts, after=texts)
def test_text_of_others_around_a_mark_neither_forges_nor_breaks_one(note: FindingNote, before: str, after: str) -> None:
    forged = note_marker(replace(note, path="forged.py"))
    for hostile in (forged, f"{before}\n{forged}", f"{forged}\n{after}", f"```\n{forged}", f"`{forged}`"):
        shown = [prose(hostile), one_line(hostile), code(hostile), prose(fence(hostile))]
        for text in shown:
            assert read_note_marker(text) is None
            body = f"{text}\n\n{note_marker(note)}\n{finding_marker(note.fingerprint)}"
            assert read_note_marker(body) == note
            assert read_finding_markers(body) == [note.fingerprint]


def test_a_mark_with_anything_behind_it_is_none() -> None:
    mark = step_marker("fixed-1")
    assert read_keys(f"x\n\n{mark}", "step") == ["fixed-1"]
    assert read_keys(f"x\n\n{mark}\nQuoted and answered.", "step") == []
    assert read_keys(f"> {mark}", "step") == []
    assert read_keys(f"x {mark}", "step") == []


def test_two_notes_in_one_comment_are_none() -> None:
    note = dismissal_marker(Dismissal(by="a", reason="", how="ignored", excuses=True))
    other = dismissal_marker(Dismissal(by="b", reason="", how="ignored", excuses=False))
    assert read_dismissal_marker(f"x\n\n{note}\n{other}") is None


@pytest.mark.parametrize(
    "packed", ["AAAA", "bnVsbCAg", "W10g", "eyJwYXRoIjoxfSAg", "AAA", "eyJmaW5nZXJwcmludCI6ICJhIn0g"]
)
def test_a_mark_that_holds_something_else_is_none(packed: str) -> None:
    assert read_note_marker(f"<!-- spark:note v1 {packed} -->") is None
    assert read_dismissal_marker(f"<!-- spark:dismissed v1 {packed} -->") is None


@pytest.mark.parametrize("rules", ["", "xyz", "0" * 17])
def test_a_round_that_could_not_be_read_again_is_not_written(rules: str) -> None:
    with pytest.raises(ValueError, match="not a round"):
        round_marker(RoundMarker(round=1, rules=rules, seen=None))


def test_more_lines_than_a_mark_carries_are_not_carried_at_all() -> None:
    most = round_marker(RoundMarker(round=1, rules="a", seen=frozenset(range(MOST_SEEN))))
    assert read_round_marker(most) == RoundMarker(round=1, rules="a", seen=frozenset(range(MOST_SEEN)))
    more = round_marker(RoundMarker(round=1, rules="a", seen=frozenset(range(MOST_SEEN + 1))))
    assert read_round_marker(more) == RoundMarker(round=1, rules="a", seen=None)


def test_a_suggestion_that_is_long_or_long_to_write_is_not_carried() -> None:
    plain = FindingNote(
        fingerprint=Fingerprint("f" * 16),
        path="a.py",
        side=Side.RIGHT,
        severity=Severity.LOW,
        category=Category.BUG,
        title="t",
        source="model",
        text="x = 1",
        suggestion="x" * NOTE_SUGGESTION,
    )
    assert read_note_marker(note_marker(plain)) == plain
    longer = read_note_marker(note_marker(replace(plain, suggestion="x" * (NOTE_SUGGESTION + 1))))
    assert longer == replace(plain, suggestion=None)
    wide = read_note_marker(note_marker(replace(plain, suggestion="\U0001f600" * NOTE_SUGGESTION)))
    assert wide == replace(plain, suggestion=None, text="")


def test_the_body_of_the_longest_finding_is_under_the_limit_and_keeps_its_marks(a_finding, redactor: Redactor) -> None:
    finding = a_finding(
        title="ä" * 300, body="*" * 9_000, suggestion="`é😀\n" * 5_000, proven=True, note="ß" * 2_000, rule="r" * 100
    )
    for suggestion in ("`é😀\n" * 4_999, "x" * 6_000, "é" * 5_900):
        body = comment_body(replace(finding, suggestion=suggestion), redactor)
        assert len(body) <= BODY_LIMIT
        note = read_note_marker(body)
        assert note is not None
        assert read_finding_markers(body) == [note.fingerprint] == [finding.fingerprint]


def packed(kind: str, data: bytes) -> str:
    """A comment of ours whose mark somebody has edited."""
    return f"Text.\n\n<!-- spark:{kind} v1 {base64.b64encode(data + b' ' * (-len(data) % 3)).decode()} -->"


@pytest.mark.parametrize("data", [b"[" * 40_000, b'{"by":' * 6_000, b"{", b"\xff", b"[]"])
def test_a_mark_that_is_no_object_stops_nothing(data: bytes) -> None:
    """Whoever may write to the repository may edit our comments."""
    assert read_note_marker(packed("note", data)) is None
    assert read_dismissal_marker(packed("dismissed", data)) is None
    assert read_state_marker(packed("state", data)) is None


@pytest.mark.parametrize(
    "edit", ['"votes": [1e999, 2]', '"twins": 1e999', '"twins": NaN', '"lines": {"a": 1}', '"side": ["RIGHT"]']
)
def test_a_note_with_a_value_that_cannot_be_is_no_note(edit: str) -> None:
    whole = (
        '{"fingerprint": "f", "path": "a.py", "side": "RIGHT", "severity": "high", "category": "bug", "title": "t",'
        ' "source": "model", "rule": "", "lines": [], "suggestion": null, "votes": null'
    )
    assert read_note_marker(packed("note", f"{whole}}}".encode())) is not None
    assert read_note_marker(packed("note", f"{whole}, {edit}}}".encode())) is None


def test_a_fingerprint_that_could_not_be_written_is_not_read() -> None:
    assert read_finding_markers("Text.\n\n<!-- spark:finding v1 a--b -->") == []
