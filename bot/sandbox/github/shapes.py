"""GitHub's JSON of accounts, repositories, apps and commits. The contract tests hold the shapes against the OpenAPI.

Pure rendering: nothing here changes anything, and nothing here is read from a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.sandbox.github.git import CommitInfo, Person
from bot.sandbox.github.records import App, Installation, Json, User

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo
    from bot.sandbox.github.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """Where the stand-in answers. `api` ends in `/api/v3`, `web` has no final slash."""

    web: str

    @property
    def api(self) -> str:
        """The REST door, as on GitHub Enterprise Server."""
        return f"{self.web}/api/v3"

    @property
    def graphql(self) -> str:
        """The GraphQL door."""
        return f"{self.web}/api/graphql"


_USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}

_REPO_LINKS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


def user_json(urls: Urls, user: User) -> dict[str, Json]:
    """An account as it stands inside everything else."""
    login = quote(user.login, safe="")
    own = f"{urls.api}/users/{login}"
    slug = f"apps/{user.login.removesuffix('[bot]')}" if user.kind == "Bot" else login
    return {
        "login": user.login,
        "id": user.id,
        "node_id": user.node_id,
        "avatar_url": f"{urls.web}/avatars/u/{user.id}?v=4",
        "gravatar_id": "",
        "url": own,
        "html_url": f"{urls.web}/{slug}",
        **{name: own + tail for name, tail in _USER_LINKS.items()},
        "type": user.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def public_user_json(urls: Urls, user: User) -> dict[str, Json]:
    """An account as `GET /user` and `GET /users/X` give it."""
    return user_json(urls, user) | {
        "name": user.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": user.created_at,
        "updated_at": user.created_at,
    }


def repo_json(urls: Urls, repo: Repo) -> dict[str, Json]:
    """A repository as it stands inside a pull."""
    own = f"{urls.api}/repos/{repo.full_name}"
    html = f"{urls.web}/{repo.full_name}"
    host = urls.web.split("://", 1)[1]
    open_pulls = sum(pull.state == "open" for pull in repo.pulls.values())
    return {
        "id": repo.id,
        "node_id": repo.node_id,
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": user_json(urls, repo.owner),
        "html_url": html,
        "description": repo.description or None,
        "fork": repo.parent is not None,
        "url": own,
        **{name: own + tail for name, tail in _REPO_LINKS.items()},
        "created_at": repo.created_at,
        "updated_at": repo.updated_at,
        "pushed_at": repo.updated_at,
        "git_url": f"git://{host}/{repo.full_name}.git",
        "ssh_url": f"git@{host}:{repo.full_name}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "homepage": None,
        "size": 1,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": None,
        "has_issues": True,
        "has_projects": False,
        "has_downloads": True,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "has_pull_requests": True,
        "pull_request_creation_policy": "all",
        "forks_count": 0,
        "mirror_url": None,
        "archived": False,
        "disabled": False,
        "open_issues_count": open_pulls,
        "license": None,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "forks": 0,
        "open_issues": open_pulls,
        "watchers": 0,
        "default_branch": repo.default_branch,
    }


def full_repo_json(urls: Urls, repo: Repo, level: str) -> dict[str, Json]:
    """A repository as `GET /repos/X` gives it. `level` is the reader's own."""
    order = ("none", "read", "triage", "write", "maintain", "admin")
    rank = order.index(level)
    return repo_json(urls, repo) | {
        "permissions": {
            "admin": rank >= 5,
            "maintain": rank >= 4,
            "push": rank >= 3,
            "triage": rank >= 2,
            "pull": rank >= 1,
        },
        "network_count": 0,
        "subscribers_count": 0,
    }


def app_json(urls: Urls, app: App) -> dict[str, Json]:
    """A GitHub App."""
    return {
        "id": app.id,
        "client_id": f"Iv1.{app.id:016x}",
        "slug": app.slug,
        "node_id": app.node_id,
        "owner": user_json(urls, app.owner),
        "name": app.name,
        "description": app.description,
        "external_url": app.url or f"{urls.web}/apps/{app.slug}",
        "html_url": f"{urls.web}/apps/{app.slug}",
        "created_at": app.created_at,
        "updated_at": app.created_at,
        "permissions": dict(app.permissions),
        "events": list(app.events),
    }


def installation_json(urls: Urls, installation: Installation) -> dict[str, Json]:
    """An App's installation."""
    account = installation.account
    return {
        "id": installation.id,
        "client_id": f"Iv1.{installation.app.id:016x}",
        "account": user_json(urls, account),
        "repository_selection": "all" if installation.repos is None else "selected",
        "access_tokens_url": f"{urls.api}/app/installations/{installation.id}/access_tokens",
        "repositories_url": f"{urls.api}/installation/repositories",
        "html_url": f"{urls.web}/settings/installations/{installation.id}",
        "app_id": installation.app.id,
        "app_slug": installation.app.slug,
        "target_id": account.id,
        "target_type": "Organization" if account.kind == "Organization" else "User",
        "permissions": dict(installation.permissions),
        "events": list(installation.app.events),
        "created_at": installation.created_at,
        "updated_at": installation.created_at,
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": user_json(urls, installation.suspended_by) if installation.suspended_by else None,
        "suspended_at": installation.suspended_at,
    }


def git_time(person: Person) -> str:
    """A commit's time as GitHub writes it."""
    seconds = int(person.when.split()[0])
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _account_of(world: World, person: Person) -> User | None:
    return next((user for user in world.users.values() if user.email == person.email), None)


def commit_json(urls: Urls, repo: Repo, commit: CommitInfo) -> dict[str, Json]:
    """A commit in a list."""
    api, html = f"{urls.api}/repos/{repo.full_name}", f"{urls.web}/{repo.full_name}"
    author, committer = _account_of(repo.world, commit.author), _account_of(repo.world, commit.committer)
    return {
        "sha": commit.sha,
        "node_id": f"C_{commit.sha}",
        "commit": {
            "author": _signature(commit.author),
            "committer": _signature(commit.committer),
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{api}/git/trees/{commit.tree}"},
            "url": f"{api}/git/commits/{commit.sha}",
            "comment_count": 0,
            "verification": _verification(repo.world, commit),
        },
        "url": f"{api}/commits/{commit.sha}",
        "html_url": f"{html}/commit/{commit.sha}",
        "comments_url": f"{api}/commits/{commit.sha}/comments",
        "author": user_json(urls, author) if author else None,
        "committer": user_json(urls, committer) if committer else None,
        "parents": [
            {"sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{html}/commit/{sha}"} for sha in commit.parents
        ],
    }


def _verification(world: World, commit: CommitInfo) -> dict[str, Json]:
    """GitHub signs what it commits itself (docs: about commit signature verification)."""
    signed = commit.sha in world.signed
    return {
        "verified": signed,
        "reason": "valid" if signed else "unsigned",
        "signature": "-----BEGIN PGP SIGNATURE-----\n\nstand-in\n-----END PGP SIGNATURE-----" if signed else None,
        "payload": f"tree {commit.tree}\n\n{commit.message}" if signed else None,
        "verified_at": git_time(commit.committer) if signed else None,
    }


def _signature(person: Person) -> dict[str, Json]:
    return {"name": person.name, "email": person.email, "date": git_time(person)}
