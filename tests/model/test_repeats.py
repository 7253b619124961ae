"""What a call does before its first byte of text: waits that a 429 asks for, parameters left out, errors for the user."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bot.errors import ConfigError, CredentialsError
from bot.model.budget import Budget
from bot.model.call import MOST_WAITS
from bot.model.endpoint import Api
from bot.review.ports import StreamEnd
from bot.sandbox.endpoint import Answer, EndpointServer, fixed, parse_fault

BOTH = pytest.mark.parametrize("api", list(Api))
KEY = "sk-test-0123456789abcdef"


@pytest.mark.parametrize("fault", ["429:0.2", "429:200ms"])
def test_a_429_is_waited_for_as_long_as_it_asks_and_repeated(serve: Callable, caller: Callable, fault: str) -> None:
    server = serve(script=fixed("done"), faults=[parse_fault(fault)])
    seen = caller(server.url).ask()
    assert (seen.report.end, seen.text) == (StreamEnd.WHOLE, "done")
    assert seen.seconds >= 0.2
    first, second = server.requests
    assert second.started - first.started >= 0.2
    assert seen.report.notices == ("The endpoint made us wait 0.2 s (HTTP 429)",)
    assert seen.report.started >= second.started - 0.1


def test_an_overloaded_endpoint_that_names_its_time_is_waited_for(serve: Callable, caller: Callable) -> None:
    server = serve(faults=[parse_fault("503:0.2"), parse_fault("503:60")])
    asker = caller(server.url)
    assert asker.ask().report.end is StreamEnd.RATE_LIMITED
    first, second = server.requests
    assert second.started - first.started >= 0.2


def test_a_429_with_a_date_is_waited_for(serve: Callable, caller: Callable) -> None:
    server = serve(faults=[parse_fault("429:0.1date")])
    seen = caller(server.url).ask()
    assert seen.report.end is StreamEnd.WHOLE
    # A date has whole seconds, so the wait is somewhere up to two.
    assert 0.04 <= seen.seconds <= 2.6


def test_a_429_that_does_not_say_how_long_is_waited_for_too(serve: Callable, caller: Callable) -> None:
    server = serve(faults=[parse_fault("429")])
    seen = caller(server.url).ask()
    assert seen.report.end is StreamEnd.WHOLE
    assert seen.seconds >= 0.5


@pytest.mark.parametrize("fault", ["429:60", "429:3600date", "429:2"])
def test_a_429_longer_than_what_is_left_ends_the_call_at_once(serve: Callable, caller: Callable, fault: str) -> None:
    server = serve(faults=[parse_fault(fault)])
    seen = caller(server.url).ask(deadline=1.0)
    assert seen.report.end is StreamEnd.RATE_LIMITED
    assert "Rate limit reached" in seen.report.detail
    assert seen.seconds < 0.9
    assert len(server.requests) == 1


def test_a_429_for_ever_is_given_up_after_a_few_waits(serve: Callable, caller: Callable) -> None:
    server = serve(faults=[parse_fault("429:0.01")] * 50)
    assert caller(server.url).ask().report.end is StreamEnd.RATE_LIMITED
    assert len(server.requests) == MOST_WAITS + 1


@pytest.mark.parametrize(
    ("api", "rejects", "reason"),
    [
        (Api.CHAT, {"max_tokens"}, True),
        (Api.CHAT, {"temperature"}, True),
        (Api.CHAT, {"stream_options"}, True),
        (Api.CHAT, {"reasoning_effort"}, False),
        (Api.CHAT, {"max_tokens", "max_completion_tokens", "temperature", "stream_options", "reasoning_effort"}, False),
        (Api.RESPONSES, {"temperature", "max_output_tokens", "store"}, True),
        (Api.RESPONSES, {"reasoning"}, False),
        (Api.RESPONSES, {"reasoning.effort"}, False),
    ],
)
def test_a_rejected_parameter_is_left_out_and_remembered(
    serve: Callable, caller: Callable, api: Api, rejects: set[str], reason: bool
) -> None:
    server = serve(script=fixed("done"), rejects=frozenset(rejects))
    asker = caller(server.url, api=api)
    first = asker.ask(reason=reason)
    assert (first.report.end, first.text) == (StreamEnd.WHOLE, "done")
    refused = [request for request in server.requests if request.status == 400]
    assert len(refused) == len(first.report.notices if "stream_options" not in rejects else first.report.notices[:-1])
    for name in rejects:
        assert any(name.split(".")[0] in notice or "reasoning" in notice for notice in first.report.notices)
    before = len(server.requests)
    second = asker.ask(reason=reason)
    assert second.report.end is StreamEnd.WHOLE
    assert len(server.requests) == before + 1
    assert second.report.notices == ()


def test_many_calls_that_learn_at_once_tell_it_once(serve: Callable, caller: Callable) -> None:
    server = serve(rejects=frozenset({"max_tokens", "temperature"}))
    asker = caller(server.url)
    gate = threading.Barrier(8)
    reports = []

    def ask() -> None:
        gate.wait()
        reports.append(asker.ask().report)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {report.end for report in reports} == {StreamEnd.WHOLE}
    assert sorted(len(report.notices) for report in reports) == [0] * 7 + [2]


def test_a_prompt_too_long_for_the_model_is_rejected_in_its_own_words(serve: Callable, caller: Callable) -> None:
    server = serve(context=500)
    report = caller(server.url).ask(max_output_tokens=2000).report
    assert report.end is StreamEnd.REJECTED
    assert "maximum context length is 500 tokens" in report.detail
    assert len(server.requests) == 1


@BOTH
def test_an_unknown_model_lists_those_there_are(serve: Callable, caller: Callable, api: Api) -> None:
    server = serve(models=tuple(f"model-{number:02}" for number in range(30)))
    with pytest.raises(ConfigError) as caught:
        caller(server.url, api=api, model="spark-9", prices="").ask()
    words = str(caught.value)
    assert "has no model spark-9" in words
    assert "It has model-00, model-01, " in words
    assert "model-19 and 10 more" in words
    assert "SPARK_MODEL" in words
    assert caught.value.exit_code == 2


def test_many_calls_for_an_unknown_model_list_the_models_once(serve: Callable, caller: Callable) -> None:
    server = serve()
    asker = caller(server.url, model="spark-9", prices="")
    for _ in range(3):
        with pytest.raises(ConfigError, match="spark-stand-in"):
            asker.ask()
    assert [request.path for request in server.requests].count("/v1/models") == 1


def test_a_wrong_url_is_the_users_to_mend(serve: Callable, caller: Callable) -> None:
    url = serve().url.removesuffix("/v1") + "/v7"
    with pytest.raises(ConfigError, match=r"neither the model \S+ \(.*\) nor a list of models .*SPARK_BASE_URL"):
        caller(url).ask()


@BOTH
def test_a_refused_key_names_the_setting_and_never_the_key(serve: Callable, caller: Callable, api: Api) -> None:
    server = serve(api_key="other")
    with pytest.raises(CredentialsError) as caught:
        caller(server.url, api=api, key=KEY, key_source="OPENAI_API_KEY").ask()
    words = str(caught.value)
    assert "the key from OPENAI_API_KEY" in words
    assert "SPARK_API_KEY" in words
    assert KEY not in words
    assert KEY not in repr(caught.value.__context__)


def test_a_missing_key_is_asked_for(serve: Callable, caller: Callable) -> None:
    with pytest.raises(CredentialsError, match=r"wants a key.*Set SPARK_API_KEY"):
        caller(serve(api_key="other").url).ask()


def test_the_key_is_sent_and_accepted(serve: Callable, caller: Callable) -> None:
    assert caller(serve(api_key=KEY).url, key=KEY).ask().report.end is StreamEnd.WHOLE


def test_the_models_are_listed(serve: Callable, caller: Callable) -> None:
    asker = caller(serve(models=("b", "a")).url)
    assert asker.model.list_models(stop=asker.stop()) == ["a", "b"]
    nowhere = caller("http://127.0.0.1:1/v1")
    with pytest.raises(ConfigError, match="does not list its models"):
        nowhere.model.list_models(stop=nowhere.stop())


def test_a_call_that_would_pass_the_budget_is_not_sent(serve: Callable, caller: Callable) -> None:
    server = serve(script=fixed("one two three"))
    budget = Budget(0.0025)
    asker = caller(server.url, budget=budget)
    first = asker.ask(max_output_tokens=1000)
    assert first.report.end is StreamEnd.WHOLE
    # What was reserved and not used is free again.
    assert budget.spent == pytest.approx(first.report.usage.usd)
    second = asker.ask(max_output_tokens=1300)
    assert second.report.end is StreamEnd.BUDGET
    assert second.report.usage.calls == 0
    assert second.report.detail.startswith("$0.00")
    assert len(server.requests) == 1


def test_parallel_calls_never_pass_the_budget_together(serve: Callable, caller: Callable) -> None:
    server = serve(script=fixed("word " * 100))
    budget = Budget(0.005)
    asker = caller(server.url, budget=budget)
    reports = []
    threads = [
        threading.Thread(target=lambda: reports.append(asker.ask(max_output_tokens=1000).report)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends = [report.end for report in reports]
    assert StreamEnd.BUDGET in ends
    assert StreamEnd.WHOLE in ends
    assert budget.spent <= 0.005
    assert budget.spent == pytest.approx(sum(report.usage.usd for report in reports))


def test_a_call_for_which_the_day_has_no_money_is_not_sent_and_says_so(serve: Callable, caller: Callable) -> None:
    class Spent:
        limited = True

        def take(self, usd: float, *, spent: float) -> float:
            return 0.0

        def close(self, spent: float) -> None:
            pass

    server = serve(script=fixed("one two three"))
    report = caller(server.url, budget=Budget(None, purse=Spent())).ask(max_output_tokens=1000).report
    assert report.end is StreamEnd.DAY_BUDGET
    assert report.end.value == "the day's budget is used up"
    assert "no room for the next call" in report.detail
    assert len(server.requests) == 0


def test_a_failed_call_gives_its_reservation_back(serve: Callable, caller: Callable) -> None:
    server = serve(faults=[parse_fault("500")])
    budget = Budget(0.0025)
    asker = caller(server.url, budget=budget)
    assert asker.ask(max_output_tokens=1000).report.end is StreamEnd.SERVER_ERROR
    assert budget.spent == 0.0
    assert asker.ask(max_output_tokens=1000).report.end is StreamEnd.WHOLE


def test_a_budget_without_a_known_price_is_the_users_to_mend(caller: Callable) -> None:
    with pytest.raises(ConfigError, match="SPARK_PRICES"):
        caller("http://127.0.0.1:1/v1", prices="", budget=Budget(1.0))


def test_a_model_with_another_budget_shares_what_was_learned(serve: Callable, caller: Callable) -> None:
    server = serve(rejects=frozenset({"temperature"}))
    asker = caller(server.url)
    asker.ask()
    before = len(server.requests)
    other = Budget(0.0)
    asker.model = asker.model.with_budget(other)
    assert asker.ask().report.end is StreamEnd.BUDGET
    asker.model = asker.model.with_budget(Budget(1.0))
    assert asker.ask().report.end is StreamEnd.WHOLE
    assert len(server.requests) == before + 1


def test_a_sink_that_raises_is_heard_and_its_call_is_paid(serve: Callable, caller: Callable, prompt: Callable) -> None:
    server: EndpointServer = serve(script=lambda _request: Answer(text="word " * 500))
    budget = Budget(1.0)
    asker = caller(server.url, budget=budget)

    def sink(_text: str) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asker.model.stream(prompt(), sink=sink, stop=asker.stop())
    assert server.wait_until(lambda log: log[0].client_gone)
    assert budget.spent > 0


def test_warming_up_sends_nothing(serve: Callable, caller: Callable) -> None:
    server = serve()
    asker = caller(server.url)
    asker.model.warm()
    asker.ask()
    assert len(server.requests) == 1
