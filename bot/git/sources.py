"""The `Source` port over local git: a range of commits, or the index.

Refuses to invent a base: what a range means is told in `ranges`, and an unknown side stops the review.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path

from bot.diff.model import printable
from bot.errors import UserError
from bot.git.objects import GitFiles
from bot.git.process import Repository, alternate, run_git
from bot.git.ranges import Range, find_range
from bot.git.trees import base_texts, tree_patch
from bot.review.model import Change
from bot.review.ports import Opened

MAX_COMMITS = 50
"""Commits of a range whose subjects go into the description."""

_BODY_CHARS = 4_000


class RangeSource:
    """A range of commits; `asked` is what the user wrote, None for the branch's own commits."""

    def __init__(self, repo: Repository, asked: str | None = None) -> None:
        self._repo = repo
        self._asked = asked

    def open(self) -> Opened:
        """Compare the two commits. UserError for a range that names nothing, OutsideError when git fails."""
        span = find_range(self._repo, self._asked)
        patch, totals = tree_patch(self._repo, span.base, span.head)
        title, description = _messages(self._repo, span)
        change = Change(
            patch=patch, base=span.base, head=span.head, title=title, description=description, totals=totals
        )
        return Opened(
            change=change,
            files=GitFiles(self._repo, span.head),
            base_texts=base_texts(self._repo, span.base),
            base_text=GitFiles(self._repo, span.base).text,
        )


class StagedSource:
    """What `git commit` would commit now: the index against HEAD, or against nothing before the first commit."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo

    def open(self) -> Opened:
        """Read the index. UserError when it has conflicts, OutsideError when git fails."""
        staged = _StagedTree(self._repo)
        repo = Repository(self._repo.path, objects=staged.objects)
        head = self._repo.commit("HEAD")
        base = head or repo.empty_tree()
        patch, totals = tree_patch(repo, base, staged.tree)
        change = Change(
            patch=patch,
            base=head or "no commit",
            head="index",
            title="Staged changes",
            totals=totals,
        )
        return Opened(
            change=change,
            files=GitFiles(repo, staged.tree, keep=staged),
            base_texts=base_texts(repo, base),
            base_text=GitFiles(repo, base).text,
        )


class _StagedTree:
    """The index written as a tree into a temporary object directory, so that the repository stays as it is."""

    def __init__(self, repo: Repository) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="spark-index-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self.objects = self._folder / "objects"
        self.objects.mkdir()
        self.tree = self._write(repo)

    def _write(self, repo: Repository) -> str:
        index = self._folder / "index"
        if not repo.index.exists():
            return repo.empty_tree()
        # A copy: writing a tree takes the index's lock, which a running commit may hold.
        shutil.copyfile(repo.index, index)
        env = dict(repo.tree_env)
        known = env.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")
        env.update(
            GIT_INDEX_FILE=str(index),
            GIT_OBJECT_DIRECTORY=str(self.objects),
            GIT_ALTERNATE_OBJECT_DIRECTORIES=os.pathsep.join(part for part in (alternate(repo.objects), known) if part),
        )
        answer = run_git("write-tree", "--missing-ok", cwd=repo.empty, env=env, ok=None)
        if answer.code == 0:
            return answer.text
        conflicts = [line.partition(": unmerged")[0] for line in answer.stderr.splitlines() if ": unmerged" in line]
        if conflicts:
            more = f" and {len(conflicts) - 1} more" if len(conflicts) > 1 else ""
            raise UserError(
                f"The index has conflicts ({printable(conflicts[0])}{more})",
                remedy="Resolve them and git add the files first.",
            )
        raise UserError(
            f"The index cannot be read ({answer.error})", remedy="Look at git status; git reset builds a new index."
        )


def _messages(repo: Repository, span: Range) -> tuple[str, str]:
    """Title and description of a range: the message of its one commit, or the subjects of its many."""
    asked = ("rev-list", f"--max-count={MAX_COMMITS + 1}", "--encoding=UTF-8", "--format=%s%x00%b%x00%x01")
    answer = repo.git(*asked, f"{span.base}..{span.head}", "--", ok=None)
    commits = []
    for record in answer.out.decode("utf-8", "surrogateescape").split("\0\x01\n"):
        # Git prints "commit <id>" on a line before what the format says.
        _, _, message = record.partition("\n")
        subject, _, body = message.partition("\0")
        if subject or body:
            commits.append((printable(subject), printable(body).strip()[:_BODY_CHARS]))
    if len(commits) == 1:
        return commits[0]
    subjects = [f"- {subject}" for subject, _ in commits[:MAX_COMMITS]]
    if len(commits) > MAX_COMMITS:
        subjects.append("- …")
    return span.name, "\n".join(subjects)
