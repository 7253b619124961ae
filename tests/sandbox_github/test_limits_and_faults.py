from __future__ import annotations

import http.client
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from bot.sandbox.github import Fault, Kind, Rates, When

REPO = "/repos/octo/demo"
SECONDARY = "You have exceeded a secondary rate limit."


def test_every_answer_counts_the_hour_down(desk) -> None:
    desk.repo.commit("main", {"a": "1"})
    first, second = (desk.client.get(REPO).headers for _ in range(2))
    assert first["x-ratelimit-limit"] == "5000"
    assert int(first["x-ratelimit-remaining"]) - int(second["x-ratelimit-remaining"]) == 1
    assert second["x-ratelimit-used"] == "2"
    assert first["x-ratelimit-resource"] == "core"
    assert desk.client.get("/rate_limit").json["resources"]["core"]["used"] == 2
    assert desk.client.get(REPO, token=None).headers["x-ratelimit-limit"] == "60"


def test_a_used_up_hour_is_refused_until_its_reset(make_desk) -> None:
    now = [1_700_000_000.0]
    desk = make_desk(rates=Rates(per_hour=2), clock=lambda: now[0])
    assert [desk.client.get(REPO).status for _ in range(3)] == [200, 200, 403]
    refused = desk.client.get(REPO)
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert "retry-after" not in refused.headers
    now[0] = float(refused.headers["x-ratelimit-reset"])
    assert desk.client.get(REPO).status == 200


def test_secondary_limits_hold_content_by_the_minute_and_by_the_hour(make_desk) -> None:
    now = [1_700_000_000.0]
    rates = Rates(enforce=True, content_per_minute=3, content_per_hour=5)
    desk = make_desk(rates=rates, clock=lambda: now[0])
    desk.pull({"a": "1\n"}, {"a": "2\n"})

    def say():
        return desk.client.post(f"{REPO}/issues/1/comments", {"body": "x"})

    assert [say().status for _ in range(4)] == [201, 201, 201, 403]
    refused = say()
    assert refused.json["message"].startswith(SECONDARY)
    assert refused.headers["retry-after"] == "60"
    now[0] += 61
    assert [say().status for _ in range(3)] == [201, 201, 403]
    now[0] += 3600
    assert say().status == 201


def test_secondary_limits_hold_points_by_the_minute(make_desk) -> None:
    now = [1_700_000_000.0]
    desk = make_desk(rates=Rates(enforce=True, points_per_minute=10), clock=lambda: now[0])
    assert [desk.client.get(REPO).status for _ in range(11)] == [200] * 10 + [403]
    now[0] += 61
    assert desk.client.get(REPO).status == 200


def test_secondary_limits_hold_requests_at_once(make_desk) -> None:
    desk = make_desk(rates=Rates(enforce=True, concurrent=2))
    rates, key = desk.server.site.rates, f"user:{desk.world.user('alice').id}"
    for _ in range(2):
        rates.begin(key, method="GET", resource="core", creates=False)
    assert desk.client.get(REPO).json["message"].startswith(SECONDARY)
    rates.end(key)
    assert desk.client.get(REPO).status == 200


def test_latency_is_added_to_every_call_side_by_side(desk) -> None:
    desk.repo.commit("main", {"a": "1"})
    desk.server.latency = 0.2
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: _one(desk)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    assert 0.2 <= took < 1.2
    assert all(seen.seconds >= 0.2 for seen in desk.server.requests)


def _one(desk) -> None:
    connection = http.client.HTTPConnection(desk.client.connection.host, desk.client.connection.port, timeout=20)
    connection.request("GET", f"/api/v3{REPO}")
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("status", [403, 404, 406, 422, 429, 500, 502, 503])
def test_a_fault_before_the_write_leaves_nothing_and_after_it_all(desk, status) -> None:
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    path = f"{REPO}/issues/1/comments"
    for when, kept in ((When.BEFORE, 0), (When.AFTER, 1)):
        desk.server.faults.add(Fault(match="POST /repos/*/issues/*/comments", status=status, when=when))
        assert desk.client.post(path, {"body": "x"}).status == status
        assert len(desk.repo.issue_comments) == kept
    assert desk.client.post(path, {"body": "x"}).status == 201
    assert len(desk.server.faults.struck) == 2


