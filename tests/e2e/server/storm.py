"""Servers that are killed again and again while they review, at moments drawn with a seed; and what is left when it is calm.

Each blow goes to one pull request at one stage of its review, after a short random wait; other pulls are under way at the
same time and are hit wherever they are. Nobody waits between blows for what an earlier one interrupted.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from spark_tests_world import Project, booked, cost, lives, problems, rows, unfinished, wait_for

INPUT_TOKENS = 20_000
"""More than any prompt here has."""
AFTER = 0.15
"""Seconds at most between the stage and the blow."""
BEGIN = 0.25
"""Seconds at most between the openings of two pulls of a round."""


class Stage(StrEnum):
    """How far the review of the pull is at which the blow is aimed."""

    TAKEN = "taken"
    CHECK = "check open"
    STREAM = "model writes"
    WRITTEN = "model is done"
    POSTED = "posted"
    CLOSED = "check closed"


class Blow(StrEnum):
    """What is killed, with -9."""

    ALL = "master and worker"
    WORKER = "worker"
    MASTER = "master"
    SERVER = "one of two servers"


@dataclass
class Hit:
    """A pull request, and where it was when a blow fell while it was not finished."""

    project: Project
    pull: Any
    findings: int
    at: list[str] = field(default_factory=list)

    def where(self) -> str:
        """How far it is, seen from outside."""
        checks = self.project.checks(self.pull.head_sha)
        if checks and checks[-1].status == "completed":
            return Stage.CLOSED
        if self.reviewed():
            return Stage.POSTED
        streams = self.project.streams()
        if streams and all(each.ended is not None for each in streams):
            return Stage.WRITTEN
        if streams:
            return Stage.STREAM
        return Stage.CHECK if checks else Stage.TAKEN

    def reviewed(self) -> bool:
        """Whether the head has its review."""
        return any(review.commit_id == self.pull.head_sha for review in self.project.reviews(self.pull))

    def calm(self) -> bool:
        """Whether nothing more is to be expected, as far as GitHub shows."""
        heads = (*self.pull.former_heads, self.pull.head_sha)
        runs = [run for head in heads for run in self.project.checks(head)]
        return self.reviewed() and all(run.status == "completed" for run in runs)


class Storm:
    """On one house. `blow` as often as wanted, then `settle`, then look at `problems`."""

    def __init__(self, house: Any, *, seed: int, pulls: int = 2) -> None:
        self._house = house
        self._random = random.Random(seed)
        self._pulls = pulls
        self.hits: list[Hit] = []
        self.kinds: Counter[str] = Counter()
        self.redelivered = 0

    def blow(self, kind: Blow, stage: Stage, *, push: bool = False) -> None:
        """Open pulls, wait until the first is at `stage`, kill, start again. `push`: just before, a push to the first."""
        fresh = []
        for number in range(self._pulls):
            if number:
                time.sleep(self._random.uniform(0.0, BEGIN))
            fresh.append(self._open())
        first = fresh[0]
        ready = self._at(stage, first)
        # A stage may be over before it is seen: then the blow falls later, which is as good.
        wait_for(lambda: ready() or first.calm(), 30.0, why=lambda: self._house.server.told[-3000:])
        time.sleep(self._random.uniform(0.0, AFTER))
        if push:
            first.project.push(first.pull)
            first.findings += 1
            time.sleep(self._random.uniform(0.0, AFTER))
        for hit in self.hits:
            if not hit.calm() or hit is first:
                hit.at.append(hit.where())
        self._strike(kind)()
        self.kinds[kind] += 1

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until every pull is reviewed, every check closed and every job ended."""
        wait_for(lambda: self._redelivered() or all(hit.calm() for hit in self.hits), seconds, why=self._unsettled)
        wait_for(lambda: not self.unfinished(), seconds, why=self._unsettled)

    def unfinished(self) -> list[Any]:
        """Jobs that wait or run."""
        return unfinished(self._house.url)

    def problems(self) -> list[str]:
        """What is wrong now that all is calm."""
        found = [each for hit in self.hits for each in problems(hit.project, hit.pull, findings=hit.findings)]
        found += self._books()
        failed = rows(self._house.url, "SELECT lane, ended FROM spark_jobs WHERE state NOT IN ('done', 'superseded')")
        return found + [f"{row.lane} ended as {row.ended}" for row in failed]

    def stages(self) -> Counter[str]:
        """Where pulls were when they were hit."""
        return Counter(str(stage) for hit in self.hits for stage in hit.at)

    def _books(self) -> list[str]:
        """No job may be booked more than the calls about its repository can have cost, and none of them twice."""
        books = booked(self._house.url)
        found = []
        for hit in self.hits:
            name = hit.project.name
            jobs = rows(self._house.url, "SELECT id FROM spark_jobs WHERE repo = :repo", repo=name)
            spent = sum(books.get(job.id, 0.0) for job in jobs)
            most = cost(hit.project.streams(), input_tokens=INPUT_TOKENS)
            if spent > most:
                found.append(f"{name}: {spent} dollars are booked, its calls cost {most} at most")
        return found

    def _open(self) -> Hit:
        project = self._house.project()
        hit = Hit(project, project.open(), 5)
        self.hits.append(hit)
        return hit

    def _redelivered(self) -> bool:
        """Have GitHub repeat what met a dead server, as the sweeper has it done some minutes later. Never true."""
        webhooks = self._house.outside.github.webhooks
        attempts: dict[str, list[Any]] = {}
        for each in list(webhooks.deliveries):
            if each.event == "pull_request":
                attempts.setdefault(each.guid, []).append(each)
        for tries in attempts.values():
            if all(one.status != "pending" and one.status_code not in {200, 202} for one in tries):
                webhooks.redeliver(tries[0])
                self.redelivered += 1
        return False

    def _at(self, stage: Stage, hit: Hit) -> Callable[[], bool]:
        order = list(Stage)
        return lambda: order.index(Stage(hit.where())) >= order.index(stage)

    def _strike(self, kind: Blow) -> Callable[[], None]:
        house = self._house
        server = house.server

        def strike() -> None:
            if kind is Blow.WORKER:
                server.kill_worker()
                return
            if kind is Blow.MASTER:
                worker = server.worker
                os.kill(server.process.pid, signal.SIGKILL)
                server.ended()
                # It sees that it is an orphan, and ends by itself.
                wait_for(lambda: not lives(worker), 15.0, why=lambda: server.told[-3000:])
            server.kill()
            if kind is Blow.SERVER:
                # The other one is told from now on, and has to find out by itself that this one is dead.
                house.servers.reverse()
                house.outside.deliver_to(house.server)
            server.start()

        return strike

    def _unsettled(self) -> str:
        """Of each pull that is not calm: its checks, and what the server logged about its jobs."""
        told = []
        for hit in (hit for hit in self.hits if not hit.calm()):
            heads = (*hit.pull.former_heads, hit.pull.head_sha)
            checks = [(head[:7], run.status, run.title) for head in heads for run in hit.project.checks(head)]
            jobs = rows(self._house.url, "SELECT id FROM spark_jobs WHERE repo = :repo", repo=hit.project.name)
            about = [line for job in jobs for line in self._house.server.told.splitlines() if job.id in line]
            told.append("\n".join([f"{hit.project.name} {hit.where()} after {hit.at}: {checks}", *about]))
        return "\n\n".join([*told, str(self.unfinished())])
