from __future__ import annotations

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.sandbox.github.webhooks import sign

REPO = "/repos/octo/demo"


class Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 202
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Receiver)
        self.server.got.append((dict(self.headers.items()), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def told(desk, receiver):
    desk.server.webhooks.point_to(f"http://127.0.0.1:{receiver.server_port}/webhook", "It's a Secret")
    return desk, receiver


def events(desk, receiver):
    assert desk.server.webhooks.wait()
    return [(headers["X-GitHub-Event"], json.loads(body).get("action")) for headers, body in receiver.got]


def test_the_signature_is_github_s() -> None:
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign("It's a Secret to Everybody", b"Hello, World!") == expected


def test_a_delivery_is_signed_over_its_raw_bytes_and_has_github_s_headers(told) -> None:
    desk, receiver = told
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    assert events(desk, receiver) == [("pull_request", "opened")]
    headers, body = receiver.got[0]
    digest = hmac.new(b"It's a Secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={digest}"
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert headers["Content-Type"] == "application/json"
    assert {"X-GitHub-Delivery", "X-GitHub-Hook-ID", "X-GitHub-Hook-Installation-Target-Type"} <= set(headers)
    payload = json.loads(body)
    assert payload["pull_request"]["head"]["sha"] == desk.repo.pulls[1].head_sha
    assert (payload["number"], payload["sender"]["login"]) == (1, "bob")


def test_the_life_of_a_pull_is_told(told) -> None:
    desk, receiver = told
    desk.pull({"a": "1\n"}, {"a": "2\n"}, draft=True)
    before = desk.repo.pulls[1].head_sha
    desk.repo.ready_for_review(1)
    after = desk.repo.commit("work", {"a": "3\n"})
    desk.repo.edit_pull(1, title="Another")
    desk.repo.close_pull(1)
    desk.repo.reopen_pull(1)
    desk.repo.merge_pull(1)
    assert [action for _, action in events(desk, receiver)] == [
        "opened",
        "ready_for_review",
        "synchronize",
        "edited",
        "closed",
        "reopened",
        "closed",
    ]
    synchronize, edited, merged = (json.loads(receiver.got[at][1]) for at in (2, 3, 6))
    assert (synchronize["before"], synchronize["after"]) == (before, after)
    assert edited["changes"] == {"title": {"from": "A change"}}
    assert merged["pull_request"]["merged"] is True


def test_what_is_said_on_a_pull_is_told(told) -> None:
    desk, receiver = told
    pull = desk.pull({"a": "1\n"}, {"a": "2\n"})
    comment = {"path": "a", "line": 1, "side": "RIGHT", "body": "x"}
    review = {"commit_id": pull.head_sha, "event": "COMMENT", "body": "b", "comments": [comment]}
    desk.client.post(f"{REPO}/pulls/1/reviews", review)
    desk.client.post(f"{REPO}/issues/1/comments", {"body": "/spark review"})
    _, token, _ = desk.app()
    desk.client.post(
        f"{REPO}/check-runs", {"name": "x", "head_sha": pull.head_sha, "conclusion": "success"}, token=token
    )
    assert events(desk, receiver)[1:] == [
        ("pull_request_review", "submitted"),
        ("pull_request_review_comment", "created"),
        ("issue_comment", "created"),
        ("installation", "created"),
        ("check_run", "created"),
        ("check_run", "completed"),
    ]
    said = json.loads(receiver.got[3][1])
    assert said["issue"]["pull_request"]["url"].endswith("/pulls/1")
    assert "installation" not in said
    assert json.loads(receiver.got[5][1])["installation"]["id"]


def test_a_failed_delivery_is_logged_and_can_be_had_again_with_its_guid(told) -> None:
    desk, receiver = told
    key, _, _ = desk.app()
    assert desk.server.webhooks.wait()
    receiver.got.clear()
    receiver.status = 503
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    assert desk.server.webhooks.wait()
    token = desk.jwt(key)
    (failed,) = desk.client.get("/app/hook/deliveries?status=failure", token=token).json
    assert (failed["status"], failed["status_code"]) == ("Invalid HTTP Response: 503", 503)
    receiver.status = 202
    assert desk.client.post(f"/app/hook/deliveries/{failed['id']}/attempts", token=token).status == 202
    assert desk.server.webhooks.wait()
    assert receiver.got[0] == receiver.got[1]
    again = desk.client.get("/app/hook/deliveries", token=token).json[0]
    assert (again["guid"], again["redelivery"], again["status"]) == (failed["guid"], True, "OK")
    whole = desk.client.get(f"/app/hook/deliveries/{again['id']}", token=token).json
    assert whole["request"]["payload"]["action"] == "opened"
    assert whole["response"]["payload"] == "ok"


def test_deliveries_are_paged_by_cursor(told) -> None:
    desk, _ = told
    key, _, _ = desk.app()
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    for title in "abc":
        desk.repo.edit_pull(1, title=title)
    assert desk.server.webhooks.wait()
    token, path, seen = desk.jwt(key), "/app/hook/deliveries?per_page=3", []
    while path:
        answer = desk.client.get(path, token=token)
        seen += [each["id"] for each in answer.json]
        links = {
            part.split("; ")[1]: part.split(">")[0][1:] for part in answer.headers.get("link", "").split(", ") if part
        }
        path = links.get('rel="next"', "").removeprefix(desk.server.api_url)
    assert seen == [each.id for each in reversed(desk.server.webhooks.deliveries)]


def test_a_receiver_that_is_not_there_costs_nothing_but_the_delivery(desk) -> None:
    desk.server.webhooks.point_to("http://127.0.0.1:9/", "s")
    desk.pull({"a": "1\n"}, {"a": "2\n"})
    assert desk.server.webhooks.wait()
    assert desk.server.webhooks.deliveries[0].status == "failed to connect to host"
    assert desk.client.get(f"{REPO}/pulls/1").status == 200


def test_a_payload_over_25_mb_is_not_delivered(told) -> None:
    desk, receiver = told
    assert desk.server.webhooks.send("ping", {"zen": "x" * (25 * 1024 * 1024)}) is None
    assert events(desk, receiver) == []