def test_a_fault_has_the_headers_message_and_errors_it_was_given(desk) -> None:
    fault = Fault(match="GET *", status=429, message="Slow down", headers={"Retry-After": "7"}, errors=({"code": "x"},))
    desk.server.faults.add(fault)
    answer = desk.client.get(REPO)
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert answer.json["message"] == "Slow down"
    assert answer.json["errors"] == [{"code": "x"}]


def test_a_fault_can_skip_repeat_and_ask_for_a_body(desk) -> None:
    desk.server.faults.add(Fault(match="GET /repos/octo/demo", status=502, skip=1, times=2))
    assert [desk.client.get(REPO).status for _ in range(4)] == [200, 502, 502, 200]
    desk.server.faults.add(Fault(match="POST /graphql", status=502, contains="viewer", times=None))
    assert desk.client.graphql("{ rateLimit { limit } }")["data"]["rateLimit"]["limit"] == 5000
    with pytest.raises(AssertionError):
        desk.client.graphql("{ viewer { login } }")
    desk.server.faults.clear()
    assert desk.client.graphql("{ viewer { login } }")["data"]["viewer"]["login"] == "alice"


@pytest.mark.parametrize(("when", "kept"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("kind", [Kind.CUT, Kind.STALL])
def test_a_cut_or_stalled_connection_gives_no_answer(desk, when, kept, kind) -> None:
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    desk.server.faults.add(Fault(match="POST *", kind=kind, when=when, seconds=0.05))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        desk.client.post(f"{REPO}/issues/1/comments", {"body": "x"})
    assert len(desk.repo.issue_comments) == kept
    assert [seen.status for seen in desk.server.requests] == [0]
    desk.client.connection.close()
    assert desk.client.get(REPO).status == 200


def test_a_body_can_be_cut_in_the_middle(desk) -> None:
    desk.server.faults.add(Fault(match="GET *", kind=Kind.CUT_BODY))
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        desk.client.get(REPO)
    desk.client.connection.close()


@pytest.mark.wrong_requests
def test_connections_are_kept_alive(desk) -> None:
    desk.client.get(REPO)
    kept = desk.client.connection.sock
    for method, path in (("POST", "/nothing/here"), ("PATCH", REPO), ("GET", REPO)):
        desk.client.send(method, path, {"x": "y" * 5000} if method != "GET" else None)
        assert desk.client.connection.sock is kept
    assert desk.client.get(REPO).status == 200


@pytest.mark.wrong_requests
def test_an_operation_that_does_not_exist_is_404_in_json(desk) -> None:
    answer = desk.client.post("/repos/octo/demo/nothing", {})
    assert (answer.status, answer.json["message"], answer.json["status"]) == (404, "Not Found", "404")


@pytest.mark.wrong_requests
def test_a_body_that_is_no_json_is_a_problem_told(desk) -> None:
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    answer = desk.client.post(f"{REPO}/issues/1/comments", "{", raw=True)
    assert (answer.status, answer.json["message"]) == (400, "Problems parsing JSON")
    assert desk.client.post(f"{REPO}/issues/1/comments", []).json["message"] == "Body should be a JSON object"
    assert desk.client.post(f"{REPO}/issues/1/comments", {}).json["message"].endswith('"body" wasn\'t supplied.')


def test_a_request_whose_sender_died_in_its_body_was_never_made(desk) -> None:
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    head = f"POST {REPO}/issues/1/comments HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n"
    where = urlsplit(desk.server.api_url)
    for body in (b"", b'{"body": "hi"}'):
        with socket.create_connection((where.hostname, where.port)) as sender:
            sender.sendall(f"{head}Authorization: Bearer {desk.client.token}\r\n\r\n".encode() + body)
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(100) == b""
    assert desk.client.get(f"{REPO}/issues/1/comments").json == []
    assert [seen.method for seen in desk.server.requests] == ["GET"]


def test_stopping_ends_a_stall_at_once(make_desk) -> None:
    desk = make_desk()
    desk.server.faults.add(Fault(match="GET *", kind=Kind.STALL, seconds=600))
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            desk.client.get(REPO)
        except (OSError, http.client.HTTPException) as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    deadline = time.monotonic() + 10
    while not desk.server.faults.struck and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    desk.server.stop()
    thread.join(10)
    assert len(failed) == 1
