"""One thread reads for all streams whose text flows, and each stream ends as if it had read for itself."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bot.model.endpoint import HttpOptions
from bot.model.reader import POSSIBLE
from bot.review.ports import CallReport, Stop, StreamEnd

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="needs epoll; without it every stream reads for itself")

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PART = b'data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n'
WHOLE = b'data: {"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
AT_ONCE = 0.25


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class InStep:
    """A server whose streams go on together: a part each time it is told to, then the rest."""

    def __init__(self, *, streams: int, rest: bytes, stays: bool = False) -> None:
        self._turn = threading.Barrier(streams + 1)
        self._rest = rest
        self._stays = stays

    def answer(self, connection: socket.socket, _request: bytes) -> None:
        connection.sendall(HEAD + chunk(PART))
        for _ in range(3):
            self._turn.wait(5.0)
            connection.sendall(chunk(PART))
        self._turn.wait(5.0)
        connection.sendall(self._rest)
        if self._stays:
            connection.recv(1)

    def go_on(self) -> None:
        self._turn.wait(5.0)


@dataclass
class Listening:
    """One stream's pieces, and which threads brought them."""

    stop: Stop
    pieces: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    reports: list[CallReport] = field(default_factory=list)
    raised: list[BaseException] = field(default_factory=list)
    then: Callable[[str], None] = lambda _text: None

    def sink(self, text: str) -> None:
        self.pieces.append(text)
        self.threads.append(threading.current_thread().name)
        self.then(text)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Choir:
    """Streams of one model that go on in step."""

    def __init__(self, asker: object, prompt: object, until: Callable, streams: int) -> None:
        self._until = until
        self.all = [Listening(asker.stop()) for _ in range(streams)]
        self._threads = [threading.Thread(target=self._run, args=(asker, prompt, each)) for each in self.all]

    def _run(self, asker: object, prompt: object, each: Listening) -> None:
        try:
            each.reports.append(asker.model.stream(prompt, sink=each.sink, stop=each.stop))
        except ZeroDivisionError as error:
            each.raised.append(error)

    def sing(self, server: InStep) -> None:
        """Up to the rest."""
        for thread in self._threads:
            thread.start()
        for count in range(1, 5):
            self._until(lambda count=count: all(len(each.text) == 3 * count or each.raised for each in self.all))
            server.go_on()

    def end(self) -> float:
        """Seconds until all have ended."""
        began = time.monotonic()
        for thread in self._threads:
            thread.join(5.0)
            assert not thread.is_alive()
        return time.monotonic() - began


@pytest.fixture
def choir(raw: Callable, caller: Callable, prompt: Callable, until: Callable) -> Callable[..., tuple[Choir, InStep]]:
    """Streams and their server."""

    def make(
        *, streams: int = 3, rest: bytes, stays: bool = False, tls: ssl.SSLContext | None = None, stall: float = 5.0
    ) -> tuple[Choir, InStep]:
        server = InStep(streams=streams, rest=rest, stays=stays)
        waits = HttpOptions(stall_seconds=stall, reasoning_seconds=stall, ahead=0)
        asker = caller(raw(server.answer, context=tls).url, http=waits)
        return Choir(asker, prompt(), until, streams), server

    return make


GOOD = chunk(WHOLE) + b"0\r\n\r\n"
ENDS = [
    pytest.param(GOOD, StreamEnd.WHOLE, 5, id="whole"),
    pytest.param(chunk(WHOLE)[:30], StreamEnd.CUT, 4, id="cut in an event"),
    pytest.param(b"", StreamEnd.CUT, 4, id="closed"),
    pytest.param(chunk(PART) + b"zz\r\n", StreamEnd.CUT, 5, id="no chunk"),
    pytest.param(chunk(PART + b"data: {]\n\n" + PART), StreamEnd.GARBLED, 5, id="no JSON"),
]


