"""GitHub's JSON of pulls, their files and their conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.sandbox.github.diffs import FileDiff, TreeDiff
from bot.sandbox.github.options import Beyond, Limits
from bot.sandbox.github.reactions import REACTIONS
from bot.sandbox.github.records import IssueComment, Json, Pull, Reaction, User
from bot.sandbox.github.shapes import Urls, app_json, repo_json, user_json

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

_ASSOCIATIONS = {"admin": "OWNER", "maintain": "MEMBER", "write": "COLLABORATOR", "triage": "COLLABORATOR"}


def association(repo: Repo, user: User) -> str:
    """GitHub's `author_association`. No grounds for letting anybody do anything."""
    if user.login.lower() == repo.owner.login.lower():
        return "OWNER"
    return _ASSOCIATIONS.get(repo.level(user.login), "NONE")


def _ref(urls: Urls, full_name: str | None, repo: Repo, ref: str, sha: str, owner: User) -> dict[str, Json]:
    found = repo.world.repos.get(full_name.lower()) if full_name is not None else None
    user = found.owner if found else owner
    return {
        "label": f"{user.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user_json(urls, user),
        "repo": repo_json(urls, found) if found else None,
    }


def label_json(urls: Urls, repo: Repo, name: str) -> dict[str, Json]:
    """A label on a pull."""
    return {
        "id": 1 + sum(name.encode()),
        "node_id": f"LA_{name}",
        "url": f"{urls.api}/repos/{repo.full_name}/labels/{quote(name)}",
        "name": name,
        "color": "ededed",
        "default": False,
        "description": None,
    }


def pull_json(urls: Urls, repo: Repo, pull: Pull) -> dict[str, Json]:
    """A pull as it stands in a list."""
    api = f"{urls.api}/repos/{repo.full_name}"
    own, html = f"{api}/pulls/{pull.number}", f"{urls.web}/{repo.full_name}/pull/{pull.number}"
    links = {
        "self": own,
        "html": html,
        "issue": f"{api}/issues/{pull.number}",
        "comments": f"{api}/issues/{pull.number}/comments",
        "review_comments": f"{own}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{own}/commits",
        "statuses": f"{api}/statuses/{pull.head_sha}",
    }
    return {
        "url": own,
        "id": pull.id,
        "node_id": pull.node_id,
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": links["issue"],
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": user_json(urls, pull.author),
        "body": pull.body,
        "created_at": pull.created_at,
        "updated_at": pull.updated_at,
        "closed_at": pull.closed_at,
        "merged_at": pull.merged_at,
        "merge_commit_sha": pull.merge_commit_sha,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [label_json(urls, repo, name) for name in pull.labels],
        "milestone": None,
        "draft": pull.draft,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": links["statuses"],
        "head": _ref(urls, pull.head_repo, repo, pull.head_ref, pull.head_sha, pull.author),
        "base": _ref(urls, pull.base_repo, repo, pull.base_ref, pull.base_sha, repo.owner),
        "_links": {name: {"href": url} for name, url in links.items()},
        "author_association": association(repo, pull.author),
        "auto_merge": None,
        "active_lock_reason": None,
    }


def full_pull_json(urls: Urls, repo: Repo, pull: Pull) -> dict[str, Json]:
    """A pull as `GET pulls/N` gives it."""
    diff = repo.diff(pull)
    merged = pull.merged_at is not None
    mergeable = None if pull.state == "closed" else repo.mergeable(pull)
    state = "unknown" if mergeable is None else "draft" if pull.draft else "clean" if mergeable else "dirty"
    return pull_json(urls, repo, pull) | {
        "merged": merged,
        "mergeable": mergeable,
        "rebaseable": mergeable,
        "mergeable_state": state,
        "merged_by": user_json(urls, pull.merged_by) if pull.merged_by else None,
        "comments": sum(each.pull is pull for each in repo.issue_comments.values()),
        "review_comments": sum(
            each.thread.pull is pull and each.review.state != "PENDING" for each in repo.comments.values()
        ),
        "maintainer_can_modify": pull.maintainer_can_modify,
        "commits": len(repo.commits(pull)),
        "additions": diff.additions,
        "deletions": diff.deletions,
        "changed_files": len(diff.files),
    }


