"""A gate is no dice: whatever the endpoint answers the next time, a head that has its verdict keeps it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from bot.sandbox.endpoint.answers import Answer, EndpointRequest
from bot.sandbox.endpoint.reviewer import Asked, asked, reviewer
from bot.sandbox.endpoint.shown import read_shown
from bot.sandbox.github import talk

GATE = "gate:\n  fail_on: high\n"
QUIET = {"one.py": b"def f(a):\n    b = a + 1\n    return b\n"}
END = '{"end": true}\n'
NONE = f'{{"none": true}}\n{END}'
RERUNS = 20


def fickle(*, first_finds: bool) -> Any:
    """Finds a critical defect each second time that it is asked for a review, and confirms whatever it is asked about."""
    calls, other = itertools.count(0 if first_finds else 1), reviewer()

    def script(request: EndpointRequest) -> Answer:
        if asked(request.system or request.user) is not Asked.REVIEW:
            return other(request)
        number = next(calls)
        if number % 2:
            return Answer(text=NONE)
        line = next(line for line in read_shown(request.user) if line.added)
        finding = {
            **({"path": line.path} if line.path else {}),
            "at": line.tag,
            "severity": "critical",
            "category": "bug",
            "title": f"Thing {number}",
            "body": "It is wrong.",
            "suggestion": None,
        }
        return Answer(text=f"{json.dumps(finding)}\n{END}")

    return script


def again(stage: Any, pull: Any, at: int, inputs: Mapping[str, str]) -> Any:
    """One more run on the same head, by another event than the last one."""
    if at % 3 == 2:
        payload = stage.payload("pull_request", "opened", pull=pull)
        asked_for = {"repository": payload["repository"], "inputs": {"pull": str(pull.number)}}
        return stage.run("workflow_dispatch", asked_for, **inputs)
    return stage.on_pull(pull, ["reopened", "synchronize"][at % 3], **inputs)


@pytest.mark.parametrize(("first_finds", "code", "verdict"), [(True, 1, "fail"), (False, 0, "pass")])
def test_twenty_runs_on_one_head_have_one_verdict(
    stage: Any, another_endpoint: Any, first_finds: bool, code: int, verdict: str
) -> None:
    endpoint = another_endpoint(script=fickle(first_finds=first_finds))
    pull = stage.open(GATE, after=QUIET)
    inputs = {"endpoint": endpoint.url, "effort": "instant"}
    first = stage.on_pull(pull, **inputs)
    assert (first.code, first.outputs["verdict"]) == (code, verdict), first.log
    asked_once, reviews = len(endpoint.requests), len(stage.reviews())
    runs = [again(stage, pull, at, inputs) for at in range(RERUNS)]
    assert {(run.code, run.outputs["verdict"], run.outputs["reason"]) for run in runs} == {
        (code, verdict, first.outputs["reason"])
    }
    assert len(endpoint.requests) == asked_once, "a run that has its verdict asks nobody"
    assert len(stage.reviews()) == reviews

    said = talk.say(stage.repo, pull.number, "/spark review", by="mona")
    anew = stage.run("issue_comment", stage.payload("issue_comment", "created", pull=pull, comment=said), **inputs)
    assert len(endpoint.requests) > asked_once, "who asks for a new look gets one"
    assert anew.outputs["verdict"] == "fail"
