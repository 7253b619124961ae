"""Check runs with annotations, and commit statuses."""

from __future__ import annotations

import json

from bot.sandbox.github import gestures
from bot.sandbox.github.call import ApiError, Call, Reply, Route, invalid_request, not_found, validation_failed
from bot.sandbox.github.records import CheckRun, CheckSuite, Json, Status
from bot.sandbox.github.routes_contents import commit_named
from bot.sandbox.github.shapes import repo_json
from bot.sandbox.github.shapes_checks import annotation_json, check_run_json, status_json

CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
_STATES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
_LEVELS = ("notice", "warning", "failure")
_DESCRIPTION = 140
"""Longest description of a status (error text of GitHub)."""
_STATUSES_PER_CONTEXT = 1_000
"""Statuses of one sha and context (OpenAPI)."""


def create_run(call: Call) -> Reply:
    """A check run on a commit. Only integrations get here (`access.py`)."""
    repo, world, name = call.repo, call.world, call.needed("name")
    sha = repo.git.resolve(call.needed("head_sha"))
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.fields['head_sha']}")
    now = world.now()
    suite = _suite(call, sha)
    run = world.named(
        "CR",
        lambda number, node_id: CheckRun(
            id=number,
            node_id=node_id,
            suite=suite,
            name=name,
            status="queued",
            conclusion=None,
            started_at=now,
            completed_at=None,
            details_url=None,
            external_id="",
        ),
    )
    _apply(call, run, creating=True)
    suite.runs.append(run)
    repo.happened("check_run", "created", call.user, run=run)
    _told_if_completed(call, run, before=None)
    data = check_run_json(call.urls, repo, run)
    return Reply(status=201, data=data, headers={"Location": data["url"]})


def update_run(call: Call) -> Reply:
    """Change a check run; annotations are added to those there are."""
    run = _run(call)
    if run.suite.app is not call.who.app:
        raise ApiError(403, f"Invalid app_id `{call.who.app.id if call.who.app else 0}` - check run belongs to another")
    before = run.status
    _apply(call, run, creating=False)
    _told_if_completed(call, run, before=before)
    return Reply(data=check_run_json(call.urls, call.repo, run))


def _told_if_completed(call: Call, run: CheckRun, *, before: str | None) -> None:
    if run.status == "completed" and before != "completed":
        call.repo.happened("check_run", "completed", call.user, run=run)


def _apply(call: Call, run: CheckRun, *, creating: bool) -> None:
    """Read all fields first, so that a refused request changes nothing."""
    fields = call.fields
    status, conclusion = fields.get("status"), fields.get("conclusion")
    _check_state(run, status, conclusion)
    output = fields.get("output")
    annotations = _check_output(call, output, creating=creating) if output is not None else []
    actions = fields.get("actions") or []
    _check_actions(actions)
    if output is not None:
        run.title, run.summary = output.get("title", run.title), output["summary"]
        run.text = output.get("text", run.text)
        run.annotations += annotations
    run.actions = actions or run.actions
    run.name = fields.get("name", run.name)
    run.details_url = fields.get("details_url", run.details_url)
    run.external_id = fields.get("external_id", run.external_id)
    run.started_at = fields.get("started_at", run.started_at)
    if conclusion is not None:
        run.status, run.conclusion = "completed", conclusion
        run.completed_at = fields.get("completed_at", call.world.now())
    elif status is not None:
        run.status = status
        if status != "completed":
            run.conclusion = run.completed_at = None


def _check_state(run: CheckRun, status: Json, conclusion: Json) -> None:
    if status is not None and status not in _STATES:
        raise invalid_request(f"For 'properties/status', {json.dumps(status)} is not a member of {list(_STATES)}.")
    if conclusion is not None and conclusion not in CONCLUSIONS:
        raise invalid_request(
            f"For 'properties/conclusion', {json.dumps(conclusion)} is not a member of {list(CONCLUSIONS)}."
        )
    if status == "completed" and conclusion is None and run.conclusion is None:
        raise invalid_request('"conclusion" wasn\'t supplied.')


def _check_output(call: Call, output: dict[str, Json], *, creating: bool) -> list[dict[str, Json]]:
    limits = call.options.limits
    for name in ("title", "summary") if creating else ("summary",):
        if name not in output:
            raise invalid_request(f"For 'properties/output', \"{name}\" wasn't supplied.")
    for name in ("summary", "text"):
        if len(output.get(name) or "") > limits.output_characters:
            raise invalid_request(f"Only {limits.output_characters} characters are allowed; the {name} has more.")
    annotations = output.get("annotations") or []
    if len(annotations) > limits.annotations:
        raise invalid_request(f"No more than {limits.annotations} items are allowed; {len(annotations)} were supplied.")
    return [_annotation(call, entry) for entry in annotations]


