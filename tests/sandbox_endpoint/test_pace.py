"""Tokens come when they are due: the plan of it exactly, the real thing within 15 % on a busy machine."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.endpoint import Fault, FaultKind, parse_fault, tokens
from bot.sandbox.endpoint.timeline import Ending, Wire, play

PARTS = st.lists(st.binary(min_size=1, max_size=5), max_size=30).map(tuple)
WIRES = st.builds(
    Wire,
    prelude=st.binary(max_size=5),
    head=st.binary(max_size=5),
    tokens=PARTS,
    tail=st.binary(max_size=5),
    error=st.just(b"E"),
    failed=st.just(b"F"),
)
SPEEDS = st.floats(min_value=0.5, max_value=5000)
FAULTS = st.sampled_from(
    [None, parse_fault("stall:2:1"), parse_fault("stall:0"), parse_fault("slow-drip:0.1"), parse_fault("shredded")]
)


@given(WIRES, SPEEDS, st.floats(min_value=0, max_value=3), FAULTS)
def test_a_token_is_due_at_its_time_and_not_before(wire, tps, ttft, fault):
    line = play(wire, ttft=ttft, tps=tps, fault=fault)
    assert line.due(0.0) == 0 or ttft < 1e-6
    for step in range(1, line.steps + 1):
        at = line.at(step)
        if math.isinf(at):
            assert line.due(1e9) < step
            continue
        assert line.due(at + 1e-5 / tps) >= step
        assert line.due(at - 1e-3 / tps) < step


@given(WIRES, st.sampled_from([None, FaultKind.SHREDDED]), st.data())
def test_the_bytes_are_all_sent_once_whatever_the_beats_are(wire, kind, data):
    line = play(wire, ttft=0.1, tps=100, fault=Fault(kind=kind) if kind else None)
    drawn = data.draw(st.lists(st.floats(min_value=0, max_value=0.5), max_size=10))
    beats = [*sorted(drawn), line.at(line.steps) + 1]
    sent, done = b"", line.marks[0]
    sent += b"".join(line.cuts(0, done))
    for beat in beats:
        end = line.marks[line.due(beat)]
        sent += b"".join(line.cuts(done, end))
        done = end
    assert sent == wire.prelude + wire.head + b"".join(wire.tokens) + wire.tail


@given(WIRES, st.integers(min_value=0, max_value=40))
def test_a_cut_sends_no_byte_of_what_comes_behind_it(wire, after):
    line = play(wire, ttft=0, tps=1, fault=Fault(kind=FaultKind.CUT, after=after))
    assert line.blob == wire.prelude + wire.head + b"".join(wire.tokens[:after])
    assert line.ending is Ending.RESET


def test_one_stream_keeps_its_first_token_and_its_rate(serve):
    server = serve(tokens(1000), ttft=0.15, tps=1000.0)
    [seen] = read_many(server, 1)
    assert 0.15 <= seen.first < 0.15 + 1.0
    assert seen.tokens == 1000
    assert seen.rate == pytest.approx(1000, rel=0.15)


def test_sixty_four_streams_keep_their_rate_together(serve):
    server = serve(tokens(600), ttft=0.15, tps=300.0)
    seen = read_many(server, 64)
    assert {each.tokens for each in seen} == {600}
    rates = sorted(each.rate for each in seen)
    assert rates[32] == pytest.approx(300, rel=0.15)


@pytest.mark.parametrize("tps", [500.0, 2000.0])
def test_an_answer_that_is_not_streamed_takes_as_long(serve, post, chat, tps):
    server = serve(tokens(100), ttft=0.02, tps=tps)
    began = time.monotonic()
    post(f"{server.url}/chat/completions", chat())
    assert time.monotonic() - began >= 0.02 + 99 / tps


def test_closing_ends_streams_that_go_on(serve, client):
    server = serve("word " * 500, tps=10.0)
    stream = client(server).chat.completions.create(
        model="codex-spark-preview", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    next(iter(stream))
    server.close()
    server.close()
    assert not server._thread.is_alive()
    stream.close()


class Seen:
    def __init__(self):
        self.tokens, self.first, self.last = 0, 0.0, 0.0

    @property
    def rate(self):
        return (self.tokens - 1) / (self.last - self.first)


def read_many(server, count):
    """Read `count` streams at once with one selector thread each counting events; cheap enough to see the server."""
    seen = [Seen() for _ in range(count)]
    gate = threading.Barrier(count)

    def read(one):
        body = {"model": "codex-spark-preview", "messages": [{"role": "user", "content": "x"}], "stream": True}
        request = urllib.request.Request(f"{server.url}/chat/completions", json.dumps(body).encode())
        gate.wait(10)
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=30) as answer:
            for data in iter(lambda: answer.read1(65536), b""):
                # Chunks of HTTP may end inside of this text, but the server writes whole events.
                fresh = data.count(b'"delta":{"content":"')
                if fresh:
                    now = time.perf_counter() - began
                    one.tokens, one.last = one.tokens + fresh, now
                    one.first = one.first or now

    threads = [threading.Thread(target=read, args=(one,)) for one in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def test_beats_do_not_add_up():
    wire = Wire(prelude=b"", head=b"", tokens=(b"x",) * 1000, tail=b"", error=b"", failed=b"")
    line = play(wire, ttft=0.0, tps=1000, fault=None)
    late = itertools.accumulate(itertools.repeat(0.00337, 290))
    assert [line.due(at) for at in late] == [min(1000, int(0.00337 * k * 1000 + 1e-6) + 1) for k in range(1, 291)]
