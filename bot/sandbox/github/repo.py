"""One repository of the stand-in: branches over real git, pulls, and what a push does to them.

Refuses to render anything; `shapes_*.py` do that. All methods take the world's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bot.sandbox.github import threads
from bot.sandbox.github.git import GitError, GitRepo
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.pull_diffs import PullDiffs
from bot.sandbox.github.records import CheckSuite, Comment, IssueComment, Pull, Review, Status, Thread, User

if TYPE_CHECKING:
    from bot.sandbox.github.world import World

LEVELS = ("none", "read", "triage", "write", "maintain", "admin")
"""Permission levels on a repository, weakest first."""


class Repo(PullDiffs):
    """A repository with its pulls. Made by `World.create_repo`."""

    def __init__(
        self,
        world: World,
        git: GitRepo,
        *,
        id: int,  # noqa: A002 - GitHub's word
        node_id: str,
        owner: User,
        name: str,
        private: bool,
        default_branch: str,
        description: str,
    ) -> None:
        super().__init__(git, world.lock)
        self.world = world
        self.id = id
        self.node_id = node_id
        self.owner = owner
        self.name = name
        self.private = private
        self.default_branch = default_branch
        self.description = description
        self.parent: str | None = None
        self.created_at = self.updated_at = world.now()
        self.levels: dict[str, str] = {}
        self.roles: dict[str, str] = {}
        self.pulls: dict[int, Pull] = {}
        self.reviews: dict[int, Review] = {}
        self.threads: dict[int, Thread] = {}
        self.comments: dict[int, Comment] = {}
        self.issue_comments: dict[int, IssueComment] = {}
        self.suites: dict[int, CheckSuite] = {}
        self.statuses: list[Status] = []

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner.login}/{self.name}"

    # People

    def permission(self, login: str, level: str, *, role: str | None = None) -> None:
        """Give `login` a level: none, read, triage, write, maintain or admin. `role`: the name of a custom role over it."""
        if level not in LEVELS:
            raise ValueError(f"{level!r} is none of {', '.join(LEVELS)}")
        with self.world.lock:
            self.world.user(login)
            self.levels[login.lower()] = level
            self.roles[login.lower()] = role or level

    def level(self, login: str) -> str:
        """The level of an account; the owner is admin, anybody reads what is public."""
        with self.world.lock:
            if login.lower() == self.owner.login.lower():
                return "admin"
            return self.levels.get(login.lower(), "none" if self.private else "read")

    # Git

    def commit(
        self,
        branch: str,
        files: Mapping[str, bytes | str | tuple[str, bytes] | None],
        message: str = "A commit",
        author: str | None = None,
    ) -> str:
        """Commit on top of `branch` (made from the default branch if it is new) and push it; returns the sha.

        A value is the file's content, None to delete it, or `(mode, content)`.
        """
        raw = {path: value.encode() if isinstance(value, str) else value for path, value in files.items()}
        with self.world.lock:
            user = self.world.user(author or self.owner.login)
            before = self.git.resolve(branch)
            parent = before or self.git.resolve(self.default_branch)
            tree = self.git.write_tree(parent, raw)
            sha = self.git.write_commit(
                tree=tree,
                parents=[parent] if parent else [],
                message=message,
                author=self.world.person(user),
            )
            self.push(branch, sha, by=user.login)
            return sha

    def branch(self, name: str, at: str | None = None) -> str:
        """Make a branch at a commit or branch (the default branch's tip by default); returns the sha."""
        with self.world.lock:
            sha = self.git.resolve(at or self.default_branch)
            if sha is None:
                raise GitError(f"no commit {at or self.default_branch}")
            self.push(name, sha)
            return sha

    def push(self, branch: str, sha: str, *, by: str | None = None) -> None:
        """Point `branch` at a commit that is already here, forced or not, and tell every pull that comes from it."""
        with self.world.lock:
            before = self.git.resolve(f"refs/heads/{branch}")
            if before == sha:
                return
            self.git.set_branch(branch, sha)
            self.updated_at = self.world.now()
            sender = self.world.user(by or self.owner.login)
            for repo in list(self.world.repos.values()):
                for pull in list(repo.pulls.values()):
                    if pull.state == "open" and pull.head_repo == self.full_name and pull.head_ref == branch:
                        repo.head_moved(pull, sha, sender)

    def import_git(self, path: str | Path, *, branch: str | None = None) -> None:
        """Take over all branches of a git repository on disk (or one of them)."""
        source = Path(path).resolve()
        with self.world.lock:
            self.git.fetch(source, f"+refs/heads/{branch or '*'}:refs/heads/{branch or '*'}")
            branches = self.git.branches()
            if self.default_branch not in branches and branches:
                head = GitRepo(source).text("symbolic-ref", "--short", "HEAD")
                self.default_branch = head if head in branches else next(iter(branches))
                self.git.run("symbolic-ref", "HEAD", f"refs/heads/{self.default_branch}")

    def fork(self, full_name: str) -> Repo:
        """A fork of this repository under another owner, with all its branches."""
        with self.world.lock:
            copy = self.world.create_repo(full_name, private=self.private, default_branch=self.default_branch)
            copy.parent = self.full_name
            copy.import_git(self.git.path)
            return copy

    # Pulls

    def open_pull(
        self,
        title: str,
        body: str | None = None,
        *,
        head: str,
        base: str | None = None,
        author: str | None = None,
        head_repo: Repo | None = None,
        draft: bool = False,
        maintainer_can_modify: bool = True,
    ) -> Pull:
        """Open a pull from branch `head` (of the fork `head_repo`, if given) to `base`.

        `maintainer_can_modify`: what the author of a fork's pull lets maintainers do; ticked by default, as on GitHub.
        """
        with self.world.lock:
            source = head_repo or self
            base = base or self.default_branch
            user = self.world.user(author or source.owner.login)
            head_sha, base_sha = source.git.resolve(head), self.git.resolve(base)
            if head_sha is None or base_sha is None:
                raise GitError(f"no branch {head if head_sha is None else base}")
            number = max([0, *self.pulls]) + 1
            self._fetch_head(number, source, head_sha)
            pull = self.world.named(
                "PR",
                lambda record_id, node_id: Pull(
                    id=record_id,
                    node_id=node_id,
                    number=number,
                    title=title,
                    body=body,
                    author=user,
                    base_repo=self.full_name,
                    head_repo=source.full_name,
                    base_ref=base,
                    head_ref=head,
                    base_sha=base_sha,
                    head_sha=head_sha,
                    created_at=self.world.now(),
                    updated_at=self.world.now(),
                    draft=draft,
                    maintainer_can_modify=maintainer_can_modify and source is not self,
                ),
            )
            self.pulls[number] = pull
            self.warm(pull)
            self.happened("pull_request", "opened", user, pull=pull)
            return pull

    def head_moved(self, pull: Pull, sha: str, sender: User) -> None:
        """The pull's branch was pushed: new head, threads followed or outdated, `synchronize` told."""
        source = self if pull.head_repo == self.full_name else self.world.repo(str(pull.head_repo))
        before = pull.head_sha
        self._fetch_head(pull.number, source, sha)
        pull.former_heads.append(before)
        pull.head_sha = sha
        pull.base_sha = self.git.resolve(pull.base_ref) or pull.base_sha
        pull.updated_at = self.world.now()
        threads.follow(self, pull)
        if not self.git.is_ancestor(before, sha):
            # GitHub re-points reviews of commits that a force-push removed to the new head.
            for review in self.reviews.values():
                if review.pull is pull and not self.git.is_ancestor(review.commit_id, sha):
                    review.commit_id = sha
        self.warm(pull)
        self.happened("pull_request", "synchronize", sender, pull=pull, before=before, after=sha)

    def close_pull(self, number: int, *, by: str | None = None) -> None:
        """Close without merging."""
        with self.world.lock:
            pull = self.pulls[number]
            pull.state, pull.closed_at, pull.updated_at = "closed", self.world.now(), self.world.now()
            self.happened("pull_request", "closed", self.world.user(by or pull.author.login), pull=pull)

    def reopen_pull(self, number: int, *, by: str | None = None) -> None:
        """Open a closed pull again."""
        with self.world.lock:
            pull = self.pulls[number]
            pull.state, pull.closed_at, pull.updated_at = "open", None, self.world.now()
            self.happened("pull_request", "reopened", self.world.user(by or pull.author.login), pull=pull)

    def ready_for_review(self, number: int, *, by: str | None = None) -> None:
        """Take a pull out of draft."""
        with self.world.lock:
            pull = self.pulls[number]
            pull.draft, pull.updated_at = False, self.world.now()
            self.happened("pull_request", "ready_for_review", self.world.user(by or pull.author.login), pull=pull)

    def to_draft(self, number: int, *, by: str | None = None) -> None:
        """Make a pull a draft again."""
        with self.world.lock:
            pull = self.pulls[number]
            pull.draft, pull.updated_at = True, self.world.now()
            self.happened("pull_request", "converted_to_draft", self.world.user(by or pull.author.login), pull=pull)

    def merge_pull(self, number: int, *, by: str | None = None) -> str:
        """Merge with a merge commit; returns its sha. GitError when it conflicts."""
        with self.world.lock:
            pull = self.pulls[number]
            user = self.world.user(by or self.owner.login)
            base = self.git.resolve(pull.base_ref) or pull.base_sha
            tree = self.git.merge(base, pull.head_sha)
            if tree is None:
                raise GitError("the pull conflicts with its base")
            sha = self.git.write_commit(
                tree=tree,
                parents=[base, pull.head_sha],
                message=f"Merge pull request #{number} from {pull.head_ref}\n\n{pull.title}",
                author=self.world.person(user),
            )
            pull.state, pull.merged_by, pull.merge_commit_sha = "closed", user, sha
            pull.closed_at = pull.merged_at = pull.updated_at = self.world.now()
            self.push(pull.base_ref, sha, by=user.login)
            self.happened("pull_request", "closed", user, pull=pull)
            return sha

    def edit_pull(
        self, number: int, *, title: str | None = None, body: str | None = None, base: str | None = None, by: str = ""
    ) -> None:
        """Change title, body or base branch."""
        with self.world.lock:
            pull = self.pulls[number]
            changes: dict[str, object] = {}
            if title is not None and title != pull.title:
                changes["title"], pull.title = {"from": pull.title}, title
            if body is not None and body != pull.body:
                changes["body"], pull.body = {"from": pull.body or ""}, body
            if base is not None and base != pull.base_ref:
                changes["base"] = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
                pull.base_ref, pull.base_sha = base, self.git.resolve(base) or pull.base_sha
                threads.follow(self, pull)
            pull.updated_at = self.world.now()
            sender = self.world.user(by or pull.author.login)
            self.happened("pull_request", "edited", sender, pull=pull, changes=changes)

    def happened(self, event: str, action: str | None, sender: User, **subjects: object) -> None:
        """Tell the world's listeners."""
        self.world.tell(Happening(event=event, action=action, repo=self, sender=sender, subjects=subjects))

    def _fetch_head(self, number: int, source: Repo, sha: str) -> None:
        if source is not self:
            self.git.fetch(source.git.path, f"+{sha}:refs/pull/{number}/head")
        self.git.set_ref(f"refs/pull/{number}/head", sha)
