"""A browser, and a site with the real pages over a real database and event log, which can be stopped and started again.

The browser is Debian's Chromium, one a test process; where there is none, the tests skip with the reason.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from bot.diff.model import Anchor, HunkKey, Side
from bot.diff.parse import read_patch
from bot.engine import tables
from bot.engine.codec import dump_ended, dump_work
from bot.engine.database import Database
from bot.engine.eventlog import EventLog
from bot.engine.history import History
from bot.engine.model import Ended, JobState
from bot.hooks.events import InstallationId, Place
from bot.hooks.orders import Cause, ReviewPull
from bot.live.events import LiveEvent, LiveKind
from bot.live.picture import Picture
from bot.review.events import Finished, Found, ReviewEvent, Started
from bot.review.model import (
    Category,
    Change,
    CommitSha,
    Effort,
    Finding,
    Fingerprint,
    RepoName,
    Review,
    Severity,
    Timing,
    Usage,
    Verdict,
)
from bot.review.scope import Coverage, Plan, Skip, SkipReason
from bot.server import pages, setup
from bot.server.access import Access
from bot.server.app import create_app
from bot.settings import Settings

JOB = "00000000000000aa"
LONG = "very_long_names/" * 12 + "module.py"
DIFF = f"""\
diff --git a/shop/cart.py b/shop/cart.py
index 1111111..2222222 100644
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -1,4 +1,7 @@ class Cart
 import json
-rate = 1
+rate = 0.19
+def load(path):
+    return json.load(open(path))  # the file stays open
 def total(items):
