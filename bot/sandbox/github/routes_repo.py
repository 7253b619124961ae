"""Repositories, accounts and what lies about them: permission levels, limits, meta."""

from __future__ import annotations

from bot.sandbox.github.call import Call, Reply, Route, not_found
from bot.sandbox.github.shapes import full_repo_json, public_user_json, user_json

_ROLES = {"none": "none", "read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin"}


def get_repo(call: Call) -> Reply:
    """The repository."""
    level = "read" if call.who.user is None else call.repo.level(call.who.user.login)
    return Reply(data=full_repo_json(call.urls, call.repo, level))


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
    ("GET", "/repos/<owner>/<name>/collaborators/<login>/permission"): Route(
        run=get_permission, docs="collaborators/collaborators#get-repository-permissions-for-a-user"
    ),
    ("GET", "/user"): Route(run=get_user, needs="user:read", docs="users/users#get-the-authenticated-user"),
    ("GET", "/users/<login>"): Route(run=get_login, docs="users/users#get-a-user"),
    ("GET", "/meta"): Route(run=get_meta, docs="meta/meta#get-apiname-meta-information"),
}
