from __future__ import annotations

import itertools
import threading

import pytest

from bot.github import limits
from bot.github.faults import Cut, Reply
from bot.github.pace import OutOfTimeError, Pace
from bot.review.ports import Stop

OK = Reply(status=200, headers={}, text="{}")
SLOW_DOWN = Reply(status=403, headers={"retry-after": "20"}, text='{"message": "secondary rate limit"}')


def test_a_single_write_and_the_first_few_go_out_at_once(pace: Pace, clock, stop: Stop) -> None:
    for _ in range(limits.FREE_WRITES):
        assert pace.write(lambda: OK, stop=stop) is OK
    assert clock.waits == []


def test_many_writes_are_a_second_apart_and_within_the_limit_of_a_minute(pace: Pace, clock) -> None:
    sent: list[float] = []
    stop = clock.stop(10_000.0)
    for _ in range(200):
        pace.write(lambda: sent.append(clock.now()) or OK, stop=stop)
    assert all(later - one >= limits.SECONDS_BETWEEN_WRITES for one, later in itertools.pairwise(sent[2:]))
    for at in sent:
        assert sum(at <= other < at + 60.0 for other in sent) <= limits.MAX_CONTENT_WRITES_PER_MINUTE


def test_no_hour_has_more_writes_than_github_allows(pace: Pace, clock) -> None:
    sent: list[float] = []
    stop = clock.stop(100_000.0)
    for _ in range(limits.MAX_CONTENT_WRITES_PER_HOUR + 30):
        pace.write(lambda: sent.append(clock.now()) or OK, stop=stop)
    assert sent[limits.MAX_CONTENT_WRITES_PER_HOUR] - sent[0] >= 3600.0


def test_a_pause_that_github_asks_for_is_kept_and_the_write_sent_again(pace: Pace, clock, stop: Stop) -> None:
    answers = [SLOW_DOWN, OK]
    assert pace.write(lambda: answers.pop(0), stop=stop) is OK
    assert clock.waits == [20.0]


def test_a_pause_holds_for_everybody_who_shares_the_account(pace: Pace, clock) -> None:
    with pytest.raises(OutOfTimeError):
        pace.write(lambda: SLOW_DOWN, stop=clock.stop(5.0))
    sent: list[float] = []
    start = clock.now()
    pace.write(lambda: sent.append(clock.now()) or OK, stop=clock.stop(100.0))
    assert sent[0] - start >= 20.0


def test_a_pause_longer_than_the_time_left_is_not_begun(pace: Pace, clock) -> None:
    with pytest.raises(OutOfTimeError) as caught:
        pace.write(lambda: SLOW_DOWN, stop=clock.stop(19.0))
    assert caught.value.wait == 20.0
    assert clock.waits == []


def test_a_server_that_always_says_slow_down_is_left_after_three_tries(pace: Pace, clock) -> None:
    sent: list[int] = []
    with pytest.raises(OutOfTimeError):
        pace.write(lambda: sent.append(1) or SLOW_DOWN, stop=clock.stop(1_000.0))
    assert len(sent) == 3


def test_a_refusal_or_a_lost_answer_is_handed_back_and_never_repeated(pace: Pace, stop: Stop) -> None:
    for answer in (
        Reply(status=403, headers={}, text='{"message": "no"}'),
        Cut(reason="cut"),
        Reply(status=502, headers={}, text=""),
    ):
        sent: list[int] = []
        assert pace.write(lambda a=answer, s=sent: s.append(1) or a, stop=stop) is answer
        assert len(sent) == 1


def test_nothing_is_sent_once_cancelled(pace: Pace, stop: Stop) -> None:
    stop.cancel()
    sent: list[int] = []
    with pytest.raises(OutOfTimeError):
        pace.write(lambda: sent.append(1) or OK, stop=stop)
    assert sent == []


def test_writes_of_two_threads_never_overlap(pace: Pace, clock) -> None:
    inside = 0
    overlaps = []

    def send() -> Reply:
        nonlocal inside
        inside += 1
        threading.Event().wait(0.001)
        overlaps.append(inside)
        inside -= 1
        return OK

    stop = clock.stop(10_000.0)
    threads = [threading.Thread(target=lambda: [pace.write(send, stop=stop) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(overlaps) == 80
    assert set(overlaps) == {1}
