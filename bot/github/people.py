"""Who may do what in a repository, as GitHub's collaborators endpoint says it: the one signal that can be trusted for that.

The association that comes with a comment is none: members whose membership is private look like strangers there.
"""

from __future__ import annotations

import threading
from typing import Final
from urllib.parse import quote

from bot.errors import OutsideError, SparkError
from bot.github import limits
from bot.github.client import GitHubClient
from bot.github.records import LevelRecord, read_level
from bot.review.config import Role
from bot.review.model import RepoName
from bot.review.ports import Stop

_SECONDS: Final = 30.0
"""For one look-up when the caller names no deadline."""
_REDUCED: Final = {
    Role.ADMIN: "admin",
    Role.MAINTAIN: "write",
    Role.WRITE: "write",
    Role.TRIAGE: "read",
    Role.READ: "read",
}
"""What GitHub reduces its own roles to in `permission` [api, repos/get-collaborator-permission-level]."""
_WRITERS: Final = frozenset({Role.ADMIN, Role.MAINTAIN, Role.WRITE})


class Collaborators:
    """The `People` port. Each login is asked for once."""

    def __init__(self, client: GitHubClient, repo: RepoName, *, stop: Stop | None = None) -> None:
        self._client = client
        self._repo = repo
        self._stop = stop or Stop(deadline=client.clock.now() + _SECONDS, clock=client.clock)
        self._lock = threading.Lock()
        self._roles: dict[str, Role | None] = {}
        self._judged: dict[str, bool] = {}

    def role(self, login: str) -> Role | None:
        """See `People.role`. A role that an organisation made counts as what GitHub reduces it to."""
        key = login.lower()
        with self._lock:
            if key in self._roles:
                return self._roles[key]
        found = self._ask(login) if login else None
        with self._lock:
            self._roles[key] = found
        return found

    def may_write(self, login: str) -> bool:
        """Whether somebody may write; False where it cannot be found out, and for everybody after the first ten asked for."""
        key = login.lower()
        with self._lock:
            if key in self._judged:
                return self._judged[key]
            if len(self._judged) >= limits.ROLES_ASKED:
                return False
        try:
            judged = self.role(login) in _WRITERS
        except SparkError:
            judged = False
        with self._lock:
            self._judged[key] = judged
        return judged

    def _ask(self, login: str) -> Role | None:
        path = f"/repos/{self._repo}/collaborators/{quote(login, safe='')}/permission"
        doing = f"asking what {login} may do in {self._repo}"
        try:
            reply = self._client.get(path, stop=self._stop, doing=doing, bear=frozenset({404}))
        except OutsideError:
            raise
        except SparkError as error:
            # To the caller it is one thing: nobody can say what this person may do.
            raise OutsideError(error.what, remedy=error.remedy) from error
        return None if reply.status == 404 else _role(read_level(reply))


def _role(level: LevelRecord) -> Role | None:
    for role, reduced in _REDUCED.items():
        if level.role_name == role and level.permission == reduced:
            return role
    return Role(level.permission) if level.permission in {"admin", "write", "read"} else None
