"""The GitHub App as it is registered: which permissions and events it asks for and why, and the manifest that asks for them.

The least that today's server needs: a permission or event without a use of its own does not stand here. Keeps no secret:
what `convert` returns is the caller's to store.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlencode

from bot.errors import OutsideError, UserError
from bot.github import limits
from bot.github.client import connect
from bot.github.faults import Reply, error_for
from bot.review.ports import Clock, Stop

PERMISSIONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "metadata": ("read", "GitHub gives it to every App: names of repositories, who may do what in them"),
        "contents": (
            "write",
            "reads the files and the configuration in .github/spark.yml; makes the commit that a `/spark fix --commit` "
            "asks for; GitHub lets nobody resolve a thread without it",
        ),
        "pull_requests": ("write", "reads the change and posts the review with its comments"),
        "issues": (
            "write",
            "answers and reactions in the conversation, and word of the comments that others write there",
        ),
        "checks": ("write", "the check that shows progress and the verdict, and its buttons"),
        "merge_queues": (
            "read",
            "GitHub tells of merge groups only those who have it; the check must answer there too",
        ),
    }
)
"""Name to level and reason. Source: docs, permissions required for GitHub Apps; webhook events and payloads."""

TOKEN_PERMISSIONS: Final = ("contents", "pull_requests", "issues", "checks")
"""Which of them a token of one job has; `metadata` comes with every token, and nothing is read from the merge queue."""

REVIEW_PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"contents": "read", "pull_requests": "write", "checks": "write"}
)
"""What a review alone needs: for an installation whose owner has not accepted the others yet."""

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pull_request": "a pull request was opened, pushed to, made ready, labelled or closed",
        "merge_group": "a merge queue waits for the check on a group: what merging made of its pull requests is held against what was reviewed in them",
        "issue_comment": "somebody wrote a /spark command in the conversation of a pull request",
        "pull_request_review_comment": "somebody wrote a /spark command, or replied to a finding, on lines of the change",
        "pull_request_review": "somebody wrote a /spark command in the text of a review",
    }
)
"""The events that are subscribed to, each with its reason."""

AUTOMATIC_EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "check_run": "somebody pressed Re-run or a button of the check; sent to every App with checks: write",
        "check_suite": "somebody asked for all checks again; sent to every App with checks: write",
        "installation": "the App was installed, removed or suspended; sent to every App",
        "installation_repositories": "repositories were added to the App or taken away; sent to every App",
    }
)
"""The events that come without being subscribed to. To subscribe to `check_run` would bring those of all other Apps as well."""

_DESCRIPTION: Final = "Reviews pull requests in seconds: line comments, suggestions that can be committed, one check."
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    """An App as GitHub has just made it. Its secrets are shown this once."""

    id: int
    slug: str
    html_url: str
    client_id: str
    pem: str = field(repr=False)
    webhook_secret: str | None = field(repr=False)
    """None where the manifest had no active webhook."""


def manifest(*, name: str, url: str, public_url: str | None, redirect_url: str) -> dict[str, Any]:
    """The manifest of the App; a name that is too long is cut. `url` is its home page; deliveries go to `public_url` + `/webhook`.

    Without `public_url` (a server that the internet cannot reach) the webhook is registered inactive, at `url`. Source: docs,
    registering a GitHub App from a manifest.
    """
    hook = f"{(public_url or url).rstrip('/')}/webhook"
    return {
        "name": name[: limits.MAX_APP_NAME],
        "url": url,
        "description": _DESCRIPTION,
        "hook_attributes": {"url": hook, "active": public_url is not None},
        "redirect_url": redirect_url,
        "public": False,
        "default_permissions": {permission: level for permission, (level, _) in PERMISSIONS.items()},
        "default_events": list(EVENTS),
    }


def registration_url(server_url: str, org: str | None, state: str) -> str:
    """Where the form with the manifest is posted to: for the user's own account, or for an organisation."""
    owner = f"/organizations/{quote(org, safe='')}" if org else ""
    return f"{server_url.rstrip('/')}{owner}/settings/apps/new?{urlencode({'state': state})}"


def convert(code: str, *, api_url: str, user_agent: str = "spark", clock: Clock | None = None) -> NewApp:
    """Exchange the code that GitHub sent the browser back with. It works once and for an hour.

    UserError when the code is none, was used already or is too old; OutsideError when GitHub cannot be reached.
    """
    again = "Begin again: the code works once, within an hour"
    if _CODE.fullmatch(code) is None:
        raise UserError("The code of the new GitHub App is malformed", remedy=again)
    clock = clock or _Monotonic()
    stop = Stop(deadline=clock.now() + _SECONDS, clock=clock)
    doing = "fetching the new GitHub App's key"
    with connect(token=None, api_url=api_url, user_agent=user_agent, clock=clock) as client:
        # Never repeated: GitHub shows the key once, and a second try would only hide why the first one failed.
        answer = client.call("POST", f"/app-manifests/{code}/conversions", stop=stop)
    if isinstance(answer, Reply) and answer.status in {404, 422}:
        raise UserError(
            f"GitHub does not know this code of a new App any more (it answered {answer.status})", remedy=again
        )
    if not isinstance(answer, Reply) or not answer.ok:
        raise error_for(answer, doing=doing)
    return _new_app(answer)


def _new_app(reply: Reply) -> NewApp:
    data = reply.json()
    try:
        secret = data.get("webhook_secret")
        return NewApp(
            id=int(data["id"]),
            slug=str(data["slug"]),
            html_url=str(data["html_url"]),
            client_id=str(data["client_id"]),
            pem=str(data["pem"]),
            webhook_secret=str(secret) if secret else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Not its text: it may quote the answer, which has the key in it.
        raise OutsideError(
            f"GitHub's answer about the new App has the wrong form ({type(error).__name__})",
            remedy="Check GITHUB_API_URL",
        ) from None


class _Monotonic:
    """The `Clock` port, for a caller who has none."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()
