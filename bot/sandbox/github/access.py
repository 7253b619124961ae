"""Who may do what: tokens to principals, permissions to 401, 403 and 404 as GitHub gives them."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from bot.sandbox.github.app_auth import BadJwt, app_of_jwt, looks_like_jwt
from bot.sandbox.github.call import ApiError, not_found
from bot.sandbox.github.records import Installation, Principal

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo
    from bot.sandbox.github.world import World

_ORDER = ("none", "read", "triage", "write", "maintain", "admin")
_ANONYMOUS = Principal(kind="anonymous")
_LEVEL_NEEDED = {
    "contents": "write",
    "statuses": "write",
    "administration": "admin",
}
"""Level that a person needs to write; whoever can read may comment and review."""
_REFUSED = {
    "installation": "Resource not accessible by integration",
    "actions": "Resource not accessible by integration",
    "fine": "Resource not accessible by personal access token",
}


def bearer(header: str) -> str | None:
    """The token of an Authorization header: `token X`, `Bearer X`, or the password of Basic."""
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() in {"token", "bearer"}:
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return None


def identify(world: World, header: str | None) -> Principal:
    """Who asks. ApiError 401 for a token that nobody has, or that is no longer good."""
    if not header:
        return _ANONYMOUS
    token = bearer(header)
    if not token:
        raise ApiError(401, "Bad credentials")
    if looks_like_jwt(token):
        app = app_of_jwt(world, token)
        if isinstance(app, BadJwt):
            raise ApiError(401, app.message)
        return Principal(kind="app", app=app, key=f"app:{app.id}")
    with world.lock:
        found = world.tokens.get(token)
    if found is None or (found.expires is not None and found.expires <= world.options.clock()):
        raise ApiError(401, "Bad credentials")
    if found.installation is not None:
        if found.installation.id not in world.installations:
            raise ApiError(401, "Bad credentials")
        refuse_suspended(found.installation)
    return found


def refuse_suspended(installation: Installation) -> None:
    """ApiError 403 for an App that somebody has suspended."""
    if installation.suspended_at is not None:
        raise ApiError(403, "This installation has been suspended")


def sees(world: World, who: Principal, repo: Repo) -> bool:
    """Whether a repository exists as far as this principal can tell."""
    if who.is_integration:
        return not repo.private or in_reach(world, who, repo)
    if who.repos is not None and repo.full_name.lower() not in who.repos:
        return not repo.private
    return not repo.private or (who.user is not None and repo.level(who.user.login) != "none")


def in_reach(world: World, who: Principal, repo: Repo) -> bool:
    """Whether an integration's token was given this repository."""
    if who.repos is not None and repo.full_name.lower() not in who.repos:
        return False
    return who.installation is None or world.covers(who.installation, repo)


def require(world: World, who: Principal, repo: Repo | None, needs: str) -> None:
    """ApiError when `who` may not do what a route needs, such as `pull_requests:write`."""
    permission, _, level = needs.partition("|")[0].partition(":")
    if permission in {"jwt", "user"}:
        _right_kind(who, permission)
        return
    if who.kind == "app":
        raise ApiError(403, "Resource not accessible by integration")
    if repo is None:
        return
    if not sees(world, who, repo):
        raise not_found()
    writes = level in {"write", "admin"}
    if who.kind == "anonymous":
        if writes:
            raise ApiError(401, "Requires authentication")
        return
    if who.permissions is not None and not _granted(world, who, repo, needs):
        raise ApiError(403, _REFUSED[who.kind])
    if writes and not who.is_integration:
        _person_may(who, repo, permission)


def _right_kind(who: Principal, wanted: str) -> None:
    if wanted == "jwt" and who.kind != "app":
        raise ApiError(401, "A JSON web token could not be decoded")
    if wanted == "user" and who.kind == "anonymous":
        raise ApiError(401, "Requires authentication")
    if wanted == "user" and (who.user is None or who.is_integration):
        raise ApiError(403, _REFUSED["installation"])


def _granted(world: World, who: Principal, repo: Repo, needs: str) -> bool:
    assert who.permissions is not None
    for need in needs.split("|"):
        permission, _, level = need.partition(":")
        if permission == "metadata":
            return True
        if level == "read" and not repo.private:
            return True
        if who.is_integration and not in_reach(world, who, repo):
            continue
        have = who.permissions.get(permission, "none")
        if _ORDER.index(have) >= _ORDER.index(level):
            return True
    return False


def _person_may(who: Principal, repo: Repo, permission: str) -> None:
    assert who.user is not None
    if permission == "checks":
        raise ApiError(403, "You must authenticate via a GitHub App.")
    needed = _LEVEL_NEEDED.get(permission, "read")
    if _ORDER.index(repo.level(who.user.login)) < _ORDER.index(needed):
        if needed == "admin":
            raise ApiError(403, "Must have admin rights to Repository.")
        raise not_found() if repo.private else ApiError(403, _REFUSED.get(who.kind, "Must have push access"))
