"""The stand-in's state: accounts, tokens, apps, repositories. In memory, under one lock; git data in a directory.

The methods are the Python door for tests and the demo; the HTTP door (`routes_*.py`) uses the same ones. Refuses to know
HTTP or JSON.
"""

from __future__ import annotations

import itertools
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bot.sandbox.github.app_auth import public_half
from bot.sandbox.github.git import GitRepo, Person
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.manifests import NewApp
from bot.sandbox.github.options import GitHubOptions
from bot.sandbox.github.records import App, Installation, Principal, User
from bot.sandbox.github.repo import Repo

T = TypeVar("T")

APP_PERMISSIONS = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "checks": "write",
    "statuses": "write",
}
"""What an App of the stand-in may do unless told otherwise: what Spark asks for."""
_REPO_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")


class World:
    """All that the stand-in knows. Every access from outside goes through `lock` (a re-entrant one)."""

    def __init__(self, root: Path, options: GitHubOptions) -> None:
        self.root = root
        self.options = options
        self.lock = threading.RLock()
        self.repos: dict[str, Repo] = {}
        self.users: dict[str, User] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Principal] = {}
        self.new_apps: dict[str, NewApp] = {}
        self.nodes: dict[str, object] = {}
        self.signed: set[str] = set()
        """Commits that GitHub made itself and signs; what is pushed may name anybody as its author."""
        self.listeners: list[Callable[[Happening], None]] = []
        self._ids = itertools.count(1_000_001)
        self._sequence = itertools.count(1)

    # Time and names

    def now(self) -> str:
        """The time as GitHub writes it."""
        return datetime.fromtimestamp(self.options.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def git_now(self) -> str:
        """The time as git writes it."""
        return f"{int(self.options.clock())} +0000"

    def next_id(self) -> int:
        """A number that no record has yet."""
        return next(self._ids)

    def named(self, prefix: str, make: Callable[[int, str], T]) -> T:
        """Make a record with a new id and node id, and remember it for GraphQL's `node(id:)`."""
        number = self.next_id()
        node_id = f"{prefix}_kwDO{number:08X}"
        record = make(number, node_id)
        self.nodes[node_id] = record
        return record

    @contextmanager
    def session(self) -> Iterator[World]:
        """Hold the lock for several steps that belong together."""
        with self.lock:
            yield self

    def tell(self, happening: Happening) -> None:
        """Hand a happening to whoever listens (the webhooks)."""
        for listener in self.listeners:
            listener(happening)

    # Accounts and tokens

    def user(self, login: str, token: str | None = None, *, bot: bool = False, kind: str | None = None) -> User:
        """The account `login`, made if there is none; with `token`, a classic token of that account."""
        with self.lock:
            found = self.users.get(login.lower())
            if found is None:
                kind = kind or ("Bot" if bot or login.endswith("[bot]") else "User")
                found = self.named(
                    {"User": "U", "Bot": "BOT", "Organization": "O"}[kind],
                    lambda number, node_id: User(
                        id=number,
                        node_id=node_id,
                        login=login,
                        kind=kind,
                        name=login.removesuffix("[bot]"),
                        email=f"{number}+{login}@users.noreply.github.com",
                        created_at=self.now(),
                    ),
                )
                self.users[login.lower()] = found
            if token is not None:
                self.tokens[token] = Principal(kind="user", user=found, key=f"user:{found.id}")
            return found

    def fine_grained_token(self, login: str, token: str, permissions: Mapping[str, str]) -> Principal:
        """A fine-grained personal token with only these permissions, such as `{"pull_requests": "write"}`."""
        user = self.user(login)
        principal = Principal(kind="fine", user=user, permissions=dict(permissions), key=f"user:{user.id}")
        with self.lock:
            self.tokens[token] = principal
        return principal

    def actions_token(self, repo: str, token: str, permissions: Mapping[str, str] | None = None) -> Principal:
        """A GITHUB_TOKEN of a workflow run in `repo`: it cannot `GET /user`, and approves nothing."""
        with self.lock:
            app = self.apps.get(15368) or self.app(15368, None, "github-actions")
            principal = Principal(
                kind="actions",
                user=app.bot,
                app=app,
                permissions=dict(permissions if permissions is not None else APP_PERMISSIONS),
                repos=frozenset({repo.lower()}),
                key=f"actions:{repo.lower()}",
            )
            self.tokens[token] = principal
            return principal

    def app(
        self,
        app_id: int,
        public_key: str | None,
        slug: str,
        *,
        owner: str = "spark-owner",
        permissions: Mapping[str, str] | None = None,
        events: tuple[str, ...] = ("pull_request", "issue_comment", "pull_request_review_comment", "check_run"),
    ) -> App:
        """Register an App. `public_key` is PEM; a private key in PEM is taken too, and only its public half is kept."""
        with self.lock:
            record = self.named(
                "A",
                lambda _, node_id: App(
                    id=app_id,
                    node_id=node_id,
                    slug=slug,
                    name=slug.replace("-", " ").title(),
                    owner=self.user(owner),
                    bot=self.user(f"{slug}[bot]", bot=True),
                    public_key=public_half(public_key) if public_key else "",
                    permissions=dict(permissions if permissions is not None else APP_PERMISSIONS),
                    events=events,
                    created_at=self.now(),
                ),
            )
            self.apps[app_id] = record
            return record

    def install(self, app: App, account: str, *, repos: set[str] | None = None) -> Installation:
        """Install an App for an account, on all its repositories or on `repos` (`owner/name`)."""
        with self.lock:
            record = self.named(
                "IN",
                lambda number, _: Installation(
                    id=number,
                    app=app,
                    account=self.user(account),
                    repos=None if repos is None else {name.lower() for name in repos},
                    permissions=dict(app.permissions),
                    created_at=self.now(),
                ),
            )
            self.installations[record.id] = record
            self._installed(record, "created")
            return record

    def uninstall(self, installation: Installation) -> None:
        """Remove an App from an account: its tokens end."""
        with self.lock:
            self._installed(installation, "deleted")
            del self.installations[installation.id]

    def suspend(self, installation: Installation, *, lift: bool = False) -> None:
        """Suspend an installation, or lift that: its tokens are refused, and it is told of nothing."""
        with self.lock:
            installation.suspended_by = None if lift else installation.account
            installation.suspended_at = None if lift else self.now()
            self._installed(installation, "unsuspend" if lift else "suspend")

    def choose_repos(self, installation: Installation, repos: set[str]) -> None:
        """Give an installation these repositories (`owner/name`) and no others."""
        with self.lock:
            before = {repo.full_name.lower() for repo in self.repos.values() if self.covers(installation, repo)}
            installation.repos = {name.lower() for name in repos}
            for action, names in (("added", installation.repos - before), ("removed", before - installation.repos)):
                if names:
                    subjects = {"installation": installation, "repos": [self.repos[name] for name in sorted(names)]}
                    self._tell_account("installation_repositories", action, installation, subjects)

    def _installed(self, installation: Installation, action: str) -> None:
        repos = [repo for repo in self.repos.values() if self.covers(installation, repo)]
        self._tell_account("installation", action, installation, {"installation": installation, "repos": repos})

    def _tell_account(
        self, event: str, action: str, installation: Installation, subjects: Mapping[str, object]
    ) -> None:
        sender = installation.account
        self.tell(Happening(event=event, action=action, repo=None, sender=sender, subjects=subjects))

    def installation_of(self, app: App, repo: Repo) -> Installation | None:
        """The installation of this App that covers `repo`."""
        for each in self.installations.values():
            if each.app is app and each.account is repo.owner and self.covers(each, repo):
                return each
        return None

    def covers(self, installation: Installation, repo: Repo) -> bool:
        """Whether the installation was given this repository."""
        if installation.account is not repo.owner:
            return False
        return installation.repos is None or repo.full_name.lower() in installation.repos

    # Repositories

    def create_repo(
        self, full_name: str, *, private: bool = False, default_branch: str = "main", description: str = ""
    ) -> Repo:
        """A new, empty repository `owner/name`; the owner is made if there is none."""
        if _REPO_NAME.fullmatch(full_name) is None:
            raise ValueError(f"{full_name!r} is no owner/name")
        with self.lock:
            owner, name = full_name.split("/")
            if full_name.lower() in self.repos:
                raise ValueError(f"{full_name} exists")
            path = self.root / "repos" / f"{next(self._sequence)}.git"
            git = GitRepo.create(path, default_branch=default_branch)
            repo = self.named(
                "R",
                lambda number, node_id: Repo(
                    self,
                    git,
                    id=number,
                    node_id=node_id,
                    owner=self.user(owner),
                    name=name,
                    private=private,
                    default_branch=default_branch,
                    description=description,
                ),
            )
            self.repos[full_name.lower()] = repo
            return repo

    def repo(self, full_name: str) -> Repo:
        """The repository `owner/name`. KeyError when there is none."""
        with self.lock:
            return self.repos[full_name.lower()]

    def delete_repo(self, full_name: str) -> None:
        """Delete a repository; pulls that came from it keep their commits and lose their head repository."""
        with self.lock:
            gone = self.repos.pop(full_name.lower())
            for repo in self.repos.values():
                for pull in repo.pulls.values():
                    if pull.head_repo is not None and pull.head_repo.lower() == full_name.lower():
                        pull.head_repo = None
            gone.git.close()
            shutil.rmtree(gone.git.path, ignore_errors=True)

    def person(self, user: User) -> Person:
        """The user as a commit's author, now."""
        return Person(name=user.name, email=user.email, when=self.git_now())

    def close(self) -> None:
        """End the helper processes."""
        with self.lock:
            for repo in self.repos.values():
                repo.git.close()
