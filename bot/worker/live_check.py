"""The check run of one job: opened at once, growing while the review is written, closed with its conclusion.

One thread of its own does everything that GitHub sees of it, in order, so nothing older is ever written over something newer.
The review never waits for it: a listener that only notes what is new, and a GitHub that is slow or fails costs the check run
alone. At most about one update a second, always of the newest state; sooner where more findings wait than one request may carry,
or they would hold up the closing one after another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bot import log
from bot.diff.model import Patch, Side
from bot.errors import CredentialsError, NotPermittedError, SparkError
from bot.github import limits
from bot.github.checks import Action, Annotation, CheckRun, CheckRuns, Conclusion
from bot.review.events import Found, Progress, ReviewEvent, Started
from bot.review.model import CommitSha, Finding, Fingerprint, Pull, Severity
from bot.review.ports import Clock, Stop
from bot.review.render.check import Growing, growing_summary, growing_title
from bot.review.render.safe import Redactor
from bot.worker.annotations import annotate
from bot.worker.meter import Meter

EVERY: Final = 1.0
"""Seconds between two updates, counted from the start of one to the start of the next."""
AGAIN: Final = 5.0
"""Seconds after which a check run that could not be opened is tried again while the review goes on."""
TITLE: Final = "Reviewing…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the check run is opened with."""

    head: CommitSha
    external_id: str
    """The job's id."""
    page: str | None
    """The address of the live page."""
    again: bool
    """An earlier run of the job may have opened it."""
    fields: dict[str, log.Field]
    """For the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How the check run ends."""

    conclusion: Conclusion
    title: str
    summary: str
    annotations: Mapping[Fingerprint, Annotation] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()


