"""The live streams over real HTTP: their form, resuming, their end, and the places they hold."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Request, Response
from sqlalchemy import insert, update
from werkzeug.serving import WSGIRequestHandler, make_server

from bot.engine import tables
from bot.engine.codec import dump_work
from bot.engine.database import Database
from bot.engine.eventlog import EventLog
from bot.engine.history import History
from bot.hooks.events import InstallationId, Place
from bot.hooks.orders import Cause, ReviewPull
from bot.live.events import LiveEvent, LiveKind
from bot.review.model import CommitSha, RepoName
from bot.server import pages
from bot.server.app import create_app
from bot.server.livestream import RETRY

JOB = "00000000000000aa"
PLACES = 2
BEAT = 0.05
FOUND = {
    "id": "f00d", "severity": "high", "category": "bug", "title": "A <b>", "body": "`x`", "path": "a.py", "line": 3,
    "start_line": 3, "side": "RIGHT", "small": ["votes 2/2"], "diff": None, "at": 0.5, "status": "posted",
    "rows": {"file": "f0", "hunk": "f0h0", "start": {"old": None, "new": 3}, "end": {"old": None, "new": 3}},
    "frame": [["+", None, 3, "x", True]],
}  # fmt: skip


class Gate:
    def refuse(self) -> Response | None:
        return None

    def signed_in(self, asked: Request) -> bool:
        return False


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'spark.db'}")) as database:
        place = Place(repo=RepoName("o/r"), repo_id=1, installation=InstallationId(1))
        work = ReviewPull(
            place=place, number=1, head_sha=CommitSha("a" * 40), base_ref="main", cause=Cause.OPENED, title="t"
        )
        with database.write() as connection:
            tables.metadata.create_all(connection)
            connection.execute(
                insert(tables.jobs).values(
                    id=JOB, delivery="d", repo="o/r", number=1, installation=1, lane="o/r#1", sameness="s",
                    work=dump_work(work), state="running", attempt=1, created_at=1.0, started_at=1.0,
                )
            )  # fmt: skip
        yield database


@pytest.fixture
def events(database: Database) -> Iterator[EventLog]:
    with closing(EventLog(database)) as log:
        yield log


@pytest.fixture
def port(database: Database, events: EventLog) -> Iterator[int]:
    """A server with the pages; its streams beat twenty times a second."""
    routes = pages.blueprint(history=History(database), events=events, access=Gate(), most_live=PLACES, beat=BEAT)
    app = create_app([routes], acknowledged=lambda seconds: None, failed=lambda kind: None)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    events.hang_up()
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def stream(port: int, query: str = "", **headers: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", f"/reviews/{JOB}/events{query}", headers=named)
        answer = connection.getresponse()
        yield answer
        answer.close()
    finally:
        connection.close()


def message(answer: http.client.HTTPResponse) -> str:
    """The next one, without the empty line at its end."""
    lines: list[str] = []
    while (line := answer.readline().decode()) not in {"\n", ""}:
        lines.append(line)
    return "".join(lines).removesuffix("\n")


def said(answer: http.client.HTTPResponse) -> tuple[int, str, dict[str, Any]]:
    """The next event, beats and other comments left out: number, kind, data."""
    while (text := message(answer)).startswith((":", "retry")):
        pass
    fields = dict(line.split(": ", 1) for line in text.split("\n"))
    return int(fields["id"]), fields["event"], json.loads(fields["data"])


def state(name: str) -> LiveEvent:
    return LiveEvent(kind=LiveKind.STATE, data={"state": name, "why": ""})


def note(text: str) -> LiveEvent:
    return LiveEvent(kind=LiveKind.NOTE, data={"at": 0.0, "text": text})


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_for_programs_events_come_as_they_are_and_over_is_the_last(port: int, events: EventLog) -> None:
    events.tell(JOB, state("running"))
    with stream(port) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert message(answer) == f"retry: {RETRY}"
        assert said(answer) == (1, "state", {"state": "running", "why": ""})
        events.tell(JOB, LiveEvent(kind=LiveKind.FOUND, data=FOUND))
        assert said(answer) == (2, "found", FOUND)
        events.tell(JOB, note("one\ntwo\r\u2028three"))
        assert said(answer) == (3, "note", {"at": 0.0, "text": "one\ntwo\r\u2028three"})
        events.tell(JOB, LiveEvent(kind=LiveKind.FINISHED, data={"at": 1.0, "review": {"verdict": "pass"}}))
        assert said(answer)[1:] == ("finished", {"at": 1.0, "review": {"verdict": "pass"}})
        events.tell(JOB, state("done"))
        assert said(answer)[:2] == (5, "state")
        assert said(answer) == (5, "over", {})
        assert answer.read() == b""


def test_for_the_page_events_are_ready_html_and_where_it_goes(port: int, events: EventLog) -> None:
    progress = {"at": 0.1, "tokens_per_second": 1200, "output_tokens": 4567, "chunks_done": 1, "chunks": 3}
    lost = {"at": 0.1, "kind": "refuted", "path": "a.py", "line": 3, "title": "T", "severity": "low", "reason": "R"}
    for event in (
        state("running"),
        LiveEvent(kind=LiveKind.STARTED, data={"chunks": 3, "files": [], "skipped": []}),
        LiveEvent(kind=LiveKind.FOUND, data=FOUND),
        LiveEvent(kind=LiveKind.PROGRESS, data=progress),
        LiveEvent(kind=LiveKind.LOST, data=lost),
        note("a `b` <i>"),
        LiveEvent(kind=LiveKind.FINISHED, data={"at": 1.0, "review": {}}),
    ):
        events.tell(JOB, event)
    with stream(port, "?for=page") as answer:
        told = [said(answer) for _ in range(6)]
        # Once the end is there, no progress is given any more.
        events.tell(JOB, state("done"))
        told += [said(answer) for _ in range(2)]
    assert [kind for _, kind, _ in told] == [
        "state", "started", "found", "progress", "lost", "note", "state", "over",
    ]  # fmt: skip
    # A finished review is large, and the page fetches it; its number is passed over.
    assert [number for number, _, _ in told] == [1, 2, 3, 4, 5, 6, 8, 8]
    data = {kind: data for _, kind, data in told[:-2]}
    assert data["started"] == {"chunks": 3}
    assert {name: data["found"][name] for name in ("id", "file", "row", "marked", "severity", "at", "say")} == {
        "id": "f00d", "file": "f0", "row": "f0h0--3", "marked": ["f0h0--3"], "severity": "high", "at": 0.5,
        "say": "Finding: high, A <b>, a.py line 3",
    }  # fmt: skip
    assert data["found"]["html"].startswith("<article")
    assert "A &lt;b&gt;" in data["found"]["html"]
    assert data["found"]["entry"].startswith("<li")
    assert data["progress"] == {"rate": "1,200", "tokens": "4,567", "chunks": "1/3", "done": 1, "of": 3}
    assert data["lost"]["html"].startswith("<li>")
    assert data["note"] == {"html": "<li>a <code>b</code> &lt;i&gt;</li>"}


@pytest.mark.parametrize("how", ["header", "query", "both"])
def test_who_comes_again_gets_what_came_since(port: int, events: EventLog, how: str) -> None:
    for text in "abc":
        events.tell(JOB, note(text))
    query = "" if how == "header" else "?after=2" if how == "query" else "?after=1"
    headers = {} if how == "query" else {"Last_Event_ID": "2"}
    with stream(port, query, **headers) as answer:
        assert said(answer) == (3, "note", {"at": 0.0, "text": "c"})


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 40, "\u0661", ""])
def test_a_number_that_is_none_is_the_beginning(port: int, events: EventLog, after: str) -> None:
    events.tell(JOB, note("a"))
    with stream(port, f"?after={after.encode().hex() if not after.isascii() else after}") as answer:
        assert said(answer)[0] == 1


def test_silence_is_broken_by_a_comment(port: int, events: EventLog) -> None:
    events.tell(JOB, state("running"))
    with stream(port) as answer:
        said(answer)
        assert message(answer) == message(answer) == ": still here"


def test_a_review_that_is_over_is_told_whole_and_ends(port: int, events: EventLog, database: Database) -> None:
    for event in (state("running"), note("a"), state("done")):
        events.tell(JOB, event)
    events.flush(JOB)
    with database.write() as connection:
        connection.execute(update(tables.jobs).values(state="done"))
    with stream(port) as answer:
        assert [said(answer)[1] for _ in range(4)] == ["state", "note", "state", "over"]
        assert answer.read() == b""
    # Cut off between the end and `over`: it is said again, or a browser would ask for ever.
    with stream(port, Last_Event_ID="3") as answer:
        assert said(answer) == (3, "over", {})


def test_there_are_so_many_places_and_who_leaves_without_a_word_gives_it_back(port: int, events: EventLog) -> None:
    events.tell(JOB, state("running"))

    def status() -> int:
        with stream(port) as answer:
            return answer.status

    kept = [stream(port) for _ in range(PLACES)]
    for each in kept:
        said(each.__enter__())
    with stream(port) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.read() == b"Too many live pages are open.\n"
    # The list and the page itself are there all the same.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", f"/reviews/{JOB}")
    assert connection.getresponse().status == 200
    connection.close()
    kept.pop().__exit__(None, None, None)
    # Nothing is told meanwhile: the next beat finds nobody there.
    until(lambda: status() == 200)
    for each in kept:
        each.__exit__(None, None, None)


def test_places_come_back_from_every_end(port: int, events: EventLog, database: Database) -> None:
    for event in (state("running"), state("done")):
        events.tell(JOB, event)
    events.flush(JOB)
    for turn in range(4 * PLACES):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        # Asked for its head alone, read to its end, or let go of at once.
        connection.request("HEAD" if turn % 3 == 0 else "GET", f"/reviews/{JOB}/events")
        if turn % 3 != 2:
            connection.getresponse().read()
        connection.close()

    def is_free() -> bool:
        opened = [stream(port) for _ in range(PLACES)]
        statuses = [each.__enter__().status for each in opened]
        for each in opened:
            each.__exit__(None, None, None)
        return statuses == [200] * PLACES

    until(is_free)


def test_at_the_end_of_the_server_streams_end_without_over(port: int, events: EventLog) -> None:
    events.tell(JOB, state("running"))
    with stream(port) as answer:
        said(answer)
        events.hang_up()
        rest = answer.read().decode()
    assert "event:" not in rest
