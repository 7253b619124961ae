"""The pull of a `ReviewPull` as it is now, and whether it is to be reviewed. Reads alone; what it refuses it ends with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from bot import log
from bot.engine.ports import Control
from bot.errors import ConfigError, SparkError
from bot.hooks.orders import Cause, ReviewPull
from bot.review.config import CONFIG_PATH, RepoConfig, Trigger, read_config
from bot.review.model import CommitSha, Pull
from bot.review.ports import Opened, Publisher, Stop
from bot.review.wanted import unwanted
from bot.wiring import PullPlace, Shared
from bot.worker import endings
from bot.worker.endings import Ending

LOOKS: Final = (0.5, 1.0, 2.0)
"""Pauses before the pull is read again when it does not show the head of the delivery: GitHub's answers may be older than its
deliveries, and a review given up for that would never be made."""

T = TypeVar("T")

_TRIGGERS: Final = {
    Cause.OPENED: Trigger.OPENED,
    Cause.SYNCHRONIZE: Trigger.SYNCHRONIZE,
    Cause.RETARGETED: Trigger.SYNCHRONIZE,
    Cause.READY_FOR_REVIEW: Trigger.READY_FOR_REVIEW,
    Cause.LABEL: Trigger.LABEL,
    Cause.ASKED: None,
    Cause.JUDGED: None,
}


class PullReading:
    """Of one run of the job."""

    def __init__(
        self,
        shared: Shared,
        control: Control,
        work: ReviewPull,
        place: PullPlace,
        *,
        stop: Stop,
        fields: Mapping[str, log.Field],
    ) -> None:
        self._shared = shared
        self._control = control
        self._work = work
        self._place = place
        self._stop = stop
        self._fields = fields
        self.config: RepoConfig | None = None
        """Of the base, once it was read."""

    def read(self) -> Opened | Ending | None:
        """The pull with the head and the base that were ordered, or why not; None when it was stopped on the way."""
        work = self._work
        source = self._shared.pull_source(self._place, self._stop, branch=work.base_ref, fields=self._fields)
        looks = iter(LOOKS)
        while True:
            opened = self.patiently(source.open, "reading the pull")
            pull = opened.change.pull
            assert pull is not None
            if self._control.cause is not None:
                return None
            if not pull.is_open or (pull.head_sha == work.head_sha and pull.base_ref == work.base_ref):
                return opened
            log.info("job.head_differs", **self._fields, head=pull.head_sha)
            pause = next(looks, None)
            if pause is None or self._shared.pause(self._stop, pause):
                break
        self.order(pull.head_sha, pull.base_ref)
        if pull.head_sha != work.head_sha:
            return endings.moved("head", pull.head_sha[:7])
        return endings.moved("base branch", pull.base_ref)

    def order(self, head: CommitSha, base_ref: str) -> None:
        """Have the pull reviewed as it is now. Deliveries come in any order: the one that told of this may have come before
        ours, whose order then stopped its review. Where that goes on, or was made, nothing more is done.
        """
        if self._control.cause is None:
            self._control.release()
            self._control.submit(replace(self._work, head_sha=head, base_ref=base_ref, force=False))

    def refused(self, opened: Opened, pull: Pull, publisher: Publisher) -> Ending | None:
        """Why there is to be no review of this pull. Reads the configuration on the way."""
        if not pull.is_open:
            return endings.skipped("the pull request is closed")
        try:
            config = self.config = read_config(opened.base_texts.get(CONFIG_PATH, ""), name=CONFIG_PATH)
        except ConfigError as error:
            return endings.misconfigured(error, pull)
        reason = unwanted(
            config.review,
            trigger=_TRIGGERS[self._work.cause],
            label=self._work.label,
            draft=pull.draft,
            base_ref=pull.base_ref,
            author=pull.author,
        )
        return endings.skipped(reason) if reason is not None else self._paused(publisher)

    def _paused(self, publisher: Publisher) -> Ending | None:
        """A person who asks for this very review gets it all the same."""
        if self._work.cause is Cause.ASKED:
            return None
        try:
            by = publisher.recall().paused_by
        except SparkError as error:
            # The review finds out the same, and is then made without being posted.
            log.warning("job.recall_failed", why=str(error), **self._fields)
            return None
        return endings.paused(by) if by else None

    def patiently(self, do: Callable[[], T], doing: str) -> T:
        """What `do` gives, tried again while GitHub is away."""
        return self._shared.patiently(do, stop=self._stop, doing=doing, fields=self._fields)
