from __future__ import annotations

import pytest

REPO = "/repos/octo/demo"


@pytest.fixture
def app(desk):
    pull = desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    _, token, _ = desk.app()
    desk.client.token = token
    return desk, pull.head_sha


def note(**more):
    return {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "m"} | more


def create(desk, sha, **more):
    return desk.client.post(f"{REPO}/check-runs", {"name": "spark", "head_sha": sha} | more)


def test_annotations_are_added_by_every_update(app) -> None:
    desk, sha = app
    output = {"title": "t", "summary": "s", "annotations": [note()] * 50}
    made = create(desk, sha, status="in_progress", output=output).json
    assert (made["status"], made["conclusion"], made["output"]["annotations_count"]) == ("in_progress", None, 50)
    own = f"{REPO}/check-runs/{made['id']}"
    update = {"output": {"title": "t2", "summary": "s2", "annotations": [note(message="last")]}}
    assert desk.client.send("PATCH", own, update).json["output"]["annotations_count"] == 51
    listed = desk.client.get(f"{own}/annotations?per_page=100").json
    assert [entry["message"] for entry in listed] == ["m"] * 50 + ["last"]


def test_a_conclusion_completes_the_run(app) -> None:
    desk, sha = app
    made = create(desk, sha).json
    assert (made["status"], made["pull_requests"][0]["number"]) == ("queued", 1)
    done = desk.client.send("PATCH", f"{REPO}/check-runs/{made['id']}", {"conclusion": "neutral"}).json
    assert (done["status"], done["conclusion"]) == ("completed", "neutral")
    assert done["completed_at"] is not None


def test_the_newest_run_of_a_name_is_listed_unless_all_are_asked_for(app) -> None:
    desk, sha = app
    ids = [create(desk, sha).json["id"] for _ in range(2)]
    other = create(desk, sha, name="other", conclusion="success").json["id"]
    own = f"{REPO}/commits/{sha}/check-runs"
    assert {run["id"] for run in desk.client.get(own).json["check_runs"]} == {ids[1], other}
    assert desk.client.get(f"{own}?filter=all").json["total_count"] == 3
    assert [run["id"] for run in desk.client.get(f"{own}?check_name=other").json["check_runs"]] == [other]
    assert [run["id"] for run in desk.client.get(f"{own}?status=completed").json["check_runs"]] == [other]


@pytest.mark.wrong_requests
@pytest.mark.parametrize(
    "more",
    [
        {"status": "completed"},
        {"conclusion": "stale"},
        {"output": {"title": "t"}},
        {"output": {"title": "t", "summary": "x" * 65_536}},
        {"output": {"title": "t", "summary": "s", "annotations": [note()] * 51}},
        {"output": {"title": "t", "summary": "s", "annotations": [note(message="x" * 65_537)]}},
        {"output": {"title": "t", "summary": "s", "annotations": [note(title="x" * 256)]}},
        {"output": {"title": "t", "summary": "s", "annotations": [note(end_line=2, start_column=1)]}},
        {"output": {"title": "t", "summary": "s", "annotations": [note(annotation_level="error")]}},
        {"actions": [{"label": "x" * 21, "description": "d", "identifier": "i"}]},
        {"actions": [{"label": "l", "description": "d", "identifier": "i"}] * 4},
    ],
)
def test_a_check_run_that_breaks_a_limit_is_refused_whole(app, more) -> None:
    desk, sha = app
    assert create(desk, sha, **more).status == 422
    assert desk.client.get(f"{REPO}/commits/{sha}/check-runs").json["total_count"] == 0


def test_an_app_changes_only_its_own_runs(app) -> None:
    desk, sha = app
    made = create(desk, sha).json
    desk.world.actions_token("octo/demo", "job")
    answer = desk.client.send("PATCH", f"{REPO}/check-runs/{made['id']}", {"conclusion": "success"}, token="job")
    assert answer.status == 403


def test_a_run_on_a_fork_s_commit_names_no_pull(desk) -> None:
    desk.repo.commit("main", {"a": "1\n"})
    fork = desk.repo.fork("eve/demo")
    fork.commit("topic", {"a": "2\n"})
    pull = desk.repo.open_pull("Fork", head="topic", head_repo=fork)
    _, token, _ = desk.app()
    desk.client.token = token
    assert create(desk, pull.head_sha).json["pull_requests"] == []


def test_the_worst_of_the_newest_statuses_counts(app) -> None:
    desk, sha = app
    for context, state in (("one", "failure"), ("one", "success"), ("two", "pending")):
        body = {"state": state, "context": context}
        assert desk.client.post(f"{REPO}/statuses/{sha}", body).status == 201
    assert desk.client.get(f"{REPO}/commits/{sha}/status").json["state"] == "pending"
    desk.client.post(f"{REPO}/statuses/{sha}", {"state": "error", "context": "two"})
    assert desk.client.get(f"{REPO}/commits/{sha}/status").json["state"] == "failure"
    assert len(desk.client.get(f"{REPO}/commits/{sha}/statuses").json) == 4


@pytest.mark.wrong_requests
def test_a_status_s_description_is_short(app) -> None:
    desk, sha = app
    answer = desk.client.post(f"{REPO}/statuses/{sha}", {"state": "success", "description": "x" * 141})
    assert answer.json["errors"][0]["message"] == "description is too long (maximum is 140 characters)"
