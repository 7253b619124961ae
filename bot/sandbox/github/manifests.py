"""An App made from a manifest: what GitHub takes as one, and the new App with its code.

Stricter than GitHub: an unknown key, permission or event is an error here, so that a mistake in a manifest is seen.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.sandbox.github.records import App, Hook, Json, User

if TYPE_CHECKING:
    from bot.sandbox.github.world import World

CODE_SECONDS = 3600
"""Life of a code (docs: registering a GitHub App from a manifest)."""
_NAME = 34
"""Characters of an App's name (docs: registering a GitHub App)."""
_KEYS: Mapping[str, type] = {
    "name": str,
    "url": str,
    "hook_attributes": dict,
    "redirect_url": str,
    "callback_urls": list,
    "setup_url": str,
    "description": str,
    "public": bool,
    "default_events": list,
    "default_permissions": dict,
    "request_oauth_on_install": bool,
    "setup_on_update": bool,
}
"""The keys of a manifest (docs, as above)."""
_URLS = ("url", "redirect_url", "setup_url")

_PERMISSIONS = """
    actions administration artifact_metadata attestations checks code_quality codespaces contents
    custom_properties_for_organizations dependabot_secrets deployments discussions email_addresses
    enterprise_custom_properties_for_organizations environments followers git_ssh_keys gpg_keys interaction_limits issues
    members merge_queues metadata organization_administration organization_announcement_banners
    organization_copilot_agent_settings organization_copilot_seat_management organization_custom_org_roles
    organization_custom_properties organization_custom_roles organization_events organization_hooks organization_packages
    organization_personal_access_token_requests organization_personal_access_tokens organization_plan
    organization_projects organization_secrets organization_self_hosted_runners organization_user_blocking packages pages
    profile pull_requests repository_custom_properties repository_hooks repository_projects secret_scanning_alerts
    secrets security_events single_file starring statuses vulnerability_alerts workflows
"""
PERMISSIONS = frozenset(_PERMISSIONS.split())
"""The names of permissions (OpenAPI: app-permissions)."""

EVENT_NEEDS: Mapping[str, str] = {
    "check_run": "checks",
    "check_suite": "checks",
    "create": "contents",
    "delete": "contents",
    "deployment": "deployments",
    "fork": "contents",
    "issue_comment": "issues|pull_requests",
    "issues": "issues",
    "label": "metadata",
    "merge_group": "merge_queues",
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "pull_request_review_thread": "pull_requests",
    "push": "contents",
    "release": "contents",
    "repository": "metadata",
    "star": "metadata",
    "status": "statuses",
    "workflow_job": "actions",
    "workflow_run": "actions",
}
"""Events that an App may subscribe to, and the permission each takes (docs: webhook events and payloads)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    """An App whose secrets nobody has fetched yet."""

    app: App
    client_secret: str
    expires: float


def problems(manifest: Json) -> list[str]:
    """What is wrong with a manifest, one sentence each."""
    if not isinstance(manifest, dict):
        return ["The manifest is not a JSON object."]
    return list(_problems(manifest))


def parsed(text: str) -> Json:
    """The manifest of a form; None when it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _problems(manifest: dict[str, Json]) -> Iterator[str]:
    for key, value in manifest.items():
        if key not in _KEYS:
            yield f"There is no key {key}."
        elif not isinstance(value, _KEYS[key]):
            yield f"{key} is of the wrong type."
    yield from (f"{key} is missing." for key in ("url", "redirect_url") if key not in manifest)
    yield from (f"{key} is not a URL." for key in _URLS if key in manifest and not _is_url(manifest[key]))
    callbacks = manifest.get("callback_urls", [])
    if isinstance(callbacks, list) and (len(callbacks) > 10 or not all(_is_url(each) for each in callbacks)):
        yield "callback_urls has at most 10 URLs."
    if len(str(manifest.get("name", ""))) > _NAME:
        yield f"Name is too long (maximum is {_NAME} characters)."
    yield from _hook(manifest.get("hook_attributes", {}))
    yield from _grants(manifest)


def _hook(hook: Json) -> Iterator[str]:
    if not isinstance(hook, dict) or not hook:
        return
    if set(hook) - {"url", "active"} or not _is_url(hook.get("url")):
        yield "hook_attributes has a url, and may have active."
    if not isinstance(hook.get("active", True), bool):
        yield "hook_attributes.active is of the wrong type."


def _grants(manifest: dict[str, Json]) -> Iterator[str]:
    permissions, events = manifest.get("default_permissions", {}), manifest.get("default_events", [])
    if not isinstance(permissions, dict) or not isinstance(events, list):
        return
    for name, level in permissions.items():
        if name not in PERMISSIONS:
            yield f"There is no permission {name}."
        elif level not in {"read", "write", "admin"}:
            yield f"The permission {name} has no level {level}."
    for event in events:
        if event not in EVENT_NEEDS:
            yield f"Default events unsupported: {event}."
        elif not {"metadata", *permissions} & set(EVENT_NEEDS[event].split("|")):
            yield f"Default events are not supported by permissions: {event}."


def _is_url(value: Json) -> bool:
    parts = urlsplit(value) if isinstance(value, str) else None
    return parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname)


def slug_of(name: str) -> str:
    """The slug of an App's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def create(world: World, manifest: dict[str, Json], name: str, owner: User) -> str:
    """Make the App; returns the code to fetch its secrets with. ValueError when the name is taken or empty."""
    slug = slug_of(name)
    if not slug or len(name) > _NAME or any(app.slug == slug for app in world.apps.values()):
        raise ValueError("Name is already taken" if slug else "Name can't be blank")
    app = world.app(
        world.next_id(),
        None,
        slug,
        owner=owner.login,
        permissions={"metadata": "read"} | manifest.get("default_permissions", {}),
        events=tuple(manifest.get("default_events", ())),
    )
    app.name, app.url, app.description = name, manifest["url"], manifest.get("description", "")
    app.setup_url = manifest.get("setup_url", "")
    hook = manifest.get("hook_attributes")
    if hook:
        app.hook = Hook(url=hook["url"], secret=secrets.token_hex(20), active=hook.get("active", True))
    code = secrets.token_hex(20)
    expires = world.options.clock() + CODE_SECONDS
    world.new_apps[code] = NewApp(app=app, client_secret=secrets.token_hex(20), expires=expires)
    return code
