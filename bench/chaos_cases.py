"""The faults of the chaos table, as values. What is done with them is in `chaos.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.sandbox.endpoint import (
    EndpointOptions,
    EndpointRequest,
    Fault,
    FaultKind,
    RetryForm,
    Script,
    first_tries,
    reviewer,
    when,
)
from bot.sandbox.github import Fault as GitHubFault
from bot.sandbox.github import GitHubOptions, Kind, Limits, When

TOKEN = "chaos-token"
AFTER = 150
"""Tokens that come before a fault in the middle: the first findings of longer answers are then complete."""
READING, POSTING = "GitHub, reading", "GitHub, posting"
PULL = "/repos/library/shelf/pulls/1"
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
NOT_IN_DIFF = "Unprocessable Entity"
LINE = (
    "Pull request review thread line must be part of the diff and Pull request review thread diff hunk can't be blank"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row. With no fault at all it is the calm one that the others are held against."""

    side: str
    fault: str
    often: str = ""
    script: Script = field(default_factory=reviewer)
    tps: float = 20_000.0
    reachable: bool = True
    faults: tuple[GitHubFault, ...] = ()
    github: GitHubOptions | None = None
    """Other options than the usual ones."""
    heals: bool = False
    """Spark gets over it by itself: the first run brings all that a calm one does."""
    long: bool = False
    """The pull has more findings than one POST bears."""
    moves: bool = False
    """The head moves while the review runs."""
    deadline: float = 8.0
    grace: float = 4.0
    """Seconds after the deadline in which the review must be over: what is there is posted after it."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.fault}, {self.often}" if self.often else self.fault

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong here."""
        return self.fault == "nothing goes wrong"

    @property
    def is_run_again(self) -> bool:
        """Whether a second run, without the fault, has something to show: the first may have posted a part."""
        return self.side == POSTING or self.is_calm or ("in the middle" in self.fault and not self.heals)

    def options(self) -> EndpointOptions:
        """The endpoint of the case."""
        return EndpointOptions(ttft=0.005, tps=self.tps, script=self.script)


def healthy() -> EndpointOptions:
    """An endpoint without faults."""
    return EndpointOptions(ttft=0.005, tps=20_000.0)


def _status(code: int, wait: float | None = None) -> Fault:
    return Fault(kind=FaultKind.STATUS, status=code, retry_after=wait, retry_form=RetryForm.MILLISECONDS)


def _middle(kind: FaultKind) -> Fault:
    return Fault(kind=kind, after=AFTER)


ENDPOINT_FAULTS: Sequence[tuple[str, Fault]] = (
    ("429 with Retry-After 0.2 s", _status(429, 0.2)),
    ("429 without Retry-After", _status(429)),
    ("500", _status(500)),
    ("503", _status(503)),
    ("503 with Retry-After 0.2 s", _status(503, 0.2)),
    ("200 with a web page", Fault(kind=FaultKind.HTML)),
    ("200 with JSON instead of a stream", Fault(kind=FaultKind.JSON)),
    ("connection closed before the answer", Fault(kind=FaultKind.HANG_UP)),
    ("stall before the first token", Fault(kind=FaultKind.STALL, after=0)),
    ("stall in the middle", _middle(FaultKind.STALL)),
    ("connection reset in the middle", _middle(FaultKind.CUT)),
    ("clean end in the middle, no finish reason", _middle(FaultKind.EARLY_END)),
    ("garbage in the middle", _middle(FaultKind.GARBAGE)),
    ("error event in the middle", _middle(FaultKind.ERROR_EVENT)),
    ("refusal", Fault(kind=FaultKind.REFUSAL)),
    ("length limit in the middle", _middle(FaultKind.LENGTH)),
    ("content filter in the middle", _middle(FaultKind.CONTENT_FILTER)),
    ("empty answer", Fault(kind=FaultKind.EMPTY)),
)
"""Each comes once (the first try of each prompt) and always."""


def _always(_request: EndpointRequest) -> bool:
    return True


def _endpoint() -> Iterator[Case]:
    side = "The endpoint"
    yield Case(side=side, fault="nothing goes wrong", heals=True)
    for name, fault in ENDPOINT_FAULTS:
        once = first_tries(reviewer(), fault)
        yield Case(side=side, fault=name, often="once", script=once, heals=True)
        waits = name == "429 without Retry-After" or "Retry-After 0.2" in name
        yield Case(
            side=side,
            fault=name,
            often="always",
            script=when(reviewer(), _always, fault),
            heals=fault.kind is FaultKind.JSON,
            deadline=2.0 if waits else 8.0,
        )
    hour = _status(429, 3600.0)
    yield Case(side=side, fault="429 with Retry-After of an hour", script=when(reviewer(), _always, hour))
    drip = Fault(kind=FaultKind.SLOW_DRIP, seconds=0.02)
    yield Case(side=side, fault="slow drip beyond the deadline", script=when(reviewer(), _always, drip), deadline=1.5)
    checks = when(reviewer(), lambda request: '"verdict"' in request.system, _status(500))
    yield Case(side=side, fault="500 to each check of a finding", script=checks, heals=True)
    yield Case(side=side, fault="nothing listens at its address", reachable=False)
    yield Case(side=side, fault="401", script=when(reviewer(), _always, _status(401)))


