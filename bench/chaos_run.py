"""One whole posted review for a fault of the chaos table, the same review again without it, and what must hold for both.

Used by `chaos.py` for the table and by `tests/e2e/test_chaos.py` for every row of it.
"""

from __future__ import annotations

import atexit
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache

from chaos_cases import TOKEN, Case, healthy

from bot.errors import SparkError
from bot.model.endpoint import HttpOptions
from bot.request import PullAsk, ReviewRequest
from bot.review.events import Found, Lost, ReviewEvent, Started
from bot.review.merge import same
from bot.review.model import Finding, FindingStatus, Fingerprint, Review, Verdict
from bot.review.ports import Stop
from bot.review.render.comments import entry
from bot.review.render.markers import read_finding_markers, read_review_marker
from bot.review.render.safe import Redactor
from bot.sandbox import example
from bot.sandbox.endpoint import EndpointServer
from bot.sandbox.github import GitHubServer
from bot.sandbox.github.repo import Repo
from bot.settings import read_settings
from bot.wiring import Shared, Waits

MANY = "".join(f"def part_{number}(x):\n    return x == None\n\n\n" for number in range(6))
"""Six findings."""
CLOSED_PORT = "http://127.0.0.1:9/v1"
"""The discard port, where nothing listens."""


def hasty(stop: Stop, seconds: float) -> bool:
    """A pause that GitHub asks for, in a twentieth of its time. Whether it fits the deadline is reckoned with the whole."""
    return stop.wait(seconds / 20)


def waits_of(case: Case) -> Waits:
    """Where something stalls, that is noticed after 1 s instead of 10 s (GitHub's 30 s): the table takes a minute.

    Elsewhere a busy machine must not be taken for a stall, and the usual waits stand.
    """
    if "stall" not in case.fault:
        return Waits(pause=hasty)
    return Waits(endpoint=HttpOptions(stall_seconds=1.0, reasoning_seconds=1.0), pause=hasty, github_seconds=1.0)


