"""The one way to api.github.com (or an Enterprise Server): authenticated, paced by nobody but us, safe for threads.

Reads wait for short rate limits and raise our errors. `call` does neither: it sends once and returns what came, for writers
that must look before they repeat anything. PyGithub is imported when the first client is made, not with this module: that
costs a third of a second, which nobody without a pull request should pay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from bot.errors import OutsideError
from bot.github import limits
from bot.github.faults import Cut, Reply, error_for, rate_wait, redact
from bot.github.line import FixedToken, Line, Tokens, open_line
from bot.review.ports import Clock, Stop

JSON = "application/vnd.github+json"
RAW = "application/vnd.github.raw+json"
DIFF = "application/vnd.github.diff"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphReply:
    """What a GraphQL query gave. Parts may be missing from `data`; `errors` then says why."""

    data: Mapping[str, Any]
    errors: tuple[str, ...] = ()
    """`TYPE: message` of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutated:
    """What GraphQL said to a mutation."""

    data: Mapping[str, Any] | None
    """What the mutation's field gave; None when it was refused."""
    errors: tuple[str, ...] = ()
    """`TYPE: message` of each."""

    @property
    def why(self) -> str:
        """The messages without their types."""
        return "; ".join(error.partition(": ")[2] for error in self.errors) or "GitHub gave no reason"

    def is_a(self, *types: str) -> bool:
        """Whether an error has one of these types, such as `FORBIDDEN`."""
        return any(error.partition(":")[0] in types for error in self.errors)


def mutated(answer: Reply) -> Mutated:
    """The answer to `GitHubClient.mutate` with a good status. OutsideError when it is no answer of GraphQL's."""
    found = _graph(answer.json())
    data = next(iter(found.data.values()), None) if found.data else None
    return Mutated(data=data if isinstance(data, dict) else None, errors=found.errors)


