"""The pages over a real database: the list, a review, its parts, and who is sent away."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Request, Response
from flask.testing import FlaskClient
from sqlalchemy import insert
from werkzeug.test import TestResponse

from bot.commands.model import Command, CommentKind, CommentRef, NearMiss, Verb
from bot.engine import tables
from bot.engine.codec import dump_ended, dump_work
from bot.engine.database import Database, DatabaseAwayError
from bot.engine.eventlog import EventLog
from bot.engine.history import History
from bot.engine.model import Ended, JobState, is_talk
from bot.hooks.events import InstallationId, Place
from bot.hooks.orders import AnswerComment, AnswerGroup, Cause, ReviewHead, ReviewPull, Work
from bot.live.events import LiveEvent, LiveKind
from bot.review.memory import CommentId
from bot.review.model import CommitSha, RepoName
from bot.server import pages
from bot.server.access import Access
from bot.server.app import create_app
from bot.server.livestream import messages, plain_message

TOKEN = "the-page-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HTML = {"Accept": "text/html"}


class Gate:
    """Access as it comes, or nobody's."""

    def __init__(self) -> None:
        self.is_open = True

    def refuse(self) -> Response | None:
        return None if self.is_open else Response("no\n", 401)

    def signed_in(self, asked: Request) -> bool:
        return False


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'spark.db'}")) as database:
        with database.write() as connection:
            tables.metadata.create_all(connection)
        yield database


@pytest.fixture
def events(database: Database) -> Iterator[EventLog]:
    with closing(EventLog(database)) as log:
        yield log


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def client(database: Database, events: EventLog, gate: Gate) -> FlaskClient:
    history = History(database)
    routes = pages.blueprint(history=history, events=events, access=gate, github_url="https://github.example")
    return create_app([routes], acknowledged=lambda seconds: None, failed=lambda kind: None).test_client()


def order(repo: str = "acme/shop", **more: Any) -> ReviewPull:
    known: dict[str, Any] = {"number": 7, "base_ref": "main", "cause": Cause.OPENED, "title": "A <b>change</b>"}
    place = Place(repo=RepoName(repo), repo_id=1, installation=InstallationId(1))
    return ReviewPull(place=place, head_sha=CommitSha("a" * 40), author="mona", **(known | more))


@pytest.fixture
def add(database: Database) -> Callable[..., str]:
    """Put a job into the database, as the engine leaves it."""
    count = iter(range(1, 10_000))

    def add(work: Work | None = None, ended: Ended | None = None, *, created_at: float | None = None) -> str:
        number = next(count)
        work = work or order()
        created = time.time() - 100 + number * 0.001 if created_at is None else created_at
        name = f"{number:016x}"
        with database.write() as connection:
            connection.execute(
                insert(tables.jobs).values(
                    id=name,
                    delivery=f"delivery-{number}",
                    repo=work.place.repo,
                    number=getattr(work, "number", None),
                    installation=1,
                    lane=f"{name}/lane",
                    sameness=name,
                    talk=int(is_talk(work)),
                    work=dump_work(work),
                    state=(ended.state if ended is not None else JobState.RUNNING).value,
                    attempt=1,
                    created_at=created,
                    started_at=created + 0.5,
                    ended_at=created + 4.0 if ended is not None else None,
                    ended=dump_ended(ended) if ended is not None else None,
                )
            )
        return name

    return add


PASSED = Ended(
    state=JobState.DONE, why="all was reviewed", verdict="pass", findings=2, usd=0.01, url="https://github.example/r/1",
    timing={"first_finding": 0.9, "done": 4.0},
)  # fmt: skip
FAILED = Ended(state=JobState.FAILED, why="the endpoint does not answer", error="OutsideError")
SUPERSEDED = Ended(state=JobState.SUPERSEDED, why="a newer push came")


def shown(answer: TestResponse) -> list[str]:
    """Ids of the reviews in a list."""
    return re.findall(r'id="job-([0-9a-f]{16})"', answer.text)


def test_the_list_is_newest_first_with_each_state(client: FlaskClient, add: Callable[..., str]) -> None:
    made = [add(ended=ended) for ended in (PASSED, FAILED, SUPERSEDED, None)]
    answer = client.get("/")
    assert answer.status_code == 200
    assert shown(answer) == made[::-1]
    assert "the-page" not in answer.text
    assert "A &lt;b&gt;change&lt;/b&gt;" in answer.text
    assert "OutsideError" not in answer.text
    for said in ("pass", "failed", "superseded", "reviewing", "2 findings", "4.0 s", "$0.0100", "All was reviewed"):
        assert said in answer.text, said


