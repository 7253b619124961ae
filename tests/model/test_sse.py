"""The splitter: whatever the cut, the same events."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.sse import SseSplitter


def split(*pieces: bytes, limit: int = 1000) -> list[bytes]:
    splitter = SseSplitter(limit=limit)
    return [payload for piece in pieces for payload in splitter.feed(piece)] + splitter.finish()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", [b"a", b"b"], id="two events"),
        pytest.param(b"data:a\n\n", [b"a"], id="no space behind the colon"),
        pytest.param(b"data:  a\n\n", [b" a"], id="one space only is taken away"),
        pytest.param(b"data: a\ndata: b\n\n", [b"a\nb"], id="several data lines"),
        pytest.param(b": ping\n\ndata: a\n\n", [b"a"], id="a comment between events"),
        pytest.param(b": ping\ndata: a\n: pong\n\n", [b"a"], id="comments inside an event"),
        pytest.param(b"event: delta\nid: 7\nretry: 5\ndata: a\n\n", [b"a"], id="other fields"),
        pytest.param(b"event: ping\n\n", [], id="an event without data"),
        pytest.param(b"data\n\n", [b""], id="data without a colon"),
        pytest.param(b"data:\n\n", [b""], id="empty data"),
        pytest.param(b"database: a\n\n", [], id="a longer field name"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], id="CR LF"),
        pytest.param(b"data: a\r\rdata: b\r\r", [b"a", b"b"], id="CR alone"),
        pytest.param(b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"], id="mixed line ends"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [b"a"], id="a byte-order mark"),
        pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"], id="a byte-order mark in the middle is no mark"),
        pytest.param(b"\n\n\n\ndata: a\n\n\n\n\n", [b"a"], id="many blank lines"),
        pytest.param(b"data: a", [b"a"], id="no blank line at the end"),
        pytest.param(b"data: a\n", [b"a"], id="one newline at the end"),
        pytest.param("data: \N{SNOWMAN}\n\n".encode(), ["\N{SNOWMAN}".encode()], id="bytes beyond ASCII"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_events_are_read_as_the_standard_says_however_they_are_cut(stream: bytes, events: list[bytes]) -> None:
    assert split(stream) == events
    assert split(*(stream[at : at + 1] for at in range(len(stream)))) == events
    for at in range(len(stream)):
        assert split(stream[:at], stream[at:]) == events


LINES = st.sampled_from(
    [b"data: {}", b"data:x", b"data", b": c", b"event: e", b"", b"", b"\xef\xbb\xbfdata: m", b"data: " + b"y" * 30]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS)).map(lambda parts: b"".join(line + end for line, end in parts))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.one_of(STREAMS, st.binary(max_size=60)), st.lists(st.integers(0, 200), max_size=12))
def test_any_cut_of_any_stream_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    borders = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[left:right] for left, right in pairwise(borders)]
    assert split(*pieces) == split(stream)


def test_an_event_without_an_end_is_given_up_at_the_limit() -> None:
    splitter = SseSplitter(limit=100)
    assert splitter.feed(b"data: a\n\n") == [b"a"]
    for _ in range(50):
        assert splitter.feed(b"data: " + b"x" * 44) == []
    assert splitter.overflowed
    assert splitter.feed(b"\n\ndata: b\n\n") == []
    assert splitter.finish() == []


def test_a_too_large_event_in_one_piece_stops_the_stream_at_the_same_place() -> None:
    splitter = SseSplitter(limit=20)
    assert splitter.feed(b"data: a\n\ndata: " + b"x" * 30 + b"\n\ndata: b\n\n") == [b"a"]
    assert splitter.overflowed
