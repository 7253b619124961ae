"""Threads that are used again, and the crew that hands them its work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from bot.review.crew import Crew
from bot.review.threads import Threads


def wait_for(what, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.002)


def alive(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_a_thread_that_is_free_is_used_again() -> None:
    threads = Threads("again")
    seen: list[int] = []
    for _ in range(20):
        done = threading.Event()
        threads.run(lambda done=done: (seen.append(threading.get_ident()), done.set()))
        assert done.wait(10)
        wait_for(lambda: threads._idle == 1)
    assert len(set(seen)) == 1
    assert alive("again") == 1


def test_work_that_waits_never_waits_for_a_thread() -> None:
    threads = Threads("many", rest=0.05)
    together = threading.Barrier(41)
    for _ in range(40):
        threads.run(lambda: together.wait(10))
    together.wait(10)
    wait_for(lambda: alive("many") == 0)
    assert threads._idle == 0


def test_threads_that_leave_and_work_that_comes_never_miss_each_other() -> None:
    threads = Threads("race", rest=0.0)
    done = threading.Semaphore(0)
    for _ in range(2_000):
        threads.run(done.release)
    for _ in range(2_000):
        assert done.acquire(timeout=10)
    wait_for(lambda: alive("race") == 0)
    assert threads._idle == 0


def test_a_crew_runs_no_more_at_once_than_it_may_and_all_of_it_in_turn() -> None:
    most, running, order = [0], [0], []
    lock = threading.Lock()

    def work(number: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.001)
        with lock:
            running[0] -= 1
            order.append(number)

    crew: Crew[int] = Crew(streams=3, on_error=lambda: None, threads=Threads("turn"))
    with crew:
        for number in range(30):
            crew.stream(lambda number=number: (work(number), crew.tell(number)))
        assert sorted(crew.next(within=10) for _ in range(30)) == list(range(30))
    assert most[0] <= 3
    assert sorted(order) == list(range(30))


def test_a_crew_that_ends_forgets_what_has_not_begun_and_waits_for_what_has() -> None:
    go, done = threading.Event(), []
    crew: Crew[int] = Crew(streams=1, on_error=go.set, threads=Threads("end"))

    def fail() -> None:
        with crew:
            crew.stream(lambda: (go.wait(10), time.sleep(0.02), done.append("begun")))
            crew.stream(lambda: done.append("never"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert done == ["begun"]


def test_what_a_thread_raises_comes_through_the_inbox_or_the_future() -> None:
    crew: Crew[int] = Crew(streams=1, on_error=lambda: None)
    with crew:
        asked = crew.look_up(lambda: {}["a"])
        with pytest.raises(KeyError):
            asked.result(10)
        crew.beside(lambda: int("x"))
        with pytest.raises(ValueError):
            crew.next(within=10)


class Interrupted(Threads):
    """Ctrl-C strikes while work is handed over: a thread has it already, is done with it, was not started, or begins later."""

    def __init__(self, when: str) -> None:
        super().__init__("interrupted")
        self._when = when
        self.late = threading.Event()

    def run(self, work: Callable[[], None]) -> None:
        if self._when == "taken":
            super().run(work)
            time.sleep(0.02)
        elif self._when == "done":
            over = threading.Event()
            super().run(lambda: (work(), over.set()))
            assert over.wait(10)
        elif self._when == "late":
            super().run(lambda: (self.late.wait(10), work()))
        raise KeyboardInterrupt


@pytest.mark.parametrize(("when", "expected"), [("taken", ["done"]), ("done", ["done"]), ("never", []), ("late", [])])
def test_a_crew_that_is_interrupted_while_it_hands_work_over_still_comes_home(when: str, expected: list[str]) -> None:
    go, done, threads = threading.Event(), [], Interrupted(when)
    if when == "done":
        go.set()
    crew: Crew[int] = Crew(streams=1, on_error=go.set, threads=threads)
    at_home: list[list[str]] = []

    def review() -> None:
        with pytest.raises(KeyboardInterrupt), crew:
            crew.stream(lambda: (go.wait(10), time.sleep(0.02), done.append("done")))
        at_home.append(list(done))

    home = threading.Thread(target=review, daemon=True)
    home.start()
    home.join(10)
    assert not home.is_alive(), "it waits for a thread that is not there"
    threads.late.set()
    wait_for(lambda: threads._idle == (when != "never"))
    assert [*at_home, done] == [expected, expected]