def test_the_list_is_filtered_by_state_and_repository(client: FlaskClient, add: Callable[..., str]) -> None:
    one, two, three = add(ended=PASSED), add(order("other/repo"), PASSED), add(ended=FAILED)
    assert shown(client.get("/?state=done")) == [two, one]
    assert shown(client.get("/?repo=acme/shop")) == [three, one]
    assert shown(client.get("/?repo=acme/shop&state=failed")) == [three]
    assert shown(client.get("/?repo=nobody/here")) == []
    # What is no state chooses nothing out.
    assert len(shown(client.get("/?state=nonsense"))) == 3


@pytest.mark.parametrize(
    "asked", ["/?before=x", "/?repo=%00", "/?repo=" + "a" * 5_000, "/?state=%ff", "/?before=1e999"]
)
def test_no_question_makes_an_error(client: FlaskClient, add: Callable[..., str], asked: str) -> None:
    add()
    assert client.get(asked).status_code == 200


def test_older_reviews_are_on_further_pages(client: FlaskClient, add: Callable[..., str]) -> None:
    made = [add(ended=PASSED) for _ in range(pages.A_PAGE + 3)]
    first = client.get("/?state=done")
    assert shown(first) == made[:2:-1]
    older = re.search(r'href="(/\?[^"]*before=[^"]*)"', first.text)
    assert older is not None
    second = client.get(older[1].replace("&amp;", "&"))
    assert shown(second) == made[2::-1]
    assert "before=" not in second.text


def test_an_empty_list_says_what_to_do(client: FlaskClient) -> None:
    assert "No review yet" in client.get("/").text


def test_a_review_has_its_page_its_data_and_its_part(
    client: FlaskClient, events: EventLog, add: Callable[..., str]
) -> None:
    job = add(ended=PASSED)
    for kind, data in (
        (LiveKind.STATE, {"state": "running", "why": ""}),
        (LiveKind.NOTE, {"at": 0.5, "text": "a `note`"}),
        (LiveKind.STATE, {"state": "done", "why": ""}),
    ):
        events.tell(job, LiveEvent(kind=kind, data=data))
    events.flush(job)
    whole = client.get(f"/reviews/{job}")
    assert whole.status_code == 200
    assert "a <code>note</code>" in whole.text
    assert 'data-over="yes"' in whole.text
    assert 'href="https://github.example/r/1"' in whole.text
    assert 'href="https://github.example/acme/shop/pull/7"' in whole.text
    assert ">0.90 s<" in whole.text
    part = client.get(f"/reviews/{job}", headers={"X-Spark-Part": "main"})
    assert part.text.startswith("<main")
    strip = re.compile(r'data-now="[\d.]+"')
    assert strip.sub("", part.text.strip()) in strip.sub("", whole.text)
    told = client.get(f"/reviews/{job}.json").json
    assert told == {
        "id": job, "delivery": "delivery-1", "state": "done", "why": "all was reviewed", "attempt": 1,
        "url": "https://github.example/r/1", "timing": {"first_finding": 0.9, "done": 4.0}, "review": None, "command": None,
    }  # fmt: skip


def said(command: Command | NearMiss | None, kind: CommentKind = CommentKind.THREAD, text: str = "") -> AnswerComment:
    ref = CommentRef(kind=kind, id=CommentId(99), node_id="x", root=CommentId(98))
    return AnswerComment(place=order().place, number=7, comment=ref, sender="mona", command=command, text=text)


COMMITTED = Ended(
    state=JobState.DONE, why="4 findings in one commit", outcome="committed", usd=0.002, url="https://github.example/a/1",
    timing={"ack": 0.21, "done": 4.0},
)  # fmt: skip


