"""The App's side of the API: itself, its installations and their tokens, its webhook deliveries; and the rate limit."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from bot.sandbox.github.access import refuse_suspended
from bot.sandbox.github.app_auth import TOKEN_SECONDS, make_installation_token, new_private_key, public_half
from bot.sandbox.github.call import ApiError, Call, Reply, Route, not_found
from bot.sandbox.github.records import App, Installation, Json
from bot.sandbox.github.shapes import app_json, installation_json, repo_json
from bot.sandbox.github.webhooks import Delivery

_ORDER = ("none", "read", "write", "admin")


def _app(call: Call) -> App:
    assert call.who.app is not None
    return call.who.app


def get_app(call: Call) -> Reply:
    """The App that signed the JWT."""
    app = _app(call)
    count = sum(each.app is app for each in call.world.installations.values())
    return Reply(data=app_json(call.urls, app) | {"installations_count": count})


def list_installations(call: Call) -> Reply:
    """Where the App is installed."""
    found = [each for each in call.world.installations.values() if each.app is _app(call)]
    return call.page([installation_json(call.urls, each) for each in found])


def get_installation(call: Call) -> Reply:
    """One installation."""
    return Reply(data=installation_json(call.urls, _installation(call)))


def _installation(call: Call) -> Installation:
    found = call.world.installations.get(int(call.args["installation"]))
    if found is None or found.app is not _app(call):
        raise not_found()
    return found


def repo_installation(call: Call) -> Reply:
    """The installation that covers a repository."""
    repo = call.world.repos.get(f"{call.args['repo_owner']}/{call.args['repo_name']}".lower())
    found = call.world.installation_of(_app(call), repo) if repo is not None else None
    if found is None:
        raise not_found()
    return Reply(data=installation_json(call.urls, found))


def create_token(call: Call) -> Reply:
    """An installation token for an hour, narrowed to `repositories` and `permissions` if they are given.

    An empty object of permissions narrows nothing: PyGithub sends one with each request and gets tokens that may do all.
    """
    installation, world, fields = _installation(call), call.world, call.fields
    refuse_suspended(installation)
    permissions = dict(installation.permissions)
    wanted = fields.get("permissions")
    if wanted:
        for name, level in wanted.items():
            if _ORDER.index(level) > _ORDER.index(permissions.get(name, "none")):
                raise ApiError(422, "The permissions requested are not granted to this installation.")
        permissions = dict(wanted) | {"metadata": "read"}
    names = fields.get("repositories")
    reach = [repo for repo in world.repos.values() if world.covers(installation, repo)]
    if names is not None:
        chosen = [repo for repo in reach if repo.name in names]
        if len(chosen) != len(set(names)):
            raise ApiError(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        reach = chosen
    narrowed = frozenset(repo.full_name.lower() for repo in reach) if names is not None else None
    token, principal = make_installation_token(world, installation, permissions=permissions, repos=narrowed)
    assert principal.expires is not None
    data: dict[str, Json] = {
        "token": token,
        "expires_at": datetime.fromtimestamp(principal.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "permissions": permissions,
        "repository_selection": "selected" if names is not None or installation.repos is not None else "all",
    }
    if names is not None:
        data["repositories"] = [repo_json(call.urls, repo) for repo in reach]
    assert principal.expires <= world.options.clock() + TOKEN_SECONDS
    return Reply(status=201, data=data)


def list_reach(call: Call) -> Reply:
    """The repositories that an installation token reaches."""
    who, world = call.who, call.world
    if who.installation is None:
        raise ApiError(403, "You must authenticate with an installation access token in order to list repositories.")
    found = [
        repo
        for repo in world.repos.values()
        if world.covers(who.installation, repo) and (who.repos is None or repo.full_name.lower() in who.repos)
    ]
    shown = [repo_json(call.urls, repo) for repo in found]
    selection = "all" if who.installation.repos is None else "selected"
    return call.page(
        shown,
        lambda page: {"total_count": len(shown), "repository_selection": selection, "repositories": list(page)},
    )


def list_deliveries(call: Call) -> Reply:
    """Webhook deliveries, newest first, by cursor; `status=failure` gives the failed ones."""
    found = [each for each in reversed(call.webhooks.deliveries) if each.app in {None, _app(call).id}]
    wanted = call.query.get("status")
    if wanted in {"success", "failure"}:
        found = [each for each in found if (200 <= each.status_code < 400) == (wanted == "success")]
    size = call.query.get("per_page", "")
    per_page = min(int(size), 100) if size.isdigit() and int(size) > 0 else call.options.limits.per_page
    cursor = call.query.get("cursor", "").removeprefix("v1_")
    start = next((at for at, each in enumerate(found) if str(each.id) == cursor), 0)
    page = found[start : start + per_page]
    links = []
    base = f"{call.urls.api}{call.path}?per_page={per_page}&cursor=v1_"
    if start + per_page < len(found):
        links.append(f'<{base}{found[start + per_page].id}>; rel="next"')
    if start > 0:
        links.append(f'<{base}{found[max(0, start - per_page)].id}>; rel="prev"')
    headers = {"Link": ", ".join(links)} if links else {}
    return Reply(data=[delivery_json(each) for each in page], headers=headers)


def delivery_json(delivery: Delivery) -> dict[str, Json]:
    """A delivery in a list."""
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": delivery.delivered_at or "1970-01-01T00:00:00Z",
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation_id,
        "repository_id": delivery.repository_id,
        "throttled_at": None,
        # Only the single delivery tells it.
        "url": "",
    }


def _delivery(call: Call) -> Delivery:
    for each in call.webhooks.deliveries:
        if each.id == int(call.args["delivery"]):
            return each
    raise not_found()


def get_delivery(call: Call) -> Reply:
    """One delivery with its request and the receiver's answer."""
    delivery = _delivery(call)
    answer = delivery.answer.decode("utf-8", "replace")
    return Reply(
        data=delivery_json(delivery)
        | {
            "url": delivery.url,
            "request": {"headers": dict(delivery.headers), "payload": json.loads(delivery.raw)},
            "response": {"headers": delivery.answer_headers or None, "payload": answer or None},
        }
    )


