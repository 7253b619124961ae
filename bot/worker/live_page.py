"""The live page of one job: a review's events become the page's beside the review, in their order.

The diff of a large change takes a while to be made into rows, and the model could be asked meanwhile: so a thread of its own
does it, and the review only leaves its events there. A fault here costs the page, not the review.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from bot import log
from bot.live.events import LiveEvent
from bot.live.picture import Picture
from bot.review.events import ReviewEvent


class LivePage:
    """A `Listener` of the review. Close it: then everything has been told."""

    def __init__(self, picture: Picture, tell: Callable[[LiveEvent], None], *, fields: dict[str, log.Field]) -> None:
        self._picture = picture
        self._tell = tell
        self._fields = fields
        self._queue: queue.SimpleQueue[ReviewEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="live-page", daemon=True)
        self._thread.start()

    def on(self, event: ReviewEvent) -> None:
        """Show it soon; see `bot.review.ports.Listener`."""
        self._queue.put(event)

    def close(self) -> None:
        """Tell what is left, and end."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        is_whole = True
        while (event := self._queue.get()) is not None:
            if not is_whole:
                continue
            try:
                for live in self._picture.of(event):
                    self._tell(live)
            except Exception as error:  # noqa: BLE001 - a thread of its own: what is wrong with a page must not stop a review
                is_whole = False
                log.error("page.crashed", exc=error, **self._fields)