@dataclass(slots=True)
class Ear:
    """Hears every event of a review; pushes a commit when the case says that the head moves."""

    push: object = None
    heard: list[ReviewEvent] = field(default_factory=list)

    def on(self, event: ReviewEvent) -> None:
        """Remember it."""
        self.heard.append(event)
        if isinstance(event, Started) and callable(self.push):
            self.push()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What came of one run. `review` is None when there could be none: `error` then says why."""

    review: Review | None
    error: SparkError | None
    seconds: float
    events: Sequence[ReviewEvent]
    comments: Mapping[Fingerprint, int]
    """Line comments on the pull by finding, with how often each is there."""
    bodies: Sequence[str]
    """Reviews' bodies and comments of the conversation."""
    runs: Mapping[str, int]
    """Reviews by the run in their marker, with how often each is there."""
    pending: int
    """Reviews left behind unsubmitted."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the result."""
        return self.review.findings if self.review is not None else ()

    @property
    def said(self) -> tuple[Finding, ...]:
        """Those that stand in a summary or a comment of the conversation."""
        return tuple(finding for finding, count in self._told() if count)

    def _told(self) -> list[tuple[Finding, int]]:
        """Each finding, and in how many bodies it stands."""
        if self.review is None:
            return []
        redactor = Redactor(self.review.change.patch)
        heads = [(finding, entry(finding, redactor).partition("\n")[0]) for finding in self.findings]
        return [(finding, sum(head in body for body in self.bodies)) for finding, head in heads]

    @property
    def duplicates(self) -> int:
        """Findings and reviews that are on the pull more than once."""
        told = [count for _, count in self._told() if count]
        return sum(count - 1 for count in (*self.comments.values(), *self.runs.values(), *told))

    @property
    def exit_code(self) -> int:
        """What the command would leave with, without a gate."""
        failure = self.error or (self.review.failure if self.review is not None else None)
        return failure.exit_code if failure is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case with its runs."""

    case: Case
    faulty: Kept
    struck: int
    """How often the fault struck in the first run."""
    again: Kept | None
    """The run without the fault; None where the first one posted everything or nothing, and so left nothing to find."""


class Stage:
    """The stand-ins of one case, with the pull request open."""

    def __init__(self, case: Case, stack: ExitStack) -> None:
        self.case = case
        if case.github is None and not (case.long or case.moves):
            self.github, self.repo = stack.enter_context(_usual())
        else:
            self.github = stack.enter_context(GitHubServer(case.github))
            self.repo = _library(self.github, long=case.long)
        self.endpoint = stack.enter_context(EndpointServer(case.options()))
        self.healthy = stack.enter_context(EndpointServer(healthy()))
        self.pull = self.repo.open_pull(example.TITLE, example.BODY, head=example.BRANCH, author=example.AUTHOR)
        self._seen_before, self._struck_before = len(self.github.requests), len(self.github.faults.struck)
        for fault in case.faults:
            self.github.faults.add(fault)

    def run(self, *, healed: bool) -> Kept:
        """One review, posted; by a process that knows nothing of an earlier one."""
        env = {
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_GRAPHQL_URL": self.github.graphql_url,
            "SPARK_BASE_URL": self._url(healed=healed),
            "SPARK_API_KEY": "chaos",
        }
        ask = PullAsk(name=f"{example.REPO}#{self.pull.number}", post=True)
        request = ReviewRequest(ask=ask, deadline=30.0 if healed else self.case.deadline)
        ear = Ear(push=self._push if self.case.moves and not healed else None)
        review, error = None, None
        began = time.monotonic()
        with Shared(read_settings(env), waits=waits_of(self.case)) as shared:
            try:
                review = shared.job(request, ear).run()
            except SparkError as raised:
                error = raised
        seconds = time.monotonic() - began
        comments = [comment.body for comment in self.repo.comments.values()]
        reviews = list(self.repo.reviews.values())
        shown = [review.body for review in reviews if review.state != "PENDING"]
        marks = [mark for body in shown if (mark := read_review_marker(body)) is not None]
        return Kept(
            review=review,
            error=error,
            seconds=seconds,
            events=ear.heard,
            comments=Counter(found for body in comments for found in read_finding_markers(body)),
            bodies=[*shown, *(note.body for note in self.repo.issue_comments.values())],
            runs=Counter(mark.run for mark in marks),
            pending=sum(review.state == "PENDING" for review in reviews),
        )

    @property
    def struck(self) -> int:
        """How often the case's fault struck."""
        at_endpoint = sum(entry.fault is not None for entry in self.endpoint.requests)
        at_github = len(self.github.faults.struck) - self._struck_before
        refused = sum(seen.status == 406 for seen in list(self.github.requests)[self._seen_before :])
        return at_endpoint + at_github + refused + (not self.case.reachable) + self.case.moves

    def _url(self, *, healed: bool) -> str:
        if healed:
            return self.healthy.url
        return self.endpoint.url if self.case.reachable else CLOSED_PORT

    def _push(self) -> None:
        self.repo.commit(example.BRANCH, {"shelf/later.py": "LATER = 1\n"}, "One more", example.AUTHOR)


def _library(github: GitHubServer, *, long: bool) -> Repo:
    """The demo's repository with its branch; `long` has more findings than one POST bears."""
    github.world.user(example.REVIEWER, TOKEN, bot=True)
    repo = github.world.create_repo(example.REPO)
    repo.permission(example.AUTHOR, "write")
    repo.permission(example.REVIEWER, "write")
    more = {".github/spark.yml": "review:\n  max_comments: 100\n"} if long else {}
    repo.commit("main", {**example.BEFORE, **more}, "Books and loans", example.AUTHOR)
    added = {f"shelf/part_{number}.py": MANY for number in range(3)} if long else {}
    repo.commit(example.BRANCH, {**example.AFTER, **added}, example.TITLE, example.AUTHOR)
    return repo


@cache
def _shared() -> tuple[GitHubServer, Repo]:
    server = GitHubServer().start()
    atexit.register(server.stop)
    return server, _library(server, long=False)


@contextmanager
def _usual() -> Iterator[tuple[GitHubServer, Repo]]:
    """The stand-in that most cases share: to make one takes as long as a review. It forgets every pull in the end."""
    server, repo = _shared()
    yield server, repo
    server.faults.clear()
    with server.world.lock:
        for records in (repo.pulls, repo.reviews, repo.threads, repo.comments, repo.issue_comments):
            records.clear()


