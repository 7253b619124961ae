"""What an earlier run of a job kept right before it posted, posted by this one: the same review, and no model asked."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bot import log
from bot.engine.ports import Control
from bot.errors import SparkError
from bot.hooks.orders import ReviewPull
from bot.review.ports import Published, Publisher, ReviewDraft, Stop
from bot.wiring import PullPlace, Shared
from bot.worker import endings, kept
from bot.worker.endings import Ending
from bot.worker.pull_reading import PullReading


class PullPosting:
    """Of one run of the job."""

    def __init__(
        self,
        shared: Shared,
        control: Control,
        work: ReviewPull,
        place: PullPlace,
        *,
        reading: PullReading,
        stop: Stop,
        fields: Mapping[str, log.Field],
    ) -> None:
        self._shared = shared
        self._control = control
        self._work = work
        self._place = place
        self._reading = reading
        self._stop = stop
        self._fields = fields

    def found(self) -> tuple[kept.Result, ReviewDraft] | None:
        """What an earlier run was about to post; None when there is nothing, or nothing that can be read."""
        checkpoint = self._control.checkpoint() if self._control.job.attempt > 1 else None
        if checkpoint is None:
            return None
        try:
            return kept.load(checkpoint)
        except ValueError as error:
            log.warning("job.checkpoint_unreadable", **self._fields, why=str(error))
            return None

    def post(self, result: kept.Result, draft: ReviewDraft) -> kept.Result | Ending | None:
        """Post what was kept, if its head is still the pull's; what landed before is found and not posted twice.

        Gives what came of it, or how the job ends without it; None when it was stopped on the way.
        """
        pull = self._reading.patiently(lambda: self._shared.pull(self._place, self._stop), "reading the pull")
        stop = self._shared.posting(self._stop)
        publisher = self._shared.pull_publisher(self._place, stop, fields=self._fields)
        published: Published | SparkError
        try:
            # Who was dead was not told that it was closed.
            if not pull.is_open and not _has_landed(publisher, draft):
                return endings.skipped("the pull request is closed")
            published = publisher.publish(draft)
        except SparkError as error:
            published = error
        at = published.at if isinstance(published, Published) else None
        now = time.time()
        stood = None if at is None else now - (self._shared.clock.now() - at)
        result = kept.posted(result, published, now=now, stood=stood)
        if result.url is None and self._control.cause is not None:
            return None
        if isinstance(published, Published) and published.moved_to is not None and result.url is None:
            self._reading.order(published.moved_to, self._work.base_ref)
            return endings.moved("head", published.moved_to[:7])
        return result


def _has_landed(publisher: Publisher, draft: ReviewDraft) -> bool:
    """Whether a review of ours of that head is on the pull: then what is missing of it is not left out."""
    last = publisher.recall().last
    return last is not None and last.head == draft.commit
