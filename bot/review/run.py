"""The use case: a change in, a review out. Terminal, Action and server are doors to this one function.

One thread, the caller's, owns all state of a review and handles one message after another; streams, trials, analyzers
and look-ups run in threads beside it and only send messages. So there are no locks here and no order to get wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from bot.diff.model import Patch
from bot.errors import SparkError
from bot.review import finish
from bot.review.config import CONFIG_PATH, RepoConfig, read_config
from bot.review.coverage import CoverageBook
from bot.review.crew import Crew
from bot.review.docket import Docket, TrialOver
from bot.review.events import Finished, Found, Note, Progress, ReviewEvent, Started
from bot.review.filters import sort_out
from bot.review.followups import FollowedUp, FollowUps, KnownPlaced
from bot.review.looks import Looking, Looks
from bot.review.memory import Recall, Remembered, StoredVerdict
from bot.review.model import Change, Finding, Review, Timing, Verdict
from bot.review.options import Options, Services
from bot.review.plan import PlanBudget, make_plan
from bot.review.ports import Analyzer, AnalyzerReport, Opened, Source
from bot.review.prompt import passes
from bot.review.ready import Ready
from bot.review.repository import keep_true
from bot.review.rounds import HOMELESS, Round, begin_round, nothing_to_do, rules_of
from bot.review.settle import Past
from bot.review.streams import Heard, Retried, StreamDone
from bot.review.tally import Tally
from bot.review.trial import Court
from bot.review.verdicts import given_before, is_newest, key_of, repeated

ATTRIBUTES_PATH = ".gitattributes"
TICK = 0.1
"""Seconds between two progress events."""
PAUSE = 0.03
"""Seconds in which nothing came: then there is time to prepare the end."""
AHEAD = 8
"""Comments that are written in one such pause: some milliseconds, in which no message is handled."""
HOLD = 0.005
"""Seconds for each stream: what a request takes at most to leave, between others, on a slow machine."""


_Message = Heard | Retried | StreamDone | TrialOver | AnalyzerReport | KnownPlaced | FollowedUp


def run_review(source: Source, options: Options, services: Services) -> Review:
    """Review what `source` has. Raises UserError or OutsideError when there can be no review; everything that falls
    short within one (a hole, a misplaced finding, a comment that GitHub refused) is told in the result instead.
    """
    started = services.clock.now() if options.began is None else options.began
    if services.publisher is not None:
        services.publisher.begin()
    opened = source.open()
    config = read_config(opened.base_texts.get(CONFIG_PATH, ""), name=CONFIG_PATH)
    if options.paths_ignore:
        paths = config.paths.model_copy(update={"ignore": (*config.paths.ignore, *options.paths_ignore)})
        config = config.model_copy(update={"paths": paths})
    return _Run(opened, config, options, services, started).review()


class _Run:
    """One review under way."""

    def __init__(
        self, opened: Opened, config: RepoConfig, options: Options, services: Services, started: float
    ) -> None:
        self._opened = opened
        self._config = config
        self._options = options
        self._services = services
        self._started = started
        self._usual_effort = options.effort or config.review.effort
        self._effort = options.asked_effort or self._usual_effort
        if config.budget.seconds is not None:
            services.stop.bring_forward(config.budget.seconds)
        self._model = services.model(config.budget.max_usd) if services.model is not None else None
        self._crew: Crew[_Message] = Crew(
            streams=options.streams, on_error=services.stop.cancel, threads=services.threads
        )
        self._tally = Tally(notices=list(options.notices))
        self._docket = Docket(
            patch=opened.change.patch,
            court=self._court(),
            tally=self._tally,
            beside=self._crew.beside,
            tell=self._crew.tell,
            emit=self._emit,
            since=self._since,
            lasting=config.dismiss,
        )
        self._follow_ups = FollowUps(
            change=opened.change,
            files=opened.files,
            model=self._model,
            effort=self._effort,
            stop=services.stop,
            beside=self._crew.beside,
            tell=self._crew.tell,
        )
        self._ready = Ready(opened.change.patch)
        self._unwritten: deque[Finding] = deque()
        """Found, and to be written in a pause; those beyond the limit of comments are not."""
        self._room = config.review.max_comments if services.publisher is not None else 0
        self._open_analyzers = 0
        self._key = ""
        """Of what this review judges; empty where its verdict cannot be kept."""

    def review(self) -> Review:
        opened = self._opened
        opened.files.prefetch([file.path for file in opened.change.patch.files])
        kept, skipped = sort_out(
            opened.change.patch,
            self._config,
            opened.base_texts.get(ATTRIBUTES_PATH, ""),
            head_text=opened.files.text,
        )
        with self._crew as crew:
            remembered = crew.look_up(self._services.memory.remembered) if self._services.memory else None
            guidelines = self._guidelines() if self._model is not None else {}
            recall, unreadable = self._recalled()
            current = None
            if recall is not None:
                # By the usual effort: one review with another does not have all that follow made anew.
                rules = rules_of(self._usual_effort, self._config, guidelines) if self._model is not None else None
                current = begin_round(
                    recall,
                    change=opened.change,
                    kept=kept,
                    rules=rules,
                    full=self._full,
                    numbered=self._ready.numbered,
                )
                if rules is not None:
                    self._key = self._key_by(rules)
            stored = None
            if recall is not None and self._key and not self._full:
                stored = repeated(recall, self._key)
            # What GitHub refused a thread is known by its name alone: before a text is written anew it has to be found once more.
            is_homeless = current is not None and current.since.why_all == HOMELESS
            if is_homeless and recall is not None and not is_newest(recall, self._key):
                stored = None
            if current is not None and stored is not None:
                current = nothing_to_do(current, kept)
            plan = make_plan(
                opened.change,
                kept if current is None else current.todo,
                skipped,
                head_text=opened.files.text,
                budget=PlanBudget(streams=self._options.streams, max_tokens=self._config.budget.max_tokens),
            )
            diff_at = self._since()
            names = passes(self._effort)
            book = CoverageBook(plan, names, earlier=0 if current is None else len(current.earlier))
            looks = Looks(book, self._tally, at_once=self._options.streams)
            # The streams first: everything else has the time they take.
            looks.start(plan, names, self._looking(guidelines), run=crew.stream)
            if recall is not None and current is not None:
                self._follow_ups.begin(recall.findings, current.fresh, asks=stored is None)
            if stored is None:
                # What is not reviewed (generated, vendored, ignored) is not analyzed either; what was reviewed before is.
                self._start_analyzers(replace(opened.change, patch=Patch(files=kept)))
            self._listen(looks, Started(at=diff_at, change=opened.change, plan=plan, model=self._model_name))
            past = Past(
                recall=recall or Recall(),
                placed=self._follow_ups.placed,
                answers=self._follow_ups.answers,
                remembered=self._remembered(remembered),
            )
            return self._finish(diff_at, book, past, current, unreadable, stored)

    # -- what was there before ---------------------------------------------------------------------------------

    @property
    def _full(self) -> str:
        """Why everything is reviewed; with another effort than usual the user wants to see what that finds."""
        if self._options.full or self._effort is self._usual_effort:
            return self._options.full
        return f"effort {self._effort.value} was asked for"

    def _key_by(self, rules: str) -> str:
        return key_of(
            self._opened.change,
            self._config,
            rules=rules,
            level=finish.fail_level(self._config, self._options),
            require_coverage=self._config.gate.require_coverage or self._options.require_coverage,
            effort=self._usual_effort,
            evidence=self._options.evidence,
        )

    def _recalled(self) -> tuple[Recall | None, SparkError | None]:
        """What is on the pull, or why it cannot be read; neither where there is no pull to post on."""
        if self._services.publisher is None:
            return None, None
        try:
            return self._services.publisher.recall(), None
        except SparkError as error:
            return None, error

    def _remembered(self, asked: Future[Sequence[Remembered]] | None) -> Sequence[Remembered]:
        """What the repository remembers, with what people did on this pull since its last review."""
        memory = self._services.memory
        if asked is None or memory is None:
            return ()
        try:
            return keep_true(memory, asked.result(), self._follow_ups.placed)
        except SparkError as error:
            self._tally.tell([f"What was dismissed in this repository could not be read: {error.what}."])
            return ()

    # -- starting work in threads ------------------------------------------------------------------------------

    def _start_analyzers(self, reviewed: Change) -> None:
        for analyzer in self._services.analyzers:
            if analyzer.name == "ruff" and not self._config.analyzers.ruff:
                continue
            self._open_analyzers += 1
            self._crew.beside(partial(self._analyze, analyzer, reviewed))

    def _looking(self, guidelines: Mapping[str, str]) -> Looking | None:
        if self._model is None:
            return None
        return Looking(
            change=self._opened.change,
            model=self._model,
            effort=self._effort,
            config=self._config,
            guidelines=guidelines,
            stop=self._services.stop,
            tell=self._crew.tell,
        )

    def _guidelines(self) -> dict[str, str]:
        """The texts of the configuration's guideline files, from the base; one that is missing is told."""
        asked = {name: self._crew.look_up(partial(self._opened.base_text, name)) for name in self._config.guidelines}
        texts = {name: answer.result() for name, answer in asked.items()}
        self._tally.tell(
            [f"The guideline {name} is not on the base branch." for name, text in texts.items() if text is None]
        )
        return {name: text for name, text in texts.items() if text is not None}

    def _court(self) -> Court | None:
        if self._model is None:
            return None
        return Court(
            change=self._opened.change,
            files=self._opened.files,
            model=self._model,
            effort=self._effort,
            stop=self._services.stop,
        )

    def _analyze(self, analyzer: Analyzer, reviewed: Change) -> None:
        self._crew.tell(analyzer.run(reviewed, self._opened.files))

    # -- handling what comes -----------------------------------------------------------------------------------

    def _listen(self, looks: Looks, started: Started) -> None:
        """Until everything is over. `started` is told when the requests have left: who hears it has much to show of a large change,
        in threads that the sending ones would wait for.
        """
        told_at = -1.0
        is_told = False
        while looks.open or self._docket.open or self._open_analyzers or self._follow_ups.open:
            message = self._crew.next(within=PAUSE if self._is_behind else TICK)
            if not is_told:
                is_told = message is not None or looks.are_flowing or self._since() > started.at + HOLD * looks.total
                if not is_told:
                    continue
                self._emit(started)
            if message is not None:
                self._handle(message, looks)
            elif self._is_behind:
                self._prepare()
            if looks.total and self._since() - told_at >= TICK:
                told_at = self._since()
                done = looks.total - looks.open
                self._emit(Progress(at=told_at, chunks_done=done, chunks=looks.total, output_tokens=looks.tokens))
        if not is_told:
            self._emit(started)

    @property
    def _is_behind(self) -> bool:
        """Whether there is something to do in a pause."""
        return not self._ready.is_prepared or bool(self._unwritten)

    def _prepare(self) -> None:
        """A pause's worth of what would have to be done at the end."""
        if not self._ready.is_prepared:
            self._ready.prepare()
            return
        for _ in range(min(AHEAD, len(self._unwritten))):
            self._ready.comment(self._unwritten.popleft())

    def _handle(self, message: _Message, looks: Looks) -> None:
        match message:
            case Heard(raw=raw):
                self._docket.hear(raw, looks.chunk(raw.chunk))
            case Retried(report=report):
                self._tell(f"A stream is tried again: {report.end.value}.")
            case StreamDone():
                self._tell(looks.close(message))
            case TrialOver():
                self._docket.close(message)
            case AnalyzerReport():
                self._open_analyzers -= 1
                self._docket.take(message)
            case KnownPlaced():
                self._follow_ups.take(message)
            case FollowedUp():
                for report in message.reports:
                    self._tally.count(report)
                self._follow_ups.take(message)

    # -- ending --------------------------------------------------------------------------------------------------

    def _finish(
        self,
        diff_at: float,
        book: CoverageBook,
        past: Past,
        current: Round | None,
        unreadable: SparkError | None,
        stored: StoredVerdict | None,
    ) -> Review:
        tally = self._tally
        first_token = None if tally.first_token is None else tally.first_token - self._started
        timing = Timing(diff=diff_at, first_token=first_token, first_finding=tally.first_finding, done=self._since())
        review, aftermath = finish.assemble(
            opened=self._opened,
            config=self._config,
            options=self._options,
            effort=self._effort,
            model=self._model_name,
            findings=self._docket.findings(),
            past=past,
            current=current,
            book=book,
            tally=tally,
            timing=timing,
            ready=self._ready,
            key=self._key,
        )
        if stored is not None and stored.passed and review.verdict is Verdict.FAIL:
            # Something has been found on this head since, by a look that keeps no verdict under this name: it stands on the pull.
            stored = None
        if stored is not None:
            review = given_before(review, stored)
            aftermath = replace(aftermath, verdict=stored)
        if stored is not None and is_newest(past.recall, self._key):
            # All that there is to say is on the pull.
            pass
        elif unreadable is not None:
            # Posting without knowing what stands there already could say everything twice.
            review = finish.unposted(review, unreadable, self._since())
        elif self._services.publisher is not None:
            review = finish.publish(
                review,
                self._services.publisher,
                run=self._options.run,
                since=self._since,
                began=self._started,
                aftermath=aftermath,
                keep=self._services.keep,
            )
        self._emit(Finished(at=self._since(), review=review))
        return review

    @property
    def _model_name(self) -> str | None:
        return self._model.name if self._model else None

    def _since(self) -> float:
        return self._services.clock.now() - self._started

    def _tell(self, text: str) -> None:
        if text:
            self._emit(Note(at=self._since(), text=text))

    def _emit(self, event: ReviewEvent) -> None:
        if isinstance(event, Found) and self._room > 0:
            self._room -= 1
            self._unwritten.append(event.finding)
        self._services.listener.on(event)