@contextmanager
def stage(case: Case) -> Iterator[Stage]:
    """The stand-ins for a case; gone when the `with` ends."""
    with ExitStack() as stack:
        yield Stage(case, stack)


def measure(case: Case) -> Row:
    """The case's review, and the one after the fault is over."""
    with stage(case) as here:
        faulty = here.run(healed=False)
        struck = here.struck
        here.github.faults.clear()
        again = here.run(healed=True) if case.is_run_again else None
        return Row(case=case, faulty=faulty, struck=struck, again=again)


@cache
def calm(*, long: bool) -> frozenset[Fingerprint]:
    """What a review finds and posts when nothing goes wrong."""
    with stage(Case(side="", fault="", long=long)) as here:
        return frozenset(here.run(healed=True).comments)


def problems(row: Row) -> list[str]:
    """What went wrong in a way that must not be: lost, twice, or green with something missing. Empty is good."""
    case, kept = row.case, row.faulty
    found = [] if row.struck or case.is_calm else ["the fault never struck"]
    found += _problems(kept)
    if kept.seconds > case.deadline + case.grace:
        found.append(f"took {kept.seconds:.1f} s with a deadline of {case.deadline:.0f} s")
    if case.heals:
        found += _not_healed(kept, calm(long=case.long))
    if row.again is not None:
        found += [f"run again: {problem}" for problem in (*_problems(row.again), *_not_whole(kept, row.again))]
    return found


def _not_whole(kept: Kept, again: Kept) -> list[str]:
    if again.review is None or again.review.verdict is not Verdict.PASS:
        return ["it does not pass, though nothing is wrong any more"]
    gone = [one for one in kept.findings if not any(same(one, two) for two in again.findings)]
    return [f"{len(gone)} findings of the first run are gone"] if gone else []


def _not_healed(kept: Kept, wanted: frozenset[Fingerprint]) -> list[str]:
    if kept.review is None or kept.review.verdict is not Verdict.PASS or kept.exit_code:
        return [f"it should get over this, and does not: {kept.error or (kept.review and kept.review.reason)}"]
    missing = wanted - set(kept.comments)
    return [f"it got over this, but {len(missing)} findings of a calm run are not in line"] if missing else []


def _problems(kept: Kept) -> list[str]:
    found = []
    if kept.duplicates:
        found.append(f"{kept.duplicates} posted twice")
    if kept.pending:
        found.append("an unsubmitted review is left behind")
    review = kept.review
    if review is None:
        return [*found, *(["comments were posted and then forgotten"] if kept.comments and not kept.error else [])]
    found += _vanished(kept, review)
    there = set(kept.comments) | {finding.fingerprint for finding in kept.said}
    missing = [finding for finding in review.findings if finding.fingerprint not in there and _is_due(finding)]
    if missing and not (review.failure or review.verdict is not Verdict.PASS):
        found.append(f"{len(missing)} findings are nowhere on the pull, and the verdict is {review.verdict}")
    if missing and review.failure is None and review.review_url is not None:
        found.append(f"{len(missing)} findings are nowhere on the pull, although a review was posted")
    if review.verdict is Verdict.PASS and (not review.coverage.whole or kept.exit_code):
        found.append("a pass with something missing")
    return found


def _is_due(finding: Finding) -> bool:
    return finding.status in {FindingStatus.POSTED, FindingStatus.KNOWN, FindingStatus.OVER_LIMIT}


def _vanished(kept: Kept, review: Review) -> list[str]:
    """Findings that were shown while the review ran and are not in its result."""
    shown = [event.finding for event in kept.events if isinstance(event, Found)]
    dropped = {each.finding.fingerprint for each in review.dropped}
    misplaced = sum(isinstance(event, Lost) and event.what in review.misplaced for event in kept.events)
    gone = [
        one for one in shown if one.fingerprint not in dropped and not any(same(one, two) for two in review.findings)
    ]
    found = [f"{len(gone)} findings were shown and then vanished"] if gone else []
    return [*found, *(["misplaced findings vanished"] if misplaced != len(review.misplaced) else [])]
