"""Bodies of HTTP answers: read as h11 reads them, whatever the cut, and refused where h11 refuses."""

from __future__ import annotations

import re
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.body import Body, ChunkedBody, LengthBody, OpenBody, body_of, keeps

CHUNKED = "transfer-encoding: chunked"


def client() -> h11.Connection:
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method="GET", target="/", headers=[("host", "h")]))
    http.send(h11.EndOfMessage())
    return http


def head(*lines: str, status: str = "HTTP/1.1 200 OK") -> h11.Response:
    http = client()
    http.receive_data("\r\n".join([status, *lines, "", ""]).encode())
    event = http.next_event()
    assert isinstance(event, h11.Response)
    return event


def by_h11(pieces: list[bytes]) -> tuple[bytes, str]:
    """The content of a chunked body, and how it ended."""
    http = client()
    http.receive_data(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n".encode())
    content = b""
    for piece in [*pieces, b""]:
        http.receive_data(piece)
        try:
            while (event := http.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Data):
                    content += event.data
                if isinstance(event, h11.EndOfMessage):
                    return content, "done"
        except h11.RemoteProtocolError:
            return content, "refused"
    raise AssertionError("h11 neither ended nor refused")


def by_us(pieces: list[bytes], body: Body) -> tuple[bytes, str]:
    content = b""
    for piece in pieces:
        content += body.feed(piece)
        if body.done or body.fault:
            break
    else:
        body.close()
    return content, "refused" if body.fault else "done"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[left:right] for left, right in pairwise(borders) if left < right]


CONTENT = st.one_of(st.binary(min_size=1, max_size=20), st.sampled_from([b"\r\n", b"0\r\n\r\n", b"x" * 300]))
SIZE = st.sampled_from(["%x", "%X", "%04x", "%x;a=b", '%x;a="b c"', "%x \t", "%x;"])
CHUNKS = st.lists(st.tuples(SIZE, CONTENT), max_size=6).map(
    lambda chunks: b"".join((form % len(data)).encode() + b"\r\n" + data + b"\r\n" for form, data in chunks)
)
LAST = st.sampled_from(
    [b"0\r\n\r\n"] * 4
    + [b"000\r\n\r\n", b"0;x\r\n\r\n", b"0\r\nx: y\r\n\r\n", b"0\r\nx: y\r\nz: w\r\n\r\n", b"0\r\n\n", b"0\r\nx: y\n\n"]
    + [b"0\r\nno field\r\n\r\n", b"0\r\n x: y\r\n\r\n", b"", b"0\r\n", b"0\r\nx: y\r\n"]
)
BODIES = st.tuples(CHUNKS, LAST).map(b"".join)
PLACES = st.lists(st.integers(0, 700), max_size=12)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(BODIES, PLACES)
def test_any_cut_of_any_chunked_body_gives_what_h11_gives(data: bytes, places: list[int]) -> None:
    pieces = cut(data, places)
    assert by_us(pieces, ChunkedBody()) == by_h11(pieces)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    BODIES,
    st.lists(st.tuples(st.integers(0, 700), st.sampled_from(b"\r\n0gf-+ ;:\t\x00\xffx")), min_size=1, max_size=3),
    PLACES,
)
def test_a_damaged_body_is_refused_where_h11_refuses_it(
    data: bytes, damage: list[tuple[int, int]], places: list[int]
) -> None:
    damaged = bytearray(data)
    for place, byte in damage:
        if place < len(damaged):
            damaged[place] = byte
        else:
            damaged.append(byte)
    pieces = cut(bytes(damaged), places)
    assert by_us(pieces, ChunkedBody()) == by_h11(pieces)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b"-1\r\nx\r\n", "illegal chunk header", id="a negative size"),
        pytest.param(b"+1\r\nx\r\n", "illegal chunk header", id="a sign"),
        pytest.param(b"0x1\r\nx\r\n", "illegal chunk header", id="0x"),
        pytest.param(b"1_0\r\nx\r\n", "illegal chunk header", id="an underscore"),
        pytest.param(b"zz\r\nx\r\n", "illegal chunk header", id="no hexadecimal"),
        pytest.param(b"\r\n", "illegal chunk header", id="no size"),
        pytest.param(b" 1\r\nx\r\n", "illegal chunk header", id="a space before the size"),
        pytest.param(b"1" * 21 + b"\r\nx", "illegal chunk header", id="21 digits"),
        pytest.param(b"1;a\nb\r\nx\r\n", "illegal chunk header", id="a bare line feed in an extension"),
        pytest.param(b"1\r\nxy\r\n", "malformed chunk footer", id="more than was said"),
        pytest.param(b"1\r\nx\n\r\n", "malformed chunk footer", id="a bare line feed behind a chunk"),
        pytest.param(b"1;" + b"x" * 20_000, "a chunk header without an end", id="a size line without an end"),
        pytest.param(b"0\r\n" + b"x: y\r\n" * 4_000, "Receive buffer too long", id="trailers without an end"),
        pytest.param(b"0\r\nx\r\n\r\n", "illegal header line", id="a trailer that is no field"),
    ],
)
def test_what_is_no_chunk_is_refused_by_name(data: bytes, fault: str) -> None:
    for pieces in ([data], [data[at : at + 7] for at in range(0, len(data), 7)]):
        body = ChunkedBody()
        content = b""
        for piece in pieces:
            content += body.feed(piece)
        assert body.fault.startswith(fault)
        assert not body.done
        assert content in {b"", b"x"}
        assert body.feed(b"1\r\ny\r\n") == b""