def test_a_command_shows_what_was_asked_by_whom_and_what_came_of_it(
    client: FlaskClient, add: Callable[..., str]
) -> None:
    command = Command(verb=Verb.FIX, everything=True, commit=True)
    review, job = add(ended=PASSED), add(said(command), COMMITTED)
    row = client.get("/").text
    assert shown(client.get("/")) == [job, review]
    for text in ("<code>/spark fix all --commit</code>", "committed", "4 findings in one commit", "mona", "#7"):
        assert text in row, text
    assert "1</dd>" in re.sub(r"\s+", "", row.partition("reviews</dt>")[2])[:20], "commands are not counted as reviews"
    page = client.get(f"/reviews/{job}").text
    for text in (
        "<code>/spark fix all --commit</code>", "asked by mona", "committed", "4 findings in one commit", ">0.21 s<",
        'href="https://github.example/a/1"', "The answer on GitHub", 'acme/shop/pull/7#discussion_r99"',
    ):  # fmt: skip
        assert text in page, text
    for text in ("not kept here", "Keys:", "No findings", "None"):
        assert text not in re.sub(r"<section[^>]* hidden>.*?</section>", "", page, flags=re.DOTALL), text
    told = client.get(f"/reviews/{job}.json").json
    assert told["command"] == {"asked": "/spark fix all --commit", "by": "mona", "outcome": "committed"}


@pytest.mark.parametrize(
    ("work", "title", "anchor"),
    [
        (
            said(Command(verb=Verb.ASK, rest="why is\n**this** <b>wrong</b>?"), CommentKind.CONVERSATION),
            "/spark ask why is **this** &lt;b&gt;wrong&lt;/b&gt;?",
            "#issuecomment-99",
        ),
        (said(NearMiss(wrote="fixx", meant=Verb.FIX), CommentKind.REVIEW), "/spark fixx", "#pullrequestreview-99"),
        (said(NearMiss(wrote="/sprak", meant=Verb.FIX)), "/sprak", "#discussion_r99"),
        (said(None, text=f"Is ghp_{'a1' * 18} fine?" + "x" * 300), "Is ghp_••• fine?xxx", "#discussion_r99"),
    ],
)
def test_what_somebody_wrote_is_shown_as_text_and_without_secrets(
    client: FlaskClient, add: Callable[..., str], work: AnswerComment, title: str, anchor: str
) -> None:
    job = add(work, replace(COMMITTED, outcome="answered"))
    assert f"<code>{title}" in client.get("/").text
    page = client.get(f"/reviews/{job}").text
    assert f"<code>{title}" in page
    assert f'{anchor}"' in page
    assert "a1a1a1" not in page
    assert "x" * 250 not in page


@pytest.mark.parametrize(
    ("ended", "shows"),
    [
        (None, "Answering"),
        (Ended(state=JobState.DONE, outcome="refused", why="it needs write access"), "refused"),
        (Ended(state=JobState.DONE), "Answered"),
        (Ended(state=JobState.SKIPPED, why="nothing is asked"), "Not answered"),
        (
            Ended(state=JobState.FAILED, why="GitHub is away", error="OutsideError"),
            "write the command in a new comment",
        ),
    ],
)
def test_a_command_has_words_of_its_own_for_each_state(
    client: FlaskClient, add: Callable[..., str], ended: Ended | None, shows: str
) -> None:
    job = add(said(Command(verb=Verb.HELP)), ended)
    page = client.get(f"/reviews/{job}").text
    assert shows.lower() in page.lower()
    assert "Reviewed" not in page
    assert "Reviewing" not in page
    assert client.get("/").status_code == 200


def test_the_list_has_its_part_too(client: FlaskClient, add: Callable[..., str]) -> None:
    job = add()
    part = client.get("/", headers={"X-Spark-Part": "main"})
    assert part.text.startswith("<main")
    assert shown(part) == [job]


def test_a_failed_review_tells_which_delivery_to_have_again(client: FlaskClient, add: Callable[..., str]) -> None:
    page = client.get(f"/reviews/{add(ended=FAILED)}").text
    assert "The endpoint does not answer" in page
    assert "<code>delivery-1</code>" in page


def test_work_without_a_pull_has_a_title_and_a_link_to_its_commit(client: FlaskClient, add: Callable[..., str]) -> None:
    place, head = order().place, CommitSha("b" * 40)
    group = add(AnswerGroup(place=place, head_sha=head, head_ref="refs/heads/gh-readonly-queue/main/pr-1"))
    asked = add(ReviewHead(place=place, head_sha=head))
    text = client.get("/").text
    assert "Merge group bbbbbbb" in text
    assert "Open pulls with the head bbbbbbb" in text
    for job in (group, asked):
        page = client.get(f"/reviews/{job}")
        assert page.status_code == 200
        assert "pull/None" not in page.text


@pytest.mark.parametrize("path", ["", ".json", "/events"])
@pytest.mark.parametrize("name", ["ffffffffffffffff", "nonsense", "FFFFFFFFFFFFFFFF", "a" * 300, "%00", "..a"])
def test_what_is_no_review_is_not_found(client: FlaskClient, name: str, path: str) -> None:
    assert client.get(f"/reviews/{name}{path}").status_code == 404