WRITE = f"POST {PULL}/reviews"
READS: Sequence[tuple[str, str, str, str]] = (
    ("the pull", f"GET {PULL}", "", "403 404 502? 502 cut? cut half? 429? limit? stall"),
    ("its files", f"GET {PULL}/files", "", "502? 502 cut? half? stall"),
    ("the texts (GraphQL)", "POST /graphql", "isBinary", "403+ 502?+ 502+ cut+ half?+ 429?+ limit?+ stall"),
    ("what is on it already", "POST /graphql", "reviewThreads", "403 502? 502 cut? half? limit? stall"),
)
"""What is read, the word by which a query is known, and its faults: with `?` once, else always; with `+` there is another way to read it."""
_READ_FAULTS: Mapping[str, tuple[str, GitHubFault]] = {
    "403": ("403", GitHubFault(match="", status=403)),
    "404": ("404", GitHubFault(match="", status=404)),
    "502": ("502", GitHubFault(match="", status=502)),
    "cut": ("connection cut", GitHubFault(match="", kind=Kind.CUT)),
    "half": ("cut in the middle of the answer", GitHubFault(match="", kind=Kind.CUT_BODY)),
    "429": ("429 with Retry-After 1 s", GitHubFault(match="", status=429, headers={"Retry-After": "1"})),
    "limit": (
        "secondary limit, Retry-After 1 s",
        GitHubFault(match="", status=403, message=SECONDARY, headers={"Retry-After": "1"}),
    ),
    "stall": ("stalled", GitHubFault(match="", kind=Kind.STALL)),
}


def _reads() -> Iterator[Case]:
    for what, match, word, names in READS:
        for name in names.split():
            words, fault = _READ_FAULTS[name.rstrip("?+")]
            once = "?" in name
            yield Case(
                side=READING,
                fault=f"{what}: {words}",
                often="once" if once else "always",
                faults=(replace(fault, match=match, contains=word, times=1 if once else None),),
                heals=once or "+" in name,
                deadline=1.5 if name == "stall" else 8.0,
            )
    small = GitHubOptions(limits=Limits(file_lines=20, diff_lines=30))
    yield Case(side=READING, fault="a file without a patch, and 406 on .diff", github=small, heals=True)


def _writes() -> Iterator[Case]:
    side = POSTING
    for code in (403, 404):
        for often, times in (("once", 1), ("always", None)):
            fault = GitHubFault(match=WRITE, status=code, times=times)
            yield Case(side=side, fault=f"{code}", often=often, faults=(fault,))
    for moment in When:
        struck = "before it is written" if moment is When.BEFORE else "after it was written"
        for often, times in (("once", 1), ("always", None)):
            passes = times == 1 or moment is When.AFTER
            bad = GitHubFault(match=WRITE, status=502, when=moment, times=times)
            yield Case(side=side, fault=f"502 {struck}", often=often, faults=(bad,), heals=passes)
            cut = GitHubFault(match=WRITE, kind=Kind.CUT, when=moment, times=times)
            yield Case(side=side, fault=f"connection cut {struck}", often=often, faults=(cut,), heals=passes)
        stall = GitHubFault(match=WRITE, kind=Kind.STALL, when=moment, seconds=0.5)
        yield Case(side=side, fault=f"stalled {struck}", often="once", faults=(stall,), heals=True)
        part = GitHubFault(match=WRITE, status=502, when=moment, skip=1, times=None)
        name = f"502 to the second part of a long review, {struck}"
        yield Case(side=side, fault=name, often="always", faults=(part,), long=True, heals=moment is When.AFTER)
    one = GitHubFault(match=WRITE, status=422, contains='"path": "cmd/shelf/main.go"', times=None)
    one = replace(one, message=NOT_IN_DIFF, errors=(LINE,))
    yield Case(side=side, fault="422 for one comment", often="always", faults=(one,), deadline=30.0)
    every = replace(one, contains='"comments"')
    yield Case(side=side, fault="422 for each comment", often="always", faults=(every,), deadline=30.0)
    yield Case(
        side=side, fault="422 for any review", often="always", faults=(replace(one, contains=""),), deadline=30.0
    )
    quick = GitHubFault(match=WRITE, status=422, message="Validation Failed", errors=("was submitted too quickly",))
    yield Case(side=side, fault="422 submitted too quickly", often="once", faults=(quick,))
    wait = GitHubFault(match=WRITE, status=429, headers={"Retry-After": "1"})
    yield Case(side=side, fault="429 with Retry-After 1 s", often="once", faults=(wait,), heals=True)
    limit = GitHubFault(match=WRITE, status=403, message=SECONDARY, headers={"Retry-After": "1"})
    yield Case(side=side, fault="secondary limit, Retry-After 1 s", often="once", faults=(limit,), heals=True)
    yield Case(
        side=side, fault="secondary limit of a minute", often="always", faults=(replace(limit, headers={}, times=None),)
    )
    yield Case(side=side, fault="the head moves meanwhile", moves=True)
    listing = GitHubFault(match=f"GET {PULL}/reviews", status=502, times=None)
    lost = GitHubFault(match=WRITE, status=502, when=When.AFTER)
    yield Case(
        side=side,
        fault="502 after it was written, and no listing to see it by",
        faults=(lost, replace(listing, skip=1)),
    )


CASES: tuple[Case, ...] = (*_endpoint(), *_reads(), *_writes())
