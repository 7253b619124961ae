"""llmock as an independent judge of the whole way of one stream: the review's prompt, the client, the repeat, the decoder.

`test_judged_from_outside.py` judges the client alone. Here the use case's own `run_stream` decides what is tried again,
the answers carry findings, and what is kept of them is looked at too.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from bot.diff.parse import read_patch
from bot.model.endpoint import Api
from bot.review.config import RepoConfig
from bot.review.model import Change, Effort
from bot.review.plan import PlanBudget, make_plan
from bot.review.prompt import review_prompt
from bot.review.scope import PassName
from bot.review.streams import Gauge, Heard, Retried, StreamDone, run_stream
from bot.sandbox.endpoint.shown import read_shown

pytestmark = pytest.mark.filterwarnings("ignore")  # The judge's own server warns about its own libraries.
BOTH = pytest.mark.parametrize("api", list(Api))
CODE = "def f(x):\n    if x == None:\n        return eval(x)\n"
DIFF = "diff --git a/{0} b/{0}\nnew file mode 100644\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1,3 @@\n" + "".join(
    f"+{line}\n" for line in CODE.splitlines()
)


def streamed(asker, names=("a.py",), seconds=8.0):
    """Review one new file a name, all at once, as the use case does. Gives what was told, in order, per file."""
    patch = read_patch("".join(DIFF.format(name) for name in names).encode())
    change = Change(patch=patch, base="a", head="b")
    plan = make_plan(change, patch.files, (), head_text=lambda _path: CODE, budget=PlanBudget())
    stop = asker.stop(seconds)
    told: dict[int, list[object]] = {chunk.id: [] for chunk in plan.chunks}

    def run(chunk):
        name = PassName("review")
        prompt = review_prompt(change, chunk, pass_name=name, effort=Effort.INSTANT, config=RepoConfig())
        add = told[chunk.id].append
        run_stream(asker.model, prompt, chunk=chunk, pass_name=name, stop=stop, gauge=Gauge(), tell=add)

    threads = [threading.Thread(target=run, args=(chunk,)) for chunk in plan.chunks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(told.values())


def answer() -> str:
    """Two findings on the lines of `CODE`, as their tags are in any file of that text."""
    patch = read_patch(DIFF.format("a.py").encode())
    change = Change(patch=patch, base="a", head="b")
    [chunk] = make_plan(change, patch.files, (), head_text=lambda _path: CODE, budget=PlanBudget()).chunks
    prompt = review_prompt(change, chunk, pass_name=PassName("review"), effort=Effort.INSTANT, config=RepoConfig())
    tags = [line.tag for line in read_shown(prompt.user) if line.added]
    lines = [
        {"at": tag, "body": "It is wrong.", "category": "bug", "severity": "high", "title": f"Wrong at {tag}"}
        for tag in tags[1:]
    ]
    return "".join(json.dumps(line) + "\n" for line in [*lines, {"end": True}])


@pytest.fixture
def asker(llmock, caller: Callable) -> Callable[[Api], object]:
    llmock.reply(answer(), times=None)
    return lambda api: caller(llmock.base_url(), api=api, model="gpt-4o", prices="", key="sk-test")


def heard(told) -> set[str]:
    return {each.raw.title for each in told if isinstance(each, Heard)}


FAULTS = {
    "disconnect": lambda judge: judge.disconnect(after_chunks=20),
    "truncate": lambda judge: judge.truncate(after_chunks=20),
    "corrupt": lambda judge: judge.corrupt(after_chunks=20),
    "stall": lambda judge: judge.stall(after_chunks=20, seconds=2.0),
    "500": lambda judge: judge.fail(500),
    "502": lambda judge: judge.fail(502),
    "429": lambda judge: judge.rate_limit(times=2, retry_after=0.2),
    "503": lambda judge: judge.fail(503, times=2, retry_after=0.2),
    "truncate and 429": lambda judge: judge.truncate(after_chunks=5).rate_limit(retry_after=0.2),
}


@BOTH
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_after_a_fault_everything_is_there_and_the_judge_has_no_word_to_say(llmock, asker, api, fault):
    fault(llmock)
    [told] = streamed(asker(api))
    done = told[-1]
    assert isinstance(done, StreamDone)
    assert done.hole == ""
    assert len(heard(told)) == 2
    assert sum(isinstance(each, Retried) for each in told) <= 1
    # The judge takes a repeat for another call when it had sent the whole broken stream before we hung up.
    unseen = {"malformed_chunk_ignored"} if any(isinstance(each, Retried) for each in told) else set()
    assert {finding.code for finding in llmock.verdict().findings} <= unseen, llmock.verdict().render()


@BOTH
def test_an_outage_is_a_hole_and_no_storm(llmock, asker, api):
    model = asker(api)
    llmock.outage()
    [told] = streamed(model, seconds=3.0)
    assert told[-1].hole
    assert len(llmock.requests) <= 8
    llmock.assert_resilient()


@BOTH
@pytest.mark.parametrize("status", [400, 422])
def test_what_no_repeat_can_mend_is_not_repeated(llmock, asker, api, status):
    model = asker(api)
    llmock.fail(status, times=None)
    [told] = streamed(model, seconds=3.0)
    assert told[-1].hole
    assert not any(isinstance(each, Retried) for each in told)
    llmock.assert_resilient(strict=True)


def test_a_cut_on_both_tries_is_a_hole_that_keeps_what_was_heard(llmock, asker):
    model = asker(Api.CHAT)
    llmock.truncate(after_chunks=20, times=2)
    [told] = streamed(model)
    assert "cut" in told[-1].hole
    assert len(heard(told)) == 1


def test_quotas_slow_many_streams_down_and_stop_none(llmock, asker):
    model = asker(Api.CHAT)
    llmock.limits(rpm=300)
    every = streamed(model, [f"file{number}.py" for number in range(12)])
    assert [told[-1].hole for told in every] == [""] * 12
    assert all(len(heard(told)) == 2 for told in every)
    llmock.assert_resilient()
