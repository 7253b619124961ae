"""What a request tells about who sends it: somebody at this machine, another site, a person or a machine.

Reads headers alone and believes only what an outsider could not gain by saying it.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from flask import Request

_MOST_NEXT: Final = 2000
"""Characters of a path to go on to."""
_NOT_ONWARD: Final = frozenset({"/signin", "/signout"})
_OWN_HOST: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_FORWARDED: Final = re.compile(
    r"(x-)?forwarded(-.*)?|x-original-.*|via|x-real-ip|(cf|true|x)-(connecting|client)-ip", re.IGNORECASE
)


def is_local(asked: Request) -> bool:
    """Whether somebody at this machine asks, and asks directly.

    A reverse proxy here comes from loopback, too, and gives itself away by its headers, or by HTTP/1.0, which nginx speaks
    and browsers do not. A page of the web whose name was made to point to this machine has another Host.
    """
    return (
        _is_loopback(asked.remote_addr or "")
        and _OWN_HOST.fullmatch(asked.headers.get("Host", "")) is not None
        and asked.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        and not any(_FORWARDED.fullmatch(name) for name in asked.headers.keys())  # noqa: SIM118 - werkzeug's own
    )


def is_foreign(asked: Request) -> bool:
    """Whether a browser sent this form from another site's page."""
    site = asked.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = asked.headers.get("Origin")
    # The scheme is not compared: behind a proxy that ends TLS it is another one here.
    return origin is not None and _host_of(origin) != asked.headers.get("Host", "").lower()


def is_browser(asked: Request) -> bool:
    """Whether a person would see the answer: a machine asks for anything, or for what it reads."""
    return "text/html" in [kind for kind, _ in asked.accept_mimetypes]


def own_path(told: str) -> str:
    """A path on this server, `/` for everything else. A browser reads `//` and a backslash as another host."""
    is_own = told.startswith("/") and not told.startswith("//") and "\\" not in told and told.isprintable()
    if not is_own or len(told) > _MOST_NEXT or told.partition("?")[0] in _NOT_ONWARD:
        return "/"
    return told


def _is_loopback(address: str) -> bool:
    try:
        read = ip_address(address)
    except ValueError:
        return False
    mapped = read.ipv4_mapped if isinstance(read, IPv6Address) else None
    return (mapped or read).is_loopback


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
