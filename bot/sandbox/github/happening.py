"""Something that happened in the stand-in's world, as a value for whoever listens: the webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.sandbox.github.records import User

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What a webhook would tell. `subjects` are records by name, such as `pull` or `comment`."""

    event: str
    action: str | None
    repo: Repo | None
    """None for what concerns an account: an App's installation."""
    sender: User
    subjects: Mapping[str, object] = field(default_factory=dict)

    @property
    def place(self) -> Repo:
        """The repository of what happens in one."""
        assert self.repo is not None
        return self.repo
