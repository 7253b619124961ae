"""Repositories, accounts and what lies about them: permission levels, limits, meta."""

from __future__ import annotations

from urllib.parse import quote

from bot.sandbox.github.call import ApiError, Call, Reply, Route, not_found
from bot.sandbox.github.records import Json
from bot.sandbox.github.shapes import commit_json, full_repo_json, public_user_json, user_json

_LANGUAGES = {
    "c": "C",
    "cpp": "C++",
    "cs": "C#",
    "css": "CSS",
    "go": "Go",
    "html": "HTML",
    "java": "Java",
    "js": "JavaScript",
    "jsx": "JavaScript",
    "kt": "Kotlin",
    "php": "PHP",
    "py": "Python",
    "rb": "Ruby",
    "rs": "Rust",
    "sh": "Shell",
    "swift": "Swift",
    "ts": "TypeScript",
    "tsx": "TypeScript",
}
"""Endings to the names that GitHub shows."""
_ROLES = {"none": "none", "read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin"}


def get_repo(call: Call) -> Reply:
    """The repository."""
    level = "read" if call.who.user is None else call.repo.level(call.who.user.login)
    return Reply(data=full_repo_json(call.urls, call.repo, level))


def get_languages(call: Call) -> Reply:
    """Bytes of each language on the default branch, most first. Languages are told by the ending alone."""
    found: dict[str, int] = {}
    head = call.repo.git.resolve(call.repo.default_branch)
    for entry in () if head is None else call.repo.git.tree(head, recursive=True):
        language = _LANGUAGES.get(entry.path.rpartition(".")[2].lower()) if "." in entry.path else None
        if language is not None and entry.size:
            found[language] = found.get(language, 0) + entry.size
    return Reply(data=dict(sorted(found.items(), key=lambda pair: -pair[1])))


def get_branch(call: Call) -> Reply:
    """A branch with its newest commit. None is protected here."""
    repo, name = call.repo, str(call.args["branch"])
    sha = repo.git.branches().get(name)
    if sha is None:
        raise ApiError(404, "Branch not found")
    own = f"{call.urls.api}/repos/{repo.full_name}/branches/{quote(name)}"
    checks: dict[str, Json] = {"enforcement_level": "off", "contexts": [], "checks": []}
    return Reply(
        data={
            "name": name,
            "commit": commit_json(call.urls, repo, repo.git.commit_info(sha)),
            "_links": {"self": own, "html": f"{call.urls.web}/{repo.full_name}/tree/{quote(name)}"},
            "protected": False,
            "protection": {"enabled": False, "required_status_checks": checks},
            "protection_url": f"{own}/protection",
        }
    )


def get_permission(call: Call) -> Reply:
    """The level of an account on a repository: the one signal that says who may command Spark."""
    user = call.world.users.get(str(call.args["login"]).lower())
    if user is None:
        raise not_found()
    level = call.repo.level(user.login)
    role = call.repo.roles.get(user.login.lower(), level)
    order = ("none", "read", "triage", "write", "maintain", "admin")
    rank = order.index(level)
    permissions = {
        "admin": rank >= 5,
        "maintain": rank >= 4,
        "push": rank >= 3,
        "triage": rank >= 2,
        "pull": rank >= 1,
    }
    data = {
        "permission": _ROLES[level],
        "user": user_json(call.urls, user) | {"permissions": permissions, "role_name": role},
        "role_name": role,
    }
    return Reply(data=data)


def get_user(call: Call) -> Reply:
    """Whose token this is. An App's or a workflow's token is refused here."""
    return Reply(data=public_user_json(call.urls, call.user))


def get_login(call: Call) -> Reply:
    """An account by its login."""
    user = call.world.users.get(str(call.args["login"]).lower())
    if user is None:
        raise not_found()
    return Reply(data=public_user_json(call.urls, user))


def get_meta(call: Call) -> Reply:
    """Where webhooks come from, for allow lists."""
    del call
    return Reply(
        data={
            "verifiable_password_authentication": False,
            "github_services_sha": "0" * 40,
            "installed_version": "3.19.0",
            "hooks": ["127.0.0.1/32"],
            "web": ["127.0.0.1/32"],
            "api": ["127.0.0.1/32"],
            "git": ["127.0.0.1/32"],
        }
    )


ROUTES = {
    ("GET", "/repos/<owner>/<name>"): Route(run=get_repo, docs="repos/repos#get-a-repository"),
    ("GET", "/repos/<owner>/<name>/languages"): Route(run=get_languages, docs="repos/repos#list-repository-languages"),
    ("GET", "/repos/<owner>/<name>/branches/<path:branch>"): Route(
        run=get_branch, needs="contents:read", docs="branches/branches#get-a-branch"
    ),
    ("GET", "/repos/<owner>/<name>/collaborators/<login>/permission"): Route(
        run=get_permission, docs="collaborators/collaborators#get-repository-permissions-for-a-user"
    ),
    ("GET", "/user"): Route(run=get_user, needs="user:read", docs="users/users#get-the-authenticated-user"),
    ("GET", "/users/<login>"): Route(run=get_login, docs="users/users#get-a-user"),
    ("GET", "/meta"): Route(run=get_meta, docs="meta/meta#get-apiname-meta-information"),
}
