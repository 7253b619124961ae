"""What the stand-in remembers: users, apps, pulls, reviews, comments, check runs. Plain records without behaviour.

They are changed only by `world.py` and its neighbours, under the world's lock. Nothing here knows GitHub's JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.diff.model import Side
from bot.sandbox.github.hunks import Row

Json = Any
"""A JSON value on its way in or out. The shapes are GitHub's; the contract tests check them."""


@dataclass(slots=True, kw_only=True)
class User:
    """An account. `kind` is `User`, `Bot` or `Organization`."""

    id: int
    node_id: str
    login: str
    kind: str
    name: str
    email: str
    created_at: str


@dataclass(slots=True, kw_only=True)
class Hook:
    """Where an App wants its deliveries."""

    url: str
    secret: str
    active: bool


@dataclass(slots=True, kw_only=True)
class App:
    """A GitHub App, with the public half of its key in PEM; empty until it has one."""

    id: int
    node_id: str
    slug: str
    name: str
    owner: User
    bot: User
    public_key: str
    permissions: dict[str, str]
    events: tuple[str, ...]
    created_at: str
    hook: Hook | None = None
    """None for an App without a webhook of its own: the stand-in's one address serves it."""
    description: str = ""
    url: str = ""
    setup_url: str = ""


@dataclass(slots=True, kw_only=True)
class Installation:
    """An App installed for an account. `repos` None stands for all repositories of the account."""

    id: int
    app: App
    account: User
    repos: set[str] | None
    permissions: dict[str, str]
    created_at: str
    suspended_by: User | None = None
    suspended_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a request.

    `kind`: anonymous, user (a person's classic token), fine (a fine-grained token), installation, actions
    (GITHUB_TOKEN), app (a JWT).
    """

    kind: str
    user: User | None = None
    app: App | None = None
    installation: Installation | None = None
    permissions: Mapping[str, str] | None = None
    """None for a person: then the level on the repository decides."""
    repos: frozenset[str] | None = None
    """Lower-case `owner/name`s that the token is narrowed to; None for no narrowing."""
    expires: float | None = None
    key: str = "anonymous"
    """What the rate limits count by."""

    @property
    def is_integration(self) -> bool:
        """Whether the token belongs to an App (GITHUB_TOKEN is one)."""
        return self.kind in {"installation", "actions"}


@dataclass(slots=True, kw_only=True)
class Pull:
    """A pull request. `base_repo` and `head_repo` are `owner/name`; `head_repo` None means a deleted fork."""

    id: int
    node_id: str
    number: int
    title: str
    body: str | None
    author: User
    base_repo: str
    head_repo: str | None
    base_ref: str
    head_ref: str
    base_sha: str
    head_sha: str
    created_at: str
    updated_at: str
    state: str = "open"
    draft: bool = False
    merged_at: str | None = None
    merged_by: User | None = None
    merge_commit_sha: str | None = None
    closed_at: str | None = None
    labels: list[str] = field(default_factory=list)
    former_heads: list[str] = field(default_factory=list)
    maintainer_can_modify: bool = False
    """"Allow edits by maintainers": of a fork's pull alone."""
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Review:
    """A review of a pull. `state` is GitHub's, such as PENDING or COMMENTED."""

    id: int
    node_id: str
    pull: Pull
    author: User
    body: str
    state: str
    commit_id: str
    created_at: str
    submitted_at: str | None = None
    dismissal: str = ""
    minimized: str | None = None
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Thread:
    """A place in a diff with its comments. `line` and `position` are None once the place is outdated."""

    id: int
    node_id: str
    pull: Pull
    path: str
    side: Side
    line: int | None
    original_line: int
    start_side: Side | None
    start_line: int | None
    original_start_line: int | None
    position: int | None
    original_position: int
    diff_hunk: str
    commit_id: str
    original_commit_id: str
    original_base: str
    """The merge base when the thread was made, to follow lines of the LEFT side."""
    rows: tuple[Row, ...] = ()
    """The rows of the hunk down to the commented one, as they were."""
    whole_file: bool = False
    resolved_by: User | None = None
    comments: list[Comment] = field(default_factory=list)

    @property
    def outdated(self) -> bool:
        """Whether its lines are no longer part of the diff."""
        return self.line is None and not self.whole_file


@dataclass(slots=True, kw_only=True)
class Comment:
    """One review comment in a thread."""

    id: int
    node_id: str
    thread: Thread
    review: Review
    author: User
    body: str
    created_at: str
    updated_at: str
    reply_to: int | None = None
    minimized: str | None = None
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class IssueComment:
    """A comment in a pull's conversation."""

    id: int
    node_id: str
    pull: Pull
    author: User
    body: str
    created_at: str
    updated_at: str
    app: App | None = None
    minimized: str | None = None
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Reaction:
    """An emoji of somebody."""

    id: int
    node_id: str
    user: User
    content: str
    created_at: str


@dataclass(slots=True, kw_only=True)
class CheckRun:
    """A check run. `output` keeps title, summary and text; annotations are appended by updates."""

    id: int
    node_id: str
    suite: CheckSuite
    name: str
    status: str
    conclusion: str | None
    started_at: str | None
    completed_at: str | None
    details_url: str | None
    external_id: str
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Json]] = field(default_factory=list)
    actions: list[dict[str, Json]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class CheckSuite:
    """The check runs of one App on one commit."""

    id: int
    node_id: str
    repo: str
    head_sha: str
    app: App
    created_at: str
    runs: list[CheckRun] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class MergeGroup:
    """What a merge queue wants to merge: pulls on top of the base, with a commit of their own."""

    pull: Pull
    head_sha: str
    head_ref: str
    base_sha: str
    base_ref: str


@dataclass(slots=True, kw_only=True)
class Status:
    """A commit status."""

    id: int
    node_id: str
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: User
    created_at: str
