"""The branch that a pull wants merged: read, and committed to with the head that we believe in.

One commit for one command: its trailer says which, so that what landed before an answer was lost is found. Never forces
anything: GitHub refuses a commit on a branch that has moved.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bot.commands.ports import CommitDraft, Committed, NotCommitted, PullCommit
from bot.github import limits
from bot.github.blobs import Place, fetch_blob
from bot.github.client import GitHubClient, Mutated, mutated
from bot.github.faults import Cut, Reply, error_for
from bot.github.modes import no_plain_file
from bot.github.notes import is_by, pull_path
from bot.github.pace import OutOfTimeError, Pace
from bot.github.records import CommitRecord, PullRecord, read_commit_paths, read_commits, read_pull
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop

NEEDS: Final = "contents=write"
"""The permission that committing takes."""

_COMMIT: Final = """mutation ($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid url } }
}"""
_TRAILER: Final = re.compile(r"^Spark-Command: \S+$", re.MULTILINE)
_GONE: Final = "the repository that the pull request comes from was deleted"


class PullBranch:
    """The `Branch` port for one pull. `login` gives the account that we write as, None where GitHub does not say."""

    def __init__(
        self,
        client: GitHubClient,
        repo: RepoName,
        number: int,
        *,
        pace: Pace,
        stop: Stop,
        login: Callable[[], str | None] | None = None,
    ) -> None:
        self._client = client
        self._repo = repo
        self._number = number
        self._pace = pace
        self._stop = stop
        self._login = login or (lambda: client.login)
        self._doing = f"committing to the branch of {repo}#{number}"

    def blocked(self) -> str:
        """See `Branch.blocked`. Raises NotPermittedError, OutsideError."""
        return _blocked(self._pull())

    def head(self) -> CommitSha:
        """See `Branch.head`."""
        return self._pull().pull.head_sha

    def commit(self, draft: CommitDraft) -> Committed | NotCommitted:
        """See `Branch.commit`. Raises OutsideError when GitHub stays away, and when it cannot be seen whether it landed."""
        record = self._pull()
        if why := _blocked(record):
            return NotCommitted(reason=why)
        repo, branch = record.pull.head_repo, record.pull.head_ref
        assert repo is not None
        answer: Reply | Cut = Cut(reason="not sent")
        # The text of a link is where it leads: a commit would change that, or put a file in its place.
        odd = self._client.submit(
            no_plain_file,
            self._client,
            self._repo,
            draft.expected_head,
            draft.files,
            stop=self._stop,
            doing=self._doing,
        )
        for _ in range(limits.POST_TRIES):
            if (there := self._landed(repo, branch, draft)) is not None:
                return there
            if why := odd.result():
                return NotCommitted(reason=why)
            try:
                answer = self._send(repo, branch, draft)
            except OutOfTimeError:
                return NotCommitted(reason="GitHub's pace left no time for it")
            if isinstance(answer, Reply) and answer.ok:
                found = mutated(answer)
                if found.data is not None or found.errors:
                    return self._read(found, repo, branch, draft)
            elif isinstance(answer, Reply) and answer.status < 500:
                return _refused(answer, self._doing)
        if (there := self._landed(repo, branch, draft)) is not None:
            return there
        raise error_for(answer, doing=self._doing)

    def commits(self) -> Sequence[PullCommit]:
        """See `Branch.commits`."""
        path = f"{pull_path(self._repo, self._number)}/commits"
        pages = self._client.pages(path, stop=self._stop, doing=f"reading the commits of {self._repo}#{self._number}")
        login = self._login()
        return [
            PullCommit(
                sha=each.sha,
                parents=each.parents,
                message=each.message,
                is_ours=is_by(each.login, login, is_bot=each.is_bot),
                is_signed=each.is_signed,
            )
            for page in pages
            for each in read_commits(page)
        ]

    def changed_paths(self, sha: CommitSha) -> Sequence[str]:
        """See `Branch.changed_paths`. Of a renamed file both names."""
        doing = f"reading what a commit of {self._repo}#{self._number} changed"
        pages = self._client.pages(f"/repos/{self._repo}/commits/{sha}", stop=self._stop, doing=doing)
        return list(dict.fromkeys(path for page in pages for path in read_commit_paths(page)))

    def file(self, path: str, at: CommitSha) -> bytes | None:
        """See `Branch.file`. A fork's commits are seen through the base's repository."""
        return fetch_blob(self._client, self._repo, Place(at, path), stop=self._stop)

    def _pull(self) -> PullRecord:
        path = pull_path(self._repo, self._number)
        return read_pull(self._client.get(path, stop=self._stop, doing=f"reading {self._repo}#{self._number}"))

    def _send(self, repo: RepoName, branch: str, draft: CommitDraft) -> Reply | Cut:
        given = _input(repo, branch, draft)
        return self._pace.write(lambda: self._client.mutate(_COMMIT, given, stop=self._stop), stop=self._stop)

    def _read(self, found: Mutated, repo: RepoName, branch: str, draft: CommitDraft) -> Committed | NotCommitted:
        commit = found.data.get("commit") if found.data is not None else None
        if isinstance(commit, Mapping) and isinstance(commit.get("oid"), str):
            return Committed(sha=CommitSha(commit["oid"]), url=str(commit.get("url") or ""))
        if found.is_a("STALE_DATA"):
            # The one who moved the branch may have been ourselves, with an answer that was lost.
            there = self._landed(repo, branch, draft)
            return there or NotCommitted(reason="the branch has moved", moved_to=self.head())
        if found.is_a("FORBIDDEN", "INSUFFICIENT_SCOPES"):
            return NotCommitted(
                reason=f"GitHub does not allow it ({found.why}): it takes the permission contents: write"
            )
        if found.is_a("NOT_FOUND"):
            return NotCommitted(reason=f"the branch `{branch}` of {repo} is gone, or Spark may not see it")
        return NotCommitted(reason=f"GitHub refused the commit: {found.why}")

    def _landed(self, repo: RepoName, branch: str, draft: CommitDraft) -> Committed | None:
        """A commit of ours among the branch's newest that has the draft's trailer."""
        mark = _TRAILER.search(draft.body)
        if mark is None:
            return None
        reply = self._client.get(
            f"/repos/{repo}/commits",
            stop=self._stop,
            doing="looking whether a commit has arrived",
            params={"sha": branch, "per_page": limits.COMMITS_LOOKED_AT},
            bear=frozenset({404, 409}),
        )
        if not reply.ok:
            return None
        login = self._login()
        for each in read_commits(reply):
            if mark[0] in each.message.splitlines() and _is_ours(each, login):
                return Committed(sha=each.sha, url=each.url)
        return None


def _is_ours(commit: CommitRecord, login: str | None) -> bool:
    return is_by(commit.login, login, is_bot=commit.is_bot)


def _blocked(record: PullRecord) -> str:
    pull = record.pull
    if pull.head_repo is None:
        return _GONE
    if not pull.is_open:
        return "the pull request is closed"
    if pull.is_fork and not record.maintainer_can_modify:
        return f"{pull.head_repo} is a fork whose author does not let maintainers edit the branch"
    return ""


def _input(repo: RepoName, branch: str, draft: CommitDraft) -> dict[str, Any]:
    additions = [
        {"path": path, "contents": base64.b64encode(data).decode("ascii")}
        for path, data in draft.files.items()
        if data is not None
    ]
    deletions = [{"path": path} for path, data in draft.files.items() if data is None]
    return {
        "branch": {"repositoryNameWithOwner": repo, "branchName": branch},
        "message": {"headline": draft.headline, "body": draft.body},
        "fileChanges": {"additions": additions, "deletions": deletions},
        "expectedHeadOid": draft.expected_head,
    }


def _refused(answer: Reply, doing: str) -> NotCommitted:
    return NotCommitted(reason=error_for(answer, doing=doing, needs=NEEDS).what)