class GitHubClient:
    """Use `connect` or `App.client` to make one. Everything may be called from several threads; close it when done."""

    def __init__(
        self,
        line: Line,
        tokens: Tokens,
        *,
        clock: Clock,
        wait: Callable[[Stop, float], bool],
        login: Callable[[], str | None] | None = None,
        owns_line: bool = True,
    ) -> None:
        self.clock = clock
        self._line = line
        self._tokens = tokens
        self._wait = wait
        self._login = login
        self._owns_line = owns_line
        self._asking = threading.Lock()
        self._known_as: str | None = None
        self._pool = ThreadPoolExecutor(max_workers=limits.PARALLEL_READS, thread_name_prefix="github")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection that is this client's own; requests on them end first.

        Where the connections are shared, nobody waits for a request that may take until its timeout.
        """
        self._pool.shutdown(wait=self._owns_line, cancel_futures=True)
        if self._owns_line:
            self._line.close()

    @property
    def api_url(self) -> str:
        """Of the server that this client is for."""
        return self._line.api_url

    @property
    def has_token(self) -> bool:
        """GraphQL answers nobody without a token; REST reads public repositories."""
        return self._tokens.any

    @property
    def login(self) -> str | None:
        """The account that this client writes as (`slug[bot]` for an App's); None where only GitHub knows. May ask it once."""
        return self._login() if self._login is not None else None

    def known_as(self, ask: Callable[[], str | None]) -> str | None:
        """What `ask` gives for the login of this client's token; once it gave one, nobody is asked again."""
        with self._asking:
            if self._known_as is None:
                self._known_as = ask()
            return self._known_as

    def pause(self, stop: Stop, seconds: float) -> bool:
        """Wait, as GitHub asked for it; False when that does not fit into `stop`, or it was cancelled meanwhile."""
        return seconds <= stop.left() and not self._wait(stop, seconds)

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

        A GET is repeated after a cut connection or a 5xx, nothing else ever is; after a 401 a fresh token is tried, where the
        client can have one. Raises SparkError when there is no token to be had.
        """
        answer, token = self._once(verb, path, stop, params, body, accept)
        # A 401 did nothing, so even a write may be sent again: the token was revoked or its time was over.
        refused = token is not None and isinstance(answer, Reply) and answer.status == 401
        if refused and self._tokens.refuse(str(token)):
            answer, _ = self._once(verb, path, stop, params, body, accept)
        if isinstance(answer, Reply) and answer.status == 401:
            return replace(answer, remedy=self._tokens.remedy)
        return answer

    def _once(
        self,
        verb: str,
        path: str,
        stop: Stop,
        params: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
        accept: str,
    ) -> tuple[Reply | Cut, str | None]:
        token = self._tokens.take(stop)
        if isinstance(token, Reply | Cut):
            return token, None
        return self._line.send(verb, path, token=token, stop=stop, params=params, body=body, accept=accept), token

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
            return _spoken(self.call("POST", self._line.graphql_url, stop=stop, body=body))

        def twice() -> Reply | Cut:
            answer = once()
            failed = not answer.silent if isinstance(answer, Cut) else answer.status >= 500
            return once() if failed and stop.left() > 0 else answer

        answer = _graph(self._patient(twice, stop, doing, frozenset()).json())
        if answer.data is None:
            why = "; ".join(answer.errors) or "no reason given"
            raise OutsideError(f"GitHub's GraphQL gave no data while {doing}: {why}")
        return GraphReply(data=answer.data, errors=answer.errors)

    def mutate(self, mutation: str, given: Mapping[str, Any], *, stop: Stop) -> Reply | Cut:
        """Send one mutation once and return what came of it; `mutated` reads it. Its one variable is `$input`.

        Never repeated: whoever sends it must look before it sends again, unless twice is the same as once.
        """
        return self.mutate_all(mutation, {"input": dict(given)}, stop=stop)

    def mutate_all(self, document: str, variables: Mapping[str, Any], *, stop: Stop) -> Reply | Cut:
        """Send a document of mutations once, likewise; `mutations.outcomes` reads what comes of several."""
        body = {"query": document, "variables": dict(variables)}
        return _spoken(self.call("POST", self._line.graphql_url, stop=stop, body=body), is_write=True)

    def pages(
        self,
        path: str,
        *,
        stop: Stop,
        doing: str,
        first: Reply | None = None,
        begun: Sequence[Future[Reply]] = (),
        params: Mapping[str, str | int] | None = None,
    ) -> list[Reply]:
        """Every page of a list. The first tells how many there are, the others are read in parallel.

        `first`: that page, where it is here. `begun`: the first pages, where they are asked for already; those that turn out
        not to be there are left out.
        """
        asked = {"per_page": limits.PER_PAGE, **(params or {})}

        def page(number: int) -> Reply:
            return self.get(path, stop=stop, doing=doing, params={**asked, "page": number})

        others = begun[1:]
        start = first or (begun[0].result() if begun else page(1))
        last = last_page(start)
        if last is not None:
            _cancel(others[last - 1 :])
            more = [self.submit(page, number) for number in range(len(others) + 2, last + 1)]
            return [start, *gather([*others[: last - 1], *more])]
        replies = [start, *gather(others)]
        while links(replies[-1]).get("next"):
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


def _graph(answer: Any) -> Mutated:
    data = answer.get("data") if isinstance(answer, dict) else None
    errors = answer.get("errors") or () if isinstance(answer, dict) else ()
    told = tuple(redact(f"{error.get('type') or 'ERROR'}: {error.get('message') or ''}")[:300] for error in errors)
    return Mutated(data=data if isinstance(data, dict) else None, errors=told)


def _spoken(answer: Reply | Cut, *, is_write: bool = False) -> Reply | Cut:
    """GraphQL tells of its rate limit with a 200 [docs, rate limits for the GraphQL API]; as a 429 everybody knows it.

    A write of which a part was done stays what it is: a 429 says that nothing was written.
    """
    if not isinstance(answer, Reply) or answer.status != 200 or "RATE_LIMITED" not in answer.text:
        return answer
    found = _graph(answer.json())
    is_done = is_write and any(given is not None for given in (found.data or {}).values())
    return replace(answer, status=429) if found.is_a("RATE_LIMITED") and not is_done else answer


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

    `read_seconds`: silence after which an answer counts as lost. Sends nothing. ConfigError when a URL is none, or would send
    the token over the open net.
    """
    line = open_line(api_url=api_url, graphql_url=graphql_url, user_agent=user_agent, read_seconds=read_seconds)
    return GitHubClient(line, FixedToken(token), clock=clock, wait=wait)


def gather(futures: Sequence[Future[T]]) -> list[T]:
    """All results in order; the first failure cancels what has not begun and is raised."""
    try:
        return [future.result() for future in futures]
    except BaseException:
        _cancel(futures)
        raise


def _cancel(futures: Sequence[Future[Any]]) -> None:
    for future in futures:
        future.cancel()


def last_page(reply: Reply) -> int | None:
    """Number of the last page by the `Link` header; 1 when there is none; None when it names a next page alone."""
    found = links(reply)
    if "last" in found:
        number = parse_qs(urlsplit(found["last"]).query).get("page", ["1"])[0]
        return int(number) if number.isdigit() else None
    return None if "next" in found else 1


def links(reply: Reply) -> dict[str, str]:
    """The addresses of the `Link` header by their relation: `next`, `prev`, `first`, `last`."""
    found = {}
    for part in reply.headers.get("link", "").split(","):
        url, _, rest = part.partition(";")
        name = rest.partition('rel="')[2].partition('"')[0]
        if name:
            found[name] = url.strip().strip("<>")
    return found