def _check_actions(actions: list[dict[str, Json]]) -> None:
    if len(actions) > 3:
        raise invalid_request(f"No more than 3 items are allowed; {len(actions)} were supplied.")
    for action in actions:
        for name, most in (("label", 20), ("description", 40), ("identifier", 20)):
            if len(action.get(name, "")) > most or not action.get(name):
                raise invalid_request(f"For 'properties/actions', {name} is missing or longer than {most} characters.")


def _annotation(call: Call, entry: dict[str, Json]) -> dict[str, Json]:
    for name in ("path", "start_line", "end_line", "annotation_level", "message"):
        if entry.get(name) in {None, ""}:
            raise invalid_request(f"For 'properties/annotations', \"{name}\" wasn't supplied.")
    if entry["annotation_level"] not in _LEVELS:
        raise invalid_request(f"For 'properties/annotation_level', the value is not a member of {list(_LEVELS)}.")
    if entry["start_line"] != entry["end_line"] and (entry.get("start_column") or entry.get("end_column")):
        raise invalid_request("start_column and end_column are allowed only if start_line and end_line are the same.")
    most = call.options.limits.annotation_bytes
    for name in ("message", "raw_details"):
        if len((entry.get(name) or "").encode()) > most:
            raise invalid_request(f"{name} exceeds a maximum bytesize of {most}")
    if len(entry.get("title") or "") > 255:
        raise invalid_request("title is too long (maximum is 255 characters)")
    return entry


def _suite(call: Call, sha: str) -> CheckSuite:
    app, repo = call.who.app, call.repo
    assert app is not None
    for suite in repo.suites.values():
        if suite.head_sha == sha and suite.app is app:
            return suite
    suite = call.world.named(
        "CS",
        lambda number, node_id: CheckSuite(
            id=number,
            node_id=node_id,
            repo=repo.full_name,
            head_sha=sha,
            app=app,
            created_at=call.world.now(),
        ),
    )
    repo.suites[suite.id] = suite
    return suite


def _run(call: Call) -> CheckRun:
    for suite in call.repo.suites.values():
        for run in suite.runs:
            if run.id == int(call.args["run"]):
                return run
    raise not_found()


def get_run(call: Call) -> Reply:
    """One check run."""
    return Reply(data=check_run_json(call.urls, call.repo, _run(call)))


def list_annotations(call: Call) -> Reply:
    """The annotations of a check run."""
    run = _run(call)
    return call.page([annotation_json(call.urls, call.repo, run, each) for each in run.annotations], ends=False)


def rerequest(call: Call) -> Reply:
    """Ask for a check run again. The run itself is not reset."""
    run = _run(call)
    if run.suite.app is not call.who.app:
        raise ApiError(403, "This check run is not rerequestable")
    gestures.rerequest_run(call.repo, run, by=call.user.login)
    return Reply(status=201, data={})


def rerequest_suite(call: Call) -> Reply:
    """Ask for all of a suite's check runs again."""
    suite = call.repo.suites.get(int(call.args["suite"]))
    if suite is None or suite.app is not call.who.app:
        raise not_found()
    gestures.rerequest_suite(call.repo, suite, by=call.user.login)
    return Reply(status=201, data={})


def list_runs(call: Call) -> Reply:
    """The check runs of a commit, branch or tag; only the newest of each name unless `filter=all`."""
    repo, query = call.repo, call.query
    sha = commit_named(repo, str(call.args["ref"]))
    runs = [run for suite in repo.suites.values() if suite.head_sha == sha for run in suite.runs]
    if query.get("filter", "latest") == "latest":
        newest = {(run.name, run.suite.id): run for run in runs}
        runs = list(newest.values())
    wanted = (("check_name", "name"), ("status", "status"))
    for parameter, name in wanted:
        if parameter in query:
            runs = [run for run in runs if getattr(run, name) == query[parameter]]
    if query.get("app_id", "").isdigit():
        runs = [run for run in runs if run.suite.app.id == int(query["app_id"])]
    shown = [check_run_json(call.urls, repo, run) for run in reversed(runs)]
    return call.page(shown, lambda page: {"total_count": len(shown), "check_runs": list(page)}, ends=False)


