"""The threads beside a review, and the one inbox through which they speak to it.

Streams have a limit of their own, so that a flood of findings on trial never waits behind a stream or holds one up.
Nothing that happens in a thread is lost: what it raises comes through the inbox too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

from bot.review.threads import Threads, Work

TRIALS = 32
"""Trials, analyzers and look-ups under way at once, at least; each is short."""
TRIALS_A_STREAM = 2
"""Where many streams end together, their last findings are tried together: a thread that waits costs next to nothing."""

OWN_REST = 0.2
"""Seconds that threads of the crew's own are kept."""

Message = TypeVar("Message")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A thread raised."""

    error: BaseException


class Crew(Generic[Message]):
    """Two groups of threads and an inbox. Use it in a `with`: at its end all work has come home.

    `on_error` is called when the `with` ends with an exception, before the work under way is waited for: it must make that come
    home soon. What had not begun by then is left undone.
    """

    def __init__(self, *, streams: int, on_error: Callable[[], None], threads: Threads | None = None) -> None:
        """`threads`: those of the process; without them the crew has its own."""
        threads = threads or Threads(rest=OWN_REST)
        self._on_error = on_error
        self._inbox: SimpleQueue[Message | Failed] = SimpleQueue()
        self._streams = _Group(threads, most=max(1, streams))
        self._beside = _Group(threads, most=max(TRIALS, TRIALS_A_STREAM * streams))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._on_error()
        self._streams.end()
        self._beside.end()

    def tell(self, message: Message) -> None:
        """Put a message into the inbox, from any thread."""
        self._inbox.put(message)

    def next(self, *, within: float) -> Message | None:
        """The next message; None when none came in `within` seconds. Raises what a thread raised."""
        try:
            message = self._inbox.get(timeout=within)
        except Empty:
            return None
        if isinstance(message, Failed):
            raise message.error
        return message

    def stream(self, work: Work) -> None:
        """Run `work` as one of the streams."""
        self._streams.run(partial(self._guarded, work))

    def beside(self, work: Work) -> None:
        """Run `work` beside the streams."""
        self._beside.run(partial(self._guarded, work))

    def look_up(self, ask: Callable[[], Result]) -> Future[Result]:
        """Run `ask` beside the streams for its result; what it raises is the future's."""
        future: Future[Result] = Future()
        self._beside.run(partial(_answer, future, ask), forget=future.cancel)
        return future

    def _guarded(self, work: Work) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the review's own thread, which raises it there
            self._inbox.put(Failed(error=error))


class _Group:
    """Work of one kind: so much of it at once, the rest in turn.

    Ctrl-C may strike anywhere in the thread that hands work in, also when a thread has it already: so what is under way is known
    by name. A count would be one off for ever, and `end` would wait for nobody.
    """

    def __init__(self, threads: Threads, *, most: int) -> None:
        self._threads = threads
        self._most = most
        self._lock = threading.RLock()
        self._over = threading.Condition(self._lock)
        self._waiting: deque[tuple[Work, Callable[[], object] | None]] = deque()
        self._under_way: dict[object, bool] = {}
        """What was handed to a thread, and whether that has begun with it."""

    def run(self, work: Work, *, forget: Callable[[], object] | None = None) -> None:
        """Do it as soon as there is room. `forget` is called where the end comes before that."""
        ticket = object()
        try:
            with self._lock:
                if len(self._under_way) >= self._most:
                    self._waiting.append((work, forget))
                    return
                self._under_way[ticket] = False
            self._threads.run(partial(self._go_on, work, ticket))
        except BaseException:
            # Where no thread could be started, nobody will come home; where one begins after all, it finds nothing to do.
            with self._lock:
                if not self._under_way.get(ticket):
                    self._under_way.pop(ticket, None)
            raise

    def end(self) -> None:
        """Forget what has not begun, and wait for what has."""
        with self._lock:
            left = list(self._waiting)
            self._waiting.clear()
        for _, forget in left:
            if forget is not None:
                forget()
        with self._lock:
            self._over.wait_for(lambda: not self._under_way)

    def _go_on(self, work: Work, ticket: object) -> None:
        with self._lock:
            if ticket not in self._under_way:
                return
            self._under_way[ticket] = True
        while True:
            work()
            with self._lock:
                if not self._waiting:
                    del self._under_way[ticket]
                    self._over.notify_all()
                    return
                work, _ = self._waiting.popleft()


def _answer(future: Future[Result], ask: Callable[[], Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(ask())
    except BaseException as error:  # noqa: BLE001 - whoever asks for the result is told
        future.set_exception(error)
