"""A process that runs the engine with a scripted runner; the tests of `test_kill.py` start it, kill it and suspend it.

Its "GitHub" is a file: a line `post JOB PROCESS` is what must be there once for each job. As on GitHub, who posts looks first
whether it is there already, and asks `keep` before.
"""

from __future__ import annotations

import os
import random
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bot.engine.engine import Engine, EngineOptions
from bot.engine.model import Checkpoint, Delivery, Ended, Job, JobState, StopCause
from bot.engine.ports import Control
from bot.hooks.events import DeliveryId, InstallationId, Place
from bot.hooks.orders import Cause, ReviewPull
from bot.review.model import CommitSha, RepoName


class FileRunner:
    """Runner and observer. Jobs take a few milliseconds, or until there is a file `go` where `hold` says so."""

    def __init__(self, folder: Path, name: str, *, hold: bool) -> None:
        self._folder = folder
        self._name = name
        self._hold = hold

    def run(self, control: Control) -> Ended:
        job = control.job.id
        self._write(f"begin {job} {self._name} {control.job.attempt}")
        stopped = threading.Event()
        control.on_stop(stopped.set)
        if self._hold:
            while not (self._folder / "go").exists() and not stopped.wait(0.01):
                pass
        else:
            stopped.wait(random.random() * 0.03)
        kept = control.checkpoint()
        if kept is None:
            kept = Checkpoint(draft={"by": self._name}, review={})
        if not control.keep(kept) or control.cause is StopCause.LOST:
            self._write(f"lost {job} {self._name}")
            return Ended(state=JobState.DONE, why="must not be stored")
        if control.cause is StopCause.PARKED:
            return Ended(state=JobState.QUEUED)
        if f"post {job} " not in (self._folder / "log").read_text():
            self._write(f"post {job} {self._name}")
        stopped.wait(random.random() * 0.01)
        return Ended(state=JobState.DONE, why=str(kept.draft["by"]))

    def job_started(self, job: Job, *, waited: float) -> None:
        pass

    def job_ended(self, job: Job, ended: Ended) -> None:
        self._write(f"end {job.id} {self._name} {ended.state}")

    def queue(self, *, waiting: int, oldest: float, running: int) -> None:
        pass

    def _write(self, line: str) -> None:
        # One write of a short line at the end of a file is whole, whoever else writes and whenever the process dies.
        with (self._folder / "log").open("a") as log:
            log.write(line + "\n")


def main(*, folder: Path, name: str, hold: bool, options: dict[str, Any], line: Connection) -> None:
    """Take orders from `line` until it ends."""
    runner = FileRunner(folder, name, hold=hold)
    engine = Engine(EngineOptions(**options), runner, runner)
    engine.start()
    line.send("ready")
    while True:
        try:
            delivery, number = line.recv()
        except EOFError:
            break
        work = ReviewPull(
            place=Place(repo=RepoName("acme/rocket"), repo_id=1, installation=InstallationId(number % 3)),
            number=number,
            head_sha=CommitSha(f"{number:040x}"),
            base_ref="main",
            cause=Cause.OPENED,
        )
        taken = engine.accept(Delivery(id=DeliveryId(delivery), event="pull_request.opened", received_at=0.0), work)
        line.send((delivery, type(taken).__name__))
    engine.close()
    os._exit(0)


if "arguments" in globals():
    main(**globals()["arguments"])
