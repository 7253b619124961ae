"""What people do in the browser beside writing: labels, re-running checks, pressing a check's button, queueing a merge.

Each tells the world, as GitHub tells an App. All take the world's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.github.git import GitError
from bot.sandbox.github.records import CheckRun, CheckSuite, MergeGroup

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo


def label_pull(repo: Repo, number: int, name: str, *, by: str | None = None) -> None:
    """Put a label on a pull."""
    with repo.world.lock:
        pull = repo.pulls[number]
        if name not in pull.labels:
            pull.labels.append(name)
        pull.updated_at = repo.world.now()
        repo.happened("pull_request", "labeled", repo.world.user(by or repo.owner.login), pull=pull, label=name)


def unlabel_pull(repo: Repo, number: int, name: str, *, by: str | None = None) -> None:
    """Take a label off a pull. Nothing happens where it is not on it."""
    with repo.world.lock:
        pull = repo.pulls[number]
        if name in pull.labels:
            pull.labels.remove(name)
            pull.updated_at = repo.world.now()
            repo.happened("pull_request", "unlabeled", repo.world.user(by or repo.owner.login), pull=pull, label=name)


def check_runs(repo: Repo, sha: str) -> list[CheckRun]:
    """All check runs of a commit, oldest first."""
    with repo.world.lock:
        return sorted(
            (run for suite in repo.suites.values() if suite.head_sha == sha for run in suite.runs),
            key=lambda run: run.id,
        )


def run_by_id(repo: Repo, number: int) -> CheckRun | None:
    """A check run of this repository."""
    with repo.world.lock:
        return next((run for suite in repo.suites.values() for run in suite.runs if run.id == number), None)


def rerequest_run(repo: Repo, run: CheckRun, *, by: str | None = None) -> None:
    """Press "Re-run" beside a check run. The run itself is not reset; its App is asked."""
    with repo.world.lock:
        repo.happened("check_run", "rerequested", repo.world.user(by or repo.owner.login), run=run)


def rerequest_suite(repo: Repo, suite: CheckSuite, *, by: str | None = None) -> None:
    """Press "Re-run all checks"."""
    with repo.world.lock:
        repo.happened("check_suite", "rerequested", repo.world.user(by or repo.owner.login), suite=suite)


def press(repo: Repo, run: CheckRun, identifier: str, *, by: str | None = None) -> None:
    """Press one of a completed check run's own buttons. ValueError when it has none with this identifier."""
    with repo.world.lock:
        if run.status != "completed" or identifier not in {action["identifier"] for action in run.actions}:
            raise ValueError(f"the check run shows no button {identifier!r}")
        sender = repo.world.user(by or repo.owner.login)
        repo.happened("check_run", "requested_action", sender, run=run, requested_action=identifier)


def queue_merge(repo: Repo, number: int, *, by: str | None = None) -> MergeGroup:
    """Put a pull into the merge queue: a group with a merge commit of its own waits for its checks.

    GitError when it conflicts.
    """
    with repo.world.lock:
        pull = repo.pulls[number]
        user = repo.world.user(by or repo.owner.login)
        base = repo.git.resolve(pull.base_ref) or pull.base_sha
        tree = repo.git.merge(base, pull.head_sha)
        if tree is None:
            raise GitError("the pull conflicts with its base")
        sha = repo.git.write_commit(
            tree=tree,
            parents=[base, pull.head_sha],
            message=f"Merge pull request #{number} from {pull.head_ref}\n\n{pull.title}",
            author=repo.world.person(user),
        )
        branch = f"gh-readonly-queue/{pull.base_ref}/pr-{number}-{base}"
        repo.git.set_branch(branch, sha)
        group = MergeGroup(
            pull=pull,
            head_sha=sha,
            head_ref=f"refs/heads/{branch}",
            base_sha=base,
            base_ref=f"refs/heads/{pull.base_ref}",
        )
        repo.happened("merge_group", "checks_requested", user, group=group)
        return group


def destroy_group(repo: Repo, group: MergeGroup, reason: str = "dequeued") -> None:
    """Take a group out of the queue. `reason`: merged, invalidated or dequeued."""
    with repo.world.lock:
        repo.git.run("update-ref", "-d", group.head_ref)
        repo.happened("merge_group", "destroyed", repo.owner, group=group, reason=reason)
