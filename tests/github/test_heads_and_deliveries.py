"""Which pulls a head belongs to, and GitHub's log of what it tried to deliver."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.errors import NotPermittedError, OutsideError
from bot.github import limits
from bot.github.heads import open_pulls
from bot.github.hook_log import AppHookLog
from bot.sandbox.github import Fault, Limits

REPO = "acme/shop"


def numbers(desk, head):
    return [record.pull.number for record in open_pulls(desk.client(), REPO, head, stop=desk.clock.stop())]


def test_every_open_pull_of_a_head_is_found_also_a_fork_s(make_desk) -> None:
    desk = make_desk(limits=Limits(per_page_max=2))
    head = desk.pull({"a.py": "a = 1\n"}).head_sha
    fork = desk.repo.fork("eve/shop")
    fork.commit("topic", {"b.py": "b = 1\n"})
    desk.repo.branch("other", "work")
    from_fork = desk.repo.open_pull("Fork", head="topic", head_repo=fork)
    desk.repo.open_pull("Same head", head="other")
    desk.repo.open_pull("Closed", head="other", base="main")
    desk.repo.close_pull(4)
    desk.repo.open_pull("Fork of the same head", head="work", head_repo=fork)
    assert numbers(desk, head) == [1, 3, 5]
    assert numbers(desk, from_fork.head_sha) == [2]
    assert numbers(desk, "0" * 40) == []
    (record,) = open_pulls(desk.client(), REPO, from_fork.head_sha, stop=desk.clock.stop())
    assert (record.pull.head_repo, record.totals.files) == ("eve/shop", 1)


def test_a_pull_that_moves_on_while_it_is_looked_for_is_left_out(desk) -> None:
    head = desk.pull({"a.py": "a = 1\n"}).head_sha
    client = desk.client()
    real = client.pages

    def pages(*args, **more):
        found = real(*args, **more)
        desk.repo.commit("work", {"a.py": "a = 2\n"})
        return found

    client.pages = pages
    assert open_pulls(client, REPO, head, stop=desk.clock.stop()) == []


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    status = 202


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def told(desk, key):
    """A desk whose App is told of everything at a receiver, and its log."""
    with Receiver(("127.0.0.1", 0), Handler) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.02,))
        thread.start()
        desk.install(key)
        desk.server.webhooks.point_to(f"http://127.0.0.1:{receiver.server_port}/webhook", "secret")
        yield desk, receiver, AppHookLog(desk.app(key))
        receiver.shutdown()
        thread.join()


def test_where_nothing_failed_the_log_is_one_request(told) -> None:
    desk, _, log = told
    desk.pull({"a.py": "a = 1\n"})
    assert desk.server.webhooks.wait()
    assert log.recent(0.0) == []
    assert [seen.query.get("status") for seen in desk.sent("GET", "/hook/deliveries")] == ["failure"]


def test_a_failed_delivery_is_listed_with_its_later_attempts_and_tried_again(told) -> None:
    desk, receiver, log = told
    receiver.status = 503
    desk.pull({"a.py": "a = 1\n"})
    assert desk.server.webhooks.wait()
    receiver.status = 202
    desk.repo.edit_pull(1, title="Another")
    assert desk.server.webhooks.wait()
    began = time.time()
    edited, opened = log.recent(began - 60)
    assert (opened.event, opened.ok, opened.redelivery) == ("pull_request", False, False)
    assert edited.ok
    assert abs(opened.delivered_at - began) < 30
    log.redeliver(opened.id)
    assert desk.server.webhooks.wait()
    again = log.recent(began - 60)[0]
    assert (again.guid, again.ok, again.redelivery) == (opened.guid, True, True)
    assert again.id != opened.id
    assert log.recent(began + 60) == []


def test_the_log_is_read_page_by_page_as_far_back_as_asked(told) -> None:
    desk, receiver, log = told
    receiver.status = 500
    for number in range(limits.PER_PAGE + 20):
        desk.server.webhooks.send("ping", {"zen": str(number)})
    assert desk.server.webhooks.wait()
    found = log.recent(0.0)
    assert len({each.id for each in found}) == limits.PER_PAGE + 20
    assert [each.id for each in found] == sorted((each.id for each in found), reverse=True)
    # Two pages of failures, two of all.
    assert len(desk.sent("GET", "/hook/deliveries")) == 4


def test_an_old_failure_is_found_behind_more_deliveries_than_are_read(told, monkeypatch) -> None:
    desk, receiver, log = told
    monkeypatch.setattr(limits, "PER_PAGE", 2)
    monkeypatch.setattr(limits, "MAX_DELIVERY_PAGES", 2)
    receiver.status = 500
    old = desk.server.webhooks.send("ping", {"zen": "old"})
    assert desk.server.webhooks.wait()
    receiver.status = 202
    for number in range(8):
        desk.server.webhooks.send("ping", {"zen": str(number)})
    assert desk.server.webhooks.wait()
    found = log.recent(0.0)
    assert [each.ok for each in found] == [True] * 4 + [False]
    assert found[-1].id == old.id


def test_a_delivery_that_github_has_forgotten_and_a_log_that_is_none_are_errors(told) -> None:
    desk, _, log = told
    with pytest.raises(NotPermittedError, match="404 while asking for delivery 5 again"):
        log.redeliver(5)
    desk.server.faults.add(Fault(match="GET /app/hook/deliveries", status=503, times=None))
    with pytest.raises(OutsideError):
        log.recent(0.0)