def test_every_page_has_a_policy_that_lets_no_strange_script_run(client: FlaskClient, add: Callable[..., str]) -> None:
    for path in ("/", "/?state=failed", f"/reviews/{add()}"):
        answer = client.get(path)
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";") if part.strip()
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in str(policy)
        assert answer.headers["Cache-Control"] == "no-store"
        # Nothing stands in the page that the policy would stop.
        assert "<style" not in answer.text
        assert not re.search(r'\sstyle="|\son\w+="|<script(?! type="module" src="/static/)', answer.text)


def test_what_pages_load_has_the_hash_of_its_content_and_may_be_kept(client: FlaskClient, gate: Gate) -> None:
    page = client.get("/").text
    # Also for who has to sign in first.
    gate.is_open = False
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert [re.sub(r"[0-9a-f]{12}$", "#", each) for each in found] == ["/static/spark.css?v=#", "/static/live.js?v=#"]
    for each, kind in zip(found, ("text/css", "text/javascript"), strict=True):
        answer = client.get(each)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for name in ("nothing.js", "..%2fpages.py", "review.css"):
        assert client.get(f"/static/{name}").status_code == 404


def test_who_may_not_see_it_sees_nothing(client: FlaskClient, add: Callable[..., str], gate: Gate) -> None:
    job = add()
    gate.is_open = False
    for path in ("/", f"/reviews/{job}", f"/reviews/{job}.json", f"/reviews/{job}/events", "/reviews/nonsense"):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (401, "no\n"), path


def test_with_the_page_token_pages_open_and_without_it_a_person_is_led_to_sign_in(
    database: Database, events: EventLog, add: Callable[..., str]
) -> None:
    access = Access(page_token=TOKEN, secret_key=b"key", bound_to_loopback=False)
    routes = pages.blueprint(history=History(database), events=events, access=access)
    app = create_app([access.blueprint(), routes], acknowledged=lambda seconds: None, failed=lambda kind: None)
    client, path = app.test_client(), f"/reviews/{add()}"
    answer = client.get(path, headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/signin?next={path.replace('/', '%2F')}")
    assert client.get(f"{path}/events").status_code == 401
    assert client.get(path, headers=BEARER).status_code == 200
    assert client.post("/signin", data={"token": TOKEN, "next": path}).headers["Location"] == path
    page = client.get(path).text
    assert "Sign out" in page
    assert TOKEN not in page


class Away:
    """A history and an event log whose database does not answer."""

    def __getattr__(self, name: str) -> Any:
        def fail(*args: object, **more: object) -> None:
            raise DatabaseAwayError("the database does not answer")

        return fail


def test_without_its_database_the_pages_say_so_and_when_to_come_again(gate: Gate) -> None:
    routes = pages.blueprint(history=Away(), events=Away(), access=gate)  # type: ignore[arg-type]
    errors: list[str] = []
    client = create_app([routes], acknowledged=lambda seconds: None, failed=errors.append).test_client()
    for path in (
        "/",
        "/reviews/00000000000000aa",
        "/reviews/00000000000000aa/events",
        "/reviews/00000000000000aa.json",
    ):
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert int(answer.headers["Retry-After"]) > 0
        assert "database" in answer.text
    assert errors == []


def test_a_stream_that_loses_its_database_ends_and_is_asked_for_again(
    events: EventLog, add: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add()
    events.tell(job, LiveEvent(kind=LiveKind.NOTE, data={"at": 0.0, "text": "a"}))
    events.flush(job)

    def watch(job: str, after: int, *, beat: float) -> Iterator[Any]:
        yield from events.read(job, after)
        raise DatabaseAwayError("it went away")

    monkeypatch.setattr(events, "watch", watch)
    told = list(messages(events, job, 0, plain_message, beat=1.0))
    assert [each.split("\n")[1] for each in told[1:]] == ["event: note"]


def test_a_job_that_waited_counts_from_its_delivery(
    client: FlaskClient, events: EventLog, add: Callable[..., str], database: Database
) -> None:
    job = add(replace(order(), title=""))
    page = client.get(f"/reviews/{job}").text
    assert re.search(r'data-waited="0\.5\d*"|data-waited="0\.4999', page)
    # A title is there in any case.
    assert '<h1 id="page-title">aaaaaaaaaa</h1>' in page