def attempt(call: Call) -> Reply:
    """Deliver again, with the same GUID."""
    call.webhooks.redeliver(_delivery(call))
    return Reply(status=202, data={})


def convert(call: Call) -> Reply:
    """The new App of a code, with its secrets. Works once, for an hour; needs no token."""
    made = call.world.new_apps.pop(str(call.args["code"]), None)
    if made is None or made.expires <= call.world.options.clock():
        raise not_found()
    pem = new_private_key()
    made.app.public_key = public_half(pem)
    return Reply(
        status=201,
        data=app_json(call.urls, made.app)
        | {
            "client_secret": made.client_secret,
            "webhook_secret": made.app.hook.secret if made.app.hook is not None and made.app.hook.active else None,
            "pem": pem,
        },
    )


def get_rate_limit(call: Call) -> Reply:
    """What is left of the hourly limits. Asking costs nothing."""
    core = call.rates.window(call.who.key)
    graphql = call.rates.window(call.who.key, "graphql")
    shown = {
        name: {"limit": window.limit, "used": window.used, "remaining": window.remaining, "reset": window.reset}
        for name, window in (("core", core), ("graphql", graphql), ("search", core))
    }
    return Reply(data={"resources": shown, "rate": shown["core"]})


_DOCS = "apps/apps#"
_HOOKS = "apps/webhooks#"

ROUTES = {
    ("GET", "/app"): Route(run=get_app, needs="jwt:read", docs=f"{_DOCS}get-the-authenticated-app"),
    ("GET", "/app/installations"): Route(
        run=list_installations,
        needs="jwt:read",
        docs=f"{_DOCS}list-installations-for-the-authenticated-app",
    ),
    ("GET", "/app/installations/<int:installation>"): Route(
        run=get_installation, needs="jwt:read", docs=f"{_DOCS}get-an-installation-for-the-authenticated-app"
    ),
    ("POST", "/app/installations/<int:installation>/access_tokens"): Route(
        run=create_token, needs="jwt:write", docs=f"{_DOCS}create-an-installation-access-token-for-an-app"
    ),
    ("GET", "/repos/<repo_owner>/<repo_name>/installation"): Route(
        run=repo_installation, needs="jwt:read", docs=f"{_DOCS}get-a-repository-installation-for-the-authenticated-app"
    ),
    ("GET", "/installation/repositories"): Route(
        run=list_reach, docs="apps/installations#list-repositories-accessible-to-the-app-installation"
    ),
    ("GET", "/app/hook/deliveries"): Route(
        run=list_deliveries, needs="jwt:read", docs=f"{_HOOKS}list-deliveries-for-an-app-webhook"
    ),
    ("GET", "/app/hook/deliveries/<int:delivery>"): Route(
        run=get_delivery, needs="jwt:read", docs=f"{_HOOKS}get-a-delivery-for-an-app-webhook"
    ),
    ("POST", "/app/hook/deliveries/<int:delivery>/attempts"): Route(
        run=attempt, needs="jwt:write", docs=f"{_HOOKS}redeliver-a-delivery-for-an-app-webhook"
    ),
    ("POST", "/app-manifests/<code>/conversions"): Route(
        run=convert, docs=f"{_DOCS}create-a-github-app-from-a-manifest"
    ),
    ("GET", "/rate_limit"): Route(run=get_rate_limit, docs="rate-limit/rate-limit#get-rate-limit-status"),
}
