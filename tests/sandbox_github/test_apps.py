"""An App from its manifest to its removal, as a browser and a server see it."""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from bot.sandbox.github import gestures, new_private_key

REPO = "/repos/octo/demo"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def browse(desk, method, path, **fields):
    """What a browser does; a redirect is not followed."""
    connection = desk.client.connection
    connection.request(method, path, urlencode(fields, doseq=True) if fields else None, FORM if fields else {})
    answer = connection.getresponse()
    return answer.status, answer.headers.get("Location", ""), answer.read().decode()


def manifest(**more):
    return {
        "name": "Spark of Octo",
        "url": "https://spark.example",
        "hook_attributes": {"url": "http://127.0.0.1:9/webhook"},
        "redirect_url": "http://127.0.0.1:9/setup/done?from=github",
        "public": False,
        "default_permissions": {"checks": "write", "pull_requests": "write", "merge_queues": "read"},
        "default_events": ["pull_request", "merge_group"],
    } | more


def register(desk, **more):
    """From the posted manifest to the new App's secrets."""
    status, _, page = browse(desk, "POST", "/settings/apps/new?state=abc", manifest=json.dumps(manifest(**more)))
    assert status == 200
    text = html.unescape(re.search(r'name="manifest" value="([^"]*)"', page)[1])
    name = html.unescape(re.search(r'id="name" name="name" value="([^"]*)"', page)[1])
    status, location, _ = browse(desk, "POST", "/settings/apps", manifest=text, state="abc", org="", name=name)
    assert status == 302
    query = parse_qs(urlsplit(location).query)
    assert (query["from"], query["state"]) == (["github"], ["abc"])
    answer = desk.client.post(f"/app-manifests/{query['code'][0]}/conversions", token=None)
    assert answer.status == 201
    return answer.json


def test_a_manifest_becomes_an_app_whose_key_signs(desk) -> None:
    made = register(desk)
    assert (made["slug"], made["name"]) == ("spark-of-octo", "Spark of Octo")
    assert made["permissions"] == {
        "metadata": "read",
        "checks": "write",
        "pull_requests": "write",
        "merge_queues": "read",
    }
    assert len(made["webhook_secret"]) == 40
    shown = desk.client.get("/app", token=desk.jwt(made["pem"], iss=str(made["id"]))).json
    assert shown["id"] == made["id"]


def test_the_code_of_a_manifest_works_once_and_for_an_hour(make_desk) -> None:
    now = [1_700_000_000.0]
    desk = make_desk(clock=lambda: now[0])
    _, location, _ = browse(desk, "POST", "/settings/apps", manifest=json.dumps(manifest()), name="One")
    code = parse_qs(urlsplit(location).query)["code"][0]
    assert desk.client.post(f"/app-manifests/{code}/conversions", token=None).status == 201
    assert desk.client.post(f"/app-manifests/{code}/conversions", token=None).status == 404
    _, location, _ = browse(desk, "POST", "/settings/apps", manifest=json.dumps(manifest()), name="Two")
    now[0] += 3601
    code = parse_qs(urlsplit(location).query)["code"][0]
    assert desk.client.post(f"/app-manifests/{code}/conversions", token=None).status == 404


MISTAKES = [
    ({"webhook_url": "x"}, "no key webhook_url"),
    ({"public": "no"}, "public is of the wrong type"),
    ({"redirect_url": "spark.example"}, "redirect_url is not a URL"),
    ({"hook_attributes": {"active": True}}, "hook_attributes has a url"),
    ({"hook_attributes": {"url": "https://a.example", "active": 1}}, "active is of the wrong type"),
    ({"callback_urls": ["https://a.example"] * 11}, "at most 10"),
    ({"name": "x" * 35}, "Name is too long"),
    ({"default_permissions": {"pull-requests": "read"}}, "no permission pull-requests"),
    ({"default_permissions": {"checks": "all"}}, "no level all"),
    ({"default_events": ["pull_requests"]}, "unsupported: pull_requests"),
    ({"default_permissions": {"checks": "write"}}, "not supported by permissions: pull_request"),
]


def test_a_manifest_with_a_mistake_is_refused_with_the_mistake(desk) -> None:
    for more, words in MISTAKES:
        status, _, page = browse(desk, "POST", "/settings/apps/new", manifest=json.dumps(manifest(**more)))
        assert (status, words in page) == (422, True), (more, page)
        assert browse(desk, "POST", "/settings/apps", manifest=json.dumps(manifest(**more)), name="x")[0] == 422
    assert desk.world.apps == {}


def test_a_name_that_is_taken_and_a_text_that_is_no_json_are_refused(desk) -> None:
    register(desk)
    assert browse(desk, "POST", "/settings/apps", manifest=json.dumps(manifest()), name="spark of octo")[0] == 422
    assert browse(desk, "POST", "/settings/apps/new", manifest="{")[0] == 422
    assert "takes a manifest" in browse(desk, "GET", "/settings/apps/new")[2]