def file_json(
    urls: Urls, repo: Repo, file: FileDiff, *, at: str, patch: str | None, zeros: bool = False
) -> dict[str, Json]:
    """One changed file. `at` is the commit of its links; a patch of None leaves the key out."""
    path = quote(file.path.encode("utf-8", "surrogateescape"), safe="/")
    name = file.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    added, removed = (0, 0) if zeros else (file.additions, file.deletions)
    entry: dict[str, Json] = {
        "sha": file.sha,
        "filename": name,
        "status": file.status,
        "additions": added,
        "deletions": removed,
        "changes": added + removed,
        "blob_url": f"{urls.web}/{repo.full_name}/blob/{at}/{path}",
        "raw_url": f"{urls.web}/{repo.full_name}/raw/{at}/{path}",
        "contents_url": f"{urls.api}/repos/{repo.full_name}/contents/{path}?ref={at}",
    }
    if patch is not None:
        entry["patch"] = patch
    if file.previous is not None:
        entry["previous_filename"] = file.previous.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return entry


def files_json(
    urls: Urls, repo: Repo, diff: TreeDiff, *, at: str, limits: Limits, beyond: Beyond, most: int
) -> list[dict[str, Json]]:
    """The changed files, at most `most`, with patches left out beyond the limits of one file and of all together."""
    entries = []
    lines = size = 0
    for file in diff.files[:most]:
        patch = file.patch
        zeros = False
        if patch is not None:
            lines, size = lines + file.lines, size + file.size
            alone = file.lines > limits.file_lines or file.size > limits.file_bytes
            together = lines > limits.list_lines or size > limits.list_bytes
            if alone or together:
                patch = None
                zeros = together and beyond is Beyond.ZEROS
        entries.append(file_json(urls, repo, file, at=at, patch=patch, zeros=zeros))
    return entries


def reactions_json(url: str, reactions: list[Reaction]) -> dict[str, Json]:
    """The counts of reactions under a comment."""
    counts = {name: sum(each.content == name for each in reactions) for name in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(reactions), **counts}


def reaction_json(urls: Urls, reaction: Reaction) -> dict[str, Json]:
    """One reaction."""
    return {
        "id": reaction.id,
        "node_id": reaction.node_id,
        "user": user_json(urls, reaction.user),
        "content": reaction.content,
        "created_at": reaction.created_at,
    }


def issue_comment_json(urls: Urls, repo: Repo, comment: IssueComment) -> dict[str, Json]:
    """A comment of the conversation."""
    own = f"{urls.api}/repos/{repo.full_name}/issues/comments/{comment.id}"
    return {
        "url": own,
        "html_url": f"{urls.web}/{repo.full_name}/pull/{comment.pull.number}#issuecomment-{comment.id}",
        "issue_url": f"{urls.api}/repos/{repo.full_name}/issues/{comment.pull.number}",
        "id": comment.id,
        "node_id": comment.node_id,
        "user": user_json(urls, comment.author),
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "body": comment.body,
        "author_association": association(repo, comment.author),
        "reactions": reactions_json(own, comment.reactions),
        "performed_via_github_app": app_json(urls, comment.app) if comment.app else None,
    }


def issue_json(urls: Urls, repo: Repo, pull: Pull) -> dict[str, Json]:
    """A pull seen as an issue, as comments on its conversation tell it: with `pull_request`."""
    api = f"{urls.api}/repos/{repo.full_name}"
    own, html = f"{api}/issues/{pull.number}", f"{urls.web}/{repo.full_name}/pull/{pull.number}"
    return {
        "url": own,
        "repository_url": api,
        "labels_url": f"{own}/labels{{/name}}",
        "comments_url": f"{own}/comments",
        "events_url": f"{own}/events",
        "html_url": html,
        "id": pull.id,
        "node_id": pull.node_id,
        "number": pull.number,
        "title": pull.title,
        "user": user_json(urls, pull.author),
        "labels": [],
        "state": pull.state,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": sum(each.pull is pull for each in repo.issue_comments.values()),
        "created_at": pull.created_at,
        "updated_at": pull.updated_at,
        "closed_at": pull.closed_at,
        "author_association": association(repo, pull.author),
        "active_lock_reason": None,
        "draft": pull.draft,
        "pull_request": {
            "url": f"{api}/pulls/{pull.number}",
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "merged_at": pull.merged_at,
        },
        "body": pull.body,
        "reactions": reactions_json(own, []),
        "timeline_url": f"{own}/timeline",
        "performed_via_github_app": None,
        "state_reason": None,
    }
