"""The contract of `POST /webhook`, row by row, over a real Flask application."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.commands.model import Command, Verb
from bot.engine.model import AlreadyKnown, Delivery, JobState, QueueFull
from bot.errors import ConfigError
from bot.hooks.decide import Rules
from bot.hooks.orders import AnswerComment, AnswerGroup, ReviewHead, ReviewPull
from bot.hooks.signature import sign
from bot.server.door import blueprint


def test_a_delivery_is_taken_with_its_id_and_its_jobs(station: Any) -> None:
    answer = station.post()
    assert answer.status_code == 202
    assert answer.get_json() == {"delivery": station.guid, "job": station.job}
    [(delivery, work)] = station.accepted
    assert delivery == Delivery(id=delivery.id, event="pull_request.opened", received_at=1_700_000_000.5)
    assert delivery.id == station.guid
    assert isinstance(work, ReviewPull)
    assert work.head_sha == station.opened["pull_request"]["head"]["sha"]
    assert station.seen == [("pull_request.opened", "taken")]


def test_while_secrets_rotate_the_second_one_is_taken_too(station: Any) -> None:
    assert station.post(X_Hub_Signature_256=sign(station.secrets[1], station.body)).status_code == 202


def test_a_known_delivery_is_answered_with_its_job(station: Any) -> None:
    station.acceptance = AlreadyKnown(job=station.job, state=JobState.DONE, why="This head was reviewed already")
    answer = station.post()
    assert answer.status_code == 200
    assert answer.get_json() == {
        "delivery": station.guid,
        "job": station.job,
        "state": "done",
        "reason": "This head was reviewed already",
    }
    assert station.seen == [("pull_request.opened", "known")]


def test_a_full_queue_is_told_with_a_time(station: Any) -> None:
    station.acceptance = QueueFull(retry_after=17)
    answer = station.post()
    assert station.refused(answer, 503) == "The queue is full"
    assert answer.headers["Retry-After"] == "17"
    assert station.seen == [("pull_request.opened", "full")]


def test_what_is_not_for_us_is_answered_with_the_reason_and_noted(station: Any) -> None:
    answer = station.post(station.examples["ping"][0], event="ping")
    assert answer.status_code == 200
    assert answer.get_json() == {"delivery": station.guid, "reason": "pong: " + station.examples["ping"][0]["zen"]}
    assert [(each.event, told) for each, told in station.noted] == [("ping", answer.get_json()["reason"])]
    assert (
        station.post(station.examples["issues"][0], event="issues")
        .get_json()["reason"]
        .startswith("Spark does nothing on")
    )
    assert station.seen == [("ping", "ignored"), ("other", "ignored")]
    assert not station.accepted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sender": {"login": "spark[bot]", "type": "Bot"}}, "Our own event"),
        ({"sender": {"login": "renovate[bot]", "type": "Bot"}}, "A bot's event (renovate[bot])"),
        ({"pull_request": {"draft": True}}, "A draft"),
        ({"action": "assigned"}, "Spark does nothing on pull_request.assigned"),
    ],
)
def test_own_events_bots_drafts_and_other_actions_say_why(station: Any, changes: Any, reason: str) -> None:
    pull = station.opened["pull_request"] | changes.get("pull_request", {})
    answer = station.post(station.opened | changes | {"pull_request": pull})
    assert answer.status_code == 200
    assert answer.get_json()["reason"].startswith(reason)
    assert not station.accepted


def test_a_repository_that_is_not_allowed_says_so(station: Any) -> None:
    station.rules = Rules(app_id=11, app_slug="spark", allowed_repos=("acme/*",))
    assert station.post().get_json()["reason"] == "Codertocat/Hello-World is not among SPARK_ALLOWED_REPOS"
    assert not station.accepted


def test_a_closed_pull_stops_what_runs_for_it(station: Any) -> None:
    closed = station.example("pull_request", "closed")
    answer = station.post(closed)
    assert answer.status_code == 200
    assert answer.get_json() == {"delivery": station.guid, "reason": "The pull request was closed", "stopped": 2}
    repo, number = closed["repository"]["full_name"], closed["pull_request"]["number"]
    assert station.stopped == [(repo, number, "The pull request was closed")]


def test_a_closed_that_is_sent_once_more_stops_nothing(station: Any) -> None:
    station.known = AlreadyKnown(job=None, state=None, why="Taken before")
    closed = station.example("pull_request", "closed")
    answer = station.post(closed)
    assert answer.get_json() == {"delivery": station.guid, "job": None, "state": None, "reason": "Taken before"}
    assert not station.stopped


def test_a_removed_app_stops_what_runs_for_it(station: Any) -> None:
    removed = station.example("installation_repositories", "removed")
    assert station.post(removed, event="installation_repositories").get_json()["stopped"] == 1
    [(installation, repos, _why)] = station.stopped
    assert (installation, repos) == (removed["installation"]["id"], ("octocat/Hello-World",))


def test_a_merge_group_and_a_button_become_jobs(station: Any) -> None:
    assert station.post(station.examples["merge_group"][0], event="merge_group").status_code == 202
    again = station.example("check_run", "rerequested")
    again = again | {"check_run": again["check_run"] | {"name": "spark", "app": {"id": 11}}}
    assert station.post(again, event="check_run").status_code == 202
    assert [type(work) for _, work in station.accepted] == [AnswerGroup, ReviewHead]


def test_a_command_becomes_a_job_and_other_talk_is_told_why_not(station: Any) -> None:
    said = station.example("pull_request_review_comment", "created")
    asks = said | {"comment": said["comment"] | {"body": "/spark fix --commit"}}
    assert station.post(asks, event="pull_request_review_comment").status_code == 202
    [(delivery, work)] = station.accepted
    assert delivery.event == "pull_request_review_comment.created"
    assert isinstance(work, AnswerComment)
    assert (work.command, work.number) == (Command(verb=Verb.FIX, commit=True), said["pull_request"]["number"])
    quiet = station.post(said, event="pull_request_review_comment")
    assert quiet.get_json()["reason"] == "A comment without a command"
    edited = asks | {"action": "edited"}
    assert station.post(edited, event="pull_request_review_comment").get_json()["reason"].startswith("Edits never")
    assert len(station.accepted) == 1
    assert {*station.seen[1:]} == {
        ("pull_request_review_comment.created", "ignored"),
        ("pull_request_review_comment.edited", "ignored"),
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"])
def test_another_method_is_told_which_one(station: Any, method: str) -> None:
    answer = station.client.open("/webhook", method=method, data=station.body)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.content_type == "application/json"
    assert station.seen == []


def test_a_slash_too_many_does_not_matter_and_another_path_is_not_there(station: Any) -> None:
    headers = {
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": station.guid,
        "X-Hub-Signature-256": sign(station.secrets[0], b"{}"),
    }
    post = {"data": b"{}", "content_type": "application/json", "headers": headers}
    assert station.client.post("/webhook/", **post).status_code == 200
    assert station.client.post("/webhook/x", **post).status_code == 404


def test_a_missing_signature_says_what_to_set(station: Any) -> None:
    told = station.refused(station.post(X_Hub_Signature_256=None), 401)
    assert told.startswith("X-Hub-Signature-256 is missing")
    assert "SPARK_WEBHOOK_SECRET" in told
    assert station.seen == [("unknown", "unsigned")]


@pytest.mark.parametrize("header", ["sha256=" + "0" * 64, "sha256=" + "é" * 64, "sha1=x", ""])
def test_a_wrong_signature_is_refused(station: Any, header: str) -> None:
    assert station.refused(station.post(X_Hub_Signature_256=header), 401).startswith("The signature is wrong")
    assert station.idle


def test_the_signature_is_checked_before_anything_is_said_about_the_content(station: Any) -> None:
    wrong = sign("guessed", station.body)
    answers = [
        station.post(X_Hub_Signature_256=wrong),
        station.post(X_Hub_Signature_256=wrong, Content_Type="text/plain"),
        station.post(X_Hub_Signature_256=wrong, X_GitHub_Event=None),
        station.post(b"not json", X_Hub_Signature_256=wrong),
        station.post({"action": 7}, X_Hub_Signature_256=wrong),
        station.post(station.examples["ping"][0], event="ping", X_Hub_Signature_256=wrong),
    ]
    station.open = False
    answers.append(station.post(X_Hub_Signature_256=wrong))
    assert {(answer.status_code, answer.data) for answer in answers} == {(401, answers[0].data)}
    assert station.idle
    assert set(station.seen) == {("unknown", "unsigned")}


def test_the_signature_is_over_the_bytes_not_over_what_they_mean(station: Any) -> None:
    same = json.dumps(station.opened, indent=1).encode()
    assert station.post(same, X_Hub_Signature_256=sign(station.secrets[0], station.body)).status_code == 401
    assert station.post(same).status_code == 202


def test_a_form_says_which_setting_to_change(station: Any) -> None:
    told = station.refused(station.post(Content_Type="application/x-www-form-urlencoded"), 415)
    assert told.startswith("The content type must be application/json: choose it in the webhook's settings on GitHub")
    assert station.seen == [("unknown", "wrong-type")]


@pytest.mark.parametrize("given", [None, "", "text/json", "application/jsonp", "multipart/form-data; boundary=x"])
def test_another_content_type_is_refused(station: Any, given: str | None) -> None:
    assert station.refused(station.post(Content_Type=given), 415) == "The content type must be application/json"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("application/json; charset=utf-8", 202),
        ('application/json; charset="UTF-8"', 202),
        ("Application/JSON", 202),
        ("application/json;", 202),
        ("application/json; charset=iso-8859-1", 415),
        ("application/json; charset=utf-16", 415),
    ],
)
def test_a_charset_may_be_named_if_it_is_utf_8(station: Any, given: str, status: int) -> None:
    assert station.post(Content_Type=given).status_code == status


@pytest.mark.parametrize(
    ("header", "value", "told"),
    [
        ("X_GitHub_Event", None, "The header X-GitHub-Event is missing"),
        ("X_GitHub_Event", "", "The header X-GitHub-Event names no event"),
        ("X_GitHub_Event", "Pull Request", "The header X-GitHub-Event names no event"),
        ("X_GitHub_Event", "x" * 51, "The header X-GitHub-Event names no event"),
        ("X_GitHub_Delivery", None, "The header X-GitHub-Delivery is missing"),
        ("X_GitHub_Delivery", "", "The header X-GitHub-Delivery is no delivery id"),
        ("X_GitHub_Delivery", "../../x", "The header X-GitHub-Delivery is no delivery id"),
        ("X_GitHub_Delivery", "x" * 65, "The header X-GitHub-Delivery is no delivery id"),
    ],
)
def test_a_missing_or_odd_header_is_named(station: Any, header: str, value: str | None, told: str) -> None:
    assert station.refused(station.post(**{header: value}), 400) == told
    assert station.seen == [("unknown", "malformed")]
    assert station.idle


@pytest.mark.parametrize("body", [b"", b"payload=x", b'{"a": NaN}', b"[" * 90_000, b'{"a":"\xff"}', b"{}{}"])
def test_what_is_no_json_is_refused(station: Any, body: bytes) -> None:
    assert station.refused(station.post(body), 400).startswith("The body is not JSON")


def test_a_malformed_event_is_told_by_the_path(station: Any) -> None:
    assert station.refused(station.post(b"[]"), 400) == "The body is a list, not a JSON object"
    payload = station.opened | {"pull_request": station.opened["pull_request"] | {"head": None}}
    assert station.refused(station.post(payload), 400) == "$.pull_request.head is missing or null, not an object"
    assert station.idle


def test_a_failing_database_is_told_so_that_github_shows_it(station: Any, caplog: pytest.LogCaptureFixture) -> None:
    station.fault = OSError("disk full")
    answer = station.post()
    assert station.refused(answer, 503) == "The server could not store this; its log has the reason"
    assert answer.headers["Retry-After"] == "30"
    assert b"disk full" not in answer.data
    assert station.seen == [("unknown", "failed")]
    (failed,) = caplog.records
    assert (failed.getMessage(), failed.levelname) == ("delivery.failed", "ERROR")
    assert failed.exc_info is not None
    assert failed.fields == {"delivery": station.guid, "status": 503}


def test_a_server_that_starts_or_stops_asks_to_come_again(station: Any) -> None:
    station.open = False
    answer = station.post()
    assert station.refused(answer, 503) == "The server is starting or stopping"
    assert int(answer.headers["Retry-After"]) > 0
    assert station.idle


def test_every_answer_is_logged_with_its_delivery(station: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "spark")
    station.post()
    station.post(X_Hub_Signature_256="x", X_GitHub_Delivery="not\x07an id")
    taken, refused = caplog.records
    assert (taken.getMessage(), taken.levelname) == ("delivery.taken", "INFO")
    assert taken.fields == {"delivery": station.guid, "event": "pull_request.opened", "status": 202, "job": station.job}
    assert (refused.getMessage(), refused.levelname, refused.fields["delivery"]) == (
        "delivery.unsigned",
        "WARNING",
        None,
    )


@pytest.mark.parametrize("secrets", [(), ("",), ("a", ""), ("a", "b", "c")])
def test_without_one_or_two_secrets_there_is_no_door(station: Any, secrets: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="SPARK_WEBHOOK_SECRET"):
        blueprint(
            intake=station, secrets=secrets, rules=lambda: station.rules, seen=lambda *_: None, is_open=lambda: True
        )