-    return sum(items)
+    return sum(items) * (1 + rate)
+print("{"wide " * 60}")
diff --git a/web/show.js b/web/show.js
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/web/show.js
@@ -0,0 +1,3 @@
+export function show(el, name) {{
+  el.innerHTML = name;
+}}
diff --git a/{LONG} b/{LONG}
index 1111111..2222222 100644
--- a/{LONG}
+++ b/{LONG}
@@ -1,1 +1,1 @@
-old = 1
+new = 1
"""
PATCH = read_patch(DIFF.encode())


class Story:
    """A review, event by event."""

    def __init__(self) -> None:
        head, base = CommitSha("b" * 40), CommitSha("a" * 40)
        self.change = Change(patch=PATCH, base=base, head=head, title="Taxes and a list")
        self.skipped = (Skip(path="package-lock.json", reason=SkipReason.LOCK),)
        self.findings = (
            self.finding("aaa1", 0, 4, Severity.MEDIUM, "The file stays `open`", "with open(path) as file:\n    return json.load(file)"),
            self.finding("aaa2", 1, 2, Severity.CRITICAL, "Text becomes <b>HTML</b>"),
            self.finding("aaa3", 0, 6, Severity.HIGH, "The tax is added twice"),
        )  # fmt: skip

    def finding(
        self, name: str, file: int, line: int, severity: Severity, title: str, suggestion: str | None = None
    ) -> Finding:
        hunk = PATCH.files[file].hunks[0]
        text = next(each.text for each in hunk.on(Side.RIGHT) if each.number == line)
        return Finding(
            anchor=Anchor(path=PATCH.files[file].path, side=Side.RIGHT, start_line=line, line=line,
                          hunk=HunkKey(file, 0), text=(text,)),
            severity=severity, category=Category.BUG, title=title, body="Why it *matters*: `code`.",
            suggestion=suggestion, proven=suggestion is not None, votes=None, fingerprint=Fingerprint(name),
            source="model",
        )  # fmt: skip

    @property
    def started(self) -> Started:
        return Started(at=0.1, change=self.change, plan=Plan(chunks=(), skipped=self.skipped), model="codex-spark")

    def found(self, number: int) -> Found:
        return Found(at=0.4 + 0.2 * number, finding=self.findings[number])

    def finished(self) -> Finished:
        review = Review(
            change=self.change, effort=Effort.STANDARD, model="codex-spark", verdict=Verdict.FAIL,
            reason="1 critical finding", findings=self.findings, misplaced=(), dropped=(),
            coverage=Coverage(hunks=3, reviewed=3, holes=(), skipped=self.skipped),
            usage=Usage(input_tokens=900, output_tokens=700, usd=0.002, calls=2),
            timing=Timing(diff=0.1, first_token=0.2, first_finding=0.4, done=1.2),
        )  # fmt: skip
        return Finished(at=1.2, review=review)


class Site:
    """The pages on a port of their own."""

    def __init__(
        self, folder: Path, *, most_live: int = 20, token: str | None = None, with_setup: bool = False
    ) -> None:
        self.folder = folder
        self.most_live = most_live
        self.token = token
        self.with_setup = with_setup
        self.port = 0
        self.database = Database(f"sqlite:///{folder / 'spark.db'}")
        with self.database.write() as connection:
            tables.metadata.create_all(connection)
        self.events = EventLog(self.database)
        self.picture = Picture()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Site:
        access = Access(page_token=self.token, secret_key=b"key", bound_to_loopback=True)
        routes = [
            access.blueprint(),
            pages.blueprint(
                history=History(self.database), events=self.events, access=access, most_live=self.most_live, beat=0.2
            ),
        ]
        if self.with_setup:
            settings = self.folder / "spark.env"
            routes.append(setup.blueprint(settings_file=settings, settings=Settings(), refuse=access.refuse, env={}))
        app = create_app(routes, acknowledged=lambda seconds: None, failed=lambda kind: None)
        self._server = make_server("127.0.0.1", self.port, app, threaded=True, request_handler=_Quiet)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """As when its process ends: streams are cut, nobody listens on the port, and what comes next starts from the
        database.
        """
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.events.close()
        self._server = None
        self.events = EventLog(self.database)

    def close(self) -> None:
        if self._server is not None:
            self.stop()
        self.events.close()
        self.database.close()

    def job(
        self, name: str = JOB, state: JobState = JobState.RUNNING, *, ended: Ended | None = None, **work: Any
    ) -> str:
        order = ReviewPull(
            place=Place(repo=RepoName("acme/shop"), repo_id=1, installation=InstallationId(1)),
            head_sha=CommitSha("b" * 40),
            **{"number": 7, "base_ref": "main", "cause": Cause.OPENED, "title": "Taxes and a list", "author": "mona", **work},
        )  # fmt: skip
        now = time.time()
        with self.database.write() as connection:
            connection.execute(
                insert(tables.jobs).values(
                    id=name, delivery=f"d-{name}", repo="acme/shop", number=order.number, installation=1, lane=name,
                    sameness=name, work=dump_work(order), state=state.value, attempt=1, created_at=now,
                    started_at=None if state is JobState.QUEUED else now,
                    ended_at=now + 1.5 if ended is not None else None,
                    ended=dump_ended(ended) if ended is not None else None,
                )
            )  # fmt: skip
        return name

    def begins(self, attempt: int = 1, job: str = JOB) -> None:
        """As the engine does it, but for the word of it."""
        with self.database.write() as connection:
            connection.execute(
                update(tables.jobs)
                .where(tables.jobs.c.id == job)
                .values(state=JobState.RUNNING.value, attempt=attempt, started_at=time.time())
            )

    def ends(self, ended: Ended, job: str = JOB) -> None:
        """As the engine does it: the job first, then the word of it."""
        with self.database.write() as connection:
            connection.execute(
                update(tables.jobs)
                .where(tables.jobs.c.id == job)
                .values(state=ended.state.value, ended=dump_ended(ended), ended_at=time.time())
            )
        self.state(ended.state, job)

    def state(self, state: JobState, job: str = JOB) -> None:
        self.events.tell(job, LiveEvent(kind=LiveKind.STATE, data={"state": state.value, "why": ""}))

    def tell(self, *events: ReviewEvent, job: str = JOB) -> None:
        for event in events:
            for live in self.picture.of(event):
                self.events.tell(job, live)


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """`site()`: a site that listens; stopped at the end."""
    with ExitStack() as stack:

        def make(**options: Any) -> Site:
            made = Site(tmp_path, **options)
            stack.callback(made.close)
            return made.start()

        yield make


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Not for longer than a module: while Playwright runs, this thread has an event loop, and other folders' tests cannot
    use what refuses to be called inside one.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="no browser tests: playwright has no wheel here")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no browser tests: Debian's chromium is not installed (apt-get install chromium)")
    with ExitStack() as stack:
        try:
            playwright = stack.enter_context(sync_api.sync_playwright())
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except (sync_api.Error, OSError) as error:
            pytest.skip(f"no browser tests: the browser does not start: {str(error).splitlines()[0]}")
        stack.callback(browser.close)
        yield browser


class Tab:
    """A page of the browser that keeps what went wrong in it."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.wrong: list[str] = []
        self.page.on(
            "console", lambda told: self.wrong.append(told.text) if told.type in {"error", "warning"} else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(f"page error: {error}"))

    def forgive(self, pattern: str) -> list[str]:
        """Take out what matches as a whole, and give it."""
        found = [each for each in self.wrong if re.fullmatch(pattern, each)]
        self.wrong = [each for each in self.wrong if each not in found]
        return found


_HURRY = "const later = setTimeout; window.setTimeout = (call, wait) => later(call, wait >= 2000 ? wait / 8 : wait);"


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[..., Tab]]:
    """`tab(url)`: opened, 1280 wide unless told otherwise; `hurried` makes long pauses short, and its clock is `ahead`
    by so many seconds. Whatever it complains of fails
    the test.
    """
    opened: list[Tab] = []
    contexts = []

    def open_tab(url: str, *, hurried: bool = False, ahead: int = 0, **options: Any) -> Tab:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}))
        if ahead:
            contexts[-1].add_init_script(f"const now = Date.now; Date.now = () => now() + {1000 * ahead};")
        if hurried:
            contexts[-1].add_init_script(_HURRY)
        opened.append(Tab(contexts[-1]))
        opened[-1].page.goto(url)
        return opened[-1]

    yield open_tab
    for context in contexts:
        context.close()
    assert [each for tab in opened for each in tab.wrong] == []
