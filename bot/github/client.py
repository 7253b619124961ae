"""The one way to api.github.com (or an Enterprise Server): authenticated, paced by nobody but us, safe for threads.

Reads wait for short rate limits and raise our errors. `call` does neither: it sends once and returns what came, for writers
that must look before they repeat anything. PyGithub is imported when the first client is made, not with this module: that
costs a third of a second, which nobody without a pull request should pay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

from bot.errors import ConfigError, OutsideError
from bot.github import limits
from bot.github.faults import Cut, Reply, error_for, rate_wait, redact
from bot.github.names import origin
from bot.review.ports import Clock, Stop

if TYPE_CHECKING:
    import github
    import requests

JSON = "application/vnd.github+json"
RAW = "application/vnd.github.raw+json"
DIFF = "application/vnd.github.diff"

_LEAST_SECONDS = 1.0
"""A request that is sent at all gets this long for its answer."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphReply:
    """What a GraphQL query gave. Parts may be missing from `data`; `errors` then says why."""

    data: Mapping[str, Any]
    errors: tuple[str, ...] = ()
    """`TYPE: message` of each."""


class GitHubClient:
    """Use `connect` to make one. Everything may be called from several threads; close it when done."""

    def __init__(
        self,
        *,
        hub: github.Github,
        session: requests.Session,
        api_url: str,
        graphql_url: str,
        clock: Clock,
        wait: Callable[[Stop, float], bool],
        has_token: bool,
        read_seconds: float,
    ) -> None:
        self.clock = clock
        self.has_token = has_token
        """GraphQL answers nobody without a token; REST reads public repositories."""
        self._hub = hub
        self._wait = wait
        self._read_seconds = read_seconds
        self._session = session
        self._api_origin = origin(api_url)
        self._graphql_url = graphql_url
        self._pool = ThreadPoolExecutor(max_workers=limits.PARALLEL_READS, thread_name_prefix="github")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. Requests under way end first."""
        self._pool.shutdown(cancel_futures=True)
        self._session.close()
        self._hub.close()

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a read in the background. `work` must not wait for other such work: the pool is small."""
        return self._pool.submit(work, *args, **kwargs)

    def call(
        self,
        verb: str,
        path: str,
        *,
        stop: Stop,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = JSON,
    ) -> Reply | Cut:
        """Send one request and return what came of it, whatever the status.

        A GET is repeated after a cut connection or a 5xx, nothing else ever is.
        """
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
                    cnx=self._connection(server, timeout),
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

    def get(
        self,
        path: str,
        *,
        stop: Stop,
        doing: str,
        params: Mapping[str, str | int] | None = None,
        accept: str = JSON,
        bear: frozenset[int] = frozenset(),
    ) -> Reply:
        """Read. A status in `bear` is returned like a good one; every other failure raises the error of the table."""
        return self._patient(lambda: self.call("GET", path, stop=stop, params=params, accept=accept), stop, doing, bear)

    def graphql(self, query: str, variables: Mapping[str, Any], *, stop: Stop, doing: str) -> GraphReply:
        """Ask GraphQL. Raises the table's error when there is no answer with data.

        A query changes nothing, so it is sent a second time after a cut connection or a 5xx.
        """
        body = {"query": query, "variables": dict(variables)}

        def once() -> Reply | Cut:
            return self.call("POST", self._graphql_url, stop=stop, body=body)

        def twice() -> Reply | Cut:
            answer = once()
            failed = not answer.silent if isinstance(answer, Cut) else answer.status >= 500
            return once() if failed and stop.left() > 0 else answer

        answer = self._patient(twice, stop, doing, frozenset()).json()
        data = answer.get("data") if isinstance(answer, dict) else None
        errors = answer.get("errors") or () if isinstance(answer, dict) else ()
        told = tuple(redact(f"{error.get('type') or 'ERROR'}: {error.get('message') or ''}")[:300] for error in errors)
        if not isinstance(data, dict):
            raise OutsideError(f"GitHub's GraphQL gave no data while {doing}: {'; '.join(told) or 'no reason given'}")
        return GraphReply(data=data, errors=told)

    def pages(
        self,
        path: str,
        *,
        stop: Stop,
        doing: str,
        first: Reply | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> list[Reply]:
        """Every page of a list. The first tells how many there are, the others are read in parallel."""
        asked = {"per_page": limits.PER_PAGE, **(params or {})}

        def page(number: int) -> Reply:
            return self.get(path, stop=stop, doing=doing, params={**asked, "page": number})

        first = first or page(1)
        last = last_page(first)
        if last is not None:
            return [first, *gather([self.submit(page, number) for number in range(2, last + 1)])]
        replies = [first]
        while _links(replies[-1]).get("next"):
            replies.append(page(len(replies) + 1))
        return replies

    def _patient(self, send: Callable[[], Reply | Cut], stop: Stop, doing: str, bear: frozenset[int]) -> Reply:
        for _ in range(limits.READ_TRIES):
            answer = send()
            wait = None if isinstance(answer, Cut) else rate_wait(answer)
            if wait is None or wait > min(limits.MAX_RATE_WAIT, stop.left()):
                break
            if self._wait(stop, wait):
                break
        else:
            answer = send()
        if isinstance(answer, Reply) and (answer.ok or answer.status in bear):
            return answer
        raise error_for(answer, doing=doing)

    def _connection(self, server: str, timeout: tuple[float, float]) -> Any:
        from bot.github.wire import Connection  # noqa: PLC0415 - loads requests

        return cast("Any", Connection(self._session, origin=server, timeout=timeout))


def connect(
    *,
    token: str | None,
    api_url: str,
    user_agent: str,
    clock: Clock,
    graphql_url: str | None = None,
    wait: Callable[[Stop, float], bool] = Stop.wait,
    read_seconds: float = limits.READ_SECONDS,
) -> GitHubClient:
    """A client for `api_url` (`https://api.github.com`, or an Enterprise Server's `https://HOST/api/v3`).

    `read_seconds`: silence after which an answer counts as lost. Sends nothing. ConfigError when a URL is none, or would send the token over the open net.
    """
    api_url = _checked(api_url, "GITHUB_API_URL")
    import github  # noqa: PLC0415 - a third of a second

    from bot.github.wire import open_session  # noqa: PLC0415 - loads requests

    session = open_session()
    hub = github.Github(
        auth=github.Auth.Token(token) if token else None,
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
    return GitHubClient(
        hub=hub,
        session=session,
        api_url=api_url,
        graphql_url=_checked(graphql_url or hub.requester.graphql_url, "GITHUB_GRAPHQL_URL"),
        clock=clock,
        wait=wait,
        has_token=bool(token),
        read_seconds=read_seconds,
    )


def gather(futures: Sequence[Future[T]]) -> list[T]:
    """All results in order; the first failure cancels what has not begun and is raised."""
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise


def last_page(reply: Reply) -> int | None:
    """Number of the last page by the `Link` header; 1 when there is none; None when it names a next page alone."""
    links = _links(reply)
    if "last" in links:
        number = parse_qs(urlsplit(links["last"]).query).get("page", ["1"])[0]
        return int(number) if number.isdigit() else None
    return None if "next" in links else 1


def _links(reply: Reply) -> dict[str, str]:
    found = {}
    for part in reply.headers.get("link", "").split(","):
        url, _, rest = part.partition(";")
        name = rest.partition('rel="')[2].partition('"')[0]
        if name:
            found[name] = url.strip().strip("<>")
    return found


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