def create_status(call: Call) -> Reply:
    """A commit status."""
    repo, world, sha = call.repo, call.world, str(call.args["sha"])
    state, context = call.needed("state"), call.text("context", required=False) or "default"
    description = call.text("description", required=False)
    if repo.git.resolve(sha) is None:
        raise ApiError(422, f"No commit found for SHA: {sha}")
    if state not in {"error", "failure", "pending", "success"}:
        raise validation_failed(
            {"resource": "Status", "code": "custom", "field": "state", "message": "is not included"}
        )
    if description is not None and len(description) > _DESCRIPTION:
        text = f"description is too long (maximum is {_DESCRIPTION} characters)"
        raise validation_failed({"resource": "Status", "code": "custom", "field": "description", "message": text})
    if sum(each.sha == sha and each.context == context for each in repo.statuses) >= _STATUSES_PER_CONTEXT:
        text = "This SHA and context has reached the maximum number of statuses."
        raise validation_failed({"resource": "Status", "code": "custom", "message": text})
    status = world.named(
        "SC",
        lambda number, node_id: Status(
            id=number,
            node_id=node_id,
            sha=sha,
            state=state,
            context=context,
            description=description,
            target_url=call.text("target_url", required=False),
            creator=call.user,
            created_at=world.now(),
        ),
    )
    repo.statuses.append(status)
    data = status_json(call.urls, repo, status)
    return Reply(status=201, data=data, headers={"Location": data["url"]})


def list_statuses(call: Call) -> Reply:
    """The statuses of a commit, newest first."""
    sha = commit_named(call.repo, str(call.args["ref"]))
    found = [each for each in reversed(call.repo.statuses) if each.sha == sha]
    return call.page([status_json(call.urls, call.repo, each) for each in found])


def combined_status(call: Call) -> Reply:
    """The newest status of each context, and the worst of them."""
    repo, sha = call.repo, commit_named(call.repo, str(call.args["ref"]))
    newest = {each.context: each for each in repo.statuses if each.sha == sha}
    states = {each.state for each in newest.values()}
    state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    api = f"{call.urls.api}/repos/{repo.full_name}"
    return Reply(
        data={
            "state": state,
            "statuses": [status_json(call.urls, repo, each) for each in newest.values()],
            "sha": sha,
            "total_count": len(newest),
            "repository": repo_json(call.urls, repo),
            "commit_url": f"{api}/commits/{sha}",
            "url": f"{api}/commits/{sha}/status",
        }
    )


_REPO = "/repos/<owner>/<name>"
_RUN = f"{_REPO}/check-runs/<int:run>"
_DOCS, _STATUS = "checks/runs#", "commits/statuses#"

ROUTES = {
    ("POST", f"{_REPO}/check-runs"): Route(
        run=create_run, needs="checks:write", docs=f"{_DOCS}create-a-check-run", creates=True
    ),
    ("GET", _RUN): Route(run=get_run, needs="checks:read", docs=f"{_DOCS}get-a-check-run"),
    ("PATCH", _RUN): Route(run=update_run, needs="checks:write", docs=f"{_DOCS}update-a-check-run"),
    ("GET", f"{_RUN}/annotations"): Route(
        run=list_annotations, needs="checks:read", docs=f"{_DOCS}list-check-run-annotations"
    ),
    ("POST", f"{_RUN}/rerequest"): Route(run=rerequest, needs="checks:write", docs=f"{_DOCS}rerequest-a-check-run"),
    ("POST", f"{_REPO}/check-suites/<int:suite>/rerequest"): Route(
        run=rerequest_suite, needs="checks:write", docs="checks/suites#rerequest-a-check-suite"
    ),
    ("GET", f"{_REPO}/commits/<path:ref>/check-runs"): Route(
        run=list_runs, needs="checks:read", docs=f"{_DOCS}list-check-runs-for-a-git-reference"
    ),
    ("POST", f"{_REPO}/statuses/<sha>"): Route(
        run=create_status, needs="statuses:write", docs=f"{_STATUS}create-a-commit-status"
    ),
    ("GET", f"{_REPO}/commits/<path:ref>/statuses"): Route(
        run=list_statuses, needs="statuses:read", docs=f"{_STATUS}list-commit-statuses-for-a-reference"
    ),
    ("GET", f"{_REPO}/commits/<path:ref>/status"): Route(
        run=combined_status,
        needs="statuses:read",
        docs=f"{_STATUS}get-the-combined-status-for-a-specific-reference",
    ),
}