@pytest.mark.parametrize(("rest", "end", "parts"), ENDS)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_streams_that_are_read_together_end_as_they_would_alone(
    choir: Callable, tls: ssl.SSLContext, rest: bytes, end: StreamEnd, parts: int, secure: bool
) -> None:
    singers, server = choir(rest=rest, tls=tls if secure else None)
    singers.sing(server)
    singers.end()
    for each in singers.all:
        assert (each.reports[0].end, each.text) == (end, "one" * parts)
    assert {name for each in singers.all for name in each.threads[2:4]} == {"spark-read"}


def test_a_stream_alone_reads_for_itself(choir: Callable) -> None:
    singers, server = choir(streams=1, rest=GOOD)
    singers.sing(server)
    singers.end()
    assert singers.all[0].reports[0].end is StreamEnd.WHOLE
    assert "spark-read" not in singers.all[0].threads


def test_where_the_system_cannot_every_stream_reads_for_itself(
    choir: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.model.pool.POSSIBLE", False)
    singers, server = choir(rest=GOOD)
    singers.sing(server)
    singers.end()
    for each in singers.all:
        assert (each.reports[0].end, each.text) == (StreamEnd.WHOLE, "one" * 5)
        assert "spark-read" not in each.threads


def test_silence_is_a_stall_of_each_and_the_deadline_and_cancelling_are_felt_at_once(choir: Callable) -> None:
    singers, server = choir(rest=chunk(PART), stays=True, stall=0.4)
    singers.sing(server)
    stalled, late, cancelled = singers.all
    late.stop.bring_forward(0.1)
    cancelled.stop.cancel()
    assert 0.3 < singers.end() < 0.4 + AT_ONCE
    ends = [each.reports[0].end for each in (stalled, late, cancelled)]
    assert ends[0] is StreamEnd.STALLED
    assert ends[2] is StreamEnd.CANCELLED
    # A deadline that is brought forward is seen with the next look at it, as it was before.
    assert ends[1] in {StreamEnd.DEADLINE, StreamEnd.STALLED}
    assert stalled.text == "one" * 5


def test_the_deadline_ends_a_stream_that_is_read_together(choir: Callable) -> None:
    singers, server = choir(rest=chunk(PART), stays=True)
    for each in singers.all:
        each.stop.bring_forward(0.5)
    singers.sing(server)
    assert singers.end() < 0.5 + AT_ONCE
    assert [each.reports[0].end for each in singers.all] == [StreamEnd.DEADLINE] * 3


def test_what_one_sink_raises_is_raised_to_its_own_caller_alone(choir: Callable) -> None:
    singers, server = choir(rest=GOOD)
    broken, *others = singers.all

    def fail(_text: str) -> None:
        if len(broken.pieces) == 3:
            raise ZeroDivisionError

    broken.then = fail
    singers.sing(server)
    singers.end()
    assert [type(error) for error in broken.raised] == [ZeroDivisionError]
    assert broken.threads[-1] == "spark-read"
    for each in others:
        assert (each.reports[0].end, each.text) == (StreamEnd.WHOLE, "one" * 5)


def test_a_sink_that_is_slow_reads_for_itself_from_then_on(choir: Callable) -> None:
    singers, server = choir(rest=GOOD)
    slow, *others = singers.all

    def wait(_text: str) -> None:
        if len(slow.pieces) == 3:
            threading.Event().wait(0.08)

    slow.then = wait
    singers.sing(server)
    singers.end()
    assert slow.threads[2] == "spark-read"
    assert "spark-read" not in slow.threads[3:]
    for each in (slow, *others):
        assert (each.reports[0].end, each.text) == (StreamEnd.WHOLE, "one" * 5)


def test_the_thread_is_gone_soon_after_the_last_stream_and_comes_back(choir: Callable, until: Callable) -> None:
    for _ in range(2):
        singers, server = choir(rest=GOOD)
        singers.sing(server)
        singers.end()
        assert {each.threads[2] for each in singers.all} == {"spark-read"}
    until(lambda: not any(thread.name == "spark-read" for thread in threading.enumerate()))
