"""Processes killed and suspended in the middle of their jobs: nothing is lost, nothing is done twice."""

from __future__ import annotations

import multiprocessing
import os
import random
import runpy
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.engine import tables
from bot.engine.claims import MOST_LOST
from bot.engine.database import Database

SCRIPT = Path(__file__).with_name("job_process.py")
SHORT = {"beat": 0.1, "lease": 0.6}


class Child:
    """One server process."""

    def __init__(self, folder: Path, name: str, options: dict[str, Any], *, hold: bool) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["bot.engine.engine"])
        self.line, theirs = context.Pipe()
        arguments = {"folder": folder, "name": name, "hold": hold, "options": options, "line": theirs}
        self.process = context.Process(target=runpy.run_path, args=(str(SCRIPT), {"arguments": arguments}))
        self.process.start()
        theirs.close()
        assert self.line.poll(60)
        assert self.line.recv() == "ready"

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def close(self) -> None:
        self.kill()
        self.process.close()
        self.line.close()


class Group:
    """The processes of a test, their log, and the database as it is seen from outside."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.url = database_url
        self.children: list[Child] = []
        self.database = Database(database_url)
        (folder / "log").touch()

    def start(self, name: str, *, hold: bool = False, **options: Any) -> Child:
        child = Child(self.folder, name, {"database_url": self.url, **options}, hold=hold)
        self.children.append(child)
        return child

    def lines(self, what: str) -> list[list[str]]:
        lines = [line.split() for line in (self.folder / "log").read_text().splitlines()]
        return [line for line in lines if line and line[0] == what]

    def states(self) -> Counter[str]:
        with self.database.read() as connection:
            return Counter(connection.execute(select(tables.jobs.c.state)).scalars().all())

    def close(self) -> None:
        for child in self.children:
            child.close()
        self.database.close()


@pytest.fixture
def group(tmp_path: Path, database_url: str) -> Iterator[Group]:
    group = Group(tmp_path, database_url)
    yield group
    group.close()


def send(line: Connection, delivery: str, number: int) -> str:
    line.send((delivery, number))
    return str(line.recv()[1])


def test_killed_at_random_moments_no_job_is_lost_and_none_is_posted_twice(
    group: Group, until: Callable[..., Any], database_url: str
) -> None:
    chance = random.Random(database_url.partition(":")[0])
    deliveries = [(f"d{number}", number) for number in range(90)]
    acknowledged: list[str] = []
    for life in range(4):
        child = group.start(f"life{life}", **SHORT)
        after = chance.uniform(0.01, 0.12) if life < 3 else 60.0
        timer = threading.Timer(after, os.kill, (child.pid, signal.SIGKILL))
        timer.start()
        try:
            for delivery, number in deliveries:
                if delivery not in acknowledged:
                    send(child.line, delivery, number)
                    acknowledged.append(delivery)
        except (EOFError, OSError):
            # Killed between a delivery and its answer: GitHub delivers it once more.
            pass
        if life < 3:
            child.process.join()
        timer.cancel()
        timer.join()
    until(lambda: group.states() == {"done": len(deliveries)})
    posts = Counter(job for _, job, _ in group.lines("post"))
    assert len(posts) == len(deliveries)
    assert set(posts.values()) == {1}
    with group.database.read() as connection:
        assert set(connection.execute(select(tables.deliveries.c.id)).scalars()) == {name for name, _ in deliveries}
    assert max(Counter(job for _, job, _, _ in group.lines("end")).values()) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_live_process_takes_over_the_jobs_of_a_dead_one(group: Group, until: Callable[..., Any]) -> None:
    first = group.start("first", hold=True, **SHORT)
    for number in range(3):
        assert send(first.line, f"d{number}", number) == "Taken"
    until(lambda: len(group.lines("begin")) == 3)
    group.start("second", **SHORT)
    first.kill()
    killed = time.monotonic()
    until(lambda: group.states() == {"done": 3})
    assert time.monotonic() - killed < 10, "within 30 s with a lease of 6 s, and this one is 0.6 s"
    assert Counter(job for _, job, name, _ in group.lines("begin") if name == "second").most_common(1)[0][1] == 1
    assert {name for _, _, name in group.lines("post")} == {"second"}
    assert {attempt for _, _, name, attempt in group.lines("begin") if name == "second"} == {"2"}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_suspended_process_finds_its_jobs_gone_and_leaves_them_alone(group: Group, until: Callable[..., Any]) -> None:
    first = group.start("first", hold=True, **SHORT)
    for number in range(2):
        send(first.line, f"d{number}", number)
    until(lambda: len(group.lines("begin")) == 2)
    os.kill(first.pid, signal.SIGSTOP)
    group.start("second", **SHORT)
    until(lambda: group.states() == {"done": 2})
    os.kill(first.pid, signal.SIGCONT)
    until(lambda: len(group.lines("lost")) == 2)
    assert {name for _, _, name in group.lines("post")} == {"second"}
    with group.database.read() as connection:
        assert "must not" not in "".join(connection.execute(select(tables.jobs.c.ended)).scalars())
    # And it lives on: what it takes now, it does.
    (group.folder / "go").touch()
    assert send(first.line, "later", 7) == "Taken"
    until(lambda: group.states() == {"done": 3})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_job_that_kills_its_process_again_and_again_fails_at_last(group: Group, until: Callable[..., Any]) -> None:
    for life in range(MOST_LOST):
        child = group.start(f"life{life}", hold=True)
        if life == 0:
            send(child.line, "d", 1)
        until(lambda life=life: len(group.lines("begin")) == life + 1)
        child.kill()
    group.start("last", hold=True)
    until(lambda: group.states() == {"failed": 1})


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_processes_that_start_at_once_on_an_empty_database_both_work(
    tmp_path: Path, new_postgres_url: str, database_url: str, until: Callable[..., Any]
) -> None:
    group = Group(tmp_path, new_postgres_url)
    try:
        starters = [threading.Thread(target=group.start, args=(name,), kwargs=SHORT) for name in ("first", "second")]
        for starter in starters:
            starter.start()
        for starter in starters:
            starter.join()
        assert len(group.children) == 2
        for at, child in enumerate(group.children):
            assert send(child.line, f"d{at}", at) == "Taken"
            assert send(child.line, "both", 9) in {"Taken", "AlreadyKnown"}
        until(lambda: group.states() == {"done": 3})
    finally:
        group.close()
