"""The App's tokens: narrowed, shared, renewed, replaced when refused; and who it is."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import jwt
import pytest

from bot.errors import ConfigError, CredentialsError, NotPermittedError, OutsideError
from bot.github import limits
from bot.github.app_key import read_key
from bot.github.faults import Cut, RateLimitedError, Reply
from bot.github.manifest import REVIEW_PERMISSIONS
from bot.github.notes import Kind, Notes
from bot.github.pulls import PullSource
from bot.github.reviews import PullPublisher
from bot.review.ports import Stop
from bot.sandbox.github import Fault, new_private_key
from bot.sandbox.github import Kind as FaultKind

REPO = "acme/shop"
MINT = "POST /app/installations/*/access_tokens"


def mints(desk):
    return desk.sent("POST", "/access_tokens")


def read(desk, client, path=f"/repos/{REPO}"):
    return client.get(path, stop=desk.clock.stop(), doing="reading")


def test_a_token_is_narrowed_to_one_repository_and_to_what_a_review_needs(desk, key) -> None:
    installation = desk.install(key)
    with desk.app(key).client(installation.id, REPO) as client:
        assert read(desk, client).json()["full_name"] == REPO
    (mint,) = mints(desk)
    wanted = {"contents": "write", "pull_requests": "write", "issues": "write", "checks": "write"}
    assert mint.json == {"repositories": ["shop"], "permissions": wanted}
    assert mint.answer_json["permissions"] == wanted | {"metadata": "read"}


def test_jobs_of_one_repository_share_a_token_and_ask_for_it_once(desk, key) -> None:
    installation = desk.install(key)
    desk.world.create_repo("acme/other")
    app = desk.app(key)
    desk.server.latency = 0.03
    with ThreadPoolExecutor(12) as threads:
        clients = list(threads.map(lambda _: app.client(installation.id, REPO), range(12)))
        list(threads.map(lambda client: read(desk, client), clients))
    assert len(mints(desk)) == 1
    read(desk, app.client(installation.id, "acme/other"), "/repos/acme/other")
    assert [mint.json["repositories"] for mint in mints(desk)] == [["shop"], ["other"]]


def test_a_token_is_renewed_ten_minutes_before_its_end_while_the_old_one_is_used(desk, key, until) -> None:
    installation = desk.install(key)
    client = desk.app(key).client(installation.id, REPO)
    read(desk, client)
    desk.clock.time += 2980
    read(desk, client)
    assert len(mints(desk)) == 1
    desk.clock.time += 30
    desk.server.faults.add(Fault(match=MINT, kind=FaultKind.STALL, seconds=1.5))
    began = time.monotonic()
    read(desk, client)
    assert time.monotonic() - began < 1.2
    until(lambda: len(mints(desk)) >= 2)


def test_the_token_of_a_repository_in_use_is_there_before_it_is_wanted_again(desk, key, until) -> None:
    installation = desk.install(key)
    app = desk.app(key)
    client = app.client(installation.id, REPO)
    read(desk, client)
    assert app.renew_ahead() == 0
    desk.clock.time += 3100
    assert app.renew_ahead() == 1
    until(lambda: len(mints(desk)) == 2 and app.renew_ahead() == 0)
    desk.clock.time += 2000
    desk.server.faults.add(Fault(match=MINT, status=500, times=None))
    assert read(desk, client).ok
    assert len(mints(desk)) == 2


def test_nobody_asks_for_tokens_of_a_repository_that_was_left_alone_or_refuses(desk, key, until) -> None:
    installation = desk.install(key)
    app = desk.app(key)
    read(desk, app.client(installation.id, REPO))
    desk.clock.time += 9 * 3600
    assert app.renew_ahead() == 0
    read(desk, app.client(installation.id, REPO))
    desk.world.uninstall(installation)
    desk.clock.time += 3500
    assert app.renew_ahead() == 1
    until(lambda: len(mints(desk)) == 3 and app.renew_ahead() == 0)
    assert app.renew_ahead() == 0
    assert len(mints(desk)) == 3


def test_without_an_hour_s_rest_a_token_is_waited_for(desk, key) -> None:
    installation = desk.install(key)
    client = desk.app(key).client(installation.id, REPO)
    read(desk, client)
    desk.clock.time += 3590
    read(desk, client)
    assert len(mints(desk)) == 2


def test_a_token_that_github_refuses_is_replaced_and_the_write_sent_once(desk, key) -> None:
    installation = desk.install(key)
    client = desk.app(key).client(installation.id, REPO)
    pull = desk.pull({"a.py": "a = 1\n"})
    read(desk, client)
    desk.world.tokens.clear()
    body = {"name": "spark", "head_sha": pull.head_sha}
    answer = client.call("POST", f"/repos/{REPO}/check-runs", stop=desk.clock.stop(), body=body)
    assert isinstance(answer, Reply)
    assert answer.status == 201
    assert [seen.status for seen in desk.sent("POST", "/check-runs")] == [401, 201]
    assert len(mints(desk)) == 2


def test_a_401_that_stays_ends_after_one_more_try(desk, key) -> None:
    installation = desk.install(key)
    client = desk.app(key).client(installation.id, REPO)
    desk.server.faults.add(Fault(match=f"GET /repos/{REPO}", status=401, times=None))
    with pytest.raises(CredentialsError, match="whether the App is still installed"):
        read(desk, client)
    assert len(desk.server.faults.struck) == 2


def test_an_installation_that_a_payload_does_not_name_is_looked_up(desk, key) -> None:
    desk.install(key)
    assert read(desk, desk.app(key).client(0, REPO)).ok
    assert len(desk.sent("GET", "/installation")) == 1
    with pytest.raises(NotPermittedError, match="Install the App on else"):
        read(desk, desk.app(key).client(0, "else/where"))


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda world, installation: world.suspend(installation), "unsuspend"),
        (lambda world, installation: world.uninstall(installation), "Install the App on acme"),
        (lambda world, installation: world.choose_repos(installation, set()), "Add acme/shop to the repositories"),
        (lambda world, installation: installation.permissions.pop("checks"), "accept the App's new permissions"),
    ],
)
def test_what_makes_a_token_impossible_is_told_with_its_remedy(desk, key, change, remedy) -> None:
    installation = desk.install(key)
    change(desk.world, installation)
    client = desk.app(key).client(installation.id, REPO)
    with pytest.raises(NotPermittedError, match=remedy):
        read(desk, client)
    with pytest.raises(NotPermittedError, match=REPO):
        client.call("POST", f"/repos/{REPO}/check-runs", stop=desk.clock.stop(), body={})
    assert desk.sent("", f"/repos/{REPO}") == []


def test_a_suspended_app_works_again_when_that_is_lifted(desk, key) -> None:
    installation = desk.install(key)
    client = desk.app(key).client(installation.id, REPO)
    desk.world.suspend(installation)
    with pytest.raises(NotPermittedError, match="suspended"):
        read(desk, client)
    desk.world.suspend(installation, lift=True)
    assert read(desk, client).ok


def test_a_passing_fault_while_asking_for_a_token_is_borne(desk, key) -> None:
    installation = desk.install(key)
    app = desk.app(key)
    desk.server.faults.add(Fault(match=MINT, status=502))
    assert read(desk, app.client(installation.id, REPO)).ok
    desk.server.faults.add(Fault(match=MINT, kind=FaultKind.CUT, when="after"))
    assert read(desk, desk.app(key).client(installation.id, REPO)).ok
    desk.server.faults.add(Fault(match=MINT, status=403, message="secondary rate limit", headers={"Retry-After": "3"}))
    assert read(desk, desk.app(key).client(installation.id, REPO)).ok
    assert desk.clock.waits == [3.0]


def test_a_github_that_gives_no_token_is_the_outside_world_s_fault(desk, key) -> None:
    installation = desk.install(key)
    # Before the client, which asks for a token as soon as it is made.
    desk.server.faults.add(Fault(match=MINT, status=502, times=None))
    client = desk.app(key).client(installation.id, REPO)
    with pytest.raises(OutsideError, match="502 while reading"):
        read(desk, client)
    desk.server.faults.clear()
    desk.server.faults.add(Fault(match=MINT, status=429, headers={"Retry-After": "900"}, times=None))
    with pytest.raises(RateLimitedError, match="900 seconds"):
        read(desk, client)
    desk.server.faults.clear()
    assert read(desk, client).ok


def test_a_cancel_is_felt_while_a_token_is_waited_for(desk, key, until) -> None:
    installation = desk.install(key)
    desk.server.faults.add(Fault(match=MINT, kind=FaultKind.STALL, seconds=3.0, times=1))
    client = desk.app(key).client(installation.id, REPO)
    stop = desk.clock.stop()
    answers: list[object] = []
    asking = threading.Thread(
        target=lambda: answers.append(client.call("POST", f"/repos/{REPO}/check-runs", stop=stop, body={}))
    )
    asking.start()
    until(lambda: len(desk.server.faults.struck) > 0)
    began = time.monotonic()
    stop.cancel()
    asking.join(5)
    assert time.monotonic() - began < 2.0
    assert answers == [Cut(reason="GitHub gave no token in time")]


def test_the_token_and_the_facts_are_asked_for_side_by_side_and_beside_the_caller(desk, key) -> None:
    installation = desk.install(key)
    app = desk.app(key)
    desk.server.latency = 0.7
    began = time.monotonic()
    client = app.client(installation.id, REPO)
    assert time.monotonic() - began < 0.6
    read(desk, client)
    assert client.login == "spark-app[bot]"
    # Two round trips one after the other: the token, then the read; a third would make it 2.1.
    assert time.monotonic() - began < 2.0
    (facts,) = desk.sent("GET", "/app")
    assert abs(facts.started - mints(desk)[0].started) < 0.6


def test_clients_with_different_tokens_share_the_connections(desk, key) -> None:
    installation = desk.install(key)
    listener = desk.server._server
    opened: list[object] = []
    real = listener.opened
    listener.opened = lambda connection: (opened.append(connection), real(connection))
    app = desk.app(key)
    app.facts()
    for name in ("a", "b", "c", "d", "e"):
        desk.world.create_repo(f"acme/{name}")
        with app.client(installation.id, f"acme/{name}") as client:
            read(desk, client, f"/repos/acme/{name}")
    assert len(mints(desk)) == 5
    assert len(opened) <= 2
    # A client that is closed takes nobody else's connection away.
    assert app.facts().id == 4711


def test_a_job_that_ends_does_not_wait_for_a_silent_github(desk, key, until) -> None:
    installation = desk.install(key)
    client = desk.app(key).client(installation.id, REPO)
    read(desk, client)
    desk.server.faults.add(Fault(match=f"GET /repos/{REPO}/pulls", kind=FaultKind.STALL, seconds=2.0))
    client.submit(read, desk, client, f"/repos/{REPO}/pulls")
    until(lambda: len(desk.server.faults.struck) == 1)
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 1.2


def test_the_app_knows_itself_after_asking_once(desk, key) -> None:
    app = desk.app(key)
    desk.install(key)
    facts = app.facts()
    assert (facts.id, facts.slug, facts.name, facts.login) == (4711, "spark-app", "Spark App", "spark-app[bot]")
    assert app.facts() is facts
    assert len(desk.sent("GET", "/app")) == 1


def test_a_client_of_the_app_does_not_ask_who_it_is(desk, key) -> None:
    installation, app = desk.install(key), desk.app(key)
    # The App asks once, on its own, when its first client is made; that may come at any moment.
    app.facts()
    pull = PullSource(
        app.client(installation.id, REPO),
        REPO,
        desk.pull({"a.py": "a = 1\n"}).number,
        compare=None,
        stop=desk.clock.stop(),
    )
    client = app.client(installation.id, REPO)
    notes = Notes(client, REPO, pull.open().change.pull.number, stop=desk.clock.stop())
    body = {"body": "ours <!-- spark:finding v1 0123456789abcdef -->"}
    assert client.call("POST", f"/repos/{REPO}/issues/1/comments", stop=desk.clock.stop(), body=body).status == 201
    desk.world.actions_token(REPO, "job")
    desk.client("job").call("POST", f"/repos/{REPO}/issues/1/comments", stop=desk.clock.stop(), body=body)
    before = len(list(desk.server.requests))
    (listed,) = notes.read(Kind.ISSUE_COMMENTS)
    assert [note.login for note in notes.ours(listed)] == ["spark-app[bot]"]
    assert [note.login for note in listed] == ["spark-app[bot]", "github-actions[bot]"]
    assert [(seen.method, seen.path) for seen in list(desk.server.requests)[before:]] == [
        ("GET", f"/repos/{REPO}/issues/1/comments")
    ]


def test_what_the_manifest_asks_for_is_enough_for_a_review_of_a_private_repository(desk, key) -> None:
    desk.repo.private = True
    installation = desk.install(key)
    number = desk.pull({"a.py": "a = 1\n", "b.py": "b\n"}).number
    client = desk.app(key).client(installation.id, REPO)
    opened = PullSource(client, REPO, number, compare=None, stop=desk.clock.stop()).open()
    assert opened.files.text("a.py") == "a = 1\n"
    publisher = PullPublisher(client, REPO, opened.change.pull.number, pace=desk.pace, stop=desk.clock.stop())
    assert publisher.recall().known == {}
    for path, body in (
        (f"/repos/{REPO}/pulls/{number}/reviews", {"body": "b", "event": "COMMENT"}),
        (f"/repos/{REPO}/issues/{number}/comments", {"body": "b"}),
        (f"/repos/{REPO}/check-runs", {"name": "spark", "head_sha": opened.change.pull.head_sha}),
    ):
        assert client.call("POST", path, stop=desk.clock.stop(), body=body).ok


def test_until_its_new_permissions_are_accepted_the_app_reviews_with_the_old_ones(desk, key, caplog) -> None:
    desk.repo.private = True
    installation = desk.install(key)
    installation.permissions["contents"] = "read"
    del installation.permissions["issues"]
    app = desk.app(key)
    assert read(desk, app.client(installation.id, REPO)).ok
    assert [mint.status for mint in mints(desk)] == [422, 201]
    assert mints(desk)[1].json["permissions"] == dict(REVIEW_PERMISSIONS)
    assert "github.permissions_not_accepted" in caplog.text


@pytest.mark.parametrize("missing", ["contents", "pull_requests", "checks"])
def test_less_than_the_manifest_asks_for_is_not_enough(desk, key, missing) -> None:
    desk.repo.private = True
    installation = desk.install(key)
    del installation.permissions[missing]
    with pytest.raises(NotPermittedError, match="permissions"):
        read(desk, desk.app(key).client(installation.id, REPO))


def test_a_key_of_another_app_is_told_by_the_names_of_the_settings(desk, key) -> None:
    installation = desk.install(key)
    app = desk.app(new_private_key())
    with pytest.raises(CredentialsError, match="SPARK_APP_ID and SPARK_APP_PRIVATE_KEY"):
        app.facts()
    with pytest.raises(CredentialsError, match="SPARK_APP_PRIVATE_KEY"):
        read(desk, app.client(installation.id, REPO))
    with pytest.raises(CredentialsError, match="SPARK_APP_PRIVATE_KEY"):
        app.app_client().get("/app/installations", stop=desk.clock.stop(), doing="asking")


def test_a_clock_that_is_wrong_is_named_as_the_fault(desk, key) -> None:
    desk.install(key)
    with pytest.raises(CredentialsError, match=r"clock: it differs from GitHub's by (599|600|601) seconds"):
        desk.app(key, today=lambda: time.time() + 600).facts()


def test_facts_that_could_not_be_had_are_asked_for_again(desk, key) -> None:
    desk.install(key)
    app = desk.app(key)
    desk.server.faults.add(Fault(match="GET /app", kind=FaultKind.CUT, times=3))
    with pytest.raises(OutsideError):
        app.facts()
    assert app.facts().slug == "spark-app"


def test_the_app_s_own_token_is_dated_as_github_wants_it_and_signed_anew_in_time(desk, key) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    claims = jwt.decode(read_key(key).sign("Iv1.abc", now=now), options={"verify_signature": False})
    assert claims == {"iat": now - 60, "exp": now + 540, "iss": "Iv1.abc"}
    assert claims["exp"] - now < limits.MAX_JWT_SECONDS
    times = []
    app = desk.app(key, today=lambda: times.append(1) or time.time())
    desk.install(key)
    client = app.app_client()
    for forward, signed in ((0, 1), (470, 1), (20, 2)):
        desk.clock.time += forward
        assert client.get("/app/installations", stop=desk.clock.stop(), doing="asking").ok
        assert len(times) == signed


def spaced(key):
    return key.replace("\n", " ")


@pytest.mark.parametrize("form", [str, lambda key: key.replace("\n", "\\n"), spaced, lambda key: f"\ufeff{key}\r\n"])
def test_a_key_is_taken_as_environments_give_it(key, form) -> None:
    assert read_key(form(key)).sign("1", now=0.0) == read_key(key).sign("1", now=0.0)


def test_a_key_is_taken_from_a_file(key, tmp_path) -> None:
    path = tmp_path / "app.pem"
    path.write_text(key)
    assert read_key(f" {path}\n").sign("1", now=0.0) == read_key(key).sign("1", now=0.0)


EC = """-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49
AwEHoUQDQgAEPR3tU2Fta9ktY+6P9G0cWO+0kETA6SFs38GecTyudlHz6xvCdz8q
EKTcWGekdmdDPsHloRNtsiCa697B2O9IFA==
-----END EC PRIVATE KEY-----"""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda key, path: "no/such/file.pem", "neither PEM text nor the path"),
        (lambda key, path: "".join(key.split("\n")[1:-2]), "neither PEM text nor the path"),
        (lambda key, path: str(path), "names a file without a PEM key"),
        (lambda key, path: key[:200] + "\n" + key[-32:], "damaged"),
        (lambda key, path: EC, "not an RSA key"),
        (lambda key, path: key.replace("RSA PRIVATE", "PUBLIC"), "is a public key"),
        (lambda key, path: key.replace("RSA PRIVATE", "ENCRYPTED PRIVATE"), "passphrase"),
    ],
)
def test_what_is_no_key_is_refused_by_the_setting_s_name_and_not_shown(key, tmp_path, make, words) -> None:
    path = tmp_path / "empty.pem"
    path.write_text("nothing here")
    value = make(key, path)
    with pytest.raises(ConfigError, match=words) as caught:
        read_key(value)
    said = str(caught.value)
    assert "SPARK_APP_PRIVATE_KEY" in said
    assert not any(value[at : at + 24] in said for at in range(max(1, len(value) - 24)))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_no_token_is_written_to_any_log_or_shown_by_any_object(desk, key, caplog) -> None:
    installation = desk.install(key)
    app = desk.app(key)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="github"):
        client = app.client(installation.id, REPO)
        read(desk, client)
        app.facts()
    tokens = [mint.answer_json["token"] for mint in mints(desk)]
    assert len(tokens) == 1
    assert tokens[0] not in caplog.text
    assert "eyJ" not in caplog.text
    assert tokens[0] not in repr([vars(app), app._slots])
    assert len(tokens[0]) > 400


def test_a_stop_of_a_client_does_not_end_the_token_s_request_for_others(desk, key) -> None:
    installation = desk.install(key)
    app = desk.app(key)
    desk.server.latency = 0.1
    gone = Stop(deadline=desk.clock.now(), clock=desk.clock)
    assert app.client(installation.id, REPO).call("GET", f"/repos/{REPO}", stop=gone) == Cut(
        reason="GitHub gave no token in time"
    )
    assert read(desk, app.client(installation.id, REPO)).ok
    assert len(mints(desk)) == 1
