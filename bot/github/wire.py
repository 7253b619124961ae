"""The transport under PyGithub: one keep-alive pool for all threads, and a connection object for each request.

PyGithub keeps the request that is under way in its connection object, so two threads that share one send each other's
requests; giving it a fresh object for each call (over one shared pool of sockets) mends that. It also turns bodies into text
with U+FFFD for what is not UTF-8; here the bytes survive. Imports PyGithub's dependencies, so it is imported late.
"""

from __future__ import annotations

import http.cookiejar
from collections.abc import ItemsView, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3

from bot.github.limits import READ_TRIES


def open_session(sockets: int) -> requests.Session:
    """The pool of connections, `sockets` of which are kept. It repeats GET and HEAD alone: a POST that was cut, or answered 5xx, may have landed.

    Connections that were never made are tried again for every method: nothing was sent. What is lost after sending is the
    caller's to repeat, who knows how much time is left. Rate limits are not waited for here, where nobody could cancel the
    wait.
    """
    session = _Session()
    retry = urllib3.Retry(
        total=READ_TRIES,
        read=False,
        allowed_methods={"GET", "HEAD"},
        status_forcelist=range(500, 600),
        backoff_factor=0.2,
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    adapter = requests.adapters.HTTPAdapter(pool_connections=4, pool_maxsize=sockets, max_retries=retry)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Anything but None keeps `requests` from sending what it finds in ~/.netrc instead of our token.
    session.auth = lambda prepared: prepared
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
    return session


_MOST_HOPS = 3


class _Session(requests.Session):
    """Looks for proxies and certificates in the environment once for each server: to walk through all of it at every request is a
    third of what a request costs us, and a review sends many at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[tuple[str, bool | str | None], Mapping[str, Any]] = {}

    def merge_environment_settings(self, url, proxies, stream, verify, cert):  # type: ignore[no-untyped-def]
        """See `requests.Session`."""
        parts = urlsplit(url)
        key = f"{parts.scheme}://{parts.netloc}", verify
        if proxies or stream or cert:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        if key not in self._found:
            self._found[key] = super().merge_environment_settings(url, proxies, stream, verify, cert)
        found = dict(self._found[key])
        return {**found, "proxies": dict(found["proxies"])}


class Answer:
    """An HTTP answer in the shape that PyGithub reads."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self._headers: Mapping[str, str] = response.headers
        self._content = response.content or b""

    def getheaders(self) -> ItemsView[str, str]:
        """All headers."""
        return self._headers.items()

    def read(self) -> str:
        """The body, utf-8 with `surrogateescape`."""
        return self._content.decode("utf-8", "surrogateescape")


class Connection:
    """One request, in the shape of PyGithub's connection classes."""

    def __init__(
        self, session: requests.Session, *, origin: str, token: str | None, timeout: tuple[float, float]
    ) -> None:
        self._session = session
        self._origin = origin
        self._token = token
        self._timeout = timeout
        self._request: tuple[str, str, Any, dict[str, str]] | None = None

    def request(self, verb: str, url: str, input: Any, headers: dict[str, str], stream: bool = False) -> None:  # noqa: A002, ARG002, FBT001, FBT002 - PyGithub calls it so
        """Keep what is to be sent."""
        # In a copy: PyGithub writes its own headers to a log.
        held = {**headers, "Authorization": f"Bearer {self._token}"} if self._token is not None else headers
        self._request = (verb, url, input, held)

    def getresponse(self) -> Answer:
        """Send it. Raises what `requests` raises.

        A renamed repository is answered with a redirect. It is followed here, on the same server alone, because PyGithub follows
        it without the query, and so reads the first page again and again.
        """
        assert self._request is not None
        verb, url, body, headers = self._request
        hops = 0
        while True:
            response = self._session.request(
                verb, self._origin + url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            )
            target = response.headers.get("location", "")
            again = response.status_code in {307, 308} or (verb == "GET" and response.status_code in {301, 302})
            if hops == _MOST_HOPS or not again or not target.startswith(f"{self._origin}/"):
                return Answer(response)
            url = target.removeprefix(self._origin)
            hops += 1
