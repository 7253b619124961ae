"""The whole client over real HTTP: for each way an endpoint can fail, how the call ends and what is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bot.model.endpoint import Api
from bot.review.ports import StreamEnd
from bot.sandbox.endpoint import Answer, EndpointServer, Fault, FaultKind, FinishReason, fixed, parse_fault, sequence

WORDS = "one two three four five six seven eight nine ten"
BOTH = pytest.mark.parametrize("api", list(Api))


@BOTH
def test_a_whole_stream_gives_its_text_usage_price_and_times(serve: Callable, caller: Callable, api: Api) -> None:
    server = serve(script=fixed(WORDS), time_info=True)
    seen = caller(server.url, api=api).ask()
    report = seen.report
    assert (report.end, seen.text) == (StreamEnd.WHOLE, WORDS)
    usage = report.usage
    assert usage.calls == 1
    assert usage.output_tokens >= 10
    assert usage.input_tokens > 0
    assert usage.usd == pytest.approx((usage.input_tokens + 2 * usage.output_tokens) / 1e6)
    assert report.started < report.first_token <= report.ended
    assert set(report.endpoint_seconds) == {"queue", "prompt", "completion", "total"}
    assert report.notices == ()


@BOTH
def test_cached_tokens_are_counted_and_cheaper(serve: Callable, caller: Callable, api: Api) -> None:
    server = serve()
    asker = caller(server.url, api=api)
    system = "Rules. " * 1200
    first, second = asker.ask(system=system).report.usage, asker.ask(system=system).report.usage
    assert first.cached_tokens == 0
    assert second.cached_tokens >= 1024
    fresh = second.input_tokens - second.cached_tokens
    assert second.usd == pytest.approx((fresh + 0.5 * second.cached_tokens + 2 * second.output_tokens) / 1e6)


FAULTS = [
    ("cut:3", StreamEnd.CUT, 3),
    ("early-end:3", StreamEnd.CUT, 3),
    ("early-end:0", StreamEnd.CUT, 0),
    ("hang-up", StreamEnd.CUT, 0),
    ("stall:3", StreamEnd.STALLED, 3),
    ("stall:0", StreamEnd.STALLED, 0),
    ("garbage:3", StreamEnd.GARBLED, 3),
    ("error-event:3", StreamEnd.SERVER_ERROR, 3),
    ("failed:3", StreamEnd.SERVER_ERROR, 3),
    ("length:3", StreamEnd.LENGTH, 3),
    ("content-filter:3", StreamEnd.REFUSED, 3),
    ("refusal", StreamEnd.REFUSED, 0),
    ("html", StreamEnd.NOT_A_STREAM, 0),
    ("500", StreamEnd.SERVER_ERROR, 0),
    ("502", StreamEnd.SERVER_ERROR, 0),
    ("503", StreamEnd.SERVER_ERROR, 0),
    ("418", StreamEnd.REJECTED, 0),
    ("json", StreamEnd.WHOLE, 10),
    ("empty", StreamEnd.WHOLE, 0),
    ("no-usage", StreamEnd.WHOLE, 10),
    ("crlf", StreamEnd.WHOLE, 10),
    ("shredded", StreamEnd.WHOLE, 10),
]


@BOTH
@pytest.mark.parametrize(("fault", "end", "words"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_each_fault_has_its_end_and_the_text_before_it_is_kept(
    serve: Callable, caller: Callable, api: Api, fault: str, end: StreamEnd, words: int
) -> None:
    server = serve(script=fixed(WORDS), faults=[parse_fault(fault)])
    asker = caller(server.url, api=api)
    seen = asker.ask(deadline=3.0)
    assert seen.report.end is end, seen
    assert seen.text.split() == WORDS.split()[:words]
    assert seen.report.usage.calls == 1
    # What was said is counted, whether or not the endpoint came to report it.
    assert (seen.report.usage.output_tokens > 0) == (words > 0 or fault == "refusal"), seen.report.usage
    assert seen.report.usage.usd is not None
    if end is not StreamEnd.WHOLE:
        assert seen.report.detail or end is StreamEnd.STALLED
    # The fault has cost this call alone.
    assert asker.ask().report.end is StreamEnd.WHOLE
    assert len(server.requests) == 2


@BOTH
def test_a_drip_that_never_stalls_ends_with_the_deadline(serve: Callable, caller: Callable, api: Api) -> None:
    server = serve(script=fixed(WORDS), faults=[parse_fault("slow-drip:0.1")])
    seen = caller(server.url, api=api).ask(deadline=0.45)
    assert seen.report.end is StreamEnd.DEADLINE
    assert 1 <= len(seen.text.split()) < 10
    assert 0.4 < seen.seconds < 0.9
    assert server.wait_until(lambda log: log[0].client_gone)


def test_a_stall_beyond_the_deadline_ends_with_the_deadline(serve: Callable, caller: Callable) -> None:
    server = serve(script=fixed(WORDS), faults=[parse_fault("stall:2")])
    seen = caller(server.url).ask(deadline=0.25)
    assert seen.report.end is StreamEnd.DEADLINE
    assert seen.seconds < 1.2


def test_a_call_without_time_is_not_sent(serve: Callable, caller: Callable) -> None:
    server = serve()
    asker = caller(server.url)
    asker.ask()
    seen = asker.ask(deadline=0.0)
    assert (seen.report.end, seen.report.usage.calls) == (StreamEnd.DEADLINE, 0)
    assert len(server.requests) == 1


def test_reasoning_keeps_a_call_alive_and_is_no_text(serve: Callable, caller: Callable) -> None:
    thoughts = "hmm " * 40
    server = serve(script=sequence([Answer(text=WORDS, reasoning=thoughts, tps=60)]))
    seen = caller(server.url).ask()
    assert (seen.report.end, seen.text) == (StreamEnd.WHOLE, WORDS)
    assert seen.seconds > 0.6
    assert seen.report.usage.output_tokens >= 50


def test_an_answer_at_its_limit_is_not_whole(serve: Callable, caller: Callable) -> None:
    server = serve(script=sequence([Answer(text=WORDS, finish_reason=FinishReason.LENGTH), "x"]))
    assert caller(server.url).ask().report.end is StreamEnd.LENGTH
    assert caller(serve(script=fixed(WORDS)).url).ask(max_output_tokens=4).report.end is StreamEnd.LENGTH


def test_usage_that_is_not_reported_is_estimated_and_told_once(serve: Callable, caller: Callable) -> None:
    server = serve(script=fixed(WORDS), faults=[Fault(kind=FaultKind.NO_USAGE), Fault(kind=FaultKind.NO_USAGE)])
    asker = caller(server.url)
    first, second = asker.ask().report, asker.ask().report
    assert first.usage == second.usage
    assert (first.usage.input_tokens, first.usage.output_tokens) == (20, -(-len(WORDS) // 4))
    assert first.notices == ("The endpoint reports no token usage: tokens and cost are estimated",)
    assert second.notices == ()


def test_the_estimate_of_a_cut_call_counts_its_text_and_its_prompt(serve: Callable, caller: Callable) -> None:
    server = serve(script=fixed(WORDS), faults=[parse_fault("cut:5")])
    report = caller(server.url).ask().report
    assert report.usage.input_tokens == 20
    assert report.usage.output_tokens == 6
    assert report.usage.usd == pytest.approx((20 + 2 * 6) / 1e6)


def test_a_call_that_was_refused_costs_nothing(serve: Callable, caller: Callable) -> None:
    server = serve(faults=[parse_fault("500")])
    usage = caller(server.url).ask().report.usage
    assert (usage.input_tokens, usage.output_tokens, usage.usd, usage.calls) == (0, 0, 0.0, 1)


def test_without_a_price_the_cost_is_unknown_and_not_zero(serve: Callable, caller: Callable) -> None:
    assert caller(serve().url, prices="").ask().report.usage.usd is None


def test_an_endpoint_that_is_not_there_is_unreachable(caller: Callable) -> None:
    seen = caller("http://127.0.0.1:1/v1").ask()
    assert seen.report.end is StreamEnd.UNREACHABLE
    assert "refused" in seen.report.detail
    assert seen.report.usage.input_tokens == 0


def test_a_host_without_an_address_is_unreachable(caller: Callable) -> None:
    assert caller("http://no-such-host.invalid/v1").ask().report.end is StreamEnd.UNREACHABLE


def test_tls_to_a_server_without_tls_is_unreachable(serve: Callable, caller: Callable) -> None:
    url = serve().url.replace("http:", "https:")
    assert caller(url).ask().report.end is StreamEnd.UNREACHABLE


def test_many_streams_at_once_are_kept_apart(serve: Callable, caller: Callable) -> None:
    server: EndpointServer = serve(script=lambda request: Answer(text=f"{request.user} " * 50))
    asker = caller(server.url)
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        seen = asker.ask(user=f"n{number}")
        assert seen.report.end is StreamEnd.WHOLE
        found[number] = seen.text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"n{number} " * 50 for number in range(32)}


def test_the_prompt_is_sent_as_system_and_user_and_bytes_that_are_no_text_do_no_harm(
    serve: Callable, caller: Callable
) -> None:
    for api, key in ((Api.CHAT, "messages"), (Api.RESPONSES, "input")):
        server = serve()
        assert caller(server.url, api=api).ask(user="caf\udce9").report.end is StreamEnd.WHOLE
        body = server.requests[0].body
        text = body["messages"][1]["content"] if api is Api.CHAT else body[key]
        assert text == "caf\ufffd"
        system = body["messages"][0]["content"] if api is Api.CHAT else body["instructions"]
        assert system == "You review code."
        assert body["stream"] is True
