"""The use case: a change in, a review out. Terminal, Action and server are doors to this one function.

One thread, the caller's, owns all state of a review and handles one message after another; streams, trials, analyzers
and look-ups run in threads beside it and only send messages. So there are no locks here and no order to get wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from bot.diff.model import Patch
from bot.errors import SparkError
from bot.review import finish
from bot.review.config import CONFIG_PATH, RepoConfig, read_config
from bot.review.coverage import CoverageBook
from bot.review.crew import Crew
from bot.review.events import Finished, Found, Lost, Note, Progress, ReviewEvent, Started
from bot.review.filters import sort_out
from bot.review.findings import Board, from_analyzer
from bot.review.model import Change, Dropped, Finding, Fingerprint, Misplaced, Review, Timing
from bot.review.options import Options, Services
from bot.review.place import place
from bot.review.plan import PlanBudget, make_plan
from bot.review.ports import (
    Analyzer,
    AnalyzerReport,
    Model,
    Opened,
    Source,
)
from bot.review.prompt import passes, review_prompt
from bot.review.scope import Chunk, PassName, Plan
from bot.review.streams import Gauge, Heard, Retried, StreamDone, run_stream
from bot.review.tally import Tally
from bot.review.trial import Court, Tried

ATTRIBUTES_PATH = ".gitattributes"
TICK = 0.1
"""Seconds between two progress events."""
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrialOver:
    slot: int
    tried: Tried


_Message = Heard | Retried | StreamDone | _TrialOver | AnalyzerReport


def run_review(source: Source, options: Options, services: Services) -> Review:
    """Review what `source` has. Raises UserError or OutsideError when there can be no review; everything that falls
    short within one (a hole, a misplaced finding, a comment that GitHub refused) is told in the result instead.
    """
    started = services.clock.now() if options.began is None else options.began
    opened = source.open()
    config = read_config(opened.base_texts.get(CONFIG_PATH, ""), name=CONFIG_PATH)
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
        self._effort = options.effort or config.review.effort
        if config.budget.seconds is not None:
            services.stop.bring_forward(config.budget.seconds)
        self._model = services.model(config.budget.max_usd) if services.model is not None else None
        pull = opened.change.pull
        self._publisher = services.publisher(pull) if services.publisher is not None and pull is not None else None
        self._crew: Crew[_Message] = Crew(streams=options.streams, on_error=services.stop.cancel)
        self._board = Board()
        self._tally = Tally(notices=list(options.notices))
        self._gauges: list[Gauge] = []
        self._open_streams = 0
        self._open_trials = 0
        self._open_analyzers = 0

    def review(self) -> Review:
        opened = self._opened
        opened.files.prefetch([file.path for file in opened.change.patch.files])
        kept, skipped = sort_out(
            opened.change.patch,
            self._config,
            opened.base_texts.get(ATTRIBUTES_PATH, ""),
            head_text=opened.files.text,
        )
        plan = make_plan(
            opened.change,
            kept,
            skipped,
            head_text=opened.files.text,
            budget=PlanBudget(streams=self._options.streams, max_tokens=self._config.budget.max_tokens),
        )
        diff_at = self._since()
        self._emit(Started(at=diff_at, change=opened.change, plan=plan, model=self._model_name))
        looks = passes(self._effort)
        book = CoverageBook(plan, looks)
        with self._crew as crew:
            # The streams first: everything else has the time they take.
            self._start_streams(plan, looks, book)
            known = crew.look_up(self._publisher.known) if self._publisher else None
            # What is not reviewed (generated, vendored, ignored) is not analyzed either.
            self._start_analyzers(replace(opened.change, patch=Patch(files=kept)))
            self._listen(book)
            return self._finish(diff_at, book, known)

    # -- starting work in threads ------------------------------------------------------------------------------

    def _start_analyzers(self, reviewed: Change) -> None:
        for analyzer in self._services.analyzers:
            if analyzer.name == "ruff" and not self._config.analyzers.ruff:
                continue
            self._open_analyzers += 1
            self._crew.beside(partial(self._analyze, analyzer, reviewed))

    def _start_streams(self, plan: Plan, looks: Sequence[PassName], book: CoverageBook) -> None:
        model = self._model
        guidelines = self._guidelines() if model is not None else {}
        for look in looks:
            for chunk in plan.chunks:
                if model is None:
                    book.hole(chunk.id, look, "no model")
                    continue
                gauge = Gauge()
                self._gauges.append(gauge)
                self._open_streams += 1

                def work(
                    model: Model = model, chunk: Chunk = chunk, look: PassName = look, gauge: Gauge = gauge
                ) -> None:
                    prompt = review_prompt(
                        self._opened.change,
                        chunk,
                        pass_name=look,
                        effort=self._effort,
                        config=self._config,
                        guidelines=guidelines,
                    )
                    run_stream(
                        model,
                        prompt,
                        chunk=chunk,
                        pass_name=look,
                        stop=self._services.stop,
                        gauge=gauge,
                        tell=self._crew.tell,
                    )

                self._crew.stream(work)

    def _guidelines(self) -> dict[str, str]:
        """The texts of the configuration's guideline files, from the base; one that is missing is told."""
        asked = {name: self._crew.look_up(partial(self._opened.base_text, name)) for name in self._config.guidelines}
        texts = {name: answer.result() for name, answer in asked.items()}
        self._tally.tell(
            [f"The guideline {name} is not on the base branch." for name, text in texts.items() if text is None]
        )
        return {name: text for name, text in texts.items() if text is not None}

    def _start_trial(self, slot: int, finding: Finding) -> None:
        model = self._model
        assert model is not None
        court = Court(
            change=self._opened.change,
            files=self._opened.files,
            model=model,
            effort=self._effort,
            stop=self._services.stop,
        )
        self._open_trials += 1
        self._crew.beside(lambda: self._crew.tell(_TrialOver(slot=slot, tried=court.hear(finding))))

    def _analyze(self, analyzer: Analyzer, reviewed: Change) -> None:
        self._crew.tell(analyzer.run(reviewed, self._opened.files))

    # -- handling what comes -----------------------------------------------------------------------------------

    def _listen(self, book: CoverageBook) -> None:
        total = self._open_streams
        told_at = -1.0
        while self._open_streams or self._open_trials or self._open_analyzers:
            message = self._crew.next(within=TICK)
            if message is not None:
                self._handle(message, book)
            if total and self._since() - told_at >= TICK:
                told_at = self._since()
                tokens = sum(gauge.chars for gauge in self._gauges) // CHARS_PER_TOKEN
                done = total - self._open_streams
                self._emit(Progress(at=told_at, chunks_done=done, chunks=total, output_tokens=tokens))

    def _handle(self, message: _Message, book: CoverageBook) -> None:
        match message:
            case Heard(raw=raw):
                placed = place(raw, book.chunk(raw.chunk), self._opened.change.patch)
                if isinstance(placed, Misplaced):
                    self._misplace(placed)
                else:
                    self._consider(placed)
            case Retried(report=report):
                self._emit(Note(at=self._since(), text=f"A stream is tried again: {report.end.value}."))
            case StreamDone():
                self._open_streams -= 1
                self._close_stream(message, book)
            case _TrialOver(slot=slot, tried=tried):
                self._open_trials -= 1
                for report in tried.reports:
                    self._tally.count(report)
                self._settle(slot, tried.outcome)
            case AnalyzerReport():
                self._open_analyzers -= 1
                self._take(message)

    def _close_stream(self, done: StreamDone, book: CoverageBook) -> None:
        for report in done.reports:
            self._tally.count(report)
        self._tally.garbled += done.garbled
        self._tally.ends.append(done.reports[-1].end)
        if done.hole:
            book.hole(done.chunk.id, done.pass_name, done.hole)
            self._emit(
                Note(at=self._since(), text=f"Not reviewed in full: {', '.join(done.chunk.paths)}: {done.hole}.")
            )
        else:
            book.seen(done.chunk.id, done.pass_name)

    def _take(self, report: AnalyzerReport) -> None:
        if report.problem:
            self._tally.tell([f"{report.name} did not run: {report.problem}"])
            self._tally.shortfalls.append(f"{report.name} did not run")
        if report.outside:
            self._tally.outside[report.name] = self._tally.outside.get(report.name, 0) + report.outside
        for result in report.results:
            self._consider(from_analyzer(result, self._opened.change.patch))

    def _consider(self, finding: Finding) -> None:
        """Put a finding on the board, or into one that is there, and try it when it is new and the model's."""
        added = self._board.add(finding)
        if added.merged is not None:
            self._drop(added.merged)
        if added.is_new and finding.source == "model":
            self._start_trial(added.slot, finding)
        elif added.is_new:
            self._settle(added.slot, finding)

    def _settle(self, slot: int, outcome: Finding | Dropped) -> None:
        if isinstance(outcome, Dropped):
            self._drop(outcome)
            settled = self._board.drop(slot, outcome)
        else:
            settled = self._board.settle(slot, outcome)
        if settled is None:
            return
        if settled.merged is not None:
            self._drop(settled.merged)
            return
        if self._tally.first_finding is None:
            self._tally.first_finding = self._since()
        self._emit(Found(at=self._since(), finding=settled.finding))

    def _drop(self, dropped: Dropped) -> None:
        self._tally.dropped.append(dropped)
        self._emit(Lost(at=self._since(), what=dropped))

    def _misplace(self, misplaced: Misplaced) -> None:
        self._tally.misplaced.append(misplaced)
        self._emit(Lost(at=self._since(), what=misplaced))

    # -- ending --------------------------------------------------------------------------------------------------

    def _finish(self, diff_at: float, book: CoverageBook, known: Future[Mapping[Fingerprint, str]] | None) -> Review:
        tally = self._tally
        first_token = None if tally.first_token is None else tally.first_token - self._started
        threads, unreadable = _threads(known)
        review = finish.assemble(
            opened=self._opened,
            config=self._config,
            options=self._options,
            effort=self._effort,
            model=self._model_name,
            findings=self._board.findings(),
            known=threads,
            coverage=book.close(self._opened.change),
            tally=tally,
            timing=Timing(diff=diff_at, first_token=first_token, first_finding=tally.first_finding, done=self._since()),
        )
        if unreadable is not None:
            # Posting without knowing what stands there already could say everything twice.
            review = finish.unposted(review, unreadable, self._since())
        elif self._publisher is not None:
            review = finish.publish(
                review, self._publisher, run=self._options.run, since=self._since, keep=self._services.keep
            )
        self._emit(Finished(at=self._since(), review=review))
        return review

    @property
    def _model_name(self) -> str | None:
        return self._model.name if self._model else None

    def _since(self) -> float:
        return self._services.clock.now() - self._started

    def _emit(self, event: ReviewEvent) -> None:
        self._services.listener.on(event)


def _threads(known: Future[Mapping[Fingerprint, str]] | None) -> tuple[Mapping[Fingerprint, str], SparkError | None]:
    """Findings that have a thread, or why they cannot be read."""
    if known is None:
        return {}, None
    try:
        return known.result(), None
    except SparkError as error:
        return {}, error
