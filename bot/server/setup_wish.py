"""What a person wishes the App to be, read strictly from the first page's fields.

Refuses what GitHub would refuse later, while it can still be mended in the form, and everything that has no business in an
address or a header.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from bot.html.setup_pages import MOST_NAME, Form
from bot.settings import Settings

_ORGANISATION: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,37}[A-Za-z0-9])?")
"""GitHub's names of accounts have at most 39 characters."""
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")
_PATH: Final = re.compile(r"[A-Za-z0-9._~/-]*")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_URL: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The App to be made."""

    name: str
    public_url: str
    """Where GitHub reaches the server, without a slash at the end."""
    organisation: str = ""
    """Empty when the person's own account owns it."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the address."""
        return urlsplit(self.public_url).hostname in _LOOPBACK


def first_form(settings: Settings) -> Form:
    """The form before anybody has filled it in."""
    host = urlsplit(settings.public_url).hostname if settings.public_url else socket.gethostname()
    return Form(name=f"Spark {host or 'server'}"[:MOST_NAME].rstrip(" .-"), public_url=settings.public_url or "")


def read_form(fields: Mapping[str, str]) -> Form:
    """The fields as they were sent."""
    return Form(
        name=fields.get("name", "").strip(),
        public_url=fields.get("public_url", "").strip(),
        is_organisation=fields.get("owner") == "organisation",
        organisation=fields.get("organisation", "").strip(),
    )


def read_wish(form: Form) -> Wish | dict[str, str]:
    """The wish, or what is wrong by field."""
    problems = {
        "name": _name(form.name),
        "public_url": public_url_problem(form.public_url),
        "organisation": _organisation(form.organisation) if form.is_organisation else "",
    }
    wrong = {field: problem for field, problem in problems.items() if problem}
    if wrong:
        return wrong
    return Wish(
        name=form.name,
        public_url=form.public_url.rstrip("/"),
        organisation=form.organisation if form.is_organisation else "",
    )


def public_url_problem(url: str) -> str:
    """What is wrong with the address at which GitHub shall reach the server; empty when nothing is."""
    if not url:
        return "Say where GitHub reaches this server."
    try:
        parts = urlsplit(url)
        host, has_port = parts.hostname or "", parts.port is not None
    except ValueError:
        return "This is no address."
    # What urlsplit takes out in silence (tabs, newlines) would otherwise be in the file and not in the check.
    if len(url) > _MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return "This is no address."
    if parts.scheme not in {"https", "http"} or not _HOST.fullmatch(host):
        return "Begin with https:// and a host, such as https://spark.example.org."
    if parts.username is not None or parts.password is not None:
        return "Leave out the user name and the password."
    if parts.query or parts.fragment or "?" in url or "#" in url or not _PATH.fullmatch(parts.path):
        return "Give the address alone, without anything behind it."
    if parts.path.rstrip("/").endswith(("/webhook", "/setup")):
        return "Leave out /webhook: it is added."
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "It must be https://: deliveries would be readable on their way otherwise."
    if parts.netloc.endswith(":") and not has_port:
        return "The port is missing."
    return ""


def _name(name: str) -> str:
    if not name:
        return "Give the App a name."
    if len(name) > MOST_NAME:
        return f"This name has {len(name)} characters; GitHub takes at most {MOST_NAME}."
    if not name.isprintable():
        return "A name is one line of ordinary characters."
    if not any(char.isalnum() for char in name):
        return "A name has at least one letter or digit."
    return ""


def _organisation(name: str) -> str:
    if not name:
        return "Name the organisation."
    if not _ORGANISATION.fullmatch(name):
        return "This is no name of an organisation: letters, digits and hyphens, at most 39."
    return ""