def test_an_organisation_s_app_belongs_to_it(desk) -> None:
    form = {"manifest": json.dumps(manifest())}
    page = browse(desk, "POST", "/organizations/octo-org/settings/apps/new?state=s", **form)[2]
    assert "Create GitHub App for octo-org" in page
    browse(desk, "POST", "/settings/apps", name="Mine", org="octo-org", **form)
    (app,) = desk.world.apps.values()
    assert (app.owner.login, app.owner.kind) == ("octo-org", "Organization")


def test_an_app_is_installed_suspended_and_removed_in_the_browser(desk) -> None:
    made = register(desk, setup_url="http://127.0.0.1:9/setup")
    page = browse(desk, "GET", f"/apps/{made['slug']}/installations/new")[2]
    assert "octo/demo" in page
    status, location, _ = browse(
        desk, "POST", f"/apps/{made['slug']}/installations", account="octo", which="selected", repo=["octo/demo"]
    )
    assert status == 302
    number = int(parse_qs(urlsplit(location).query)["installation_id"][0])
    token = desk.jwt(made["pem"], iss=str(made["id"]))
    path = f"/app/installations/{number}/access_tokens"
    own = desk.client.post(path, token=token).json["token"]
    assert browse(desk, "POST", f"/settings/installations/{number}/suspend")[0] == 303
    for refused in (desk.client.post(path, token=token), desk.client.get(REPO, token=own)):
        assert (refused.status, refused.json["message"]) == (403, "This installation has been suspended")
    assert "Unsuspend" in browse(desk, "GET", f"/settings/installations/{number}")[2]
    browse(desk, "POST", f"/settings/installations/{number}/unsuspend")
    assert desk.client.get(REPO, token=own).status == 200
    browse(desk, "POST", f"/settings/installations/{number}/uninstall")
    assert desk.client.post(path, token=token).status == 404
    assert desk.client.get(REPO, token=own).status == 401


def test_an_app_hears_of_its_own_installation_and_events_at_its_own_address(desk, numbered) -> None:
    made = register(desk)
    app = desk.world.apps[made["id"]]
    installation = desk.world.install(app, "octo")
    pull = desk.pull({"a.py": numbered(5)}, {"a.py": numbered(6)})
    desk.client.post(f"{REPO}/issues/1/comments", {"body": "x"})
    desk.world.choose_repos(installation, {"octo/demo"})
    token = desk.client.post(
        f"/app/installations/{installation.id}/access_tokens", token=desk.jwt(made["pem"], iss=str(app.id))
    ).json["token"]
    button = {"label": "Again", "description": "d", "identifier": "again"}
    body = {"name": "spark", "head_sha": pull.head_sha, "conclusion": "neutral", "actions": [button]}
    run = gestures.run_by_id(desk.repo, desk.client.post(f"{REPO}/check-runs", body, token=token).json["id"])
    gestures.press(desk.repo, run, "again", by="alice")
    gestures.rerequest_run(desk.repo, run)
    gestures.rerequest_suite(desk.repo, run.suite)
    group = gestures.queue_merge(desk.repo, 1)
    gestures.destroy_group(desk.repo, group)
    desk.world.suspend(installation)
    desk.repo.close_pull(1)
    desk.world.suspend(installation, lift=True)
    assert desk.server.webhooks.wait()
    told = desk.server.webhooks.deliveries
    # Neither the comment nor the run's own created and completed, which nobody subscribed to; nothing while suspended.
    assert [(each.event, each.action) for each in told] == [
        ("ping", None),
        ("installation", "created"),
        ("pull_request", "opened"),
        ("check_run", "requested_action"),
        ("check_run", "rerequested"),
        ("check_suite", "rerequested"),
        ("merge_group", "checks_requested"),
        ("merge_group", "destroyed"),
        ("installation", "suspend"),
        ("installation", "unsuspend"),
    ]
    for each in told:
        mac = hmac.new(made["webhook_secret"].encode(), each.raw, hashlib.sha256).hexdigest()
        assert each.headers["X-Hub-Signature-256"] == f"sha256={mac}"
        assert each.url == "http://127.0.0.1:9/webhook"
    assert {each.payload["installation"]["id"] for each in told[1:]} == {installation.id}
    assert told[3].payload["requested_action"] == {"identifier": "again"}
    assert told[3].payload["sender"]["login"] == "alice"
    listed = desk.client.get("/app/hook/deliveries?per_page=100", token=desk.jwt(made["pem"], iss=str(app.id))).json
    assert len(listed) == len(told)


def test_another_app_hears_nothing_of_it(desk) -> None:
    first, second = register(desk), register(desk, name="Second")
    desk.world.install(desk.world.apps[first["id"]], "octo")
    desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    assert desk.server.webhooks.wait()
    assert [each.event for each in desk.server.webhooks.deliveries if each.app == second["id"]] == ["ping"]


