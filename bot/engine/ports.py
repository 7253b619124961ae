"""What the engine needs of others, and what it gives to the work that it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bot.engine.model import Checkpoint, Ended, Job, StopCause
from bot.hooks.orders import Work
from bot.live.events import LiveEvent


class Control(Protocol):
    """A running job's line to the engine. Everything may be called from several threads."""

    @property
    def job(self) -> Job:
        """The job as it was when this run began."""
        ...

    @property
    def cause(self) -> StopCause | None:
        """Why to stop; None while nobody asks for it."""
        ...

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when told to stop, at once if that was so already. Returns a function that takes this back."""
        ...

    def tell(self, event: LiveEvent) -> None:
        """Show something on the live page. Returns at once; stored soon after, in order."""
        ...

    def checkpoint(self) -> Checkpoint | None:
        """What an earlier run of this job has kept."""
        ...

    def keep(self, checkpoint: Checkpoint) -> bool:
        """Store it durably. False when another process owns the job now: then nothing may be posted."""
        ...

    def release(self) -> None:
        """The pull may be worked on by its next job now: what follows here writes nothing but this job's own check run."""
        ...

    def submit(self, work: Work) -> None:
        """Make further jobs of this one (`ReviewHead` becomes a `ReviewPull` for each pull). Safe to repeat."""
        ...

    def withdraw(self, number: int, why: str) -> int:
        """End the reviews that run or wait for a pull of this repository; what answers comments goes on. Gives how many."""
        ...

    def lately(self, seconds: float) -> int:
        """How many jobs of this job's kind came for its pull in the seconds before it, itself among them."""
        ...


class Runner(Protocol):
    """Does the work of jobs."""

    def run(self, control: Control) -> Ended:
        """Do one job to its end; called in a thread of its own, from the beginning again after a kill.

        Never raises for what the world does: a failure is an `Ended` with FAILED. Returns soon after being told to stop.
        """
        ...


class Observer(Protocol):
    """Somebody who counts: metrics. Called from many threads; must be quick and must not raise."""

    def job_started(self, job: Job, *, waited: float) -> None:
        """A run began `waited` seconds after the delivery was taken."""
        ...

    def job_ended(self, job: Job, ended: Ended) -> None:
        """A run ended; `ended.state` QUEUED means that it was parked."""
        ...

    def queue(self, *, waiting: int, oldest: float, running: int) -> None:
        """How the queue stands: jobs waiting, seconds the oldest has waited, jobs running in this process."""
        ...
