"""The line to one GitHub: sockets kept open, one request at a time sent on it, with whatever token its sender has.

Many clients with different tokens share one line, so a new installation's first request finds a connection that is open
already. PyGithub never sees a token: it is added below it, where nothing is logged. Nothing here waits for a rate limit or
raises for an answer, whatever its status.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from bot.errors import ConfigError
from bot.github import limits
from bot.github.faults import Cut, Reply, redact
from bot.github.names import origin
from bot.review.ports import Stop

if TYPE_CHECKING:
    import github
    import requests

_LEAST_SECONDS = 1.0
"""A request that is sent at all gets this long for its answer."""

T = TypeVar("T")


class Tokens(Protocol):
    """Where a client has its token from."""

    @property
    def any(self) -> bool:
        """Whether there is a token at all."""
        ...

    @property
    def remedy(self) -> str:
        """What the user can do when GitHub refuses them all; empty for what is usual."""
        ...

    def take(self, stop: Stop) -> str | Reply | Cut | None:
        """The token to send now; None to send none. A Reply or Cut is what came of asking for one: nothing can be sent.

        Raises SparkError when there will be none, however often one asks.
        """
        ...

    def refuse(self, token: str) -> bool:
        """GitHub answered 401 to `token`. True when `take` may give a better one now."""
        ...


class FixedToken:
    """One token for the client's whole life, or none."""

    def __init__(self, token: str | None) -> None:
        self._token = token or None

    @property
    def any(self) -> bool:
        """Whether there is a token at all."""
        return self._token is not None

    @property
    def remedy(self) -> str:
        """The usual."""
        return ""

    def take(self, stop: Stop) -> str | None:  # noqa: ARG002 - the protocol's
        """The token."""
        return self._token

    def refuse(self, token: str) -> bool:  # noqa: ARG002 - the protocol's
        """There is no other."""
        return False


class Line:
    """Use `open_line` to make one. Safe for threads."""

    def __init__(
        self, *, hub: github.Github, session: requests.Session, api_url: str, graphql_url: str, read_seconds: float
    ) -> None:
        self.api_url = api_url
        self.graphql_url = graphql_url
        self._hub = hub
        self.session = session
        self._api_origin = origin(api_url)
        self._read_seconds = read_seconds

    def close(self) -> None:
        """Close every connection."""
        self.session.close()
        self._hub.close()

    def send(
        self,
        verb: str,
        path: str,
        *,
        token: str | None,
        stop: Stop,
        params: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
        accept: str,
    ) -> Reply | Cut:
        """Send one request, a GET again after a cut connection. ConfigError when the server sends us to another one."""
        import requests  # noqa: PLC0415 - comes with PyGithub, which is loaded late

        server = self._api_origin if path.startswith("/") else origin(path)
        tries = 1 + limits.READ_TRIES if verb == "GET" else 1
        lost = Cut(reason="not sent")
        for attempt in range(tries):
            if attempt and stop.left() <= 0:
                break
            # Reckoned anew each time: repeats may not add up to more than what is left.
            timeout = (limits.CONNECT_SECONDS, max(_LEAST_SECONDS, min(self._read_seconds, stop.left())))
            try:
                status, headers, text = self._hub.requester.requestJson(
                    verb,
                    path,
                    parameters=dict(params or {}),
                    headers={"Accept": accept},
                    input=body,
                    cnx=self._connection(server, token, timeout),
                )
            except requests.exceptions.ReadTimeout:
                return Cut(reason=f"it was silent for {timeout[1]:.0f} seconds", silent=True)
            except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError) as error:
                lost = _cut(error)
            except requests.RequestException as error:
                return _cut(error)
            except RuntimeError as error:
                # PyGithub's answer to a redirect that leaves the server.
                raise ConfigError(redact(str(error)), remedy="Check GITHUB_API_URL") from error
            else:
                return Reply(status=status, headers=headers, text=text)
        return lost

    def _connection(self, server: str, token: str | None, timeout: tuple[float, float]) -> Any:
        from bot.github.wire import Connection  # noqa: PLC0415 - loads requests

        return cast("Any", Connection(self.session, origin=server, token=token, timeout=timeout))


def open_line(
    *,
    api_url: str,
    user_agent: str,
    graphql_url: str | None = None,
    read_seconds: float = limits.READ_SECONDS,
    sockets: int = limits.PARALLEL_READS + 2,
) -> Line:
    """A line to `api_url` that keeps up to `sockets` connections open. Sends nothing.

    `read_seconds`: silence after which an answer counts as lost. ConfigError when a URL is none, or would send a token over
    the open net.
    """
    api_url = _checked(api_url, "GITHUB_API_URL")
    import github  # noqa: PLC0415 - a third of a second

    from bot.github.wire import open_session  # noqa: PLC0415 - loads requests

    # At DEBUG PyGithub writes whole answers to its log: tokens, and a new App's key.
    logging.getLogger("github.Requester").setLevel(logging.INFO)
    hub = github.Github(
        base_url=api_url,
        user_agent=user_agent,
        per_page=limits.PER_PAGE,
        # Writes are paced in `pace.py` and reads not at all; PyGithub's own pauses cost a second a review.
        seconds_between_requests=None,
        seconds_between_writes=None,
        lazy=True,
        api_version=limits.API_VERSION,
        # For PyGithub's own objects, should any be used: its default of ten repeats includes POST.
        retry=github.GithubRetry(
            total=limits.READ_TRIES, allowed_methods={"GET", "HEAD"}, max_rate_limit_wait=limits.MAX_RATE_WAIT
        ),
    )
    return Line(
        hub=hub,
        session=open_session(sockets),
        api_url=api_url,
        graphql_url=_checked(graphql_url or hub.requester.graphql_url, "GITHUB_GRAPHQL_URL"),
        read_seconds=read_seconds,
    )


def await_until_stopped(future: Future[T], stop: Stop) -> bool:
    """Wait for `future`; False when `stop` came first. A cancel is felt at once."""
    over = Event()
    forget = stop.on_stop(over.set)
    try:
        future.add_done_callback(lambda _: over.set())
        over.wait(stop.left())
    finally:
        forget()
    return future.done()


def _cut(error: Exception) -> Cut:
    """What went wrong at the bottom: the libraries above wrap it in their own words, with addresses of objects in them."""
    cause: BaseException = error
    while (inner := _inner(cause)) is not None:
        cause = inner
    return Cut(reason=redact(f"{type(cause).__name__}: {cause}")[:300])


def _inner(error: BaseException) -> BaseException | None:
    candidates = (getattr(error, "reason", None), *error.args, error.__cause__)
    return next((one for one in candidates if isinstance(one, BaseException) and one is not error), None)


def _checked(url: str, name: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}:
        return url.rstrip("/")
    raise ConfigError(f"{name} is {url!r}, which is not an https:// address", remedy="Example: https://api.github.com")
