"""The threads beside a review, and the one inbox through which they speak to it.

Streams have a pool of their own, so that a flood of findings on trial never waits behind a stream or holds one up.
Nothing that happens in a thread is lost: what it raises comes through the inbox too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

TRIALS = 32
"""Trials, analyzers and look-ups under way at once, at least; each is short."""
TRIALS_A_STREAM = 2
"""Where many streams end together, their last findings are tried together: a thread that waits costs next to nothing."""

Message = TypeVar("Message")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A thread raised."""

    error: BaseException


class Crew(Generic[Message]):
    """Two pools and an inbox. Use it in a `with`: at its end every thread has come home.

    `on_error` is called when the `with` ends with an exception, before the threads are waited for: it must make them
    come home soon.
    """

    def __init__(self, *, streams: int, on_error: Callable[[], None]) -> None:
        self._on_error = on_error
        self._inbox: SimpleQueue[Message | Failed] = SimpleQueue()
        self._streams = ThreadPoolExecutor(max_workers=max(1, streams), thread_name_prefix="stream")
        self._beside = ThreadPoolExecutor(
            max_workers=max(TRIALS, TRIALS_A_STREAM * streams), thread_name_prefix="trial"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._on_error()
        self._streams.shutdown(wait=True, cancel_futures=True)
        self._beside.shutdown(wait=True, cancel_futures=True)

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

    def stream(self, work: Callable[[], None]) -> None:
        """Run `work` in the pool of the streams."""
        self._streams.submit(self._guarded, work)

    def beside(self, work: Callable[[], None]) -> None:
        """Run `work` in the other pool."""
        self._beside.submit(self._guarded, work)

    def look_up(self, ask: Callable[[], Result]) -> Future[Result]:
        """Run `ask` in the other pool for its result; what it raises is the future's."""
        return self._beside.submit(ask)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the review's own thread, which raises it there
            self._inbox.put(Failed(error=error))
