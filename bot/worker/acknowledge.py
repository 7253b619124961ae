"""The eyes on a command the moment it is taken: before a slot is free for it and before its turn on the pull has come.

Whoever writes a command sees within a second that it was heard, also while four other answers are being written. It promises
nothing: what is not acknowledged here, because too much waits or GitHub is away, the job itself acknowledges when it begins.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from typing import Final

from bot import log
from bot.commands.model import CommentRef, Reaction
from bot.engine.model import Delivery
from bot.errors import SparkError
from bot.github.app import App
from bot.github.talk import PullTalk
from bot.hooks.orders import AnswerComment
from bot.review.model import RepoName
from bot.wiring import Shared

SECONDS: Final = 10.0
"""For one reaction, whatever GitHub does."""
WORKERS: Final = 4
MOST_WAITING: Final = 40
"""Above that the jobs acknowledge by themselves: then nobody is answered within a second anyway."""
MOST_KEPT: Final = 1_000
WINDOW: Final = 600.0
MOST_ON_A_PULL: Final = 20
"""Acknowledged at once on one pull in `WINDOW` seconds; above that a flood costs what its jobs allow it to."""

_Key = tuple[RepoName, str]


class Acknowledger:
    """One for a process. Everything may be called from several threads."""

    def __init__(self, shared: Shared, app: App) -> None:
        self._shared = shared
        self._app = app
        self._pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="acknowledge")
        self._lock = threading.Lock()
        self._asked: dict[_Key, Future[float | None]] = {}
        self._closed = False
        self._lately: dict[tuple[RepoName, int], deque[float]] = {}

    def taken(self, delivery: Delivery, work: AnswerComment) -> None:
        """A command was stored. Returns at once."""
        if work.command is None:
            # Of a reply nobody knows yet whether it is for us.
            return
        with self._lock:
            waiting = sum(not asked.done() for asked in self._asked.values())
            if self._closed or waiting >= MOST_WAITING or not self._is_calm(work):
                return
            if len(self._asked) >= MOST_KEPT:
                # Jobs that another process has taken never ask for theirs.
                del self._asked[next(iter(self._asked))]
            self._asked[_key(work)] = self._pool.submit(self._react, delivery, work)

    def claim(self, work: AnswerComment) -> float | None:
        """When (seconds since 1970) the command got its eyes; waits for those under way. None: nobody has put them there."""
        with self._lock:
            asked = self._asked.pop(_key(work), None)
        if asked is None or asked.cancel():
            return None
        try:
            return asked.result(SECONDS)
        except NotInTime:
            return None

    def close(self) -> None:
        """Begin no more; nobody waits for those under way."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_calm(self, work: AnswerComment) -> bool:
        now = self._shared.clock.now()
        for pull in [pull for pull, times in self._lately.items() if times[-1] < now - WINDOW]:
            del self._lately[pull]
        times = self._lately.setdefault((work.place.repo, work.number), deque(maxlen=MOST_ON_A_PULL))
        if len(times) == MOST_ON_A_PULL and times[0] > now - WINDOW:
            return False
        times.append(now)
        return True

    def _react(self, delivery: Delivery, work: AnswerComment) -> float | None:
        place = work.place
        client = self._app.client(place.installation, place.repo)
        stop = self._shared.stop(SECONDS)
        try:
            talk = PullTalk(client, place.repo, work.number, pace=self._shared.pace(place.installation), stop=stop)
            talk.react(work.comment, Reaction.SEEN)
        except SparkError as error:
            log.warning("comment.not_acknowledged", delivery=delivery.id, why=error.what)
            return None
        except Exception as error:  # noqa: BLE001 - outermost of a thread; the job that it is for goes on without
            log.error("comment.not_acknowledged", exc=error, delivery=delivery.id)
            return None
        finally:
            client.close()
        return time.time()


def _key(work: AnswerComment) -> _Key:
    comment: CommentRef = work.comment
    return work.place.repo, comment.key
