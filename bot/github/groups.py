"""The merge group of a queue as a `Source`: what merging would bring, read by comparing two commits, which never move.

The change is the group's own merge result and not the sum of its pulls' diffs: what the merge made of them is what is reviewed.
Which pull it is about is read from the name of the queue's branch, which GitHub makes. Nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from bot import log
from bot.errors import NotPermittedError, SparkError
from bot.github import limits
from bot.github.client import DIFF, GitHubClient
from bot.github.fallback import GONE
from bot.github.known_texts import KnownTexts
from bot.github.patches import Compare
from bot.github.pulls import PullSource, Reading
from bot.github.records import PullRecord, read_compared, read_pull
from bot.review.model import CommitSha, Pull, RepoName, Totals
from bot.review.ports import Stop

MOST_PULLS: Final = 10
"""So many other pulls of one group have their memory read."""
_QUEUE: Final = re.compile(r"(?:refs/heads/)?gh-readonly-queue/.+/pr-(\d{1,9})-([0-9a-f]{40}(?:[0-9a-f]{24})?)")
_MERGED: Final = re.compile(r"Merge pull request #(\d{1,9})\b|.*\(#(\d{1,9})\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A merge group, as GitHub's event names it."""

    repo: RepoName
    base_sha: CommitSha
    """What it is merged onto: the base branch, or the group before it."""
    head_sha: CommitSha
    head_ref: str
    base_ref: str
    """Of the branch that the queue is for, with or without `refs/heads/`."""

    @property
    def number(self) -> int | None:
        """The pull that the group adds; None where the branch has not a name of GitHub's making."""
        found = _QUEUE.fullmatch(self.head_ref)
        return int(found[1]) if found else None

    @property
    def base_branch(self) -> str:
        """Without `refs/heads/`."""
        return self.base_ref.removeprefix("refs/heads/")


def base_of_queue(head_ref: str) -> CommitSha | None:
    """The commit that a queue's branch was made on, which its name ends with; None for another branch."""
    found = _QUEUE.fullmatch(head_ref)
    return CommitSha(found[2]) if found else None


class GroupSource(PullSource):
    """The `Source` port for a merge group. The change carries the pull that the group adds, with the group's own commits."""

    def __init__(
        self,
        client: GitHubClient,
        group: Group,
        *,
        compare: Compare,
        stop: Stop | None = None,
        texts: KnownTexts | None = None,
        fields: Mapping[str, log.Field] | None = None,
    ) -> None:
        """`texts`: what is known already. `fields`: for the log."""
        super().__init__(
            client,
            group.repo,
            group.number or 0,
            compare=compare,
            stop=stop,
            branch=group.base_branch,
            texts=texts,
            fields=fields,
        )
        self._group = group
        self.others: tuple[int, ...] = ()
        """Further pulls that the group's commits name, once it was read; at most `MOST_PULLS`."""

    def _read(self) -> Reading:
        group = self._group
        asked = partial(self._client.get, self._path, stop=self._stop, doing=f"reading {self._named}")
        pull = self._client.submit(self._pull)
        reply = asked()
        files, subjects = read_compared(reply)
        numbers = dict.fromkeys(number for subject in subjects if (number := _number(subject)) is not None)
        self.others = tuple(number for number in numbers if number != group.number)[:MOST_PULLS]
        totals = Totals(
            files=len(files), added=sum(file.added for file in files), removed=sum(file.removed for file in files)
        )
        beyond = ""
        if len(files) >= limits.MAX_COMPARED_FILES:
            beyond = f"GitHub names only the first {limits.MAX_COMPARED_FILES} files of a comparison"
        record = PullRecord(pull=pull.result(), totals=totals)
        return Reading(record=record, files=files, beyond=beyond)

    def _pull(self) -> Pull:
        """The pull that the group adds, with the commits of the group; one that is none where nobody knows it."""
        group = self._group
        known = Pull(
            repo=group.repo,
            number=group.number or 0,
            title=f"Merge group {group.head_sha[:7]}",
            body="",
            author="",
            base_sha=group.base_sha,
            head_sha=group.head_sha,
            base_ref=group.base_branch,
            head_ref=group.head_ref.removeprefix("refs/heads/"),
            head_repo=group.repo,
            url="",
        )
        if group.number is None:
            return known
        path, doing = f"/repos/{group.repo}/pulls/{group.number}", f"reading {group.repo}#{group.number}"
        try:
            found = read_pull(self._client.get(path, stop=self._stop, doing=doing)).pull
        except NotPermittedError:
            return known
        return replace(
            known,
            title=found.title,
            body=found.body,
            author=found.author,
            url=found.url,
            draft=found.draft,
            is_open=found.is_open,
        )

    def _diff(self, record: PullRecord) -> bytes | None:
        del record
        try:
            reply = self._client.get(
                self._path, accept=DIFF, stop=self._stop, doing=f"reading the diff of {self._named}", bear=GONE
            )
        except SparkError:
            return None
        return reply.data if reply.ok else None

    def _head_of(self) -> int | None:
        return None

    @property
    def _path(self) -> str:
        return f"/repos/{self._group.repo}/compare/{self._group.base_sha}...{self._group.head_sha}"

    @property
    def _named(self) -> str:
        return f"the merge group {self._group.head_sha[:7]} of {self._group.repo}"


def _number(subject: str) -> int | None:
    found = _MERGED.match(subject)
    return int(found[1] or found[2]) if found else None
