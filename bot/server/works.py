"""What does the work behind the door: the App, the clients of reviews, the engine, the sweeper. There only with an App.

The App's facts (its number and name) are asked for in the background until GitHub answers; until then the number of the
settings tells which check runs are ours.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Final

from bot import __version__, log
from bot.commands.ports import Memory
from bot.engine.engine import Engine, EngineOptions
from bot.engine.eventlog import EventLog
from bot.engine.model import JobId
from bot.engine.sweeper import Sweeper
from bot.errors import SparkError, UserError
from bot.github.app import App, AppFacts
from bot.github.hook_log import AppHookLog
from bot.hooks.decide import Rules
from bot.live.events import Numbered
from bot.model.budget import Purse
from bot.review.model import RepoName
from bot.server import preflight
from bot.server.metrics import Metrics
from bot.settings import Settings
from bot.wiring import Shared
from bot.worker.runner import JobRunner

_TOKENS_EVERY: Final = 240.0
"""Seconds between two looks at tokens that are about to end: several before they do."""
_FACTS_AGAIN: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds before GitHub is asked again who the App is; the last one from then on."""
_AWAY: Final = "the database does not answer"
_UNKNOWN: Final = "GitHub was not reached yet"
_REFUSED: Final = "GitHub refuses the App's id or key"


class Works:
    """`start` it once, then `drain` and `close` it."""

    def __init__(self, settings: Settings, *, url: str, metrics: Metrics) -> None:
        """Opens nothing. `url`: where the server listens, for links when it has no public address."""
        assert settings.app_id is not None
        assert settings.app_private_key is not None
        self._settings = settings
        self._pages = settings.public_url or url
        self.shared = Shared(settings)
        self.app = App(
            app_id=settings.app_id,
            private_key=settings.app_private_key,
            api_url=settings.github_api_url,
            graphql_url=settings.github_graphql_url,
            clock=self.shared.clock,
            wait=self.shared.pause,
            user_agent=f"spark/{__version__}",
        )
        runner = JobRunner(
            self.shared,
            self.app,
            page_url=self._page_url,
            learn=self._learn,
            purse=self._purse,
            memory=self._memory,
        )
        options = EngineOptions(
            database_url=preflight.database_url(settings),
            reviews=settings.reviews,
            per_installation=settings.reviews_per_installation,
            queue=settings.queue,
            keep_days=settings.keep_days,
            max_usd_per_day=settings.max_usd_per_day,
        )
        self._runner = runner
        self.engine = Engine(options, runner, metrics, on_taken=runner.taken)
        self.live = LiveEvents(self.engine.events, metrics)
        self._hook_log = AppHookLog(self.app)
        self._sweeper = Sweeper(self.engine.database, self._hook_log)
        self._facts: AppFacts | None = None
        self._note = _UNKNOWN
        self._ending = threading.Event()
        self._asking = threading.Thread(target=self._ask_facts, name="app-facts", daemon=True)
        self._vital: list[threading.Thread] = []

    def start(self) -> None:
        """Returns when orders are taken. SparkError when that cannot be."""
        self._asking.start()
        before = {*threading.enumerate()}
        self.engine.start()
        self._vital = [thread for thread in {*threading.enumerate()} - before if thread.name.startswith("engine-")]
        self.shared.warm()
        self._sweeper.start()

    def rules(self) -> Rules:
        """What the door decides by."""
        number = self._settings.app_id or ""
        facts = self._facts
        return Rules(
            app_id=facts.id if facts is not None else int(number) if number.isdigit() else None,
            app_slug=facts.slug if facts is not None else None,
            allowed_repos=self._settings.allowed_repos,
        )

    def ill(self) -> Sequence[str]:
        """Why this process should be replaced; nothing when it is well."""
        told = [] if self.engine.ready else [_AWAY]
        return [*told, *sorted(f"{thread.name} has stopped" for thread in self._vital if not thread.is_alive())]

    def notes(self) -> Sequence[str]:
        """What is not as it should be, but stops nothing."""
        return [self._note] if self._note else []

    def hang_up(self) -> None:
        """End the live pages that are open."""
        self.engine.events.hang_up()

    def drain(self, seconds: float) -> None:
        """Begin nothing more, and let what runs finish for so long."""
        self._ending.set()
        self._sweeper.close()
        self.engine.drain(seconds)

    def close(self) -> None:
        """Park what still runs; close everything."""
        self._ending.set()
        self._sweeper.close()
        self._runner.close()
        self.engine.close()
        self._hook_log.close()
        self.app.close()
        self.shared.close()

    def _page_url(self, job: JobId) -> str | None:
        return f"{self._pages}/reviews/{job}"

    def _learn(self, repo: RepoName, drafts: bool) -> None:  # noqa: FBT001 - the runner's signature
        self.engine.learn(repo, reviews_drafts=drafts)

    def _purse(self, name: str) -> Purse:
        return self.engine.spending.purse(name)

    def _memory(self, repo: RepoName) -> Memory:
        return self.engine.memory(repo)

    def _ask_facts(self) -> None:
        """Until GitHub says who the App is; then see to its tokens, until this process ends."""
        for pause in chain(_FACTS_AGAIN, repeat(_FACTS_AGAIN[-1])):
            try:
                self._facts = self.app.facts()
            except SparkError as error:
                self._note = _REFUSED if isinstance(error, UserError) else _UNKNOWN
                log.warning("app.unknown", reason=str(error), again_in=pause)
            else:
                self._note = ""
                log.info("app.known", id=self._facts.id, slug=self._facts.slug)
                break
            if self._ending.wait(pause):
                return
        while not self._ending.wait(_TOKENS_EVERY):
            self.app.renew_ahead()


class LiveEvents:
    """The event log as the live pages see it: those who watch are counted."""

    def __init__(self, events: EventLog, metrics: Metrics) -> None:
        self._events = events
        self._metrics = metrics

    def read(self, job_id: str, after: int = 0) -> list[Numbered]:
        """As the log's."""
        return self._events.read(job_id, after)

    def watch(self, job_id: str, after: int = 0, *, beat: float = 15.0) -> Iterator[Numbered | None]:
        """As the log's."""
        with self._metrics.stream():
            yield from self._events.watch(job_id, after, beat=beat)
