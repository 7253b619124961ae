"""One run inside Actions, in process, over real HTTP: the stand-in GitHub with a workflow's token, and an endpoint."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.action.run import run
from bot.cli import action
from bot.errors import UserError
from bot.sandbox.endpoint.faults import Fault as Trouble
from bot.sandbox.endpoint.faults import FaultKind
from bot.sandbox.github import Fault

GATE = "gate:\n  fail_on: high\n"
FORK_REASON = "the pull request comes from a fork, so the token of this run may write nothing"
NAMES = list(yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_text(encoding="utf-8"))["outputs"])
READ_ONLY = {"metadata": "read", "contents": "read", "pull_requests": "read", "issues": "read"}
FINE = {"one.py": b"def f(a):\n    return a + 1\n"}


# -- where the review is told --------------------------------------------------------------------------------------


def test_a_pull_request_is_reviewed_and_the_review_is_told_once(stage) -> None:
    ran = stage.on_pull(stage.open())
    assert ran.code == 0, ran.log
    (review,) = stage.reviews()
    assert list(ran.outputs) == NAMES
    assert ran.outputs["verdict"] == "pass"
    assert ran.outputs["review-url"].endswith(f"-{review.id}")
    assert int(ran.outputs["findings"]) >= 3
    assert ran.outputs["highest-severity"] == "high"
    assert 0 < float(ran.outputs["seconds-to-first-finding"]) < float(ran.outputs["seconds-total"])
    assert float(ran.outputs["usd"]) > 0
    assert ran.beside == []
    assert [each.name for each in ran.commands] == ["notice"]
    assert ran.page.startswith("## Spark · Pass")
    assert "High · security · two.py:5" in ran.log


def test_a_finding_of_the_gates_level_fails_the_job_and_stands_on_the_pull(stage) -> None:
    ran = stage.on_pull(stage.open(GATE))
    assert (ran.code, ran.outputs["verdict"], len(stage.reviews())) == (1, "fail", 1)
    (said,) = ran.said("error")
    assert "of high or above" in said
    assert ran.beside == []


def test_the_input_fail_on_goes_before_the_configuration(stage) -> None:
    pull = stage.open(GATE)
    assert stage.on_pull(pull, fail_on="never").code == 0
    assert stage.on_pull(pull, fail_on="low", api_key="", base_url="").code == 1


def test_a_forks_findings_are_beside_the_code_and_in_the_summary_and_nothing_is_written(stage) -> None:
    stage.permit(READ_ONLY)
    pull = stage.open(GATE, fork="ann")
    stage.github.requests.clear()
    ran = stage.on_pull(pull)
    assert (ran.code, ran.outputs["verdict"], ran.outputs["review-url"]) == (1, "fail", "")
    assert {each.properties["file"] for each in ran.beside} == {"one.py", "two.py"}
    assert len(ran.beside) == int(ran.outputs["findings"])
    assert FORK_REASON in ran.page
    assert "<details open>" in ran.page
    assert stage.reviews() == []
    sent = [seen for seen in stage.github.requests if seen.method != "GET" and seen.path != "/graphql"]
    assert sent == []
    assert ran.said("warning") == []


@pytest.mark.parametrize(("actor", "why"), [("mona", ""), ("dependabot[bot]", "Dependabot started this run")])
def test_a_token_that_may_write_nothing_is_found_out_by_its_refusal(stage, actor, why) -> None:
    stage.permit(READ_ONLY)
    ran = stage.on_pull(stage.open(), env={"GITHUB_ACTOR": actor})
    assert (ran.code, ran.outputs["verdict"]) == (0, "pass")
    assert len(ran.beside) == int(ran.outputs["findings"]) > 0
    if why:
        assert why in ran.page
        assert ran.said("warning") == []
    else:
        (warning,) = ran.said("warning")
        assert "Give the job the permission pull-requests: write" in warning


def test_a_forks_run_on_a_private_repository_posts_where_its_settings_let_it(stage) -> None:
    stage.repo.private = True
    ran = stage.on_pull(stage.open(fork="ann"))
    assert (ran.code, len(stage.reviews())) == (0, 1)


def test_post_false_posts_nothing_and_heeds_what_was_dismissed_on_the_pull(stage) -> None:
    pull = stage.open(GATE)
    assert stage.on_pull(pull).code == 1
    (review,) = stage.reviews()
    ran = stage.on_pull(pull, "synchronize", post="false")
    # The verdict on this head was given, and its findings stand on the pull since then.
    assert (ran.code, len(ran.beside), stage.reviews()) == (1, 0, [review])
    assert f"pullrequestreview-{review.id}" in ran.outputs["review-url"]
    for thread in stage.repo.threads.values():
        thread.resolved_by = stage.github.world.user("mona")
    ran = stage.on_pull(pull, "synchronize", post="false")
    assert (ran.code, ran.outputs["verdict"]) == (0, "pass")


# -- verdicts and exit codes ---------------------------------------------------------------------------------------


def test_without_a_key_the_analyzers_review_alone_and_it_is_said(stage) -> None:
    ran = stage.on_pull(stage.open(), api_key="", base_url="")
    assert (ran.code, ran.outputs["verdict"]) == (0, "neutral")
    (warning,) = ran.said("warning")
    assert "no model was used, only analyzers" in warning


@pytest.mark.parametrize(("name", "code"), [("require_key", 2), ("require_coverage", 1)])
def test_without_a_key_the_workflow_may_ask_for_a_red_job(stage, name, code) -> None:
    ran = stage.on_pull(stage.open(), api_key="", base_url="", **{name: "true"})
    assert ran.code == code
    assert len(ran.said("error")) == 1
    assert ran.outputs["verdict"] == ("neutral" if name == "require_key" else "fail")
    assert ("require-key" in ran.outputs["reason"], stage.reviews() == []) == (name == "require_key",) * 2


@pytest.mark.parametrize(("coverage", "code", "verdict"), [("false", 0, "neutral"), ("true", 1, "fail")])
def test_an_endpoint_that_is_down_is_neutral(stage, another_endpoint, coverage, code, verdict) -> None:
    down = another_endpoint(fault_rate=1.0, fault_pool=(Trouble(kind=FaultKind.STATUS, status=500),))
    ran = stage.on_pull(stage.open(), endpoint=down.url, require_coverage=coverage)
    assert (ran.code, ran.outputs["verdict"]) == (code, verdict)
    assert "were not reviewed" in ran.outputs["reason"]


def test_a_budget_that_is_used_up_is_neutral(stage) -> None:
    ran = stage.on_pull(stage.open(), max_usd="0.000001")
    assert (ran.code, ran.outputs["verdict"]) == (0, "neutral")
    assert "budget" in ran.outputs["reason"]


def test_a_key_that_is_refused_is_the_workflows_mistake(stage) -> None:
    ran = stage.on_pull(stage.open(), api_key="sk-wrong")
    assert (ran.code, ran.outputs["verdict"]) == (2, "neutral")


def test_a_review_that_could_not_be_posted_is_never_green(stage) -> None:
    pull = stage.open()
    stage.github.faults.add(Fault(match=f"POST /repos/{stage.name}/pulls/*/reviews", status=503, times=None))
    ran = stage.on_pull(pull)
    assert (ran.code, ran.outputs["verdict"]) == (3, "neutral")
    assert "could not be posted" in ran.outputs["reason"]
    assert len(ran.beside) == int(ran.outputs["findings"]) > 0


def test_github_down_before_the_review_is_told_and_exits_with_3(stage) -> None:
    pull = stage.open()
    stage.github.faults.add(Fault(match=f"GET /repos/{stage.name}/pulls/*", status=502, times=None))
    ran = stage.on_pull(pull)
    assert (ran.code, ran.outputs["verdict"], ran.outputs["findings"]) == (3, "neutral", "")
    assert "502" in ran.page


@pytest.mark.parametrize(
    ("config", "inputs", "code", "said"),
    [
        ("review:\n  efort: deep\n", {}, 2, ".github/spark.yml:2"),
        ("", {"config": "tools/spark.yml"}, 2, "the base branch has no such file"),
        ("", {"api": "soap"}, 2, "the input api is 'soap'"),
        ("", {"paths_ignore": "*.md\n!"}, 2, "the input paths-ignore is"),
        ("", {"fail_on": "bad"}, 2, "the input fail-on is 'bad'"),
        ("", {"github_token": "ghs_nobody"}, 2, "401"),
        ("", {"analyzer_sarif": "gone.sarif"}, 2, "gone.sarif"),
    ],
)
def test_the_workflows_mistakes_end_with_2_and_are_told_with_their_remedy(stage, config, inputs, code, said) -> None:
    ran = stage.on_pull(stage.open(config), **inputs)
    assert (ran.code, ran.outputs["verdict"]) == (code, "neutral")
    (error,) = ran.said("error")
    assert said in error
    assert said in ran.outputs["reason"]


# -- what is reviewed ----------------------------------------------------------------------------------------------


def test_a_draft_is_left_alone_with_a_notice_and_required_coverage_asks_for_nothing(stage) -> None:
    ran = stage.on_pull(stage.open("review:\n  drafts: false\n", draft=True), require_coverage="true")
    assert (ran.code, ran.outputs["verdict"], len(ran.said("notice"))) == (0, "neutral", 1)
    assert "draft" in ran.outputs["reason"]
    assert stage.reviews() == []


LABEL = "review:\n  on: [label]\n  label: look\n"


@pytest.mark.parametrize(("label", "reviewed"), [("look", True), ("other", False)])
def test_the_label_that_starts_a_review_is_the_configurations(stage, label, reviewed) -> None:
    ran = stage.on_pull(stage.open(LABEL), "labeled", subjects={"label": label})
    assert (ran.code, bool(stage.reviews())) == (0, reviewed)


def test_another_label_does_not_turn_a_red_head_green(stage) -> None:
    pull = stage.open(GATE + LABEL)
    assert stage.on_pull(pull, "labeled", subjects={"label": "look"}).code == 1
    calls = len(stage.endpoint.requests)
    ran = stage.on_pull(pull, "labeled", subjects={"label": "other"})
    assert (ran.code, ran.outputs["verdict"]) == (1, "fail")
    assert len(stage.endpoint.requests) == calls
    assert len(stage.reviews()) == 1


PUSHES_AND_LABEL = GATE + "review:\n  on: [opened, synchronize, label]\n  label: look\n"


@pytest.mark.parametrize(("fork", "post"), [("ann", "true"), ("", "false")])
@pytest.mark.parametrize("event", [("labeled", {"label": "other"}), ("ready_for_review", {})])
def test_a_red_head_that_nothing_is_posted_on_stays_red_at_another_event(stage, fork, post, event) -> None:
    action, subjects = event
    pull = stage.open(PUSHES_AND_LABEL, fork=fork)
    assert stage.on_pull(pull, post=post).code == 1
    ran = stage.on_pull(pull, action, subjects=subjects, post=post)
    assert (ran.code, ran.outputs["verdict"], stage.reviews()) == (1, "fail", [])


def test_where_no_push_is_reviewed_another_label_reviews_no_fork(stage) -> None:
    ran = stage.on_pull(stage.open(GATE + LABEL, fork="ann"), "labeled", subjects={"label": "other"})
    assert (ran.code, ran.outputs["verdict"], ran.beside) == (0, "neutral", [])


def test_an_edited_title_gives_the_head_its_verdict_again(stage) -> None:
    pull = stage.open(GATE)
    assert stage.on_pull(pull).code == 1
    assert stage.on_pull(pull, "edited", subjects={"changes": {"title": {"from": "x"}}}).code == 1
    assert len(stage.reviews()) == 1


def test_an_old_events_run_does_not_speak_for_a_newer_head(stage) -> None:
    pull = stage.open(GATE)
    payload = stage.payload("pull_request", "opened", pull=pull)
    stage.repo.commit("topic", FINE, "Mended", "mona")
    ran = stage.run("pull_request", payload)
    assert (ran.code, ran.outputs["verdict"], stage.reviews()) == (0, "neutral", [])
    assert "the head moved" in ran.said("warning")[0]
    assert stage.run("pull_request", payload, require_coverage="true").code == 1


def test_ignored_paths_of_the_input_come_beside_those_of_the_configuration(stage) -> None:
    ran = stage.on_pull(stage.open("paths:\n  ignore: ['one.py']\n"), paths_ignore="*.md\ntwo.*\n")
    assert (ran.code, ran.outputs["findings"]) == (0, "0")


def test_the_configuration_may_stand_elsewhere_on_the_base(stage) -> None:
    stage.repo.commit("main", {"tools/spark.yml": GATE.encode()}, "Rules", "mona")
    pull = stage.open()
    assert stage.on_pull(pull, config="tools/spark.yml").code == 1
    assert stage.on_pull(pull).code == 0


@pytest.mark.parametrize(
    ("event", "payload", "inputs"),
    [
        ("workflow_dispatch", {"inputs": {"pull": "1"}}, {}),
        ("schedule", {"schedule": "0 4 * * *"}, {"pull": "1"}),
    ],
)
def test_an_event_without_a_pull_is_told_one(stage, event, payload, inputs) -> None:
    stage.open(GATE)
    ran = stage.run(event, payload, **inputs)
    assert (ran.code, len(stage.reviews())) == (1, 1)


@pytest.mark.parametrize(
    ("event", "payload", "said"),
    [
        ("push", {}, "the event push names no pull request"),
        ("workflow_dispatch", {"inputs": {"pull": "seven"}}, "the workflow's input pull is 'seven'"),
        ("workflow_dispatch", {}, "workflow_dispatch names no pull request"),
        ("pull_request", {"action": "opened"}, "$"),
    ],
)
def test_an_event_that_names_no_pull_is_refused_with_what_to_do(stage, event, payload, said) -> None:
    ran = stage.run(event, payload)
    assert (ran.code, ran.outputs["verdict"]) == (2, "neutral")
    assert said in ran.said("error")[0]


def test_an_event_of_another_repository_is_refused(stage) -> None:
    payload: dict[str, Any] = stage.payload("pull_request", "opened", pull=stage.open())
    payload["repository"]["full_name"] = "acme/other"
    ran = stage.run("pull_request", payload)
    assert (ran.code, stage.reviews()) == (2, [])
    assert "acme/other" in ran.outputs["reason"]


def test_a_closed_pull_is_nothing_to_do(stage) -> None:
    pull = stage.open()
    stage.repo.close_pull(pull.number)
    ran = stage.on_pull(pull, "closed")
    assert (ran.code, ran.outputs["verdict"], len(ran.said("notice"))) == (0, "neutral", 1)


# -- files ---------------------------------------------------------------------------------------------------------


def test_the_sarif_file_is_written_below_the_workspace_and_named_in_the_outputs(stage) -> None:
    ran = stage.on_pull(stage.open(), sarif_file="out/deep/spark.sarif")
    assert ran.outputs["sarif-file"] == "out/deep/spark.sarif"
    log = json.loads((stage.folder / "workspace/out/deep/spark.sarif").read_text(encoding="utf-8"))
    assert (log["version"], len(log["runs"][0]["results"]) > 0) == ("2.1.0", True)


def test_an_analyzers_file_is_read_from_the_workspace(stage) -> None:
    place = stage.folder / "workspace" / "lint.sarif"
    place.parent.mkdir()
    result = {
        "ruleId": "X1",
        "level": "error",
        "message": {"text": "A rule of ours is broken."},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": "two.py"}, "region": {"startLine": 4, "endLine": 4}}}
        ],
    }
    runs = [{"tool": {"driver": {"name": "lint"}}, "results": [result]}]
    place.write_text(json.dumps({"version": "2.1.0", "runs": runs}), encoding="utf-8")
    ran = stage.on_pull(stage.open(), api_key="", base_url="", analyzer_sarif="lint.sarif\n", post="false")
    assert any("A rule of ours is broken." in each.data for each in ran.beside)


def test_a_pass_does_not_hold_for_results_that_an_analyzer_hands_in_later(stage) -> None:
    pull = stage.open(GATE, after=FINE)
    assert stage.on_pull(pull).code == 0
    place = stage.folder / "workspace" / "lint.sarif"
    for line, code in ((1, 0), (2, 1), (2, 1)):
        where = {"artifactLocation": {"uri": "one.py"}, "region": {"startLine": line}}
        result = {"level": "error", "message": {"text": "Broken."}, "locations": [{"physicalLocation": where}]}
        runs = [{"tool": {"driver": {"name": "lint"}}, "results": [result]}]
        place.write_text(json.dumps({"version": "2.1.0", "runs": runs}), encoding="utf-8")
        assert stage.on_pull(pull, "edited", analyzer_sarif="lint.sarif").code == code
    assert stage.on_pull(pull, "edited").code == 1, "what stands on the pull counts without the file, too"


@pytest.mark.parametrize("name", ["sarif_file", "analyzer_sarif"])
def test_a_link_out_of_the_workspace_is_refused(stage, name) -> None:
    secret = stage.folder / "secret"
    secret.write_text("{}", encoding="utf-8")
    (stage.folder / "workspace").mkdir()
    (stage.folder / "workspace" / "x.sarif").symlink_to(secret)
    ran = stage.on_pull(stage.open(), **{name: "x.sarif"})
    assert (ran.code, secret.read_text(encoding="utf-8")) == (2, "{}")
    assert "out of the workspace" in ran.outputs["reason"]


def test_a_settings_file_in_the_workspace_is_not_read(stage, monkeypatch) -> None:
    monkeypatch.chdir(stage.folder)
    (stage.folder / ".env").write_text("SPARK_STREAMS=many\n", encoding="utf-8")
    assert stage.on_pull(stage.open()).code == 0


@pytest.mark.parametrize("missing", ["GITHUB_ACTIONS", "GITHUB_EVENT_PATH"])
def test_outside_of_actions_it_says_what_is_missing(missing) -> None:
    env = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": "x"}
    del env[missing]
    with pytest.raises(UserError, match=f"{missing} is not set"):
        run(env, io.StringIO())


# -- cancelled -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_closes_its_streams_says_so_and_ends_with_130(
    stage, another_endpoint, monkeypatch, capsys, number
) -> None:
    slow = another_endpoint(ttft=60.0)
    pull = stage.open()
    values = stage.values("pull_request", stage.payload("pull_request", "opened", pull=pull), endpoint=slow.url)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    before, asked = signal.getsignal(number), threading.Event()

    def cancel() -> None:
        # As the runner does: when it waits for the model, and then once more.
        while not slow.requests and not asked.wait(0.005):
            pass
        os.kill(os.getpid(), number)

    watcher = threading.Thread(target=cancel)
    watcher.start()
    began = time.monotonic()
    try:
        code = action.run(argparse.Namespace())
    finally:
        asked.set()
        watcher.join()
    ran = stage.ran(code, capsys.readouterr().out, values)
    assert (ran.code, ran.outputs["verdict"], stage.reviews()) == (130, "neutral", [])
    assert "cancelled" in ran.page
    assert ran.said("error") == ["Neutral: The run was cancelled"]
    assert time.monotonic() - began < 20
    assert signal.getsignal(number) is before