class LiveCheck:
    """A `Listener` of the review. Start it, end it with `close` or `leave`, then `join` it; all from any thread."""

    def __init__(
        self,
        checks: CheckRuns,
        opening: Opening,
        *,
        clock: Clock,
        redactor_of: Callable[[Patch], Redactor],
        closing_stop: Callable[[], Stop],
    ) -> None:
        """`closing_stop` gives the time that closing may take; it begins when closing does."""
        self._checks = checks
        self._opening = opening
        self._clock = clock
        self._redactor_of = redactor_of
        self._closing_stop = closing_stop
        self._wake = threading.Condition()
        self._closing: Callable[[], Closing] | None = None
        self._left = False
        self._hushed = False
        self._is_new = False
        self._started: Started | None = None
        self._progress: Progress | None = None
        self._meter = Meter()
        self._findings: dict[Fingerprint, Finding] = {}
        self._told: dict[Fingerprint, Annotation] = {}
        """As sent: a finding whose words change later is not annotated a second time."""
        self._waiting = 0
        """Findings that are to be annotated with the next update."""
        self._run: CheckRun | None = None
        self._forbidden = False
        self.least = Severity.LOW
        """Findings below this are not told."""
        self.opened_at: float | None = None
        """`Clock.now()` when GitHub had it."""
        self._thread = threading.Thread(target=self._work, name="live-check", daemon=True)

    def start(self) -> None:
        """Open it, in the background."""
        self._thread.start()

    def on(self, event: ReviewEvent) -> None:
        """Note what is new; see `bot.review.ports.Listener`."""
        with self._wake:
            match event:
                case Started():
                    self._started = event
                case Progress():
                    self._progress = event
                    self._meter.count(event)
                case Found(finding=finding):
                    if finding.fingerprint not in self._findings and self._is_told(finding):
                        self._waiting += 1
                    self._findings[finding.fingerprint] = finding
                case _:
                    return
            if not self._is_new or self._is_much:
                self._is_new = True
                self._wake.notify_all()

    @property
    def _is_much(self) -> bool:
        """Whether the next update would be full."""
        return self._waiting >= limits.MAX_ANNOTATIONS

    def _is_told(self, finding: Finding) -> bool:
        return finding.side is Side.RIGHT and finding.severity.rank >= self.least.rank

    @property
    def tokens_per_second(self) -> float | None:
        """How fast the model has written so far."""
        with self._wake:
            return self._meter.tokens_per_second

    def close(self, closing: Callable[[], Closing]) -> None:
        """Close it soon; the first to say so decides. `closing` is made in the check's own thread and may take its time."""
        with self._wake:
            if self._closing is None and not self._left:
                self._closing = closing
                self._wake.notify_all()

    def hush(self) -> None:
        """No more updates but full ones: the review is being posted, and another under way would only hold up the closing."""
        with self._wake:
            self._hushed = True

    def leave(self) -> None:
        """Write nothing more: it stays as it is, for another run of the job."""
        with self._wake:
            self._left = True
            self._wake.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait until it is closed or left; False when that takes longer."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # -- in its own thread -------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._live()
        except SparkError as error:
            log.warning("check.failed", why=str(error), **self._opening.fields)
        except Exception as error:  # noqa: BLE001 - the end of a thread: a fault here costs the check run, not the review
            log.error("check.crashed", exc=error, **self._opening.fields)

    def _live(self) -> None:
        due = self._clock.now() + (EVERY if self._open(again=self._opening.again) else AGAIN)
        while True:
            closing = self._await(due)
            if self._left:
                return
            if closing is not None:
                self._end(closing())
                return
            due = self._clock.now() + EVERY
            if self._run is not None:
                self._update(self._run)
            elif not self._open(again=True):
                due = self._clock.now() + AGAIN

    def _await(self, due: float) -> Callable[[], Closing] | None:
        """Wait until it is to be closed (then how), to be left, or there is something to tell and `due` is passed."""
        with self._wake:
            while self._closing is None and not self._left:
                wait = due - self._clock.now()
                wanted = self._is_new if self._run is not None else not self._forbidden
                is_full = self._run is not None and self._is_much
                if wanted and (is_full or (wait <= 0 and not self._hushed)):
                    break
                self._wake.wait(wait if wait > 0 else None)
            return self._closing

    def _open(self, *, again: bool) -> bool:
        opening = self._opening
        try:
            self._run = self._checks.open(
                head=opening.head,
                external_id=opening.external_id,
                details_url=opening.page,
                title=TITLE,
                summary="The change is being read.",
                again=again,
            )
        except SparkError as error:
            self._forbidden = isinstance(error, NotPermittedError | CredentialsError)
            log.warning("check.not_opened", why=str(error), **opening.fields)
            return False
        self.opened_at = self._clock.now()
        return True

    def _update(self, run: CheckRun) -> None:
        state, redactor = self._state()
        if state is None or redactor is None:
            return
        fresh = [(key, each) for key, each in annotate(state.findings, redactor).items() if key not in self._told]
        now = dict(fresh[: limits.MAX_ANNOTATIONS])
        self._told.update(now)
        with self._wake:
            self._waiting += len(fresh) - len(now)
            self._is_new = self._is_new or len(now) < len(fresh)
        try:
            taken = self._checks.update(
                run,
                title=growing_title(state),
                summary=growing_summary(state, redactor, page=self._opening.page),
                annotations=tuple(self._told.values()),
            )
        except SparkError as error:
            # It was allowed to be opened, so this may pass; what matters is that it is closed.
            log.warning("check.not_updated", why=str(error), **self._opening.fields)
            taken = False
        if not taken:
            with self._wake:
                self._is_new = True

    def _state(self) -> tuple[Growing | None, Redactor | None]:
        with self._wake:
            self._is_new, self._waiting = False, 0
            started, progress = self._started, self._progress
            findings = [one for one in self._findings.values() if one.severity.rank >= self.least.rank]
            rate = self._meter.tokens_per_second
        if started is None or started.change.pull is None:
            return None, None
        pull: Pull = started.change.pull
        state = Growing(
            pull=pull,
            findings=sorted(findings, key=lambda one: -one.severity.rank),
            chunks_done=progress.chunks_done if progress else 0,
            chunks=progress.chunks if progress else len(started.plan.chunks),
            at=progress.at if progress else started.at,
            tokens_per_second=rate,
        )
        # Made here, once: reading every line of a large change takes a while.
        return state, self._redactor_of(started.change.patch)

    def _end(self, closing: Closing) -> None:
        if self._run is None and (self._forbidden or not self._open(again=True)):
            return
        assert self._run is not None
        stop = self._closing_stop()
        try:
            self._close(self._run, closing, stop)
            if self._opening.again:
                for stray in self._checks.strays(
                    self._run, head=self._opening.head, external_id=self._opening.external_id
                ):
                    # GitHub shows the newest of a name, whichever that is: so it says the same.
                    self._close(stray, closing, stop)
        except SparkError as error:
            log.warning("check.not_closed", why=str(error), **self._opening.fields)
        else:
            log.info("check.closed", conclusion=str(closing.conclusion), **self._opening.fields)

    def _close(self, run: CheckRun, closing: Closing, stop: Stop) -> None:
        self._checks.close(
            run,
            conclusion=closing.conclusion,
            title=closing.title,
            summary=closing.summary,
            annotations=tuple(self._told.get(key, each) for key, each in closing.annotations.items()),
            actions=closing.actions,
            stop=stop,
        )