def test_a_size_beyond_all_memory_holds_nothing_back() -> None:
    body = ChunkedBody()
    assert body.feed(b"f" * 20 + b"\r\nabc") == b"abc"
    assert body.feed(b"def") == b"def"
    body.close()
    assert "incomplete chunked read" in body.fault


@pytest.mark.parametrize(
    ("lines", "data", "content", "clean"),
    [
        pytest.param([CHUNKED], b"1\r\nx\r\n0\r\n\r\n", b"x", True, id="chunks"),
        pytest.param([CHUNKED], b"1\r\nx\r\n0\r\nt: u\r\n\r\n", b"x", True, id="chunks and a trailer"),
        pytest.param([CHUNKED], b"1\r\nx\r\n0\r\n\r\nHTTP", b"x", False, id="something behind the last chunk"),
        pytest.param([CHUNKED], b"1\r\nx\r\n0\r\nt: u\r\n\r\nHTTP", b"x", False, id="something behind the trailers"),
        pytest.param(["content-length: 2"], b"xy", b"xy", True, id="a length"),
        pytest.param(["content-length: 2"], b"xyz", b"xy", False, id="more than the length"),
        pytest.param(["content-length: 0"], b"", b"", True, id="nothing"),
        pytest.param(["content-length: 2", CHUNKED], b"1\r\nx\r\n0\r\n\r\n", b"x", True, id="chunks before a length"),
        pytest.param([], b"xy", b"xy", False, id="up to the close"),
    ],
)
def test_a_connection_is_clean_only_behind_the_very_end(
    lines: list[str], data: bytes, content: bytes, clean: bool
) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        body = body_of(head(*lines))
        assert b"".join(body.feed(piece) for piece in pieces) == content
        if isinstance(body, OpenBody):
            body.close()
        assert (body.done, body.clean, body.fault) == (True, clean, "")


def test_a_body_that_is_cut_says_how_much_is_missing() -> None:
    body = LengthBody(10)
    assert body.feed(b"abc") == b"abc"
    body.close()
    assert not body.done
    assert re.search("received 3 bytes, expected 10", body.fault)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_that_has_no_body_is_over_at_once(status: str) -> None:
    body = body_of(head("content-length: 7", status=f"HTTP/1.1 {status}"))
    assert (body.done, body.clean) == (True, True)


@pytest.mark.parametrize(
    ("status", "lines", "kept"),
    [
        ("HTTP/1.1 200 OK", [], True),
        ("HTTP/1.1 200 OK", ["connection: Close"], False),
        ("HTTP/1.1 200 OK", ["connection: keep-alive", "connection: x, close"], False),
        ("HTTP/1.0 200 OK", ["connection: keep-alive"], False),
    ],
)
def test_the_other_side_says_whether_it_stays(status: str, lines: list[str], kept: bool) -> None:
    assert keeps(head(*lines, status=status)) is kept
