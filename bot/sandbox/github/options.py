"""How a stand-in GitHub is set up. Every number of GitHub's is here, with where it comes from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Beyond(StrEnum):
    """What the files API says of a changed file beyond its limits. Both were seen on GitHub.

    COUNTS: no patch, the counts are right. ZEROS: no patch, and additions, deletions and changes are all 0.
    """

    COUNTS = "counts"
    ZEROS = "zeros"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """GitHub's documented limits; tests make them small instead of making their data large."""

    diff_files: int = 300
    """Files of a `.diff` (docs: repository limits)."""
    diff_lines: int = 20_000
    """Lines of a `.diff` (docs: repository limits)."""
    file_lines: int = 20_000
    """Lines of one file's diff (docs: repository limits)."""
    file_bytes: int = 500_000
    """Bytes of one file's diff (docs: repository limits)."""
    list_files: int = 3_000
    """Entries of GET pulls/N/files (OpenAPI)."""
    list_bytes: int = 1_000_000
    """Bytes of all patches of one pull before they are left out (docs: repository limits)."""
    list_lines: int = 20_000
    """Lines of all patches of one pull before they are left out (docs: repository limits)."""
    compare_files: int = 300
    """Files of a comparison, on its first page alone (OpenAPI)."""
    commits: int = 250
    """Commits listed of a pull or a comparison (OpenAPI)."""
    contents_bytes: int = 1_000_000
    """Up to here GET contents gives base64 (OpenAPI: 1 MB)."""
    contents_raw_bytes: int = 100_000_000
    """Up to here GET contents gives the raw media type (OpenAPI: 100 MB)."""
    body_characters: int = 65_536
    """Longest body of a comment or review (error text of GitHub)."""
    annotations: int = 50
    """Annotations of one check run request (OpenAPI)."""
    annotation_bytes: int = 65_536
    """An annotation's message and raw_details (OpenAPI: 64 KB)."""
    output_characters: int = 65_535
    """A check run's summary and text (OpenAPI)."""
    tree_entries: int = 100_000
    """Entries of a recursive tree (OpenAPI)."""
    review_comments: int | None = None
    """More comments in one review are answered with 502, as was seen on GitHub above about 30. None: no limit."""
    per_page: int = 30
    per_page_max: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Rate limits (docs: rate limits for the REST API). The primary one always counts; the rest needs `enforce`."""

    per_hour: int = 5_000
    per_hour_anonymous: int = 60
    per_hour_actions: int = 1_000
    enforce: bool = False
    """Whether secondary limits are held: content per minute and hour, points per minute, requests at once."""
    content_per_minute: int = 80
    content_per_hour: int = 500
    points_per_minute: int = 900
    graphql_points_per_minute: int = 2_000
    concurrent: int = 100
    retry_after: int = 60
    """Seconds that a refused request is told to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubOptions:
    """Everything about a stand-in that can be chosen before it starts."""

    latency: float = 0.0
    """Seconds added to every API call, before it is handled and without any lock; settable later on the server."""
    limits: Limits = field(default_factory=Limits)
    rates: Rates = field(default_factory=Rates)
    beyond: Beyond = Beyond.COUNTS
    webhook_url: str | None = None
    webhook_secret: str = ""
    webhook_timeout: float = 10.0
    """Seconds that a receiver has for its answer (docs: 10 s)."""
    webhook_workers: int = 1
    """Deliveries under way at once. With one they come in order, which GitHub does not promise."""
    clock: Callable[[], float] = time.time
    """Seconds since 1970; the rate limits and every timestamp are told by it."""
    port: int = 0
    """0 takes any free port. The host is always 127.0.0.1."""
    control: bool = False
    """Whether `/_sandbox/` answers: for a stand-in in a process of its own."""
