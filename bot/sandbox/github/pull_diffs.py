"""What a pull is made of: merge base, three-dot diff, commits, whether it merges. Worked out once for each pair of commits.

Refuses to change anything.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from bot.sandbox.github.diffs import TreeDiff, diff_trees
from bot.sandbox.github.git import CommitInfo, GitRepo
from bot.sandbox.github.records import Pull

_CACHED_DIFFS = 64


class PullDiffs:
    """The reading half of a repository. Commits never change, so nothing here grows stale."""

    def __init__(self, git: GitRepo, lock: threading.RLock) -> None:
        self.git = git
        self._lock = lock
        self._diffs: OrderedDict[tuple[str, str], TreeDiff] = OrderedDict()
        self._mergeable: dict[tuple[str, str], bool] = {}
        self._bases: dict[tuple[str, str], str] = {}
        self._commits: dict[tuple[str, str], tuple[CommitInfo, ...]] = {}

    def merge_base(self, pull: Pull, head: str | None = None) -> str:
        """Where the three-dot diff of the pull starts."""
        key = (pull.base_sha, head or pull.head_sha)
        if key not in self._bases:
            self._bases[key] = self.git.merge_base(*key) or pull.base_sha
        return self._bases[key]

    def diff(self, pull: Pull, head: str | None = None) -> TreeDiff:
        """The pull's three-dot diff at `head` (its present head by default)."""
        return self.diff_between(self.merge_base(pull, head), head or pull.head_sha)

    def diff_between(self, old: str, new: str) -> TreeDiff:
        """The diff of two commits; the last few are remembered."""
        with self._lock:
            found = self._diffs.get((old, new))
        if found is None:
            found = diff_trees(self.git, old, new)
            with self._lock:
                self._diffs[old, new] = found
                while len(self._diffs) > _CACHED_DIFFS:
                    self._diffs.popitem(last=False)
        return found

    def commits(self, pull: Pull) -> tuple[CommitInfo, ...]:
        """The pull's commits, oldest first."""
        key = (self.merge_base(pull), pull.head_sha)
        if key not in self._commits:
            self._commits[key] = self.git.commits_between(*key)
        return self._commits[key]

    def mergeable(self, pull: Pull) -> bool:
        """Whether the head merges into the base without a conflict."""
        key = (pull.base_sha, pull.head_sha)
        if key not in self._mergeable:
            self._mergeable[key] = self.git.merge(*key) is not None
        return self._mergeable[key]

    def warm(self, pull: Pull) -> None:
        """Work that GitHub does in the background of a push, so that a first request does not pay for it."""
        self.diff(pull)
        self.commits(pull)
        self.mergeable(pull)