def test_a_merge_group_has_a_commit_of_its_own_on_top_of_the_base(desk) -> None:
    pull = desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    group = gestures.queue_merge(desk.repo, 1)
    commit = desk.repo.git.commit_info(group.head_sha)
    assert commit.parents == (desk.repo.git.resolve("main"), pull.head_sha)
    assert group.head_ref.startswith("refs/heads/gh-readonly-queue/main/pr-1-")
    gestures.destroy_group(desk.repo, group)
    assert desk.repo.git.resolve(group.head_ref.removeprefix("refs/heads/")) is None


def test_only_a_button_that_a_completed_run_shows_can_be_pressed(desk) -> None:
    pull = desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    _, token, _ = desk.app()
    button = {"label": "Again", "description": "d", "identifier": "again"}
    body = {"name": "spark", "head_sha": pull.head_sha, "actions": [button]}
    made = desk.client.post(f"{REPO}/check-runs", body, token=token).json
    page = f"/octo/demo/runs/{made['id']}"
    assert browse(desk, "POST", f"{page}/press", identifier="again")[0] == 404
    desk.client.send("PATCH", f"{REPO}/check-runs/{made['id']}", {"conclusion": "success"}, token=token)
    assert browse(desk, "POST", f"{page}/press", identifier="other")[0] == 404
    assert browse(desk, "POST", f"{page}/press", identifier="again")[0] == 303
    assert browse(desk, "POST", f"{page}/rerequest")[0] == 303


def test_a_run_in_progress_again_has_no_conclusion(desk) -> None:
    pull = desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    _, token, _ = desk.app()
    body = {"name": "spark", "head_sha": pull.head_sha, "conclusion": "failure"}
    made = desk.client.post(f"{REPO}/check-runs", body, token=token).json
    again = desk.client.send("PATCH", f"{REPO}/check-runs/{made['id']}", {"status": "in_progress"}, token=token).json
    assert (again["status"], again["conclusion"], again["completed_at"]) == ("in_progress", None, None)


def test_a_stand_in_in_another_process_gives_apps_checks_and_merge_groups(make_desk) -> None:
    desk = make_desk(control=True)
    pull = desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    key = new_private_key()
    asked = {"id": 4711, "key": key, "slug": "spark", "account": "octo", "permissions": {"checks": "write"}}
    number = desk.client.post("//_sandbox/apps", asked).json["installation"]
    token = desk.client.post(f"/app/installations/{number}/access_tokens", token=desk.jwt(key)).json["token"]
    button = {"label": "Again", "description": "d", "identifier": "again"}
    body = {"name": "spark", "head_sha": pull.head_sha, "conclusion": "neutral", "actions": [button]}
    run = desk.client.post(f"{REPO}/check-runs", body, token=token).json["id"]
    desk.server.webhooks.point_to("http://127.0.0.1:9/", "s")
    for more in ({"press": "again"}, {}):
        assert desk.client.post("//_sandbox/checks", {"repo": "octo/demo", "run": run} | more).status == 200
    assert desk.client.post("//_sandbox/checks", {"repo": "octo/demo", "run": 1}).status == 400
    group = desk.client.post("//_sandbox/merge-groups", {"repo": "octo/demo", "number": 1}).json
    assert desk.repo.git.resolve(group["head"]) == group["head"]
    assert desk.server.webhooks.wait()
    told = [(each.event, each.action) for each in desk.server.webhooks.deliveries]
    assert told == [
        ("check_run", "requested_action"),
        ("check_run", "rerequested"),
        ("merge_group", "checks_requested"),
    ]


def test_the_page_of_a_check_run_shows_its_annotations_beside_their_lines(desk, numbered) -> None:
    pull = desk.pull({"a <b>.py": numbered(9)}, {"a <b>.py": numbered(9, _4="<i>four</i>")})
    _, token, _ = desk.app()
    note = {
        "path": "a <b>.py",
        "start_line": 4,
        "end_line": 5,
        "annotation_level": "failure",
        "title": "Bad <u>",
        "message": "m <s>",
    }
    output = {"title": "1 finding", "summary": "**Sum** <script>", "text": "More", "annotations": [note]}
    actions = [{"label": "Deep review", "description": "Think longer", "identifier": "deep"}]
    body = {"name": "spark", "head_sha": pull.head_sha, "conclusion": "failure", "output": output, "actions": actions}
    made = desk.client.post(f"{REPO}/check-runs", body, token=token).json
    page = browse(desk, "GET", urlsplit(made["html_url"]).path)[2]
    for shown in (
        "failing",
        "1 finding",
        "<strong>Sum</strong>",
        "Deep review",
        "lines 4 to 5",
        "&lt;i&gt;four&lt;/i&gt;",
    ):
        assert shown in page
    assert re.search(r'class="it"><td class="num">4</td>', page)
    for raw in ("<script>", "<s>", "<u>", "<i>four", "a <b>.py"):
        assert raw not in page
    conversation = browse(desk, "GET", "/octo/demo/pull/1")[2]
    assert f'href="/octo/demo/runs/{made["id"]}"' in conversation
    assert "1 annotation" in conversation
    assert browse(desk, "GET", f"/octo/demo/runs/{quote('99')}")[0] == 404
