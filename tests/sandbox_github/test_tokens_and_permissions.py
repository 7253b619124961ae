from __future__ import annotations

import pytest

from bot.sandbox.github import new_private_key

REPO = "/repos/octo/demo"
INTEGRATION = "Resource not accessible by integration"


@pytest.fixture
def pulled(desk):
    desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    return desk


def comment(desk, token):
    return desk.client.post(f"{REPO}/issues/1/comments", {"body": "x"}, token=token)


def test_a_wrong_token_is_bad_credentials_and_no_token_may_only_read(pulled) -> None:
    wrong = pulled.client.get(REPO, token="nobody")
    assert (wrong.status, wrong.json["message"]) == (401, "Bad credentials")
    assert pulled.client.get(REPO, token=None).status == 200
    assert comment(pulled, None).json["message"] == "Requires authentication"
    assert pulled.client.get("/user", token=None).status == 401


def test_a_private_repository_is_hidden_from_who_may_not_see_it(desk) -> None:
    private = desk.world.create_repo("octo/secret", private=True)
    private.commit("main", {"a": "1\n"})
    for token in (None, "alice-token"):
        assert desk.client.get("/repos/octo/secret", token=token).status == 404
    private.permission("alice", "read")
    assert desk.client.get("/repos/octo/secret").json["private"] is True
    body = {"message": "m", "content": "eA=="}
    assert desk.client.send("PUT", "/repos/octo/secret/contents/x", body).status == 404


@pytest.mark.parametrize(
    ("level", "permission", "role"),
    [
        ("read", "read", "read"),
        ("triage", "read", "triage"),
        ("maintain", "write", "maintain"),
        ("admin", "admin", "admin"),
    ],
)
def test_the_level_of_an_account_is_told_with_its_role(desk, level, permission, role) -> None:
    desk.repo.permission("dan", level)
    shown = desk.client.get(f"{REPO}/collaborators/dan/permission").json
    assert (shown["permission"], shown["role_name"]) == (permission, role)
    assert desk.client.get(f"{REPO}/collaborators/nobody/permission").status == 404


def test_an_app_gets_a_token_that_does_what_its_permissions_say(pulled) -> None:
    _, token, _ = pulled.app()
    assert token.startswith("ghs_4711_")
    assert len(token) > 400
    made = comment(pulled, token)
    assert made.json["user"]["login"] == "spark[bot]"
    assert made.json["user"]["type"] == "Bot"
    assert made.json["performed_via_github_app"]["slug"] == "spark"
    refused = pulled.client.get("/user", token=token)
    assert (refused.status, refused.json["message"]) == (403, INTEGRATION)


def test_a_narrowed_token_does_less(pulled) -> None:
    key, _, installation = pulled.app()
    path = f"/app/installations/{installation}/access_tokens"
    pulled.world.create_repo("octo/other", private=True)
    narrow = {"repositories": ["demo"], "permissions": {"contents": "read"}}
    answer = pulled.client.post(path, narrow, token=pulled.jwt(key)).json
    assert answer["repositories"][0]["name"] == "demo"
    token = answer["token"]
    assert comment(pulled, token).json["message"] == INTEGRATION
    assert pulled.client.get("/repos/octo/other", token=token).status == 404
    more = {"permissions": {"administration": "write"}}
    assert pulled.client.post(path, more, token=pulled.jwt(key)).status == 422
    unknown = {"repositories": ["nothing"]}
    assert pulled.client.post(path, unknown, token=pulled.jwt(key)).status == 422


def test_no_permissions_in_particular_are_all_of_the_installation_s(pulled) -> None:
    key, _, installation = pulled.app()
    path, signed = f"/app/installations/{installation}/access_tokens", pulled.jwt(key)
    plain, empty = (pulled.client.post(path, body, token=signed) for body in (None, {"permissions": {}}))
    assert (empty.status, empty.json["permissions"]) == (201, plain.json["permissions"])


def test_an_installation_token_is_good_for_an_hour(make_desk) -> None:
    now = [1_700_000_000.0]
    desk = make_desk(clock=lambda: now[0])
    _, token, _ = desk.app()
    now[0] += 3599
    assert desk.client.get(REPO, token=token).status == 200
    now[0] += 2
    assert desk.client.get(REPO, token=token).json["message"] == "Bad credentials"


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iat": 4_000_000_000}, "'Issued at' claim"),
        ({"exp": 1_000}, "'Expiration time' claim ('exp') must be"),
        ({"exp": 4_000_000_000}, "too far in the future"),
        ({"iss": "1"}, "'Issuer' claim"),
    ],
)
def test_a_jwt_with_a_wrong_claim_is_refused(desk, claims, words) -> None:
    key, _, _ = desk.app()
    assert desk.client.get("/app", token=desk.jwt(key)).json["slug"] == "spark"
    refused = desk.client.get("/app", token=desk.jwt(key, **claims))
    assert refused.status == 401
    assert words in refused.json["message"]


def test_a_jwt_of_another_key_is_refused_and_is_no_token_for_a_repository(desk) -> None:
    key, _, _ = desk.app()
    other = desk.client.get("/app", token=desk.jwt(new_private_key()))
    assert (other.status, other.json["message"]) == (401, "A JSON web token could not be decoded")
    assert desk.client.get(f"{REPO}/pulls", token=desk.jwt(key)).status == 403
    assert desk.client.get("/app").status == 401


def test_an_app_that_is_not_installed_there_has_no_installation(desk) -> None:
    key, _, installation = desk.app()
    desk.world.create_repo("else/where")
    found = desk.client.get(f"{REPO}/installation", token=desk.jwt(key))
    assert found.json["id"] == installation
    assert desk.client.get("/repos/else/where/installation", token=desk.jwt(key)).status == 404


def test_only_integrations_write_check_runs(pulled) -> None:
    body = {"name": "x", "head_sha": pulled.repo.pulls[1].head_sha}
    person = pulled.client.post(f"{REPO}/check-runs", body)
    assert (person.status, person.json["message"]) == (403, "You must authenticate via a GitHub App.")
    _, token, _ = pulled.app()
    assert pulled.client.post(f"{REPO}/check-runs", body, token=token).status == 201


def test_a_fine_grained_token_does_what_it_was_made_for(pulled) -> None:
    pulled.world.fine_grained_token("alice", "fine", {"pull_requests": "read"})
    refused = pulled.client.post(f"{REPO}/pulls/1/reviews", {"body": "b", "event": "COMMENT"}, token="fine")
    assert (refused.status, refused.json["message"]) == (403, "Resource not accessible by personal access token")
    pulled.world.fine_grained_token("alice", "fine", {"pull_requests": "write"})
    assert pulled.client.post(f"{REPO}/pulls/1/reviews", {"body": "b", "event": "COMMENT"}, token="fine").status == 200


def test_a_workflow_s_read_only_token_cannot_comment(pulled) -> None:
    pulled.world.actions_token("octo/demo", "read-only", {"contents": "read", "pull_requests": "read"})
    assert comment(pulled, "read-only").json["message"] == INTEGRATION
    pulled.world.create_repo("octo/else").commit("main", {"a": "1"})
    pulled.world.actions_token("octo/demo", "job")
    assert comment(pulled, "job").status == 201
    elsewhere = pulled.client.send("PUT", "/repos/octo/else/contents/x", {"message": "m", "content": ""}, token="job")
    assert elsewhere.status == 403


def test_no_token_is_kept_in_the_log(pulled) -> None:
    comment(pulled, "alice-token")
    for seen in pulled.server.requests:
        assert "alice-token" not in repr(seen)
