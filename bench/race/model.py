"""What is raced, and what is measured of it. No imports of the world; every module of the race speaks in these words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

LATENCY: Final = 0.080
"""Seconds that the stand-in for GitHub takes for a call."""
ANSWER_TOKENS: Final = 600
"""Tokens of each answer to a review."""
FINDINGS: Final = 2
"""Findings in each answer; the rest of its tokens is prose in their bodies."""
FINDING_TOKENS: Final = 60
"""Tokens until a first finding can be whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What the stand-in endpoint is set to: seconds to the first token, tokens a second in each stream."""

    name: str
    ttft: float
    tps: float


SPEEDS: Final = (
    Speed(name="fast", ttft=0.150, tps=1000.0),
    Speed(name="near", ttft=0.010, tps=1000.0),
    Speed(name="chat", ttft=0.500, tps=70.0),
)
"""A fast endpoint, the same next door, and what chat models do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of pull request: so many Python files, each with so many added lines."""

    name: str
    files: int
    added: int
    """Added lines in each file."""


SHAPES: Final = (
    Shape(name="1 file", files=1, added=24),
    Shape(name="5 files", files=5, added=24),
    Shape(name="20 files", files=20, added=24),
    Shape(name="60 files", files=60, added=24),
    Shape(name="300 files", files=300, added=24),
    Shape(name="20,000 lines", files=40, added=500),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What no client can beat, in seconds from the start: one read, the first token, the longest stream, one post.

    At `standard` each finding is checked by a second call: its own first token and its verdict come behind the finding.
    """

    first_finding: float
    """One read, the first token, `FINDING_TOKENS`; seen where a page or a log shows it."""
    done: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A pull request on the stand-in, which nobody has reviewed."""

    repo: str
    number: int
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The stand-ins, each in a process of its own. `github`: `api`, `graphql`, `web` (URLs) and what logging in takes."""

    github: Mapping[str, str]
    endpoints: Mapping[str, str]
    """By the product's name: the URL of the endpoint that answers in that product's own form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One review by one product. Seconds from its start: the process's for a command, the webhook's for a server."""

    product: str
    speed: str
    shape: str
    effort: str
    first_finding: float | None
    """A person can see it: on a page, in the log, on standard output or on the pull. None where there was none."""
    first_post: float
    """The first write that shows a finding on the pull is answered."""
    done: float
    """The last write is answered, and for a command: its process has ended."""
    cpu: float
    """Seconds of a processor, of all the product's processes."""
    memory: float
    """MB: the largest sum of resident memory of the product's processes, what they share counted once."""
    reads: int
    writes: int
    """Calls to GitHub."""
    calls: int
    """To the endpoint."""
    comments: int
    """On lines of the pull, afterwards."""
    posted: bool
    """Whether anything stands on the pull afterwards: a run that gave up is no fast one."""
    notes: Sequence[str] = field(default=())
    """What a reader must know: `stopped after 300 s`, `12 of 60 files shown to the model`."""
    first_call: float | None = None
    """GitHub is first asked: how long a process takes to start. None where nobody looked."""


class Product(Protocol):
    """Something that reviews a pull request and posts what it found."""

    @property
    def name(self) -> str:
        """As in the table: `Spark server`, `PR-Agent review, process`."""

    @property
    def version(self) -> str:
        """What was raced."""

    def review(self, place: Place, *, speed: str, shape: str) -> Run:
        """Review it once, from a fresh start of whatever starts. RuntimeError, with the last lines of its log, when it fails."""
