"""How users name a pull request, as a value. Looks nothing up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.errors import UserError
from bot.review.model import RepoName

_OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_REPO = r"[A-Za-z0-9._-]+"
_SHORT = re.compile(rf"({_OWNER}/{_REPO})#([0-9]{{1,10}})")
_PATH = re.compile(rf"/(?:api/v3/)?(?:repos/)?({_OWNER}/{_REPO})/pulls?/([0-9]{{1,10}})(?:/.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullName:
    """A pull request as named. `server` is `https://host` of the URL, None for the short form."""

    repo: RepoName
    number: int
    server: str | None = None


def origin(url: str) -> str:
    """`https://host:port` of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def parse_pull_name(text: str) -> PullName:
    """`OWNER/REPO#N`, or the URL of the pull (any page of it, or its API URL, also on an Enterprise Server).

    Raises UserError for anything else.
    """
    text = text.strip()
    server = None
    found = _SHORT.fullmatch(text)
    if found is None and "://" in text:
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = None
        else:
            found = _PATH.fullmatch(parts.path) if host and parts.scheme in {"https", "http"} else None
            server = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    number = int(found[2]) if found else 0
    if found is None or number < 1 or found[1].rpartition("/")[2] in {".", ".."}:
        raise UserError(
            f"{text!r} names no pull request",
            remedy="Use OWNER/REPO#NUMBER or the address of the pull request in the browser",
        )
    return PullName(repo=RepoName(found[1]), number=number, server=server)


def check_server(pull: PullName, *, web: str, api: str) -> None:
    """A pull on another server than the settings name must not be looked up on this one, where a number may exist too."""
    if pull.server is not None and pull.server not in {origin(web), origin(api)}:
        raise UserError(
            f"The pull request is on {pull.server}, the settings are for {web}",
            remedy="Set GITHUB_API_URL (https://HOST/api/v3 on an Enterprise Server) and GITHUB_SERVER_URL.",
        )
