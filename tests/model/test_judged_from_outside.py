"""An independent judge: llmock breaks streams, sees every attempt, and says what the client did wrong.

It cannot see our reports, only requests: a call is judged together with the one repeat that the use case gives it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.model.endpoint import Api, HttpOptions
from bot.review.ports import StreamEnd

BOTH = pytest.mark.parametrize("api", list(Api))
ANY = pytest.mark.filterwarnings("ignore")  # The judge's own server warns about its own libraries.

Ask = Callable[[Api], list[StreamEnd]]

PATIENT = HttpOptions(connect_seconds=4.0, stall_seconds=2.5, reasoning_seconds=2.5)
"""The judge's server is slow on a busy machine, and that is no stall."""


@pytest.fixture
def ask(llmock, caller: Callable) -> Ask:
    """Asks as the use case does: a second time when that may end better. Gives the end of each try."""

    def asking(api: Api) -> list[StreamEnd]:
        asker = caller(llmock.base_url(), api=api, model="gpt-4o", prices="", key="sk-test", http=PATIENT)
        ends = [asker.ask().report.end]
        if ends[0].worth_retrying:
            ends.append(asker.ask().report.end)
        return ends

    return asking


@ANY
@BOTH
@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (lambda judge: judge.disconnect(after_chunks=2), StreamEnd.CUT),
        (lambda judge: judge.truncate(after_chunks=2), StreamEnd.CUT),
        (lambda judge: judge.corrupt(after_chunks=2), StreamEnd.GARBLED),
        (lambda judge: judge.stall(after_chunks=2, seconds=4.0), StreamEnd.STALLED),
        (lambda judge: judge.fail(500), StreamEnd.SERVER_ERROR),
    ],
    ids=["disconnect", "truncate", "corrupt", "stall", "500"],
)
def test_a_broken_answer_is_seen_and_got_over(llmock, ask: Ask, api: Api, fault: Callable, end: StreamEnd) -> None:
    fault(llmock)
    assert ask(api) == [end, StreamEnd.WHOLE]
    llmock.assert_resilient()


@ANY
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_is_asked_for_is_waited(llmock, ask: Ask, status: int) -> None:
    llmock.fail(status, times=2, retry_after=0.2)
    assert ask(Api.CHAT) == [StreamEnd.WHOLE]
    llmock.assert_resilient()


@ANY
def test_a_prompt_that_is_too_long_is_not_sent_again(llmock, ask: Ask) -> None:
    llmock.context_overflow()
    assert ask(Api.CHAT) == [StreamEnd.REJECTED]
    llmock.assert_resilient(strict=True)


@ANY
def test_the_judge_finds_fault_with_a_client_that_does_not_repeat(llmock, caller: Callable) -> None:
    llmock.truncate(after_chunks=2)
    asker = caller(llmock.base_url(), model="gpt-4o", prices="", key="sk-test", http=PATIENT)
    assert asker.ask().report.end is StreamEnd.CUT
    with pytest.raises(AssertionError, match="truncated_stream_accepted"):
        llmock.assert_resilient()
